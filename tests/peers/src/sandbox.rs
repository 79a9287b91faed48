//! The cell of a trial: private namespaces, a cgroup and a scratch folder, cleared away at the
//! end whatever happened inside.
//!
//! The trial's process only prepares and clears away. It starts its own executable again, which
//! passes through these stages and at the last one is the trial again, now inside:
//!
//! ```text
//! trial (outside)   scratch folder, cgroups; waits; removes both
//!   Group           joins the cgroups;                        exec unshare --cgroup ...
//!   Leaf            v2: makes room for controllers;           exec unshare --mount --pid --fork ...
//!     First         PID 1 of the cell: mounts, adopts orphans; its end kills all the rest
//!       Inside      the trial
//! ```
//!
//! `unshare` of util-linux makes the namespaces: doing it in a Rust program would take `unsafe`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, anyhow};
use rustix::mount::{MountFlags, mount};
use rustix::process::{Pid, Signal, WaitOptions, set_parent_process_death_signal, wait};

use crate::cgroup;

/// Says which stage a started process is.
const STAGE: &str = "PEERS_STAGE";
/// Names the cell, and with it the scratch folder and the cgroups.
const CELL: &str = "PEERS_CELL";
/// The folder of the cell's leaf on cgroup v2.
const LEAF: &str = "PEERS_LEAF";
const PREFIX: &str = "tinyo-peers-";

/// Runs `check` in a cell of its own, with an empty folder.
///
/// Outside, this ends the process with the exit code of the trial inside.
pub(crate) fn inside(check: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if env::var_os(STAGE).is_some_and(|stage| stage == "inside") {
        let cell = env::var(CELL).context("the cell has no name")?;
        return check(&scratch_folder(&cell));
    }
    if !rustix::process::geteuid().is_root() {
        return harness::skip("needs root");
    }
    crate::commands::find("unshare")?;
    remove_stale();
    let code = run_cell(&format!("{PREFIX}{}", std::process::id()))?;
    std::process::exit(code);
}

/// The start of every process of this program: `Some` when it was one of the inner stages.
pub(crate) fn stage() -> Option<ExitCode> {
    let stage = env::var(STAGE).ok()?;
    let result = match stage.as_str() {
        "group" => enter_group(),
        "leaf" => enter_leaf(),
        "first" => first_process(),
        _ => return None,
    };
    Some(result.unwrap_or_else(|error| {
        println!("cell, stage {stage}: {error:?}");
        ExitCode::FAILURE
    }))
}

fn run_cell(cell: &str) -> Result<i32> {
    let scratch = scratch_folder(cell);
    fs::create_dir(&scratch).with_context(|| format!("mkdir {}", scratch.display()))?;
    let groups = cgroup::create(cell)?;
    let status = itself("group").env(CELL, cell).status();
    cgroup::remove(&groups);
    // Mounts that were made below it went with the cell's mount namespace.
    fs::remove_dir_all(&scratch).with_context(|| format!("rm -r {}", scratch.display()))?;
    status?.code().ok_or_else(|| anyhow!("the cell was killed"))
}

fn enter_group() -> Result<ExitCode> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let leaf = cgroup::enter(&env::var(CELL)?)?.unwrap_or_default();
    Err(become_unshared(itself("leaf").env(LEAF, leaf), &["--cgroup"]))
}

fn enter_leaf() -> Result<ExitCode> {
    let leaf = env::var_os(LEAF).unwrap_or_default();
    if !leaf.is_empty() {
        cgroup::enter_leaf(Path::new(&leaf))?;
    }
    let flags =
        "--mount --propagation private --pid --fork --kill-child --mount-proc --net --ipc --uts";
    Err(become_unshared(&itself("first"), &flags.split(' ').collect::<Vec<_>>()))
}

/// Replaces this process by `unshare FLAGS`, which starts the next stage.
fn become_unshared(next: &Command, flags: &[&str]) -> anyhow::Error {
    let mut unshare = Command::new("unshare");
    unshare.args(flags).arg("--").arg(next.get_program()).args(next.get_args());
    unshare.envs(next.get_envs().filter_map(|(name, value)| Some((name, value?))));
    anyhow::Error::new(unshare.exec()).context("exec unshare")
}

/// PID 1 of the cell. When it ends, the kernel kills what is left.
fn first_process() -> Result<ExitCode> {
    cgroup::remount()?;
    // Runtimes keep state and sockets there under fixed names.
    mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), Some(c"mode=755"))?;
    // Podman keeps its locks there under a fixed name, and fails if another makes them just now.
    mount("tmpfs", "/dev/shm", "tmpfs", MountFlags::empty(), Some(c"mode=1777"))?;
    let trial = Pid::from_child(&itself("inside").spawn()?);
    loop {
        let (pid, status) = wait(WaitOptions::empty())?.context("no child left")?;
        if pid == trial {
            let code = status.exit_status().and_then(|code| u8::try_from(code).ok());
            return code.map(ExitCode::from).context("the trial was killed by a signal");
        }
    }
}

fn itself(stage: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()));
    command.args(env::args_os().skip(1).collect::<Vec<OsString>>()).env(STAGE, stage);
    command
}

fn scratch_folder(cell: &str) -> PathBuf {
    env::temp_dir().join(cell)
}

/// What trials left that were killed before they could clear away.
fn remove_stale() {
    let is_stale = |name: &str| {
        let pid = name.strip_prefix(PREFIX).and_then(|pid| pid.parse::<u32>().ok());
        pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    };
    cgroup::remove(&cgroup::stale(is_stale).unwrap_or_default());
    for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_stale) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
