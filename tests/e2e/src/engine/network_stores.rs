//! Several stores on one machine, and a machine that has the subnets of a network elsewhere. The
//! trial's namespace plays the machine.

use std::collections::BTreeSet;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{MISSING, has_programs, run};

const ADDRESS: &str = "{{.NetworkSettings.Networks.bridge.IPAddress}}";

/// Of IPv4.
fn subnet(engine: &Engine, network: &str) -> Result<String> {
    engine.ok(&["network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", network])
}

pub(super) fn two_stores_have_nothing_in_common() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let (first, second) = (Engine::new()?, Engine::beside("other")?);
    // A device of the machine that is down has no route, and its addresses all the same.
    run("ip link add dummy type bridge")?;
    run("ip addr add 10.200.16.1/24 dev dummy")?;
    // Nothing runs in these yet.
    first.ok(&["network", "create", "same"])?;
    second.ok(&["network", "create", "same"])?;
    let (one, two) = (first.bridge("same")?, second.bridge("same")?);
    run(&format!("ip link set {one} down"))?;
    first.start("one", &[], "sleep 1000")?;
    second.start("two", &[], "sleep 1000")?;
    let mut all = BTreeSet::new();
    for (engine, network) in [(&first, "same"), (&second, "same"), (&first, "bridge")] {
        all.insert(subnet(engine, network)?);
    }
    all.insert(subnet(&second, "bridge")?);
    let wanted = ["10.200.0.0/20", "10.200.32.0/20", "10.200.48.0/20", "10.200.64.0/20"];
    expect_eq!(all.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
    ensure!(one != two && first.bridge("bridge")? != second.bridge("bridge")?, "one device");
    // Neither finds what the other has, and the end of one is nothing to the other.
    expect_eq!(first.ok(&["system", "check"])?, "");
    expect_eq!(second.ok(&["system", "check"])?, "");
    second.ok(&["system", "reset", "-f"])?;
    let address = first.ok(&["inspect", "-f", ADDRESS, "one"])?;
    run(&format!("busybox ping -c1 -W30 {address}"))?;
    // What the machine has is not given to a network, and what is made for it goes again.
    let before = run("ip -o link")?;
    let words = ["network", "create", "--subnet", "10.200.16.0/20", "more"];
    first.fails(&words, 1, "the device dummy of the machine has 10.200.16.0/24")?;
    expect_eq!(run("ip -o link")?, before);
    first.fails(&["network", "inspect", "more"], 1, "no such network")
}

/// Bridges are not there after the machine's start, and others may have taken their subnets.
pub(super) fn the_default_network_moves_away() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let (first, second) = (Engine::new()?, Engine::beside("other")?);
    first.ok(&["network", "create", "--subnet", "10.231.70.0/24", "own"])?;
    for (name, network) in [("one", "bridge"), ("two", "bridge"), ("three", "own")] {
        first.start(name, &["--network", network], "sleep 1000")?;
    }
    let two = first.ok(&["inspect", "-f", ADDRESS, "two"])?;
    first.ok(&["stop", "-t0", "one", "two", "three"])?;
    for network in ["bridge", "own"] {
        run(&format!("ip link del {}", first.bridge(network)?))?;
    }
    second.start("other", &[], "sleep 1000")?;
    expect_eq!(subnet(&second, "bridge")?, "10.200.0.0/20");
    expect_eq!(subnet(&first, "bridge")?, "10.200.0.0/20");
    // Two at once, which both find it.
    let start = |name| first.command(&["start", name]).stdout(Stdio::null()).spawn();
    let (mut one, mut other) = (start("one")?, start("two")?);
    ensure!(one.wait()?.success() && other.wait()?.success(), "not started");
    expect_eq!(subnet(&first, "bridge")?, "10.200.16.0/20");
    let moved = first.ok(&["inspect", "-f", ADDRESS, "two"])?;
    expect_eq!(moved, two.replace("10.200.0.", "10.200.16."));
    expect_eq!(first.ok(&["exec", "one", "grep", "-c", "10.200.16.", "/etc/hosts"])?, "1");
    run(&format!("busybox ping -c1 -W30 {moved}"))?;
    // One that somebody has chosen stays, and so does one where an address was chosen.
    run("ip link add dummy type bridge")?;
    run("ip addr add 10.231.70.9/24 dev dummy")?;
    let why = "cannot have the subnet 10.231.70.0/24, as the device dummy of the machine has";
    first.fails(&["start", "three"], 1, why)?;
    first.ok(&["create", "--name", "four", "--ip", "10.200.16.77", "box", "true"])?;
    first.ok(&["stop", "-t0", "one", "two"])?;
    run(&format!("ip link del {}", first.bridge("bridge")?))?;
    run("ip addr add 10.200.16.9/20 dev dummy")?;
    first.fails(&["start", "one"], 1, "cannot have the subnet 10.200.16.0/20")?;
    first.ok(&["rm", "-f", "-a"])?;
    second.ok(&["rm", "-f", "-a"])?;
    first.is_clean()
}

/// More than there are large subnets, by both at once and by two commands of each.
pub(super) fn many_networks_of_both() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    const EACH: usize = 40;
    let (first, second) = (Engine::new()?, Engine::beside("other")?);
    let create = |engine: &Engine, part: &str| -> Result<()> {
        let name = |number| format!("{part}{number}");
        (0..EACH).try_for_each(|it| engine.ok(&["network", "create", &name(it)]).map(drop))
    };
    std::thread::scope(|scope| {
        let both = [(&first, "a"), (&first, "b"), (&second, "a"), (&second, "b")];
        let started = both.map(|(engine, part)| scope.spawn(move || create(engine, part)));
        started.into_iter().try_for_each(|it| it.join().unwrap_or_else(|_| bail!("a panic")))
    })?;
    let mut subnets = BTreeSet::new();
    for engine in [&first, &second] {
        let names = engine.ok(&["network", "ls", "-fdriver=bridge", "--format={{.Name}}"])?;
        let names = names.lines().filter(|it| *it != "bridge").collect::<Vec<_>>();
        expect_eq!(names.len(), 2 * EACH);
        let words =
            [&["network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}"], &names[..]];
        for text in engine.ok(&words.concat())?.lines() {
            ensure!(subnets.insert(text.to_owned()), "{text} twice");
        }
    }
    let last = subnets.iter().filter(|it| it.starts_with("10.208.")).count();
    ensure!(subnets.len() == 4 * EACH && last >= 4 * EACH - 128, "{subnets:?}");
    let parsed = subnets.iter().map(|it| it.parse::<net::subnet::Subnet>());
    let parsed = parsed.collect::<Result<Vec<_>, _>>()?;
    for (place, one) in parsed.iter().enumerate() {
        let other = parsed[..place].iter().find(|it| it.overlaps(*one));
        ensure!(other.is_none(), "{one} overlaps {}", other.context("another")?);
    }
    first.ok(&["network", "prune", "-f"])?;
    second.ok(&["network", "prune", "-f"])?;
    ensure!(run("ip -o link")?.matches(": tinyo-").count() <= 2, "bridges are left");
    Ok(())
}
