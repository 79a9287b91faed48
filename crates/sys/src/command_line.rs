//! The words of the command line, where the kernel has put them.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

static FIRST: AtomicPtr<u8> = AtomicPtr::new(null_mut());
static LENGTH: AtomicUsize = AtomicUsize::new(0);

/// Called by the C library before `main`, as the standard library has it do for `std::env::args`.
#[used]
#[unsafe(link_section = ".init_array")]
static REMEMBER: extern "C" fn(c_int, *const *mut c_char, *const *mut c_char) = remember;

extern "C" fn remember(count: c_int, words: *const *mut c_char, _variables: *const *mut c_char) {
    let Some(last) = usize::try_from(count).ok().and_then(|count| count.checked_sub(1)) else {
        return;
    };
    // SAFETY: the list has as many words as was said, each of which ends with NUL and stays.
    let (first, end) = unsafe {
        let end = CStr::from_ptr(*words.add(last)).to_bytes_with_nul().as_ptr_range().end;
        ((*words).cast::<u8>(), end)
    };
    FIRST.store(first, Ordering::Relaxed);
    // One after the other: execve(2) in the kernel.
    LENGTH.store((end as usize).saturating_sub(first as usize), Ordering::Relaxed);
}

/// Wipes out the words of this process's command line: `/proc/PID/cmdline` shows them to all who see
/// the process, even to those who may look at nothing else of it. `std::env::args` has none then
/// that say anything.
///
/// Only for a process with one thread, which nobody can disturb.
pub fn forget() {
    let (first, length) = (FIRST.load(Ordering::Relaxed), LENGTH.load(Ordering::Relaxed));
    if !first.is_null() {
        // SAFETY: memory of this process that is there for its whole life, writable, and to which
        // no reference is kept.
        unsafe { first.write_bytes(0, length) };
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST, LENGTH};
    use std::sync::atomic::Ordering;

    #[test]
    fn is_where_the_kernel_says() {
        let (first, length) = (FIRST.load(Ordering::Relaxed), LENGTH.load(Ordering::Relaxed));
        // SAFETY: the words are there as long as the process.
        let words = unsafe { std::slice::from_raw_parts(first, length) };
        assert_eq!(words, std::fs::read("/proc/self/cmdline").unwrap());
    }
}
