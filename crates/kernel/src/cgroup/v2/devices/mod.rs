//! Which devices a group of v2 may use: a small program that the kernel asks at each `open` and
//! `mknod`.

#[cfg(any(test, fuzzing))]
pub(in super::super) mod interpreter;
pub(in super::super) mod program;

use std::ffi::CStr;

use sys::bpf::{self, Instruction};
use sys::rustix::io::Errno;
use sys::rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sys::{Error, OrError as _};

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use super::super::devices;
use super::super::resources::DeviceRule;

/// By which a later update finds the program among those of others, such as systemd's.
const NAME: &CStr = c"tinyo_devices";

/// Sets the list of a group, at one stroke if it has one.
pub(super) fn apply(cgroup: BorrowedFd<'_>, rules: &[DeviceRule]) -> Result<(), Error> {
    let program = load(&program::compile(&devices::complete(rules)))?;
    let old = find_own(cgroup)?;
    bpf::attach_device_filter(cgroup, program.as_fd(), old.as_ref().map(OwnedFd::as_fd))
        .or_error("bpf", || "BPF_PROG_ATTACH, BPF_CGROUP_DEVICE")
}

fn find_own(cgroup: BorrowedFd<'_>) -> Result<Option<OwnedFd>, Error> {
    let ids = bpf::device_filters(cgroup).or_error("bpf", || "BPF_PROG_QUERY")?;
    for id in ids {
        let program =
            bpf::program_by_id(id).or_error("bpf", || format!("BPF_PROG_GET_FD_BY_ID, {id}"))?;
        let name =
            bpf::program_name(program.as_fd()).or_error("bpf", || "BPF_OBJ_GET_INFO_BY_FD")?;
        if CStr::from_bytes_until_nul(&name) == Ok(NAME) {
            return Ok(Some(program));
        }
    }
    Ok(None)
}

/// Before Linux 5.11 programs count as locked memory, of which root too may have only little.
fn load(program: &[Instruction]) -> Result<OwnedFd, Error> {
    let mut loaded = bpf::load_device_filter(NAME, program);
    if loaded.as_ref().is_err_and(|errno| *errno == Errno::PERM) {
        let old = getrlimit(Resource::Memlock);
        if setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None }).is_ok() {
            loaded = bpf::load_device_filter(NAME, program);
            setrlimit(Resource::Memlock, old).or_error("setrlimit", || "RLIMIT_MEMLOCK")?;
        }
    }
    loaded.or_error("bpf", || format!("BPF_PROG_LOAD, {} instructions", program.len()))
}
