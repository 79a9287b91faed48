//! Who we are, and whom new files belong to: setfsuid(2) and setfsgid(2).

#![allow(unsafe_code)]

use rustix::io::Errno;
use rustix::process::{getegid, geteuid};
use rustix::thread::{
    CapabilitiesSecureBits, capabilities_secure_bits, set_capabilities_secure_bits,
};

/// Whether the program was started as root of its user namespace: `AT_EUID`, getauxval(3), which
/// takes no system call.
#[must_use]
pub fn started_as_root() -> bool {
    // SAFETY: it reads what the kernel has put above the stack, which stays.
    unsafe { libc::getauxval(libc::AT_EUID) == 0 }
}

/// Files that the calling thread makes belong to somebody else, while this lives. It keeps all its
/// rights.
#[derive(Debug)]
pub struct FileIdentity {
    secure_bits: CapabilitiesSecureBits,
}

impl FileIdentity {
    /// `int setfsuid(uid_t)`, `int setfsgid(gid_t)`. To leave 0 takes away the rights over files,
    /// unless the secure bit NO_SETUID_FIXUP is set, capabilities(7).
    ///
    /// # Errors
    /// EPERM without CAP_SETPCAP, CAP_SETUID and CAP_SETGID, or for ids that this user namespace
    /// lacks.
    pub fn take(user: u32, group: u32) -> Result<FileIdentity, Errno> {
        let secure_bits = capabilities_secure_bits()?;
        set_capabilities_secure_bits(secure_bits | CapabilitiesSecureBits::NO_SETUID_FIXUP)?;
        let taken = FileIdentity { secure_bits };
        set(user, group);
        // These calls say what was before, and never that they have failed: one that changes
        // nothing tells.
        let now = set(u32::MAX, u32::MAX);
        if now == (user, group) { Ok(taken) } else { Err(Errno::PERM) }
    }
}

impl Drop for FileIdentity {
    fn drop(&mut self) {
        set(geteuid().as_raw(), getegid().as_raw());
        // It was set before, so it can be set.
        let _ = set_capabilities_secure_bits(self.secure_bits);
    }
}

/// Returns those from before.
fn set(user: u32, group: u32) -> (u32, u32) {
    // SAFETY: both take a number and touch no memory. They are the thread's alone.
    let (user, group) = unsafe {
        (libc::syscall(libc::SYS_setfsuid, user), libc::syscall(libc::SYS_setfsgid, group))
    };
    let id = |number: libc::c_long| u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX);
    (id(user), id(group))
}

#[cfg(test)]
mod tests {
    use super::{FileIdentity, started_as_root};
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn we_are_who_we_were_started_as() {
        assert_eq!(started_as_root(), rustix::process::geteuid().is_root());
    }

    #[test]
    fn new_files_are_somebody_elses() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = std::env::temp_dir().join(format!("identity-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let owner = |name: &str| {
            std::fs::write(folder.join(name), "").unwrap();
            let status = std::fs::metadata(folder.join(name)).unwrap();
            (status.uid(), status.gid())
        };
        let before = owner("before");
        let taken = FileIdentity::take(70_001, 70_002).unwrap();
        // The folder is root's: the rights are still there.
        assert_eq!(owner("now"), (70_001, 70_002));
        drop(taken);
        assert_eq!(owner("after"), before);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
