//! System calls that fail in what few containers have, and in commands that make none.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::faults::{LOOK, walk_over};
use super::sigkill::{expect_clean, reap};
use super::sigkill_with::{expect_no_exec, with_hooks};
use super::stdio::ConsoleSocket;
use super::support::tracing::{Deed, Traced, spread, trace};
use super::support::{Bundle, Container, groups};
use super::{bind_mounts, checkpoint, net_devices};
use crate::expect_eq;
use crate::kernel::see_v2_alone;
use crate::support::sys::Change;
use crate::support::{Finished, Launch, scratch};

/// How long a walk may take: there are many of them.
const PATIENCE: Duration = Duration::from_secs(2);

/// A `run` with ids that are mapped, another clock, and a listener for calls.
pub(crate) fn a_run_with_everything_is_whole_or_tells() -> Result<()> {
    let (source, socket) = (scratch("source"), scratch("listener"));
    std::fs::create_dir(&source)?;
    std::fs::write(source.join("file"), "")?;
    let listener = UnixListener::bind(&socket)?;
    listener.set_nonblocking(true)?;
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": socket,
        "syscalls": [{ "names": ["swapon"], "action": "SCMP_ACT_NOTIFY" }],
    });
    let look = format!("{LOOK}; ls -ln /work");
    let bundle = Bundle::script(&look.replace("outside", "/dev/null"))?
        .user_namespace(280_000)?
        .namespace("time")
        .set("/linux/timeOffsets", json!({ "monotonic": { "secs": 1000 } }))
        .set("/linux/seccomp", profile)
        .mount("/work", "bind", &source, "rbind,ridmap");
    let container = Container::new(bundle)?;
    bind_mounts::output_if_mapped(&container)?;
    walk_over(&container, 2 * PATIENCE, libc::EIO, |_| {
        reap();
        while listener.accept().is_ok() {}
        Ok(())
    })
}

/// Each of the calls that move a device, as its container is made.
pub(crate) fn a_device_comes_back_whatever_fails() -> Result<()> {
    net_devices::machine()?;
    let device = json!({ "name": "inside" });
    let bundle = Bundle::command(&["/bin/true"])?.set("/linux/netDevices/given77", device);
    let container = Container::new(bundle)?;
    for call in [libc::SYS_recvfrom, libc::SYS_sendto] {
        let deed = Deed::FailOnly(call, libc::EIO);
        let create = |number| trace(container.launch_new("create", &[]), number, deed);
        let all = create(u64::MAX)?.calls;
        ensure!(all > 1, "only {all} calls {call}");
        for number in 1..=all {
            expect_clean(&container)?;
            net_devices::machine_again()?;
            let finished = create(number)?.finished.context("its end")?;
            let told = ["give back", "given back"].iter().any(|it| finished.stderr.contains(it));
            if finished.change != Change::Exited(0) && !told {
                net_devices::expect_given_back()
                    .with_context(|| format!("call {call}, {number} of {all}: {finished:?}"))?;
            }
        }
    }
    expect_clean(&container)
}

/// Has each call of a command fail like this. `after` is told how it ended.
fn walk(
    errno: i32,
    before: impl Fn() -> Result<()>,
    command: impl Fn() -> Launch,
    after: impl Fn(&Finished) -> Result<()>,
) -> Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    before()?;
    let all = trace(command(), u64::MAX, Deed::Fail(errno))?;
    after(all.finished.as_ref().context("its end")?)?;
    ensure!(all.calls > 20, "only {} calls: tracing does not work", all.calls);
    let (start, mut visited) = (Instant::now(), 0);
    for number in spread(all.calls) {
        if start.elapsed() > PATIENCE {
            break;
        }
        before()?;
        let Traced { at, finished, .. } = trace(command(), number, Deed::Fail(errno))?;
        let finished = finished.context("its end")?;
        let call = at.unwrap_or_default();
        let told = finished.change == Change::Exited(0)
            || !finished.stderr.is_empty()
            // It may be the very words that could not be written.
            || [libc::SYS_brk, libc::SYS_write].map(i64::cast_unsigned).contains(&call);
        let judged = if told { after(&finished) } else { Err(anyhow::anyhow!("not a word")) };
        judged.with_context(|| {
            format!("{errno} at call {number} of {}, {call}: {finished:?}", all.calls)
        })?;
        visited += 1;
    }
    println!("{visited} of {} calls failed", all.calls);
    Ok(())
}

const ERRNOS: [i32; 2] = [libc::EIO, libc::EINTR];

fn sleeper() -> Result<Container> {
    Container::new(Bundle::command(&["/bin/sleep", "100000"])?)
}

pub(crate) fn what_cannot_be_created_or_started_leaves_nothing() -> Result<()> {
    let socket = ConsoleSocket::open()?;
    let flag = socket.flag();
    for errno in ERRNOS {
        let mut bundle = Bundle::command(&["/bin/sleep", "100000"])?;
        bundle = bundle.set("/process/terminal", true);
        // The standard library ends a program in which it cannot hear of another one's start.
        if errno == libc::EINTR {
            bundle = with_hooks(bundle);
        }
        let container = Container::new(bundle)?;
        let create = || container.launch_new("create", &[&flag]);
        walk(
            errno,
            || Ok(()),
            create,
            |finished| {
                socket.forget();
                if finished.change == Change::Exited(0) {
                    // Whether the child could wait is another question.
                    let status = container.status()?;
                    ensure!(["created", "stopped"].contains(&&*status), "it is {status}");
                    return expect_clean(&container);
                }
                container.expect_gone().or_else(|_| expect_clean(&container))
            },
        )?;
        let before = || {
            container.create_with(&[&flag])?;
            socket.forget();
            Ok(())
        };
        let start = || container.launch(&["start", &container.id]);
        walk(errno, before, start, |finished| {
            if finished.change == Change::Exited(0) {
                let status = container.status()?;
                ensure!(["running", "stopped"].contains(&&*status), "it is {status}");
            }
            expect_clean(&container)
        })?;
    }
    Ok(())
}

pub(crate) fn what_cannot_be_deleted_can_be_deleted_again() -> Result<()> {
    let container = sleeper()?;
    for errno in ERRNOS {
        let delete = || container.launch(&["delete", "--force", &container.id]);
        walk(
            errno,
            || container.create().map(drop),
            delete,
            |finished| {
                if finished.change == Change::Exited(0) {
                    reap();
                    container.expect_gone()
                } else {
                    expect_clean(&container)
                }
            },
        )?;
    }
    Ok(())
}

/// systemd removes a scope at the moment in which its last process has ended.
pub(crate) fn a_group_that_goes_meanwhile_is_no_error() -> Result<()> {
    see_v2_alone()?;
    // One that is left when the first has ended.
    let script = "/bin/sleep 100000 & echo ready; exec /bin/sleep 100000";
    let container = Container::new(Bundle::script(script)?.without_namespace("pid"))?;
    container.start_service()?;
    let delete = container.launch(&["delete", "--force", &container.id]);
    // What is written is `cgroup.kill`.
    let traced = trace(delete, 1, Deed::FailOnly(libc::SYS_write, libc::ENODEV))?;
    ensure!(traced.at.is_some(), "nothing was written");
    traced.finished.context("its end")?.expect_code(0)?.expect_quiet()?;
    reap();
    container.expect_gone()
}

pub(crate) fn what_cannot_be_paused_runs_on() -> Result<()> {
    groups::freezer()?;
    let container = sleeper()?;
    container.start()?;
    for errno in ERRNOS {
        for verb in ["pause", "resume"] {
            let before = || match verb {
                "resume" => container.tell("pause", &[])?.expect_code(0).map(drop),
                _ => Ok(()),
            };
            walk(
                errno,
                before,
                || container.launch(&[verb, &container.id]),
                |finished| {
                    let status = container.status()?;
                    if finished.change == Change::Exited(0) {
                        expect_eq!(status, if verb == "pause" { "paused" } else { "running" });
                    }
                    if status == "paused" {
                        container.tell("resume", &[])?.expect_code(0)?;
                    }
                    expect_eq!(container.status()?, "running");
                    Ok(())
                },
            )?;
        }
    }
    expect_clean(&container)
}

pub(crate) fn an_exec_with_a_terminal_that_fails_leaves_no_process() -> Result<()> {
    let container = sleeper()?;
    container.start()?;
    let socket = ConsoleSocket::open()?;
    let flag = socket.flag();
    for errno in ERRNOS {
        let words = ["exec", "--tty", "--detach", &flag, &container.id, "/bin/true"];
        walk(
            errno,
            || Ok(()),
            || container.launch(&words),
            |_| {
                socket.forget();
                expect_no_exec(&container)
            },
        )?;
    }
    expect_clean(&container)
}

/// The container runs on, or it is saved.
pub(crate) fn a_checkpoint_that_fails_leaves_the_container() -> Result<()> {
    checkpoint::criu()?;
    let container = Container::new(Bundle::service()?.without_namespace("network"))?;
    let folder = scratch("images").to_string_lossy().into_owned();
    let before = || {
        if container.status().is_err() {
            container.start_service()?;
        }
        Ok(())
    };
    let command = || container.launch(&["checkpoint", "--image-path", &folder, &container.id]);
    walk(libc::EIO, before, command, |finished| {
        if finished.change == Change::Exited(0) {
            return container.expect_gone();
        }
        match &*container.status()? {
            "running" => container.exec("exit 5")?.expect_code(5).map(drop),
            _ => expect_clean(&container),
        }
    })?;
    expect_clean(&container)?;
    before()?;
    checkpoint::checkpoint(&container, &["--image-path", &folder])?.expect_code(0)?;
    let flags = ["--detach", "--image-path", &*folder];
    walk(
        libc::EIO,
        || Ok(()),
        || container.launch_new("restore", &flags),
        |finished| {
            if finished.change == Change::Exited(0) {
                expect_eq!(container.status()?, "running");
                return expect_clean(&container);
            }
            reap();
            container.expect_gone().or_else(|_| expect_clean(&container))
        },
    )
}
