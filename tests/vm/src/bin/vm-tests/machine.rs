//! The machine does what `cargo xtask vm` promises.

use crate::machine_with_busybox;
use anyhow::{Result, ensure};
use std::ffi::OsStr;
use std::time::Duration;
use vm::{Ending, Job, Status};

/// Every byte value, a line longer than any terminal's buffer, and no newline at the end.
pub(crate) fn output_arrives_byte_for_byte() -> Result<()> {
    let mut content: Vec<u8> = (0..=255).collect();
    content.extend(std::iter::repeat_n(b'x', 70_000));
    content.extend_from_slice(b"\r\n\n\x04\x03end");
    let machine = machine_with_busybox()?.file("/content", 0o644, &content);
    let outcome = machine.run(Job::new(["/bin/sh", "-c", "cat /content; cat /content >&2"]))?;
    ensure!(outcome.status == Some(Status::Exited(0)), "{outcome:?}");
    ensure!(outcome.stdout == content, "stdout has {} bytes", outcome.stdout.len());
    ensure!(outcome.stderr == content, "stderr has {} bytes", outcome.stderr.len());
    Ok(())
}

pub(crate) fn exit_status_arrives() -> Result<()> {
    let run = |script: &str| machine_with_busybox()?.run(Job::new(["/bin/sh", "-c", script]));
    let exited = run("exit 7")?;
    ensure!(exited.status == Some(Status::Exited(7)), "{exited:?}");
    ensure!(exited.ending == Ending::PowerOff, "{exited:?}");
    let killed = run("kill -9 $$")?;
    ensure!(killed.status == Some(Status::Killed(9)), "{killed:?}");
    // What the command leaves behind cannot keep the machine running.
    let left = run("sleep 1000 & exit 3")?;
    ensure!(left.status == Some(Status::Exited(3)), "{left:?}");
    Ok(())
}

pub(crate) fn what_cannot_be_started_is_said() -> Result<()> {
    let outcome = machine_with_busybox()?.run(Job::new(["/no/such/program"]))?;
    let Some(Status::NotStarted(reason)) = &outcome.status else {
        anyhow::bail!("{outcome:?}");
    };
    ensure!(reason.starts_with("/no/such/program: No such file"), "{reason}");
    Ok(())
}

pub(crate) fn cgroups_are_pure_v2() -> Result<()> {
    let script = "grep cgroup /proc/mounts; cat /sys/fs/cgroup/cgroup.subtree_control";
    let outcome = machine_with_busybox()?.run(Job::new(["/bin/sh", "-c", script]))?;
    let text = String::from_utf8_lossy(&outcome.stdout);
    let lines: Vec<_> = text.lines().collect();
    ensure!(lines.len() == 2 && lines[0].starts_with("cgroup2 /sys/fs/cgroup cgroup2"), "{text}");
    for controller in ["cpu", "memory", "pids", "io", "cpuset"] {
        ensure!(
            lines[1].split(' ').any(|word| word == controller),
            "{controller} is not in {text}"
        );
    }
    Ok(())
}

pub(crate) fn modules_are_loaded() -> Result<()> {
    let mut machine = machine_with_busybox()?;
    for name in ["overlay", "veth", "bridge", "nf_tables", "virtio_net", "loop"] {
        machine = machine.module(name);
    }
    let script = "set -e; cd /tmp; mkdir a b c d; echo lower >a/file
        mount -t overlay -o lowerdir=a,upperdir=b,workdir=c none d; cat d/file
        ip link add type veth; ip link add bridge0 type bridge; ls /sys/class/net";
    let outcome = machine.run(Job::new(["/bin/sh", "-c", script]))?;
    let text = String::from_utf8_lossy(&outcome.stdout);
    ensure!(outcome.status == Some(Status::Exited(0)), "{outcome:?}");
    ensure!(text == "lower\nbridge0\nlo\nveth0\nveth1\n", "{text}");
    Ok(())
}

pub(crate) fn the_host_cannot_be_changed() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return harness::skip("needs root");
    }
    // Not in the folder for temporary files, which the guest has its own of.
    let folder = std::env::current_exe()?.with_file_name(format!("vm-test-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let file = folder.join("file");
    std::fs::write(&file, "host")?;
    let result = change_a_file_in_the_guest(&file);
    let content = std::fs::read_to_string(&file);
    std::fs::remove_dir_all(&folder)?;
    let seen = result?;
    ensure!(seen == "host\nguest\nrefused\n", "the guest saw {seen:?}");
    ensure!(content? == "host", "the guest has changed a file of the host");
    Ok(())
}

/// Through the layer, where it may write, and around it, where the host must refuse.
fn change_a_file_in_the_guest(file: &std::path::Path) -> Result<String> {
    let script = r#"cat "$1"; echo; echo guest >"$1"; cat "$1"
        mount -t virtiofs host /mnt && { echo evil >"/mnt$1" || echo refused; }"#;
    let words = ["/bin/sh", "-c", script, "sh"].map(OsStr::new);
    let job = Job::new(words.into_iter().chain([file.as_os_str()]));
    let outcome = machine_with_busybox()?.host_root().memory(1024).run(job)?;
    Ok(String::from_utf8_lossy(&outcome.stdout).into_owned())
}

pub(crate) fn a_time_limit_ends_it() -> Result<()> {
    let machine = machine_with_busybox()?.time_limit(Duration::from_secs(2));
    let outcome = machine.run(Job::new(["/bin/sh", "-c", "sleep 1000"]))?;
    ensure!(outcome.ending == Ending::TimedOut, "{outcome:?}");
    ensure!(outcome.status.is_none(), "{outcome:?}");
    Ok(())
}

pub(crate) fn a_silent_machine_is_asked_and_ended() -> Result<()> {
    let machine = machine_with_busybox()?.silence_limit(Duration::from_secs(60));
    // A kernel that hangs complains of it on the console, again and again.
    let script = "echo a word; while :; do echo noise >/dev/console; sleep 5; done";
    let outcome = machine.run(Job::new(["/bin/sh", "-c", script]))?;
    ensure!(outcome.ending == Ending::Silent, "{outcome:?}");
    ensure!(outcome.stdout == b"a word\n", "{outcome:?}");
    // The kernel's answers to the keys.
    for answer in ["Show backtrace of all active CPUs", "Show Blocked State"] {
        ensure!(outcome.console.contains(answer), "{outcome:?}");
    }
    Ok(())
}
