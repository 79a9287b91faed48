//! bpf(2), as far as the device filter of a v2 cgroup needs it.

#![allow(unsafe_code)]

use crate::rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const PROG_LOAD: i32 = 5;
const PROG_ATTACH: i32 = 8;
const PROG_GET_FD_BY_ID: i32 = 13;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const PROG_QUERY: i32 = 16;

/// `BPF_PROG_TYPE_CGROUP_DEVICE`, and where such a program is attached: `BPF_CGROUP_DEVICE`.
const TYPE_CGROUP_DEVICE: u32 = 15;
const AT_CGROUP_DEVICE: u32 = 6;

const ALLOW_MULTI: u32 = 1 << 1;
const REPLACE: u32 = 1 << 2;

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Class, operation and source.
    pub code: u8,
    /// Destination in the lower four bits, source in the upper.
    pub registers: u8,
    /// Of a jump from the next instruction, or of memory.
    pub offset: i16,
    /// The operand.
    pub immediate: i32,
}

/// The length of a program's name, the NUL included.
pub const NAME_LENGTH: usize = 16;

/// The part of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
#[derive(Default)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; NAME_LENGTH],
}

/// The part for `BPF_PROG_ATTACH`.
#[repr(C)]
#[derive(Default)]
struct Attach {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
    replaced: u32,
}

/// The part for `BPF_PROG_QUERY`.
#[repr(C)]
#[derive(Default)]
struct Query {
    target: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

/// The part for `BPF_PROG_GET_FD_BY_ID`.
#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

/// The part for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct InfoByDescriptor {
    descriptor: u32,
    length: u32,
    info: u64,
}

/// The beginning of `struct bpf_prog_info`, up to the name.
#[repr(C)]
#[derive(Default)]
struct Info {
    not_asked_for: [u64; 8],
    name: [u8; NAME_LENGTH],
}

/// `int bpf(int cmd, union bpf_attr *attr, unsigned int size)`, bpf(2), Linux 3.18.
///
/// # Safety
/// `attributes` must be the part of the union that belongs to `command`, and each address in it
/// must point to as much memory as the kernel reads or writes there.
unsafe fn bpf<Attributes>(command: i32, attributes: &mut Attributes) -> Result<i32, Errno> {
    let size = size_of::<Attributes>();
    // SAFETY: `attributes` is of the size that is passed and lives across the call; the rest is
    // promised by the caller.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size) };
    i32::try_from(result).ok().filter(|result| *result >= 0).ok_or_else(last_error)
}

/// Loads a program that decides on access to devices (`BPF_PROG_LOAD`). Linux 4.15.
///
/// # Errors
/// EINVAL and EACCES when the verifier refuses it, E2BIG when it is too long, EPERM without
/// CAP_BPF, or before Linux 5.11 above RLIMIT_MEMLOCK.
pub fn load_device_filter(name: &CStr, program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let mut load = Load {
        program_type: TYPE_CGROUP_DEVICE,
        instruction_count: u32::try_from(program.len()).map_err(|_| Errno::TOOBIG)?,
        instructions: program.as_ptr().expose_provenance() as u64,
        license: c"Dual MIT/GPL".as_ptr().expose_provenance() as u64,
        ..Load::default()
    };
    let bytes = name.to_bytes();
    load.name.get_mut(..bytes.len()).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(bytes);
    if load.name[NAME_LENGTH - 1] != 0 {
        return Err(Errno::NAMETOOLONG);
    }
    // SAFETY: `instructions` points to `instruction_count` instructions, `license` to a C string;
    // both outlive the call, and the kernel writes to neither. No log is asked for.
    let program = unsafe { bpf(PROG_LOAD, &mut load)? };
    // SAFETY: the kernel has made a new descriptor, ours alone.
    Ok(unsafe { OwnedFd::from_raw_fd(program) })
}

/// Has a program decide for a cgroup and those below, besides others that do (`BPF_PROG_ATTACH`
/// with `BPF_F_ALLOW_MULTI`); in place of `replaced` at one stroke (`BPF_F_REPLACE`, Linux 5.6).
///
/// # Errors
/// EPERM without CAP_NET_ADMIN or when a group above forbids it, ENOENT when `replaced` is not
/// attached there.
pub fn attach_device_filter(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    replaced: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let mut attach = Attach {
        target: cgroup.as_raw_fd().cast_unsigned(),
        program: program.as_raw_fd().cast_unsigned(),
        attach_type: AT_CGROUP_DEVICE,
        flags: ALLOW_MULTI,
        replaced: 0,
    };
    if let Some(replaced) = replaced {
        attach.flags |= REPLACE;
        attach.replaced = replaced.as_raw_fd().cast_unsigned();
    }
    // SAFETY: there is no address in it.
    unsafe { bpf(PROG_ATTACH, &mut attach).map(drop) }
}

/// The ids of the programs that are attached to a cgroup itself and decide on devices
/// (`BPF_PROG_QUERY`). Linux 4.15.
///
/// # Errors
/// EPERM without CAP_NET_ADMIN.
pub fn device_filters(cgroup: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    // The kernel takes no more than 64 programs.
    let mut ids = [0_u32; 64];
    let mut query = Query {
        target: cgroup.as_raw_fd().cast_unsigned(),
        attach_type: AT_CGROUP_DEVICE,
        ids: ids.as_mut_ptr().expose_provenance() as u64,
        count: 64,
        ..Query::default()
    };
    // SAFETY: `ids` has room for `count` numbers and outlives the call.
    unsafe { bpf(PROG_QUERY, &mut query)? };
    let count = usize::try_from(query.count).unwrap_or(ids.len()).min(ids.len());
    Ok(ids[..count].to_vec())
}

/// The program with an id (`BPF_PROG_GET_FD_BY_ID`). Linux 4.13.
///
/// # Errors
/// ENOENT when it is gone, EPERM without CAP_SYS_ADMIN.
pub fn program_by_id(id: u32) -> Result<OwnedFd, Errno> {
    let mut by_id = ById { id, ..ById::default() };
    // SAFETY: there is no address in it.
    let program = unsafe { bpf(PROG_GET_FD_BY_ID, &mut by_id)? };
    // SAFETY: the kernel has made a new descriptor, ours alone.
    Ok(unsafe { OwnedFd::from_raw_fd(program) })
}

/// A program's name, filled up with NULs (`BPF_OBJ_GET_INFO_BY_FD`). Linux 4.15.
///
/// # Errors
/// EINVAL when it is no program.
pub fn program_name(program: BorrowedFd<'_>) -> Result<[u8; NAME_LENGTH], Errno> {
    let mut info = Info::default();
    let mut by_descriptor = InfoByDescriptor {
        descriptor: program.as_raw_fd().cast_unsigned(),
        length: size_of::<Info>() as u32,
        info: (&raw mut info).expose_provenance() as u64,
    };
    // SAFETY: the kernel writes no more than `length` bytes to `info`, which outlives the call.
    // What it reads there first are addresses and sizes of further buffers, all zero.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut by_descriptor)? };
    Ok(info.name)
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
