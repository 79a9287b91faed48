//! The machine's procfs and sysfs, where its mounts stay below the container's root.
//!
//! The kernel lets a user namespace mount a new procfs or sysfs only where it sees a whole one
//! already. One that is out of sight counts as well: without it, a program could not get around
//! what is masked in its own.

use super::{Error, Propagation, Step};
use crate::path::read_at;
use std::ffi::CString;
use std::path::Path;
use sys::OrError;
use sys::rustix::fs::CWD;
use sys::rustix::io::Errno;
use sys::rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// No machine has so many mounts.
const MAX_MOUNTINFO: usize = 64 << 20;

/// Where the calling process sees a whole procfs or sysfs, but for those below a folder. The last
/// one comes first, so that none is below another one that was taken away before.
///
/// # Errors
/// Those of reading `/proc/self/mountinfo`.
pub fn whole_proc_and_sys(except: &Path) -> Result<Vec<CString>, sys::Error> {
    let mounts = read_at(CWD, c"/proc/self/mountinfo", MAX_MOUNTINFO)?;
    Ok(find(&mounts, except))
}

fn find(mountinfo: &[u8], except: &Path) -> Vec<CString> {
    use std::os::unix::ffi::OsStrExt as _;
    let lines = mountinfo.split(|byte| *byte == b'\n').rev();
    let places = lines.filter_map(whole);
    places
        .filter(|place| !Path::new(std::ffi::OsStr::from_bytes(place)).starts_with(except))
        .filter_map(|place| CString::new(place).ok())
        .collect()
}

/// The mount point, if it is one of them; proc_pid_mountinfo(5).
fn whole(line: &[u8]) -> Option<Vec<u8>> {
    let mut words = line.split(|byte| *byte == b' ');
    let (root, place) = (words.nth(3)?, words.next()?);
    let kind = words.skip_while(|word| *word != b"-").nth(1)?;
    (root == b"/" && matches!(kind, b"proc" | b"sysfs")).then(|| unescaped(place))
}

/// Blanks, tabulators, line ends and backslashes are written as octal numbers.
fn unescaped(mut text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    while let Some((first, rest)) = text.split_first() {
        let octal = rest.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|it| u8::from_str_radix(str::from_utf8(it).ok()?, 8).ok());
        plain.push(octal.unwrap_or(*first));
        text = if octal.is_some() { &rest[3..] } else { rest };
    }
    plain
}

/// Unmounts what is at a path of the machine, in this mount namespace alone, or covers it.
pub(super) fn take_away(place: &CString) -> Result<(), Error> {
    let shown = place.to_string_lossy();
    let failed = Error::at(Step::Mask, &shown);
    let slave = Propagation { recursive: true, ..Propagation::DEFAULT };
    let mut unmounted = false;
    loop {
        match slave.apply_to_path(place) {
            Ok(()) => {}
            // No mount any more, or covered by another one.
            Err(error) if matches!(error.errno, Errno::INVAL | Errno::NOENT) => return Ok(()),
            Err(error) => return Err(failed(error)),
        }
        match unmount(place.as_c_str(), UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => unmounted = true,
            // Locked, in a user namespace.
            Err(Errno::INVAL | Errno::PERM) if !unmounted => {
                let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
                return mount(c"tmpfs", place.as_c_str(), c"tmpfs", flags, None)
                    .or_error("mount", || format!("{place:?}, tmpfs"))
                    .map_err(failed);
            }
            result => result.or_error("umount2", || format!("{place:?}")).map_err(&failed)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{find, unescaped};
    use std::path::Path;

    #[test]
    fn whole_ones_are_found_from_the_last_to_the_first() {
        let mounts = b"\
            22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            23 22 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n\
            24 22 0:22 / /proc rw shared:13 master:1 - proc proc rw\n\
            25 24 0:22 /sys /some/where ro - proc proc rw\n\
            26 22 0:23 / /run/root/proc rw - proc proc rw\n\
            27 22 0:24 / /a\\040b rw - proc proc rw\n\
            nonsense\n";
        let found = find(mounts, Path::new("/run/root"));
        assert_eq!(found, [c"/a b".to_owned(), c"/proc".to_owned(), c"/sys".to_owned()]);
    }

    #[test]
    fn what_is_no_octal_number_stays() {
        assert_eq!(unescaped(br"a\011b\\04"), b"a\tb\\\\04");
    }
}
