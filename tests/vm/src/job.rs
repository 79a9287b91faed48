//! What the host asks `vm-init` to do, and what comes back: two tiny formats, both ends here.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A command for the guest. It travels as the file [`Job::PATH`] in the initramfs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The whole environment; nothing is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// The working directory.
    pub directory: OsString,
    /// Kernel modules to load, as paths in the guest, each after those it needs.
    pub modules: Vec<OsString>,
    /// Whether the root is the host's, by virtiofs, below a throw-away layer.
    pub host_root: bool,
}

impl Job {
    /// Where `vm-init` finds its job.
    pub const PATH: &str = "/vm-job";

    /// A command in `/` with a plain `PATH` and `HOME`.
    pub fn new<S: AsRef<OsStr>>(command: impl IntoIterator<Item = S>) -> Self {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        Self {
            command: command.into_iter().map(|word| word.as_ref().to_owned()).collect(),
            environment: vec![
                ("PATH".into(), path.into()),
                ("HOME".into(), "/root".into()),
                ("TERM".into(), "dumb".into()),
            ],
            directory: "/".into(),
            ..Self::default()
        }
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let name = name.into();
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
        self
    }

    /// Fields `KEY=VALUE`, each ended by a NUL, which no value can hold.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut field = |key: &str, value: &OsStr| {
            bytes.extend_from_slice(key.as_bytes());
            bytes.push(b'=');
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(0);
        };
        self.command.iter().for_each(|word| field("word", word));
        for (name, value) in &self.environment {
            let mut both = name.clone();
            both.push("=");
            both.push(value);
            field("variable", &both);
        }
        field("directory", &self.directory);
        self.modules.iter().for_each(|module| field("module", module));
        if self.host_root {
            field("host_root", OsStr::new("yes"));
        }
        bytes
    }

    /// Reads what [`Job::encode`] wrote; `None` if it is anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut job = Self::default();
        for field in bytes.strip_suffix(b"\0")?.split(|byte| *byte == 0) {
            let (key, value) = split_at_equals(field)?;
            let owned = OsString::from_vec(value.to_vec());
            match key {
                b"word" => job.command.push(owned),
                b"variable" => {
                    let (name, value) = split_at_equals(value)?;
                    let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
                    job.environment.push((text(name), text(value)));
                }
                b"directory" => job.directory = owned,
                b"module" => job.modules.push(owned),
                b"host_root" => job.host_root = true,
                _ => return None,
            }
        }
        Some(job)
    }
}

fn split_at_equals(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = field.iter().position(|byte| *byte == b'=')?;
    Some((&field[..at], &field[at + 1..]))
}

/// How the command ended, as one line on the status port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
    /// It was never started, and why.
    NotStarted(String),
}

impl Status {
    /// The line for the port, with its end.
    pub fn encode(&self) -> String {
        match self {
            Self::Exited(code) => format!("exited {code}\n"),
            Self::Killed(signal) => format!("killed {signal}\n"),
            Self::NotStarted(reason) => format!("not started: {}\n", reason.replace('\n', " ")),
        }
    }

    /// Reads a whole line; `None` if the machine ended before it was complete.
    pub fn decode(text: &str) -> Option<Self> {
        let line = text.strip_suffix('\n')?;
        if let Some(reason) = line.strip_prefix("not started: ") {
            return Some(Self::NotStarted(reason.to_owned()));
        }
        match line.split_once(' ')? {
            ("exited", code) => code.parse().ok().map(Self::Exited),
            ("killed", signal) => signal.parse().ok().map(Self::Killed),
            _ => None,
        }
    }

    /// What a shell would have in `$?`.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Exited(code) => *code,
            Self::Killed(signal) => 128 + signal,
            Self::NotStarted(_) => 127,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Job, Status};
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn a_job_survives_the_journey() {
        let mut job =
            Job::new(["sh", "-c", "a=b\nc", ""]).variable("PATH", "").variable("X", "a=b");
        job.command.push(OsString::from_vec(vec![0xff, b'=']));
        job.modules.push("/lib/a.ko".into());
        job.host_root = true;
        assert_eq!(Job::decode(&job.encode()), Some(job));
    }

    #[test]
    fn a_cut_job_is_refused() {
        let bytes = Job::new(["true"]).encode();
        assert_eq!(Job::decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(Job::decode(b"unknown=1\0"), None);
    }

    #[test]
    fn a_status_survives_and_half_a_line_does_not_count() {
        for status in
            [Status::Exited(3), Status::Killed(9), Status::NotStarted("no such file".into())]
        {
            assert_eq!(Status::decode(&status.encode()), Some(status));
        }
        assert_eq!(Status::decode("exited 1"), None);
        assert_eq!(Status::decode(""), None);
    }
}
