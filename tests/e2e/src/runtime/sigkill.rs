//! SIGKILL in the middle: every command is killed at each of its system calls, its own process or
//! the container's, and whatever was half done must not be in the way afterwards.
//!
//! A process of its own traces the command and counts. When it has sent the signal it ends, and
//! with it the tracing: what is left of the command runs on as it would have without a tracer.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;

use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::sys::{self, Change};
use crate::support::{Launch, scratch, until};

/// How long a walk may take. Where it is not enough for every call, those that are visited are
/// spread over all.
const PATIENCE: Duration = Duration::from_secs(40);

/// Exit codes of the tracing process.
const ENDED: i32 = 0;
const KILLED: i32 = 1;
const FAILED: i32 = 2;

fn be_traced() -> std::io::Result<()> {
    sys::ptrace(libc::PTRACE_TRACEME, 0, 0)
}

/// Runs the command until it makes its `number`th call, which kills who makes it. Tells how many
/// calls there were, and the command's process.
fn trace(launch: Launch, number: u64) -> Result<(bool, u64, i32)> {
    let report = scratch("traced");
    let tracer = sys::fork(0, || {
        follow(launch, number).map_or_else(
            |error| {
                println!("tracer: {error:#}");
                FAILED
            },
            |(killed, calls, pid)| {
                let told = std::fs::write(scratch("traced"), format!("{calls} {pid}"));
                if told.is_err() {
                    FAILED
                } else if killed {
                    KILLED
                } else {
                    ENDED
                }
            },
        )
    })?;
    let (_, change) = sys::wait(tracer, 0)?.context("the tracer")?;
    let killed = match change {
        Change::Exited(ENDED) => false,
        Change::Exited(KILLED) => true,
        change => bail!("the tracer ended with {change:?}"),
    };
    let text = std::fs::read_to_string(report)?;
    let (calls, pid) = text.split_once(' ').context("two numbers")?;
    Ok((killed, calls.parse()?, pid.parse()?))
}

/// In the tracing process.
fn follow(launch: Launch, number: u64) -> Result<(bool, u64, i32)> {
    let running = launch.before_exec(be_traced).start()?;
    let main = running.pid;
    // Dropping it would kill what is to live on.
    std::mem::forget(running);
    sys::wait(main, 0)?.context("no stop at the exec")?;
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC;
    sys::ptrace(libc::PTRACE_SETOPTIONS, main, options.cast_unsigned() as usize)?;
    sys::ptrace(libc::PTRACE_SYSCALL, main, 0)?;
    let mut calls = 0;
    let mut known = vec![main];
    loop {
        let Ok(Some((pid, change))) = sys::wait(-1, libc::__WALL) else {
            return Ok((false, calls, main));
        };
        let Change::Stopped(stop) = change else {
            if pid == main {
                return Ok((false, calls, main));
            }
            continue;
        };
        let mut deliver = 0;
        match (stop & 0xff, stop >> 8) {
            (signal, 0) if signal == libc::SIGTRAP | 0x80 => {
                calls += u64::from(sys::entered_call(pid).is_ok_and(|call| call.is_some()));
            }
            // The first stop of a new process is a SIGSTOP that ptrace made.
            (libc::SIGSTOP, 0) if !known.contains(&pid) => known.push(pid),
            (signal, 0) => deliver = signal as usize,
            _ => {}
        }
        if calls == number {
            sys::send(pid, libc::SIGKILL)?;
            return Ok((true, calls, main));
        }
        // It may have been killed meanwhile.
        let _ = sys::ptrace(libc::PTRACE_SYSCALL, pid, deliver);
    }
}

/// Kills the command made by `command` at each of its calls in turn, each time after `before` and
/// followed by `after`.
fn walk(
    container: &Container,
    before: impl Fn() -> Result<()>,
    command: impl Fn() -> Launch,
    after: impl Fn() -> Result<()>,
) -> Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    before()?;
    let (_, total, _) = trace(command(), u64::MAX)?;
    after()?;
    ensure!(total > 20, "only {total} calls: tracing does not work");
    let (start, mut visited) = (Instant::now(), 0);
    for number in spread(total) {
        if start.elapsed() > PATIENCE {
            break;
        }
        before()?;
        let (killed, _, pid) = trace(command(), number)?;
        if killed {
            wait_for_end(pid).with_context(|| format!("killed at call {number} of {total}"))?;
        }
        after().with_context(|| format!("killed at call {number} of {total}"))?;
        visited += 1;
    }
    println!("{}: killed at {visited} of {total} calls", container.id);
    ensure!(visited > 0, "no call was visited");
    Ok(())
}

/// All numbers up to `total`, in an order that is spread over all of them from the beginning.
fn spread(total: u64) -> impl Iterator<Item = u64> {
    let gcd = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    // About the golden section of the whole, and coprime to it.
    let step = (total * 618 / 1000..).find(|step| gcd(*step, total) == 1).unwrap_or(1);
    (0..total).map(move |index| (index * step) % total + 1)
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
fn reap() {
    while let Ok(Some(_)) = sys::wait(-1, libc::WNOHANG) {}
}

/// `delete --force` must succeed and leave nothing, and the id must be free again.
fn expect_clean(container: &Container) -> Result<()> {
    // PID 1 of the container cannot end before all others of its namespace are reaped.
    reap();
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    until("nothing is left", || {
        reap();
        container.expect_gone().is_ok()
    })
    .or_else(|_| container.expect_gone())
}

fn expect_reusable(container: &Container) -> Result<()> {
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
    let processes = || -> Result<usize> {
        let json = container.tell_with("ps", &["--format", "json"], &[])?;
        Ok(serde_json::from_str::<Vec<i32>>(&json.stdout)?.len())
    };
    walk(
        &container,
        || Ok(()),
        || container.launch(&["exec", &container.id, "/bin/true"]),
        || {
            until("no process of the exec is left", || {
                reap();
                processes().is_ok_and(|count| count == 1)
            })?;
            container.exec("exit 5")?.expect_code(5)?;
            expect_eq!(container.status()?, "running");
            Ok(())
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
