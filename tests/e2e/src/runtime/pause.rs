//! `pause` and `resume`.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::support::{Bundle, Container, groups};
use crate::expect_eq;
use crate::support::{Launch, scratch};

/// Counts in a file as long as it runs.
const COUNTER: &str = "echo ready; n=0; while :; do n=$((n+1)); echo $n > /work/count; done";

fn counter() -> Result<Container> {
    let container = Container::new(Bundle::script(COUNTER)?.set("/root/readonly", false))?;
    container.start_service()?;
    Ok(container)
}

fn count(container: &Container) -> String {
    std::fs::read_to_string(container.bundle.rootfs().join("work/count")).unwrap_or_default()
}

pub(crate) fn a_paused_container_does_not_run_until_it_is_resumed() -> Result<()> {
    groups::freezer()?;
    let container = counter()?;
    container.tell("pause", &[])?.expect_code(0)?;
    expect_eq!(container.status()?, "paused");
    let before = count(&container);
    std::thread::sleep(std::time::Duration::from_millis(100));
    expect_eq!(count(&container), before, "the count while paused");
    container.tell("resume", &[])?.expect_code(0)?;
    expect_eq!(container.status()?, "running");
    crate::support::until("it counts on", || count(&container) != before)
}

pub(crate) fn exec_in_a_paused_container_is_refused() -> Result<()> {
    groups::freezer()?;
    let container = counter()?;
    container.tell("pause", &[])?.expect_code(0)?;
    let finished = container.exec("true")?;
    ensure!(finished.code()? != 0, "exec ran");
    finished.expect_stderr("cannot exec in a paused container")?;
    Ok(())
}

pub(crate) fn exec_that_ignores_the_pause_runs_once_resumed() -> Result<()> {
    groups::freezer()?;
    let container = counter()?;
    container.tell("pause", &[])?.expect_code(0)?;
    let flags = ["exec", "--ignore-paused", &container.id, "/bin/echo", "ran"];
    let running = container.launch(&flags).start()?;
    std::thread::sleep(std::time::Duration::from_millis(100));
    ensure!(running.still_runs(), "it ended: {:?}", running.stderr());
    expect_eq!(running.stdout(), "", "while paused");
    container.tell("resume", &[])?.expect_code(0)?;
    running.finish()?.expect_code(0)?.expect_stdout("ran")?;
    Ok(())
}

/// Who has frozen a group will not know that somebody waits in it.
pub(crate) fn a_group_that_is_frozen_is_refused() -> Result<()> {
    let container = Container::new(Bundle::script("true")?)?;
    let (folder, file, frozen, thawed) = if groups::only_v2() {
        (groups::folder("", "")?, "cgroup.freeze", "1", "0")
    } else {
        (groups::folder("", "freezer")?, "freezer.state", "FROZEN", "THAWED")
    };
    let folder = folder.join(&container.id);
    std::fs::create_dir(&folder)?;
    std::fs::write(folder.join(file), frozen)?;
    let finished = container.launch_new("create", &[]).finish();
    std::fs::write(folder.join(file), thawed)?;
    std::fs::remove_dir(&folder)?;
    let finished = finished?;
    ensure!(finished.code()? != 0, "it was created");
    finished.expect_stderr("container's cgroup unexpectedly frozen")?;
    container.expect_gone()
}

pub(crate) fn a_paused_container_can_be_killed_and_deleted() -> Result<()> {
    groups::freezer()?;
    let container = counter()?;
    container.tell("pause", &[])?.expect_code(0)?;
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    container.expect_gone()?;

    // A signal waits until it is resumed; the end may come at once too.
    let container = counter()?;
    container.tell("pause", &[])?.expect_code(0)?;
    container.tell("kill", &["KILL"])?.expect_code(0)?;
    container.tell("resume", &[])?;
    container.wait_status("stopped")?;
    container.delete()
}

/// Killed, it leaves a frozen group of v2 by itself. Whoever had killed it was told that its group is
/// gone, as somebody else had deleted it at once.
pub(crate) fn a_paused_container_is_deleted_while_it_is_killed() -> Result<()> {
    groups::freezer()?;
    let container = counter()?;
    container.tell("pause", &[])?.expect_code(0)?;
    let is_frozen = |group: &PathBuf| {
        std::fs::read_to_string(group.join("cgroup.freeze")).is_ok_and(|it| it.trim_end() == "1")
    };
    let Some(group) = groups::existing(&container.id).into_iter().find(is_frozen) else {
        return harness::skip("no tree of cgroup v2 freezes here");
    };
    // It looks first, and then thaws: that waits, longer than the rest takes. Where it does not wait
    // long enough, nothing is shown.
    if !Path::new("/usr/bin/strace").exists() {
        return harness::skip("strace is not installed");
    }
    let (file, trace) = (group.join("cgroup.freeze"), scratch("trace"));
    let killing = Launch::new("/usr/bin/strace")
        .words(&[
            "-qq",
            "-e",
            "trace=open,openat",
            "-e",
            "inject=open,openat:delay_enter=5s:when=2",
            "-P",
        ])
        .words(&[&file, Path::new("-o"), &trace, &harness::tinyort()])
        .words(&[Path::new("--root"), &scratch("root")])
        .words(&["kill", &container.id, "KILL"])
        .start()?;
    container.wait_status("stopped")?;
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    killing.finish()?.expect_code(0)?;
    container.expect_gone()
}

pub(crate) fn only_a_running_container_can_be_paused() -> Result<()> {
    groups::freezer()?;
    let container = counter()?;
    let finished = container.tell("resume", &[])?;
    ensure!(finished.code()? != 0, "resumed although it was not paused");
    container.kill()?;
    let finished = container.tell("pause", &[])?;
    ensure!(finished.code()? != 0, "paused although it had stopped");
    Ok(())
}
