//! Which Landlock rights stand for which options, and which of them a kernel has. No kernel call.

use core::ffi::CStr;

use crate::flags::Id;
use crate::options::Options;

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
/// What is given back below a writable path: everything but making devices.
pub const WRITABLE: Rights = WRITE & !(MAKE_CHAR | MAKE_BLOCK);
/// What is given back below a readable path.
pub const READABLE: Rights = READ_FILE | READ_DIR;
/// What is given back for a program that may be run. The kernel opens it for reading, too.
pub const RUNNABLE: Rights = EXECUTE | READ_FILE;
/// What is given back for a path that may be executed.
pub const EXECUTABLE: Rights = EXECUTE;
/// What is given back for devices.
pub const CONTROLLABLE: Rights = IOCTL_DEV;

/// The rights that switches take away when they are on.
const BY_SWITCHES: [(Id, Rights); 5] = [
    (Id::Landlock, WRITE),
    (Id::LandlockWarnOnly, WRITE),
    (Id::LandlockNoDev, WRITE),
    (Id::ScopeSignals, SCOPE_SIGNAL),
    (Id::ScopeAbstractUnix, SCOPE_ABSTRACT_UNIX),
];

/// The rights that lists take away when there is anything in them.
const BY_LISTS: [(Id, Rights); 8] = [
    (Id::LandlockWritable, WRITE),
    (Id::WritePreset, WRITE),
    (Id::LandlockProfile, WRITE),
    (Id::ReadAllow, READABLE),
    (Id::ExecAllow, EXECUTABLE),
    (Id::DeviceIoctlAllow, CONTROLLABLE),
    (Id::BindTcpAllow, BIND_TCP),
    (Id::ConnectTcpAllow, CONNECT_TCP),
];

/// The rights that the options take away.
#[must_use]
pub fn wanted(options: &Options) -> Rights {
    let mut all = 0;
    for (id, rights) in BY_SWITCHES {
        all |= if options.on(id) { rights } else { 0 };
    }
    for (id, rights) in BY_LISTS {
        all |= if options.was_given(id) { rights } else { 0 };
    }
    all
}

/// What a kernel may lack: the ABI that brought it, and the rights that it stands for. Moving
/// files between folders (REFER) has no name: before ABI 2 it is always forbidden.
const FEATURES: [(u8, Rights, Option<&CStr>); 5] = [
    (2, REFER, None),
    (3, TRUNCATE, Some(c"truncate (Linux 6.2)")),
    (4, BIND_TCP | CONNECT_TCP, Some(c"TCP ports (Linux 6.7)")),
    (5, IOCTL_DEV, Some(c"device ioctl (Linux 6.10)")),
    (6, SCOPE_SIGNAL | SCOPE_ABSTRACT_UNIX, Some(c"scopes (Linux 6.12)")),
];

/// The rights of `wanted` that a kernel with this ABI has. Calls `lacks` with the name of each
/// group of rights that it does not have.
#[must_use]
pub fn enforceable(wanted: Rights, abi: u32, lacks: &mut dyn FnMut(&'static CStr)) -> Rights {
    let mut left = wanted;
    for (since, rights, name) in FEATURES {
        if abi < u32::from(since) && wanted & rights != 0 {
            left &= !rights;
            if let Some(name) = name {
                lacks(name);
            }
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_abi_has_the_rights_that_the_kernel_documents() {
        for (abi, filesystem) in [(1, 13), (2, 14), (3, 15), (4, 15), (5, 16), (6, 16), (7, 16)] {
            let left = enforceable(u32::MAX >> 12, abi, &mut |_| ());
            assert_eq!(left & FILESYSTEM, (1 << filesystem) - 1, "ABI {abi}");
            assert_eq!(left >> NETWORK & 3, if abi >= 4 { 3 } else { 0 });
            assert_eq!(left >> SCOPE, if abi >= 6 { 3 } else { 0 });
        }
    }

    #[test]
    fn what_is_not_wanted_is_not_lacking() {
        assert_eq!(enforceable(EXECUTABLE, 1, &mut |_| panic!("nothing is lacking")), EXECUTABLE);
        let mut names = std::vec::Vec::new();
        assert_eq!(enforceable(WRITE, 2, &mut |name| names.push(name)), WRITE & !TRUNCATE);
        assert_eq!(names, [c"truncate (Linux 6.2)"]);
    }

    #[test]
    fn a_writable_folder_takes_no_devices() {
        assert_eq!(WRITABLE & (MAKE_CHAR | MAKE_BLOCK), 0);
        assert_ne!(WRITABLE & TRUNCATE, 0);
    }
}
