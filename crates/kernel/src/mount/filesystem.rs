//! New file systems.

use super::{Attributes, FileSystem};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{Mode, OFlags, XattrFlags, fsetxattr, openat};
use sys::rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, mount,
};

/// `MS_SYNCHRONOUS`, `MS_DIRSYNC`, `MS_MANDLOCK`, `MS_LAZYTIME`: the flags of a file system that
/// fsconfig(2) takes, by name.
const NAMED_FLAGS: [(MountFlags, &CStr); 4] = [
    (MountFlags::SYNCHRONOUS, c"sync"),
    (MountFlags::DIRSYNC, c"dirsync"),
    (MountFlags::PERMIT_MANDATORY_FILE_LOCKING, c"mand"),
    (MountFlags::LAZYTIME, c"lazytime"),
];

/// Mounts on a name in the current folder, or with `.` on that itself.
///
/// mount(2) on a path relative to the current folder is as safe as a descriptor, and one call
/// where a detached mount takes four and one for each option.
pub(super) fn mount_here(
    file_system: &FileSystem,
    attributes: Attributes,
    name: &CStr,
    extra_data: &str,
) -> Result<(), sys::Error> {
    let FileSystem { kind, device, flags, data, .. } = file_system;
    let flags = flags.mount_flags() | attributes.mount_flags();
    let joined;
    let data = if extra_data.is_empty() {
        data.as_c_str()
    } else {
        joined = join(extra_data, data);
        joined.as_c_str()
    };
    mount(device.as_c_str(), name, kind.as_c_str(), flags, Some(data))
        .or_error("mount", || format!("{device:?}, {name:?}, {kind:?}, {flags:?}, {data:?}"))
}

/// What the user says comes last, and wins.
fn join(first: &str, data: &CStr) -> std::ffi::CString {
    let mut joined = first.as_bytes().to_vec();
    if !data.is_empty() {
        joined.push(b',');
        joined.extend_from_slice(data.to_bytes());
    }
    std::ffi::CString::new(joined).unwrap_or_else(|_| data.to_owned())
}

/// A file system that is mounted nowhere yet.
pub(super) struct Detached {
    /// Its root.
    pub(super) folder: OwnedFd,
    /// That of fsopen(2), which is of no use any more, and left open if that is cheaper.
    pub(super) context: OwnedFd,
}

/// Makes a file system that is mounted nowhere yet.
pub(super) fn detached(
    file_system: &FileSystem,
    attributes: Attributes,
    extra_data: &str,
) -> Result<Detached, sys::Error> {
    let FileSystem { kind, device, flags, data, .. } = file_system;
    let context = fsopen(kind.as_c_str(), FsOpenFlags::FSOPEN_CLOEXEC)
        .or_error("fsopen", || format!("{kind:?}"))?;
    if !device.is_empty() {
        set(context.as_fd(), b"source", Some(device.to_bytes()))?;
    }
    for (flag, name) in NAMED_FLAGS {
        if flags.mount_flags().contains(flag) {
            set(context.as_fd(), name.to_bytes(), None)?;
        }
    }
    for option in options(extra_data.as_bytes()).chain(options(data.to_bytes())) {
        let mut halves = option.splitn(2, |byte| *byte == b'=');
        match (halves.next(), halves.next()) {
            (Some(b"") | None, _) => {}
            (Some(key), value) => set(context.as_fd(), key, value)?,
        }
    }
    fsconfig_create(&context).or_error("fsconfig", || format!("{kind:?}, FSCONFIG_CMD_CREATE"))?;
    let attributes = u32::try_from(attributes.set).unwrap_or_default();
    let attributes = MountAttrFlags::from_bits_retain(attributes);
    let folder = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
        .or_error("fsmount", || format!("{kind:?}, {attributes:?}"))?;
    Ok(Detached { folder, context })
}

/// Gives the root of a detached mount a SELinux label.
pub(super) fn label(folder: BorrowedFd<'_>, label: &CStr) -> Result<(), sys::Error> {
    // The descriptor of fsmount(2) is an O_PATH one, through which nothing can be set.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder =
        openat(folder, c".", flags, Mode::empty()).or_error("openat", || "\".\"".to_owned())?;
    fsetxattr(&folder, c"security.selinux", label.to_bytes(), XattrFlags::empty())
        .or_error("fsetxattr", || format!("security.selinux, {label:?}"))
}

/// The options of a file system, separated by commas that are not quoted: a SELinux label has
/// commas in it.
fn options(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    data.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b',' && !quoted
    })
}

fn set(context: BorrowedFd<'_>, key: &[u8], value: Option<&[u8]>) -> Result<(), sys::Error> {
    match value {
        None => fsconfig_set_flag(context, key),
        Some(value) => fsconfig_set_string(context, key, unquoted(value)),
    }
    .or_error("fsconfig", || {
        let (key, value) =
            (String::from_utf8_lossy(key), String::from_utf8_lossy(value.unwrap_or_default()));
        format!("{key:?}, {value:?}")
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::{join, options, unquoted};

    #[test]
    fn commas_in_quotes_separate_nothing() {
        let data = b"mode=755,context=\"u:r:t:s0:c1,c2\",size=1";
        let found: Vec<_> = options(data).map(String::from_utf8_lossy).collect();
        assert_eq!(found, ["mode=755", "context=\"u:r:t:s0:c1,c2\"", "size=1"]);
        assert_eq!(unquoted(b"\"a,b\""), b"a,b");
        assert_eq!(unquoted(b"a"), b"a");
    }

    #[test]
    fn what_the_user_says_comes_last() {
        assert_eq!(join("mode=0755", c"mode=700").as_c_str(), c"mode=0755,mode=700");
        assert_eq!(join("mode=0755", c"").as_c_str(), c"mode=0755");
    }
}
