//! Rules that are enforced.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use kernel::landlock::{self, PREFIX, Rules, parse};
use kernel::path::Root;
use sys::rustix::thread::set_no_new_privs;

use crate::expect_eq;
use crate::support::sys::{Change, fork, landlock_abi, wait};
use crate::support::{scratch, script};

fn rules(annotations: &[(&str, &str)]) -> Result<Rules> {
    let mut annotations = annotations.to_vec();
    if landlock_abi() < 3 && annotations.iter().any(|(name, _)| *name == "write-allow") {
        // It cannot keep back truncate(2), which no test here is about.
        annotations.push(("warn-only", "true"));
    }
    let named: Vec<_> =
        annotations.iter().map(|(name, value)| (format!("{PREFIX}{name}"), *value)).collect();
    let rules = parse(named.iter().map(|(name, value)| (name.as_str(), *value)))?;
    let rules = rules.context("rules that ask for something")?;
    match rules.for_this_kernel() {
        Ok((rules, _)) => Ok(rules),
        Err(lacking) => Err(harness::skip(lacking[0].to_string()).unwrap_err()),
    }
}

/// Restricts this process.
fn enforce(annotations: &[(&str, &str)]) -> Result<()> {
    let ruleset = rules(annotations)?.ruleset(&Root::open(c"/")?)?;
    set_no_new_privs(true)?;
    Ok(ruleset.restrict_self()?)
}

fn refused<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

pub(crate) fn only_listed_places_are_writable() -> Result<()> {
    let (inside, outside) = (scratch("inside"), scratch("outside"));
    fs::create_dir(&inside)?;
    fs::create_dir(&outside)?;
    fs::write(outside.join("old"), "old")?;
    enforce(&[("write-allow", inside.to_str().unwrap_or_default())])?;

    fs::write(inside.join("new"), "x")?;
    fs::rename(inside.join("new"), inside.join("newer"))?;
    fs::remove_file(inside.join("newer"))?;
    ensure!(refused(fs::write(outside.join("new"), "x")), "made outside");
    ensure!(refused(fs::write(outside.join("old"), "x")), "written outside");
    ensure!(refused(fs::remove_file(outside.join("old"))), "removed outside");
    expect_eq!(fs::read_to_string(outside.join("old"))?, "old", "still readable");
    fs::write("/dev/null", "x")?;
    Ok(())
}

pub(crate) fn not_even_devices_are_writable_on_demand() -> Result<()> {
    enforce(&[("write-allow", ""), ("write-no-dev", "true")])?;
    ensure!(refused(fs::write("/dev/null", "x")), "written");
    Ok(())
}

pub(crate) fn only_listed_places_are_readable_and_executable() -> Result<()> {
    let (inside, outside) = (scratch("inside"), scratch("outside"));
    fs::create_dir(&inside)?;
    let program = |folder: &std::path::Path| folder.join("program");
    script(&program(&inside), "#!/bin/sh\nexit 3\n")?;
    fs::create_dir(&outside)?;
    script(&program(&outside), "#!/bin/sh\nexit 3\n")?;
    let places = format!("{}:/bin:/usr:/lib:/lib64", inside.display());
    enforce(&[("exec-allow", &places), ("read-allow", "/proc:/etc")])?;

    ensure!(refused(fs::read(program(&outside))), "read");
    ensure!(refused(fs::read_dir(&outside)), "listed");
    let status = std::process::Command::new(program(&inside)).status()?;
    expect_eq!(status.code(), Some(3), "executed");
    ensure!(refused(std::process::Command::new(program(&outside)).status()), "executed outside");
    Ok(())
}

pub(crate) fn a_rule_may_be_on_a_file() -> Result<()> {
    let (one, other) = (scratch("one"), scratch("other"));
    fs::write(&one, "1")?;
    fs::write(&other, "2")?;
    fs::set_permissions(&one, fs::Permissions::from_mode(0o600))?;
    enforce(&[("write-allow", one.to_str().unwrap_or_default())])?;
    fs::write(&one, "x")?;
    ensure!(refused(fs::write(&other, "x")), "written");
    Ok(())
}

pub(crate) fn only_listed_ports_are_bound_and_connected_to() -> Result<()> {
    if landlock_abi() < 4 {
        return harness::skip("this kernel's Landlock knows no ports");
    }
    let free = TcpListener::bind("127.0.0.1:0")?;
    let port = free.local_addr()?.port().to_string();
    let other = TcpListener::bind("127.0.0.1:0")?;
    enforce(&[("connect-tcp-allow", &port), ("bind-tcp-allow", "")])?;
    TcpStream::connect(free.local_addr()?)?;
    ensure!(refused(TcpStream::connect(other.local_addr()?)), "connected");
    ensure!(refused(TcpListener::bind("127.0.0.1:0")), "bound");
    Ok(())
}

pub(crate) fn signals_stay_in_scope() -> Result<()> {
    if landlock_abi() < 6 {
        return harness::skip("this kernel's Landlock knows no scopes");
    }
    let parent = std::process::id().cast_signed();
    let pid = fork(0, || {
        if enforce(&[("scope-signals", "true")]).is_err() {
            return 99;
        }
        let refused = |result: io::Result<()>| result.is_err_and(|it| it.raw_os_error() == Some(1));
        i32::from(!refused(crate::support::sys::send(parent, 0)))
    })?;
    expect_eq!(wait(pid, 0)?.map(|it| it.1), Some(Change::Exited(0)), "a signal to the parent");
    Ok(())
}

pub(crate) fn a_path_that_is_missing_is_an_error_unless_asked_otherwise() -> Result<()> {
    let missing = scratch("missing");
    let missing = missing.to_str().unwrap_or_default();
    let root = Root::open(c"/")?;
    let error = rules(&[("read-allow", missing)])?.ruleset(&root).unwrap_err();
    ensure!(matches!(error, landlock::Error::Path { .. }), "{error}");
    ensure!(error.to_string().contains(missing), "{error}");
    rules(&[("read-allow", missing), ("warn-only", "true")])?.ruleset(&root)?;
    Ok(())
}
