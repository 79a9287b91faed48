//! containerd, whose shim drives `tinyort` through the whole cycle of a container.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::commands::{end_of, expect_code, runtime, text_of, wait_until};
use crate::containerd::Containerd;
use crate::sandbox;
use crate::terminal::{SIZE, Terminal};

fn with_containerd(check: impl FnOnce(&Containerd, &Path) -> Result<()>) -> Result<()> {
    runtime()?;
    sandbox::inside(|scratch| check(&Containerd::start(scratch)?, scratch))
}

/// `ctr run --runc-binary RUNTIME FLAGS --rootfs ROOTFS NAME WORDS`
fn run(containerd: &Containerd, flags: &str, name: &str, words: &[&str]) -> Command {
    let runtime = harness::tinyort();
    let mut command = containerd.command("run --runc-binary");
    command.arg(runtime).args(flags.split_whitespace()).arg("--rootfs");
    command.arg(&containerd.rootfs).arg(name).args(words);
    command
}

/// `ctr task exec --exec-id ID FLAGS NAME WORDS`
fn exec(containerd: &Containerd, id: &str, name: &str, words: &[&str]) -> Command {
    let mut command = containerd.command(&format!("task exec --exec-id {id} {name}"));
    command.args(words);
    command
}

fn status(containerd: &Containerd, name: &str) -> Result<String> {
    let list = text_of(&mut containerd.command("task ls"))?;
    let line = list.lines().find(|line| line.split_whitespace().next() == Some(name));
    Ok(line.and_then(|line| line.split_whitespace().nth(2)).unwrap_or("gone").to_owned())
}

pub(crate) fn run_and_exit_codes() -> Result<()> {
    with_containerd(|containerd, _| {
        let mut command =
            run(containerd, "--rm", "seven", &["/bin/sh", "-c", "echo out; echo err >&2; exit 7"]);
        let ended = expect_code(&mut command, 7)?;
        ensure!(ended.stdout == "out\n" && ended.stderr.contains("err\n"), "{ended:?}");
        let flags = "--rm --env ONE=1 --cwd /tmp --read-only";
        let script = "echo $ONE; pwd; echo x 2>/dev/null > /x || echo refused";
        let said = text_of(&mut run(containerd, flags, "flags", &["/bin/sh", "-c", script]))?;
        ensure!(said == "1\n/tmp\nrefused", "it says {said:?}");
        let ended = end_of(&mut run(containerd, "--rm", "missing", &["/no/such/program"]))?;
        ensure!(ended.code != Some(0), "{ended:?}");
        ensure!(ended.stderr.contains("no such file or directory"), "{ended:?}");
        // The failure has left nothing, so the name is free.
        let said = text_of(&mut run(containerd, "--rm", "missing", &["/bin/echo", "again"]))?;
        ensure!(said == "again", "it says {said:?}");
        Ok(())
    })
}

pub(crate) fn the_whole_cycle() -> Result<()> {
    with_containerd(|containerd, _| {
        let flags = "--detach --memory-limit 67108864 --cpus 0.5";
        text_of(&mut run(containerd, flags, "service", &["/bin/service"]))?;
        wait_until("the service is ready", || {
            Ok(std::fs::read_to_string(containerd.rootfs.join("told")).is_ok())
        })?;
        ensure!(status(containerd, "service")? == "RUNNING", "it does not run");

        let ended = expect_code(
            &mut exec(containerd, "one", "service", &["/bin/sh", "-c", "echo in; exit 5"]),
            5,
        )?;
        ensure!(ended.stdout == "in\n", "{ended:?}");
        let ended = end_of(&mut exec(containerd, "two", "service", &["/no/such/program"]))?;
        ensure!(ended.code != Some(0) && ended.stderr.contains("no such file"), "{ended:?}");

        let pids = text_of(&mut containerd.command("task ps service"))?;
        ensure!(pids.lines().count() >= 2, "ps says {pids}");
        let metrics = text_of(&mut containerd.command("task metrics service"))?;
        ensure!(
            metrics.contains("67108864") || metrics.contains("memory."),
            "metrics are {metrics}"
        );

        text_of(&mut containerd.command("task pause service"))?;
        ensure!(status(containerd, "service")? == "PAUSED", "it is not paused");
        let ended = end_of(&mut exec(containerd, "three", "service", &["/bin/true"]))?;
        ensure!(ended.code != Some(0), "exec while paused: {ended:?}");
        text_of(&mut containerd.command("task resume service"))?;
        text_of(&mut exec(containerd, "four", "service", &["/bin/true"]))?;

        text_of(&mut containerd.command("task kill --signal SIGUSR1 service"))?;
        wait_until("USR1 arrived", || {
            Ok(std::fs::read_to_string(containerd.rootfs.join("told"))?.contains("usr1"))
        })?;
        // One that cannot be deleted while it runs.
        let ended = end_of(&mut containerd.command("task rm service"))?;
        ensure!(ended.code != Some(0), "a running task was deleted: {ended:?}");
        text_of(&mut containerd.command("task kill --signal SIGTERM service"))?;
        wait_until("it has stopped", || Ok(status(containerd, "service")? == "STOPPED"))?;
        let removed = end_of(&mut containerd.command("task rm service"))?;
        ensure!(removed.stderr.contains("non-zero exit code 7"), "task rm says {removed:?}");
        text_of(&mut containerd.command("container rm service"))?;
        Ok(())
    })
}

pub(crate) fn terminal() -> Result<()> {
    with_containerd(|containerd, _| {
        let mut terminal =
            Terminal::start(&mut run(containerd, "--tty --rm", "shell", &["/bin/sh"]))?;
        terminal.type_and_expect("", "# ")?;
        terminal.type_and_expect(SIZE, "24 80")?;
        let code = terminal.type_and_wait("exit 5\r")?;
        ensure!(code == Some(5), "ctr run ended with {code:?} and not 5");

        text_of(&mut run(containerd, "--detach", "sleeper", &["/bin/sleep", "1000"]))?;
        let mut command = containerd.command("task exec --tty --exec-id one sleeper /bin/sh");
        let mut terminal = Terminal::start(&mut command)?;
        terminal.type_and_expect("", "# ")?;
        terminal.type_and_expect("tty\r", "/dev/pts/")?;
        let code = terminal.type_and_wait("exit 6\r")?;
        ensure!(code == Some(6), "ctr task exec ended with {code:?} and not 6");
        text_of(&mut containerd.command("task rm --force sleeper"))?;
        Ok(())
    })
}

pub(crate) fn many_at_once() -> Result<()> {
    with_containerd(|containerd, _| {
        let names: Vec<String> = (0..20).map(|number| format!("many-{number}")).collect();
        let started = names
            .iter()
            .map(|name| {
                Ok(run(containerd, "--rm", name, &["/bin/sh", "-c", "echo $0; exit 3"])
                    .stdout(std::process::Stdio::null())
                    .spawn()?)
            })
            .collect::<Result<Vec<_>>>()?;
        for mut child in started {
            let code = child.wait()?.code();
            ensure!(code == Some(3), "one of them ended with {code:?}");
        }
        let left = text_of(&mut containerd.command("task ls --quiet"))?;
        ensure!(left.is_empty(), "left are {left}");
        Ok(())
    })
}
