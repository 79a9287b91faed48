//! Who is in the foreground of the terminal.

use crate::sys;

/// Moves the foreground from the process group `from` to `to`; nothing happens when `from` is
/// not in the foreground (a background job must not steal the terminal) or there is no terminal.
/// The caller blocks SIGTTOU.
pub fn hand_over(from: i32, to: i32) {
    let _may_be_elsewhere = sys::move_foreground(from, to);
}

/// Whether the process group is in the foreground.
#[must_use]
pub fn in_foreground(group: i32) -> bool {
    sys::move_foreground(group, 0)
}
