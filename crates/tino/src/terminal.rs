//! Who is in the foreground of the terminal.

use crate::sys::{self, Descriptor, Text};

/// Calls `act` with the controlling terminal, or standard input when `/dev/tty` is not there.
/// Opened anew each time: it is rarely needed, and `tino` keeps no descriptor.
fn with_terminal<T>(act: impl FnOnce(Descriptor) -> T) -> T {
    match sys::open(Text::of(c"/dev/tty"), sys::OPEN_READ) {
        Ok(fd) => {
            let result = act(fd);
            sys::close(fd);
            result
        }
        Err(_) => act(0),
    }
}

/// Moves the foreground from the process group `from` to `to`; nothing happens when `from` is
/// not in the foreground (a background job must not steal the terminal) or there is no terminal.
/// The caller blocks SIGTTOU.
pub fn hand_over(from: i32, to: i32) {
    with_terminal(|fd| {
        if sys::foreground(fd) == Ok(from) {
            // Fails when `to` has just ended: then nobody needs the terminal.
            let _ended = sys::set_foreground(fd, to);
        }
    });
}

/// Whether the process group is in the foreground.
#[must_use]
pub fn in_foreground(group: i32) -> bool {
    with_terminal(|fd| sys::foreground(fd) == Ok(group))
}
