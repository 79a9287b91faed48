//! Flags that Podman has, or Docker once had, beside the usual ones.

use std::fs;

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::support::{scratch, until};

pub(crate) fn files_with_process_ids() -> Result<()> {
    let engine = Engine::new()?;
    let (own, monitor) = (scratch("own.pid"), scratch("monitor.pid"));
    let flags =
        [format!("--pidfile={}", own.display()), format!("--conmon-pidfile={}", monitor.display())];
    let [own_flag, monitor_flag] = [&*flags[0], &*flags[1]];
    let once = "test -e /x || { touch /x; sleep 0.1; exit 1; }; exec sleep 1000";
    let id = engine.start("one", &[own_flag, monitor_flag, "--restart=always"], once)?;
    expect_eq!(fs::read_to_string(&monitor)?, engine.monitor(&id)?.to_string());
    // It is that of the program which runs now.
    until("it was started again", || {
        let count = engine.ok(&["inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "one"]);
        count.is_ok_and(|count| count == "1 running")
    })?;
    let pid = engine.ok(&["inspect", "-f", "{{.State.Pid}}", "one"])?;
    expect_eq!(fs::read_to_string(&own)?, pid);
    engine.ok(&["rm", "-f", "-t", "0", "one"])?;
    engine.fails(
        &["run", "--pidfile=/none/x", "box", "true"],
        125,
        "--pidfile /none/x: No such",
    )?;
    engine.is_clean()
}

/// The old one of Docker, which is still typed.
pub(crate) fn a_link_is_a_name_of_ones_own() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("db", &[], "exec sleep 1000")?;
    let address = engine.ok(&["exec", "db", "sh", "-c", "grep db /etc/hosts | head -n 1"])?;
    let address = address.split_whitespace().next().unwrap_or_default().to_owned();
    ensure!(!address.is_empty(), "db has no address");
    let look = "cat /etc/hosts";
    let hosts = engine.shell(&["--link", "db:store"], look)?;
    ensure!(hosts.contains(&format!("{address}\tstore ")) && hosts.contains(" db\n"), "{hosts}");
    // It holds whatever the other one is called later, and whether it runs.
    engine.ok(&["create", "--name", "user", "--link", "db", "box", "cat", "/etc/hosts"])?;
    engine.ok(&["rename", "db", "other"])?;
    engine.ok(&["stop", "-t", "0", "other"])?;
    let hosts = engine.ok(&["start", "-a", "user"])?;
    ensure!(hosts.contains(&format!("{address}\tdb ")) && hosts.contains(" other\n"), "{hosts}");
    engine.fails(&["run", "--link", "nobody", "box", "true"], 125, "--link nobody: no such")?;
    let none = ["run", "--network=none", "--link", "other", "box", "true"];
    engine.fails(&none, 125, "it is in no network of this one")?;
    engine.ok(&["rm", "other"])?;
    engine.fails(&["start", "user"], 1, "--link: no such container")?;
    engine.ok(&["rm", "user"])?;
    engine.is_clean()
}

pub(crate) fn what_an_image_says_is_left_away() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["create", "--name", "maker", "box", "true"])?;
    let changes = ["-c", "ENV A=1", "-c", "VOLUME /vol"];
    engine.ok(&[&["commit"], &changes[..], &["maker", "said"]].concat())?;
    engine.ok(&["rm", "maker"])?;
    let run = |flags: &[&str], script: &str| {
        engine.ok(&[&["run", "--rm"], flags, &["said", "sh", "-c", script]].concat())
    };
    expect_eq!(run(&[], "echo $A")?, "1");
    expect_eq!(run(&["--unsetenv-all", "-e", "B=2"], "echo $A$B")?, "2");
    let look = "grep -c ' /vol ' /proc/mounts; grep -c 'tmpfs /vol ' /proc/mounts; true";
    expect_eq!(run(&["--image-volume=bind"], look)?, "1\n0");
    expect_eq!(run(&["--image-volume=tmpfs"], look)?, "1\n1");
    expect_eq!(run(&["--image-volume=ignore", "--volume-driver=local"], look)?, "0\n0");
    let mut command =
        engine.command(&["run", "--rm", "--http-proxy", "said", "sh", "-c", "echo $https_proxy"]);
    let done = super::support::end_of(command.env("https_proxy", "http://p:1"))?;
    expect_eq!(done.stdout, "http://p:1\n");
    engine.fails(&["run", "--arch=s390x", "--pull=never", "said"], 125, "not for linux/s390x")?;
    expect_eq!(run(&["--os=linux"], "echo yes")?, "yes");
    let root = scratch("root");
    fs::create_dir_all(root.join("bin"))?;
    fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    let root = root.to_string_lossy().into_owned();
    expect_eq!(engine.ok(&["run", "--rm", "--rootfs", &root, "/bin/busybox", "echo", "hi"])?, "hi");
    let conf = ["run", "--rm", "--cgroup-conf=../x=1", "box", "true"];
    engine.fails(&conf, 125, "--cgroup-conf")?;
    engine.is_clean()
}
