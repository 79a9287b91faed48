//! What the last checks of a container's health have found: a small file that its monitor writes
//! after each of them.

use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::ContainerFolder;
use crate::small_file;
use std::fs;
use std::io::{self, Write as _};

/// Its name in the folder of what has been started.
const FILE: &str = "health";

/// So many checks are remembered, as Docker does it.
const KEPT: usize = 5;

/// So much of what a check prints, in bytes.
pub(crate) const LONGEST: usize = 4096;

/// What one check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// When it was started, in nanoseconds since 1970.
    pub started: u64,
    /// When it was over.
    pub ended: u64,
    /// How it ended; -1: it took too long, or could not be started.
    pub exit_code: i32,
    /// The beginning of what it printed.
    pub output: String,
}

impl Engine {
    /// What the last checks of a container's health have found, the oldest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn health_log(&self, container: &Container) -> Result<Vec<Check>> {
        let path = self.folder(container).started.join(FILE);
        match fs::read(&path) {
            Ok(bytes) => Ok(parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Error::File { path, error }),
        }
    }
}

/// Remembers one more. What is only told to people is no reason to end.
pub(crate) fn add(folder: &ContainerFolder, (started, ended): (u64, u64), code: i32, said: &[u8]) {
    let path = folder.started.join(FILE);
    let before = fs::read(&path).unwrap_or_default();
    let kept: Vec<_> = records(&before).collect();
    let mut all = Vec::new();
    for (header, output) in kept.iter().skip((kept.len() + 1).saturating_sub(KEPT)) {
        write(&mut all, header, output);
    }
    let header = format!("{started} {ended} {code} {}", said.len());
    write(&mut all, &header, said);
    let _ = small_file::replace_locked(&path, &all);
}

/// Writing to a vector cannot fail.
fn write(all: &mut Vec<u8>, header: &str, output: &[u8]) {
    let _ = writeln!(all, "{header}");
    all.extend_from_slice(output);
}

/// Its first line, and what the check printed.
fn records(mut bytes: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    std::iter::from_fn(move || {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let header = str::from_utf8(&bytes[..end]).ok()?;
        let length: usize = header.rsplit(' ').next()?.parse().ok()?;
        let (output, rest) = bytes[end + 1..].split_at_checked(length)?;
        bytes = rest;
        Some((header, output))
    })
}

fn parse(bytes: &[u8]) -> Vec<Check> {
    let check = |(header, output): (&str, &[u8])| {
        let mut words = header.split(' ');
        Some(Check {
            started: words.next()?.parse().ok()?,
            ended: words.next()?.parse().ok()?,
            exit_code: words.next()?.parse().ok()?,
            output: String::from_utf8_lossy(output).into_owned(),
        })
    };
    records(bytes).filter_map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::{Check, KEPT, add, parse};
    use crate::folders::ContainerFolder;

    #[test]
    fn the_last_ones_are_kept() {
        let path = std::env::temp_dir().join(format!("health-log-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let folder = ContainerFolder { path: path.clone(), started: path.clone() };
        for number in 0..7 {
            add(&folder, (number, number + 1), -1, format!("a\n{number} 1 2 3\n").as_bytes());
        }
        let bytes = std::fs::read(path.join("health")).unwrap();
        let found = parse(&bytes);
        assert_eq!(found.len(), KEPT);
        let output = "a\n6 1 2 3\n".to_owned();
        assert_eq!(found[4], Check { started: 6, ended: 7, exit_code: -1, output });
        // What is not whole is left out.
        assert_eq!(parse(&bytes[..bytes.len() - 1]).len(), KEPT - 1);
        assert!(parse(b"nonsense\n1 2 3 99999\nx").is_empty());
        std::fs::remove_dir_all(&path).unwrap();
    }
}
