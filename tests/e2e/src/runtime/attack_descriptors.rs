//! Descriptors that lead out of the container, and processes of the runtime that can be looked
//! into from inside.

use std::fs::File;
use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result, ensure};

use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::{Launch, own_program, scratch};

/// True when what was printed shows that the program stood outside of its root.
fn is_outside(said: &str) -> bool {
    said.contains("escaped") || said.contains("(unreachable)")
}

/// Says so if the machine's files can be reached from the working folder.
fn look() -> Result<String> {
    let marker = scratch("marker");
    std::fs::write(&marker, "")?;
    let below = marker.strip_prefix("/")?.display().to_string();
    Ok(format!(
        "pwd; readlink /proc/self/cwd; for up in . .. ../.. ../../.. ../../../../../../..; do \
            [ -e $up/{below} ] && echo escaped; done; true"
    ))
}

/// Has the caller's descriptors to the machine's root folder in every low place.
fn leaking(launch: Launch) -> Result<Launch> {
    (3..12).try_fold(launch, |launch, number| {
        let root: OwnedFd = File::open("/")?.into();
        Ok(launch.pass(root, number))
    })
}

/// CVE-2024-21626: the working folder is a descriptor that the runtime (or its caller) has open to
/// the machine's files. A naive runtime changes to it before it closes its descriptors, and the
/// program starts outside of its root.
pub(crate) fn the_working_folder_is_never_a_leaked_descriptor() -> Result<()> {
    let script = look()?;
    for number in 3..20 {
        for path in ["/proc/self/fd/", "/proc/thread-self/fd/", "/proc/1/fd/", "/work/link/"] {
            let folder = format!("{path}{number}");
            let bundle = Bundle::script(&script)?.set("/process/cwd", folder.clone());
            std::os::unix::fs::symlink("/proc/self/fd", bundle.rootfs().join("work/link"))?;
            let container = Container::new(bundle)?;
            let finished = leaking(container.launch_new("run", &[]))?.finish()?;
            ensure!(!is_outside(&finished.stdout), "{folder}: {finished:?}");
            container.expect_gone()?;
        }
    }
    Ok(())
}

pub(crate) fn the_working_folder_of_exec_is_never_a_leaked_descriptor() -> Result<()> {
    let script = look()?;
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    for number in 3..20 {
        let folder = format!("/proc/self/fd/{number}");
        let words = ["exec", "--cwd", &folder, &container.id, "/bin/sh", "-c", &script];
        let finished = leaking(container.launch(&words))?.finish()?;
        ensure!(!is_outside(&finished.stdout), "{folder}: {finished:?}");
    }
    Ok(())
}

/// The caller's descriptors, which it forgot to close, are not for the container; nor are the
/// runtime's own.
pub(crate) fn no_descriptor_of_the_machine_is_inherited() -> Result<()> {
    // 3 is the folder that `ls` lists.
    const NUMBERS: &str = "0\n1\n2\n3\n";
    let container = Container::new(Bundle::command(&["/bin/ls", "/proc/self/fd"])?)?;
    let finished = leaking(container.launch_new("run", &[]))?.finish()?;
    expect_eq!(finished.stdout, NUMBERS, "{finished:?}");

    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let words = ["exec", &container.id, "/bin/ls", "/proc/self/fd"];
    let finished = leaking(container.launch(&words))?.finish()?;
    expect_eq!(finished.stdout, NUMBERS, "{finished:?}");
    Ok(())
}

/// A hook runs with the runtime's rights, and inherits nothing either.
pub(crate) fn hooks_inherit_no_descriptor() -> Result<()> {
    let list = scratch("list");
    let program = scratch("hook");
    let text = format!("#!/bin/sh\nls /proc/self/fd | tr '\\n' ' ' > {}\n", list.display());
    crate::support::script(&program, &text)?;
    for kind in ["createRuntime", "createContainer", "poststart", "poststop"] {
        let hook = serde_json::json!({ "path": program });
        let bundle = Bundle::script("true")?.add(&format!("/hooks/{kind}"), hook);
        let container = Container::new(bundle)?;
        leaking(container.launch_new("run", &[]))?.finish()?.expect_code(0)?;
        let numbers = std::fs::read_to_string(&list).with_context(|| kind.to_owned())?;
        // The shell may keep its script open, as 10 and more; `ls` has the folder.
        let low: Vec<&str> =
            numbers.split_whitespace().filter(|number| number.len() == 1).collect();
        expect_eq!(low, ["0", "1", "2", "3"], "{kind}");
        std::fs::remove_file(&list)?;
    }
    Ok(())
}

/// While `exec` is on its way into the container, its process is visible there. A naive runtime can
/// be looked into: its descriptors, its working folder, its executable lead to the machine. What
/// nobody is kept from looking at is the container's from its birth on: mounts, network, and the
/// command line, which may have other users' secrets.
pub(crate) fn a_process_on_its_way_in_shows_nothing() -> Result<()> {
    // All links of all processes but the watcher's own, as long as `go` is there.
    let bundle = Bundle::command(&["/e2e", "--helper", "watch-processes=/dev/shm/stop"])?
        .mount("/e2e", "bind", own_program(), "bind,ro")
        .capabilities(&["CAP_KILL", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER"]);
    let container = Container::new(bundle)?;
    let output = container.start_service()?;
    for _ in 0..60 {
        container.tell("exec", &["/bin/true"])?.expect_code(0)?;
    }
    container.tell("exec", &["/bin/touch", "/dev/shm/stop"])?.expect_code(0)?;
    container.wait_status("stopped")?;
    let said = output.stdout();
    ensure!(said.contains("/bin/busybox"), "the watcher has seen nothing: {said:?}");
    let folder = std::env::temp_dir().display().to_string();
    let runtime = super::support::runtime()?.display().to_string();
    for (link, target) in said.lines().filter_map(|line| line.split_once(' ')) {
        // What the caller gave as standard output is in files of memory with these names.
        let is_given = target.starts_with("/memfd:std");
        let foreign = [&*folder, &runtime, "memfd:", "anon_inode:", "/proc/", "/sys/fs", "differs"]
            .iter()
            .any(|text| target.contains(text));
        ensure!(!foreign || is_given, "seen from inside: {link} -> {target}");
    }
    Ok(())
}

/// Looks into the first process from beside it, in all ways that its user has.
const LOOK_INTO_FIRST: &str = "cat /proc/1/environ /proc/1/auxv /proc/1/mem 2>&1 | tr '\\0' '\\n'; \
    readlink /proc/1/fd/* /proc/1/exe /proc/1/cwd; true";

/// What the caller of the runtime has in its environment, and what it has open.
fn with_secret(launch: Launch) -> Result<Launch> {
    leaking(launch.env("SECRET=of-the-caller"))
}

fn expect_nothing_seen(seen: &str) -> Result<()> {
    ensure!(seen.contains("denied"), "it was not looked at: {seen}");
    for text in ["of-the-caller", "socket:", "/memfd", "tinyort", "/null"] {
        ensure!(!seen.contains(text), "{text} was seen from inside: {seen}");
    }
    Ok(())
}

/// As long as a container waits to be started, its first process has the memory of who made it, the
/// caller's environment with it, and no filter yet. A process that is added meanwhile has the same
/// rights, and could look into it, trace it, and go on without the filter in its stead.
pub(crate) fn a_first_process_that_waits_shows_nothing() -> Result<()> {
    for user_namespace in [false, true] {
        let bundle = Bundle::service()?;
        let bundle = if user_namespace { bundle.user_namespace(280_000)? } else { bundle };
        let container = Container::new(bundle)?;
        with_secret(container.launch_new("create", &[]))?.finish()?.expect_code(0)?;
        let seen = container.exec(LOOK_INTO_FIRST)?;
        expect_nothing_seen(&seen.stdout)?;
        // The program itself is none of the runtime's any more.
        container.tell("start", &[])?.expect_code(0)?;
        let seen = container.exec("cat /proc/1/environ")?;
        ensure!(seen.stdout.contains("PATH="), "the program hides itself: {seen:?}");
    }
    Ok(())
}

/// A hook in the container is a program of the image, and may leave something behind.
pub(crate) fn a_first_process_shows_its_hooks_nothing() -> Result<()> {
    let script = format!("({LOOK_INTO_FIRST}) > /dev/shm/seen 2>&1");
    let hook = serde_json::json!({ "path": "/bin/sh", "args": ["sh", "-c", script] });
    let bundle =
        Bundle::command(&["/bin/cat", "/dev/shm/seen"])?.add("/hooks/startContainer", hook);
    let container = Container::new(bundle)?;
    let finished = with_secret(container.launch_new("run", &[]))?.finish()?;
    finished.expect_code(0)?;
    expect_nothing_seen(&finished.stdout)
}
