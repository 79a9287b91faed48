//! What the targets share.

use std::ffi::{CString, c_char};

use tino::sys::Texts;

/// A list of C strings as the kernel would lay it out: ours to write.
pub struct List {
    pointers: Vec<*mut c_char>,
}

impl List {
    /// The parts of `input` between its NULs.
    pub fn new(input: &[u8]) -> List {
        let parts = input.split(|byte| *byte == 0);
        let strings = parts.map(|part| CString::new(part).unwrap_or_default().into_raw());
        List { pointers: strings.chain([std::ptr::null_mut()]).collect() }
    }

    /// The list. It must not be used when `self` is gone, which no target does.
    pub fn texts(&mut self) -> Texts {
        // SAFETY: ended by a null pointer; the strings live as long as `self`, and the targets use
        // the list within one call.
        unsafe { Texts::new(self.pointers.as_mut_ptr()) }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        for string in self.pointers.drain(..).filter(|string| !string.is_null()) {
            // SAFETY: `new` got it from `into_raw`, and no target leaves a NUL within it.
            drop(unsafe { CString::from_raw(string) });
        }
    }
}
