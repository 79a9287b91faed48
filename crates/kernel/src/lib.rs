//! What containers are made of, one folder for each concern of the kernel.
//!
//! The folders never use each other, `path` excepted; only the runtime's parent and child put
//! them together. Nothing here knows an OCI type, parses a configuration, prints or exits.

#![forbid(unsafe_code)]

pub mod cgroup;
pub mod credentials;
pub mod device;
pub mod helper;
pub mod label;
pub mod landlock;
pub mod lock;
pub mod mount;
pub mod namespace;
pub mod netdev;
pub mod path;
pub mod resctrl;
pub mod seccomp;
pub mod sysctl;
