//! Disks that are full or cannot be written, and a database that somebody holds.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change, mount_remount};

use crate::engine::support::Engine;
use crate::expect_eq;
use crate::support::{processes, scratch, sys, until};

/// With a disk of its own, which nobody else sees.
fn engine_on_disk(size: &str) -> Result<Engine> {
    if !rustix::process::geteuid().is_root() {
        harness::skip("only root mounts disks")?;
    }
    ::sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64).context("unshare")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let store = scratch("store");
    fs::create_dir_all(&store)?;
    let options = std::ffi::CString::new(format!("size={size},mode=0700"))?;
    mount("none", &store, "tmpfs", MountFlags::empty(), options.as_c_str())?;
    Engine::new()
}

/// Takes all that is left of the disk.
fn fill_but_reserve(engine: &Engine) -> Result<(PathBuf, fs::File)> {
    let path = engine.store.join("filler");
    let mut file = fs::File::create(&path)?;
    while file.write(&[1; 4096]).is_ok() {}
    Ok((path, file))
}

/// And what the store has set aside for such a moment, too.
fn fill(engine: &Engine) -> Result<PathBuf> {
    let (path, mut file) = fill_but_reserve(engine)?;
    match fs::remove_file(engine.store.join("reserve")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    while file.write(&[1; 4096]).is_ok() {}
    Ok(path)
}

pub(crate) fn a_full_disk_stops_the_log_and_not_the_program() -> Result<()> {
    let engine = engine_on_disk("24m")?;
    // What it prints when it is asked to is much more than fits into a pipe: when that is over, most of
    // it was read, and found no room.
    let script = "trap 'seq 50000; echo >> /dev/shm/printed' USR1; trap 'echo after' USR2; trap 'exit 7' TERM
        echo ready; while :; do sleep 0.1; done";
    let flags = ["--health-cmd=test -e /healthy", "--health-interval=1s", "--health-retries=1"];
    let id = engine.start("one", &flags, script)?;
    let folder = engine.store.join("containers").join(id);
    let has = |file: &str, text: &str| {
        fs::read_to_string(folder.join(file)).is_ok_and(|all| all.contains(text))
    };
    let first: i32 = engine.field("one", "Pid")?.parse()?;
    until("it is ready", || has("log", " ready\n"))?;
    let filler = fill(&engine)?;
    sys::send(first, libc::SIGUSR1)?;
    let printed = PathBuf::from(format!("/proc/{first}/root/dev/shm/printed"));
    let is_printed = |times: u64| fs::metadata(&printed).is_ok_and(|it| it.len() == times);
    until("it has printed much", || is_printed(1))?;
    // Its health changes meanwhile, and the file that tells of it finds no room.
    until("its health is known", || has("state", "health unhealthy"))?;
    ensure!(processes::alive(first), "the program has ended");
    fs::remove_file(filler)?;
    expect_eq!(engine.status("one")?, "running");
    sys::send(first, libc::SIGUSR2)?;
    until("the log goes on", || has("log", "stdout F after\n"))?;
    ensure!(
        has("log", " bytes of output were lost\n"),
        "{:?}",
        fs::read(folder.join("log"))?.len()
    );
    // No line is half there.
    for line in fs::read_to_string(folder.join("log"))?.lines() {
        ensure!(line.split(' ').nth(1).is_some_and(|it| it.starts_with("std")), "{line}");
    }
    // What is lost at the end is said in the log if the rest of its last block is enough for that,
    // and elsewhere if not; and the end is recorded.
    let filler = fill(&engine)?;
    sys::send(first, libc::SIGUSR1)?;
    until("it has printed much again", || is_printed(2))?;
    sys::send(first, libc::SIGTERM)?;
    until("its end is known", || has("state", "phase exited"))?;
    fs::remove_file(filler)?;
    expect_eq!(engine.field("one", "ExitCode")?, "7");
    let error = engine.ok(&["inspect", "-f", "{{.State.Error}}", "one"])?;
    let said = [fs::read_to_string(folder.join("log"))?, error].concat();
    expect_eq!(said.matches(" bytes of output were lost").count(), 2, "{said}");
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}

pub(crate) fn a_full_disk_is_said() -> Result<()> {
    let engine = engine_on_disk("16m")?;
    engine.start("one", &[], "sleep 1000")?;
    let filler = fill(&engine)?;
    for words in [&["run", "--rm", "box", "true"][..], &["create", "-v", "/x", "box", "true"]] {
        let done = engine.run(words)?;
        ensure!(done.code == Some(125), "{done:#?}");
        ensure!(done.stderr.contains("hint: make room"), "{done:#?}");
    }
    // With as little room as the store sets aside, what is there is told, stopped and removed.
    let little = fs::metadata(&filler)?.len() - (512 << 10);
    fs::File::options().write(true).open(&filler)?.set_len(little)?;
    expect_eq!(engine.ok(&["ps", "--format={{.Names}}"])?, "one");
    engine.ok(&["stop", "-t", "0", "one"])?;
    expect_eq!(engine.status("one")?, "exited");
    engine.ok(&["rm", "one"])?;
    fs::remove_file(filler)?;
    // Nothing half was made.
    expect_eq!(engine.ok(&["volume", "ls", "-q"])?, "");
    engine.ok(&["run", "--rm", "box", "true"])?;
    engine.ok(&["system", "check"])?;
    engine.ok(&["container", "prune", "-f"])?;
    engine.is_clean()
}

/// What is to make room was refused for lack of it, until somebody changed a name of an image.
pub(crate) fn a_full_disk_can_be_tidied() -> Result<()> {
    let engine = engine_on_disk("16m")?;
    engine.start("one", &["--network=none", "-v", "kept:/data"], "sleep 1000")?;
    let removals: [&[&str]; 6] = [
        &["rm", "-f", "one"],
        &["container", "prune", "-f"],
        &["volume", "rm", "kept"],
        &["network", "rm", "own"],
        &["pod", "rm", "-f", "pod"],
        &["system", "prune", "-f"],
    ];
    for words in removals {
        // Whatever there was is there again.
        engine.run(&["network", "create", "own"])?;
        engine.run(&["pod", "create", "--name", "pod", "--share="])?;
        engine.run(&["volume", "create", "kept"])?;
        engine.run(&["create", "--name", "two", "--network=none", "box", "true"])?;
        let (filler, _) = fill_but_reserve(&engine)?;
        let done = engine.run(&["create", "--name", "three", "--network=none", "box", "true"])?;
        ensure!(done.code == Some(125) && done.stderr.contains("hint: make room"), "{done:#?}");
        ensure!(!done.stderr.contains("Error code"), "{done:#?}");
        let reserve = engine.store.join("reserve");
        ensure!(reserve.exists(), "what is not to make room has taken the reserve");
        engine.ok(words)?;
        fs::remove_file(filler)?;
    }
    engine.ok(&["pod", "rm", "pod"])?;
    expect_eq!(engine.ok(&["ps", "-aq"])?, "");
    engine.ok(&["system", "check"])?;
    engine.is_clean()
}

/// Somebody who has the database alone, as long as this lives.
struct Holder(Child);

impl Holder {
    fn new(engine: &Engine) -> Result<Holder> {
        if !Path::new("/usr/bin/sqlite3").exists() {
            harness::skip("sqlite3 is not installed")?;
        }
        let mut command = Command::new("sqlite3");
        command.arg(engine.store.join("tinyo.db")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.as_mut().context("a pipe")?;
        input.write_all(b"BEGIN EXCLUSIVE;\n.print held\n")?;
        input.flush()?;
        let mut said = [0; 5];
        child.stdout.as_mut().context("a pipe")?.read_exact(&mut said)?;
        Ok(Holder(child))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn a_locked_database_is_waited_for() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("one", &[], "sleep 1000")?;
    let holder = Holder::new(&engine)?;
    // To look needs no right to write, nor does what a monitor does.
    expect_eq!(engine.status("one")?, "running");
    engine.ok(&["exec", "one", "true"])?;
    engine.ok(&["stop", "-t", "0", "one"])?;
    expect_eq!(engine.status("one")?, "exited");
    let waiting = engine.launch(&["run", "--rm", "-v", "/x", "box", "echo", "done"]).start()?;
    std::thread::sleep(Duration::from_millis(500));
    drop(holder);
    waiting.finish()?.expect_code(0)?.expect_stdout("done\n")?;
    engine.ok(&["rm", "-v", "one"])?;
    // As long as it takes, and then it is said, and nothing is half done.
    let holder = Holder::new(&engine)?;
    let done = engine.run(&["create", "-v", "/x", "--name", "two", "box", "true"])?;
    ensure!(done.code == Some(125) && done.stderr.contains("is locked"), "{done:#?}");
    let who = format!("is locked by process {} (sqlite3 ", holder.0.id());
    ensure!(done.stderr.contains(&who) && !done.stderr.contains("Error code"), "{done:#?}");
    drop(holder);
    expect_eq!(engine.ok(&["volume", "ls", "-q"])?, "");
    let volumes = fs::read_dir(engine.store.join("volumes"))?.flatten();
    let volumes: Vec<_> = volumes.map(|it| it.file_name()).filter(|it| it != ".lock").collect();
    ensure!(volumes.is_empty(), "{volumes:?}");
    engine.is_clean()
}

/// One that is lost was made anew: then nothing was known of containers, images and volumes, and
/// whoever tidied up removed them all.
pub(crate) fn a_damaged_database_loses_nothing() -> Result<()> {
    let engine = Engine::new()?;
    engine.start(
        "one",
        &["-v", "kept:/data", "--network=none"],
        "echo dear > /data/letter; sleep 1000",
    )?;
    let letter = engine.store.join("volumes/kept/_data/letter");
    until("it is written", || fs::read(&letter).is_ok_and(|text| text == b"dear\n"))?;
    let first: i32 = engine.field("one", "Pid")?.parse()?;
    let file = engine.store.join("tinyo.db");
    let log = fs::read(file.with_extension("db-wal"))?;
    let kept = fs::read(&file)?;
    let commands: [&[&str]; 7] = [
        &["ps", "-a"],
        &["container", "prune", "-f"],
        &["system", "prune", "-f", "--volumes"],
        &["system", "check", "--repair"],
        &["system", "service", "start"],
        &["rm", "-f", "one"],
        &["run", "--rm", "box", "true"],
    ];
    for damaged in [&b""[..], &kept[..kept.len() / 2], &[7; 8192]] {
        for words in commands {
            for extension in ["db-wal", "db-shm"] {
                // SQLite makes these anew.
                let _ = fs::remove_file(file.with_extension(extension));
            }
            fs::write(&file, damaged)?;
            let done = engine.run(words)?;
            let is_said = done.stderr.contains("the store's database is damaged: ")
                && done.stderr.contains("hint: ");
            ensure!(!matches!(done.code, Some(0) | None) && is_said, "{words:?}: {done:#?}");
        }
    }
    ensure!(processes::alive(first), "the program has ended");
    let _ = fs::remove_file(file.with_extension("db-shm"));
    fs::write(&file, kept)?;
    fs::write(file.with_extension("db-wal"), log)?;
    expect_eq!(engine.status("one")?, "running");
    expect_eq!(fs::read(letter)?, b"dear\n");
    engine.ok(&["system", "check"])?;
    engine.ok(&["rm", "-f", "-v", "one"])?;
    engine.ok(&["volume", "rm", "kept"])?;
    engine.is_clean()
}

pub(crate) fn a_disk_that_cannot_be_written() -> Result<()> {
    let engine = engine_on_disk("16m")?;
    let run = scratch("run");
    let command = |words: &str| {
        let mut all = vec!["--runroot", run.to_str().unwrap_or_default()];
        all.extend(words.split(' '));
        engine.run(&all)
    };
    expect_eq!(command("create --name one box true")?.code, Some(0));
    mount_remount(&engine.store, MountFlags::RDONLY, c"")?;
    for words in ["run box true", "create box true", "start one", "rm one", "volume create x1"] {
        let done = command(words)?;
        let is_said = done.stderr.to_lowercase().contains("read-only");
        ensure!(done.code != Some(0) && is_said, "{words:?}: {done:#?}");
    }
    expect_eq!(command("ps -a --format={{.State}}")?.stdout, "created\n");
    expect_eq!(command("inspect one")?.code, Some(0));
    mount_remount(&engine.store, MountFlags::empty(), c"")?;
    expect_eq!(command("rm one")?.code, Some(0));
    engine.is_clean()
}

/// 10,000 lines a second, for as many seconds as `TINYO_LOG_SECONDS` says (3): in the log, for who
/// follows it from one renamed file to the next, and for who reads it while files are renamed.
pub(crate) fn many_lines_lose_none() -> Result<()> {
    let seconds = std::env::var("TINYO_LOG_SECONDS").ok().and_then(|text| text.parse().ok());
    no_line_is_lost(seconds.unwrap_or(3), |_, _| Ok(()))
}

/// A monitor that does not come to its work for seconds, as where its disk is slow: the program waits.
pub(crate) fn a_slow_monitor_loses_no_line() -> Result<()> {
    no_line_is_lost(3, |engine, id| {
        let monitor = engine.monitor(id)?;
        for _ in 0..3 {
            sys::send(monitor, libc::SIGSTOP)?;
            std::thread::sleep(Duration::from_secs(1));
            sys::send(monitor, libc::SIGCONT)?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    })
}

/// Something may be done to the container while it prints.
fn no_line_is_lost(seconds: usize, disturb: impl Fn(&Engine, &str) -> Result<()>) -> Result<()> {
    let engine = Engine::new()?;
    let flags = ["--network=none", "--log-opt=max-size=64k", "--log-opt=max-file=10000"];
    let script = format!(
        "i=0; while [ $i -lt {} ]; do seq $((i * 1000 + 1)) $((i * 1000 + 1000)); i=$((i + 1));
            sleep 0.1; done",
        seconds * 10
    );
    let id = engine.start("one", &flags, &script)?;
    let mut follower = engine.command(&["logs", "-f", "one"]).stdout(Stdio::piped()).spawn()?;
    let mut output = follower.stdout.take().context("a pipe")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    disturb(&engine, &id)?;
    let is_whole = |text: &str| -> Result<usize> {
        let mut count = 0;
        for line in text.lines() {
            count += 1;
            expect_eq!(line, count.to_string());
        }
        Ok(count)
    };
    while engine.status("one")? == "running" {
        // Of the last line only a part may have come through the pipe yet.
        let text = engine.run(&["logs", "one"])?.stdout;
        is_whole(text.rsplit_once('\n').map_or("", |(whole, _)| whole))?;
    }
    expect_eq!(is_whole(&engine.ok(&["logs", "one"])?)?, seconds * 10_000);
    follower.wait()?;
    let followed = reader.join().ok().context("the reader has panicked")??;
    expect_eq!(is_whole(&followed)?, seconds * 10_000);
    Ok(())
}
