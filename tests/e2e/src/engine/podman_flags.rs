//! Flags of `run` and `exec` that only Podman has.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Result, ensure};

use super::rootless::{USER, User};
use super::support::{Done, Engine, end_of};
use crate::expect_eq;
use crate::support::scratch;

pub(crate) fn who_is_in_passwd() -> Result<()> {
    let engine = Engine::new()?;
    let look = "tail -n 1 /etc/passwd; tail -n 1 /etc/group";
    // Nobody is added where nobody says so, and nobody who is there.
    ensure!(!engine.shell(&["-u", "7:8"], "cat /etc/passwd; id")?.contains("container user"), "7");
    let look_for_mounts = "grep -c /etc/passwd /proc/mounts; true";
    expect_eq!(engine.shell(&["-u", "7:8"], look_for_mounts)?, "0");
    expect_eq!(
        engine.shell(&["--passwd", "-u", "7:8", "-w", "/tmp"], look)?,
        "7:*:7:8:container user:/tmp:/bin/sh\n8:x:8:7"
    );
    let lines = ["--passwd-entry=ada:x:$UID:$GID:$NAME:/a:/bin/sh", "--group-entry=as:x:$GID:"];
    expect_eq!(engine.shell(&[&lines[..], &["-u", "7:8"]].concat(), "id -un; id -gn")?, "ada\nas");
    // The machine has this one, with another folder than the container.
    let flags = ["--hostuser=daemon", "-u", "daemon", "--read-only"];
    expect_eq!(
        engine.shell(&flags, "id -u; id -un; tail -n 1 /etc/group")?,
        "1\ndaemon\n1:x:1:daemon"
    );
    engine.start("one", &["--passwd"], "exec sleep 1000")?;
    engine.ok(&["exec", "-u", "0", "one", "true"])?;
    engine.ok(&["rm", "-f", "-t", "0", "one"])?;
    for (flag, said) in [
        ("--passwd-entry=a", "NAME:PASSWORD:UID:GID:TEXT:HOME:SHELL"),
        ("--group-entry=a:b", "NAME:PASSWORD:GID:USERS"),
        ("--hostuser=nobody-of-this-name", "no such user in /etc/passwd"),
    ] {
        engine.fails(&["create", flag, "box", "true"], 125, said)?;
    }
    engine.is_clean()
}

pub(crate) fn variables_hosts_and_machines() -> Result<()> {
    let engine = Engine::new()?;
    let flags = ["--env-merge=PATH=${PATH}:/more", "--env-merge=A=$NONE-", "-e", "B=$PATH"];
    let found = engine.shell(&flags, "echo $PATH $A; echo $B")?;
    ensure!(found.ends_with("/bin:/more -\n$PATH"), "{found}");
    engine.fails(&["create", "--env-merge=A", "box", "true"], 125, "no value")?;
    let hosts = scratch("hosts");
    fs::write(&hosts, "192.0.2.1\tfrom.file")?;
    let flag = format!("--hosts-file={}", hosts.display());
    let found = engine.shell(&[&flag, "--add-host=x:192.0.2.2"], "head -n 2 /etc/hosts")?;
    expect_eq!(found, "192.0.2.1\tfrom.file\n192.0.2.2\tx");
    // As it is whenever the container is started.
    engine.ok(&["create", "--name=one", &flag, "box", "head", "-n", "1", "/etc/hosts"])?;
    fs::write(&hosts, "192.0.2.9\tlater\n")?;
    expect_eq!(engine.ok(&["start", "-a", "one"])?, "192.0.2.9\tlater");
    fs::remove_file(&hosts)?;
    engine.fails(&["start", "one"], 1, "--hosts-file")?;
    engine.ok(&["rm", "one"])?;
    engine.fails(&["create", &flag, "box", "true"], 125, "--hosts-file")?;
    let image = engine.shell(&["--hosts-file=image"], "cat /etc/hosts")?;
    ensure!(image.contains("localhost"), "an image without the file: {image}");
    // What uname(2) says is what the kernel has of it.
    let kind = "cat /proc/self/personality";
    expect_eq!(engine.shell(&["--personality=LINUX32"], kind)?, "00000008");
    expect_eq!(engine.shell(&["--personality=linux"], kind)?, "00000000");
    engine.fails(&["create", "--personality=BSD", "box", "true"], 125, "LINUX32")?;
    engine.is_clean()
}

pub(crate) fn what_is_required_is_started_before() -> Result<()> {
    let engine = Engine::new()?;
    for (name, requires) in [("db", ""), ("cache", ""), ("app", "db,cache"), ("web", "app")] {
        let flag = format!("--requires={requires}");
        let flags = if requires.is_empty() { &[][..] } else { &[&*flag][..] };
        let words = [&["create", "--name", name], flags, &["box", "sleep", "1000"]].concat();
        engine.ok(&words)?;
    }
    engine.ok(&["rename", "db", "store"])?;
    engine.ok(&["start", "cache"])?;
    let cache = engine.ok(&["inspect", "-f", "{{.State.Pid}}", "cache"])?;
    engine.ok(&["start", "web"])?;
    for name in ["store", "app", "web", "cache"] {
        expect_eq!(engine.status(name)?, "running");
    }
    expect_eq!(engine.ok(&["inspect", "-f", "{{.State.Pid}}", "cache"])?, cache);
    let names =
        engine.ok(&["inspect", "-f", "{{range .Dependencies}}{{println .}}{{end}}", "app"])?;
    expect_eq!(names.lines().count(), 2);
    engine.fails(&["create", "--requires=none", "box", "true"], 125, "--requires none: no such")?;
    engine.ok(&["rm", "-f", "-t", "0", "web", "store"])?;
    engine.ok(&["stop", "-t", "0", "app"])?;
    engine.fails(&["start", "app"], 1, "--requires: no such container")?;
    engine.ok(&["rm", "-f", "-t", "0", "app", "cache"])?;
    engine.is_clean()
}

/// Runs it with descriptor 3 writing to one file, and 4 reading another.
fn with_descriptors(engine: &Engine, written: &Path, read: &Path, words: &[&str]) -> Result<Done> {
    end_of(&mut opening(&engine.command(words), written, read))
}

fn opening(own: &Command, written: &Path, read: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    let script = "written=$1 read=$2; shift 2; exec \"$@\" 3>\"$written\" 4<\"$read\"";
    command.args(["-c", script, "sh"]).args([written, read]);
    command.arg(own.get_program()).args(own.get_args()).env_clear();
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(std::process::Stdio::null());
    command
}

/// Of users without rights, and where ids are others outside.
pub(crate) fn the_same_with_other_ids() -> Result<()> {
    let user = User::new()?;
    let line = ["--passwd-entry=ada:x:$UID:$GID:$NAME:/a:/bin/sh", "-u", "0:0"];
    let look = ["box", "sh", "-c", "tail -n 1 /etc/passwd; id -un"];
    // Who is there already has his own line.
    let own = user.ok(&[&["run", "--rm"], &line[..], &look].concat())?;
    expect_eq!(own, "web:x:33:34::/:/bin/sh\nroot");
    let flags = ["--hostuser=daemon", "--hosts-file=image", "--personality=LINUX32"];
    let look = [
        "box",
        "sh",
        "-c",
        "tail -n 1 /etc/passwd; cat /proc/self/personality; wc -l < /etc/hosts",
    ];
    let found = user.ok(&[&["run", "--rm"], &flags[..], &look].concat())?;
    ensure!(found.starts_with("daemon:x:1:1:daemon:/:"), "{found}");
    ensure!(found.lines().nth(1) == Some("00000008"), "{found}");
    let (written, read) = (scratch("user").join("written"), scratch("user").join("read"));
    fs::write(&read, "from outside\n")?;
    let script = "cat <&4; echo inside >&3";
    let words = ["run", "--rm", "--network=none", "--preserve-fds=2", "box", "sh", "-c", script];
    let mut command = opening(&user.command(&words), &written, &read);
    let done = end_of(command.uid(USER).gid(USER))?;
    expect_eq!((done.code, done.stdout.as_str()), (Some(0), "from outside\n"), "{}", done.stderr);
    expect_eq!(fs::read_to_string(&written)?, "inside\n");
    user.ok(&["create", "--name=one", "box", "true"])?;
    let done = end_of(&mut user.command(&["mount", "one"]))?;
    ensure!(done.code == Some(1) && done.stderr.contains("tinyo export"), "{done:?}");
    expect_eq!(user.ok(&["umount", "one"])?, "one");
    user.ok(&["rm", "one"])?;
    let engine = &user.engine;
    let ids = ["--userns=private", "--uidmap=0:100000:1000", "--passwd", "-u", "7:8"];
    let look = "tail -n 1 /etc/passwd; stat -c '%u %a' /etc/passwd /etc/group";
    expect_eq!(engine.shell(&ids, look)?, "7:*:7:8:container user:/:/bin/sh\n0 644\n0 644");
    engine.is_clean()
}

pub(crate) fn descriptors_are_passed_on_where_that_is_asked_for() -> Result<()> {
    let engine = Engine::new()?;
    let (written, read) = (scratch("written"), scratch("read"));
    fs::write(&read, "from outside\n")?;
    let run = |words: &[&str]| with_descriptors(&engine, &written, &read, words);
    let script = "cat <&4; echo inside >&3; ls /proc/self/fd";
    let done = run(&["run", "--rm", "--preserve-fds=2", "box", "sh", "-c", script])?;
    let lines: Vec<&str> = done.stdout.lines().collect();
    ensure!(
        done.code == Some(0) && lines[..6] == ["from outside", "0", "1", "2", "3", "4"],
        "{done:?}"
    );
    expect_eq!(fs::read_to_string(&written)?, "inside\n");
    // Not one more than is said, and none where nothing is.
    let none = ["run", "--rm", "box", "sh", "-c", "true 2>/dev/null <&3"];
    ensure!(run(&none)?.code != Some(0), "3 is there");
    let one = ["run", "--rm", "--preserve-fds=1", "box", "sh", "-c", "true 2>/dev/null <&4"];
    ensure!(run(&one)?.code != Some(0), "4 is there");
    let three = run(&["run", "--rm", "--preserve-fds=3", "box", "true"])?;
    expect_eq!(three.code, Some(125));
    ensure!(three.stderr.contains("--preserve-fds 3: there is no descriptor 5"), "{three:?}");
    engine.start("one", &[], "exec sleep 1000")?;
    let done = run(&["exec", "--preserve-fds=2", "one", "sh", "-c", script])?;
    ensure!(done.code == Some(0) && done.stdout.starts_with("from outside\n0\n1\n"), "{done:?}");
    expect_eq!(fs::read_to_string(&written)?, "inside\n");
    engine.fails(&["exec", "-d", "--preserve-fds=1", "one", "true"], 125, "--detach")?;
    engine.ok(&["rm", "-f", "-t", "0", "one"])?;
    engine.is_clean()
}

/// What `bats` and others wait for: the end of a pipe that they have open as 3.
pub(crate) fn a_monitor_keeps_no_descriptors_of_the_callers() -> Result<()> {
    let engine = Engine::new()?;
    for (name, flag) in [("one", "--preserve-fds=0"), ("two", "--preserve-fds=1")] {
        let pipe = scratch(name);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )?;
        let reader = {
            let pipe = pipe.clone();
            thread::spawn(move || fs::read_to_string(pipe))
        };
        let script = "exec 3>&-; exec sleep 1000";
        let words = ["run", "-d", "--name", name, flag, "box", "sh", "-c", script];
        let done = with_descriptors(&engine, &pipe, Path::new("/dev/null"), &words)?;
        expect_eq!(done.code, Some(0));
        // Else this would wait for the end of the container.
        let read = reader.join().map_err(|_| anyhow::anyhow!("the reader"))??;
        expect_eq!((read.as_str(), &*engine.status(name)?), ("", "running"));
    }
    engine.ok(&["rm", "-f", "-t", "0", "one", "two"])?;
    engine.is_clean()
}

/// Of a caller who keeps his files to himself.
pub(crate) fn files_are_the_containers_whatever_the_callers_umask() -> Result<()> {
    let engine = Engine::new()?;
    let words = ["run", "--rm", "-u", "33", "-v", "new:/new", "box", "sh", "-c"];
    let script =
        "cat /etc/hosts /etc/hostname /etc/resolv.conf > /dev/null && ls /new && echo read";
    let own = engine.command(&[&words[..], &[script]].concat());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(own.get_program());
    command.args(own.get_args()).stdin(std::process::Stdio::null());
    let done = end_of(&mut command)?;
    expect_eq!((done.code, done.stdout.as_str()), (Some(0), "read\n"), "{}", done.stderr);
    engine.ok(&["volume", "rm", "new"])?;
    engine.is_clean()
}
