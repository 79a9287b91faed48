//! What the monitor has seen of its container: a small file that it appends to, so that the last
//! record holds. Whether anything runs is not believed of it, but asked of the kernel.
//!
//! To replace the file each time would have the disk work while the container waits: where a file
//! takes another one's place, ext4 writes it at once.

use crate::error::{Error, Result};
use crate::folders::ContainerFolder;
use crate::small_file;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// So many bytes the file may have: a block of most disks, so that what is appended finds room on
/// a full one.
const LONGEST: u64 = 4096;

/// Its name in a container's folder.
const FILE: &str = "state";

/// What is behind each record.
const END: &str = "\n\n";

/// What a container was doing when its monitor last wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It has never run.
    #[default]
    Created,
    /// It runs.
    Running,
    /// It has ended and is about to be started again.
    Restarting,
    /// It has ended.
    Exited,
}

/// Whether a container works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthStatus {
    /// Not known yet.
    Starting,
    /// It does.
    Healthy,
    /// It does not.
    Unhealthy,
}

/// What the monitor has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What it was doing.
    pub phase: Phase,
    /// Its first process.
    pub pid: i32,
    /// When its program was last started, in nanoseconds since 1970.
    pub started: u64,
    /// When it last ended.
    pub finished: u64,
    /// How it last ended.
    pub exit_code: u8,
    /// Whether the kernel killed one of its processes because memory was short.
    pub oom: bool,
    /// How often the monitor has started it again.
    pub restarts: u32,
    /// Whether it works, and how many checks in a row have failed.
    pub health: Option<(HealthStatus, u32)>,
    /// Why it could not be started.
    pub error: String,
}

impl Phase {
    const NAMES: [(Phase, &str); 4] = [
        (Phase::Created, "created"),
        (Phase::Running, "running"),
        (Phase::Restarting, "restarting"),
        (Phase::Exited, "exited"),
    ];
}

impl HealthStatus {
    const NAMES: [(HealthStatus, &str); 3] = [
        (HealthStatus::Starting, "starting"),
        (HealthStatus::Healthy, "healthy"),
        (HealthStatus::Unhealthy, "unhealthy"),
    ];

    /// As Docker calls it.
    pub fn name(self) -> &'static str {
        name_of(&Self::NAMES, self)
    }
}

fn name_of<T: Copy + PartialEq>(names: &[(T, &'static str)], value: T) -> &'static str {
    names.iter().find(|(known, _)| *known == value).map_or("", |(_, name)| name)
}

fn named<T: Copy>(names: &[(T, &'static str)], text: &str) -> Option<T> {
    names.iter().find(|(_, name)| *name == text).map(|(value, _)| *value)
}

impl State {
    /// A container that never ran has none.
    pub(crate) fn read(folder: &ContainerFolder) -> Result<State> {
        for path in [folder.started.join(FILE), folder.file(FILE)] {
            if let Some(text) = small_file::read(&path).map_err(Error::file(&path))? {
                return Ok(State::parse(&text));
            }
        }
        Ok(State::default())
    }

    /// On a disk that takes nothing any more, it is with what does not outlive the machine.
    pub(crate) fn write(&self, folder: &ContainerFolder) -> Result<()> {
        let (path, instead) = (folder.file(FILE), folder.started.join(FILE));
        let text = self.to_text();
        match append(&path, text.as_bytes()) {
            Err(error) if small_file::takes_nothing(&error) => {
                small_file::replace(&instead, text.as_bytes()).map_err(Error::file(instead))
            }
            written => {
                written.map_err(Error::file(path))?;
                // Mostly there is none.
                match fs::remove_file(&instead) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(Error::File { path: instead, error })
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// The same, but a container does not end, and is no less ended, where nothing can be written.
    pub(crate) fn write_if_possible(&self, folder: &ContainerFolder) -> Result<()> {
        match self.write(folder) {
            Err(Error::File { error, .. }) if small_file::takes_nothing(&error) => Ok(()),
            written => written,
        }
    }

    fn to_text(&self) -> String {
        let mut text = format!(
            "phase {}\npid {}\nstarted {}\nfinished {}\nexit_code {}\noom {}\nrestarts {}\n",
            name_of(&Phase::NAMES, self.phase),
            self.pid,
            self.started,
            self.finished,
            self.exit_code,
            self.oom,
            self.restarts,
        );
        if let Some((status, failures)) = self.health {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "health {} {failures}", status.name());
        }
        if !self.error.is_empty() {
            let _ = writeln!(text, "error {}", self.error.replace('\n', " "));
        }
        text.push('\n');
        text
    }

    /// The last record that is whole. A file without any end is one record, as all once were.
    fn parse(text: &str) -> State {
        let mut state = State::default();
        let text = text.rfind(END).map_or(text, |end| &text[..end]);
        let text = text.rsplit(END).next().unwrap_or_default();
        for (key, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            match key {
                "phase" => state.phase = named(&Phase::NAMES, value).unwrap_or_default(),
                "pid" => state.pid = value.parse().unwrap_or_default(),
                "started" => state.started = value.parse().unwrap_or_default(),
                "finished" => state.finished = value.parse().unwrap_or_default(),
                "exit_code" => state.exit_code = value.parse().unwrap_or_default(),
                "oom" => state.oom = value == "true",
                "restarts" => state.restarts = value.parse().unwrap_or_default(),
                "health" => {
                    state.health = value.split_once(' ').and_then(|(status, failures)| {
                        Some((named(&HealthStatus::NAMES, status)?, failures.parse().ok()?))
                    });
                }
                "error" => value.clone_into(&mut state.error),
                _ => {}
            }
        }
        state
    }
}

/// Whoever reads it meanwhile sees the record or not, never a part, as it is written at one stroke.
fn append(path: &Path, record: &[u8]) -> io::Result<()> {
    let mut file = File::options().append(true).create(true).open(path)?;
    let length = file.metadata()?.len();
    if length + record.len() as u64 <= LONGEST {
        let appended = file.write_all(record);
        if appended.is_ok() {
            return appended;
        }
        // Nothing half: the next record would go on with it.
        file.set_len(length)?;
    }
    // A full disk must not be the end of a program that runs.
    small_file::replace_even_on_full_disk(path, record)
}

#[cfg(test)]
mod tests {
    use super::{HealthStatus, LONGEST, Phase, State, append};

    #[test]
    fn what_is_written_is_read() {
        let state = State {
            phase: Phase::Restarting,
            pid: 7,
            started: u64::MAX,
            finished: 1,
            exit_code: 137,
            oom: true,
            restarts: 3,
            health: Some((HealthStatus::Unhealthy, 4)),
            error: "two\nlines".to_owned(),
        };
        let read = State::parse(&state.to_text());
        assert_eq!(read, State { error: "two lines".to_owned(), ..state });
        assert_eq!(State::parse(""), State::default());
    }

    #[test]
    fn the_last_record_that_is_whole_holds() {
        let first = State { phase: Phase::Running, pid: 7, ..State::default() };
        let last = State { phase: Phase::Exited, exit_code: 3, ..State::default() };
        let text = first.to_text() + &last.to_text();
        assert_eq!(State::parse(&text), last);
        let length = first.to_text().len();
        for cut in length..text.len() {
            assert_eq!(State::parse(&text[..cut]), first, "{cut}");
        }
    }

    #[test]
    fn the_file_stays_small() {
        let path = std::env::temp_dir().join(format!("tinyo-state-{}", std::process::id()));
        for pid in 0..1000 {
            append(&path, State { pid, ..State::default() }.to_text().as_bytes()).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.len() as u64 <= LONGEST, "{}", text.len());
            assert_eq!(State::parse(&text).pid, pid);
        }
        std::fs::remove_file(path).unwrap();
    }
}
