//! containerd and its client `ctr`, with `tino` as the first process of the container.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::commands::{Daemon, end_of, expect_code, find, text_of, wait_until};
use crate::rootfs::{build, has_no_zombie};
use crate::sandbox;

/// A running daemon, and a root file system that its containers use as it is.
pub(crate) struct Containerd {
    server: Server,
    pub(crate) rootfs: PathBuf,
}

/// A running daemon.
pub(crate) struct Server {
    client: PathBuf,
    pub(crate) socket: PathBuf,
    _daemon: Daemon,
}

impl Server {
    /// Has all its files in `folder`.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let (daemon, client) = (find("containerd")?, find("ctr")?);
        let (configuration, log) = (folder.join("config.toml"), folder.join("log"));
        let socket = folder.join("socket");
        fs::write(&configuration, configuration_text(folder, &socket))?;
        let mut daemon = Command::new(daemon);
        daemon.arg("--config").arg(configuration).stdout(File::create(&log)?);
        daemon.stderr(File::options().append(true).open(&log)?);
        let server = Self { client, socket, _daemon: Daemon::start(&mut daemon)? };
        wait_until("containerd answers", || {
            Ok(end_of(&mut server.command("version"))?.code == Some(0))
        })
        .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        Ok(server)
    }

    /// `ctr WORDS`, where `words` are separated by blanks.
    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(&self.client);
        command.arg("--address").arg(&self.socket).args(words.split_whitespace());
        command
    }
}

impl Containerd {
    pub(crate) fn start(scratch: &Path) -> Result<Self> {
        find("runc")?;
        let rootfs = scratch.join("rootfs");
        build(&rootfs)?;
        Ok(Self { server: Server::start(scratch)?, rootfs })
    }

    /// `ctr WORDS`, where `words` are separated by blanks.
    pub(crate) fn command(&self, words: &str) -> Command {
        self.server.command(words)
    }

    /// `ctr run FLAGS --rootfs ... NAME /bin/tino -- WORDS`
    fn run(&self, flags: &str, name: &str, words: &[&str]) -> Command {
        let mut command = self.command(&format!("run {flags} --rootfs"));
        command.arg(&self.rootfs).args([name, "/bin/tino", "--"]).args(words);
        command
    }

    fn told(&self) -> String {
        fs::read_to_string(self.rootfs.join("told")).unwrap_or_default()
    }
}

/// No CRI: it wants a network configuration.
fn configuration_text(scratch: &Path, socket: &Path) -> String {
    format!(
        "version = 2\nroot = \"{scratch}/root\"\nstate = \"{scratch}/state\"\n\
         disabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\"]\n\
         [grpc]\naddress = \"{socket}\"\n",
        scratch = scratch.display(),
        socket = socket.display(),
    )
}

/// Exit codes, signals to a running task, orphans, and a graceful end.
pub(crate) fn exit_code_and_stop() -> Result<()> {
    sandbox::inside(|scratch| {
        let containerd = Containerd::start(scratch)?;
        expect_code(&mut containerd.run("--rm", "seven", &["/bin/sh", "-c", "exit 7"]), 7)?;
        expect_code(&mut containerd.run("--rm", "killed", &["/bin/sh", "-c", "kill -9 $$"]), 137)?;
        let states = text_of(&mut containerd.run("--rm", "orphans", &["/bin/orphans"]))?;
        ensure!(has_no_zombie(&states), "the processes are\n{states}");

        text_of(&mut containerd.run("--detach", "service", &["/bin/service"]))?;
        wait_until("the service is ready", || Ok(containerd.told().contains("ready")))?;
        text_of(&mut containerd.command("task kill --signal SIGUSR1 service"))?;
        wait_until("USR1 arrived", || Ok(containerd.told().contains("usr1")))?;
        text_of(&mut containerd.command("task kill --signal SIGTERM service"))?;
        wait_until("the task has stopped", || {
            Ok(text_of(&mut containerd.command("task ls"))?.contains("STOPPED"))
        })?;
        ensure!(containerd.told() == "ready\nusr1\nterm\n", "told {:?}", containerd.told());
        // `ctr task rm` prints the exit code of the task as a warning.
        let removed = end_of(&mut containerd.command("task rm service"))?;
        ensure!(removed.stderr.contains("non-zero exit code 7"), "task rm says {removed:?}");
        text_of(&mut containerd.command("container rm service"))?;
        Ok(())
    })
}
