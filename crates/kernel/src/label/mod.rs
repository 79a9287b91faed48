//! Labels of security modules: AppArmor profiles and SELinux contexts.
//!
//! They are written through a [`Procfs`] that no container can have touched, for a write that
//! lands in another file would leave the container unconfined without anybody noticing.

use crate::path::{Procfs, read_at};
use sys::rustix::fs::{CWD, statfs};

/// Of selinuxfs, statfs(2).
const SELINUX_MAGIC: i64 = 0xf97c_ff8c;

/// Why a label is not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The kernel has no AppArmor, or it is off.
    #[error("AppArmor is not enabled on this machine, so the profile {0:?} cannot be set")]
    NoAppArmor(String),
    /// The kernel has no SELinux, or it is off.
    #[error("SELinux is not enabled on this machine, so the label {0:?} cannot be set")]
    NoSelinux(String),
    /// The kernel ends texts with NUL.
    #[error("the label {0:?} has a NUL character in it")]
    Nul(String),
    /// A system call failed.
    #[error("cannot set the label {label:?}: {error}; it may not be loaded")]
    Call {
        /// Which.
        label: String,
        /// The call.
        error: sys::Error,
    },
}

/// The profile of the program that this process executes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppArmorProfile(String);

impl AppArmorProfile {
    /// Checks that the machine can have it.
    ///
    /// # Errors
    /// AppArmor is off, or the name is none.
    pub fn parse(profile: &str) -> Result<AppArmorProfile, Error> {
        if profile.contains('\0') {
            return Err(Error::Nul(profile.to_owned()));
        }
        let parameters = read_at(CWD, c"/sys/module/apparmor/parameters/enabled", 16);
        if parameters.is_ok_and(|content| content.starts_with(b"Y")) {
            return Ok(AppArmorProfile(profile.to_owned()));
        }
        Err(Error::NoAppArmor(profile.to_owned()))
    }

    /// Sets it for the next execve(2).
    ///
    /// # Errors
    /// ENOENT if the profile is not loaded, EACCES if the change is forbidden.
    pub fn set_for_exec(&self, procfs: &Procfs) -> Result<(), Error> {
        let text = format!("exec {}", self.0);
        // The first is AppArmor's alone (Linux 5.8), the second of whatever module is in charge.
        let own = procfs.write(c"self/attr/apparmor/exec", text.as_bytes());
        match own {
            Err(error) if error.call == "openat" => {
                procfs.write(c"self/attr/exec", text.as_bytes())
            }
            result => result,
        }
        .map_err(|error| Error::Call { label: self.0.clone(), error })
    }
}

/// The context of the program that this process executes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelinuxLabel(String);

impl SelinuxLabel {
    /// Checks that the machine can have it.
    ///
    /// # Errors
    /// SELinux is off, or the label is none.
    pub fn parse(label: &str) -> Result<SelinuxLabel, Error> {
        if label.contains('\0') {
            return Err(Error::Nul(label.to_owned()));
        }
        match statfs(c"/sys/fs/selinux") {
            Ok(status) if status.f_type == SELINUX_MAGIC => Ok(SelinuxLabel(label.to_owned())),
            _ => Err(Error::NoSelinux(label.to_owned())),
        }
    }

    /// Sets it for the next execve(2).
    ///
    /// # Errors
    /// EINVAL for a label that the policy does not know, EACCES if the change is forbidden.
    pub fn set_for_exec(&self, procfs: &Procfs) -> Result<(), Error> {
        self.write(procfs, c"self/attr/exec")
    }

    /// Sets it for keys made from now on, so that the session keyring has the container's label.
    ///
    /// # Errors
    /// As [`SelinuxLabel::set_for_exec`].
    pub fn set_for_keys(&self, procfs: &Procfs) -> Result<(), Error> {
        self.write(procfs, c"self/attr/keycreate")
    }

    fn write(&self, procfs: &Procfs, file: &std::ffi::CStr) -> Result<(), Error> {
        procfs
            .write(file, self.0.as_bytes())
            .map_err(|error| Error::Call { label: self.0.clone(), error })
    }
}

#[cfg(test)]
mod tests {
    use super::{AppArmorProfile, Error, SelinuxLabel};

    #[test]
    fn a_label_that_ends_early_is_none() {
        assert!(matches!(AppArmorProfile::parse("a\0b"), Err(Error::Nul(_))));
        assert!(matches!(SelinuxLabel::parse("a\0b"), Err(Error::Nul(_))));
    }
}
