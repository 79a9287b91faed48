//! Keeping the runtime's own file out of the container's reach (CVE-2019-5736).
//!
//! The process that becomes the container's is, until its execve, one of the runtime's program.
//! A container can make the kernel execute that file once more (`#!/proc/self/exe`), and what
//! `/proc/PID/exe` leads to can be opened for writing once nobody runs it. So the program that
//! runs must not be a file that can be written through that link: it executes itself again from a
//! mount of its file alone, which is read-only and in no mount namespace, so nobody can change
//! that. Where no mount can be made and the file could be written, it is copied to sealed memory.

use crate::error::{Error, Result};
use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use sys::OrError;
use sys::mount::{Change, MOUNT_ATTR_RDONLY, mount_setattr};
use sys::process::{Words, execve_descriptor};
use sys::rustix::fs::{
    Access, AtFlags, CWD, FsWord, MemfdFlags, Mode, OFlags, SealFlags, StatxAttributes, StatxFlags,
    accessat, fcntl_add_seals, fcntl_get_seals, memfd_create, openat, sendfile, statfs, statx,
};
use sys::rustix::io::Errno;
use sys::rustix::mount::{OpenTreeFlags, open_tree};

const OWN_FILE: &str = "/proc/self/exe";

/// `ST_RDONLY`, statfs(2).
const READ_ONLY: FsWord = 1;

/// From `linux/magic.h`: memfd_create(2) makes its files there as well.
const TMPFS_MAGIC: FsWord = 0x0102_1994;

/// How often it is tried to seal a copy.
const SEALING_TRIES: u32 = 20;

/// Makes sure that no container can ever write the file of the running program. It may execute the
/// program again, with the same arguments and environment, which the caller gives since a library
/// does not look at them itself; so it belongs at the very start.
///
/// # Errors
/// `/proc` is not mounted, or neither a mount nor memory for a copy can be had.
pub fn protect_executable(
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
) -> Result<()> {
    if is_out_of_reach()? {
        return Ok(());
    }
    let Some(program) = out_of_reach()? else { return Ok(()) };
    let variables = environment.into_iter().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        name
    });
    let words = |list: &mut dyn Iterator<Item = OsString>| {
        let strings =
            list.map(|word| CString::new(word.into_vec())).collect::<std::result::Result<_, _>>();
        strings.map(Words::new).map_err(|_| Error::Internal("a NUL in an argument"))
    };
    let arguments = words(&mut arguments.into_iter())?;
    let environment = words(&mut variables.into_iter())?;
    let Err(errno) = execve_descriptor(program.as_fd(), &arguments, &environment);
    Err(sys::Error::new("execveat", "our own program", errno).into())
}

/// The running program as a file that no container can ever write, to be executed by whoever
/// starts one: `/proc/self/fd/N` is its path.
///
/// # Errors
/// As [`protect_executable`].
pub fn protected_executable() -> Result<OwnedFd> {
    let own = || {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        openat(CWD, OWN_FILE, flags, Mode::empty()).or_error("openat", || OWN_FILE)
    };
    Ok(match out_of_reach()? {
        Some(program) => program,
        None => own()?,
    })
}

/// The program in a place where it cannot be written; none if it cannot be where it is.
fn out_of_reach() -> Result<Option<OwnedFd>> {
    match read_only_mount() {
        Ok(program) => Ok(Some(program)),
        Err(_) if !can_be_written() => Ok(None),
        Err(_) => sealed_copy().map(Some),
    }
}

fn is_out_of_reach() -> Result<bool> {
    let system = statfs(OWN_FILE).or_error("statfs", || OWN_FILE)?;
    if system.f_flags & READ_ONLY != 0 {
        // Read-only alone is not enough: an ordinary mount may be made writable some day. A file
        // that is the root of its mount is our doing.
        let status = statx(CWD, OWN_FILE, AtFlags::empty(), StatxFlags::empty())
            .or_error("statx", || OWN_FILE)?;
        return Ok(status.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    }
    // Only files in memory have seals.
    if system.f_type != TMPFS_MAGIC {
        return Ok(false);
    }
    let Ok(readable) = openat(CWD, OWN_FILE, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    else {
        return Ok(false);
    };
    Ok(fcntl_get_seals(&readable).is_ok_and(|seals| seals.contains(SealFlags::WRITE)))
}

fn read_only_mount() -> std::result::Result<OwnedFd, sys::Error> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let program = open_tree(CWD, OWN_FILE, flags).or_error("open_tree", || OWN_FILE)?;
    let read_only = Change { set: MOUNT_ATTR_RDONLY, ..Change::default() };
    mount_setattr(program.as_fd(), c"", false, &read_only)
        .or_error("mount_setattr", || OWN_FILE)?;
    Ok(program)
}

/// Whether this user, and so a container of his, could write it: not when it is root's, and he is
/// not. (Root could, but root can make the mount.)
fn can_be_written() -> bool {
    let own_user = sys::rustix::process::geteuid();
    let owner = sys::rustix::fs::stat(OWN_FILE).map(|it| it.st_uid);
    owner != Ok(0) && owner == Ok(own_user.as_raw())
        || own_user.is_root()
        || accessat(CWD, OWN_FILE, Access::WRITE_OK, AtFlags::EACCESS) != Err(Errno::ACCESS)
}

fn sealed_copy() -> Result<OwnedFd> {
    let name = c"tinyort";
    // MFD_EXEC is wanted where the administrator has turned it around (vm.memfd_noexec, Linux
    // 6.3), and unknown to older kernels.
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let copy = memfd_create(name, flags | MemfdFlags::EXEC)
        .or_else(|_| memfd_create(name, flags))
        .or_error("memfd_create", || "our own program")?;
    let own = openat(CWD, OWN_FILE, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .or_error("openat", || OWN_FILE)?;
    while sendfile(&copy, &own, None, 1 << 30).or_error("sendfile", || "our own program")? > 0 {}
    seal(&copy)?;
    Ok(copy)
}

/// Nobody writes it any more. The kernel refuses that as long as somebody refers to one of its pages,
/// who might write there, and waits 150 ms for that to end. But it refers to them itself, and for
/// longer where much is to be done: from the lists of each processor, and while it moves them in memory.
fn seal(copy: &OwnedFd) -> Result<()> {
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    for _ in 0..SEALING_TRIES {
        match fcntl_add_seals(copy, seals) {
            Err(Errno::BUSY) => {}
            sealed => return Ok(sealed.or_error("fcntl", || "F_ADD_SEALS")?),
        }
    }
    Ok(Err(Errno::BUSY).or_error("fcntl", || "F_ADD_SEALS")?)
}

#[cfg(test)]
mod tests {
    use super::seal;
    use std::time::Duration;
    use sys::rustix::fs::{MemfdFlags, SealFlags, fcntl_get_seals, memfd_create};
    use sys::rustix::io::write;
    use sys::rustix::pipe::{SpliceFlags, pipe, splice};

    /// A command failed once in a thousand times beside others that took all processors.
    #[test]
    fn a_page_that_is_in_use_for_a_while_is_waited_for() {
        let copy = memfd_create(c"trial", MemfdFlags::ALLOW_SEALING).unwrap();
        write(&copy, &[7; 4096]).unwrap();
        let (read_end, write_end) = pipe().unwrap();
        let mut begin = 0;
        let moved =
            splice(&copy, Some(&mut begin), &write_end, None, 4096, SpliceFlags::empty()).unwrap();
        assert_eq!(moved, 4096);
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(400));
            drop((read_end, write_end));
        });
        seal(&copy).unwrap();
        other.join().unwrap();
        assert!(fcntl_get_seals(&copy).unwrap().contains(SealFlags::WRITE));
    }
}
