//! `tinyo` with a store of its own, and none of the machine's configuration.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::scratch;

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn command<Word: AsRef<OsStr>>(store: &Path, words: &[Word]) -> Command {
    let mut command = Command::new(harness::tinyo());
    command.arg("--root").arg(store).args(words);
    command.env_clear().env("HOME", scratch("home")).env("PATH", "/usr/sbin:/usr/bin:/bin");
    command.env("CONTAINERS_REGISTRIES_CONF", scratch("registries.conf"));
    command.stdin(Stdio::null());
    command
}

pub(crate) fn end_of(command: &mut Command) -> Result<Done> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    Ok(Done {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}
