//! Starts a contestant behind a gate: a process that waits for a word before it executes the
//! contestant, so that a tracer can be in place, and its process id known, before the start.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::contestant::OF_CARGO;
use crate::process::children;

/// Whether the contestant is PID 1 of a PID namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is.
    First,
    /// It is a process like any other.
    Ordinary,
}

/// A contestant that waits behind the gate, or runs. Dropping it kills it.
#[derive(Debug)]
pub struct Gate {
    /// `unshare`, or the contestant itself.
    started: Child,
    keyhole: ChildStdin,
    stdout: ChildStdout,
    /// The contestant as this process sees it.
    pub pid: Pid,
}

impl Gate {
    /// Starts `bench-actor gate WORDS`, which waits. Standard error goes nowhere, standard output
    /// to [`Gate::output`].
    pub fn start(actor: &Path, role: Role, words: &[&Path]) -> Result<Self> {
        let mut command = match role {
            Role::Ordinary => Command::new(actor),
            Role::First => {
                let mut unshare = Command::new("unshare");
                unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"]).arg(actor);
                unshare
            }
        };
        command.arg("gate").args(words).env_remove(OF_CARGO);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut started = command.spawn().with_context(|| format!("{command:?}"))?;
        let keyhole = started.stdin.take().context("no standard input")?;
        let mut stdout = started.stdout.take().context("no standard output")?;
        stdout
            .read_exact(&mut [0])
            .context("the gate did not start (root and unshare are needed)")?;
        let own = Pid::from_raw(i32::try_from(started.id())?);
        let pid = match role {
            Role::Ordinary => own,
            Role::First => *children(own)?.first().context("unshare started nothing")?,
        };
        Ok(Self { started, keyhole, stdout, pid })
    }

    /// Lets the contestant start.
    pub fn open(&mut self) -> Result<()> {
        Ok(self.keyhole.write_all(b"!")?)
    }

    /// What the contestant and its children print, until all of them have closed it.
    pub fn output(&mut self) -> Result<String> {
        let mut text = String::new();
        self.stdout.read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // The children first: those of an ordinary process would outlive it.
        for pid in children(self.pid).unwrap_or_default().into_iter().chain([self.pid]) {
            let _ = kill(pid, Signal::SIGKILL);
        }
        let _ = self.started.wait();
    }
}
