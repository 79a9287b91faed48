//! Podman, with `tino` as the init of `podman run --init` and as the pause process of a pod.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::commands::{end_of, expect_code, find, text_of, wait_until};
use crate::rootfs::{build_tar, copy_tino, has_no_zombie};
use crate::sandbox;

/// Podman with folders of its own, in which the image `box` is.
pub(crate) struct Podman {
    program: PathBuf,
    runtime: PathBuf,
    scratch: PathBuf,
}

impl Podman {
    fn prepare(scratch: &Path) -> Result<Self> {
        Self::prepare_with(scratch, PathBuf::from("runc"))
    }

    /// With containers run by `runtime`.
    pub(crate) fn prepare_with(scratch: &Path, runtime: PathBuf) -> Result<Self> {
        let podman = Self { program: find("podman")?, runtime, scratch: scratch.to_owned() };
        find("conmon")?;
        find("runc")?;
        // Podman looks for a program of this name to make its pause image.
        fs::create_dir(scratch.join("programs"))?;
        let init = scratch.join("programs/catatonit");
        copy_tino(&init)?;
        fs::write(scratch.join("containers.conf"), configuration(&init))?;
        text_of(
            podman.command("import --quiet").arg(build_tar(scratch)?).arg("localhost/box:latest"),
        )?;
        Ok(podman)
    }

    /// `podman WORDS`, where `words` are separated by blanks.
    pub(crate) fn command(&self, words: &str) -> Command {
        let folder = |name: &str| self.scratch.join(name);
        let mut command = Command::new(&self.program);
        command
            // When a container runs out of memory, conmon writes a file `oom` to where it was started.
            .current_dir(&self.scratch)
            .env("CONTAINERS_CONF", folder("containers.conf"))
            .arg("--runtime")
            .arg(&self.runtime)
            .args(["--cgroup-manager=cgroupfs", "--storage-driver=overlay"])
            .args(["--events-backend=file", "--log-level=error"])
            .arg("--root")
            .arg(folder("root"))
            .arg("--runroot")
            .arg(folder("runroot"))
            .arg("--tmpdir")
            .arg(folder("tmp"))
            .args(words.split_whitespace());
        command
    }

    /// `podman run --init ... box WORDS`
    fn run(&self, flags: &str, words: &[&str]) -> Command {
        self.run_plain(&format!("--init --network none {flags}"), words)
    }

    /// `podman run ... box WORDS`
    pub(crate) fn run_plain(&self, flags: &str, words: &[&str]) -> Command {
        let mut command = self.command(&format!("run {flags} localhost/box"));
        command.args(words);
        command
    }

    /// Removes containers that may run. Podman's own clean-up after their end gets into its way now
    /// and then, with crun and runc as well.
    pub(crate) fn remove(&self, names: &str) -> Result<()> {
        wait_until(&format!("{names} can be removed"), || {
            match text_of(&mut self.command(&format!("rm --force --ignore --time 0 {names}"))) {
                Err(error) if format!("{error:?}").contains("device or resource busy") => Ok(false),
                removed => removed.map(|_| true),
            }
        })
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

/// The limits: Podman asks for ones above the hard limits, which needs `CAP_SYS_RESOURCE`.
fn configuration(init: &Path) -> String {
    format!(
        "[containers]\ninit_path = \"{init}\"\n\
         netns = \"none\"\n\
         default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
         [engine]\nhelper_binaries_dir = [\"{folder}\", \"/usr/lib/podman\"]\n",
        init = init.display(),
        folder = init.parent().unwrap_or(init).display(),
    )
}

fn with_podman(check: impl FnOnce(&Podman) -> Result<()>) -> Result<()> {
    sandbox::inside(|scratch| check(&Podman::prepare(scratch)?))
}

/// What ends the program is what `podman run` ends with.
pub(crate) fn exit_codes() -> Result<()> {
    with_podman(|podman| {
        let ended =
            expect_code(&mut podman.run("--rm", &["sh", "-c", "cat /proc/1/cmdline; exit 7"]), 7)?;
        ensure!(
            ended.stdout.starts_with("/run/podman-init\0--\0sh\0"),
            "PID 1 is {:?}",
            ended.stdout
        );
        expect_code(&mut podman.run("--rm", &["sh", "-c", "kill -9 $$"]), 137)?;
        // The personality is Podman's own init, which ends with 1 when it cannot start.
        let ended = end_of(&mut podman.run("--rm", &["/no/such/program"]))?;
        ensure!(matches!(ended.code, Some(1 | 127)), "a program that is not there: {ended:?}");
        Ok(())
    })
}

/// A graceful stop, a signal, and a container that must be killed.
pub(crate) fn stop_and_kill() -> Result<()> {
    with_podman(|podman| {
        text_of(&mut podman.run("--detach --name service", &["service"]))?;
        podman.wait_for_log("service", "ready")?;
        text_of(&mut podman.command("kill --signal USR1 service"))?;
        podman.wait_for_log("service", "usr1")?;
        text_of(&mut podman.command("stop --time 30 service"))?;
        podman.wait_for_log("service", "term")?;
        let code = podman.inspect("service", ".State.ExitCode")?;
        ensure!(code == "7", "stopped gracefully, the exit code is {code} and not 7");

        text_of(&mut podman.run(
            "--detach --name deaf",
            &["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"],
        ))?;
        podman.wait_for_log("deaf", "ready")?;
        text_of(&mut podman.command("stop --time 1 deaf"))?;
        let code = podman.inspect("deaf", ".State.ExitCode")?;
        ensure!(code == "137", "killed, the exit code is {code} and not 137");
        Ok(())
    })
}

/// Orphans end as nobody's zombies, in `podman run` and in `podman exec`.
pub(crate) fn orphans_are_reaped() -> Result<()> {
    with_podman(|podman| {
        let states = text_of(&mut podman.run("--rm", &["orphans"]))?;
        ensure!(has_no_zombie(&states), "the processes are\n{states}");

        text_of(&mut podman.run("--detach --name service", &["service"]))?;
        podman.wait_for_log("service", "ready")?;
        let states = text_of(&mut podman.command("exec service orphans"))?;
        ensure!(has_no_zombie(&states), "after podman exec the processes are\n{states}");
        Ok(())
    })
}

/// Podman builds its pause image from a program called `catatonit`, run as `catatonit -P`.
pub(crate) fn pod_with_catatonit_as_pause() -> Result<()> {
    with_podman(|podman| check_pod(podman, "", "/catatonit\0-P\0"))
}

/// An infra container of our own making: `tino` called `pause`.
pub(crate) fn pod_with_pause_as_infra_command() -> Result<()> {
    with_podman(|podman| {
        let context = podman.scratch.join("pause-image");
        fs::create_dir(&context)?;
        copy_tino(&context.join("pause"))?;
        let tar = podman.scratch.join("pause.tar");
        text_of(Command::new("tar").arg("-C").arg(&context).arg("-cf").arg(&tar).arg("pause"))?;
        text_of(podman.command("import --quiet").arg(tar).arg("localhost/pause:latest"))?;
        check_pod(podman, "--infra-image localhost/pause:latest --infra-command /pause", "/pause\0")
    })
}

/// A pod with one container: shared namespaces, orphans reaped by the pause process, stop.
fn check_pod(podman: &Podman, infra: &str, first_process: &str) -> Result<()> {
    let create = format!("pod create --name pod --network none --share ipc,uts,pid {infra}");
    text_of(&mut podman.command(&create))?;
    text_of(podman.command("run --detach --pod pod --name member localhost/box").arg("service"))?;
    podman.wait_for_log("member", "ready")?;

    let first = text_of(&mut podman.command("exec member cat /proc/1/cmdline"))?;
    ensure!(first.starts_with(first_process), "PID 1 of the pod is {first:?}");
    let infra = podman.inspect("pod", ".InfraContainerID")?;
    for namespace in ["pid", "ipc", "uts"] {
        let of = |container: &str| -> Result<_> {
            let pid = podman.inspect(container, ".State.Pid")?;
            Ok(fs::read_link(format!("/proc/{pid}/ns/{namespace}"))?)
        };
        ensure!(of(&infra)? == of("member")?, "the {namespace} namespace is not shared");
    }
    let states = text_of(&mut podman.command("exec member orphans"))?;
    ensure!(has_no_zombie(&states), "the processes of the pod are\n{states}");

    // First the member: `pod stop` stops all at once, and with the pause process, which is PID 1,
    // the kernel would kill the member.
    text_of(&mut podman.command("stop --time 30 member"))?;
    text_of(&mut podman.command("pod stop --time 30 pod"))?;
    let (code, infra_code) =
        (podman.inspect("member", ".State.ExitCode")?, podman.inspect(&infra, ".State.ExitCode")?);
    ensure!(code == "7" && infra_code == "0", "exit codes: member {code}, pause {infra_code}");
    text_of(&mut podman.command("pod start pod"))?;
    let running = podman.inspect(&infra, ".State.Running")?;
    ensure!(running == "true", "the pod did not start again");
    text_of(&mut podman.command("pod rm --force pod"))?;
    Ok(())
}
