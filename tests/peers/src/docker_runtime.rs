//! Docker with `tinyort` as the runtime of its containers.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::commands::{end_of, expect_code, is_stand_in, runtime, text_of, wait_until};
use crate::docker::{Docker, Setup, let_it_start};
use crate::sandbox;
use crate::terminal::Terminal;

/// Without a network of its own no container needs a bridge.
const ALONE: &str = "--network none";

fn with_docker(check: impl FnOnce(&Docker, &Path) -> Result<()>) -> Result<()> {
    let setup = Setup { runtime: Some(runtime()?), ..Setup::default() };
    sandbox::inside(|scratch| check(&Docker::start_with(scratch, &setup)?, scratch))
}

/// What a container that is run to its end has printed.
fn output(docker: &Docker, flags: &str, script: &str) -> Result<String> {
    text_of(&mut docker.run_plain(&format!("--rm {ALONE} {flags}"), &["sh", "-c", script]))
}

fn run_detached(docker: &Docker, name: &str, flags: &str, words: &[&str]) -> Result<()> {
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
        docker.wait_for_log("talker", "one")?;
        let logs = end_of(&mut docker.command("logs talker"))?;
        ensure!(logs.stdout == "one\n" && logs.stderr == "two\n", "{logs:?}");
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
        let killed = docker.inspect("hungry", ".State.OOMKilled")?;
        ensure!(killed == "true", "Docker says of a container without memory: {killed}");

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

/// What keeps a container in, and what lets it out on demand.
pub(crate) fn rights() -> Result<()> {
    with_docker(|docker, _| {
        let said = output(docker, "--read-only", "echo x 2>/dev/null > /file || echo refused")?;
        ensure!(said == "refused", "--read-only: {said}");
        let said = output(
            docker,
            "--read-only --tmpfs /tmp:size=64k",
            "echo x > /tmp/file && cat /tmp/file",
        )?;
        ensure!(said == "x", "--tmpfs: {said}");
        let status =
            "grep -E '^(CapEff|NoNewPrivs|Seccomp:)' /proc/self/status | cut -f 2 | tr '\\n' ' '";
        for (flags, expected) in [
            ("", "00000000a80425fb 0 2 "),
            ("--cap-drop ALL", "0000000000000000 0 2 "),
            ("--cap-drop ALL --cap-add NET_RAW --cap-add CHOWN", "0000000000002001 0 2 "),
            ("--security-opt no-new-privileges", "00000000a80425fb 1 2 "),
            ("--security-opt seccomp=unconfined", "00000000a80425fb 0 0 "),
        ] {
            let said = output(docker, flags, status)?;
            ensure!(said == expected.trim_end(), "{flags}: {said:?}");
        }
        // The default profile refuses what administers the machine.
        let said = output(
            docker,
            "--cap-add SYS_ADMIN --security-opt seccomp=unconfined",
            "mount -t tmpfs none /tmp && echo mounted",
        )?;
        ensure!(said == "mounted", "{said}");
        let said = output(docker, "", "unshare -m true 2>/dev/null || echo refused")?;
        ensure!(said == "refused", "unshare: {said}");
        privileged(docker)?;
        let said = output(
            docker,
            "--sysctl net.ipv4.ip_forward=1 --ulimit nofile=77:88",
            "cat /proc/sys/net/ipv4/ip_forward; grep 'open files' /proc/self/limits | tr -s ' '",
        )?;
        ensure!(said.starts_with("1\nMax open files 77 88"), "{said:?}");
        let said = output(docker, "--device /dev/null:/dev/other:r", "stat -c %t:%T /dev/other")?;
        ensure!(said == "1:3", "--device: {said}");
        let said = output(
            docker,
            "--shm-size 128k --oom-score-adj 500",
            "df -k /dev/shm | awk 'END { print $2 }'; cat /proc/self/oom_score_adj",
        )?;
        ensure!(said == "128\n500", "{said:?}");
        Ok(())
    })
}

/// False on machines that keep one back which the others all have.
fn has_every_capability() -> Result<bool> {
    const SYS_RESOURCE: u64 = 1 << 24;
    let status = fs::read_to_string("/proc/self/status")?;
    let own = status.lines().find_map(|line| line.strip_prefix("CapBnd:\t")).context("CapBnd")?;
    Ok(u64::from_str_radix(own, 16)? & SYS_RESOURCE != 0)
}

/// All that Docker knows of; some machines have less to give.
fn privileged(docker: &Docker) -> Result<()> {
    let script = "mount -t tmpfs none /tmp && echo mounted; \
        [ -w /proc/sysrq-trigger ] && echo open; grep Seccomp: /proc/self/status";
    if !has_every_capability()? {
        let run = format!("--rm {ALONE} --privileged");
        let ended = end_of(&mut docker.run_plain(&run, &["sh", "-c", script]))?;
        let refused = is_stand_in() && ended.stderr.contains("operation not permitted");
        let ran = ended.stdout.starts_with("mounted\n") && ended.stdout.ends_with("Seccomp:\t0\n");
        ensure!(ran || refused, "--privileged where not all is to be had: {ended:?}");
        return Ok(());
    }
    let said = output(docker, "--privileged", script)?;
    ensure!(said.starts_with("mounted\n") && said.ends_with("Seccomp:\t0"), "privileged: {said:?}");
    Ok(())
}

pub(crate) fn volumes() -> Result<()> {
    with_docker(|docker, scratch| {
        let folder = scratch.join("shared");
        fs::create_dir(&folder)?;
        fs::write(folder.join("file"), "outside\n")?;
        let bind = |options: &str| format!("--volume {}:/data{options}", folder.display());
        let said = output(docker, &bind(""), "cat /data/file; echo inside > /data/new")?;
        ensure!(said == "outside", "{said}");
        ensure!(fs::read_to_string(folder.join("new"))? == "inside\n", "the written file");
        let said = output(docker, &bind(":ro"), "echo x 2>/dev/null > /data/x || echo refused")?;
        ensure!(said == "refused", "a read-only volume: {said}");
        let said = output(docker, &bind(":rshared"), "grep ' /data ' /proc/self/mountinfo");
        // The machine's own propagation decides whether it is possible; it must not be ignored.
        ensure!(
            said.as_ref().map_or_else(
                |error| format!("{error:#}").contains("shared"),
                |said| said.contains("shared:")
            ),
            "rshared: {said:?}"
        );
        let file = format!("--volume {}:/etc/deep/file", folder.join("file").display());
        ensure!(output(docker, &file, "cat /etc/deep/file")? == "outside", "a file as volume");
        text_of(&mut docker.command("volume create kept"))?;
        output(docker, "--volume kept:/data", "echo kept > /data/file")?;
        ensure!(
            output(docker, "--volume kept:/data", "cat /data/file")? == "kept",
            "a named volume"
        );
        // What the image has there is copied into a new volume.
        let said = output(docker, "--volume filled:/etc", "cat /etc/passwd | head -n 1")?;
        ensure!(said.starts_with("root:"), "a volume over /etc: {said}");
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
        terminal.type_and_expect("stty size\r", "24 80")?;
        terminal.type_and_expect("tty\r", "/dev/pts/0")?;
        terminal.type_and_expect("sleep 100\r", "\n")?;
        let_it_start();
        terminal.type_and_expect("\x03", "# ")?;
        terminal.type_and_expect("echo code $?\r", "code 130")?;
        let code = terminal.type_and_wait("exit 5\r")?;
        ensure!(code == Some(5), "docker run ended with {code:?} and not 5");

        run_detached(docker, "service", "", &["service"])?;
        docker.wait_for_log("service", "ready")?;
        let mut terminal = Terminal::start(&mut docker.command("exec -it service sh"))?;
        terminal.type_and_expect("", "# ")?;
        terminal.type_and_expect("stty size\r", "24 80")?;
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

/// The whole daemon with a user namespace for each container.
pub(crate) fn user_namespaces() -> Result<()> {
    let flags = &["--userns-remap=remapped:remapped"];
    let setup = Setup { runtime: Some(runtime()?), bridge: false, flags };
    sandbox::inside(|scratch| {
        // Docker looks the ranges up by the name of the user.
        for (name, text) in [
            ("passwd", "root:x:0:0::/root:/bin/sh\nremapped:x:100000:100000::/:/bin/sh\n"),
            ("group", "root:x:0:\nremapped:x:100000:\n"),
            ("subuid", "remapped:200000:65536\n"),
            ("subgid", "remapped:200000:65536\n"),
        ] {
            let file = scratch.join(name);
            fs::write(&file, text)?;
            rustix::mount::mount_bind(&file, format!("/etc/{name}"))
                .with_context(|| format!("bind /etc/{name}"))?;
        }
        let docker = Docker::start_with(scratch, &setup)?;
        let said = output(
            &docker,
            "",
            "id -u; tr -s ' ' < /proc/self/uid_map; echo x > /tmp/file && echo written",
        )?;
        ensure!(said == "0\n 0 200000 65536\nwritten", "it says {said:?}");
        run_detached(&docker, "service", "", &["service"])?;
        docker.wait_for_log("service", "ready")?;
        let said = text_of(&mut docker.command("exec service id -u"))?;
        ensure!(said == "0", "docker exec says {said}");
        text_of(&mut docker.command("rm --force service"))?;
        Ok(())
    })
}
