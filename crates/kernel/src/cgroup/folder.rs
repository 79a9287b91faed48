//! A group's folder in one hierarchy, and its files.
//!
//! Paths are safe to use again and again here: no cgroup file system has symbolic links, and the
//! last name is never followed should something else be there. Groups that a container may have made are
//! reached from one to the next.

use sys::rustix::fs::{self, AtFlags, CWD, Dir, FileType, Mode, OFlags, RawDir};
use sys::rustix::io::{self, Errno};
use sys::rustix::path::Arg;
use sys::rustix::process::Uid;
use sys::{Error, OrError as _};

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

/// A folder of a cgroup file system. It is not kept open: of most, one or two files are wanted.
#[derive(Debug)]
pub(super) struct Folder {
    path: String,
}

impl Folder {
    /// The folder at a path from the root, which need not exist.
    pub(super) fn at(path: impl Into<String>) -> Folder {
        Folder { path: path.into() }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn parent(&self) -> Folder {
        Folder::at(self.path.rsplit_once('/').map_or("/", |(parent, _)| parent))
    }

    /// Makes it: true when it was not there.
    pub(super) fn create(&self) -> Result<bool, Error> {
        match fs::mkdir(&self.path, Mode::from_raw_mode(0o755)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(Error::new("mkdir", format!("{:?}", self.path), errno)),
        }
    }

    /// Opens the folder itself, for `CLONE_INTO_CGROUP` and for programs to be attached to.
    pub(super) fn open_itself(&self) -> Result<OwnedFd, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        fs::open(&self.path, flags, Mode::empty())
            .or_error("open", || format!("{:?}, O_DIRECTORY", self.path))
    }

    /// Opens one of its files.
    pub(super) fn open(&self, file: &str, flags: OFlags) -> Result<OwnedFd, Error> {
        let path = format!("{}/{file}", self.path);
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        fs::open(&path, flags, Mode::empty()).or_error("open", || format!("{path:?}"))
    }

    /// Writes a value at once: what the kernel gets in one `write(2)` it takes as a whole.
    pub(super) fn write(&self, file: &str, value: &str) -> Result<(), Error> {
        self.write_open(file, value).map(drop)
    }

    /// As [`Folder::write`]; returns the file, still open.
    pub(super) fn write_open(&self, file: &str, value: &str) -> Result<OwnedFd, Error> {
        let descriptor = self.open(file, OFlags::WRONLY)?;
        write(&descriptor, value).map_err(|mut error| {
            error.arguments = format!("\"{}/{file}\", {value:?}", self.path);
            error
        })?;
        Ok(descriptor)
    }

    /// All that one of its files says.
    pub(super) fn read(&self, file: &str) -> Result<String, Error> {
        read(&self.open(file, OFlags::RDONLY)?)
            .or_error("read", || format!("\"{}/{file}\"", self.path))
    }

    /// One of its files that has a single line, and that file, still open.
    pub(super) fn read_line(&self, file: &str) -> Result<(String, OwnedFd), Error> {
        let descriptor = self.open(file, OFlags::RDONLY)?;
        let line = read_line(&descriptor);
        Ok((line.or_error("read", || format!("\"{}/{file}\"", self.path))?, descriptor))
    }

    /// As [`Folder::read`], but `None` on a kernel without the file, or when the group is gone.
    pub(super) fn read_if_there(&self, file: &str) -> Result<Option<String>, Error> {
        match self.read(file) {
            Ok(text) => Ok(Some(text)),
            Err(error) if is_gone(error.errno) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a user the owner of the folder, and of these files as far as they exist.
    pub(super) fn give_to<'file>(
        &self,
        user: u32,
        files: impl Iterator<Item = &'file str>,
    ) -> Result<(), Error> {
        let chown = |path: &str| {
            fs::chownat(CWD, path, Some(Uid::from_raw(user)), None, AtFlags::SYMLINK_NOFOLLOW)
                .or_error("fchownat", || format!("{path:?}, {user}"))
        };
        for file in files {
            match chown(&format!("{}/{file}", self.path)) {
                Err(error) if error.errno == Errno::NOENT => {}
                other => other?,
            }
        }
        chown(&self.path)
    }

    /// The sizes for which there is a file `hugetlb.SIZE.{file}`.
    pub(super) fn huge_page_sizes(&self, file: &str) -> Result<Vec<String>, Error> {
        self.list(|_, name| {
            let size = name.strip_prefix("hugetlb.")?.strip_suffix(file)?.strip_suffix('.')?;
            (!size.contains('.')).then(|| size.to_owned())
        })
    }

    fn list<Item>(
        &self,
        pick: impl Fn(FileType, &str) -> Option<Item>,
    ) -> Result<Vec<Item>, Error> {
        let describe = || format!("{:?}", self.path);
        let mut items = Vec::new();
        for entry in Dir::new(self.open_itself()?).or_error("getdents64", describe)? {
            let entry = entry.or_error("getdents64", describe)?;
            items.extend(pick(entry.file_type(), &entry.file_name().to_string_lossy()));
        }
        Ok(items)
    }

    /// The processes (`cgroup.procs`) of this group and those below.
    pub(super) fn pids(&self) -> Result<Vec<i32>, Error> {
        let mut pids = Vec::new();
        let own = |group: &OwnedFd| {
            pids.extend(own_pids(group)?);
            Ok(())
        };
        self.visit(own, |_, _| Ok(true)).map(|_| pids)
    }

    /// As [`Folder::pids`], none when the group is gone.
    pub(super) fn pids_or_none(&self) -> Result<Vec<i32>, Error> {
        match self.pids() {
            Err(error) if is_gone(error.errno) => Ok(Vec::new()),
            other => other,
        }
    }

    /// Removes it unless there is something in it. True also when it was not there.
    pub(super) fn remove_alone(&self) -> Result<bool, Error> {
        remove_from(CWD, self.path.as_str())
    }

    /// Removes it, the groups below first. True also when it was not there, false when the kernel
    /// still sees a process in it.
    pub(super) fn remove(&self) -> Result<bool, Error> {
        if self.remove_alone()? {
            return Ok(true);
        }
        let mut removed_below = false;
        let remove = |parent: &OwnedFd, name: &CStr| {
            removed_below = true;
            remove_from(parent, name)
        };
        match self.visit(|_| Ok(()), remove) {
            Err(error) if is_gone(error.errno) => Ok(true),
            Ok(true) if removed_below => self.remove_alone(),
            other => other.map(|_| false),
        }
    }

    /// Goes through this group and all below. `enter` is called for each, and `leave` when all below one
    /// of them are done, with the folder it is in and its name there, but not for this one. False as
    /// soon as `leave` says so. Groups that are removed meanwhile are left out.
    ///
    /// A container may have made them: their paths can be longer than any that the kernel takes, and
    /// they can be more than the stack or the descriptors would suffice for. One folder is open, and
    /// `..` leads back, as no group can be moved into another one.
    fn visit(
        &self,
        mut enter: impl FnMut(&OwnedFd) -> Result<(), Error>,
        mut leave: impl FnMut(&OwnedFd, &CStr) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        let mut folder = self.open_itself()?;
        enter(&folder)?;
        // Where it is, and what is left to do on each level.
        let mut levels = vec![(c"".to_owned(), groups_in(&folder)?)];
        while let Some((name, left)) = levels.last_mut() {
            let Some(next) = left.pop() else {
                let name = std::mem::take(name);
                levels.pop();
                if levels.is_empty() {
                    break;
                }
                folder = open_group(&folder, c"..")?;
                if !leave(&folder, &name)? {
                    return Ok(false);
                }
                continue;
            };
            let opened = open_group(&folder, &next).and_then(|group| {
                enter(&group)?;
                Ok((groups_in(&group)?, group))
            });
            match opened {
                Ok((below, group)) => {
                    levels.push((next, below));
                    folder = group;
                }
                Err(error) if is_gone(error.errno) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn open_group(parent: &OwnedFd, name: &CStr) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    fs::openat(parent, name, flags, Mode::empty())
        .or_error("openat", || format!("{name:?}, O_DIRECTORY"))
}

/// The names of the groups directly below.
fn groups_in(group: &OwnedFd) -> Result<Vec<CString>, Error> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(group, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry.or_error("getdents64", || "a group")?;
        let name = entry.file_name();
        if entry.file_type() == FileType::Directory && name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// The processes of a group alone. Those of other pid namespaces are 0, and left out.
fn own_pids(group: &OwnedFd) -> Result<Vec<i32>, Error> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = fs::openat(group, c"cgroup.procs", flags, Mode::empty())
        .or_error("openat", || "\"cgroup.procs\"")?;
    let text = match read(&file) {
        // In a threaded group of v2 the processes are told by the group above.
        Err(Errno::OPNOTSUPP) => String::new(),
        other => other.or_error("read", || "\"cgroup.procs\"")?,
    };
    Ok(text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect())
}

/// Removes a group: true when it is gone, false when there is something in it.
fn remove_from(parent: impl AsFd, name: impl Arg + Copy) -> Result<bool, Error> {
    match fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(true),
        Err(errno) if is_gone(errno) => Ok(true),
        Err(Errno::BUSY | Errno::NOTEMPTY) => Ok(false),
        Err(errno) => {
            let arguments = format!("{:?}, AT_REMOVEDIR", name.to_string_lossy());
            Err(Error::new("unlinkat", arguments, errno))
        }
    }
}

/// The answers of a folder or file that was removed.
pub(super) fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NODEV)
}

/// Writes to an open file.
pub(super) fn write(file: &OwnedFd, value: &str) -> Result<(), Error> {
    let written = io::retry_on_intr(|| io::write(file, value.as_bytes()));
    match written.or_error("write", || format!("{value:?}"))? {
        length if length == value.len() => Ok(()),
        _ => Err(Error::new("write", format!("{value:?}"), Errno::IO)),
    }
}

/// Reads an open file to its end.
pub(super) fn read(file: &OwnedFd) -> Result<String, Errno> {
    read_until(file, |_| false)
}

/// Reads an open file of one line to the end of that.
pub(super) fn read_line(file: &OwnedFd) -> Result<String, Errno> {
    read_until(file, |text| text.ends_with(b"\n"))
}

fn read_until(file: &OwnedFd, is_all: impl Fn(&[u8]) -> bool) -> Result<String, Errno> {
    let mut bytes = Vec::with_capacity(4096);
    // What fills the room may go on, whatever it looks like.
    while !(is_all(&bytes) && bytes.len() < bytes.capacity()) {
        if bytes.capacity() - bytes.len() < 1024 {
            bytes.reserve(bytes.capacity());
        }
        let spare = sys::rustix::buffer::spare_capacity(&mut bytes);
        match io::read(file, spare) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads an open file anew from its beginning; `None` when its group is gone.
pub(super) fn reread(file: &OwnedFd) -> Result<Option<String>, Error> {
    match fs::seek(file, fs::SeekFrom::Start(0)).and_then(|_| read(file)) {
        Err(errno) if is_gone(errno) => Ok(None),
        other => other.map(Some).or_error("read", || "a file of a cgroup"),
    }
}
