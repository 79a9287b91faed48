//! Which Landlock rights stand for which options, and which of them a kernel has. No kernel call.

use crate::flags::{Id, Ids};
use crate::texts::Message;

/// A set of rights: those on files as the kernel numbers them in the lower 16 bits, those on TCP
/// ports from [`NETWORK`], scopes from [`SCOPE`].
pub type Rights = u32;

/// Where the network's rights begin.
pub const NETWORK: u32 = 16;
/// Where the scopes begin.
pub const SCOPE: u32 = 18;

const EXECUTE: Rights = 1 << 0;
/// Writing to a file that exists.
pub const WRITE_FILE: Rights = 1 << 1;
const READ_FILE: Rights = 1 << 2;
const READ_DIR: Rights = 1 << 3;
const MAKE_CHAR: Rights = 1 << 6;
const MAKE_BLOCK: Rights = 1 << 11;
const REFER: Rights = 1 << 13;
const TRUNCATE: Rights = 1 << 14;
const IOCTL_DEV: Rights = 1 << 15;
/// Binding a TCP port.
pub const BIND_TCP: Rights = 1 << NETWORK;
/// Connecting to a TCP port.
pub const CONNECT_TCP: Rights = 2 << NETWORK;
const SCOPE_ABSTRACT_UNIX: Rights = 1 << SCOPE;
const SCOPE_SIGNAL: Rights = 2 << SCOPE;

/// All rights on files and folders.
pub const FILESYSTEM: Rights = (1 << NETWORK) - 1;
/// The rights that a rule on a file, not a folder, may have.
pub const FILE_RIGHTS: Rights = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

/// Everything that changes the file system: writing, removing (4, 5), making (6 to 12), moving,
/// truncating.
const WRITE: Rights = FILESYSTEM & !(EXECUTE | READ_FILE | READ_DIR | IOCTL_DEV);
/// Reading, and listing folders.
const READ: Rights = READ_FILE | READ_DIR;
/// What is given back for a program that may be run. The kernel opens it for reading, too.
pub const RUNNABLE: Rights = EXECUTE | READ_FILE;

/// The rights that an option takes away, and gives back for its value: all of the former but the
/// making of devices.
#[must_use]
pub const fn given(id: Id) -> Rights {
    let index = (id as usize).wrapping_sub(Id::Landlock as usize);
    if index < TAKEN.len() { TAKEN[index] & !(MAKE_CHAR | MAKE_BLOCK) } else { 0 }
}

/// The rights that options take away, from [`Id::Landlock`] on in their order.
static TAKEN: [Rights; 13] = [
    WRITE,
    WRITE,
    WRITE,
    WRITE,
    WRITE,
    WRITE,
    READ,
    EXECUTE,
    BIND_TCP,
    CONNECT_TCP,
    IOCTL_DEV,
    SCOPE_SIGNAL,
    SCOPE_ABSTRACT_UNIX,
];

/// The rights that these options take away.
#[must_use]
pub fn wanted(options: Ids) -> Rights {
    let (mut all, mut left) = (0, options >> Id::Landlock as u8);
    for rights in &TAKEN {
        if left & 1 != 0 {
            all |= rights;
        }
        left >>= 1;
    }
    all
}

/// What a kernel may lack: the rights, and the ABI that brought them, less 2. Moving files between
/// folders (REFER) is not missed: before ABI 2 it is always forbidden.
static FEATURES: [Rights; 5] =
    [REFER, TRUNCATE, BIND_TCP | CONNECT_TCP, IOCTL_DEV, SCOPE_SIGNAL | SCOPE_ABSTRACT_UNIX];

/// The rights of `wanted` that a kernel with this ABI has. Calls `lacks` with what says so for each
/// group of rights that it does not have.
#[must_use]
pub fn enforceable(wanted: Rights, abi: u32, mut lacks: impl FnMut(Message)) -> Rights {
    let (mut left, mut since, mut message) = (wanted, 2, Message::LACKS);
    for rights in &FEATURES {
        if abi < since && wanted & rights != 0 {
            left &= !rights;
            if *rights != REFER {
                lacks(message);
            }
        }
        since += 1;
        message = message.plus(1);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_abi_has_the_rights_that_the_kernel_documents() {
        for (abi, filesystem) in [(1, 13), (2, 14), (3, 15), (4, 15), (5, 16), (6, 16), (7, 16)] {
            let left = enforceable(u32::MAX >> 12, abi, |_| ());
            assert_eq!(left & FILESYSTEM, (1 << filesystem) - 1, "ABI {abi}");
            assert_eq!(left >> NETWORK & 3, if abi >= 4 { 3 } else { 0 });
            assert_eq!(left >> SCOPE, if abi >= 6 { 3 } else { 0 });
        }
    }

    #[test]
    fn what_is_not_wanted_is_not_lacking() {
        assert_eq!(enforceable(EXECUTE, 1, |_| panic!("nothing is lacking")), EXECUTE);
        let mut names = std::vec::Vec::new();
        assert_eq!(enforceable(WRITE, 2, |name| names.push(name)), WRITE & !TRUNCATE);
        assert_eq!(names, [Message::LACKS_TRUNCATE]);
    }

    #[test]
    fn each_option_takes_its_rights() {
        assert_eq!(wanted(Id::Explain.bit() | Id::WriteWarnOnly.bit()), 0);
        for (id, rights) in [
            (Id::Landlock, WRITE),
            (Id::LandlockWritable, WRITE),
            (Id::WritePreset, WRITE),
            (Id::LandlockProfile, WRITE),
            (Id::LandlockWarnOnly, WRITE),
            (Id::LandlockNoDev, WRITE),
            (Id::ReadAllow, READ),
            (Id::ExecAllow, EXECUTE),
            (Id::BindTcpAllow, BIND_TCP),
            (Id::ConnectTcpAllow, CONNECT_TCP),
            (Id::DeviceIoctlAllow, IOCTL_DEV),
            (Id::ScopeSignals, SCOPE_SIGNAL),
            (Id::ScopeAbstractUnix, SCOPE_ABSTRACT_UNIX),
        ] {
            assert_eq!(wanted(id.bit()), rights, "{id:?}");
        }
    }

    #[test]
    fn a_writable_folder_takes_no_devices() {
        assert_eq!(given(Id::LandlockWritable), WRITE & !(MAKE_CHAR | MAKE_BLOCK));
        assert_eq!(given(Id::ScopeAbstractUnix), SCOPE_ABSTRACT_UNIX);
        assert_eq!(given(Id::Explain), 0);
    }
}
