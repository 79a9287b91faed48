//! Small files of the administrator's: configuration, certificates, credentials.

use std::path::Path;
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::io::{Errno, read};
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

fn arguments(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}
