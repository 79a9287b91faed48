//! `tinyo mount`: the files of containers, where the machine sees them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::support::{processes, sys, until};

fn has_mounts(engine: &Engine) -> Result<bool> {
    let ours = format!("{}/run/mounted/", engine.store.display());
    Ok(fs::read_to_string("/proc/self/mountinfo")?.contains(&ours))
}

pub(crate) fn files_of_containers() -> Result<()> {
    let engine = Engine::new()?;
    let once = "test -e /second && cat /from-outside; echo hi > /inside; touch /second";
    engine.ok(&["create", "--name", "one", "box", "sh", "-c", once])?;
    let path = engine.ok(&["mount", "one"])?;
    let place = Path::new(&path);
    expect_eq!(fs::read_to_string(place.join("data/given"))?, "by the image");
    expect_eq!(engine.ok(&["container", "mount", "one"])?, path);
    // What is written on either side is seen on the other, and nothing of what is mounted inside.
    engine.ok(&["start", "-a", "one"])?;
    expect_eq!(fs::read_to_string(place.join("inside"))?, "hi\n");
    fs::write(place.join("from-outside"), "outside")?;
    expect_eq!(engine.ok(&["start", "-a", "one"])?, "outside");
    expect_eq!(fs::read_dir(place.join("proc"))?.count(), 0);
    engine.ok(&["cp", "one:/from-outside", &format!("{path}/copied")])?;
    expect_eq!(engine.ok(&["cp", "one:/copied", "-"])?.contains("outside"), true);
    let id = engine.field("one", "ID")?;
    let listed = engine.ok(&["mount"])?;
    expect_eq!(listed.split_whitespace().collect::<Vec<_>>(), [id, path.clone()]);
    ensure!(engine.ok(&["mount", "--format", "json"])?.contains(&path), "no JSON");
    // Who uses the files is not disturbed.
    let used = fs::File::open(place.join("inside"))?;
    engine.fails(&["umount", "one"], 1, "somebody uses the files")?;
    drop(used);
    expect_eq!(engine.ok(&["unmount", "one"])?, "one");
    expect_eq!(engine.ok(&["umount", "one"])?, "one");
    ensure!(!has_mounts(&engine)? && !place.exists(), "it is mounted yet");
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}

pub(crate) fn files_of_containers_that_run() -> Result<()> {
    let engine = Engine::new()?;
    let script = "echo $$ >> /count; trap 'exit 1' TERM; while :; do sleep 0.1; done";
    let id = engine.start("one", &["--restart=always", "-v", "kept:/kept"], script)?;
    let path = engine.ok(&["mount", "-l"])?;
    let place = Path::new(&path);
    fs::write(place.join("outside"), "seen")?;
    expect_eq!(engine.ok(&["exec", "one", "cat", "/outside"])?, "seen");
    // Started again it has the same files, and no second overlay of them.
    engine.ok(&["kill", "-s", "TERM", "one"])?;
    let count = || fs::read_to_string(place.join("count")).unwrap_or_default().lines().count();
    until("it was started again", || count() == 2)?;
    engine.until_status("one", "running")?;
    expect_eq!(engine.ok(&["exec", "one", "cat", "/outside"])?, "seen");
    expect_eq!(engine.ok(&["restart", "-t", "0", "one"])?, "one");
    until("it was started anew", || count() == 3)?;
    let inside = engine.ok(&["exec", "one", "stat", "-c", "%d", "/"])?;
    use std::os::unix::fs::MetadataExt as _;
    expect_eq!(fs::metadata(place)?.dev().to_string(), inside);
    // Its monitor is killed, and all else stays in order.
    let monitor = engine.monitor(&id)?;
    sys::send(monitor, libc::SIGKILL)?;
    until("its monitor has ended", || !processes::alive(monitor))?;
    engine.until_status("one", "running")?;
    engine.ok(&["system", "check"])?;
    expect_eq!(fs::read_to_string(place.join("outside"))?, "seen");
    // It goes with the container.
    engine.ok(&["rm", "-f", "-t", "0", "-v", "one"])?;
    ensure!(!has_mounts(&engine)? && !place.exists(), "it is mounted yet");
    engine.ok(&["volume", "rm", "kept"])?;
    engine.is_clean()
}

pub(crate) fn files_that_are_left_mounted() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["create", "--name", "one", "box", "true"])?;
    engine.ok(&[
        "create",
        "--name",
        "two",
        "--userns=private",
        "--uidmap=0:100000:1000",
        "box",
        "true",
    ])?;
    engine.fails(&["mount", "two"], 1, "it has ids of its own")?;
    engine.fails(&["image", "mount", "box"], 125, "tinyo create IMAGE")?;
    engine.ok(&["mount", "one"])?;
    // As if who removed it had been killed.
    let strange = engine.store.join("run/mounted").join("a".repeat(64));
    fs::create_dir(&strange)?;
    let done = engine.run(&["system", "check"])?;
    ensure!(done.code != Some(0) && done.stdout.contains("its files are mounted"), "{done:?}");
    engine.ok(&["system", "check", "--repair"])?;
    engine.ok(&["system", "check"])?;
    ensure!(!strange.exists() && has_mounts(&engine)?, "that of a container is gone");
    engine.ok(&["system", "reset", "-f"])?;
    ensure!(!has_mounts(&engine)? && !engine.store.join("run").exists(), "something is left");
    Ok(())
}

/// Whoever is killed at it leaves nothing that is no use or harm, and the next one finishes it.
pub(crate) fn killed_at_any_moment() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["create", "--name", "one", "box", "true"])?;
    engine.start("two", &["--network=none"], "exec sleep 1000")?;
    for round in 0..12_u64 {
        for words in [["mount", "one"], ["mount", "two"], ["umount", "two"], ["umount", "one"]] {
            let running = engine.launch(&words).start()?;
            std::thread::sleep(Duration::from_millis(1 + 3 * round));
            // It may have ended.
            let _ = sys::send(running.pid, libc::SIGKILL);
            running.finish()?;
        }
    }
    engine.ok(&["system", "check"])?;
    let paths = engine.ok(&["mount", "one", "two"])?;
    for path in paths.lines() {
        expect_eq!(fs::read_to_string(Path::new(path).join("data/given"))?, "by the image");
    }
    expect_eq!(engine.ok(&["mount"])?.lines().count(), 2);
    engine.ok(&["umount", "-a"])?;
    ensure!(!has_mounts(&engine)?, "one is mounted twice");
    engine.ok(&["rm", "-f", "-t", "0", "one", "two"])?;
    engine.is_clean()
}
