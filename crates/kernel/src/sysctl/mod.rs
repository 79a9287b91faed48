//! Kernel parameters of a container: those of its own namespaces, and no others.

use crate::path::Procfs;
use std::ffi::CString;

/// Which namespaces the container has to itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// IPC.
    pub ipc: bool,
    /// Network.
    pub network: bool,
    /// UTS.
    pub uts: bool,
    /// User.
    pub user: bool,
}

/// A parameter and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctl {
    /// Below `/proc`.
    path: CString,
    value: String,
}

/// Why a parameter is not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No name of a parameter.
    #[error("{0:?} is no name of a parameter, such as net.ipv4.ip_forward")]
    Name(String),
    /// It belongs to the machine.
    #[error(
        "{0} is the machine's; a container can set net.*, fs.mqueue.*, kernel.msg*, kernel.sem, \
         kernel.shm*, kernel.domainname and user.*"
    )]
    OfTheMachine(String),
    /// It belongs to a namespace that the container shares.
    #[error("{name} needs a {namespace} namespace of the container's own")]
    Shared {
        /// The parameter.
        name: String,
        /// The namespace it belongs to.
        namespace: &'static str,
    },
    /// There is another field for it.
    #[error("kernel.hostname is set by the field hostname")]
    Hostname,
    /// A system call failed.
    #[error("cannot set {name} to {value:?}: {error}")]
    Call {
        /// The parameter.
        name: String,
        /// The value.
        value: String,
        /// The call.
        error: sys::Error,
    },
}

/// Those of the IPC namespace below `kernel`, ipc_namespaces(7).
const IPC: [&str; 8] =
    ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"];

impl Sysctl {
    /// Reads a name, in which dots and slashes may have changed places as sysctl(8) allows, and
    /// checks that it belongs to a namespace which the container has to itself.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn parse(name: &str, value: &str, owned: Owned) -> Result<Sysctl, Error> {
        let components = components(name).ok_or_else(|| Error::Name(name.to_owned()))?;
        let components: Vec<&str> = components.iter().map(String::as_str).collect();
        let (namespace, is_owned) = match components.as_slice() {
            ["kernel", "hostname"] => return Err(Error::Hostname),
            ["kernel", "domainname"] => ("UTS", owned.uts),
            ["kernel", parameter] if IPC.contains(parameter) => ("IPC", owned.ipc),
            ["fs", "mqueue", _] => ("IPC", owned.ipc),
            ["net", _, ..] => ("network", owned.network),
            ["user", _] => ("user", owned.user),
            _ => return Err(Error::OfTheMachine(name.to_owned())),
        };
        if !is_owned {
            return Err(Error::Shared { name: name.to_owned(), namespace });
        }
        let path = CString::new(format!("sys/{}", components.join("/")))
            .map_err(|_| Error::Name(name.to_owned()))?;
        Ok(Sysctl { path, value: value.to_owned() })
    }

    /// Sets it in the namespaces of the caller.
    ///
    /// # Errors
    /// ENOENT if the kernel has no such parameter, EINVAL for the value, EACCES.
    pub fn apply(&self, procfs: &Procfs) -> Result<(), Error> {
        procfs.write(&self.path, self.value.as_bytes()).map_err(|error| Error::Call {
            name: self.path.to_string_lossy().replacen("sys/", "", 1).replace('/', "."),
            value: self.value.clone(),
            error,
        })
    }
}

/// The names on the way to a parameter. The first separator tells which of `.` and `/` it is; the
/// other one then stands for a dot in a name (`net/ipv4/conf/eth0.1/forwarding`).
fn components(name: &str) -> Option<Vec<String>> {
    let separator = name.chars().find(|it| matches!(it, '.' | '/'))?;
    let components: Vec<String> =
        name.split(separator).map(|component| component.replace('/', ".")).collect();
    let is_name = |it: &String| !it.is_empty() && it != "." && it != ".." && !it.contains('\0');
    components.iter().all(is_name).then_some(components)
}

#[cfg(test)]
mod tests {
    use super::{Error, Owned, Sysctl};

    const ALL: Owned = Owned { ipc: true, network: true, uts: true, user: true };

    fn path(name: &str) -> Result<String, Error> {
        Sysctl::parse(name, "1", ALL).map(|it| it.path.into_string().unwrap())
    }

    #[test]
    fn dots_and_slashes_may_change_places() {
        assert_eq!(path("net.ipv4.ip_forward").unwrap(), "sys/net/ipv4/ip_forward");
        assert_eq!(path("net/ipv4/ip_forward").unwrap(), "sys/net/ipv4/ip_forward");
        let vlan = "sys/net/ipv4/conf/eth0.1/forwarding";
        assert_eq!(path("net/ipv4/conf/eth0.1/forwarding").unwrap(), vlan);
        assert_eq!(path("net.ipv4.conf.eth0/1.forwarding").unwrap(), vlan);
    }

    #[test]
    fn no_name_leads_elsewhere() {
        for name in ["", "net", "net..x", "net/../kernel/core_pattern", "net.//.kernel", "/net/a"] {
            assert!(matches!(path(name), Err(Error::Name(_))), "{name}");
        }
        // A name of dots alone.
        assert!(matches!(path("net.//./x"), Err(Error::Name(_))));
    }

    #[test]
    fn only_parameters_of_own_namespaces() {
        for name in ["kernel.core_pattern", "vm.swappiness", "kernel.shm_next_id", "fs.file-max"] {
            assert!(matches!(path(name), Err(Error::OfTheMachine(_))), "{name}");
        }
        assert_eq!(path("kernel.hostname"), Err(Error::Hostname));
        for (name, owned) in [
            ("net.core.somaxconn", Owned { network: false, ..ALL }),
            ("kernel.msgmax", Owned { ipc: false, ..ALL }),
            ("fs.mqueue.msg_max", Owned { ipc: false, ..ALL }),
            ("kernel.domainname", Owned { uts: false, ..ALL }),
            ("user.max_user_namespaces", Owned { user: false, ..ALL }),
        ] {
            assert!(path(name).is_ok(), "{name}");
            let shared = Sysctl::parse(name, "1", owned);
            assert!(matches!(shared, Err(Error::Shared { .. })), "{name}");
        }
    }
}
