//! Little of everything: descriptors, processes.

use std::path::PathBuf;

use anyhow::Result;
use rustix::process::Resource;

use crate::expect_eq;
use crate::support::launch::PLACES;
use crate::support::{Launch, Place, own_program, processes, scratch};

/// A copy that a user without rights can reach, wherever the original lies.
fn reachable(name: &str, original: PathBuf) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let copy = scratch(name);
    if !copy.exists() {
        std::fs::copy(original, &copy)?;
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(copy)
}

pub(crate) fn no_descriptor_can_be_opened() -> Result<()> {
    // The child is `tino` too: it needs no descriptor for a loader, and ends with 2 here.
    let program = harness::tino();
    for limit in [0, 3] {
        for options in [&[][..], &["-s", "-g", "-v"], &["--restart=on-failure:1"]] {
            for place in PLACES {
                let finished = Launch::tino(options)
                    .words(&["--"])
                    .words(&[program.as_os_str()])
                    .words(&["--no-such-option"])
                    .limit(Resource::Nofile, limit)
                    .place(place)
                    .finish()?;
                finished.expect_code(2)?.expect_stderr("no-such-option")?;
            }
        }
    }
    Ok(())
}

pub(crate) fn no_process_can_be_made() -> Result<()> {
    let tino = reachable("tino", harness::tino())?;
    let finished = Launch::new(tino)
        .words(&["--", "/bin/true"])
        .user(54_321)
        .limit(Resource::Nproc, 1)
        .finish()?;
    finished.expect_code(1)?.expect_stderr("[FATAL tino (")?;
    Ok(())
}

/// The processes of a user.
fn of_user(user: u32) -> Vec<i32> {
    let belongs = |pid: &i32| {
        let owners = processes::status(*pid, "Uid").unwrap_or_default();
        owners.split_whitespace().any(|owner| owner == user.to_string())
    };
    processes::all().into_iter().map(|(pid, _)| pid).filter(belongs).collect()
}

fn bomb(place: Place, user: u32) -> Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let tino = reachable("tino", harness::tino())?;
    let actor = reachable("actor", own_program())?;
    let running = Launch::new(tino)
        .words(&["--all", "--grace-ms", "200", "--"])
        .words(&[actor.as_os_str()])
        .words(&["--helper", "(", "setsid", "bomb", ")", "record=10", "exit=5"])
        .user(user)
        .limit(Resource::Nproc, 60)
        .place(place)
        .start()?;
    running.wait_line("ready")?;
    crate::support::until("the bomb has gone off", || of_user(user).len() >= 55)?;
    running.send(libc::SIGUSR1)?;
    running.finish()?.expect_code(5)?;
    let left: Vec<_> = of_user(user).into_iter().filter(|pid| processes::alive(*pid)).collect();
    expect_eq!(left, Vec::<i32>::new(), "of the bomb");
    Ok(())
}

pub(crate) fn a_fork_bomb_is_gone_after_all_as_pid_one() -> Result<()> {
    bomb(Place::PidOne, 54_322)
}

pub(crate) fn a_fork_bomb_is_gone_after_all_as_subreaper() -> Result<()> {
    bomb(Place::Ordinary, 54_323)
}
