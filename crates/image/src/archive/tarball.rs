//! A tar file whose entries are looked up by name.

use super::{Error, Files};
use crate::flow::Compression;
use crate::input::{self, FileReader};
use crate::tar::{Kind, Name, Reader};
use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{FileType, fstat};

/// A tar file on a disk, and where its entries are.
#[derive(Debug)]
pub struct Tarball {
    file: OwnedFd,
    entries: HashMap<Name, Place>,
}

#[derive(Clone, Debug)]
enum Place {
    At {
        offset: u64,
        size: u64,
    },
    /// Docker has one layer's name lead to another's.
    Link(Name),
}

/// Links to links to links are a trap.
const MOST_LINKS: usize = 4;

/// No archive of images has more entries, or longer names all together: they take memory here.
const MOST_ENTRIES: usize = 50_000;
const MOST_NAMES: usize = 8 << 20;

impl Tarball {
    /// Reads where the entries are. What is compressed, or no regular file (a pipe), is first
    /// written to an empty file that `spool` makes.
    ///
    /// # Errors
    /// It is no tar file, or a damaged one; the disk is full.
    pub fn open(
        input: OwnedFd,
        spool: impl FnOnce() -> Result<OwnedFd, crate::store::Error>,
    ) -> Result<Tarball, Error> {
        let status = fstat(&input).or_error("fstat", || "archive")?;
        let is_regular = FileType::from_raw_mode(status.st_mode).is_file();
        let file = if is_regular && !is_compressed(input.as_fd())? {
            input
        } else {
            let file = spool()?;
            input::inflate(&input, &file)
                .map_err(|source| Error::File { path: "archive".into(), source })?;
            file
        };
        let entries = entries(file.as_fd())?;
        Ok(Tarball { file, entries })
    }

    fn find(&self, path: &str) -> Option<(u64, u64)> {
        let mut name = Name::new(path.as_bytes()).ok()?;
        for _ in 0..MOST_LINKS {
            match self.entries.get(&name)? {
                Place::At { offset, size } => return Some((*offset, *size)),
                Place::Link(target) => name = target.clone(),
            }
        }
        None
    }
}

impl Files for Tarball {
    fn has(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    fn open(&self, path: &str) -> io::Result<(Box<dyn Read + Send + '_>, u64)> {
        let (offset, size) = self.find(path).ok_or(io::ErrorKind::NotFound)?;
        let reader = FileReader::at(self.file.as_fd(), offset).take(size);
        Ok((Box::new(reader), size))
    }
}

fn is_compressed(file: BorrowedFd<'_>) -> Result<bool, Error> {
    let failed = |source| Error::File { path: "archive".into(), source };
    let mut beginning = Vec::new();
    FileReader::at(file, 0).take(16).read_to_end(&mut beginning).map_err(failed)?;
    Ok(Compression::of(&beginning) != Compression::None)
}

fn entries(file: BorrowedFd<'_>) -> Result<HashMap<Name, Place>, Error> {
    let length = fstat(file).or_error("fstat", || "archive")?.st_size;
    let length = u64::try_from(length).unwrap_or(0);
    let mut reader = Reader::new(BufReader::with_capacity(4096, FileReader::at(file, 0)));
    let mut entries = HashMap::new();
    let mut names = 0;
    while let Some(entry) = reader.next_entry()? {
        let place = match entry.kind {
            Kind::Regular if entry.fragments.is_none() => {
                let offset = reader.position();
                if offset + entry.size > length {
                    let problem = crate::tar::Problem::Truncated;
                    return Err(crate::tar::Error::Format { at: length, problem }.into());
                }
                Some(Place::At { offset, size: entry.size })
            }
            Kind::HardLink(target) => Some(Place::Link(target)),
            Kind::SymbolicLink(target) => inside(&entry.name, &target).map(Place::Link),
            _ => None,
        };
        names += entry.name.as_bytes().len();
        if let Some(Place::Link(target)) = &place {
            names += target.as_bytes().len();
        }
        if entries.len() == MOST_ENTRIES || names > MOST_NAMES {
            return Err(Error::NoList);
        }
        entries.extend(place.map(|place| (entry.name, place)));
        let failed = |source| Error::File { path: "archive".into(), source };
        reader.seek_past_data().map_err(failed)?;
    }
    Ok(entries)
}

/// Where a symbolic link in the archive leads to, by its text alone.
fn inside(link: &Name, target: &[u8]) -> Option<Name> {
    if target.starts_with(b"/") {
        return None;
    }
    let (folder, _) = link.split();
    let mut parts: Vec<&[u8]> =
        folder.split(|byte| *byte == b'/').filter(|it| !it.is_empty()).collect();
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b".." => _ = parts.pop()?,
            b"" | b"." => {}
            part => parts.push(part),
        }
    }
    Name::new(&parts.join(&b'/')).ok()
}

#[cfg(test)]
mod tests {
    use super::inside;
    use crate::tar::Name;

    #[test]
    fn links_stay_in_the_archive() {
        let name = |text: &str| Name::new(text.as_bytes()).unwrap();
        assert_eq!(inside(&name("a/layer.tar"), b"../b/layer.tar"), Some(name("b/layer.tar")));
        assert_eq!(inside(&name("a"), b"./b/../c"), Some(name("c")));
        assert_eq!(inside(&name("a/b"), b"../../c"), None);
        assert_eq!(inside(&name("a/b"), b"/etc/passwd"), None);
    }
}
