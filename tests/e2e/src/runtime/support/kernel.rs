//! Kernels that lack what the runtime would rather use: it must be as safe without.

use std::io;

use sys::seccomp::{Instruction, set_mode_filter};

use crate::support::Launch;

/// What the kernel offers to the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Kernel {
    /// All it has.
    Whole,
    /// No openat2(2), as before Linux 5.6.
    WithoutOpenat2,
}

/// All of them, for tests that hold on each.
pub(in crate::runtime) const KERNELS: [Kernel; 2] = [Kernel::Whole, Kernel::WithoutOpenat2];

impl Kernel {
    /// Starts the program, and with it the container, on such a kernel.
    pub(in crate::runtime) fn under(self, launch: Launch) -> Launch {
        match self {
            Self::Whole => launch,
            Self::WithoutOpenat2 => launch.before_exec(|| hide(&[OPENAT2])),
        }
    }
}

const OPENAT2: i64 = libc::SYS_openat2;

/// Has these calls fail with ENOSYS from now on, for this process and all that it starts.
fn hide(calls: &[i64]) -> io::Result<()> {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ERRNO: u32 = 0x0005_0000;
    const ALLOW: u32 = 0x7fff_0000;
    let instruction = |code, when_true, k| Instruction { code, when_true, when_false: 0, k };
    let mut program = vec![instruction(LOAD_NUMBER, 0, 0)];
    for (index, call) in calls.iter().enumerate() {
        let to_the_end = u8::try_from(calls.len() - index).map_err(io::Error::other)?;
        let number = u32::try_from(*call).map_err(io::Error::other)?;
        program.push(instruction(JUMP_IF_EQUAL, to_the_end, number));
    }
    program.push(instruction(RETURN, 0, ALLOW));
    program.push(instruction(RETURN, 0, ERRNO | libc::ENOSYS.cast_unsigned()));
    set_mode_filter(&program, 0).map(drop).map_err(io::Error::other)
}
