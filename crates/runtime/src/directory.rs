//! The folder that holds what the runtime must remember of a container: `ROOT/ID`.
//!
//! ```text
//! state.jsonl   the configuration as it was when the container was made, and records of the
//!               container, a line each; the last whole line counts
//! start.sock    where `start` meets the child; gone once it has executed its program
//! notify        a folder in which the program finds the service manager, if there is one
//! ```
//!
//! Whoever makes or removes a container holds a lock on the folder, which the kernel gives back
//! when that process dies.

use crate::error::{Error, Result};
use crate::file;
use crate::id::ContainerId;
use crate::readiness;
use crate::record::Record;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys::OrError;
use sys::rustix::fs::{
    AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, chmodat, flock, fstat, mkdirat, openat,
    unlinkat,
};
use sys::rustix::io::Errno;
use sys::rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use sys::rustix::process::geteuid;

/// The name of the socket on which the child of a `create` waits.
const START_SOCKET: &str = "start.sock";
/// The folder for [`crate::readiness`].
const NOTIFY: &str = "notify";
const RECORDS: &str = "state.jsonl";

/// The largest configuration that is read: far more than any caller writes.
pub(crate) const MAX_CONFIGURATION: usize = 16 << 20;
/// With its records.
const MAX_RECORDS: usize = 2 * MAX_CONFIGURATION;
/// What is answered instead of records by something that we have not made: a link, a folder, a pipe,
/// a file of any size.
const NOT_OURS: [Errno; 4] = [Errno::LOOP, Errno::ISDIR, Errno::AGAIN, Errno::FBIG];

/// A container's folder.
#[derive(Debug)]
pub(crate) struct Directory {
    root: OwnedFd,
    id: ContainerId,
    folder: OwnedFd,
    /// The file of records, for who makes the container.
    records: Option<OwnedFd>,
}

impl Directory {
    /// Makes it, and locks it: the id is ours.
    pub(crate) fn claim(root_path: &Path, id: &ContainerId) -> Result<Directory> {
        let root = open_root(root_path, true)?;
        match mkdirat(&root, id.as_ref(), Mode::from_raw_mode(0o700)) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(Error::Exists(id.clone())),
            Err(errno) => {
                let error = sys::Error::new("mkdirat", format!("{:?}", id.as_str()), errno);
                return Err(Error::File { what: "state folder", path: root_path.into(), error });
            }
        }
        let folder = file::open(&root, id, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW)?;
        let directory = Directory { root, id: id.clone(), folder, records: None };
        directory.lock()?;
        Ok(directory)
    }

    /// Opens that of a container that exists.
    pub(crate) fn open(root_path: &Path, id: &ContainerId) -> Result<Directory> {
        let absent = || Error::NotFound(id.clone());
        let root = match open_root(root_path, false) {
            Err(Error::File { error, .. }) if error.errno == Errno::NOENT => return Err(absent()),
            result => result?,
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        match file::open(&root, id, flags) {
            Ok(folder) => Ok(Directory { root, id: id.clone(), folder, records: None }),
            Err(error) if error.errno == Errno::NOENT => Err(absent()),
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses that of another user. Root would run his hooks, and signal what he says it is.
    pub(crate) fn expect_own(&self) -> Result<()> {
        let owner = fstat(&self.folder).or_error("fstat", || self.id.to_string())?.st_uid;
        if owner == geteuid().as_raw() {
            return Ok(());
        }
        Err(Error::Foreign { id: self.id.clone(), owner })
    }

    pub(crate) fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Waits until nobody else makes or removes this container.
    pub(crate) fn lock(&self) -> Result<()> {
        loop {
            match flock(&self.folder, FlockOperation::LockExclusive) {
                Err(Errno::INTR) => {}
                result => return Ok(result.or_error("flock", || self.id.to_string())?),
            }
        }
    }

    /// Locks it if nobody else has; false if somebody has.
    pub(crate) fn try_lock(&self) -> Result<bool> {
        match flock(&self.folder, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Ok(false),
            result => Ok(result.or_error("flock", || self.id.to_string()).map(|()| true)?),
        }
    }

    /// What is known of the container; `None` while, or when, its creator was stopped before it
    /// had written anything.
    pub(crate) fn record(&self) -> Result<Option<Record>> {
        let lines = match file::read_own(&self.folder, RECORDS, MAX_RECORDS) {
            Ok(lines) => lines,
            Err(error) if error.errno == Errno::NOENT => return Ok(None),
            // Not what we have written.
            Err(error) if NOT_OURS.contains(&error.errno) => {
                return Err(Error::Damaged { id: self.id.clone(), reason: error.to_string() });
            }
            Err(error) => return Err(error.into()),
        };
        let Some(last) = last_record(&lines) else { return Ok(None) };
        serde_json::from_slice(last)
            .map(Some)
            .map_err(|error| Error::Damaged { id: self.id.clone(), reason: error.to_string() })
    }

    /// Writes down what the container is made from, and the first record.
    pub(crate) fn begin_records(&mut self, configuration: &[u8], record: &Record) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let records = file::open(&self.folder, RECORDS, flags)?;
        /// Most records are shorter.
        const RECORD: usize = 1024;
        let mut lines = Vec::with_capacity(configuration.len() + RECORD);
        lines.extend_from_slice(configuration);
        // What managers write is on one line: then each byte is not looked at alone.
        if lines.contains(&b'\n') || lines.contains(&b'\r') {
            let ends = lines.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r'));
            ends.for_each(|byte| *byte = b' ');
        }
        lines.push(b'\n');
        lines.extend(record_line(record)?);
        file::write_all(&records, &lines)?;
        self.records = Some(records);
        Ok(())
    }

    /// Writes another record, which counts from now on.
    pub(crate) fn write_record(&self, record: &Record) -> Result<()> {
        let line = record_line(record)?;
        if let Some(records) = &self.records {
            return Ok(file::write_all(records, &line)?);
        }
        // Somebody else's file may end with half a line.
        let mut lines = self.configuration()?;
        lines.push(b'\n');
        lines.extend(line);
        Ok(file::replace(&self.folder, Path::new(RECORDS), &lines)?)
    }

    /// The configuration that the container was made from, on one line.
    pub(crate) fn configuration(&self) -> Result<Vec<u8>> {
        let mut lines = match file::read_own(&self.folder, RECORDS, MAX_RECORDS) {
            // It has just been removed.
            Err(error) if error.errno == Errno::NOENT => {
                return Err(Error::NotFound(self.id.clone()));
            }
            lines => lines?,
        };
        // Whose creator has not come that far, as its record.
        let end = lines.iter().position(|byte| *byte == b'\n');
        lines.truncate(end.ok_or_else(|| Error::NotFound(self.id.clone()))?);
        Ok(lines)
    }

    /// The socket on which the child is to wait for [`Directory::connect`].
    pub(crate) fn listen(&self) -> Result<OwnedFd> {
        let socket = socket()?;
        let address = self.address()?;
        bind(&socket, &address).or_error("bind", || START_SOCKET)?;
        listen(&socket, 1).or_error("listen", || START_SOCKET)?;
        Ok(socket)
    }

    /// Meets the child; `None` when it has started already, or is dead.
    pub(crate) fn connect(&self) -> Result<Option<OwnedFd>> {
        let socket = socket()?;
        match connect(&socket, &self.address()?) {
            Ok(()) => Ok(Some(socket)),
            Err(Errno::NOENT | Errno::CONNREFUSED) => Ok(None),
            Err(errno) => Err(sys::Error::new("connect", START_SOCKET, errno).into()),
        }
    }

    /// Whether the container has not been started yet, as far as this folder knows.
    pub(crate) fn has_start_socket(&self) -> bool {
        sys::rustix::fs::statat(&self.folder, START_SOCKET, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    pub(crate) fn remove_start_socket(&self) -> Result<()> {
        match unlinkat(&self.folder, START_SOCKET, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            result => Ok(result.or_error("unlinkat", || START_SOCKET)?),
        }
    }

    /// By way of the descriptor: the path itself may be longer than the 107 bytes of an address.
    fn address(&self) -> Result<SocketAddrUnix> {
        use std::os::fd::AsRawFd;
        let path = format!("/proc/self/fd/{}/{START_SOCKET}", self.folder.as_raw_fd());
        Ok(SocketAddrUnix::new(&path).or_error("bind", || path)?)
    }

    /// Makes the folder that is mounted into the container for what it tells the service manager.
    pub(crate) fn make_notify_folder(&self) -> Result<()> {
        Ok(mkdirat(&self.folder, NOTIFY, Mode::from_raw_mode(0o755))
            .or_error("mkdirat", || NOTIFY)?)
    }

    /// A socket in that folder, which anybody in the container may write to; `None` if the
    /// container was made without it.
    pub(crate) fn bind_notify_socket(&self) -> Result<Option<OwnedFd>> {
        use std::os::fd::AsRawFd;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let folder = match file::open(&self.folder, NOTIFY, flags) {
            Err(error) if error.errno == Errno::NOENT => return Ok(None),
            result => result?,
        };
        let path = format!("/proc/self/fd/{}/{}", folder.as_raw_fd(), readiness::SOCKET);
        let socket = readiness::datagram_socket()?;
        let address = SocketAddrUnix::new(&path).or_error("bind", || path)?;
        bind(&socket, &address).or_error("bind", || readiness::SOCKET)?;
        chmodat(&folder, readiness::SOCKET, Mode::from_raw_mode(0o777), AtFlags::empty())
            .or_error("fchmodat", || readiness::SOCKET)?;
        Ok(Some(socket))
    }

    /// Removes the folder with all it holds. The id is free then.
    pub(crate) fn remove(&self) -> Result<()> {
        let absent_is_fine = |result| if result == Err(Errno::NOENT) { Ok(()) } else { result };
        absent_is_fine(unlinkat(&self.folder, RECORDS, AtFlags::empty()))
            .or_error("unlinkat", || RECORDS)?;
        let remove = || unlinkat(&self.root, self.id.as_ref(), AtFlags::REMOVEDIR);
        match absent_is_fine(remove()) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => self.remove_others()?,
            result => return Ok(result.or_error("unlinkat", || self.id.to_string())?),
        }
        Ok(absent_is_fine(remove()).or_error("unlinkat", || self.id.to_string())?)
    }

    /// The socket of a container that was never started, and half-written files that somebody who
    /// was killed has left.
    fn remove_others(&self) -> Result<()> {
        let entries =
            Dir::read_from(&self.folder).or_error("getdents64", || self.id.to_string())?;
        for entry in entries {
            let entry = entry.or_error("getdents64", || self.id.to_string())?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let flags = if name.to_bytes() == NOTIFY.as_bytes() {
                let socket = Path::new(NOTIFY).join(readiness::SOCKET);
                match unlinkat(&self.folder, &socket, AtFlags::empty()) {
                    Err(Errno::NOENT) => {}
                    result => result.or_error("unlinkat", || format!("{socket:?}"))?,
                }
                AtFlags::REMOVEDIR
            } else {
                AtFlags::empty()
            };
            unlinkat(&self.folder, name, flags).or_error("unlinkat", || format!("{name:?}"))?;
        }
        Ok(())
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

/// The path of the folder that [`Directory::make_notify_folder`] makes.
pub(crate) fn notify_folder(root: &Path, id: &ContainerId) -> PathBuf {
    root.join(id.as_str()).join(NOTIFY)
}

/// The ids of all containers under this root, sorted.
pub(crate) fn ids(root_path: &Path) -> Result<Vec<ContainerId>> {
    let root = match open_root(root_path, false) {
        Err(Error::File { error, .. }) if error.errno == Errno::NOENT => return Ok(Vec::new()),
        result => result?,
    };
    let mut ids = Vec::new();
    for entry in Dir::read_from(&root).or_error("getdents64", || format!("{root_path:?}"))? {
        let entry = entry.or_error("getdents64", || format!("{root_path:?}"))?;
        ids.extend(entry.file_name().to_str().ok().and_then(|name| ContainerId::new(name).ok()));
    }
    ids.sort();
    Ok(ids)
}

fn record_line(record: &Record) -> Result<Vec<u8>> {
    let mut line =
        serde_json::to_vec(record).map_err(|_| Error::Internal("a record that is no JSON"))?;
    line.push(b'\n');
    Ok(line)
}

/// The last line that has its end, but for the first one: a writer may be at work, or be dead.
fn last_record(lines: &[u8]) -> Option<&[u8]> {
    let end = lines.iter().rposition(|byte| *byte == b'\n')?;
    let start = lines[..end].iter().rposition(|byte| *byte == b'\n')?;
    Some(&lines[start + 1..end])
}

fn socket() -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .or_error("socket", || "AF_UNIX, SOCK_SEQPACKET")?)
}

fn open_root(path: &Path, make: bool) -> Result<OwnedFd> {
    let open =
        || openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let mut opened = open();
    if make && opened.as_ref().err() == Some(&Errno::NOENT) {
        make_folders(path)?;
        opened = open();
    }
    opened.or_error("openat", || format!("{path:?}, O_DIRECTORY")).map_err(|error| Error::File {
        what: "state root",
        path: path.into(),
        error,
    })
}

fn make_folders(path: &Path) -> Result<()> {
    let missing: Vec<PathBuf> = path.ancestors().map(Path::to_owned).collect();
    for folder in missing.iter().rev().filter(|it| !it.as_os_str().is_empty()) {
        match mkdirat(CWD, folder, Mode::from_raw_mode(0o711)) {
            Ok(()) | Err(Errno::EXIST) => {}
            // A read-only parent that exists answers so; if not, opening tells.
            Err(Errno::ROFS | Errno::ACCESS | Errno::PERM) => {}
            Err(errno) => {
                let error = sys::Error::new("mkdirat", format!("{folder:?}"), errno);
                return Err(Error::File { what: "state root", path: path.into(), error });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::last_record;

    #[test]
    fn half_a_line_does_not_count() {
        assert_eq!(last_record(b""), None);
        assert_eq!(last_record(b"{}"), None);
        assert_eq!(last_record(b"{}\n"), None);
        assert_eq!(last_record(b"{}\n{\"a\""), None);
        assert_eq!(last_record(b"{}\n1\n"), Some(&b"1"[..]));
        assert_eq!(last_record(b"{}\n1\n2"), Some(&b"1"[..]));
        assert_eq!(last_record(b"{}\n1\n2\n"), Some(&b"2"[..]));
    }
}
