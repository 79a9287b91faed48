//! Flags of `run` that come in other programs' forms: several networks, and Docker's filters.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{ECHO, MISSING, ask_in_vain, has_programs, other_machine, run};
use crate::support::{scratch, until};

/// Each has its own addresses, names and device, and the first that leads anywhere is the way out.
pub(super) fn several_networks_at_once() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    engine.ok(&["network", "create", "--internal", "--subnet", "10.231.40.0/24", "inner"])?;
    engine.ok(&["network", "create", "--subnet", "10.231.41.0/24", "front"])?;
    engine.ok(&["network", "create", "--subnet", "10.231.42.0/24", "back"])?;
    let flags = [
        "--network",
        "inner:ip=10.231.40.7,alias=store,mac=02:00:00:00:40:07,interface_name=db0",
        "--network",
        "name=front,ip=10.231.41.8,alias=shop",
        "--network",
        "back",
        "--network-alias",
        "everywhere",
    ];
    engine
        .ok(&[&["run", "-d", "--name", "app"], &flags[..], &["host:", "sleep", "100"]].concat())?;
    let inside = |words: &[&str]| engine.ok(&[&["exec", "app"], words].concat());
    let device = inside(&["ip", "-o", "addr", "show", "dev", "db0"])?;
    ensure!(device.contains(" 10.231.40.7/24 "), "{device}");
    ensure!(inside(&["ip", "link", "show", "db0"])?.contains("02:00:00:00:40:07"), "another MAC");
    ensure!(
        inside(&["ip", "-o", "addr", "show", "dev", "eth1"])?.contains("10.231.41.8/24"),
        "eth1"
    );
    let way_out = inside(&["ip", "-4", "route", "show", "default"])?;
    ensure!(way_out.starts_with("default via 10.231.41.1 dev eth1"), "{way_out}");
    for (network, name, address) in [
        ("inner", "store", "10.231.40.7"),
        ("inner", "shop", ""),
        ("front", "shop", "10.231.41.8"),
        ("front", "everywhere", "10.231.41.8"),
        ("inner", "everywhere", "10.231.40.7"),
    ] {
        let words = ["run", "--rm", "--network", network, "host:", "dig", "+short", name];
        expect_eq!(engine.ok(&words)?, address);
    }
    expect_eq!(engine.field("app", "Networks")?, "inner,front,back");
    expect_eq!(engine.ok(&["ps", "-q", "--filter", "network=back"])?.len(), 12);
    // The same when it is started again.
    engine.ok(&["restart", "-t", "0", "app"])?;
    ensure!(inside(&["ip", "-o", "addr", "show", "dev", "db0"])?.contains("10.231.40.7/24"), "db0");
    for (flags, expected) in [
        (&["--network", "inner", "--network", "none"][..], "not together with other networks"),
        (&["--network", "host", "--network", "inner"], "not together with inner"),
        (&["--network", "inner", "--network", "inner"], "it is there twice"),
        (&["--network", "inner:interface_name=a/b"], "cannot be the name of a device"),
        (&["--network", "inner:color=red"], "there is no option color"),
        (
            &["--network", "inner", "--network", "back", "--ip", "10.231.40.9"],
            "with several networks",
        ),
    ] {
        engine.fails(&[&["run"], flags, &["host:", "true"]].concat(), 125, expected)?;
    }
    engine.ok(&["rm", "-f", "app"])?;
    engine.is_clean()
}

/// Docker's form of a filter says for which capabilities, machines and kernels its rules are.
pub(super) fn docker_filters_of_system_calls() -> Result<()> {
    let engine = Engine::new()?;
    let path = scratch("profile.json");
    let rule = |names: &[&str], more: serde_json::Value| {
        let mut rule = json!({"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": 99, "args": null,
                              "comment": "", "includes": {}, "excludes": {}});
        let fields = more.as_object().cloned().unwrap_or_default();
        fields.into_iter().for_each(|(name, value)| rule[name] = value);
        rule
    };
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}],
        "syscalls": [
            rule(&["mkdir", "mkdirat"], json!({"excludes": {"caps": ["CAP_NET_ADMIN"]}})),
            rule(&["symlink", "symlinkat"], json!({"includes": {"caps": ["CAP_NET_ADMIN"]}})),
            rule(&["chdir"], json!({"includes": {"minKernel": "3.0", "arches": ["amd64"]}})),
            rule(&["getcwd"], json!({"includes": {"arches": ["arm64"]}})),
            rule(&["uname"], json!({"includes": {"minKernel": "99.0"}})),
        ],
    });
    fs::write(&path, profile.to_string())?;
    let option = format!("seccomp={}", path.to_str().context("UTF-8")?);
    let script = "for it in 'mkdir /tmp/a' 'busybox ln -s a /tmp/b' 'cd /tmp' 'busybox pwd' 'busybox uname'; do
                  if $it >/dev/null 2>&1; then echo yes; else echo no; fi; done";
    let with = |flags: &[&str]| -> Result<String> {
        let text = engine.shell(&[&["--security-opt", &option], flags].concat(), script)?;
        Ok(text.replace('\n', " "))
    };
    expect_eq!(with(&[])?, "no yes no yes yes");
    expect_eq!(with(&["--cap-add", "NET_ADMIN"])?, "yes no no yes yes");
    fs::write(
        &path,
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"SCMP_ACT_ERRNO","includes":{"users":["root"]}}]}"#,
    )?;
    let words = ["run", "--rm", "--security-opt", &option, "box", "true"];
    engine.fails(&words, 125, "syscalls[0].includes.users")?;
    engine.is_clean()
}

/// Docker and Podman of old leave behind a chain that drops all that is forwarded.
pub(super) fn legacy_iptables_are_noticed() -> Result<()> {
    let is_there = fs::metadata("/usr/sbin/iptables-legacy").is_ok();
    if !has_programs() || !is_there || run("iptables-legacy -S FORWARD").is_err() {
        return harness::skip(format!("{MISSING}, or no iptables-legacy"));
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    let start = |name: &str| {
        let words = ["run", "-d", "--name", name, "-p", "8080:80", "host:", "python3", "-uc", ECHO];
        let done = engine.run(&words)?;
        ensure!(done.code == Some(0), "{done:#?}");
        until("it serves", || engine.ok(&["logs", name]).is_ok_and(|text| text == "ready"))?;
        anyhow::Ok(done.stderr)
    };
    let reached = || other.python(&ask_in_vain("192.0.2.1", 8080));
    let doctor = || engine.ok(&["doctor", "--format=json"]);
    run("iptables-legacy -P FORWARD ACCEPT")?;
    expect_eq!(start("one")?, "");
    expect_eq!(reached()?, "192.0.2.2\nNone\n");
    engine.ok(&["rm", "-f", "one"])?;
    run("iptables-legacy -P FORWARD DROP")?;
    let warning = start("two")?;
    ensure!(warning.contains("iptables-legacy -I FORWARD -i tinyo+ -j ACCEPT"), "{warning}");
    ensure!(doctor()?.contains("-o tinyo+ -j ACCEPT"), "the doctor sees nothing");
    expect_eq!(reached()?, "None\nNone\n");
    // What it says helps.
    run("iptables-legacy -I FORWARD -i tinyo+ -j ACCEPT")?;
    run("iptables-legacy -I FORWARD -o tinyo+ -j ACCEPT")?;
    expect_eq!(reached()?, "192.0.2.2\nNone\n");
    ensure!(!doctor()?.contains("-o tinyo+ -j ACCEPT"), "the doctor does not see the mend");
    engine.ok(&["rm", "-f", "two"])?;
    expect_eq!(start("three")?, "");
    Ok(())
}
