//! Reading what a container has printed.

use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::protocol::Stream;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Which part of a log is of interest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logs {
    /// Nanoseconds since 1970.
    pub since: Option<u64>,
    /// Nanoseconds since 1970.
    pub until: Option<u64>,
    /// How many of the last lines.
    pub tail: Option<usize>,
}

/// A line or, where the program has not ended it at once, a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it is in the file, RFC 3339.
    pub time: String,
    /// Where it was printed.
    pub stream: Stream,
    /// Whether the line ends here.
    pub whole: bool,
    /// Without the end of the line.
    pub text: Vec<u8>,
}

impl Entry {
    fn parse(line: &[u8]) -> Option<Entry> {
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let time = String::from_utf8(parts.next()?.to_vec()).ok()?;
        let stream = match parts.next()? {
            b"stdout" => Stream::Output,
            b"stderr" => Stream::Error,
            _ => return None,
        };
        let whole = parts.next()? == b"F";
        Some(Entry { time, stream, whole, text: parts.next()?.to_vec() })
    }

    /// Nanoseconds since 1970.
    fn nanoseconds(&self) -> Option<u64> {
        let seconds = image::time::parse(&self.time)?;
        let fraction = self.time.split_once('.').map_or("", |(_, rest)| rest);
        let digits: String = fraction.chars().take_while(char::is_ascii_digit).take(9).collect();
        let nanoseconds = format!("{digits:0<9}").parse::<u64>().ok()?;
        Some(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
    }

    fn is_meant(&self, logs: &Logs) -> bool {
        let Some(time) = self.nanoseconds() else { return true };
        logs.since.is_none_or(|since| time >= since) && logs.until.is_none_or(|until| time <= until)
    }
}

/// A place in a log, from which it goes on.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
}

impl Engine {
    /// Where the log of a container is; it need not be there.
    pub fn log_path(&self, container: &Container) -> PathBuf {
        self.folder(container).log()
    }

    /// Where one of its files of `/etc` is: `hosts`, `hostname` or `resolv.conf`. It is there once the
    /// container was started.
    pub fn file_path(&self, container: &Container, name: &str) -> PathBuf {
        self.folder(container).file(name)
    }

    /// The lines of a container's log, oldest first, and the place after them. A container that
    /// never ran has no log.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn logs(&self, container: &Container, logs: &Logs) -> Result<(Vec<Entry>, Option<Follow>)> {
        let path = self.folder(container).log();
        let mut entries: VecDeque<Entry> = VecDeque::new();
        let mut lines = 0;
        let mut add = |entry: Entry| {
            if entry.is_meant(logs) {
                lines += usize::from(entry.whole);
                entries.push_back(entry);
            }
            // A last line that has not ended counts, too.
            while let Some(tail) = logs.tail
                && lines + usize::from(entries.back().is_some_and(|last| !last.whole)) > tail
            {
                match entries.pop_front() {
                    Some(first) => lines -= usize::from(first.whole),
                    None => break,
                }
            }
        };
        let mut last = None;
        for file in open_all(&path).map_err(Error::file(&path))?.into_iter().rev() {
            let mut follow = Follow::new(&path, file);
            while let Some(entry) = follow.next_of_file().map_err(Error::file(&path))? {
                add(entry);
            }
            last = Some(follow);
        }
        Ok((entries.into(), last))
    }
}

/// The files of a log, the newest first. They may be renamed meanwhile: each comes once, and none is
/// missing between two others.
fn open_all(path: &Path) -> io::Result<Vec<File>> {
    let mut found: Vec<((u64, u64), File)> = Vec::new();
    let mut missing = 0;
    for number in 0.. {
        let numbered = path.with_extension(number.to_string());
        let file = match File::open(if number == 0 { path } else { &numbered }) {
            // One may be between two names.
            Err(error) if error.kind() == io::ErrorKind::NotFound && missing == 0 => {
                missing += 1;
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            file => file?,
        };
        missing = 0;
        let own = identity(&file)?;
        match found.iter().position(|(known, _)| *known == own) {
            // It was renamed, and what was found after it is newer than that.
            Some(place) => found.truncate(place + 1),
            None => found.push((own, file)),
        }
    }
    Ok(found.into_iter().map(|(_, file)| file).collect())
}

/// What stays the same when a file is renamed.
fn identity(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(|it| (it.dev(), it.ino()))
}

impl Follow {
    fn new(path: &Path, file: File) -> Follow {
        Follow { path: path.to_owned(), reader: BufReader::new(file), line: Vec::new() }
    }

    /// The next entry, if there is one by now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        if let Some(entry) = self.next_of_file()? {
            return Ok(Some(entry));
        }
        // It may have been renamed, and gone on with in another one, or been emptied.
        let own = self.reader.get_ref().metadata()?;
        if own.len() < self.reader.stream_position()? {
            self.reader.seek(SeekFrom::Start(0))?;
            return self.next_of_file();
        }
        while let Some(next) = self.next_file()? {
            // What was added between the two looks.
            if let Some(entry) = self.next_of_file()? {
                return Ok(Some(entry));
            }
            self.reader = BufReader::new(next);
            if let Some(entry) = self.next_of_file()? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// The file after this one, if there is one by now. Several may have been filled since the last
    /// look; where this one was removed, the oldest that is left.
    fn next_file(&self) -> io::Result<Option<File>> {
        let own = identity(self.reader.get_ref())?;
        match std::fs::metadata(&self.path) {
            Ok(current) if (current.dev(), current.ino()) != own => {}
            _ => return Ok(None),
        }
        let mut newer = None;
        for file in open_all(&self.path)? {
            if identity(&file)? == own {
                return Ok(newer);
            }
            newer = Some(file);
        }
        Ok(newer)
    }

    fn next_of_file(&mut self) -> io::Result<Option<Entry>> {
        loop {
            // What is there of a line that is being written is kept.
            self.reader.read_until(b'\n', &mut self.line)?;
            let Some(line) = self.line.strip_suffix(b"\n") else { return Ok(None) };
            let entry = Entry::parse(line);
            self.line.clear();
            // A line that a full disk has cut is passed over.
            if entry.is_some() {
                return Ok(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Follow, Logs, open_all};
    use crate::protocol::Stream;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let entry = Entry::parse(b"2026-01-02T03:04:05.000000006Z stderr P a b").unwrap();
        assert_eq!((entry.stream, entry.whole), (Stream::Error, false));
        assert_eq!(entry.text, b"a b");
        assert_eq!(entry.nanoseconds().unwrap() % 1_000_000_000, 6);
        assert_eq!(Entry::parse(b"garbage"), None);
        assert_eq!(Entry::parse(b"t other F x"), None);
    }

    #[test]
    fn files_that_were_renamed_are_followed_one_after_the_other() {
        let folder = std::env::temp_dir().join(format!("tinyo-follow-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("log");
        let write = |text: &str| std::fs::write(&path, format!("t stdout F {text}\n")).unwrap();
        let rotate = || {
            for number in (0..3).rev() {
                let name = |number: u32| match number {
                    0 => path.clone(),
                    _ => path.with_extension(number.to_string()),
                };
                // There may be none yet.
                let _ = std::fs::rename(name(number), name(number + 1));
            }
        };
        write("1");
        let mut files = open_all(&path).unwrap();
        let mut follow = Follow::new(&path, files.remove(0));
        let mut next = || follow.next_entry().unwrap().map(|entry| entry.text);
        assert_eq!(next().unwrap(), b"1");
        assert_eq!(next(), None);
        for text in ["2", "3", "4"] {
            rotate();
            write(text);
        }
        assert_eq!([next(), next(), next()].map(Option::unwrap), [b"2", b"3", b"4"]);
        assert_eq!(next(), None);
        // It falls behind, and what is left is the oldest.
        for text in ["5", "6", "7", "8", "9"] {
            rotate();
            write(text);
        }
        assert_eq!(next().unwrap(), b"6");
        // One that is between two names.
        std::fs::rename(path.with_extension("1"), path.with_extension("x")).unwrap();
        assert_eq!(open_all(&path).unwrap().len(), 3);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn times_are_compared() {
        let entry = Entry::parse(b"1970-01-01T00:00:10.5Z stdout F ").unwrap();
        let meant = |since, until| entry.is_meant(&Logs { since, until, tail: None });
        assert!(meant(Some(10_500_000_000), None) && !meant(Some(10_500_000_001), None));
        assert!(meant(None, Some(10_500_000_000)) && !meant(None, Some(10_499_999_999)));
    }
}
