//! Architectures: what the kernel calls them in a filter, and how their calls are numbered.

/// How many architectures have a table of system calls here.
pub(super) const COUNT: usize = 5;

/// An architecture with a table of system calls; as a number, its column there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Architecture {
    X86_64,
    X86,
    X32,
    Aarch64,
    Arm,
}

/// All architectures a profile may name. Those without a table are none that this program runs
/// on: their calls cannot happen, and nothing is compiled for them.
pub const ARCHITECTURES: &[&str] = &[
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
];

/// The bit by which the numbers of x32 differ from those of x86-64.
pub(super) const X32_BIT: u32 = 1 << 30;

// What the assembler says of where the halves of an argument are.
#[cfg(not(target_endian = "little"))]
compile_error!("filters are written for little-endian machines");

impl Architecture {
    /// The one this program was compiled for.
    #[cfg(target_arch = "x86_64")]
    pub(super) const NATIVE: Architecture = Architecture::X86_64;
    #[cfg(target_arch = "aarch64")]
    pub(super) const NATIVE: Architecture = Architecture::Aarch64;

    /// By libseccomp's word; `None` for one without a table.
    pub(super) fn from_word(word: &str) -> Option<Architecture> {
        Some(match word {
            "SCMP_ARCH_X86_64" => Architecture::X86_64,
            "SCMP_ARCH_X86" => Architecture::X86,
            "SCMP_ARCH_X32" => Architecture::X32,
            "SCMP_ARCH_AARCH64" => Architecture::Aarch64,
            "SCMP_ARCH_ARM" => Architecture::Arm,
            _ => return None,
        })
    }

    /// The kernel's name for it, `AUDIT_ARCH_*`: the number of the machine in ELF files, bit 30
    /// for little endian, bit 31 for 64 bits. x32 shares that of x86-64.
    pub(super) fn audit(self) -> u32 {
        match self {
            Architecture::X86_64 | Architecture::X32 => 0xc000_003e,
            Architecture::X86 => 0x4000_0003,
            Architecture::Aarch64 => 0xc000_00b7,
            Architecture::Arm => 0x4000_0028,
        }
    }

    /// Whether conditions compare no more than the lower half of an argument.
    pub(super) fn is_narrow(self) -> bool {
        matches!(self, Architecture::X86 | Architecture::X32 | Architecture::Arm)
    }

    /// What is added to the numbers of the table.
    pub(super) fn base(self) -> u32 {
        if self == Architecture::X32 { X32_BIT } else { 0 }
    }

    /// The number in a filter of what the table has as `entry`.
    pub(super) fn number(self, entry: u16) -> u32 {
        /// Arm's private calls, from 0x0f0000 in the kernel and from 0xf000 in the table.
        const PRIVATE: u16 = 0xf000;
        let number = u32::from(entry);
        if self == Architecture::Arm && entry >= PRIVATE {
            return number - u32::from(PRIVATE) + 0x000f_0000;
        }
        self.base() + number
    }
}

/// A call of 32-bit x86 through which others go, and the number that one of them has there.
#[cfg(any(test, fuzzing))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Multiplexed {
    /// That of `socketcall` or `ipc`.
    pub(super) number: u32,
    /// The value of its first argument.
    pub(super) call: u8,
}

/// Through what a call also goes on 32-bit x86: socketcall(2), ipc(2).
#[cfg(any(test, fuzzing))]
pub(super) fn multiplexed(name: &str) -> Option<Multiplexed> {
    let index = MULTIPLEXED.binary_search_by(|(known, ..)| (*known).cmp(name)).ok()?;
    let (_, number, call) = MULTIPLEXED[index];
    Some(Multiplexed { number, call })
}

/// Whether calls of 32-bit x86 go through the one with this number.
pub(super) fn is_multiplexer(number: u32) -> bool {
    number == SOCKETCALL || number == IPC
}

/// The names of all calls that go through this one, and their numbers there.
pub(super) fn multiplexed_by(number: u32) -> impl Iterator<Item = (&'static str, u8)> {
    let all = MULTIPLEXED.iter().filter(move |(_, through, _)| *through == number);
    all.map(|(name, _, call)| (*name, *call))
}

const SOCKETCALL: u32 = 102;
const IPC: u32 = 117;

/// Sorted by name.
#[rustfmt::skip]
static MULTIPLEXED: &[(&str, u32, u8)] = &[
    ("accept", SOCKETCALL, 5), ("accept4", SOCKETCALL, 18), ("bind", SOCKETCALL, 2),
    ("connect", SOCKETCALL, 3), ("getpeername", SOCKETCALL, 7), ("getsockname", SOCKETCALL, 6),
    ("getsockopt", SOCKETCALL, 15), ("listen", SOCKETCALL, 4), ("msgctl", IPC, 14),
    ("msgget", IPC, 13), ("msgrcv", IPC, 12), ("msgsnd", IPC, 11),
    ("recv", SOCKETCALL, 10), ("recvfrom", SOCKETCALL, 12), ("recvmmsg", SOCKETCALL, 19),
    ("recvmsg", SOCKETCALL, 17), ("semctl", IPC, 3), ("semget", IPC, 2),
    ("semop", IPC, 1), ("semtimedop", IPC, 4), ("send", SOCKETCALL, 9),
    ("sendmmsg", SOCKETCALL, 20), ("sendmsg", SOCKETCALL, 16), ("sendto", SOCKETCALL, 11),
    ("setsockopt", SOCKETCALL, 14), ("shmat", IPC, 21), ("shmctl", IPC, 24),
    ("shmdt", IPC, 22), ("shmget", IPC, 23), ("shutdown", SOCKETCALL, 13),
    ("socket", SOCKETCALL, 1), ("socketpair", SOCKETCALL, 8),
];

#[cfg(test)]
mod tests {
    use super::{ARCHITECTURES, Architecture, COUNT, MULTIPLEXED, multiplexed};

    #[test]
    fn those_with_a_table_are_among_the_words() {
        let known = ARCHITECTURES.iter().filter_map(|word| Architecture::from_word(word));
        assert_eq!(known.count(), COUNT);
        assert!(ARCHITECTURES.is_sorted());
    }

    #[test]
    fn those_that_go_through_others_are_all_found() {
        assert!(MULTIPLEXED.iter().all(|(name, ..)| multiplexed(name).is_some()));
        assert!(MULTIPLEXED.is_sorted());
        assert_eq!(multiplexed("socketcall"), None);
    }

    #[test]
    fn numbers_as_the_kernel_has_them() {
        assert_eq!(Architecture::X32.number(1), 0x4000_0001);
        assert_eq!(Architecture::X86_64.number(0xf001), 0xf001);
        assert_eq!(Architecture::Arm.number(0xf005), 0x000f_0005);
        assert_eq!(Architecture::Arm.number(285), 285);
    }
}
