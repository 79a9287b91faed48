//! The files of an archive, whether it is a folder or a tar file.

use super::Error;
use crate::input::FileReader;
use kernel::path::{Root, RootedPath};
use std::ffi::CString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use sys::rustix::fs::{OFlags, fstat};

/// Where the files of an archive are.
pub trait Files: Sync {
    /// Whether there is such a file.
    fn has(&self, path: &str) -> bool;

    /// A file from its beginning on, and how long it is.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    fn open(&self, path: &str) -> io::Result<(Box<dyn Read + Send + '_>, u64)>;
}

/// A whole document.
pub(super) fn document(files: &dyn Files, path: &str) -> Result<Vec<u8>, Error> {
    const LONGEST: u64 = 4 << 20;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing(path.to_owned()),
        _ => Error::File { path: path.to_owned(), source },
    };
    let (reader, size) = files.open(path).map_err(failed)?;
    if size > LONGEST {
        return Err(Error::TooLong { path: path.to_owned(), size });
    }
    let mut bytes = Vec::new();
    reader.take(LONGEST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// A folder of this machine. No link in it leads out of it.
#[derive(Debug)]
pub struct Folder(Root);

impl Folder {
    /// Opens the folder.
    ///
    /// # Errors
    /// There is none.
    pub fn open(path: &Path) -> Result<Folder, Error> {
        let text = CString::new(path.as_os_str().as_bytes());
        let text = text.map_err(|_| Error::Missing(path.display().to_string()))?;
        Ok(Folder(Root::open(&text)?))
    }
}

impl Files for Folder {
    fn has(&self, path: &str) -> bool {
        self.open(path).is_ok()
    }

    fn open(&self, path: &str) -> io::Result<(Box<dyn Read + Send + '_>, u64)> {
        let path = RootedPath::parse(path).map_err(io::Error::other)?;
        let file = self.0.open_file(&path, OFlags::RDONLY).map_err(|error| error.errno)?;
        let size = u64::try_from(fstat(&file)?.st_size).unwrap_or(0);
        Ok((Box::new(FileReader::new(file)), size))
    }
}
