//! SIGKILL in the middle: every command is killed at each of its system calls, its own process or
//! the container's, and whatever was half done must not be in the way afterwards.
//!
//! When the tracer has sent the signal it ends, and with it the tracing: what is left of the
//! command runs on as it would have without a tracer.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::tracing::{Deed, Traced, spread, trace};
use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::sys;
use crate::support::{Launch, scratch, until};

/// How long a walk may take. Where it is not enough for every call, those that are visited are
/// spread over all.
const PATIENCE: Duration = Duration::from_secs(40);

/// Kills the command made by `command` at each of its calls in turn, each time after `before` and
/// followed by `after`.
fn walk(
    container: &Container,
    before: impl Fn() -> Result<()>,
    command: impl Fn() -> Launch,
    after: impl Fn() -> Result<()>,
) -> Result<()> {
    walk_within(PATIENCE, Deed::Kill, container, before, command, after)
}

/// The same with a patience and a deed of the caller's.
pub(super) fn walk_within(
    patience: Duration,
    deed: Deed,
    container: &Container,
    before: impl Fn() -> Result<()>,
    command: impl Fn() -> Launch,
    after: impl Fn() -> Result<()>,
) -> Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    before()?;
    let Traced { calls: total, .. } = trace(command(), u64::MAX, deed)?;
    after()?;
    ensure!(total > 20, "only {total} calls: tracing does not work");
    let (start, mut visited) = (Instant::now(), 0);
    for number in spread(total) {
        if start.elapsed() > patience {
            break;
        }
        before()?;
        let Traced { at, pid, .. } = trace(command(), number, deed)?;
        if at.is_some() {
            wait_for_end(pid).with_context(|| format!("killed at call {number} of {total}"))?;
        }
        after().with_context(|| format!("killed at call {number} of {total}"))?;
        visited += 1;
    }
    println!("{}: killed at {visited} of {total} calls", container.id);
    ensure!(visited > 0, "no call was visited");
    Ok(())
}

/// The command, or what is left of it, must come to an end by itself.
fn wait_for_end(pid: i32) -> Result<()> {
    let own = std::process::id().cast_signed();
    until("the command ends", || {
        reap();
        // A process that was new when the tracer went stands where ptrace has stopped it.
        for left in crate::support::processes::descendants(own) {
            let _ = sys::send(left, libc::SIGCONT);
        }
        !crate::support::processes::alive(pid)
    })
}

/// Whatever has lost its parent became a child of this process.
pub(super) fn reap() {
    while let Ok(Some(_)) = sys::wait(-1, libc::WNOHANG) {}
}

/// `delete --force` must succeed and leave nothing, and the id must be free again.
pub(super) fn expect_clean(container: &Container) -> Result<()> {
    // PID 1 of the container cannot end before all others of its namespace are reaped.
    reap();
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    until("nothing is left", || {
        reap();
        container.expect_gone().is_ok()
    })
    .or_else(|_| container.expect_gone())
}

pub(super) fn expect_reusable(container: &Container) -> Result<()> {
    expect_clean(container)?;
    container.create().context("a fresh create of the same id")?;
    expect_eq!(container.status()?, "created");
    expect_clean(container)
}

pub(crate) fn create_can_be_killed_at_every_call() -> Result<()> {
    let container = Container::new(Bundle::command(&["/bin/true"])?)?;
    walk(
        &container,
        || Ok(()),
        || container.launch_new("create", &[]),
        || expect_reusable(&container),
    )
}

/// With all that makes parent and child talk to each other, or the parent change what there is.
pub(crate) fn create_of_everything_can_be_killed_at_every_call() -> Result<()> {
    let source = scratch("source");
    std::fs::create_dir(&source)?;
    let hook = json!([{ "path": "/bin/true" }]);
    let bundle = Bundle::command(&["/bin/true"])?
        .user_namespace(260_000)?
        .namespace("time")
        .set("/linux/timeOffsets", json!({ "monotonic": { "secs": 1000 } }))
        .set("/linux/sysctl", json!({ "net.ipv4.ip_forward": "1" }))
        .set("/linux/resources/pids", json!({ "limit": 100 }))
        .set("/hooks/createRuntime", hook.clone())
        .set("/hooks/createContainer", hook)
        .set("/root/readonly", false)
        .mount("/work", "bind", &source, "rbind")
        .mount("/tmp", "bind", &source, "bind,ro");
    let container = Container::new(bundle)?;
    walk(
        &container,
        || Ok(()),
        || container.launch_new("create", &[]),
        || expect_reusable(&container),
    )
}

pub(crate) fn run_can_be_killed_at_every_call() -> Result<()> {
    let container = Container::new(Bundle::command(&["/bin/true"])?)?;
    walk(&container, || Ok(()), || container.launch_new("run", &[]), || expect_clean(&container))
}

pub(crate) fn start_can_be_killed_at_every_call() -> Result<()> {
    let container = Container::new(Bundle::command(&["/bin/sleep", "100000"])?)?;
    walk(
        &container,
        || container.create().map(drop),
        || container.launch(&["start", &container.id]),
        || {
            // Whatever it has become, it can be told.
            let status = container.status()?;
            ensure!(["created", "running", "stopped"].contains(&&*status), "it is {status}");
            expect_clean(&container)
        },
    )
}

pub(crate) fn exec_can_be_killed_at_every_call() -> Result<()> {
    let container = Container::new(Bundle::command(&["/bin/sleep", "100000"])?)?;
    container.start()?;
    walk(
        &container,
        || Ok(()),
        || container.launch(&["exec", &container.id, "/bin/true"]),
        || {
            super::sigkill_with::expect_no_exec(&container)?;
            container.exec("exit 5")?.expect_code(5)?;
            expect_eq!(container.status()?, "running");
            Ok(())
        },
    )?;
    expect_clean(&container)
}

/// The container goes on, and can be changed again, whatever was written by then.
pub(crate) fn update_can_be_killed_at_every_call() -> Result<()> {
    let container = Container::new(Bundle::command(&["/bin/sleep", "100000"])?)?;
    container.start()?;
    walk(
        &container,
        || Ok(()),
        || container.launch(&["update", "--pids-limit", "50", "--cpu-share", "500", &container.id]),
        || {
            expect_eq!(container.status()?, "running");
            container.tell_with("update", &["--pids-limit", "60"], &[])?.expect_code(0)?;
            container.exec("exit 5")?.expect_code(5).map(drop)
        },
    )?;
    expect_clean(&container)
}

pub(crate) fn delete_can_be_killed_at_every_call() -> Result<()> {
    let container = Container::new(Bundle::command(&["/bin/sleep", "100000"])?)?;
    walk(
        &container,
        || {
            container.create()?;
            container.kill()
        },
        || container.launch(&["delete", &container.id]),
        || expect_clean(&container),
    )
}

pub(crate) fn delete_by_force_can_be_killed_at_every_call() -> Result<()> {
    let container = Container::new(Bundle::command(&["/bin/sleep", "100000"])?)?;
    walk(
        &container,
        || container.start().map(drop),
        || container.launch(&["delete", "--force", &container.id]),
        || expect_clean(&container),
    )
}
