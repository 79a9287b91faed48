//! The terminal's foreground process group, ioctl_tty(2).

use super::call::{Errno, act, number};
use super::file::{Descriptor, OPEN_READ, close, open};
use super::text::Text;

/// Whether the process group `from` is in the foreground, `TIOCGPGRP` (0 is one that began outside
/// the PID namespace); if so, `to` takes its place, `TIOCSPGRP`, unless that is 0. The caller
/// blocks SIGTTOU.
///
/// Asks the controlling terminal, or standard input when `/dev/tty` is not there. Opened anew each
/// time: it is rarely needed, and `tino` keeps no descriptor.
#[inline(never)]
pub fn move_foreground(from: i32, to: i32) -> bool {
    const TIOCGPGRP: usize = 0x540f;
    const TIOCSPGRP: usize = 0x5410;
    let opened = open(Text::of(c"/dev/tty"), OPEN_READ);
    let fd = opened.unwrap_or(0);
    let mut group: i32 = 0;
    let known = ioctl(fd, TIOCGPGRP, &raw mut group as usize).is_ok();
    let in_foreground = known && group == from;
    if in_foreground && to != 0 {
        // Fails when `to` has just ended: then nobody needs the terminal.
        let _ended = ioctl(fd, TIOCSPGRP, &raw const to as usize);
    }
    if opened.is_ok() {
        close(fd);
    }
    in_foreground
}

/// `TIOCSCTTY`: makes standard input the session's controlling terminal.
pub fn take_terminal() -> Result<(), Errno> {
    const TIOCSCTTY: usize = 0x540e;
    ioctl(0, TIOCSCTTY, 0)
}

/// `TIOCNOTTY`: gives the controlling terminal up. From a session's leader, the kernel then sends
/// HUP and CONT to the terminal's foreground group.
pub fn give_up_terminal() -> Result<(), Errno> {
    const TIOCNOTTY: usize = 0x5422;
    ioctl(0, TIOCNOTTY, 0)
}

#[inline(never)]
fn ioctl(fd: Descriptor, request: usize, argument: usize) -> Result<(), Errno> {
    // SAFETY: the requests above take a pointer to an int or no pointer at all.
    unsafe { act(fd as usize, request, argument, number::IOCTL) }
}
