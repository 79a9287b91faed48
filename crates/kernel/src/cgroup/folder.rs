//! A group's folder in one hierarchy, and its files by descriptor.

use std::cell::OnceCell;

use sys::rustix::fs::{self, AtFlags, CWD, Dir, FileType, Mode, OFlags};
use sys::rustix::io::{self, Errno};
use sys::{Error, OrError as _};

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// A folder of a cgroup file system. It is opened when a second file of it is wanted: most
/// hierarchies are only joined, by one file.
#[derive(Debug)]
pub(super) struct Folder {
    path: String,
    descriptor: OnceCell<OwnedFd>,
}

impl Folder {
    /// The folder at a path from the root, which need not exist.
    pub(super) fn at(path: impl Into<String>) -> Folder {
        Folder { path: path.into(), descriptor: OnceCell::new() }
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

    /// Itself, for `CLONE_INTO_CGROUP` and for what is relative to it.
    pub(super) fn descriptor(&self) -> Result<BorrowedFd<'_>, Error> {
        if let Some(descriptor) = self.descriptor.get() {
            return Ok(descriptor.as_fd());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened = fs::open(&self.path, flags, Mode::empty())
            .or_error("open", || format!("{:?}, O_DIRECTORY", self.path))?;
        Ok(self.descriptor.get_or_init(|| opened).as_fd())
    }

    /// As [`Folder::descriptor`], to be kept.
    pub(super) fn into_descriptor(self) -> Result<OwnedFd, Error> {
        self.descriptor()?;
        let missing = || Error::new("open", format!("{:?}", self.path), Errno::BADF);
        self.descriptor.into_inner().ok_or_else(missing)
    }

    /// Opens one of its files.
    pub(super) fn open(&self, file: &str, flags: OFlags) -> Result<OwnedFd, Error> {
        let describe = || format!("\"{}/{file}\"", self.path);
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        fs::openat(self.descriptor()?, file, flags, Mode::empty()).or_error("openat", describe)
    }

    /// Opens one of its files for writing, when it is the only one that is wanted.
    pub(super) fn open_only(&self, file: &str) -> Result<OwnedFd, Error> {
        if self.descriptor.get().is_some() {
            return self.open(file, OFlags::WRONLY);
        }
        let path = format!("{}/{file}", self.path);
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        fs::openat(CWD, &path, flags, Mode::empty()).or_error("open", || format!("{path:?}"))
    }

    /// Writes a value at once: what the kernel gets in one `write(2)` it takes as a whole.
    pub(super) fn write(&self, file: &str, value: &str) -> Result<(), Error> {
        write(&self.open(file, OFlags::WRONLY)?, value).map_err(|mut error| {
            error.arguments = format!("\"{}/{file}\", {value:?}", self.path);
            error
        })
    }

    /// All that one of its files says.
    pub(super) fn read(&self, file: &str) -> Result<String, Error> {
        read(&self.open(file, OFlags::RDONLY)?)
            .or_error("read", || format!("\"{}/{file}\"", self.path))
    }

    /// As [`Folder::read`], but `None` on a kernel without the file.
    pub(super) fn read_if_there(&self, file: &str) -> Result<Option<String>, Error> {
        match self.read(file) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.errno == Errno::NOENT => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The groups directly below.
    pub(super) fn children(&self) -> Result<Vec<Folder>, Error> {
        self.list(|kind, name| {
            let is_group = kind == FileType::Directory && name != "." && name != "..";
            is_group.then(|| Folder::at(format!("{}/{name}", self.path)))
        })
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
        for entry in Dir::read_from(self.descriptor()?).or_error("getdents64", describe)? {
            let entry = entry.or_error("getdents64", describe)?;
            items.extend(pick(entry.file_type(), &entry.file_name().to_string_lossy()));
        }
        Ok(items)
    }

    /// The processes (`cgroup.procs`) of this group and those below.
    pub(super) fn pids(&self) -> Result<Vec<i32>, Error> {
        let mut pids = self.own_pids()?;
        for child in self.children()? {
            match child.pids() {
                Ok(more) => pids.extend(more),
                // Somebody removed it meanwhile.
                Err(error) if is_gone(error.errno) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(pids)
    }

    /// As [`Folder::pids`], none when the group is gone.
    pub(super) fn pids_or_none(&self) -> Result<Vec<i32>, Error> {
        match self.pids() {
            Err(error) if is_gone(error.errno) => Ok(Vec::new()),
            other => other,
        }
    }

    /// The processes of this group alone. Those of other pid namespaces are 0, and left out.
    pub(super) fn own_pids(&self) -> Result<Vec<i32>, Error> {
        let text = match self.read("cgroup.procs") {
            // In a threaded group of v2 the processes are told by the group above.
            Err(error) if error.errno == Errno::OPNOTSUPP => String::new(),
            other => other?,
        };
        Ok(text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect())
    }

    /// Removes it unless there is something in it. True also when it was not there.
    pub(super) fn remove_alone(&self) -> Result<bool, Error> {
        match fs::unlinkat(CWD, &self.path, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(errno) if is_gone(errno) => Ok(true),
            Err(Errno::BUSY | Errno::NOTEMPTY) => Ok(false),
            Err(errno) => Err(Error::new("rmdir", format!("{:?}", self.path), errno)),
        }
    }

    /// Removes it, the groups below first. True also when it was not there, false when the kernel
    /// still sees a process in it.
    pub(super) fn remove(&self) -> Result<bool, Error> {
        if self.remove_alone()? {
            return Ok(true);
        }
        let mut removed_below = false;
        match self.children() {
            Err(error) if is_gone(error.errno) => return Ok(true),
            Err(error) => return Err(error),
            Ok(children) => {
                for child in children {
                    if !child.remove()? {
                        return Ok(false);
                    }
                    removed_below = true;
                }
            }
        }
        if removed_below { self.remove_alone() } else { Ok(false) }
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
    let mut bytes = Vec::with_capacity(4096);
    loop {
        if bytes.capacity() - bytes.len() < 1024 {
            bytes.reserve(bytes.capacity());
        }
        let spare = sys::rustix::buffer::spare_capacity(&mut bytes);
        match io::read(file, spare) {
            Ok(0) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Reads an open file anew from its beginning; `None` when its group is gone.
pub(super) fn reread(file: &OwnedFd) -> Result<Option<String>, Error> {
    match fs::seek(file, fs::SeekFrom::Start(0)).and_then(|_| read(file)) {
        Err(errno) if is_gone(errno) => Ok(None),
        other => other.map(Some).or_error("read", || "a file of a cgroup"),
    }
}
