//! The terminal's foreground process group, ioctl_tty(2).

use super::call::{Errno, act, number};
use super::file::Descriptor;

/// `TIOCGPGRP`: the group that the terminal sends its signals to; 0 when it began outside the
/// PID namespace.
pub fn foreground(terminal: Descriptor) -> Result<i32, Errno> {
    const TIOCGPGRP: usize = 0x540f;
    let mut group: i32 = 0;
    ioctl(terminal, TIOCGPGRP, &raw mut group as usize).map(|()| group)
}

/// `TIOCSPGRP`. The caller must block SIGTTOU or be in the foreground.
pub fn set_foreground(terminal: Descriptor, group: i32) -> Result<(), Errno> {
    const TIOCSPGRP: usize = 0x5410;
    ioctl(terminal, TIOCSPGRP, &raw const group as usize)
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

fn ioctl(fd: Descriptor, request: usize, argument: usize) -> Result<(), Errno> {
    // SAFETY: the requests above take a pointer to an int or no pointer at all.
    unsafe { act(fd as usize, request, argument, number::IOCTL) }
}
