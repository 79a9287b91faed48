//! The start of a program without that of the standard library.
//!
//! The library's start asks the kernel 19 things (where the stack ends, what signals do, a stack
//! for the handler of overflows) that a program with one thread and a short life has no use for.
//! What is left is what others rely on.

#![allow(unsafe_code)]

use std::io::Write as _;

/// Makes `$main`, a `fn() -> u8` that returns the exit code, the function that the C library's
/// start calls, in a crate with `#![no_main]`. `std::env` works, as the C library hands command
/// line and environment to the standard library before that.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        /// Entered by the C library's start code.
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        extern "C" fn main() -> core::ffi::c_int {
            $crate::start::run($main)
        }
    };
}

/// Calls `main` with three standard streams and without SIGPIPE, which must not end a program
/// that holds a container: it sees EPIPE. What is in the buffer of standard output is written.
pub fn run(main: fn() -> u8) -> libc::c_int {
    open_standard_streams();
    // SAFETY: SIG_IGN is no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let code = main();
    let written = std::io::stdout().flush();
    libc::c_int::from(if written.is_err() && code == 0 { 1 } else { code })
}

/// Opens `/dev/null` for each of the first three descriptors that is closed, lest a file that is
/// opened later be taken for standard output, and be written to. Returns how many were.
fn open_standard_streams() -> usize {
    let mut polled = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: the array outlives the call and has as many elements as it says.
    let answered = unsafe { libc::poll(polled.as_mut_ptr(), 3, 0) };
    let closed =
        polled.iter().filter(|it| answered > 0 && it.revents & libc::POLLNVAL != 0).count();
    for _ in 0..closed {
        // SAFETY: the path ends with NUL. The lowest number that is free is taken: one of those.
        if unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) } < 0 {
            // SAFETY: without standard streams nobody can be told.
            unsafe { libc::abort() };
        }
    }
    closed
}

#[cfg(test)]
mod tests {
    use super::open_standard_streams;

    #[test]
    fn open_streams_are_left_alone() {
        assert_eq!(open_standard_streams(), 0);
    }
}
