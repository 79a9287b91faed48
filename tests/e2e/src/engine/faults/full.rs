//! Disks of ext4 without a block or an inode left: not as a tmpfs is full, as room is given late, blocks
//! may be smaller than pages, and what was freed is free only with the next entry in the journal.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use rustix::mount::{MountPropagationFlags, mount_change};

use crate::engine::support::{Engine, end_of};
use crate::expect_eq;
use crate::support::{scratch, until};

/// A store on a disk in a file. With the mount namespace go the mount and the loop device.
fn engine_on_ext4(flags: &[&str]) -> Result<Engine> {
    if !rustix::process::geteuid().is_root() {
        harness::skip("only root mounts disks")?;
    }
    ::sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let (store, disk) = (scratch("store"), scratch("disk"));
    fs::create_dir_all(&store)?;
    fs::File::create(&disk)?.set_len(48 << 20)?;
    let made = Command::new("mkfs.ext4").args(["-q", "-F"]).args(flags).arg(&disk).output();
    if !made.is_ok_and(|it| it.status.success()) {
        harness::skip("mkfs.ext4 (e2fsprogs) is not installed")?;
    }
    let mounted = end_of(Command::new("mount").args(["-o", "loop"]).arg(&disk).arg(&store))?;
    if mounted.code != Some(0) {
        harness::skip(format!("no loop device: {}", mounted.stderr.trim()))?;
    }
    Engine::new()
}

/// Takes all blocks, the reserve of the store with them.
fn fill(engine: &Engine) -> Result<PathBuf> {
    let path = engine.store.join("filler");
    let mut file = fs::File::options().append(true).create(true).open(&path)?;
    give_up_reserve(engine)?;
    // What was removed is free a little later.
    for _ in 0..3 {
        while file.write(&[1; 4096]).is_ok() {}
        while file.write(&[1; 256]).is_ok() {}
        rustix::fs::sync();
    }
    Ok(path)
}

fn give_up_reserve(engine: &Engine) -> Result<()> {
    for name in ["reserve", "reserve-inode"] {
        match fs::remove_file(engine.store.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Takes all inodes.
fn take_inodes(engine: &Engine) -> Result<PathBuf> {
    let folder = engine.store.join("fillers");
    fs::create_dir_all(&folder)?;
    // Those that are there already take none.
    let is_taken = |number: i32| fs::write(folder.join(number.to_string()), "").is_ok();
    ensure!(!(0..1000).all(is_taken), "there are inodes");
    Ok(folder)
}

/// Has SQLite's own program do something to the database; it takes the log over and away.
fn with_sqlite(engine: &Engine, text: &str) -> Result<String> {
    if !std::path::Path::new("/usr/bin/sqlite3").exists() {
        harness::skip("sqlite3 is not installed")?;
    }
    let done = end_of(Command::new("sqlite3").arg(engine.store.join("tinyo.db")).arg(text))?;
    ensure!(done.code == Some(0), "{done:#?}");
    Ok(done.stdout.trim().to_owned())
}

/// Each ends by itself, says why if it fails, and how to make room.
fn none_is_confused(engine: &Engine, commands: &[&str]) -> Result<()> {
    for text in commands {
        let words: Vec<&str> = text.split(' ').collect();
        let output = engine.command(&words).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let status = output.status;
        ensure!(
            status.signal().is_none() && status.code().is_some_and(|it| it < 126),
            "{text}: {status}: {said}"
        );
        let is_said = said.contains("No space left") || said.contains("full");
        let is_said = is_said && said.contains("\nhint: make room");
        ensure!(status.success() || is_said, "{text}: {status}: {said}");
        ensure!(!said.contains("write()"), "{text}: it is not said what: {said}");
        ensure!(!said.contains("panicked") && !said.contains("damaged"), "{text}: {said}");
    }
    Ok(())
}

const COMMANDS: [&str; 11] = [
    "run --rm box true",
    "create -v /x box true",
    "volume create more",
    "network create more",
    "exec one true",
    "cp /etc/passwd one:/data/copied",
    "cp one:/etc/passwd -",
    "commit one made",
    "update --memory 64m one",
    "logs --tail 1 one",
    "ps -a",
];

pub(crate) fn a_full_ext4() -> Result<()> {
    full_with_blocks_of("4096")
}

/// The index of the database's log was memory without room: every command ended by SIGBUS.
pub(crate) fn a_full_ext4_of_small_blocks() -> Result<()> {
    full_with_blocks_of("1024")
}

fn full_with_blocks_of(size: &str) -> Result<()> {
    on_disk(&["-b", size], |engine| {
        fill(engine)?;
        none_is_confused(engine, &COMMANDS)?;
        let filler = fill(engine)?;
        none_is_confused(engine, &["ps -a", "inspect one", "images", "volume ls"])?;
        expect_eq!(engine.field("one", "State")?, "running");
        engine.ok(&["stop", "-t", "0", "one"])?;
        expect_eq!(engine.status("one")?, "exited");
        none_is_confused(engine, &["start one", "stop -t 0 one"])?;
        Ok(fs::remove_file(filler)?)
    })
}

pub(crate) fn no_inode_is_left() -> Result<()> {
    on_disk(&["-b", "4096", "-N", "512"], |engine| {
        let folder = take_inodes(engine)?;
        none_is_confused(engine, &COMMANDS)?;
        engine.ok(&["stop", "-t", "0", "one"])?;
        engine.ok(&["rm", "idle"])?;
        Ok(fs::remove_dir_all(folder)?)
    })
}

/// The database is opened with two files more, which nobody had set aside.
pub(crate) fn no_inode_is_left_for_the_database() -> Result<()> {
    on_disk(&["-b", "4096", "-N", "512"], |engine| {
        with_sqlite(engine, "SELECT count(*) FROM containers")?;
        ensure!(!engine.store.join("tinyo.db-shm").exists());
        let folder = take_inodes(engine)?;
        expect_eq!(engine.field("one", "State")?, "running");
        engine.ok(&["rm", "idle"])?;
        // And now without what was set aside.
        give_up_reserve(engine)?;
        with_sqlite(engine, "SELECT count(*) FROM containers")?;
        take_inodes(engine)?;
        let done = engine.run(&["ps"])?;
        let expected = "its disk has no inode left for one more file\nhint: make room";
        ensure!(done.code == Some(1) && done.stderr.contains(expected), "{done:#?}");
        Ok(fs::remove_dir_all(folder)?)
    })
}

/// A store of an older program, or of another disk: its log would be memory without room here.
pub(crate) fn a_log_is_given_up_where_blocks_are_small() -> Result<()> {
    on_disk(&["-b", "1024"], |engine| {
        expect_eq!(with_sqlite(engine, "PRAGMA journal_mode = wal")?, "wal");
        // Not taken over, as its maker is killed.
        let database = engine.store.join("tinyo.db");
        let mut killed = Command::new("sqlite3");
        killed.arg(&database).args(["BEGIN", "CREATE TABLE more (one)", "COMMIT"]);
        killed.arg(".shell kill -KILL $PPID");
        ensure!(killed.status()?.signal() == Some(libc::SIGKILL), "sqlite3 was not killed");
        ensure!(fs::metadata(database.with_extension("db-wal"))?.len() > 0, "there is no log");
        fill(engine)?;
        none_is_confused(engine, &["ps -a"])?;
        fs::remove_file(engine.store.join("filler"))?;
        expect_eq!(engine.field("one", "State")?, "running");
        ensure!(!database.with_extension("db-wal").exists(), "there is a log");
        ensure!(!database.with_extension("db-shm").exists(), "there is its index");
        expect_eq!(
            with_sqlite(engine, "PRAGMA journal_mode; SELECT count(*) FROM more")?,
            "delete\n0"
        );
        Ok(())
    })
}

fn on_disk(flags: &[&str], trial: impl Fn(&Engine) -> Result<()>) -> Result<()> {
    let engine = engine_on_ext4(flags)?;
    let script = "while :; do echo x; sleep 0.02; done";
    let id = engine.start("one", &["--restart", "always", "--network=none"], script)?;
    engine.ok(&["create", "--name", "idle", "--network=none", "box", "true"])?;
    engine.ok(&["volume", "create", "vol"])?;
    trial(&engine)?;
    // There is room again: all goes on, and nothing is damaged.
    engine.ok(&["start", "one"])?;
    let log = engine.store.join("containers").join(&id).join("log");
    let before = fs::metadata(&log)?.len();
    until("the log goes on", || fs::metadata(&log).is_ok_and(|it| it.len() > before))?;
    engine.ok(&["run", "--rm", "-v", "vol:/v", "box", "sh", "-c", "echo ok > /v/x"])?;
    engine.ok(&["rm", "-f", "-a", "-v"])?;
    engine.ok(&["container", "prune", "-f"])?;
    engine.ok(&["volume", "rm", "vol"])?;
    engine.ok(&["system", "check"])?;
    engine.is_clean()
}
