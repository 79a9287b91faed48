//! Small files that are replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use sys::rustix::io::Errno;

/// Whoever opens it sees the old bytes or the new ones, never a part.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(path, bytes, |_| Ok(()))
}

/// The same, with something done to the file before others see it.
pub(crate) fn replace_with(
    path: &Path,
    bytes: &[u8],
    prepare: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    // Two processes may write the same file at the same time.
    replace_by(path, &path.with_extension(format!("new-{}", std::process::id())), bytes, prepare)
}

/// The same for who has a lock, so that nobody else writes the file: what somebody who was killed
/// has left of it is overwritten.
pub(crate) fn replace_locked(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // No name of anything has this letter.
    let mut temporary = path.as_os_str().to_owned();
    temporary.push("~");
    replace_by(path, Path::new(&temporary), bytes, |_| Ok(()))
}

fn replace_by(
    path: &Path,
    temporary: &Path,
    bytes: &[u8],
    prepare: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let result = (|| {
        let mut file = File::create(temporary)?;
        file.write_all(bytes)?;
        prepare(&file)?;
        drop(file);
        fs::rename(temporary, path)
    })();
    if result.is_err() {
        // It may not even have been made.
        let _ = fs::remove_file(temporary);
    }
    result
}

/// The same, but on a full disk the file that is there is written over, which needs no more room:
/// who reads it at that moment may see a part.
pub(crate) fn replace_even_on_full_disk(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match replace(path, bytes) {
        Err(error) if is_full(&error) => {
            let mut file = File::options().write(true).open(path)?;
            file.write_all(bytes)?;
            file.set_len(bytes.len() as u64)
        }
        result => result,
    }
}

/// Whether the disk takes nothing (any more), whoever asks: it is full, read-only, or fails.
pub(crate) fn takes_nothing(error: &io::Error) -> bool {
    is_full(error)
        || error.kind() == io::ErrorKind::ReadOnlyFilesystem
        || error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Nothing if there is no such file.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
