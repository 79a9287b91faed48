//! What the program prints, in the format of Kubernetes: time, stream, whether the line is whole,
//! and the line. Files that are full are renamed, and the oldest removed.

use crate::clock;
use crate::folders::ContainerFolder;
use crate::protocol::Stream;
use crate::settings::LogOptions;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

/// The log of a container.
pub(super) struct Log {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    options: LogOptions,
    /// Bytes that could not be written: the disk is full.
    lost: u64,
}

impl Log {
    /// The file is made with the first line: many programs have nothing to say.
    pub(super) fn new(folder: &ContainerFolder, options: &LogOptions) -> Log {
        let path = folder.log();
        Log { path, file: None, size: 0, options: options.clone(), lost: 0 }
    }

    /// Opens it anew: somebody has renamed it.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let file = File::options().append(true).create(true).open(&self.path)?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    /// Adds what was read at once.
    pub(super) fn add(&mut self, stream: Stream, bytes: &[u8]) {
        if self.options.none {
            return;
        }
        if self.file.is_none() {
            // Else it is tried again when the text is there.
            let _ = self.reopen();
        }
        let mut text = Vec::with_capacity(bytes.len() + 128);
        let time = clock::text(clock::now());
        if self.lost > 0 {
            text.extend_from_slice(self.note(&time).as_bytes());
        }
        // Of the output, without what is put in front of its lines.
        let mut pending = 0;
        let name = match stream {
            Stream::Output => "stdout",
            Stream::Error => "stderr",
        };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (tag, line) = match line.strip_suffix(b"\n") {
                Some(line) => ('F', line),
                None => ('P', line),
            };
            let head = format!("{time} {name} {tag} ");
            let length = (head.len() + line.len() + 1) as u64;
            let full = self.size + text.len() as u64 + length > self.options.max_size;
            if full && self.options.max_size > 0 && self.size + text.len() as u64 > 0 {
                self.write(&text, pending);
                (text, pending) = (Vec::new(), 0);
                self.rotate();
            }
            pending += line.len() as u64 + u64::from(tag == 'F');
            text.extend_from_slice(head.as_bytes());
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        self.write(&text, pending);
    }

    fn note(&self, time: &str) -> String {
        format!("{time} stderr F tinyo: {} bytes of output were lost\n", self.lost)
    }

    /// A disk that is full must not stop the program; when there is room, the log says so.
    fn write(&mut self, text: &[u8], output: u64) {
        if self.file.is_none() && self.reopen().is_err() {
            self.lost += output;
            return;
        }
        let Some(file) = &mut self.file else { return };
        if file.write_all(text).is_ok() {
            (self.lost, self.size) = (0, self.size + text.len() as u64);
        } else {
            self.lost += output;
            // Nothing half: the next line would go on with it. What cannot be cut off stays.
            let _ = file.set_len(self.size);
        }
    }

    /// Says what was lost and could not be said yet, as nothing more comes.
    pub(super) fn end(&mut self) -> Option<String> {
        if self.lost == 0 {
            return None;
        }
        let lost = self.lost;
        let note = self.note(&clock::text(clock::now()));
        self.write(note.as_bytes(), 0);
        (self.lost > 0).then(|| format!("{lost} bytes of output were lost: no room for its log"))
    }

    /// `log` becomes `log.1`, that `log.2`, and so on.
    fn rotate(&mut self) {
        let numbered = |number: u32| self.path.with_extension(number.to_string());
        let older = self.options.max_files.max(1) - 1;
        for number in (1..older).rev() {
            // There may be none yet.
            let _ = fs::rename(numbered(number), numbered(number + 1));
        }
        if older > 0 {
            let _ = fs::rename(&self.path, numbered(1));
        } else if let Some(file) = &self.file {
            let _ = file.set_len(0);
        }
        // The old file will do where no new one can be made.
        let _ = self.reopen();
    }
}

#[cfg(test)]
mod tests {
    use super::Log;
    use crate::folders::Folders;
    use crate::protocol::Stream;
    use crate::settings::LogOptions;

    fn lines(name: &str, options: &LogOptions, add: &[&[u8]]) -> Vec<Vec<String>> {
        let root = std::env::temp_dir().join(format!("tinyo-log-{name}-{}", std::process::id()));
        std::fs::create_dir_all(root.join("containers/x")).unwrap();
        let folder = Folders::new(&root, &root).container("x");
        let mut log = Log::new(&folder, options);
        add.iter().for_each(|bytes| log.add(Stream::Output, bytes));
        let files = ["log", "log.1", "log.2"].map(|name| {
            let text = std::fs::read_to_string(folder.file(name)).unwrap_or_default();
            text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
        });
        std::fs::remove_dir_all(root).unwrap();
        files.to_vec()
    }

    #[test]
    fn parts_of_lines_are_marked() {
        let found = lines("parts", &LogOptions::default(), &[b"a\nb", b"c\n", b"\n"]);
        assert_eq!(found[0], ["stdout F a", "stdout P b", "stdout F c", "stdout F "]);
    }

    #[test]
    fn full_files_are_renamed_and_the_oldest_removed() {
        let options = LogOptions { max_size: 60, max_files: 2, ..LogOptions::default() };
        let found = lines("rotate", &options, &[b"one\n", b"two\n", b"three\n"]);
        assert_eq!(found, [vec!["stdout F three"], vec!["stdout F two"], vec![]]);
    }
}
