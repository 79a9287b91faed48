//! Network devices moved by their names, in network namespaces of the trial's own.

use std::process::Command;

use ::kernel::netdev::{Device, Error, Side, give_back, move_devices};
use anyhow::{Context as _, Result, ensure};

use super::jail;
use crate::expect_eq;

const NETWORK: u64 = libc::CLONE_NEWNET as u64;

fn ip(words: &str) -> Result<String> {
    let output = Command::new("ip").args(words.split_whitespace()).output()?;
    ensure!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Two namespaces, the second being the one this process is in. In the first is a device with a
/// global address, one of link scope, and one that will expire.
fn two_sides() -> Result<(Side, Side)> {
    sys::process::unshare_namespaces(NETWORK | jail::MOUNTS)?;
    ip("link add one type veth peer name two")?;
    ip("link set one up mtu 1400")?;
    ip("addr add 192.0.2.7/24 brd 192.0.2.255 dev one")?;
    ip("addr add 169.254.1.1/16 scope link dev one")?;
    ip("addr add 192.0.2.99/24 valid_lft 1000 preferred_lft 1000 dev one")?;
    ip("-6 addr add 2001:db8::7/64 nodad dev one")?;
    let here = Side::open()?;
    sys::process::unshare_namespaces(NETWORK)?;
    Ok((here, Side::open()?))
}

fn devices(pairs: &[(&str, Option<&str>)]) -> Result<Vec<Device>> {
    pairs.iter().map(|(name, new)| Ok(Device::parse(name, *new)?)).collect()
}

pub(crate) fn a_device_keeps_its_addresses_and_comes_back() -> Result<()> {
    if Command::new("ip").arg("-V").output().is_err() {
        return harness::skip("no iproute2");
    }
    let (mut here, mut there) = two_sides()?;
    let list = devices(&[("one", Some("eth0")), ("two", Some("net%d"))])?;
    let moved = move_devices(&mut here, &mut there, &list)?;
    let shown = ip("addr show dev eth0")?;
    for wanted in ["192.0.2.7/24 brd 192.0.2.255 scope global", "2001:db8::7/64 scope global"] {
        ensure!(shown.contains(wanted), "{shown}");
    }
    ensure!(shown.contains("UP") && shown.contains("mtu 1400"), "{shown}");
    ensure!(!shown.contains("169.254.1.1") && !shown.contains("192.0.2.99"), "{shown}");
    ensure!(ip("link show dev net0")?.contains("UP"), "the template has no number");
    give_back(&mut here, &mut there, moved)?;
    ensure!(ip("link show dev eth0").is_err(), "it is still there");
    // And once more: it has to be there, under its old name, with what it had.
    move_devices(&mut here, &mut there, &devices(&[("one", None), ("two", None)])?)?;
    ensure!(ip("addr show dev one")?.contains("192.0.2.7/24"), "its address is gone");
    Ok(())
}

pub(crate) fn what_cannot_be_moved_leaves_all_where_it_was() -> Result<()> {
    if Command::new("ip").arg("-V").output().is_err() {
        return harness::skip("no iproute2");
    }
    let (mut here, mut there) = two_sides()?;
    ip("link add taken type veth peer name other")?;
    for (second, wanted) in [
        (("missing", None), "no network device missing"),
        (("two", Some("taken")), "a network device taken already"),
        (("lo", Some("lo2")), "cannot move the network device lo"),
    ] {
        let list = devices(&[("one", None), second])?;
        let error = move_devices(&mut here, &mut there, &list).err().context("it moved")?;
        ensure!(error.to_string().contains(wanted), "{error}");
        ensure!(!matches!(error, Error::NotReturned { .. }), "{error}");
        expect_eq!(ip("link show dev one").is_err(), true, "{wanted}");
    }
    move_devices(&mut here, &mut there, &devices(&[("one", None)])?)?;
    ensure!(ip("addr show dev one")?.contains("192.0.2.7/24"), "its address is gone");
    Ok(())
}
