//! What the runtime keeps on the machine, where others can write.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixDatagram;

use anyhow::{Result, ensure};
use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, mknodat, open, openat};
use rustix::io::write;
use serde_json::json;

use super::support::{Bundle, Container, groups};
use crate::expect_eq;
use crate::support::scratch;

/// A state folder that somebody else has made: a pipe nobody writes to, links, folders.
pub(crate) fn what_is_no_record_is_not_waited_for() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let decoy = scratch("decoy");
    fs::write(&decoy, "{}\n{}\n")?;
    let folder = |id: &str| -> Result<_> {
        let folder = container.root.join(id);
        fs::create_dir(&folder)?;
        Ok(folder.join("state.jsonl"))
    };
    mknodat(CWD, folder("pipe")?, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
    symlink(&decoy, folder("link")?)?;
    fs::create_dir(folder("folder")?)?;
    symlink(scratch("elsewhere"), container.root.join("elsewhere"))?;
    for id in ["pipe", "link", "folder", "elsewhere"] {
        for words in [&["state", id][..], &["kill", id], &["exec", id, "true"], &["start", id]] {
            let finished = container.launch(words).finish()?;
            ensure!(finished.code()? != 0, "{words:?} succeeded");
        }
    }
    let finished = container.launch(&["list", "--quiet"]).finish()?;
    expect_eq!(finished.stdout, format!("{}\n", container.id));
    fs::File::create(folder("huge")?)?.set_len(1 << 40)?;
    for id in ["pipe", "link", "folder", "huge"] {
        container.launch(&["delete", "--force", id]).finish()?;
    }
    ensure!(decoy.exists(), "what a link leads to was removed");
    for id in ["pipe", "link", "huge"] {
        ensure!(!container.root.join(id).exists(), "{id} is left");
    }
    Ok(())
}

/// Whoever's folder it is has written what he liked: whose process it is, and which hooks are to be run.
/// Root looks at it, and does nothing of what it says.
pub(crate) fn what_another_user_has_recorded_is_not_acted_upon() -> Result<()> {
    let mark = scratch("mark");
    let touch = json!({ "path": "/usr/bin/touch", "args": ["touch", mark] });
    let container = Container::new(Bundle::service()?.add("/hooks/poststop", touch))?;
    container.start_service()?;
    let id = &*container.id;
    let folder = container.root.join(id);
    chown(&folder, Some(54_400), Some(54_400))?;
    let verbs = [
        &["kill", id, "KILL"][..],
        &["exec", id, "/bin/true"],
        &["pause", id],
        &["update", "--pids-limit", "7", id],
        &["delete", id],
        &["delete", "--force", id],
    ];
    for words in verbs {
        let finished = container.launch(words).finish()?;
        ensure!(finished.code()? != 0, "{words:?} succeeded");
        finished.expect_stderr("that of user 54400")?;
    }
    ensure!(!mark.exists(), "a hook was run");
    expect_eq!(container.status()?, "running");
    let listed = container.launch(&["list", "--quiet"]).finish()?;
    expect_eq!(listed.stdout, format!("{id}\n"));
    chown(&folder, Some(0), Some(0))?;
    container.kill()?;
    container.delete()?;
    ensure!(mark.exists(), "its own hook was not run");
    container.expect_gone()
}

/// The pid file is written beside itself first, by a name that others can foresee.
pub(crate) fn a_pid_file_is_written_where_it_was_asked_for() -> Result<()> {
    let victim = scratch("victim");
    let folder = scratch("shared");
    fs::create_dir(&folder)?;
    let file = folder.join("pid");
    let words = ["--pid-file", &*file.to_string_lossy()];
    let container = Container::new(Bundle::command(&["/bin/true"])?)?;
    for trap in ["link", "pipe", "file"] {
        fs::write(&victim, "whole")?;
        let foreseen = folder.join("pid.new");
        match trap {
            "link" => symlink(&victim, foreseen)?,
            "pipe" => mknodat(CWD, foreseen, FileType::Fifo, Mode::from_raw_mode(0o666), 0)?,
            _ => fs::write(foreseen, "longer than any number of a process")?,
        }
        container.launch_new("run", &words).finish()?.expect_code(0)?;
        expect_eq!(fs::read_to_string(&victim)?, "whole", "{trap}");
        let metadata = fs::symlink_metadata(&file)?;
        ensure!(metadata.is_file() && metadata.len() < 10, "{trap}: {metadata:?}");
        fs::remove_file(&file)?;
    }
    Ok(())
}

/// The folder with the socket that leads to the service manager is one of the machine's: whoever
/// writes there fills the machine's memory, and keeps the container from being removed.
pub(crate) fn the_folder_of_the_service_manager_is_not_written_from_inside() -> Result<()> {
    let path = scratch("notify.sock");
    let _manager = UnixDatagram::bind(&path)?;
    let bundle =
        Bundle::script("mkdir -p /run/notify/deep/er; rm -f /run/notify/notify.sock; true")?
            .set("/root/readonly", false);
    let container = Container::new(bundle)?;
    let launch = container.launch_new("run", &[]).env(format!("NOTIFY_SOCKET={}", path.display()));
    let finished = launch.finish()?;
    finished.expect_code(0)?;
    ensure!(finished.stderr.contains("Read-only file system"), "it was written: {finished:?}");
    container.expect_gone()
}

/// A container that may make groups makes one in the other, until their path is longer than any that
/// the kernel takes. Its processes in there are to be found, and the groups to be removed.
pub(crate) fn groups_are_found_and_removed_however_deep_they_are() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let name = "x".repeat(200);
    let mut deepest = open(groups::folder(&container.id, "pids")?, flags, Mode::empty())?;
    for _ in 0..50 {
        mkdirat(&deepest, &name, Mode::RWXU)?;
        deepest = openat(&deepest, &name, flags, Mode::empty())?;
    }
    let pid = container.pid()?.to_string();
    let moved = openat(&deepest, "cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(&moved, pid.as_bytes())?;
    drop((deepest, moved));
    let finished = container.tell("ps", &[])?;
    finished.expect_code(0)?;
    ensure!(finished.stdout.split_whitespace().any(|word| word == pid), "{finished:?}");
    container.tell_with("kill", &["--all"], &["KILL"])?.expect_code(0)?;
    container.wait_status("stopped")?;
    container.delete()?;
    container.expect_gone()
}
