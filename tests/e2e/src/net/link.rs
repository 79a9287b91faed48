//! Bridges and the devices of containers.

use std::os::fd::AsFd as _;
use std::time::Instant;

use ::net::Error;
use ::net::link::{
    Container, attach, bridge_names, detach, ensure_bridge, is_ipv6_available, remove_bridges,
    taken_subnets,
};
use anyhow::{Context as _, Result, ensure};
use sys::netlink::Socket;

use super::world::{MISSING, Space, attachment, become_machine, bridge, made_bridge, run};
use crate::expect_eq;

const SUBNETS: [&str; 2] = ["10.231.7.0/24", "fd31:7::/64"];

pub(crate) fn a_container_reaches_its_gateway_and_its_neighbour() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    ensure!(is_ipv6_available(), "the kernel has IPv6");
    let mut network = bridge("tinyo-t1", &SUBNETS)?;
    network.mtu = Some(1400);
    let mut host = Socket::open()?;
    ensure_bridge(&mut host, &network)?;
    let mut one = attachment(&network, 2, "eth0")?;
    one.mac = Some("02:11:22:33:44:55".parse()?);
    one.mtu = Some(1400);
    let (first, second) = (Space::new()?, Space::container(&network, 3)?);
    attach(&mut host, &mut Container::open(first.process.as_fd())?, &one)?;

    let shown = first.run("ip addr show dev eth0")?;
    for wanted in ["10.231.7.2/24", "fd31:7::2/64", "02:11:22:33:44:55", "mtu 1400", "state UP"] {
        ensure!(shown.contains(wanted), "{wanted} is not in {shown}");
    }
    ensure!(first.run("ip route")?.contains("default via 10.231.7.1 dev eth0"), "no route");
    ensure!(first.run("ip -6 route")?.contains("default via fd31:7::1 dev eth0"), "no route");
    expect_eq!(run("cat /proc/sys/net/ipv4/ip_forward")?, "1\n");
    expect_eq!(run("cat /proc/sys/net/ipv6/conf/tinyo-t1/accept_ra")?, "0\n");
    for target in ["10.231.7.1", "fd31:7::1", "10.231.7.3", "fd31:7::3"] {
        first.run(&format!("busybox ping -c1 -W30 {target}"))?;
    }
    second.run("busybox ping -c1 -W30 10.231.7.2")?;
    run("busybox ping -c1 -W30 10.231.7.2")?;
    let taken = taken_subnets(&mut host)?;
    for subnet in SUBNETS {
        ensure!(taken.contains(&subnet.parse()?), "{subnet} is not in {taken:?}");
    }
    detach(&mut host, &one.host_device)?;
    ensure!(first.run("ip link show dev eth0").is_err(), "it is still connected");
    detach(&mut host, &one.host_device)?;
    expect_eq!(bridge_names(&mut host)?, ["tinyo-t1"]);
    remove_bridges(&mut host, &["tinyo-t1"])?;
    remove_bridges(&mut host, &["tinyo-t1"])?;
    expect_eq!(bridge_names(&mut host)?.len(), 0);
    Ok(())
}

/// Whatever a killed command leaves, the next one goes on from there.
pub(crate) fn what_is_there_already_is_made_what_it_should_be() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let network = bridge("tinyo-t2", &SUBNETS)?;
    let mut host = Socket::open()?;
    run("ip link add tinyo-t2 type bridge")?;
    run("ip addr add 10.231.7.1/24 dev tinyo-t2")?;
    for _ in 0..2 {
        ensure_bridge(&mut host, &network)?;
        let shown = run("ip addr show dev tinyo-t2")?;
        ensure!(shown.contains("10.231.7.1/24") && shown.contains("fd31:7::1/64"), "{shown}");
        ensure!(shown.contains(",UP"), "{shown}");
    }
    // One of another store, or of one that was removed.
    ensure_bridge(&mut host, &bridge("tinyo-t2", &["10.231.8.0/24", "fd31:8::/64"])?)?;
    let shown = run("ip addr show dev tinyo-t2")?;
    for address in ["10.231.7.1/24", "fd31:7::1/64", "10.231.8.1/24", "fd31:8::1/64"] {
        ensure!(shown.contains(address), "{address} is not in {shown}");
    }
    // A pair of the same name, whose other end is elsewhere or here.
    run("ip link add v2-t2 type veth peer name eth0")?;
    let space = Space::container(&network, 2)?;
    space.run("busybox ping -c1 -W30 10.231.7.1")?;
    // One that the container has is not taken away from it.
    let mut container = Container::open(space.process.as_fd())?;
    let mut again = attachment(&network, 9, "eth0")?;
    again.host_device = "other".to_owned();
    let error = attach(&mut host, &mut container, &again).err().context("two are eth0")?;
    ensure!(
        error.to_string().contains("EEXIST") || error.to_string().contains("exists"),
        "{error}"
    );
    ensure!(run("ip link show dev other").is_err(), "half a connection is left");
    space.run("busybox ping -c1 -W30 10.231.7.1")?;

    run("ip link add tinyo-x type veth peer name xx")?;
    let error =
        ensure_bridge(&mut host, &bridge("tinyo-x", &SUBNETS)?).err().context("no bridge")?;
    ensure!(matches!(error, Error::NoBridge(_)), "{error}");
    // Nothing is removed then.
    let error = remove_bridges(&mut host, &["tinyo-t2", "tinyo-x"]).err().context("no bridge")?;
    ensure!(matches!(error, Error::NoBridge(_)), "{error}");
    run("ip link show dev tinyo-t2")?;
    let missing = bridge("tinyo-y", &SUBNETS)?;
    let error = Space::container(&missing, 2).err().context("there is no bridge")?;
    ensure!(error.to_string().contains("no network device tinyo-y"), "{error}");
    Ok(())
}

/// A container that asks nobody who the gateway is does not speak before it is heard.
pub(crate) fn what_is_sent_at_once_arrives() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let network = made_bridge("tinyo-t8", &SUBNETS)?;
    for number in 2..8 {
        let space = Space::new()?;
        // Where both ends have one number the kernel takes its time to notice that they are up.
        run("ip link add probe type bridge")?;
        let shown = run("ip -o link show dev probe")?;
        let last: u32 = shown.split_once(':').context("its number")?.0.parse()?;
        run("ip link del probe")?;
        space.run(&format!("ip link add probe index {last} type bridge"))?;
        space.run("ip link del probe")?;
        space.join(&network, number, "eth0")?;
        space.run("busybox ping -c1 -W30 10.231.7.1")?;
    }
    Ok(())
}

/// Its own subnets, as somebody else has just given them to it, are not those of another device.
pub(crate) fn one_bridge_is_made_by_many_at_once() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let network = bridge("tinyo-t9", &SUBNETS)?;
    for _ in 0..80 {
        let make = || Ok(ensure_bridge(&mut Socket::open()?, &network)?);
        let made: Vec<Result<u32>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|it| it.join().expect("no panic")).collect()
        });
        let made = made.into_iter().collect::<Result<Vec<_>>>()?;
        ensure!(made.iter().all(|it| *it == made[0]), "{made:?}");
        remove_bridges(&mut Socket::open()?, &["tinyo-t9"])?;
    }
    Ok(())
}

/// However many they are, and whatever others have put into groups.
pub(crate) fn bridges_go_together() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let mut host = Socket::open()?;
    for name in ["one", "two", "three", "four"] {
        run(&format!("ip link add tinyo-{name} type bridge"))?;
    }
    // The group that would be chosen.
    let shown = run("ip -o link show dev tinyo-one")?;
    let index = shown.split_once(':').context("its number")?.0;
    let group = 0x7469_0000_u32 | index.parse::<u32>()?;
    run(&format!("ip link add other group {group} type bridge"))?;
    let names = ["tinyo-one", "tinyo-none", "tinyo-two", "tinyo-three"];
    remove_bridges(&mut host, &names)?;
    expect_eq!(bridge_names(&mut host)?, ["tinyo-four"]);
    run("ip link show dev other")?;
    remove_bridges(&mut host, &[])?;
    Ok(())
}

pub(crate) fn a_hundred_containers_at_once() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let network = made_bridge("tinyo-t3", &SUBNETS)?;
    let spaces = (0..100).map(|_| Space::new()).collect::<Result<Vec<_>>>()?;
    let begun = Instant::now();
    // Each in a process of its own, as commands are.
    let children = spaces.iter().enumerate().map(|(number, space)| {
        let join = || i32::from(space.join(&network, number as u128 + 2, "eth0").is_err());
        crate::support::sys::fork(0, join)
    });
    let children = children.collect::<std::io::Result<Vec<_>>>()?;
    for child in children {
        let change = crate::support::sys::wait(child, 0)?.context("it ends")?.1;
        expect_eq!(change, crate::support::sys::Change::Exited(0));
    }
    println!("100 connections in {:?}", begun.elapsed());
    spaces[0].run("busybox ping -c1 -W30 10.231.7.101")?;
    spaces[99].run("busybox ping -c1 -W30 fd31:7::2")?;
    Ok(())
}
