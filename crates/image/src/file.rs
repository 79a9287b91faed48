//! Small files of the administrator's: configuration, certificates, credentials.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use sys::rustix::fs::{
    AtFlags, CWD, FlockOperation, Mode, OFlags, flock, fsync, mkdirat, openat, readlinkat,
    renameat, unlinkat,
};
use sys::rustix::io::{Errno, read, write};
use sys::{Error, OrError};

/// No configuration is longer; a device or a pipe in its place must not be read for ever.
const LIMIT: usize = 16 * 1024 * 1024;

/// The content of a file, or None if there is no such file. The path is the administrator's, not
/// an image's: symbolic links are followed.
///
/// # Errors
/// It cannot be read, or is longer than 16 MiB (`EFBIG`).
pub(crate) fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match openat(CWD, path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(Error::new("openat", arguments(path), errno)),
    };
    let mut content = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match read(&file, &mut buffer).or_error("read", || arguments(path))? {
            0 => return Ok(Some(content)),
            count if content.len() + count > LIMIT => {
                return Err(Error::new("read", arguments(path), Errno::FBIG));
            }
            count => content.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The folder of a file that is to be replaced, locked until this is dropped.
pub(crate) struct Folder {
    folder: OwnedFd,
    /// The file's name in it.
    name: OsString,
}

impl Folder {
    /// Opens the folder of `path`, made if it is missing (with mode 0700), and waits for its lock.
    /// If `path` is a symbolic link, the folder is that of the file it leads to.
    pub(crate) fn lock(path: &Path) -> Result<Folder, Error> {
        let path = follow(path);
        let bad_name = || Error::new("openat", arguments(&path), Errno::INVAL);
        let name = path.file_name().ok_or_else(bad_name)?.to_owned();
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        create_all(parent)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder =
            openat(CWD, parent, flags, Mode::empty()).or_error("openat", || arguments(parent))?;
        flock(&folder, FlockOperation::LockExclusive).or_error("flock", || arguments(parent))?;
        Ok(Folder { folder, name })
    }

    /// Writes a new file (mode 0600) and puts it in the place of the old one, so that there is
    /// either the whole old or the whole new one, whatever happens.
    pub(crate) fn replace(&self, content: &[u8]) -> Result<(), Error> {
        let mut new = self.name.clone();
        new.push(".new");
        // Left by a process that was killed; the lock says that it is nobody's now.
        let _ = unlinkat(&self.folder, &new, AtFlags::empty());
        let place = || arguments(Path::new(&new));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = openat(&self.folder, &new, flags, mode).or_error("openat", place)?;
        let mut left = content;
        while !left.is_empty() {
            let count = write(&file, left).or_error("write", place)?;
            left = &left[count..];
        }
        fsync(&file).or_error("fsync", place)?;
        renameat(&self.folder, &new, &self.folder, &self.name).or_error("renameat", place)?;
        fsync(&self.folder).or_error("fsync", place)
    }
}

/// Where a chain of symbolic links ends; too long a one ends where we stop.
fn follow(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..8 {
        let Ok(target) = readlinkat(CWD, &path, Vec::new()) else { break };
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

/// Makes a folder and those above it.
fn create_all(folder: &Path) -> Result<(), Error> {
    match mkdirat(CWD, folder, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(Errno::NOENT) => {
            let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
            parent.map_or(Ok(()), create_all)?;
            mkdirat(CWD, folder, Mode::RWXU).or_error("mkdirat", || arguments(folder))
        }
        Err(errno) => Err(Error::new("mkdirat", arguments(folder), errno)),
    }
}

fn arguments(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}
