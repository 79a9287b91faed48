//! What the targets share.

use std::ffi::{CString, c_char};

use tino::sys::Texts;

/// A list of C strings as the kernel would lay it out.
pub struct List {
    pointers: Vec<*const c_char>,
    /// What the pointers point to.
    _strings: Vec<CString>,
}

impl List {
    /// The parts of `input` between its NULs.
    pub fn new(input: &[u8]) -> List {
        let parts = input.split(|byte| *byte == 0);
        let strings: Vec<_> = parts.map(|part| CString::new(part).unwrap_or_default()).collect();
        let ends = [std::ptr::null()];
        let pointers = strings.iter().map(|string| string.as_ptr()).chain(ends).collect();
        List { pointers, _strings: strings }
    }

    /// The list. It must not be used when `self` is gone, which no target does.
    pub fn texts(&mut self) -> Texts {
        // SAFETY: ended by a null pointer; the strings live as long as `self`, and the targets use
        // the list within one call.
        unsafe { Texts::new(self.pointers.as_mut_ptr()) }
    }
}
