//! A started program: its output so far, its end.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::sys::{self, Change};
use super::{processes, until};

/// A program that was started by [`super::Launch`]. Dropping it kills it.
pub(crate) struct Running {
    /// Its id as the trial sees it, even when it is PID 1 of a namespace.
    pub(crate) pid: i32,
    pub(crate) ended: bool,
    pub(crate) stdout: File,
    pub(crate) stderr: File,
}

/// A program that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) change: Change,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn stdout(&self) -> String {
        contents(&self.stdout)
    }

    pub(crate) fn stderr(&self) -> String {
        contents(&self.stderr)
    }

    /// Waits until standard output has the line.
    pub(crate) fn wait_line(&self, line: &str) -> Result<()> {
        until(&format!("there is the line `{line}`"), || {
            self.stdout().lines().any(|it| it == line) || !processes::alive(self.pid)
        })?;
        if !self.stdout().lines().any(|it| it == line) {
            bail!("it ended without the line `{line}`: {:?} {:?}", self.stdout(), self.stderr());
        }
        Ok(())
    }

    /// What follows `prefix` in the first line that begins with it, once the line is complete.
    pub(crate) fn wait_value(&self, prefix: &str) -> Result<String> {
        let mut value = None;
        until(&format!("there is a line `{prefix}...`"), || {
            let text = self.stdout();
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            value = whole.lines().find_map(|line| Some(line.strip_prefix(prefix)?.to_owned()));
            value.is_some() || !processes::alive(self.pid)
        })?;
        value.with_context(|| format!("it ended without `{prefix}`: {:?}", self.stderr()))
    }

    pub(crate) fn send(&self, signal: i32) -> Result<()> {
        sys::send(self.pid, signal).with_context(|| format!("signal {signal} to {}", self.pid))
    }

    /// Whether USR1 reaches the grandchild as it reaches the child; both record signals.
    pub(crate) fn passes_on_to_the_group(&self) -> Result<bool> {
        let count = |text: &str| self.stdout().matches(text).count();
        until("both are ready", || count("ready") == 2)?;
        let child = self.child()?;
        let grandchild = *processes::children(child).first().context("no grandchild")?;
        self.send(libc::SIGUSR1)?;
        until("one has it", || count("got 10 ") >= 1)?;
        // It may have it while the kernel still goes through the group.
        until("it sleeps again", || processes::stat(self.pid).is_some_and(|it| it.state == 'S'))?;
        // Each takes USR1 before USR2, if it was sent that.
        sys::send(grandchild, libc::SIGUSR2)?;
        sys::send(child, libc::SIGUSR2)?;
        until("both have the other", || count("got 12 ") == 2)?;
        Ok(count("got 10 ") == 2)
    }

    /// Its only child, once there is one.
    pub(crate) fn child(&self) -> Result<i32> {
        until("there is a child", || !processes::children(self.pid).is_empty())?;
        match processes::children(self.pid)[..] {
            [child] => Ok(child),
            ref others => bail!("expected one child, found {others:?}"),
        }
    }

    /// Waits for its end.
    pub(crate) fn finish(self) -> Result<Finished> {
        self.finish_within(Duration::from_secs(120))
    }

    /// The same for what may take longer.
    pub(crate) fn finish_within(mut self, patience: Duration) -> Result<Finished> {
        let pid = Pid::from_raw(self.pid).context("a pid")?;
        let handle = pidfd_open(pid, PidfdFlags::empty())?;
        let limit = Timespec::try_from(patience)?;
        if poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit))? == 0 {
            let shown = (self.stdout(), self.stderr());
            bail!("waited in vain for its end; stdout {:?}, stderr {:?}", shown.0, shown.1);
        }
        let (_, change) = sys::wait(self.pid, 0)?.context("wait returned nothing")?;
        self.ended = true;
        Ok(Finished { change, stdout: self.stdout(), stderr: self.stderr() })
    }

    /// True when it has not ended by now. Says nothing of later.
    pub(crate) fn still_runs(&self) -> bool {
        processes::alive(self.pid)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            // It may have ended by itself; either way it is gone afterwards.
            let _ = sys::send(self.pid, libc::SIGKILL);
            let _ = sys::wait(self.pid, 0);
        }
    }
}

impl Finished {
    /// The exit code; fails when a signal killed it.
    pub(crate) fn code(&self) -> Result<i32> {
        match self.change {
            Change::Exited(code) => Ok(code),
            change => bail!("{change:?} instead of an exit code: {:?}", self.stderr),
        }
    }

    /// Fails unless it exited with `code`; shows what it said otherwise.
    pub(crate) fn expect_code(&self, code: i32) -> Result<&Self> {
        if self.change != Change::Exited(code) {
            bail!(
                "expected exit code {code}, found {:?}; stdout {:?}, stderr {:?}",
                self.change,
                self.stdout,
                self.stderr
            );
        }
        Ok(self)
    }

    /// Fails unless standard error contains `text`.
    pub(crate) fn expect_stderr(&self, text: &str) -> Result<&Self> {
        if !self.stderr.contains(text) {
            bail!("expected {text:?} in stderr, found {:?}", self.stderr);
        }
        Ok(self)
    }

    /// Fails unless standard output contains `text`.
    pub(crate) fn expect_stdout(&self, text: &str) -> Result<&Self> {
        if !self.stdout.contains(text) {
            bail!("expected {text:?} in stdout, found {:?}; stderr {:?}", self.stdout, self.stderr);
        }
        Ok(self)
    }

    /// Fails unless nothing was written to standard error.
    pub(crate) fn expect_quiet(&self) -> Result<&Self> {
        if !self.stderr.is_empty() {
            bail!("expected silence, found {:?}", self.stderr);
        }
        Ok(self)
    }
}

fn contents(file: &File) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 65536];
    while let Ok(count @ 1..) = file.read_at(&mut chunk, bytes.len() as u64) {
        bytes.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
