//! Capabilities, capabilities(7).

use std::fmt;
use sys::OrError;
use sys::rustix::io::Errno;
use sys::rustix::thread::{
    self, CapabilitySet as Bits, CapabilitySets, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set,
};

/// All names, by number; linux/capability.h of Linux 5.9 and newer.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

const SYS_ADMIN: u64 = 1 << 21;

/// The names of all capabilities that there are, by number.
#[must_use]
pub fn capability_names() -> &'static [&'static str] {
    &NAMES
}

/// Some capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilitySet(u64);

/// No capability has this name.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no capability; they are named CAP_CHOWN, CAP_KILL, ... (capabilities(7))")]
pub struct UnknownCapability(String);

impl CapabilitySet {
    /// The one of this name, in capital letters, with or without `CAP_`.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<CapabilitySet, UnknownCapability> {
        let known = |it: &&str| **it == *name || it.strip_prefix("CAP_") == Some(name);
        let number = NAMES.iter().position(known);
        number
            .map(|number| CapabilitySet(1 << number))
            .ok_or_else(|| UnknownCapability(name.into()))
    }

    /// These and those.
    #[must_use]
    pub fn with(self, other: CapabilitySet) -> CapabilitySet {
        CapabilitySet(self.0 | other.0)
    }

    /// Those of this set that are in the other one, too.
    #[must_use]
    pub fn within(self, other: CapabilitySet) -> CapabilitySet {
        CapabilitySet(self.0 & other.0)
    }

    /// Those of this set that are not in the other one.
    #[must_use]
    pub fn without(self, other: CapabilitySet) -> CapabilitySet {
        CapabilitySet(self.0 & !other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn bits(self) -> Bits {
        Bits::from_bits_retain(self.0)
    }
}

/// The five sets of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The most that any program it executes can have.
    pub bounding: CapabilitySet,
    /// What the kernel checks.
    pub effective: CapabilitySet,
    /// What a program keeps whose file has it, too.
    pub inheritable: CapabilitySet,
    /// The most that the effective ones can be.
    pub permitted: CapabilitySet,
    /// What any program keeps. Only what is both permitted and inheritable can be.
    pub ambient: CapabilitySet,
}

impl fmt::Display for CapabilitySet {
    /// Their names, with blanks between.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in NAMES.iter().enumerate().filter(|(number, _)| self.0 >> number & 1 == 1) {
            write!(formatter, "{separator}{name}")?;
            separator = " ";
        }
        Ok(())
    }
}

impl Capabilities {
    /// Takes from the bounding set of the calling thread what is not in this one. It needs
    /// CAP_SETPCAP, so it comes before [`Capabilities::apply`] and the change of ids.
    ///
    /// # Errors
    /// EPERM without CAP_SETPCAP.
    pub fn limit_bounding_set(&self) -> Result<(), sys::Error> {
        for (number, name) in NAMES.iter().enumerate() {
            if self.bounding.0 >> number & 1 == 1 {
                continue;
            }
            match remove_capability_from_bounding_set(Bits::from_bits_retain(1 << number)) {
                // A kernel older than the capability: the rest is unknown to it as well.
                Err(Errno::INVAL) => break,
                result => result.or_error("prctl", || format!("PR_CAPBSET_DROP, {name}"))?,
            }
        }
        Ok(())
    }

    /// Sets those of the calling thread, but for the bounding set. `keep_administration` leaves
    /// CAP_SYS_ADMIN permitted and effective until the next execve(2), which takes it away: a
    /// seccomp filter without no_new_privs needs it.
    ///
    /// What the thread itself lacks it cannot give: that is left out, and returned.
    ///
    /// # Errors
    /// EPERM if CAP_SYS_ADMIN is to be kept and the thread does not have it.
    pub fn apply(&self, keep_administration: bool) -> Result<CapabilitySet, sys::Error> {
        let error = match self.set(keep_administration) {
            Ok(()) => return Ok(CapabilitySet::default()),
            Err(error) => error,
        };
        let own = Self::own_permitted()?;
        let all = self.permitted.with(self.effective).with(self.inheritable);
        let lacking = all.without(own);
        if error.errno != Errno::PERM || lacking.is_empty() {
            return Err(error);
        }
        let possible = Capabilities {
            effective: self.effective.within(own),
            permitted: self.permitted.within(own),
            inheritable: self.inheritable.within(own),
            ..*self
        };
        possible.set(keep_administration)?;
        Ok(lacking)
    }

    fn set(&self, keep_administration: bool) -> Result<(), sys::Error> {
        let kept = if keep_administration { SYS_ADMIN } else { 0 };
        let sets = CapabilitySets {
            effective: Bits::from_bits_retain(self.effective.0 | kept),
            permitted: Bits::from_bits_retain(self.permitted.0 | kept),
            inheritable: self.inheritable.bits(),
        };
        thread::set_capabilities(None, sets).or_error("capset", || {
            let [effective, permitted] = [sets.effective.bits(), sets.permitted.bits()];
            format!("{effective:#x}, {permitted:#x}, {:#x}", self.inheritable.0)
        })?;
        self.set_ambient()
    }

    fn set_ambient(&self) -> Result<(), sys::Error> {
        // The kernel has taken away by itself what is not both inheritable and permitted any more,
        // and would refuse to give it. Callers list such ones; runc passes over them as well.
        let possible = self.inheritable.0 & self.permitted.0;
        if possible == 0 {
            return Ok(());
        }
        clear_ambient_capability_set().or_error("prctl", || "PR_CAP_AMBIENT_CLEAR_ALL")?;
        for (number, name) in NAMES.iter().enumerate() {
            if (self.ambient.0 & possible) >> number & 1 == 1 {
                let bit = Bits::from_bits_retain(1 << number);
                configure_capability_in_ambient_set(bit, true)
                    .or_error("prctl", || format!("PR_CAP_AMBIENT_RAISE, {name}"))?;
            }
        }
        Ok(())
    }

    /// The calling thread's own permitted set: the most that it can give away.
    ///
    /// # Errors
    /// None that is known.
    pub fn own_permitted() -> Result<CapabilitySet, sys::Error> {
        let sets = thread::capabilities(None).or_error("capget", || "")?;
        Ok(CapabilitySet(sets.permitted.bits()))
    }
}

#[cfg(test)]
mod tests {
    use super::{CapabilitySet, NAMES};

    #[test]
    fn names_are_shown() {
        let both = ["CAP_KILL", "CAP_CHOWN"].map(|name| CapabilitySet::named(name).unwrap());
        let both = both[0].with(both[1]);
        assert_eq!(both.to_string(), "CAP_CHOWN CAP_KILL");
        assert_eq!(both.without(both).to_string(), "");
    }

    #[test]
    fn names_stand_at_their_numbers() {
        for (name, number) in [
            ("CAP_CHOWN", 0),
            ("CAP_SYS_ADMIN", 21),
            ("CAP_AUDIT_READ", 37),
            ("CAP_CHECKPOINT_RESTORE", 40),
        ] {
            assert_eq!(CapabilitySet::named(name).unwrap().0, 1 << number, "{name}");
        }
        assert_eq!(
            CapabilitySet::named("KILL").unwrap(),
            CapabilitySet::named("CAP_KILL").unwrap()
        );
        for name in ["cap_kill", "", "CAP_", "CAP_NO_SUCH", "CAP_CAP_KILL"] {
            assert!(CapabilitySet::named(name).is_err(), "{name}");
        }
        assert_eq!(NAMES.len(), 41);
    }
}
