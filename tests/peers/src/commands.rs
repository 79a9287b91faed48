//! Running the peers' programs: a failure says what was run and what it printed.

use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// Where `program` is, or the trial is skipped. Debian's own folders come first, so that a
/// newer client in `/usr/local` is not mistaken for the packaged one.
pub(crate) fn find(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].map(PathBuf::from);
    let found = folders
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file());
    match found {
        Some(program) => Ok(program),
        None => Err(harness::skip(format!("{program} is not installed")).unwrap_err()),
    }
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `command` to its end, whatever its exit code.
pub(crate) fn end_of(command: &mut Command) -> Result<Ended> {
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("{command:?}"))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) })
}

/// Runs `command`, which must succeed, and returns what it printed without the last newline.
pub(crate) fn text_of(command: &mut Command) -> Result<String> {
    let ended = end_of(command)?;
    ensure!(ended.code == Some(0), "{command:?}: {ended:#?}");
    Ok(ended.stdout.trim_end().to_owned())
}

/// Runs `command` and checks its exit code.
pub(crate) fn expect_code(command: &mut Command, code: i32) -> Result<Ended> {
    let ended = end_of(command)?;
    ensure!(ended.code == Some(code), "{command:?}: expected exit code {code}: {ended:#?}");
    Ok(ended)
}

/// Asks until the answer is yes, at most three minutes: no measure of speed, but the end of a hang. In
/// an emulated machine a daemon takes half a minute to start.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(180);
    while !is_so()? {
        if Instant::now() > deadline {
            bail!("gave up waiting until {what}");
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A process in the background. Dropping it ends it: TERM, and KILL after ten seconds.
#[derive(Debug)]
pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn().with_context(|| format!("{command:?}"))?))
    }

    /// Waits for the process to end by itself, as long as [`wait_until`] does.
    pub(crate) fn wait(&mut self) -> Result<Option<i32>> {
        let mut code = None;
        wait_until("the program ends", || {
            let status = self.0.try_wait()?;
            code = status.and_then(|status| status.code());
            Ok(status.is_some())
        })?;
        Ok(code)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The runtime under test, or the trial is skipped.
pub(crate) fn runtime() -> Result<PathBuf> {
    let path = harness::tinyort();
    if !path.is_file() {
        harness::skip(format!("there is no runtime at {}", path.display()))?;
    }
    // Peers are started in folders of their own.
    Ok(std::path::absolute(path)?)
}

/// Whether another runtime than ours is tried in its place.
pub(crate) fn is_stand_in() -> bool {
    harness::tinyort().file_name().is_some_and(|name| name != "tinyort")
}
