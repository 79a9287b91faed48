//! Podman with `tinyort` as the runtime of its containers.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::commands::{end_of, expect_code, find, runtime, text_of, wait_until};
use crate::podman::Podman;
use crate::sandbox;
use crate::terminal::{SIZE, Terminal};

const ALONE: &str = "--network none";

fn with_podman(check: impl FnOnce(&Podman, &Path) -> Result<()>) -> Result<()> {
    let runtime = runtime()?;
    sandbox::inside(|scratch| check(&Podman::prepare_with(scratch, runtime)?, scratch))
}

/// What a container that is run to its end has printed.
fn output(podman: &Podman, flags: &str, script: &str) -> Result<String> {
    text_of(&mut podman.run_plain(&format!("--rm {ALONE} {flags}"), &["sh", "-c", script]))
}

fn run_detached(podman: &Podman, name: &str, flags: &str, words: &[&str]) -> Result<()> {
    text_of(&mut podman.run_plain(&format!("--detach --name {name} {ALONE} {flags}"), words))?;
    Ok(())
}

pub(crate) fn run_and_logs() -> Result<()> {
    with_podman(|podman, _| {
        let run = |words: &[&str]| podman.run_plain(&format!("--rm {ALONE}"), words);
        let ended = expect_code(&mut run(&["sh", "-c", "echo out; echo err >&2; exit 7"]), 7)?;
        ensure!(ended.stdout == "out\n" && ended.stderr == "err\n", "{ended:?}");
        let ended = expect_code(&mut run(&["/no/such/program"]), 127)?;
        ensure!(ended.stderr.contains("no such file or directory"), "{ended:?}");
        let ended = expect_code(&mut run(&["no-such-program"]), 127)?;
        ensure!(ended.stderr.contains("not found"), "{ended:?}");
        let ended = expect_code(&mut run(&["/etc/passwd"]), 126)?;
        ensure!(ended.stderr.to_lowercase().contains("permission denied"), "{ended:?}");
        let flags = "--env ONE=1 --workdir /tmp --user 12:34 --group-add 56 --hostname somewhere";
        let said = output(podman, flags, "echo $ONE; pwd; id -u; id -g; id -G; hostname")?;
        ensure!(said == "1\n/tmp\n12\n34\n34 56\nsomewhere", "it says {said:?}");
        run_detached(podman, "talker", "", &["sh", "-c", "echo one; echo two >&2; sleep 100"])?;
        podman.wait_for_log("talker", "one")?;
        let top = text_of(&mut podman.command("top talker args"))?;
        ensure!(top.contains("sleep 100"), "podman top says {top}");
        podman.remove("talker")?;
        Ok(())
    })
}

pub(crate) fn exec() -> Result<()> {
    with_podman(|podman, _| {
        run_detached(podman, "service", "--env ONE=1", &["service"])?;
        podman.wait_for_log("service", "ready")?;
        let exec = |flags: &str, words: &[&str]| {
            let mut command = podman.command(&format!("exec {flags} service"));
            command.args(words);
            command
        };
        let ended = expect_code(&mut exec("", &["sh", "-c", "echo $ONE; exit 5"]), 5)?;
        ensure!(ended.stdout == "1\n", "{ended:?}");
        let flags = "--user 12:34 --workdir /tmp --env TWO=2";
        let said = text_of(&mut exec(flags, &["sh", "-c", "id -u; id -g; pwd; echo $TWO"]))?;
        ensure!(said == "12\n34\n/tmp\n2", "it says {said:?}");
        expect_code(&mut exec("", &["/no/such/program"]), 127)?;
        expect_code(&mut exec("", &["/etc/passwd"]), 126)?;
        text_of(&mut exec("--detach", &["sh", "-c", "echo detached > /dev/shm/file; sleep 100"]))?;
        wait_until("the detached process has written", || {
            Ok(end_of(&mut exec("", &["cat", "/dev/shm/file"]))?.stdout == "detached\n")
        })?;
        // Descriptors are handed on.
        let mut command = Command::new("sh");
        let inner = exec("--preserve-fds 1", &["sh", "-c", "cat <&3"]);
        command.arg("-c").arg("echo given > /tmp/given; exec \"$@\" 3</tmp/given").arg("sh");
        command.arg(inner.get_program()).args(inner.get_args());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        ensure!(text_of(&mut command)? == "given", "--preserve-fds");
        podman.remove("service")?;
        Ok(())
    })
}

pub(crate) fn stop_kill_restart_pause() -> Result<()> {
    with_podman(|podman, _| {
        run_detached(podman, "service", "", &["service"])?;
        podman.wait_for_log("service", "ready")?;
        text_of(&mut podman.command("kill --signal USR1 service"))?;
        podman.wait_for_log("service", "usr1")?;
        text_of(&mut podman.command("pause service"))?;
        ensure!(podman.inspect("service", ".State.Status")? == "paused", "it is not paused");
        text_of(&mut podman.command("unpause service"))?;
        text_of(&mut podman.command("exec service true"))?;
        text_of(&mut podman.command("stop --time 30 service"))?;
        ensure!(podman.inspect("service", ".State.ExitCode")? == "7", "not stopped gracefully");
        text_of(&mut podman.command("start service"))?;
        text_of(&mut podman.command("restart --time 30 service"))?;
        ensure!(podman.inspect("service", ".State.Running")? == "true", "not restarted");
        text_of(&mut podman.command("kill service"))?;
        text_of(&mut podman.command("wait service"))?;
        ensure!(podman.inspect("service", ".State.ExitCode")? == "137", "not killed");
        text_of(&mut podman.command("rm service"))?;
        Ok(())
    })
}

pub(crate) fn limits() -> Result<()> {
    with_podman(|podman, _| {
        let hungry = "x=$(head -c 100000000 /dev/zero | tr '\\0' x)";
        run_detached(podman, "hungry", "--memory 20m --memory-swap 20m", &["sh", "-c", hungry])?;
        text_of(&mut podman.command("wait hungry"))?;
        let code = podman.inspect("hungry", ".State.ExitCode")?;
        ensure!(code == "137", "without memory it ended with {code}");
        let script = "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us \
            /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; \
            cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/memory.max 2>/dev/null; \
            grep Cpus_allowed_list /proc/self/status";
        let flags = "--pids-limit 77 --cpus 0.5 --memory 64m --cpuset-cpus 0";
        let said = output(podman, flags, script)?;
        let v1 = "77\n50000\n67108864\nCpus_allowed_list:\t0";
        let v2 = "77\n50000 100000\n67108864\nCpus_allowed_list:\t0";
        ensure!(said == v1 || said == v2, "the limits are {said:?}");
        run_detached(podman, "service", "--memory 64m", &["service"])?;
        podman.wait_for_log("service", "ready")?;
        let stats = text_of(
            podman
                .command("stats --no-stream --no-reset --format")
                .arg("{{.PIDS}} {{.MemLimit}}")
                .arg("service"),
        )?;
        ensure!(
            !stats.starts_with("0 ") && stats.contains("67108864"),
            "the statistics are {stats}"
        );
        text_of(&mut podman.command("update --memory 128m service"))?;
        let script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; \
            true";
        let said = text_of(podman.command("exec service sh -c").arg(script))?;
        ensure!(said == "134217728", "after the update the limits are {said:?}");
        podman.remove("service hungry")?;
        Ok(())
    })
}

pub(crate) fn rights() -> Result<()> {
    with_podman(|podman, scratch| {
        let said = output(podman, "--read-only", "echo x 2>/dev/null > /file || echo refused")?;
        ensure!(said == "refused", "--read-only: {said}");
        let status =
            "grep -E '^(CapEff|NoNewPrivs|Seccomp:)' /proc/self/status | cut -f 2 | tr '\\n' ' '";
        for (flags, expected) in [
            ("", "00000000a80425fb 0 2"),
            ("--cap-drop ALL", "0000000000000000 0 2"),
            ("--cap-drop ALL --cap-add NET_RAW,CHOWN", "0000000000002001 0 2"),
            ("--security-opt no-new-privileges", "00000000a80425fb 1 2"),
            ("--security-opt seccomp=unconfined", "00000000a80425fb 0 0"),
        ] {
            let said = output(podman, flags, status)?;
            ensure!(said == expected, "{flags}: {said:?}");
        }
        let said = output(
            podman,
            "--privileged",
            "mount -t tmpfs none /tmp && echo mounted; grep Seccomp: /proc/self/status",
        )?;
        ensure!(said == "mounted\nSeccomp:\t0", "--privileged: {said:?}");
        let said = output(
            podman,
            "--sysctl net.ipv4.ip_forward=1 --ulimit nofile=77:88 --ulimit nproc=1024:1024 --shm-size 128k",
            "cat /proc/sys/net/ipv4/ip_forward; grep 'open files' /proc/self/limits | tr -s ' '; \
             df -k /dev/shm | awk 'END { print $2 }'",
        )?;
        ensure!(said.starts_with("1\nMax open files 77 88") && said.ends_with("\n128"), "{said:?}");
        let folder = scratch.join("shared");
        fs::create_dir(&folder)?;
        let volume = format!("--volume {}:/data", folder.display());
        output(podman, &volume, "echo inside > /data/new")?;
        ensure!(fs::read_to_string(folder.join("new"))? == "inside\n", "the written file");
        let said = output(
            podman,
            &format!("{volume}:ro"),
            "echo x 2>/dev/null > /data/x || echo refused",
        )?;
        ensure!(said == "refused", "a read-only volume: {said}");
        output(podman, "--volume kept:/data", "echo kept > /data/file")?;
        ensure!(
            output(podman, "--volume kept:/data", "cat /data/file")? == "kept",
            "a named volume"
        );
        let said = output(
            podman,
            "--tmpfs /data:size=64k,mode=711",
            "stat -c %a /data; echo x > /data/x && cat /data/x",
        )?;
        ensure!(said == "711\nx", "--tmpfs: {said:?}");
        Ok(())
    })
}

pub(crate) fn user_namespaces() -> Result<()> {
    with_podman(|podman, _| {
        let flags = "--uidmap 0:200000:5000 --gidmap 0:300000:5000";
        let script = "id -u; tr -s ' ' < /proc/self/uid_map; echo x > /tmp/f && stat -c %u /tmp/f";
        let said = output(podman, flags, script)?;
        ensure!(said == "0\n 0 200000 5000\n0", "it says {said:?}");
        run_detached(podman, "service", flags, &["service"])?;
        podman.wait_for_log("service", "ready")?;
        let said = text_of(&mut podman.command("exec service id -u"))?;
        ensure!(said == "0", "podman exec says {said}");
        podman.remove("service")?;
        Ok(())
    })
}

pub(crate) fn health_and_terminal() -> Result<()> {
    with_podman(|podman, _| {
        let mut run = podman.command(&format!("run --detach --name patient {ALONE}"));
        run.args(["--health-cmd", "test -e /tmp/healthy", "--health-interval", "disable"]);
        text_of(run.args(["localhost/box", "service"]))?;
        podman.wait_for_log("patient", "ready")?;
        expect_code(&mut podman.command("healthcheck run patient"), 1)?;
        text_of(&mut podman.command("exec patient touch /tmp/healthy"))?;
        expect_code(&mut podman.command("healthcheck run patient"), 0)?;

        let mut terminal = Terminal::start(&mut podman.command("exec -it patient sh"))?;
        terminal.type_and_expect("", "# ")?;
        terminal.type_and_expect(SIZE, "24 80")?;
        let code = terminal.type_and_wait("exit 6\r")?;
        ensure!(code == Some(6), "podman exec ended with {code:?} and not 6");
        podman.remove("patient")?;

        let mut terminal =
            Terminal::start(&mut podman.run_plain(&format!("-it --rm {ALONE}"), &["sh"]))?;
        terminal.type_and_expect("", "# ")?;
        terminal.type_and_expect(SIZE, "24 80")?;
        terminal.type_and_expect("tty\r", "/dev/pts/0")?;
        let code = terminal.type_and_wait("exit 5\r")?;
        ensure!(code == Some(5), "podman run ended with {code:?} and not 5");
        Ok(())
    })
}

/// A pod: containers that share namespaces with the first.
pub(crate) fn pods() -> Result<()> {
    with_podman(|podman, _| {
        text_of(
            &mut podman.command("pod create --name pod --network none --share ipc,uts,net,pid"),
        )?;
        for name in ["one", "two"] {
            let run = format!("run --detach --pod pod --name {name} localhost/box");
            text_of(podman.command(&run).arg("service"))?;
            podman.wait_for_log(name, "ready")?;
        }
        for kind in ["ipc", "uts", "net", "pid"] {
            let link = |name: &str| {
                text_of(&mut podman.command(&format!("exec {name} readlink /proc/self/ns/{kind}")))
            };
            ensure!(link("one")? == link("two")?, "the {kind} namespace is not shared");
        }
        text_of(&mut podman.command("pod pause pod"))?;
        text_of(&mut podman.command("pod unpause pod"))?;
        text_of(&mut podman.command("pod stop --time 10 pod"))?;
        text_of(&mut podman.command("pod rm --force pod"))?;
        Ok(())
    })
}

/// Through slirp4netns, which joins the container's network namespace.
pub(crate) fn published_port() -> Result<()> {
    with_podman(|podman, _| {
        find("slirp4netns")?;
        text_of(Command::new("ip").args(["link", "set", "lo", "up"]))?;
        let serve = "echo served > /tmp/index.html; httpd -f -p 80 -h /tmp";
        let flags = "--detach --name web --network slirp4netns --publish 127.0.0.1:18081:80";
        text_of(&mut podman.run_plain(flags, &["sh", "-c", serve]))?;
        wait_until("the port answers", || {
            let mut wget = Command::new("busybox");
            wget.args(["wget", "-q", "-O", "-", "http://127.0.0.1:18081/index.html"]);
            Ok(end_of(&mut wget)?.stdout == "served\n")
        })?;
        podman.remove("web")?;
        Ok(())
    })
}
