//! `--landlock`'s kin: ports, devices, scopes, and what an old kernel cannot do.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use anyhow::Result;

use super::landlock_paths::{WRITES, check, expect_steps, with_abi};
use crate::expect_eq;
use crate::support::sys::landlock_abi;
use crate::support::{Launch, processes, scratch};

/// The first ABIs with these.
const PORTS: u32 = 4;
const DEVICES: u32 = 5;
const SCOPES: u32 = 6;

/// A listener on a free port, and the port.
fn listener() -> Result<(TcpListener, u16)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

pub(crate) fn binding_works_for_the_named_port_only() -> Result<()> {
    with_abi(PORTS, || {
        if rustix::process::geteuid().is_root() {
            // Where nobody else takes the free one meanwhile.
            sys::process::unshare_namespaces(libc::CLONE_NEWNET as u64)?;
            sys::interface::bring_up(c"lo")?;
        }
        let (_first, taken) = listener()?;
        let (second, free) = listener()?;
        drop(second);
        let steps = [(format!("bind={free}"), 0), (format!("bind={taken}"), libc::EACCES)];
        check(&[format!("--bind-tcp-allow={free}")], &steps)?;
        let steps = [(format!("bind={taken}"), libc::EADDRINUSE), (format!("connect={taken}"), 0)];
        check(&["--bind-tcp-allow=1".into(), format!("--bind-tcp-allow={taken}")], &steps)
    })
}

pub(crate) fn connecting_works_to_the_named_port_only() -> Result<()> {
    with_abi(PORTS, || {
        let ((_first, named), (_second, other)) = (listener()?, listener()?);
        let steps = [(format!("connect={named}"), 0), (format!("connect={other}"), libc::EACCES)];
        check(&[format!("--connect-tcp-allow={named}")], &steps)
    })
}

pub(crate) fn ports_that_are_none_are_refused() -> Result<()> {
    for option in ["--bind-tcp-allow", "--connect-tcp-allow"] {
        for port in ["65536", "-1", "http", ""] {
            let finished = Launch::tino(&[option, port]).act(&["say=ran"]).finish()?;
            expect_eq!(finished.expect_code(2)?.stdout.as_str(), "", "{option} {port:?}");
        }
    }
    Ok(())
}

pub(crate) fn device_ioctl_works_below_the_path_only() -> Result<()> {
    with_abi(DEVICES, || {
        let (_pty, slave) = crate::support::pty::Pty::open()?;
        let terminal = std::fs::read_link(format!(
            "/proc/self/fd/{}",
            std::os::fd::AsRawFd::as_raw_fd(&slave)
        ))?;
        let step = format!("ioctl={}", terminal.display());
        check(&["--device-ioctl-allow=/dev/pts".into()], &[(step.clone(), 0)])?;
        check(&["--device-ioctl-allow=/proc".into()], &[(step, libc::EACCES)])
    })
}

pub(crate) fn signals_stay_in_the_scope() -> Result<()> {
    with_abi(SCOPES, || {
        let own = std::process::id();
        for (options, result) in [(&["--scope-signals"][..], "errno 1"), (&[], "ok")] {
            let finished = Launch::tino(options)
                .act(&[&format!("send={own}:0"), "(", "sleep-ms=1", "exit=0", ")", "wait"])
                .finish()?;
            finished.expect_stdout(&format!("send: {result}\n"))?;
        }
        let running = Launch::tino(&["--scope-signals"]).act(&["record=15"]).start()?;
        running.wait_line("ready")?;
        running.send(libc::SIGTERM)?;
        running.finish()?.expect_code(0)?;
        Ok(())
    })
}

pub(crate) fn abstract_sockets_stay_in_the_scope() -> Result<()> {
    with_abi(SCOPES, || {
        let name = format!("tino-test-{}", std::process::id());
        let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        let step = format!("connect-abstract={name}");
        check(&["--scope-abstract-unix".into()], &[(step.clone(), libc::EPERM)])?;
        check(&["--scope-signals".into()], &[(step, 0)])
    })
}

pub(crate) fn explain_runs_nothing() -> Result<()> {
    let options = ["--explain", "-t", "1234", "--landlock-writable=/no/such/path"];
    let finished = Launch::tino(&options).act(&["say=ran", "exit=5"]).finish()?;
    finished
        .expect_code(0)?
        .expect_stdout("grace-ms")?
        .expect_stdout("1234")?
        .expect_stdout(&format!("Landlock ABI {}\n", landlock_abi()))?;
    finished.expect_stdout("say=ran\n")?;
    expect_eq!(finished.stdout.lines().any(|line| line == "ran"), false);
    Ok(())
}

/// On a kernel that lacks something, strict mode says so and starts nothing, and warn-only
/// enforces the rest.
pub(crate) fn an_old_kernel_is_told_of() -> Result<()> {
    let abi = landlock_abi();
    let lacking = [
        (WRITES, "--landlock"),
        (PORTS, "--bind-tcp-allow=80"),
        (DEVICES, "--device-ioctl-allow=/dev"),
        (SCOPES, "--scope-signals"),
    ];
    let lacking: Vec<_> = lacking.into_iter().filter(|(needed, _)| abi < *needed).collect();
    if lacking.is_empty() {
        return harness::skip(format!("this kernel's Landlock ABI {abi} lacks nothing"));
    }
    let file = scratch("file");
    std::fs::write(&file, "text")?;
    for (_, option) in lacking {
        let finished = Launch::tino(&[option]).act(&["say=ran"]).finish()?;
        finished.expect_code(1)?.expect_stderr("[FATAL tino (")?.expect_stderr("Linux ")?;
        expect_eq!(finished.stdout.as_str(), "");
        let step = format!("write={}", file.display());
        let finished =
            Launch::tino(&["--landlock-warn-only", "--landlock", option]).act(&[&step]).finish()?;
        finished.expect_stderr("[WARN  tino (")?.expect_stderr("Linux ")?;
        let errno = if abi == 0 { 0 } else { libc::EACCES };
        expect_steps(&finished, &[(step, errno)])?;
    }
    Ok(())
}

pub(crate) fn a_restarted_child_is_restricted_too() -> Result<()> {
    with_abi(WRITES, || {
        let file = scratch("file");
        std::fs::write(&file, "text")?;
        let step = format!("write={}", file.display());
        let finished = Launch::tino(&["--restart=on-failure:2", "--landlock"])
            .act(&[&step, "exit=3"])
            .finish()?;
        finished.expect_code(3)?;
        expect_eq!(finished.stdout.matches("errno 13").count(), 3);
        let running = Launch::tino(&["--landlock"]).act(&["say=up", "pause"]).start()?;
        running.wait_line("up")?;
        // The ruleset is not kept.
        crate::support::until("its descriptors are closed", || {
            processes::descriptors(running.pid).is_ok_and(|open| open.len() == 3)
        })
    })
}
