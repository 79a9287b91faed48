//! Docker with `tinyort` as the runtime of its containers.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::commands::{end_of, expect_code, runtime, text_of, wait_until};
use crate::docker::{Docker, Setup};
use crate::docker_rights::has_every_capability;
use crate::sandbox;
use crate::terminal::{BUSY, SIZE, Terminal};

/// Without a network of its own no container needs a bridge.
pub(crate) const ALONE: &str = "--network none";

pub(crate) fn with_docker(check: impl FnOnce(&Docker, &Path) -> Result<()>) -> Result<()> {
    let setup = Setup { runtime: Some(runtime()?), ..Setup::default() };
    sandbox::inside(|scratch| check(&Docker::start_with(scratch, &setup)?, scratch))
}

/// What a container that is run to its end has printed.
pub(crate) fn output(docker: &Docker, flags: &str, script: &str) -> Result<String> {
    text_of(&mut docker.run_plain(&format!("--rm {ALONE} {flags}"), &["sh", "-c", script]))
}

pub(crate) fn run_detached(docker: &Docker, name: &str, flags: &str, words: &[&str]) -> Result<()> {
    text_of(&mut docker.run_plain(&format!("--detach --name {name} {ALONE} {flags}"), words))?;
    Ok(())
}

/// Exit codes, output, environment, folder, user, names; mistakes are told as Docker tells them.
pub(crate) fn run_and_logs() -> Result<()> {
    with_docker(|docker, _| {
        let run = |words: &[&str]| docker.run_plain(&format!("--rm {ALONE}"), words);
        let ended = expect_code(&mut run(&["sh", "-c", "echo out; echo err >&2; exit 7"]), 7)?;
        ensure!(ended.stdout == "out\n" && ended.stderr == "err\n", "{ended:?}");
        expect_code(&mut run(&["sh", "-c", "kill -9 $$; sleep 1"]), 0)?;
        let ended = expect_code(&mut run(&["/no/such/program"]), 127)?;
        ensure!(ended.stderr.contains("no such file or directory"), "{ended:?}");
        let ended = expect_code(&mut run(&["no-such-program"]), 127)?;
        ensure!(ended.stderr.contains("executable file not found in $PATH"), "{ended:?}");
        let ended = expect_code(&mut run(&["/etc/passwd"]), 126)?;
        ensure!(ended.stderr.contains("permission denied"), "{ended:?}");

        let flags =
            "--env ONE=1 --workdir /tmp/made --user 12:34 --group-add 56 --hostname somewhere";
        let said = output(docker, flags, "echo $ONE; pwd; id -u; id -g; id -G; hostname")?;
        ensure!(said == "1\n/tmp/made\n12\n34\n34 56\nsomewhere", "it says {said:?}");

        run_detached(docker, "talker", "", &["sh", "-c", "echo one; echo two >&2; sleep 100"])?;
        wait_until("both lines are in the log", || {
            let logs = end_of(&mut docker.command("logs talker"))?;
            Ok(logs.stdout == "one\n" && logs.stderr == "two\n")
        })?;
        let top = text_of(&mut docker.command("top talker"))?;
        ensure!(top.contains("sleep 100"), "docker top says {top}");
        text_of(&mut docker.command("rm --force talker"))?;
        Ok(())
    })
}

pub(crate) fn exec() -> Result<()> {
    with_docker(|docker, _| {
        run_detached(docker, "service", "--env ONE=1", &["service"])?;
        docker.wait_for_log("service", "ready")?;
        let exec = |flags: &str, words: &[&str]| {
            let mut command = docker.command(&format!("exec {flags} service"));
            command.args(words);
            command
        };
        let ended = expect_code(&mut exec("", &["sh", "-c", "echo $ONE; exit 5"]), 5)?;
        ensure!(ended.stdout == "1\n", "{ended:?}");
        let flags = "--user 12:34 --workdir /tmp --env TWO=2";
        let said = text_of(&mut exec(flags, &["sh", "-c", "id -u; id -g; pwd; echo $TWO"]))?;
        ensure!(said == "12\n34\n/tmp\n2", "it says {said:?}");
        // Old daemons say 126 for both.
        let ended = end_of(&mut exec("", &["/no/such/program"]))?;
        ensure!(matches!(ended.code, Some(126 | 127)), "{ended:?}");
        ensure!(ended.stdout.contains("no such file or directory"), "{ended:?}");
        expect_code(&mut exec("", &["/etc/passwd"]), 126)?;
        text_of(&mut exec("--detach", &["sh", "-c", "echo detached > /dev/shm/file; sleep 100"]))?;
        wait_until("the detached process has written", || {
            Ok(end_of(&mut exec("", &["cat", "/dev/shm/file"]))?.stdout == "detached\n")
        })?;
        if has_every_capability()? {
            let grep = ["grep", "CapEff", "/proc/self/status"];
            let capabilities = text_of(&mut exec("--privileged", &grep))?;
            ensure!(!capabilities.ends_with("a80425fb"), "--privileged gives {capabilities}");
        }
        text_of(&mut docker.command("rm --force service"))?;
        Ok(())
    })
}

pub(crate) fn stop_kill_restart_pause() -> Result<()> {
    with_docker(|docker, _| {
        run_detached(docker, "service", "", &["service"])?;
        docker.wait_for_log("service", "ready")?;
        text_of(&mut docker.command("kill --signal USR1 service"))?;
        docker.wait_for_log("service", "usr1")?;
        text_of(&mut docker.command("pause service"))?;
        ensure!(docker.inspect("service", ".State.Status")? == "paused", "it is not paused");
        let ended = end_of(&mut docker.command("exec service true"))?;
        ensure!(ended.code != Some(0) && ended.stderr.contains("paused"), "{ended:?}");
        text_of(&mut docker.command("unpause service"))?;
        text_of(&mut docker.command("exec service true"))?;
        text_of(&mut docker.command("stop --time 30 service"))?;
        ensure!(docker.inspect("service", ".State.ExitCode")? == "7", "not stopped gracefully");
        text_of(&mut docker.command("start service"))?;
        wait_until("it is ready again", || {
            let logs = text_of(&mut docker.command("logs service"))?;
            Ok(logs.lines().filter(|line| *line == "ready").count() == 2)
        })?;
        text_of(&mut docker.command("restart --time 30 service"))?;
        ensure!(docker.inspect("service", ".State.Running")? == "true", "not restarted");
        text_of(&mut docker.command("kill service"))?;
        wait_until("it is killed", || Ok(docker.inspect("service", ".State.Status")? == "exited"))?;
        ensure!(docker.inspect("service", ".State.ExitCode")? == "137", "not killed");
        text_of(&mut docker.command("rm service"))?;

        // One that fails is started again.
        run_detached(
            docker,
            "failing",
            "--restart on-failure:2",
            &["sh", "-c", "echo try; exit 3"],
        )?;
        wait_until("it was restarted twice", || {
            Ok(docker.inspect("failing", ".RestartCount")? == "2"
                && docker.inspect("failing", ".State.Status")? == "exited")
        })?;
        ensure!(text_of(&mut docker.command("logs failing"))? == "try\ntry\ntry", "its tries");
        Ok(())
    })
}

/// Limits, their change, statistics, and an end for want of memory.
pub(crate) fn limits() -> Result<()> {
    with_docker(|docker, _| {
        let flags = "--memory 20m --memory-swap 20m";
        run_detached(
            docker,
            "hungry",
            flags,
            &["sh", "-c", "x=$(head -c 100000000 /dev/zero | tr '\\0' x)"],
        )?;
        wait_until("it has ended", || Ok(docker.inspect("hungry", ".State.Status")? == "exited"))?;
        // Docker hears of it by another way than of the end.
        wait_until("Docker knows that it had no memory", || {
            Ok(docker.inspect("hungry", ".State.OOMKilled")? == "true")
        })?;

        let script = "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us \
            /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; \
            cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.max 2>/dev/null; \
            grep Cpus_allowed_list /proc/self/status";
        let flags = "--pids-limit 77 --cpus 0.5 --cpu-shares 512 --memory 64m --cpuset-cpus 0";
        let said = output(docker, flags, script)?;
        let v1 = "77\n50000\n512\n67108864\nCpus_allowed_list:\t0";
        let v2 = "77\n50000 100000\n67108864\nCpus_allowed_list:\t0";
        ensure!(said == v1 || said == v2, "the limits are {said:?}");
        let bomb = "for i in 1 2 3 4 5 6 7 8 9; do sleep 3 & done; echo all";
        let ended = end_of(
            &mut docker.run_plain(&format!("--rm {ALONE} --pids-limit 4"), &["sh", "-c", bomb]),
        )?;
        ensure!(!ended.stdout.contains("all"), "9 processes under a limit of 4: {ended:?}");

        run_detached(docker, "service", "--memory 64m", &["service"])?;
        docker.wait_for_log("service", "ready")?;
        text_of(
            &mut docker.command("update --memory 128m --memory-swap 256m --pids-limit 55 service"),
        )?;
        let script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; \
            cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true";
        let said = text_of(docker.command("exec service sh -c").arg(script))?;
        ensure!(said == "134217728\n55", "after the update the limits are {said:?}");
        let stats = text_of(
            docker
                .command("stats --no-stream --format")
                .arg("{{.PIDs}} {{.MemUsage}}")
                .arg("service"),
        )?;
        ensure!(
            !stats.starts_with("0 ") && stats.contains("/ 128MiB"),
            "the statistics are {stats}"
        );
        text_of(&mut docker.command("rm --force service hungry"))?;
        Ok(())
    })
}

/// A bridge, an address, a published port.
pub(crate) fn published_port() -> Result<()> {
    let setup = Setup { runtime: Some(runtime()?), bridge: true, flags: &[] };
    sandbox::inside(|scratch| {
        text_of(Command::new("ip").args(["link", "set", "lo", "up"]))?;
        let docker = Docker::start_with(scratch, &setup)?;
        let serve = "echo served > /tmp/index.html; httpd -f -p 80 -h /tmp";
        let flags = "--detach --name web --publish 127.0.0.1:18080:80";
        text_of(&mut docker.run_plain(flags, &["sh", "-c", serve]))?;
        wait_until("the port answers", || {
            let mut wget = Command::new("busybox");
            wget.args(["wget", "-q", "-O", "-", "http://127.0.0.1:18080/index.html"]);
            Ok(end_of(&mut wget)?.stdout == "served\n")
        })?;
        // Another container in the same network namespace.
        let inside = text_of(&mut docker.run_plain(
            "--rm --network container:web",
            &["wget", "-q", "-O", "-", "http://127.0.0.1/index.html"],
        ))?;
        ensure!(inside == "served", "in the shared namespace: {inside}");
        text_of(&mut docker.command("rm --force web"))?;
        Ok(())
    })
}

pub(crate) fn init_and_health() -> Result<()> {
    with_docker(|docker, _| {
        let said = output(docker, "--init", "cat /proc/1/cmdline | tr '\\0' ' '")?;
        ensure!(said.starts_with("/sbin/docker-init -- sh"), "PID 1 is {said:?}");
        let check = [
            "--health-cmd",
            "test -e /tmp/healthy",
            "--health-interval",
            "1s",
            "--health-retries",
            "1",
        ];
        let mut run = docker.command(&format!("run --detach --name patient {ALONE}"));
        run.args(check).args(["box", "service"]);
        text_of(&mut run)?;
        let is = |status: &str| Ok(docker.inspect("patient", ".State.Health.Status")? == status);
        wait_until("it is unhealthy", || is("unhealthy"))?;
        text_of(&mut docker.command("exec patient touch /tmp/healthy"))?;
        wait_until("it is healthy", || is("healthy"))?;
        text_of(&mut docker.command("rm --force patient"))?;
        Ok(())
    })
}

pub(crate) fn terminal() -> Result<()> {
    with_docker(|docker, _| {
        let mut terminal =
            Terminal::start(&mut docker.run_plain(&format!("-it --rm {ALONE}"), &["sh"]))?;
        terminal.type_and_expect("", "# ")?;
        terminal.type_and_expect(SIZE, "24 80")?;
        terminal.type_and_expect("tty\r", "/dev/pts/0")?;
        terminal.type_and_expect(&format!("{BUSY}\r"), "started")?;
        terminal.type_and_expect("\x03", "# ")?;
        terminal.type_and_expect("echo code $?\r", "code 130")?;
        let code = terminal.type_and_wait("exit 5\r")?;
        ensure!(code == Some(5), "docker run ended with {code:?} and not 5");

        run_detached(docker, "service", "", &["service"])?;
        docker.wait_for_log("service", "ready")?;
        let mut terminal = Terminal::start(&mut docker.command("exec -it service sh"))?;
        terminal.type_and_expect("", "# ")?;
        terminal.type_and_expect(SIZE, "24 80")?;
        let code = terminal.type_and_wait("exit 6\r")?;
        ensure!(code == Some(6), "docker exec ended with {code:?} and not 6");
        text_of(&mut docker.command("rm --force service"))?;
        Ok(())
    })
}

/// Namespaces shared with another container, or with the machine.
pub(crate) fn shared_namespaces() -> Result<()> {
    with_docker(|docker, _| {
        run_detached(docker, "first", "--ipc shareable", &["service"])?;
        docker.wait_for_log("first", "ready")?;
        for (kind, flag) in [("pid", "--pid"), ("ipc", "--ipc")] {
            let link = format!("readlink /proc/self/ns/{kind}");
            let first = text_of(docker.command("exec first sh -c").arg(&link))?;
            let second = output(docker, &format!("{flag} container:first"), &link)?;
            ensure!(first == second, "the {kind} namespace: {first} and {second}");
        }
        let own = fs::read_link("/proc/self/ns/uts")?;
        let said = output(docker, "--uts host", "readlink /proc/self/ns/uts")?;
        ensure!(own.to_str() == Some(&said), "--uts host: {said}");
        let said = output(docker, "--pid host", "[ $$ -gt 1 ] && echo outside")?;
        ensure!(said == "outside", "--pid host: {said}");
        text_of(&mut docker.command("rm --force first"))?;
        Ok(())
    })
}
