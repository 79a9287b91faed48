//! Docker's daemon and client, with `tino` as the `docker-init` of `docker run --init`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::commands::{Daemon, end_of, expect_code, find, text_of, wait_until};
use crate::containerd::Server;
use crate::rootfs::{build_tar, copy_tino, has_no_zombie};
use crate::sandbox;
use crate::terminal::{BUSY, SIZE, Terminal};

/// A running daemon that has the image `box`.
pub(crate) struct Docker {
    client: PathBuf,
    socket: PathBuf,
    // Ended in this order.
    _daemon: Daemon,
    _containerd: Server,
}

/// How the daemon runs, beside what all tests have in common.
#[derive(Default)]
pub(crate) struct Setup {
    /// The runtime of its containers, if not the packaged one.
    pub(crate) runtime: Option<PathBuf>,
    /// A bridge for the containers, of which a port can be published.
    pub(crate) bridge: bool,
    /// More flags.
    pub(crate) flags: &'static [&'static str],
}

impl Docker {
    fn start(scratch: &Path) -> Result<Self> {
        Self::start_with(scratch, &Setup::default())
    }

    pub(crate) fn start_with(scratch: &Path, setup: &Setup) -> Result<Self> {
        let client = find("docker")?;
        // It gives one that it starts itself only 15 seconds to answer.
        let folder = scratch.join("containerd");
        fs::create_dir(&folder)?;
        let containerd = Server::start(&folder)?;
        let init = scratch.join("docker-init");
        copy_tino(&init)?;
        let (socket, log) = (scratch.join("socket"), scratch.join("log"));
        let mut daemon = Command::new(find("dockerd")?);
        daemon
            .args(["--iptables=false", "--ip6tables=false", "--ip-masq=false"])
            .args(["--ip-forward=false", "--storage-driver=overlay2"])
            .args(["--exec-opt", "native.cgroupdriver=cgroupfs"])
            .arg("--host")
            .arg(format!("unix://{}", socket.display()))
            .arg("--containerd")
            .arg(&containerd.socket)
            .arg("--data-root")
            .arg(scratch.join("data"))
            .arg("--exec-root")
            .arg(scratch.join("exec"))
            .arg("--pidfile")
            .arg(scratch.join("pid"))
            .arg("--init-path")
            .arg(init)
            .args(setup.flags)
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?);
        if let Some(runtime) = &setup.runtime {
            let runtime = format!("tested={}", runtime.display());
            daemon.arg("--add-runtime").arg(runtime).arg("--default-runtime=tested");
        }
        if !setup.bridge {
            daemon.args(["--bridge=none", "--userland-proxy=false"]);
        }
        let daemon = Daemon::start(&mut daemon)?;
        let docker = Self { client, socket, _daemon: daemon, _containerd: containerd };
        wait_until("dockerd answers", || Ok(end_of(&mut docker.command("info"))?.code == Some(0)))
            .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        text_of(docker.command("import").arg(build_tar(scratch)?).arg("box"))?;
        Ok(docker)
    }

    /// `docker WORDS`, where `words` are separated by blanks.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(&self.client);
        command.arg("--host").arg(format!("unix://{}", self.socket.display()));
        command.args(words.split_whitespace());
        command
    }

    /// `docker run --init ... box WORDS`
    fn run(&self, flags: &str, words: &[&str]) -> Command {
        self.run_plain(&format!("--init --network none {flags}"), words)
    }

    /// `docker run ... box WORDS`
    pub(crate) fn run_plain(&self, flags: &str, words: &[&str]) -> Command {
        let mut command = self.command(&format!("run {flags} box"));
        command.args(words);
        command
    }

    /// Starts the script `service` in the background and waits until its traps are set.
    fn start_service(&self, name: &str) -> Result<()> {
        text_of(&mut self.run(&format!("--detach --name {name}"), &["service"]))?;
        self.wait_for_log(name, "ready")
    }

    pub(crate) fn wait_for_log(&self, name: &str, line: &str) -> Result<()> {
        wait_until(&format!("{name} says {line}"), || {
            Ok(text_of(&mut self.command(&format!("logs {name}")))?.lines().any(|it| it == line))
        })
    }

    pub(crate) fn inspect(&self, name: &str, field: &str) -> Result<String> {
        text_of(&mut self.command(&format!("inspect --format {{{{{field}}}}} {name}")))
    }
}

fn with_docker(check: impl FnOnce(&Docker) -> Result<()>) -> Result<()> {
    sandbox::inside(|scratch| check(&Docker::start(scratch)?))
}

/// The daemon runs `docker-init --version` and takes the version from what it prints.
pub(crate) fn version_is_understood() -> Result<()> {
    with_docker(|docker| {
        let components =
            text_of(docker.command("version --format").arg("{{json .Server.Components}}"))?;
        let components: serde_json::Value = serde_json::from_str(&components)?;
        let component = |name| components.as_array()?.iter().find(|it| it["Name"] == name);
        let init = component("docker-init").context("no docker-init among the components")?;
        ensure!(init["Version"] == "0.19.0", "docker-init is {init}");
        let info = end_of(&mut docker.command("info"))?;
        ensure!(info.stdout.contains("Init Binary: /"), "docker info says {}", info.stdout);
        ensure!(!info.stderr.contains("init"), "docker info warns {}", info.stderr);
        Ok(())
    })
}

/// Exit codes, a graceful stop, signals, and a container that must be killed.
pub(crate) fn run_stop_kill() -> Result<()> {
    with_docker(|docker| {
        let ended =
            expect_code(&mut docker.run("--rm", &["sh", "-c", "cat /proc/1/cmdline; exit 7"]), 7)?;
        ensure!(
            ended.stdout.starts_with("/sbin/docker-init\0--\0sh\0"),
            "PID 1 is {:?}",
            ended.stdout
        );
        expect_code(&mut docker.run("--rm", &["sh", "-c", "kill -9 $$"]), 137)?;
        expect_code(&mut docker.run("--rm", &["/no/such/program"]), 127)?;
        expect_code(&mut docker.run("--rm", &["/etc/passwd"]), 126)?;

        docker.start_service("service")?;
        text_of(&mut docker.command("kill --signal USR1 service"))?;
        docker.wait_for_log("service", "usr1")?;
        text_of(&mut docker.command("stop --time 30 service"))?;
        docker.wait_for_log("service", "term")?;
        let code = docker.inspect("service", ".State.ExitCode")?;
        ensure!(code == "7", "stopped gracefully, the exit code is {code} and not 7");

        text_of(&mut docker.run(
            "--detach --name deaf",
            &["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"],
        ))?;
        docker.wait_for_log("deaf", "ready")?;
        text_of(&mut docker.command("stop --time 1 deaf"))?;
        let code = docker.inspect("deaf", ".State.ExitCode")?;
        ensure!(code == "137", "killed, the exit code is {code} and not 137");
        Ok(())
    })
}

/// Orphans end as nobody's zombies; `docker exec` works beside them.
pub(crate) fn orphans_are_reaped() -> Result<()> {
    with_docker(|docker| {
        let states = text_of(&mut docker.run("--rm", &["orphans"]))?;
        ensure!(has_no_zombie(&states), "the processes are\n{states}");

        docker.start_service("service")?;
        let states = text_of(&mut docker.command("exec service orphans"))?;
        ensure!(has_no_zombie(&states), "after docker exec the processes are\n{states}");
        Ok(())
    })
}

/// `docker run --init -it`: the shell owns the terminal, so job control and Ctrl-C work.
pub(crate) fn terminal() -> Result<()> {
    with_docker(|docker| {
        let mut terminal = Terminal::start(&mut docker.run("-it --rm", &["sh"]))?;
        terminal.type_and_expect("", "# ")?;
        terminal.type_and_expect(SIZE, "24 80")?;
        terminal.type_and_expect(&format!("{BUSY} | cat\r"), "started")?;
        terminal.type_and_expect("\x03", "# ")?;
        terminal.type_and_expect("echo code $?\r", "code 130")?;
        terminal.type_and_expect(&format!("{BUSY}\r"), "started")?;
        terminal.type_and_expect("\x1a", "Stopped")?;
        terminal.type_and_expect("fg\r", "goes on")?;
        terminal.type_and_expect("\x03", "# ")?;
        let code = terminal.type_and_wait("exit 5\r")?;
        ensure!(code == Some(5), "docker run ended with {code:?} and not 5");
        Ok(())
    })
}

/// Options by variables, where `--init` leaves no place for them, and the profile of this repository
/// that lets Landlock through.
pub(crate) fn landlock_by_variable_under_our_seccomp_profile() -> Result<()> {
    const PROFILE: &str = include_str!("../../../contrib/docker/seccomp-landlock.json");
    sandbox::inside(|scratch| {
        let docker = Docker::start(scratch)?;
        let profile = scratch.join("seccomp.json");
        fs::write(&profile, PROFILE)?;
        let seccomp = format!("--rm --security-opt seccomp={}", profile.display());
        let script = "echo in >/tmp/here && cat /tmp/here; echo out >/etc/there || echo refused";
        let flags = format!("{seccomp} --env TINO_WRITE_PRESET=tmp");
        let ended = expect_code(&mut docker.run(&flags, &["sh", "-c", script]), 0)?;
        ensure!(ended.stdout == "in\nrefused\n", "it says {:?}", ended.stdout);
        // The same profile refuses what administers the machine, even to root.
        let ended = expect_code(
            &mut docker
                .run(&seccomp, &["sh", "-c", "swapoff -a; mount -t tmpfs t /tmp || echo refused"]),
            0,
        )?;
        ensure!(ended.stdout == "refused\n", "it says {:?}", ended.stdout);
        Ok(())
    })
}
