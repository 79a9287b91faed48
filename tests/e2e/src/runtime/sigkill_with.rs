//! SIGKILL in the middle of what few containers have: hooks, network devices, mapped ids, a listener
//! for calls, terminals, scopes of systemd, checkpoints. Calls of other programs do not count.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::sigkill::{expect_clean, expect_reusable, reap, walk_within};
use super::stdio::ConsoleSocket;
use super::support::tracing::Deed;
use super::support::{Bundle, Container, groups};
use super::{bind_mounts, checkpoint, net_devices, rootless};
use crate::expect_eq;
use crate::kernel::{systemd, with_systemd};
use crate::support::{Launch, processes, scratch, until};

/// How long a walk may take: there are many of them.
const PATIENCE: Duration = Duration::from_secs(2);

fn walk(
    container: &Container,
    before: impl Fn() -> Result<()>,
    command: impl Fn() -> Launch,
    after: impl Fn() -> Result<()>,
) -> Result<()> {
    walk_within(PATIENCE, Deed::KillOwn, container, before, command, after)
}

/// Whatever was started for the container is gone, too: it would be a descendant of this process.
fn expect_alone() -> Result<()> {
    let own = std::process::id().cast_signed();
    until("no process is left", || {
        reap();
        processes::descendants(own).is_empty()
    })
}

/// Walks through what makes a container, and then through what ends it.
fn walk_through_life(container: &Container, flags: &[&str]) -> Result<()> {
    let reusable = || {
        expect_reusable(container)?;
        expect_alone()
    };
    walk(container, || Ok(()), || container.launch_new("create", flags), reusable)?;
    walk(
        container,
        || container.create_with(flags).map(drop),
        || container.launch(&["start", &container.id]),
        reusable,
    )?;
    walk(
        container,
        || container.start().map(drop),
        || container.launch(&["delete", "--force", &container.id]),
        reusable,
    )
}

/// A hook of each kind.
pub(super) fn with_hooks(bundle: Bundle) -> Bundle {
    let kinds =
        ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    kinds.into_iter().fold(bundle, |bundle, kind| {
        let hook = json!([{ "path": "/bin/true" }, { "path": "/bin/true", "timeout": 100 }]);
        bundle.set(&format!("/hooks/{kind}"), hook)
    })
}

pub(crate) fn hooks_of_all_kinds() -> Result<()> {
    let bundle = Bundle::command(&["/bin/sleep", "100000"])?;
    let container = Container::new(with_hooks(bundle))?;
    walk_through_life(&container, &[])
}

/// With the container its namespace ends, and virtual devices in it.
pub(crate) fn network_devices() -> Result<()> {
    net_devices::machine()?;
    let bundle = Bundle::command(&["/bin/sleep", "100000"])?
        .set("/linux/netDevices/given77", json!({ "name": "inside" }));
    let container = Container::new(bundle)?;
    let after = || {
        expect_clean(&container)?;
        expect_alone()?;
        net_devices::machine_again()?;
        expect_reusable(&container)?;
        net_devices::machine_again()
    };
    for words in [&["create"][..], &["run", "--detach"]] {
        let command = || container.launch_new(words[0], &words[1..]);
        walk(
            &container,
            || Ok(()),
            command,
            || {
                expect_clean(&container)?;
                net_devices::expect_whole_or_gone()?;
                after()
            },
        )?;
    }
    let delete = || container.launch(&["delete", "--force", &container.id]);
    walk(&container, || container.create().map(drop), delete, after)
}

/// Nobody answers, and nobody need.
pub(crate) fn a_listener_for_calls() -> Result<()> {
    let path = scratch("listener");
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path,
        "syscalls": [{ "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY" }],
    });
    let bundle = Bundle::command(&["/bin/sleep", "100000"])?.set("/linux/seccomp", profile);
    let container = Container::new(bundle)?;
    let listener = UnixListener::bind(&path)?;
    listener.set_nonblocking(true)?;
    let listen = || {
        // What nobody takes must not fill it.
        while listener.accept().is_ok() {}
        Ok(())
    };
    let start = || container.launch(&["start", &container.id]);
    let before = || {
        listen()?;
        container.create().map(drop)
    };
    walk(&container, before, start, || expect_reusable(&container))?;
    let run = || container.launch_new("run", &["--detach"]);
    walk(&container, listen, run, || expect_reusable(&container))
}

/// With a user namespace and without: then another one is made for the mapping.
pub(crate) fn mounts_with_mapped_ids() -> Result<()> {
    let source = scratch("source");
    std::fs::create_dir(&source)?;
    let mapping = json!([{ "containerID": 0, "hostID": 3000, "size": 1000 }]);
    let mount = json!({ "destination": "/work", "type": "bind", "source": source,
        "options": ["bind", "idmap"], "uidMappings": mapping, "gidMappings": mapping });
    for in_user_namespace in [false, true] {
        let mut bundle = Bundle::command(&["/bin/true"])?.add("/mounts", mount.clone());
        if in_user_namespace {
            bundle = bundle.user_namespace(270_000)?.namespace("time");
        }
        let container = Container::new(bundle)?;
        bind_mounts::output_if_mapped(&container)?;
        walk(
            &container,
            || Ok(()),
            || container.launch_new("create", &[]),
            || {
                expect_reusable(&container)?;
                expect_alone()
            },
        )?;
    }
    Ok(())
}

pub(crate) fn ids_of_subuid() -> Result<()> {
    let rootless = rootless::with_ids_of_subuid(Bundle::command(&["/bin/true"])?)?;
    let container = rootless.container();
    for verb in ["create", "run"] {
        walk(
            container,
            || Ok(()),
            || rootless.launch_new(verb),
            || {
                rootless.delete()?.expect_code(0)?;
                until("nothing is left", || {
                    reap();
                    container.expect_gone().is_ok()
                })
                .or_else(|_| container.expect_gone())?;
                expect_alone()
            },
        )?;
    }
    Ok(())
}

pub(crate) fn terminals() -> Result<()> {
    let bundle = Bundle::command(&["/bin/sleep", "100000"])?.set("/process/terminal", true);
    let container = Container::new(bundle)?;
    let socket = ConsoleSocket::open()?;
    let flag = socket.flag();
    let listen = || {
        socket.forget();
        Ok(())
    };
    let after = || {
        expect_clean(&container)?;
        listen()?;
        container.create_with(&[&flag])?;
        expect_clean(&container)?;
        expect_alone()
    };
    walk(&container, listen, || container.launch_new("create", &[&flag]), after)?;
    container.create_with(&[&flag])?;
    container.tell("start", &[])?.expect_code(0)?;
    let exec = || {
        let words = ["exec", "--tty", "--detach", &flag, &container.id, "/bin/true"];
        container.launch(&words)
    };
    walk(&container, listen, exec, || {
        expect_no_exec(&container)?;
        expect_eq!(container.status()?, "running");
        container.exec("exit 5")?.expect_code(5).map(drop)
    })?;
    expect_clean(&container)?;
    expect_alone()
}

/// The first process is alone again in its container.
pub(super) fn expect_no_exec(container: &Container) -> Result<()> {
    until("no process of the exec is left", || {
        reap();
        let json = container.tell_with("ps", &["--format", "json"], &[]);
        let all = json.ok().and_then(|it| serde_json::from_str::<Vec<i32>>(&it.stdout).ok());
        // Who was stopped for the tracer at its birth, and is not traced any more, would stay so.
        all.iter().flatten().for_each(|pid| drop(crate::support::sys::send(*pid, libc::SIGCONT)));
        all.is_some_and(|all| all.len() == 1)
    })
}

pub(crate) fn pause_and_resume() -> Result<()> {
    groups::freezer()?;
    let container = Container::new(Bundle::command(&["/bin/sleep", "100000"])?)?;
    container.start()?;
    let pause = || container.launch(&["pause", &container.id]);
    let resume = || container.launch(&["resume", &container.id]);
    let after = || {
        let status = container.status()?;
        match &*status {
            "paused" => container.tell("resume", &[])?.expect_code(0).map(drop)?,
            status => expect_eq!(status, "running"),
        }
        container.exec("exit 5")?.expect_code(5).map(drop)
    };
    walk(&container, || Ok(()), pause, after)?;
    let paused = || container.tell("pause", &[])?.expect_code(0).map(drop);
    walk(&container, paused, resume, after)?;
    let delete = || container.launch(&["delete", "--force", &container.id]);
    let before = || {
        if container.status().is_err() {
            container.start()?;
        }
        paused()
    };
    walk(&container, before, delete, || expect_clean(&container))?;
    expect_alone()
}

/// The scope goes with the container, and its name is free again.
pub(crate) fn scopes_of_systemd() -> Result<()> {
    with_systemd(|| {
        // All else is read-only there.
        systemd::mount_scratch()?;
        let bundle = Bundle::command(&["/bin/sleep", "100000"])?
            .set("/linux/cgroupsPath", "e2e-trial.slice:e2e:scope");
        let container = Container::named("e2e-scope", bundle)?.with_flags(&["--systemd-cgroup"]);
        let no_scope = || {
            let unit = "e2e-scope.scope";
            until("the scope is gone", || {
                systemd::property(unit, "LoadState").is_ok_and(|it| it == "not-found")
            })?;
            let folder = "/sys/fs/cgroup/e2e.slice/e2e-trial.slice/e2e-scope.scope";
            ensure!(!std::fs::exists(folder)?, "its folder is left");
            expect_alone()
        };
        let reusable = || {
            expect_reusable(&container)?;
            no_scope()
        };
        walk(&container, || Ok(()), || container.launch_new("create", &[]), reusable)?;
        walk(
            &container,
            || container.create().map(drop),
            || container.launch(&["start", &container.id]),
            reusable,
        )?;
        for flags in [&["delete"][..], &["delete", "--force"]] {
            walk(
                &container,
                || {
                    container.create()?;
                    if flags.len() == 1 { container.kill() } else { Ok(()) }
                },
                || container.launch(flags).words(&[&container.id]),
                reusable,
            )?;
        }
        let update = || {
            container.launch(&["update", "--pids-limit", "50", "--cpu-share", "500", "e2e-scope"])
        };
        container.start()?;
        walk(
            &container,
            || Ok(()),
            update,
            || {
                expect_eq!(container.status()?, "running");
                container.exec("exit 5")?.expect_code(5).map(drop)
            },
        )?;
        expect_clean(&container)?;
        no_scope()
    })
}

/// criu ends with who has asked it, and leaves the container as it was, or nothing of it.
pub(crate) fn checkpoints() -> Result<()> {
    checkpoint::criu()?;
    let container = Container::new(Bundle::service()?.without_namespace("network"))?;
    let folder = scratch("images").to_string_lossy().into_owned();
    for flags in [&[][..], &["--leave-running"]] {
        let command = || {
            let launch = container.launch(&["checkpoint", "--image-path", &folder]);
            launch.words(flags).words(&[&container.id])
        };
        let before = || {
            if container.status().is_err() {
                container.start_service()?;
            }
            Ok(())
        };
        let after = || {
            expect_criu_gone()?;
            let status = container.status().unwrap_or_else(|_| "gone".to_owned());
            match &*status {
                "running" => container.exec("exit 5")?.expect_code(5).map(drop),
                "stopped" | "gone" => expect_reusable(&container),
                status => Err(anyhow::anyhow!("it is {status}")),
            }
        };
        walk(&container, before, command, after)
            .with_context(|| format!("checkpoint {flags:?}"))?;
    }
    expect_clean(&container)?;
    expect_alone()
}

fn expect_criu_gone() -> Result<()> {
    let own = std::process::id().cast_signed();
    let is_criu = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| it == "criu\n")
    };
    until("criu ends", || {
        reap();
        !processes::descendants(own).iter().any(is_criu)
    })
}

pub(crate) fn restores() -> Result<()> {
    checkpoint::criu()?;
    let container = Container::new(Bundle::service()?.without_namespace("network"))?;
    container.start_service()?;
    let folder = scratch("images").to_string_lossy().into_owned();
    checkpoint::checkpoint(&container, &["--image-path", &folder])?.expect_code(0)?;
    let flags = ["--detach", "--image-path", &*folder];
    walk(
        &container,
        || Ok(()),
        || container.launch_new("restore", &flags),
        || {
            expect_clean(&container)?;
            expect_alone()?;
            expect_reusable(&container)
        },
    )
}
