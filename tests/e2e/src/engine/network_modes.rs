//! What `--network` takes beside networks, and what does not go with it.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{MISSING, Space, has_programs};
use crate::support::scratch;

/// A network namespace is bound to a file, as `ip netns add` does it.
pub(super) fn a_namespace_by_its_path() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let space = Space::new()?;
    space.run("ip link add there type bridge")?;
    space.run("ip addr add 10.231.70.7/24 dev there")?;
    space.run("ip link set there up")?;
    let mode = format!("ns:{}", space.path());
    let inside = |flags: &[&str], words: &[&str]| {
        engine.ok(&[&["run", "--rm", "--network", &mode], flags, &["host:"], words].concat())
    };
    ensure!(
        inside(&[], &["ip", "-o", "addr"])?.contains("there    inet 10.231.70.7/24"),
        "no address"
    );
    ensure!(
        inside(&["--pod", "new:group"], &["ip", "-o", "addr"])?.contains("10.231.70.7/24"),
        "no pod"
    );
    let files = ["cat", "/etc/hosts", "/etc/resolv.conf"];
    let text = inside(&["--add-host", "x:10.9.9.9", "--dns", "10.231.70.1"], &files)?;
    ensure!(text.contains("10.9.9.9\tx") && text.contains("nameserver 10.231.70.1"), "{text}");
    // It stays when it is stopped, and is found again.
    engine.ok(&["run", "-d", "--name", "one", "--network", &mode, "host:", "sleep", "1000"])?;
    engine.ok(&["restart", "-t", "0", "one"])?;
    ensure!(
        engine.ok(&["exec", "one", "ip", "-o", "addr"])?.contains("10.231.70.7/24"),
        "another one"
    );
    expect_eq!(engine.ok(&["inspect", "-f", "{{.HostConfig.NetworkMode}}", "one"])?, mode);
    engine.fails(&["network", "connect", "bridge", "one"], 1, "cannot be connected to others")?;
    engine.ok(&["rm", "-f", "one"])?;
    let fifo = scratch("fifo");
    ensure!(Command::new("mkfifo").arg(&fifo).status()?.success(), "no fifo");
    let plain = scratch("plain");
    fs::write(&plain, "")?;
    for (path, expected) in [
        ("run/netns/a", "a path from the root is wanted"),
        ("/nowhere/at/all", "No such file or directory"),
        ("/proc/self/ns/uts", "it is no network namespace"),
        ("/proc", "it is no network namespace"),
        (&fifo.display().to_string(), "it is no network namespace"),
        (&plain.display().to_string(), "it is no network namespace"),
    ] {
        let mode = format!("ns:{path}");
        engine.fails(&["create", "--network", &mode, "host:", "true"], 125, expected)?;
    }
    let words = [
        "create",
        "--network",
        &mode,
        "--userns",
        "private",
        "--uidmap",
        "0:100000:10",
        "box",
        "true",
    ];
    engine.fails(&words, 125, "does not belong to the container's user namespace")?;
    expect_eq!(engine.ok(&["ps", "-aq"])?, "");
    engine.is_clean()
}

pub(super) fn what_does_not_go_together_is_said() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("other", &[], "sleep 1000")?;
    for mode in ["none", "host", "container:other", "ns:/proc/self/ns/net"] {
        for flags in [
            &["--ip", "10.200.0.9"][..],
            &["--ip6", "fd00::9"],
            &["--mac-address", "02:00:00:00:00:01"],
            &["--network-alias", "a"],
        ] {
            let words = [&["create", "--network", mode], flags, &["box", "true"]].concat();
            engine.fails(&words, 125, &format!("not together with --network {mode}, "))?;
        }
        if mode != "host" {
            for flags in [&["-p", "80:80"][..], &["-P", "--expose", "80"]] {
                let words = [&["create", "--network", mode], flags, &["box", "true"]].concat();
                engine.fails(&words, 125, "cannot be published with --network")?;
            }
        }
    }
    for flags in [["--dns", "1.1.1.1"], ["--dns-search", "a"], ["--add-host", "a:1.1.1.1"]] {
        let words = [&["create", "--network", "container:other"], &flags[..], &["box", "true"]];
        engine.fails(&words.concat(), 125, "are the other container's")?;
        engine.shell(&[&["--network", "host"], &flags[..]].concat(), "true")?;
    }
    // The machine's ports are the container's own, as others warn, too.
    let done = engine.run(&["run", "--rm", "--network", "host", "-p", "80:80", "box", "true"])?;
    ensure!(done.code == Some(0) && done.stderr.contains("no port is published"), "{done:#?}");
    expect_eq!(engine.ok(&["ps", "-aq"])?.lines().count(), 1);
    engine.ok(&["rm", "-f", "other"])?;
    engine.is_clean()
}
