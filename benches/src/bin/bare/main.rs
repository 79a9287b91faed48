//! `bench-bare VERSION ROOTFS GROUP...`: the system calls that the default configuration of
//! `runc spec` asks for, and nothing else. It is the floor of `cargo xtask bench runtime`.
//!
//! It knows in advance what a runtime has to find out: it reads no configuration, looks for no
//! cgroup mounts, keeps no state, checks no path, and has one answer to every failure. It is C in
//! Rust's clothes on purpose: nothing of the standard library runs, not even its start. VERSION
//! is that of the cgroups, 1 or 2; each GROUP is a folder to be made, joined and removed.

#![no_main]
#![allow(unsafe_code, reason = "the floor is made of system calls alone")]

mod child;
mod device_rules;

use core::ffi::{CStr, c_char, c_int, c_long};
use core::mem::size_of;
use core::ptr::null;

use libc::{O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY, O_WRONLY};

/// What the command line says.
struct Plan<'a> {
    version: u8,
    rootfs: &'a CStr,
    /// Pointers to C strings that live as long as the process.
    groups: &'a [*const c_char],
}

/// `struct clone_args` of `linux/sched.h`.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Entered by the C library's start code.
///
/// # Safety
/// `words` holds `count` C strings that live as long as the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    // SAFETY: upheld by the start code.
    let words = unsafe { core::slice::from_raw_parts(words, usize::try_from(count).unwrap_or(0)) };
    let [_, version, rootfs, groups @ ..] = words else { fail("usage: VERSION ROOTFS GROUP...") };
    // SAFETY: as above.
    let (version, rootfs) = unsafe { (CStr::from_ptr(*version), CStr::from_ptr(*rootfs)) };
    let version = if version == c"2" { 2 } else { 1 };
    run(&Plan { version, rootfs, groups })
}

/// From the groups to their removal.
fn run(plan: &Plan) -> c_int {
    // SAFETY: only changes this process's own attribute.
    unsafe { libc::umask(0) };
    let mut v2 = -1;
    for group in plan.groups.iter().map(text) {
        // SAFETY: a C string.
        check("mkdir", unsafe { libc::mkdir(group.as_ptr(), 0o755) });
        if plan.version == 2 {
            // SAFETY: a C string.
            v2 = unsafe { libc::open(group.as_ptr(), O_PATH | O_DIRECTORY | O_CLOEXEC) };
            check("open", v2);
            device_rules::attach(group);
        }
    }
    if plan.version == 1 {
        device_rules::write(plan.groups);
        copy_cpuset(plan.groups);
    }
    let pid = clone(v2);
    if pid == 0 {
        child::run(plan);
    }
    let mut status = 0;
    // SAFETY: a live local.
    check("waitpid", unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) });
    for group in plan.groups.iter().map(text) {
        // SAFETY: a C string.
        check("rmdir", unsafe { libc::rmdir(group.as_ptr()) });
    }
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 }
}

/// The child in its namespaces; on cgroup v2 also in its group.
fn clone(group: c_int) -> c_int {
    /// `CLONE_INTO_CGROUP` of `linux/sched.h`.
    const INTO_CGROUP: u64 = 0x2_0000_0000;
    const NAMESPACES: c_int = libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWNS;
    let mut arguments = CloneArguments {
        flags: u64::from(NAMESPACES.cast_unsigned()),
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArguments::default()
    };
    if group >= 0 {
        arguments.flags |= INTO_CGROUP;
        arguments.cgroup = u64::from(group.cast_unsigned());
    }
    let size = size_of::<CloneArguments>();
    // SAFETY: without a stack of its own the child goes on with a copy of this one; there is no
    // other thread whose locks it could miss.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size) };
    check("clone3", pid as c_int)
}

/// Nobody can join a cpuset of version 1 before it has processors and memory.
fn copy_cpuset(groups: &[*const c_char]) {
    let is_cpuset = |group: &&CStr| has_prefix(group, b"/sys/fs/cgroup/cpuset/");
    let Some(group) = groups.iter().map(text).find(is_cpuset) else { return };
    for name in [c"cpuset.cpus", c"cpuset.mems"] {
        let mut value = [0; 256];
        let from = open_in(group, &[b"/../", name.to_bytes()], O_RDONLY);
        // SAFETY: `value` has that many bytes.
        let length = unsafe { libc::read(from, value.as_mut_ptr().cast(), value.len()) };
        check("read", length as c_int);
        let to = open_in(group, &[b"/", name.to_bytes()], O_WRONLY);
        // SAFETY: as many bytes as were read.
        check("write", unsafe { libc::write(to, value.as_ptr().cast(), length as usize) } as c_int);
        // SAFETY: both were opened here and are used no more.
        unsafe { (libc::close(from), libc::close(to)) };
    }
}

/// Opens `folder` with `parts` after it.
fn open_in(folder: &CStr, parts: &[&[u8]], flags: c_int) -> c_int {
    let mut path = [0_u8; 512];
    let mut length = 0;
    for part in [folder.to_bytes()].iter().chain(parts) {
        path[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    }
    // SAFETY: zeroes follow what was copied.
    check("open", unsafe { libc::open(path.as_ptr().cast(), flags | O_CLOEXEC) })
}

/// Writes a value to a file of a group.
fn write_in(group: &CStr, file: &[u8], value: &[u8]) {
    let to = open_in(group, &[b"/", file], O_WRONLY);
    // SAFETY: `value` is a live slice.
    check("write", unsafe { libc::write(to, value.as_ptr().cast(), value.len()) } as c_int);
    // SAFETY: opened above and used no more.
    unsafe { libc::close(to) };
}

fn text(word: &*const c_char) -> &CStr {
    // SAFETY: words of the command line are C strings.
    unsafe { CStr::from_ptr(*word) }
}

fn has_prefix(text: &CStr, prefix: &[u8]) -> bool {
    text.to_bytes().starts_with(prefix)
}

/// Mounts; a missing string is a null pointer.
fn mount(source: Option<&CStr>, target: &CStr, kind: Option<&CStr>, flags: u64, data: &CStr) {
    check("mount", try_mount(source, target, kind, flags, data));
}

fn try_mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: u64,
    data: &CStr,
) -> c_int {
    let pointer = |text: Option<&CStr>| text.map_or(null(), CStr::as_ptr);
    let (source, kind) = (pointer(source), pointer(kind));
    // SAFETY: C strings, or null where the kernel takes it.
    unsafe { libc::mount(source, target.as_ptr(), kind, flags, data.as_ptr().cast()) }
}

/// Ends the process when a call has failed.
fn check(what: &str, result: c_int) -> c_int {
    if result < 0 {
        fail(what)
    }
    result
}

/// The same for the calls that the C library has no function for.
fn check_call(what: &str, result: c_long) -> c_int {
    check(what, result as c_int)
}

fn fail(what: &str) -> ! {
    // SAFETY: C strings and a live slice; `_exit` does not return.
    unsafe {
        libc::write(2, what.as_ptr().cast(), what.len());
        libc::perror(c" failed".as_ptr());
        libc::_exit(125)
    }
}
