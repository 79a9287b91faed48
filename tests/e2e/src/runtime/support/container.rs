//! One container: the commands about it, and its removal whatever happens.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{Bundle, groups, runtime};
use crate::support::sys::Change;
use crate::support::{Finished, Launch, Running, processes, scratch, until};

/// A container that may or may not exist yet. Dropping it removes it with its cgroup.
pub(in crate::runtime) struct Container {
    pub(in crate::runtime) id: String,
    pub(in crate::runtime) bundle: Bundle,
    /// The value of `--root`.
    pub(in crate::runtime) root: PathBuf,
    program: PathBuf,
    /// Flags before the verb.
    flags: &'static [&'static str],
}

/// What the container's own program has printed, while it may still run.
pub(in crate::runtime) struct Output {
    stdout: File,
    stderr: File,
}

thread_local! {
    /// How many containers this trial has named. A trial has one thread.
    static NAMED: Cell<u32> = const { Cell::new(0) };
}

impl Container {
    /// Gives the bundle an id of its own and writes it out. Its cgroup has the same name.
    pub(in crate::runtime) fn new(bundle: Bundle) -> Result<Self> {
        let number = NAMED.replace(NAMED.get() + 1);
        if number == 0 {
            groups::remove_stale();
        }
        Self::named(&format!("e2e-{}-{number}", std::process::id()), bundle)
    }

    /// The same with a given id.
    pub(in crate::runtime) fn named(id: &str, bundle: Bundle) -> Result<Self> {
        let program = runtime()?;
        let bundle = match bundle.config.pointer("/linux/cgroupsPath") {
            None => bundle.set("/linux/cgroupsPath", format!("/{id}")),
            Some(_) => bundle,
        };
        bundle.write()?;
        Ok(Self { id: id.to_owned(), bundle, root: scratch("root"), program, flags: &[] })
    }

    /// Writes the configuration anew with a change.
    pub(in crate::runtime) fn change(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let path = self.bundle.folder.join("config.json");
        let mut config = serde_json::from_slice(&std::fs::read(&path)?)?;
        change(&mut config);
        Ok(std::fs::write(path, config.to_string())?)
    }

    /// The same container, managed by another copy of the runtime.
    pub(in crate::runtime) fn with_program(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    /// The same container, each command with these flags before its verb.
    pub(in crate::runtime) fn with_flags(mut self, flags: &'static [&'static str]) -> Self {
        self.flags = flags;
        self
    }

    /// `RUNTIME --root ROOT FLAGS WORDS`.
    pub(in crate::runtime) fn launch(&self, words: &[&str]) -> Launch {
        let launch = Launch::new(&self.program).words(&["--root"]).words(&[&self.root]);
        launch.words(self.flags).words(words)
    }

    /// `VERB --bundle BUNDLE FLAGS ID`, for `create` and `run`.
    pub(in crate::runtime) fn launch_new(&self, verb: &str, flags: &[&str]) -> Launch {
        let launch = self.launch(&[verb, "--bundle"]).words(&[&self.bundle.folder]);
        launch.words(flags).words(&[&self.id])
    }

    /// Runs the container from its creation to its removal.
    pub(in crate::runtime) fn run(&self) -> Result<Finished> {
        self.launch_new("run", &[]).finish()
    }

    /// The output of a `run` that must succeed.
    pub(in crate::runtime) fn output(&self) -> Result<String> {
        let finished = self.run()?;
        finished.expect_code(0)?;
        Ok(finished.stdout)
    }

    /// `create`, which must succeed.
    pub(in crate::runtime) fn create(&self) -> Result<Output> {
        self.create_with(&[])
    }

    /// `create` with flags, which must succeed.
    pub(in crate::runtime) fn create_with(&self, flags: &[&str]) -> Result<Output> {
        Self::follow(self.launch_new("create", flags).start()?)
    }

    /// Waits for a command that leaves the container behind, and returns its output.
    pub(in crate::runtime) fn follow(running: Running) -> Result<Output> {
        let output =
            Output { stdout: running.stdout.try_clone()?, stderr: running.stderr.try_clone()? };
        running.finish()?.expect_code(0)?;
        Ok(output)
    }

    /// `create` and `start`.
    pub(in crate::runtime) fn start(&self) -> Result<Output> {
        let output = self.create()?;
        self.tell("start", &[])?.expect_code(0)?;
        Ok(output)
    }

    /// `create` and `start` of a [`Bundle::service`], which then is ready.
    pub(in crate::runtime) fn start_service(&self) -> Result<Output> {
        let output = self.start()?;
        output.wait_line("ready")?;
        Ok(output)
    }

    /// `VERB ID WORDS`, whatever comes of it.
    pub(in crate::runtime) fn tell(&self, verb: &str, words: &[&str]) -> Result<Finished> {
        self.launch(&[verb, &self.id]).words(words).finish()
    }

    /// `VERB FLAGS ID WORDS`, whatever comes of it.
    pub(in crate::runtime) fn tell_with(
        &self,
        verb: &str,
        flags: &[&str],
        words: &[&str],
    ) -> Result<Finished> {
        self.launch(&[verb]).words(flags).words(&[&self.id]).words(words).finish()
    }

    /// `exec ID sh -c SCRIPT`.
    pub(in crate::runtime) fn exec(&self, script: &str) -> Result<Finished> {
        self.tell("exec", &["/bin/sh", "-c", script])
    }

    /// What `state` says.
    pub(in crate::runtime) fn state(&self) -> Result<Value> {
        let finished = self.tell("state", &[])?;
        finished.expect_code(0)?;
        serde_json::from_str(&finished.stdout).with_context(|| finished.stdout.clone())
    }

    /// `created`, `running`, `paused`, `stopped`.
    pub(in crate::runtime) fn status(&self) -> Result<String> {
        Ok(self.state()?["status"].as_str().context("a status")?.to_owned())
    }

    /// Waits until `state` says so.
    pub(in crate::runtime) fn wait_status(&self, status: &str) -> Result<()> {
        let mut last = String::new();
        let mut is_so = || {
            last = self.status().unwrap_or_else(|error| format!("{error:#}"));
            last == status
        };
        until(&format!("the status is {status}"), &mut is_so).context(last)
    }

    /// The first process, as this process sees it.
    pub(in crate::runtime) fn pid(&self) -> Result<i32> {
        let pid = self.state()?["pid"].as_i64().context("a pid")?;
        Ok(i32::try_from(pid)?)
    }

    /// Kills the container and waits for its end.
    pub(in crate::runtime) fn kill(&self) -> Result<()> {
        self.tell("kill", &["KILL"])?.expect_code(0)?;
        self.wait_status("stopped")
    }

    /// `delete` must succeed, and nothing of the container may be left.
    pub(in crate::runtime) fn delete(&self) -> Result<()> {
        self.tell("delete", &[])?.expect_code(0)?;
        self.expect_gone()
    }

    /// Fails if anything of the container is left: state, cgroups, mounts, processes.
    pub(in crate::runtime) fn expect_gone(&self) -> Result<()> {
        let left = self.remains()?;
        if !left.is_empty() {
            bail!("of {} there are left: {left:#?}", self.id);
        }
        Ok(())
    }

    fn remains(&self) -> Result<Vec<String>> {
        let mut left = Vec::new();
        let states = std::fs::read_dir(&self.root).into_iter().flatten().flatten();
        left.extend(
            states
                .map(|it| it.path())
                .filter(|it| it.ends_with(&self.id))
                .map(|it| format!("state {}", it.display())),
        );
        left.extend(groups::existing(&self.id).iter().map(|it| format!("cgroup {}", it.display())));
        let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
        let folder = self.bundle.folder.to_string_lossy().into_owned();
        let below = |line: &&str| [&*folder, &*self.id].iter().any(|it| line.contains(it));
        left.extend(mounts.lines().filter(below).map(|it| format!("mount {it}")));
        for (pid, _) in processes::all().iter().filter(|(_, stat)| stat.state != 'Z') {
            if self.is_root_of(*pid) {
                left.push(format!("process {pid}"));
            }
        }
        Ok(left)
    }

    /// True if the process sees the container's root file system as `/`.
    pub(in crate::runtime) fn is_root_of(&self, pid: i32) -> bool {
        let identity = |path: PathBuf| std::fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
        let theirs = identity(format!("/proc/{pid}/root").into());
        theirs.is_some() && theirs == identity(self.bundle.rootfs())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Only a container that is still there, so that a test's own deletion is not repeated.
        if self.root.join(&self.id).exists() || !groups::existing(&self.id).is_empty() {
            let _ = self.launch(&["delete", "--force", &self.id]).finish();
            groups::remove(&self.id);
        }
    }
}

impl Output {
    pub(in crate::runtime) fn stdout(&self) -> String {
        contents(&self.stdout)
    }

    pub(in crate::runtime) fn stderr(&self) -> String {
        contents(&self.stderr)
    }

    /// Waits until standard output has the line.
    pub(in crate::runtime) fn wait_line(&self, line: &str) -> Result<()> {
        until(&format!("there is the line `{line}`"), || self.stdout().lines().any(|it| it == line))
            .with_context(|| format!("stdout {:?}, stderr {:?}", self.stdout(), self.stderr()))
    }
}

/// Whether a command succeeded.
pub(in crate::runtime) fn succeeded(finished: &Finished) -> bool {
    finished.change == Change::Exited(0)
}

fn contents(file: &File) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 65536];
    while let Ok(count @ 1..) = file.read_at(&mut chunk, bytes.len() as u64) {
        bytes.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
