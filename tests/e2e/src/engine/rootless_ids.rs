//! User namespaces of containers of a user without rights. The trial has its own `/etc/subuid`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};

use super::rootless::{USER, User};
use super::support::end_of;
use crate::expect_eq;
use crate::support::{scratch, until};

/// The first of the ids that the user may give away, and how many they are.
const FURTHER: (u32, u32) = (1_900_000_000, 65_536);

/// A user who has further ids, and a name; `None` if that cannot be.
fn user() -> Result<Option<User>> {
    if !Path::new("/usr/bin/newuidmap").exists() || !rustix::process::geteuid().is_root() {
        return harness::skip("only root can play another user, who needs newuidmap")
            .map(|()| None);
    }
    sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let lines = [
        ("passwd", format!("ann:x:{USER}:{USER}:Ann Other:{}:/bin/sh", scratch("user").display())),
        ("group", format!("anns:x:{USER}:")),
        ("subuid", format!("ann:{}:{}", FURTHER.0, FURTHER.1)),
        ("subgid", format!("ann:{}:{}", FURTHER.0, FURTHER.1)),
    ];
    for (name, line) in lines {
        let (path, copy) = (Path::new("/etc").join(name), scratch(&format!("{name}-file")));
        let Ok(before) = fs::read_to_string(&path) else {
            return harness::skip(format!("there is no {}", path.display())).map(|()| None);
        };
        fs::write(&copy, format!("{before}{line}\n"))?;
        mount_bind(&copy, &path)?;
    }
    User::new().map(Some)
}

fn owner(path: &Path) -> Result<(u32, u32)> {
    let status = fs::symlink_metadata(path)?;
    Ok((status.uid(), status.gid()))
}

/// What a shell in a new container prints.
fn shell(user: &User, flags: &[&str], script: &str) -> Result<String> {
    user.ok(&[&["run", "--rm", "--network=none"], flags, &["box", "sh", "-c", script]].concat())
}

/// The lines of `uid_map`, with single spaces.
fn map_of(text: &str) -> Vec<String> {
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect()
}

const KEEP: &str = "--userns=keep-id";

/// His number, name and files, on both sides.
pub(super) fn whoever_keeps_an_id_is_the_same_inside() -> Result<()> {
    let Some(user) = user()? else { return Ok(()) };
    let doctor = user.ok(&["doctor"])?;
    let wanted = format!("yes    {} beside your own", FURTHER.1);
    ensure!(doctor.contains(&wanted), "{doctor}");
    let map = map_of(&shell(&user, &[KEEP], "cat /proc/self/uid_map")?);
    let rest = FURTHER.1 - USER;
    expect_eq!(
        map,
        [format!("0 1 {USER}"), format!("{USER} 0 1"), format!("{0} {0} {rest}", USER + 1)]
    );
    // The image's files are its root's, whose files the user cannot write.
    let script = "id -u; id -g; stat -c '%u %g' / /bin/busybox /etc/hosts /dev/shm; \
                  touch /data/x 2>/dev/null || echo refused; grep ann /etc/passwd /etc/group; pwd";
    let seen = shell(&user, &[KEEP], script)?;
    let passwd = format!("/etc/passwd:ann:*:{USER}:{USER}:Ann Other:/:/bin/sh");
    let group = format!("/etc/group:anns:x:{USER}:ann");
    let own = USER.to_string();
    let expected = [&own, &own, "0 0", "0 0", "0 0", "0 0", "refused", &passwd, &group, "/"];
    expect_eq!(seen.lines().collect::<Vec<_>>(), expected);
    // A folder of his is his inside, and what he makes there is his outside.
    let folder = user.home.join("work");
    fs::create_dir(&folder)?;
    chown(&folder, Some(USER), Some(USER))?;
    let place = format!("{}:/work", folder.display());
    let seen =
        shell(&user, &[KEEP, "-v", &place], "touch /work/new; stat -c '%u %g' /work /work/new")?;
    expect_eq!(seen, format!("{USER} {USER}\n{USER} {USER}"));
    expect_eq!(owner(&folder.join("new"))?, (USER, USER));
    // His home is the real one where it is there.
    let home = format!("{0}:{0}", user.home.display());
    expect_eq!(shell(&user, &[KEEP, "-v", &home], "echo $HOME")?, user.home.to_string_lossy());
    // Other numbers inside; somebody else; an image's own user.
    let seen = shell(
        &user,
        &["--userns=keep-id:uid=50,gid=60", "-v", &place],
        "id -u; id -g; stat -c '%u %g' /work; tail -n 1 /etc/passwd",
    )?;
    expect_eq!(seen, "50\n60\n50 60\n50:*:50:60:container user:/:/bin/sh");
    let seen = shell(
        &user,
        &[KEEP, "--user=web"],
        "id -u; id -G | tr ' ' '\\n' | sort -n; touch /data/x 2>/dev/null; echo $?",
    )?;
    expect_eq!(seen, format!("33\n4\n34\n{USER}\n1"));
    let seen =
        shell(&user, &[KEEP, "--user=0"], "id -u; touch /x; chown 33:34 /x; stat -c '%u %g' /x")?;
    expect_eq!(seen, "0\n33 34");
    for (flag, expected) in [
        ("--userns=keep-id:uid=x", "is not uid=ID, gid=ID or size=COUNT"),
        ("--userns=nomap:size=1", "is not host, auto"),
        ("--uidmap=0:100000:5", "up to 65536 are the ones of /etc/subuid"),
        ("--volume=named:/v:idmap", "only root can have the ids of a disk mapped"),
    ] {
        user.fails(&["create", flag, "box", "true"], expected)?;
    }
    Ok(())
}

/// New ones, those with what the image has, and those that are given.
pub(super) fn volumes_belong_to_whom_they_should() -> Result<()> {
    let Some(user) = user()? else { return Ok(()) };
    let own = format!("{USER} {USER}");
    let seen = shell(&user, &[KEEP, "-v", "new:/v"], "touch /v/a; stat -c '%u %g' /v /v/a")?;
    expect_eq!(seen, format!("{own}\n{own}"));
    let data = user.home.join("store/volumes/new/_data");
    expect_eq!(owner(&data.join("a"))?, (USER, USER));
    let stat = "stat -c '%u %g' /data /data/given";
    expect_eq!(shell(&user, &[KEEP, "-v", "filled:/data"], stat)?, "0 0\n0 0");
    expect_eq!(shell(&user, &[KEEP, "-v", "filled:/data:U"], stat)?, format!("{own}\n{own}"));
    expect_eq!(shell(&user, &["-v", "filled:/data"], stat)?, "0 0\n0 0");
    Ok(())
}

/// `cp`, `exec`, `diff`, `export` and `commit`.
pub(super) fn files_go_in_and_out_with_their_owners() -> Result<()> {
    let Some(user) = user()? else { return Ok(()) };
    let file = user.home.join("file");
    fs::write(&file, "said")?;
    let text = file.to_str().context("UTF-8")?;
    user.ok(&["create", "--name", "one", "--network=none", KEEP, "box", "sleep", "1000"])?;
    user.ok(&["cp", text, "one:/data/stopped"])?;
    user.ok(&["start", "one"])?;
    user.ok(&["cp", text, "one:/data/running"])?;
    user.ok(&["exec", "-u", "33:34", "one", "sh", "-c", "touch /dev/shm/x"])?;
    user.ok(&["exec", "-u", "0", "one", "sh", "-c", "touch /data/web; chown 33:34 /data/web"])?;
    expect_eq!(user.ok(&["exec", "one", "id", "-u"])?, USER.to_string());
    ensure!(user.ok(&["top", "one"])?.contains("sleep 1000"), "a process is missing");
    let owners = "stat -c '%u %g' /data/stopped /data/running /data/web /data/given /etc/passwd";
    let expected = "0 0\n0 0\n33 34\n0 0\n0 0";
    expect_eq!(user.ok(&["exec", "one", "sh", "-c", owners])?, expected);
    expect_eq!(
        user.ok(&["diff", "one"])?,
        "C /data\nA /data/running\nA /data/stopped\nA /data/web\nC /etc\nC /etc/group\nC /etc/passwd"
    );
    // It runs, and a user without cgroups cannot pause it.
    user.ok(&["commit", "one", "two"])?;
    user.ok(&["restart", "-t", "0", "one"])?;
    expect_eq!(user.ok(&["exec", "one", "sh", "-c", owners])?, expected);
    let archive = user.home.join("all.tar");
    user.ok(&["export", "-o", archive.to_str().context("UTF-8")?, "one"])?;
    let mut tar = Command::new("tar");
    let listed = end_of(tar.arg("--numeric-owner").arg("-tvf").arg(&archive))?.stdout;
    let line = |name: &str| {
        let found = listed.lines().find(|line| line.ends_with(name)).unwrap_or_default();
        found.split_whitespace().nth(1).unwrap_or_default().to_owned()
    };
    expect_eq!(
        [line(" data/web"), line(" data/stopped"), line(" bin/busybox")],
        ["33/34", "0/0", "0/0"]
    );
    let run = |flags: &[&str]| {
        let words = ["-u", "0", "two", "sh", "-c", owners];
        user.ok(&[&["run", "--rm", "--network=none"], flags, &words].concat())
    };
    expect_eq!(run(&[])?, expected);
    expect_eq!(run(&[KEEP])?, expected);
    Ok(())
}

/// `auto`, `nomap`, mappings, and those of another container.
pub(super) fn ids_that_no_other_container_has() -> Result<()> {
    let Some(user) = user()? else { return Ok(()) };
    let script = "cat /proc/self/uid_map; touch /x; stat -c '%u %g' /x /data";
    user.ok(&[
        "run",
        "-d",
        "--name",
        "first",
        "--network=none",
        "--userns=auto:size=2000",
        "box",
        "sleep",
        "1000",
    ])?;
    let seen = map_of(&shell(&user, &["--userns=auto"], script)?);
    expect_eq!(seen, ["0 2001 1024", "0 0", "0 0"]);
    let pid = user.ok(&["inspect", "first", "--format={{.State.Pid}}"])?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    ensure!(status.contains(&format!("Uid:\t{}\t", FURTHER.0)), "{status}");
    let seen = map_of(&shell(&user, &["--userns=container:first"], script)?);
    expect_eq!(seen, ["0 1 2000", "0 0", "0 0"]);
    user.ok(&["rm", "-f", "-t", "0", "first"])?;
    let place = format!("{}:/work", user.home.display());
    let seen = shell(&user, &["--userns=nomap", "-v", &place], &format!("{script} /work"))?;
    expect_eq!(map_of(&seen), ["0 1 65536", "0 0", "0 0", "65534 65534"]);
    let flags = ["--uidmap=0:1:100", "--uidmap=1000:0:1", "--gidmap=0:1:200", "-v", &place];
    let seen = map_of(&shell(&user, &flags, &format!("{script} /work"))?);
    expect_eq!(seen, ["0 1 100", "1000 0 1", "0 0", "0 0", "1000 65534"]);
    user.fails(
        &["run", "--userns=auto:size=70000", "box", "true"],
        "of users there are no 70000 left",
    )
}

/// All of a pod are in one, and are whom its user is.
pub(super) fn pods_have_ids_of_their_own() -> Result<()> {
    let Some(user) = user()? else { return Ok(()) };
    user.ok(&["pod", "create", "--name", "pod", "--network=none", KEEP])?;
    for name in ["one", "two"] {
        user.ok(&["run", "-d", "--pod=pod", "--name", name, "box", "sleep", "1000"])?;
        let script = "id -u; touch /dev/shm/$0; stat -c %u /dev/shm/$0 /; grep -c ann: /etc/passwd";
        let seen = user.ok(&["exec", name, "sh", "-c", script, name])?;
        expect_eq!(seen, format!("{USER}\n{USER}\n0\n1"));
        let script = "echo said > /dev/stdout";
        expect_eq!(user.ok(&["exec", name, "sh", "-c", script])?, "said");
    }
    expect_eq!(user.ok(&["exec", "one", "ls", "/dev/shm"])?, "one\ntwo");
    user.ok(&["pod", "restart", "pod"])?;
    expect_eq!(user.ok(&["exec", "two", "id", "-u"])?, USER.to_string());
    user.ok(&["pod", "rm", "-f", "-t", "0", "pod"])?;
    user.ok(&["pod", "create", "--name", "pod", "--network=none", "--userns=auto"])?;
    let words = ["run", "--rm", "--pod=pod", "box", "cat", "/proc/self/uid_map"];
    expect_eq!(map_of(&user.ok(&words)?), ["0 1 1024"]);
    user.ok(&["pod", "rm", "-f", "-t", "0", "pod"]).map(drop)
}

/// Containers that share what is around them with others, or with the machine.
pub(super) fn what_is_shared_is_there() -> Result<()> {
    let user = User::new()?;
    user.ok(&["pod", "create", "--name", "pod", "--network=none"])?;
    for name in ["one", "two"] {
        user.ok(&["run", "-d", "--pod=pod", "--name", name, "box", "sleep", "1000"])?;
        user.ok(&["exec", name, "touch", &format!("/dev/shm/{name}")])?;
        let script = "echo said > /dev/stdout";
        expect_eq!(user.ok(&["exec", name, "sh", "-c", script])?, "said");
    }
    expect_eq!(user.ok(&["exec", "one", "ls", "/dev/shm"])?, "one\ntwo");
    expect_eq!(user.ok(&["pod", "ps", "--format={{.Status}}"])?, "Running");
    ensure!(
        user.ok(&["pod", "top", "pod"])?.matches("sleep 1000").count() >= 2,
        "not all are told"
    );
    user.ok(&["pod", "stop", "-t", "0", "pod"])?;
    user.ok(&["pod", "start", "pod"])?;
    user.ok(&["pod", "restart", "pod"])?;
    user.ok(&["pod", "kill", "pod"])?;
    user.ok(&["pod", "rm", "-f", "-t", "0", "pod"])?;
    expect_eq!(user.ok(&["ps", "-aq"])?, "");
    let own = std::process::id().to_string();
    let script = "ls -d /proc/$0 /sys/class/net; test -e /dev/mqueue; echo $?";
    // Not every machine has mounted its message queues.
    let queues_of_machine = u8::from(!std::path::Path::new("/dev/mqueue").exists());
    for (other, queues) in [("--ipc=host", queues_of_machine), ("--network=host", 0)] {
        let words = ["run", "--rm", "--pid=host", other, "box", "sh", "-c", script, &own];
        let expected = format!("/proc/{own}\n/sys/class/net\n{queues}");
        expect_eq!(user.ok(&words)?, expected, "{other}");
    }
    Ok(())
}

/// How many copies of layers there are, and things under way.
fn copies(user: &User) -> Result<usize> {
    Ok(fs::read_dir(user.home.join("store/mapped/sha256"))?.count())
}

/// Two containers at once have one copy between them; it is counted, and goes when nobody uses it.
pub(super) fn copies_are_made_once_and_go() -> Result<()> {
    let Some(user) = user()? else { return Ok(()) };
    let size = || user.ok(&["system", "df", "--format=json"]);
    let before = size()?;
    let run = |number: usize| {
        let name = format!("c{number}");
        let words = ["create", "--name", &name, "--network=none", KEEP, "box", "id", "-u"];
        user.command(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
    };
    for one in (0..4).map(run).collect::<std::io::Result<Vec<_>>>()? {
        let done = one.wait_with_output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    expect_eq!(copies(&user)?, 1);
    ensure!(size()? != before, "the copy counts for nothing");
    shell(&user, &["--userns=auto"], "true")?;
    expect_eq!(copies(&user)?, 2);
    // That of the container that is gone is not needed; what a copy is was looked at.
    user.ok(&["image", "prune", "-f"])?;
    expect_eq!(copies(&user)?, 1);
    user.ok(&["system", "check"])?;
    expect_eq!(user.ok(&["start", "-a", "c2"])?, USER.to_string());
    // One that somebody has changed is found, and one that is gone made again.
    let copy =
        fs::read_dir(user.home.join("store/mapped/sha256"))?.next().context("a copy")??.path();
    fs::write(copy.join("etc/passwd"), "other")?;
    let done = end_of(&mut user.command(&["system", "check"]))?;
    ensure!(done.code == Some(1) || done.code == Some(125), "{done:#?}");
    ensure!(done.stdout.contains("copy of a layer"), "{done:#?}");
    fs::remove_dir_all(&copy)?;
    expect_eq!(user.ok(&["start", "-a", "c3"])?, USER.to_string());
    user.ok(&["system", "check"])?;
    let refused = end_of(&mut user.command(&["rmi", "box"]))?;
    ensure!(refused.stderr.contains("is used by"), "{refused:#?}");
    user.ok(&["rm", "-a"])?;
    user.ok(&["rmi", "box"])?;
    expect_eq!(copies(&user)?, 0);
    expect_eq!(fs::read_dir(user.home.join("store/locks"))?.count(), 0);
    Ok(())
}

/// At whatever moment.
pub(super) fn a_copy_that_is_killed_is_made_again() -> Result<()> {
    let Some(user) = user()? else { return Ok(()) };
    for round in 0..12 {
        let words = ["run", "--rm", "--network=none", KEEP, "box", "id", "-u"];
        let mut command =
            user.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(Duration::from_millis(10 * round));
        // It may be done already.
        let _ = command.kill();
        command.wait()?;
        if round % 4 == 3 {
            expect_eq!(user.ok(&words)?, USER.to_string());
            user.ok(&["image", "prune", "-f"])?;
        }
    }
    until("all are gone", || {
        user.ok(&["rm", "-f", "-a", "-t", "0"]).is_ok()
            && user.ok(&["ps", "-aq"]).is_ok_and(|text| text.is_empty())
    })?;
    user.ok(&["system", "prune", "-f"])?;
    user.ok(&["system", "check"])?;
    expect_eq!(copies(&user)?, 0);
    expect_eq!(fs::read_dir(user.home.join("store/unpacking"))?.count(), 0);
    Ok(())
}

/// Nothing that needs a mount was possible for a container that does not run.
pub(super) fn files_of_stopped_containers_and_new_volumes() -> Result<()> {
    let user = User::new()?;
    let file = user.home.join("file");
    fs::write(&file, "said")?;
    let text = file.to_str().context("UTF-8")?;
    user.ok(&[
        "create",
        "--name",
        "one",
        "--network=none",
        "-v",
        "filled:/data",
        "box",
        "cat",
        "/etc/said",
    ])?;
    user.ok(&["cp", text, "one:/etc/said"])?;
    expect_eq!(user.ok(&["start", "-a", "one"])?, "said");
    user.ok(&["cp", "one:/etc/passwd", &format!("{text}-out")])?;
    ensure!(fs::read_to_string(format!("{text}-out"))?.contains("web"), "another file");
    let volume = user.home.join("store/volumes/filled/_data/given");
    expect_eq!(fs::read_to_string(volume)?, "by the image");
    Ok(())
}
