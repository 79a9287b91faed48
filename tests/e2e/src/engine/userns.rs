//! Containers with user namespaces of their own. The trial has its own `/etc/subuid`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};

use super::support::{Engine, end_of};
use crate::expect_eq;
use crate::support::{scratch, until};

/// The first of the ids that may be given away.
const FIRST: u32 = 2_000_000_000;

/// With so many ids to give away.
fn engine(count: u32) -> Result<Engine> {
    let engine = Engine::new()?;
    sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let file = scratch("subids");
    fs::write(&file, format!("containers:{FIRST}:{count}\n"))?;
    for path in ["/etc/subuid", "/etc/subgid"] {
        if !Path::new(path).exists() {
            return harness::skip(format!("there is no {path}")).map(|()| engine);
        }
        mount_bind(&file, path)?;
    }
    Ok(engine)
}

fn owner(path: &Path) -> Result<(u32, u32)> {
    let status = fs::symlink_metadata(path)?;
    Ok((status.uid(), status.gid()))
}

/// What processes see, and what the machine does.
pub(crate) fn ids_inside_and_outside() -> Result<()> {
    let engine = engine(100_000)?;
    let doctor = engine.ok(&["doctor"])?;
    ensure!(doctor.contains("yes    containers is in /etc/subuid and /etc/subgid"), "{doctor}");
    let script = "cat /proc/self/uid_map; touch /x; stat -c '%u %g' /x /etc/hosts /dev/shm /data; \
                  echo said > /dev/stdout; echo 127.0.0.1 own >> /etc/hosts && echo written";
    let seen = engine.shell(&["--userns=auto"], script)?;
    let seen: Vec<&str> = seen.lines().map(str::trim).collect();
    let map: Vec<&str> = seen[0].split_whitespace().collect();
    expect_eq!(map, ["0", "2000000000", "1024"]);
    expect_eq!(seen[1..], ["0 0", "0 0", "0 0", "0 0", "said", "written"]);
    let check = ["--userns=auto", "--health-cmd=echo said > /dev/stderr", "--health-interval=50ms"];
    let id = engine.start("up", &check, "touch /mine; chown 7:8 /mine; sleep 1000")?;
    let pid = engine.ok(&["inspect", "up", "--format={{.State.Pid}}"])?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    ensure!(status.contains(&format!("Uid:\t{FIRST}\t")), "{status}");
    until("it has given it away", || {
        engine.ok(&["exec", "up", "stat", "-c", "%u", "/mine"]).is_ok_and(|it| it == "7")
    })?;
    // What is added can open its output once more, too.
    for user in ["0", "7"] {
        let words = ["exec", "-u", user, "up", "sh", "-c", "echo said > /dev/stdout"];
        expect_eq!(engine.ok(&words)?, "said");
    }
    engine.ok(&["wait", "--condition=healthy", "up"])?;
    let checked = "--format={{(index .State.Health.Log 0).Output}}";
    expect_eq!(engine.ok(&["inspect", "up", checked])?, "said");
    // On the disk they are what the container sees, and through its root what they are here.
    let inside = Path::new("/proc").join(&pid).join("root/mine");
    expect_eq!(owner(&inside)?, (FIRST + 7, FIRST + 8));
    expect_eq!(owner(&engine.store.join(format!("containers/{id}/upper/mine")))?, (7, 8));
    let mappings =
        engine.ok(&["inspect", "up", "--format={{json .HostConfig.IDMappings.UidMap}}"])?;
    expect_eq!(mappings, format!("[\"0:{FIRST}:1024\"]"));
    expect_eq!(engine.ok(&["inspect", "up", "--format={{.HostConfig.UsernsMode}}"])?, "auto");
    let top = engine.ok(&["top", "up"])?;
    ensure!(top.lines().skip(1).all(|line| line.starts_with("0 ")), "{top}");
    // It goes on with the same ones.
    engine.ok(&["restart", "-t", "0", "up"])?;
    expect_eq!(engine.ok(&["exec", "up", "stat", "-c", "%u %g", "/mine"])?, "7 8");
    let map = engine.ok(&["exec", "up", "cat", "/proc/self/gid_map"])?;
    ensure!(map.contains(&FIRST.to_string()), "{map}");
    engine.ok(&["rm", "-f", "up"])?;
    ensure!(engine.ok(&["system", "check"]).is_ok(), "something is left");
    engine.is_clean()
}

/// What goes in and out has the ids of the container.
pub(crate) fn copies_and_images() -> Result<()> {
    let engine = engine(100_000)?;
    let script = "mkdir /d; touch /d/a; chown 7:8 /d/a; echo ready; sleep 1000";
    engine.start("up", &["--userns=auto"], script)?;
    until("it is ready", || engine.ok(&["logs", "up"]).is_ok_and(|text| text == "ready"))?;
    let given = scratch("given");
    fs::write(&given, "given")?;
    chown(&given, Some(70), Some(80))?;
    let given = given.to_str().context("UTF-8")?;
    let stat = |path: &str| engine.ok(&["exec", "up", "stat", "-c", "%u %g", path]);
    engine.ok(&["cp", given, "up:/d/plain"])?;
    engine.ok(&["cp", "-a", given, "up:/d/archived"])?;
    expect_eq!(stat("/d/plain")?, "0 0");
    expect_eq!(stat("/d/archived")?, "70 80");
    engine.ok(&["exec", "up", "sh", "-c", "echo more >> /d/plain"])?;
    chown(given, Some(70_000), Some(80))?;
    engine.fails(
        &["cp", "-a", given, "up:/d/x"],
        1,
        "which the container's user namespace does",
    )?;
    let out = scratch("out");
    engine.ok(&["cp", "-a", "up:/d", out.to_str().context("UTF-8")?])?;
    expect_eq!(owner(&out.join("a"))?, (7, 8));
    expect_eq!(owner(&out.join("plain"))?, (0, 0));
    engine.ok(&["stop", "-t", "0", "up"])?;
    let stopped = scratch("stopped");
    engine.ok(&["cp", "-a", "up:/d", stopped.to_str().context("UTF-8")?])?;
    expect_eq!(owner(&stopped.join("a"))?, (7, 8));
    // An image of it is one as any other.
    engine.ok(&["commit", "up", "kept"])?;
    let seen = engine.ok(&["run", "--rm", "kept", "stat", "-c", "%u %g", "/d/a", "/d/plain"])?;
    expect_eq!(seen, "7 8\n0 0");
    let list = end_of(Command::new("sh").arg("-c").arg(format!(
        "{} --root {} export up | tar -tv --numeric-owner | grep d/a",
        harness::tinyo().display(),
        engine.store.display()
    )))?;
    ensure!(list.stdout.contains("7/8"), "{list:?}");
    engine.ok(&["rm", "up"]).map(drop)
}

/// Nobody gets ids that somebody has, not even at the same time, and they are free afterwards.
pub(crate) fn nobody_has_the_ids_of_another() -> Result<()> {
    let engine = engine(5 * 1024)?;
    let create = |name: &str| {
        let mut command = engine.command(&["create", "--userns=auto", "--name", name, "box"]);
        command.arg("true").spawn()
    };
    let names = ["c0", "c1", "c2", "c3", "c4"];
    let children = names.map(create);
    for child in children {
        ensure!(child?.wait()?.success(), "one of five was not made");
    }
    let first_of = |name: &str| -> Result<u32> {
        let format = "--format={{index .HostConfig.IDMappings.UidMap 0}}";
        let text = engine.ok(&["inspect", name, format])?;
        Ok(text.split(':').nth(1).context("no mapping")?.parse()?)
    };
    let mut firsts = names.iter().map(|name| first_of(name)).collect::<Result<Vec<_>>>()?;
    firsts.sort_unstable();
    let expected: Vec<u32> = (0..5).map(|number| FIRST + number * 1024).collect();
    expect_eq!(firsts, expected);
    let words = ["run", "--rm", "--userns=auto", "box", "true"];
    engine.fails(&words, 125, "there are no 1024 left; add the line containers:")?;
    let freed = first_of("c2")?;
    engine.ok(&["rm", "c2"])?;
    let map = engine.shell(&["--userns=auto"], "cat /proc/self/uid_map")?;
    ensure!(map.contains(&freed.to_string()), "{map}");
    engine.ok(&["rm", "c0", "c1", "c3", "c4"])?;
    let map = engine.shell(&["--userns=auto:size=5000"], "cat /proc/self/uid_map")?;
    ensure!(map.contains("5000"), "{map}");
    engine.is_clean()
}

/// Who is root there is nobody here.
pub(crate) fn its_root_is_nobody_here() -> Result<()> {
    let engine = engine(100_000)?;
    let folder = scratch("hosts");
    fs::create_dir(&folder)?;
    fs::write(folder.join("file"), "before")?;
    fs::set_permissions(folder.join("file"), fs::Permissions::from_mode(0o644))?;
    let volume = format!("{}:/v", folder.display());
    let script = "echo x > /v/file; rm -f /v/file; touch /v/new; chown 0:0 /v/file; \
                  chmod 4755 /v/file; mknod /n c 1 3; mknod /v/n b 8 0; echo done; ls -ln /v/file";
    let seen = engine.shell(&["--userns=auto", "--cap-add=MKNOD", "-v", &volume], script)?;
    ensure!(seen.contains("done") && seen.contains("65534"), "{seen}");
    expect_eq!(fs::read_to_string(folder.join("file"))?, "before");
    expect_eq!(fs::metadata(folder.join("file"))?.mode() & 0o7777, 0o644);
    expect_eq!(fs::read_dir(&folder)?.count(), 1);
    engine.shell(&["--userns=auto"], "test ! -e /n")?;
    for (flags, expected) in [
        (&["--userns=auto:uidmapping=0:0:1"][..], "the machine's 0 is its root"),
        (&["--userns=keep-id"], "is for users without rights"),
        (&["--userns=private"], "which ids?"),
        (&["--userns=host", "--uidmap=0:5:6"], "not together"),
        (&["--uidmap=1:5:6"], "nobody is 0"),
        (&["--subuidname=nobody-here"], "no line for nobody-here"),
        (&["--userns=auto", "--pid=container:none"], "not in the same user namespace"),
    ] {
        let words = [&["create"], flags, &["box", "true"]].concat();
        engine.fails(&words, 125, expected)?;
    }
    Ok(())
}

/// Volumes that belong to it, whose ids are mapped, and that it is given.
pub(crate) fn volumes() -> Result<()> {
    let engine = engine(100_000)?;
    let data = |name: &str| engine.store.join("volumes").join(name).join("_data");
    // A new one belongs to the user of the first container, as with Podman.
    let script = "touch /v/a && stat -c '%u %g' /v /v/a";
    let flags = ["--userns=auto", "--user=5:6", "-v", "own:/v"];
    expect_eq!(engine.shell(&flags, script)?, "5 6\n5 6");
    expect_eq!(owner(&data("own"))?, (FIRST + 5, FIRST + 6));
    expect_eq!(owner(&data("own").join("a"))?, (FIRST + 5, FIRST + 6));
    // With what the image has there.
    let flags = ["--userns=auto", "-v", "filled:/data"];
    expect_eq!(engine.shell(&flags, "stat -c '%u %g' /data /data/given")?, "0 0\n0 0");
    expect_eq!(owner(&data("filled").join("given"))?, (FIRST, FIRST));
    // Once: what its program removes does not come back.
    let words = ["create", "--name", "empties", "--userns=auto", "-v", "emptied:/data", "box"];
    engine.ok(&[&words[..], &["sh", "-c", "ls /data; rm /data/given"]].concat())?;
    expect_eq!(engine.ok(&["start", "-a", "empties"])?, "given");
    engine.fails(&["start", "-a", "empties"], 1, "")?;
    expect_eq!(fs::read_dir(data("emptied"))?.count(), 0);
    engine.ok(&["rm", "empties"])?;
    // U gives all of it away.
    engine.ok(&["create", "--name", "first", "--userns=auto", "box", "true"])?;
    let flags = ["--userns=auto", "-v", "own:/v:U"];
    expect_eq!(engine.shell(&flags, script)?, "0 0\n0 0");
    expect_eq!(owner(&data("own").join("a"))?, (FIRST + 1024, FIRST + 1024));
    engine.shell(&["-v", "own:/v:U"], "true")?;
    expect_eq!(owner(&data("own").join("a"))?, (0, 0));
    // With idmap the disk has what the container sees.
    let flags = ["--userns=auto", "-v", "mapped:/v:idmap"];
    expect_eq!(
        engine.shell(&flags, "touch /v/a; chown 3:4 /v/a; stat -c '%u %g' /v /v/a")?,
        "0 0\n3 4"
    );
    expect_eq!(owner(&data("mapped").join("a"))?, (3, 4));
    let folder = scratch("folder");
    fs::create_dir(&folder)?;
    fs::write(folder.join("file"), "")?;
    chown(folder.join("file"), Some(1000), Some(1001))?;
    let volume = format!("{}:/v:idmap=uids=@1000-7-1;gids=@1001-8-1", folder.display());
    let seen = engine.shell(&["--userns=auto", "-v", &volume], "stat -c '%u %g' /v/file")?;
    expect_eq!(seen, "7 8");
    let words = ["run", "--rm", "-v", "mapped:/v:idmap", "box", "true"];
    engine.fails(&words, 125, "has no ids to map")?;
    engine.fails(&["run", "--rm", "-v", "/etc:/v:U", "box", "true"], 125, "is the machine's")?;
    Ok(())
}

/// Networks, kernel parameters of its own, ports that only root could have.
pub(crate) fn networks_and_parameters() -> Result<()> {
    let engine = engine(100_000)?;
    let flags = ["--userns=auto", "--sysctl=net.ipv4.ip_forward=1", "--hostname=own"];
    let script = "cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_forward; hostname; \
                  cat /sys/class/net/eth0/operstate";
    let seen = engine.shell(&flags, script)?;
    expect_eq!(seen, "0\t1023\n1\nown\nup");
    // Its root owns its network.
    let script = "mount -t tmpfs none /data && echo mounted; \
                  cat /proc/self/status | grep CapEff";
    let seen = engine.shell(
        &["--userns=auto", "--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined"],
        script,
    )?;
    ensure!(seen.starts_with("mounted"), "{seen}");
    for network in ["none", "host"] {
        let flags = ["--userns=auto", "--network", network];
        expect_eq!(engine.shell(&flags, "cat /proc/self/uid_map | grep -c 2000000000")?, "1");
    }
    let flags = ["--userns=auto", "--pid=host", "--ipc=host", "--cgroupns=host"];
    let seen = engine.shell(&flags, "test -e /proc/self && test -e /dev/mqueue; echo $?")?;
    // Not every machine has mounted its message queues.
    let queues = u8::from(!std::path::Path::new("/dev/mqueue").exists());
    expect_eq!(seen, queues.to_string());
    Ok(())
}

/// All of a pod are in one user namespace.
pub(crate) fn a_pod() -> Result<()> {
    let engine = engine(200_000)?;
    engine.ok(&["pod", "create", "--name", "pod", "--userns=auto"])?;
    let run = |name: &str, script: &str| {
        engine.ok(&["run", "-d", "--pod", "pod", "--name", name, "box", "sh", "-c", script])
    };
    run("one", "echo hello > /dev/shm/said; sleep 1000")?;
    run("two", "sleep 1000")?;
    let map = "cat /proc/self/uid_map; readlink /proc/self/ns/user 2>&1";
    let of = |name: &str| engine.ok(&["exec", name, "sh", "-c", map]);
    let (one, two) = (of("one")?, of("two")?);
    expect_eq!(one, two);
    ensure!(one.contains(&format!("{FIRST}      65536")), "{one}");
    until("it is said", || {
        engine.ok(&["exec", "two", "cat", "/dev/shm/said"]).is_ok_and(|it| it == "hello")
    })?;
    expect_eq!(engine.ok(&["exec", "two", "sh", "-c", "touch /x; stat -c %u /x"])?, "0");
    engine.ok(&["pod", "restart", "pod"])?;
    ensure!(of("one")?.contains(&format!("{FIRST}      65536")), "other ids after a restart");
    let words = ["run", "--pod", "pod", "--userns=auto", "box", "true"];
    engine.fails(&words, 125, "the user namespace is the pod's")?;
    engine.ok(&["pod", "rm", "-f", "pod"])?;
    engine.is_clean()
}

/// It shares that of another container, and nothing else.
pub(crate) fn that_of_another_container() -> Result<()> {
    let engine = engine(100_000)?;
    engine.start("first", &["--userns=auto:size=3000"], "sleep 1000")?;
    for network in ["none", "container:first", "bridge"] {
        let flags = ["--userns=container:first", "--network", network];
        let seen = engine.shell(&flags, "cat /proc/self/uid_map; touch /x; stat -c %u /x")?;
        let map: Vec<&str> = seen.split_whitespace().collect();
        expect_eq!(map, ["0", "2000000000", "3000", "0"]);
    }
    engine.fails(
        &["create", "--userns=container:none", "box", "true"],
        125,
        "no such container",
    )?;
    engine.ok(&["rm", "-f", "first"])?;
    engine.is_clean()
}
