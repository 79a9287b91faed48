//! Records of errors, and with `--debug` of what is done, as runc's callers read them.

use crate::failure::{OrFail, Result};
use spec::json::{self, Map, Text};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::SystemTime;
use tinyort::flags;
use tinyort::parse::Flags;

/// Where records go.
#[derive(Debug)]
pub(crate) struct Log {
    /// Without one, standard error.
    file: Option<File>,
    json: bool,
    debug: bool,
}

impl Log {
    /// As the flags say.
    pub(crate) fn open(flags: &Flags) -> Result<Log> {
        let open = |path: &Path| {
            let file = File::options().append(true).create(true).open(path);
            file.or_fail(format_args!("--log {}", path.display()))
        };
        Ok(Log {
            file: flags.path(&flags::LOG).map(open).transpose()?,
            json: flags.text(&flags::LOG_FORMAT) == Some("json"),
            debug: flags.is_on(&flags::DEBUG),
        })
    }

    /// Plain text for people.
    pub(crate) fn stderr() -> Log {
        Log { file: None, json: false, debug: false }
    }

    /// Why a command failed. Callers show the last record of this level, and people standard error.
    pub(crate) fn error(&self, message: &str) {
        if self.file.is_some() || self.json {
            self.record("error", message);
        }
        if self.file.is_some() || !self.json {
            // Nobody to tell that it cannot be told.
            _ = writeln!(std::io::stderr(), "tinyort: {message}");
        }
    }

    /// Something that is not as it should be, and goes on.
    pub(crate) fn warn(&self, message: &str) {
        self.record("warning", message);
    }

    /// What is being done.
    pub(crate) fn debug(&self, message: impl FnOnce() -> String) {
        if self.debug {
            self.record("debug", &message());
        }
    }

    fn record(&self, level: &str, message: &str) {
        let time = runtime::rfc3339(SystemTime::now());
        let record = if self.json {
            let fields: Map<'_, Text<'_>> = [("level", level), ("msg", message), ("time", &time)]
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect();
            json::to_line(&fields).unwrap_or_default()
        } else {
            format!("time={time:?} level={level} msg={message:?}")
        };
        // One write, so that records of several processes do not mix.
        let record = format!("{record}\n");
        let written = match &self.file {
            Some(file) => (&*file).write_all(record.as_bytes()),
            None => std::io::stderr().write_all(record.as_bytes()),
        };
        // Nobody to tell that it cannot be told.
        drop(written);
    }
}
