//! Published ports, isolation, and what becomes of them when others change the firewall.

use std::net::IpAddr;

use ::net::firewall::{Element, Firewall, Published, Watch};
use ::net::port::Protocol;
use anyhow::{Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::world::{
    ECHO, MISSING, Space, ask, ask_in_vain, become_machine, made_bridge, other_machine, python, run,
};
use crate::expect_eq;

const SUBNETS: [&str; 2] = ["10.231.8.0/24", "fd31:8::/64"];
const OTHER_SUBNETS: [&str; 2] = ["10.231.9.0/24", "fd31:9::/64"];

/// A port of the machine to port 80 of a container, with TCP and with UDP.
fn publish(address: Option<&str>, port: u16, container: &str) -> Result<Vec<Element>> {
    let address: Option<IpAddr> = address.map(str::parse).transpose()?;
    let target = (container.parse::<IpAddr>()?, 80).into();
    let element = |protocol| Element::Published(Published { address, port, protocol, target });
    Ok([Protocol::Tcp, Protocol::Udp].map(element).to_vec())
}

/// The table as nft prints it has what we meant, and its dump is what we wrote.
pub(crate) fn the_table_is_what_nft_reads() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let mut firewall = Firewall::open()?;
    expect_eq!(firewall.is_whole(&[])?, false);
    let mut elements =
        vec![Element::Network("tinyo-a".to_owned()), Element::Internal("tinyo-a".to_owned())];
    elements.extend(publish(None, 8080, "10.231.8.2")?);
    elements.extend(publish(Some("127.0.0.1"), 81, "10.231.8.2")?);
    elements.extend(publish(None, 8080, "fd31:8::2")?);
    elements.extend(publish(Some("::1"), 81, "fd31:8::2")?);
    firewall.add(&elements)?;
    expect_eq!(firewall.is_whole(&elements)?, true);
    let text = run("nft list table inet tinyo")?;
    for wanted in [
        "elements = { \"tinyo-a\" . \"tinyo-a\" }",
        "127.0.0.1 . tcp . 81 : 10.231.8.2 . 80",
        "udp . 8080 : 10.231.8.2 . 80",
        "::1 . tcp . 81 : fd31:8::2 . 80",
        "type nat hook prerouting priority dstnat; policy accept;",
        "fib daddr type local jump published",
        "dnat ip to ip daddr . meta l4proto . th dport map @ports_of_ipv4",
        "dnat ip6 to meta l4proto . th dport map @ports_ipv6",
        "iifname . oifname @networks ct status dnat masquerade",
        "oifname \"tinyo*\" ip saddr 127.0.0.0/8 masquerade",
        "ip6 daddr ::1 return",
        "iifname \"tinyo*\" oifname != \"tinyo*\" masquerade",
        "iifname \"tinyo*\" ip daddr 127.0.0.0/8 drop",
        "meta nfproto ipv4 fib saddr . iif oif",
        "meta nfproto ipv6 meta l4proto != ipv6-icmp fib saddr . iif oif",
        "iifname @internal drop",
        "ct state established,related accept",
        "oifname \"tinyo*\" ct status dnat accept",
    ] {
        ensure!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    let mut found = firewall.elements()?;
    found.sort();
    elements.sort();
    expect_eq!(found, elements);
    // As a thousand ports are more than one message takes.
    let many: Vec<Element> = (10_000..15_000)
        .map(|port| publish(None, port, "10.231.8.2").map(|it| it[0].clone()))
        .collect::<Result<_>>()?;
    firewall.add(&many)?;
    expect_eq!(firewall.elements()?.len(), elements.len() + many.len());
    firewall.reset(&elements)?;
    expect_eq!(firewall.elements()?.len(), elements.len());
    firewall.clear()?;
    firewall.clear()?;
    expect_eq!(run("nft list ruleset")?, "");
    Ok(())
}

pub(crate) fn a_published_port_is_reached_from_everywhere() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let other = other_machine()?;
    let network = made_bridge("tinyo-b", &SUBNETS)?;
    let second = made_bridge("tinyo-c", &OTHER_SUBNETS)?;
    let container = Space::container(&network, 2)?;
    let neighbour = Space::container(&network, 3)?;
    let stranger = Space::container(&second, 2)?;
    let _server = container.serve(ECHO)?;
    let mut firewall = Firewall::open()?;
    for address in ["10.231.8.2", "fd31:8::2"] {
        firewall.add(&publish(None, 8080, address)?)?;
    }
    firewall.add(&publish(Some("127.0.0.1"), 81, "10.231.8.2")?)?;
    firewall.add(&publish(Some("192.0.2.1"), 82, "10.231.8.2")?)?;

    let both = |text: &str| format!("{text}\n{text}\n");
    // Other machines, whose address is kept.
    expect_eq!(other.python(&ask("192.0.2.1", 8080))?, both("192.0.2.2"));
    expect_eq!(other.python(&ask("2001:db8::1", 8080))?, both("2001:db8::2"));
    expect_eq!(other.python(&ask("192.0.2.1", 82))?, both("192.0.2.2"));
    // This machine, by its loopback (from where no answer could come back) and by its address.
    expect_eq!(python(&ask("127.0.0.1", 8080))?, both("10.231.8.1"));
    expect_eq!(python(&ask("localhost", 8080))?, both("10.231.8.1"));
    expect_eq!(python(&ask("127.0.0.1", 81))?, both("10.231.8.1"));
    expect_eq!(python(&ask("192.0.2.1", 8080))?, both("192.0.2.1"));
    expect_eq!(python(&ask("2001:db8::1", 8080))?, both("2001:db8::1"));
    // Containers of the same network, of another one, and the container itself; whether bridges ask
    // the firewall or not.
    for asks in ["0", "1"] {
        for family in ["ip", "ip6"] {
            let path = format!("/proc/sys/net/bridge/bridge-nf-call-{family}tables");
            if std::path::Path::new(&path).exists() {
                std::fs::write(path, asks)?;
            }
        }
        expect_eq!(neighbour.python(&ask("192.0.2.1", 8080))?, both("10.231.8.1"), "{asks}");
        expect_eq!(neighbour.python(&ask("10.231.8.1", 8080))?, both("10.231.8.1"), "{asks}");
        expect_eq!(neighbour.python(&ask("fd31:8::1", 8080))?, both("fd31:8::1"), "{asks}");
        expect_eq!(stranger.python(&ask("192.0.2.1", 8080))?, both("10.231.9.2"), "{asks}");
        expect_eq!(stranger.python(&ask("2001:db8::1", 8080))?, both("fd31:9::2"), "{asks}");
        expect_eq!(container.python(&ask("192.0.2.1", 8080))?, both("10.231.8.1"), "{asks}");
        expect_eq!(container.python(&ask("2001:db8::1", 8080))?, both("fd31:8::1"), "{asks}");
    }
    // What is published at one address is not at another.
    expect_eq!(other.python(&ask_in_vain("192.0.2.1", 81))?, both("None"));
    expect_eq!(python(&ask_in_vain("127.0.0.1", 82))?, both("None"));
    // The loopback of the machine is out of reach: not by a route to it, either.
    other.run("ip addr del 127.0.0.1/8 dev lo")?;
    other.run("ip route add 127.0.0.1 via 192.0.2.1")?;
    expect_eq!(other.python(&ask_in_vain("127.0.0.1", 81))?, both("None"));
    neighbour.run("ip addr del 127.0.0.1/8 dev lo")?;
    neighbour.run("ip route add 127.0.0.1 via 10.231.8.1")?;
    expect_eq!(neighbour.python(&ask_in_vain("127.0.0.1", 81))?, both("None"));
    // Nothing but the published port.
    expect_eq!(other.python(&ask_in_vain("10.231.8.2", 80))?, both("None"));
    firewall.remove(&publish(None, 8080, "10.231.8.2")?)?;
    expect_eq!(other.python(&ask_in_vain("192.0.2.1", 8080))?, both("None"));
    Ok(())
}

pub(crate) fn networks_are_apart() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let other = other_machine()?;
    let network = made_bridge("tinyo-b", &SUBNETS)?;
    let second = made_bridge("tinyo-c", &OTHER_SUBNETS)?;
    let inner = made_bridge("tinyo-d", &["10.231.10.0/24", "fd31:10::/64"])?;
    let mut firewall = Firewall::open()?;
    firewall.add(&[Element::Internal(inner.name.clone())])?;
    let first = Space::container(&network, 2)?;
    let stranger = Space::container(&second, 2)?;
    // Even with a default route, which an internal network would not have.
    let (inside, beside) = (Space::container(&inner, 2)?, Space::container(&inner, 3)?);
    let servers = [&first, &inside, &other].map(|it| it.serve(ECHO));
    let _servers = servers.into_iter().collect::<Result<Vec<_>>>()?;
    let _own = super::world::Server::start({
        let mut command = std::process::Command::new("python3");
        command.args(["-uc", ECHO]);
        command
    })?;

    let both = |text: &str| format!("{text}\n{text}\n");
    // To the rest of the world, as the machine.
    expect_eq!(first.python(&ask("192.0.2.2", 80))?, both("192.0.2.1"));
    expect_eq!(first.python(&ask("2001:db8::2", 80))?, both("2001:db8::1"));
    // Not to another network, whatever its address.
    expect_eq!(stranger.python(&ask_in_vain("10.231.8.2", 80))?, both("None"));
    expect_eq!(stranger.python(&ask_in_vain("fd31:8::2", 80))?, both("None"));
    // Internal: the neighbour, and nothing else.
    expect_eq!(beside.python(&ask("10.231.10.2", 80))?, both("10.231.10.3"));
    expect_eq!(beside.python(&ask("fd31:10::2", 80))?, both("fd31:10::3"));
    for target in ["192.0.2.2", "2001:db8::2", "10.231.8.2", "10.231.10.1", "192.0.2.1"] {
        expect_eq!(beside.python(&ask_in_vain(target, 80))?, both("None"), "{target}");
    }
    // Nor published ports of others.
    firewall.add(&publish(None, 8080, "10.231.8.2")?)?;
    expect_eq!(stranger.python(&ask("192.0.2.1", 8080))?, both("10.231.9.2"));
    expect_eq!(beside.python(&ask_in_vain("192.0.2.1", 8080))?, both("None"));
    // The machine itself reaches it.
    expect_eq!(python(&ask("10.231.10.2", 80))?, both("10.231.10.1"));
    expect_eq!(python(&ask("fd31:10::2", 80))?, both("fd31:10::1"));
    Ok(())
}

fn is_readable(watch: &Watch, seconds: i64) -> Result<bool> {
    let limit = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Ok(poll(&mut [PollFd::new(watch, PollFlags::IN)], Some(&limit))? == 1)
}

pub(crate) fn what_was_flushed_is_restored() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let network = made_bridge("tinyo-b", &SUBNETS)?;
    let container = Space::container(&network, 2)?;
    let _server = container.serve(ECHO)?;
    let mut firewall = Firewall::open()?;
    let mut elements = publish(None, 8080, "10.231.8.2")?;
    elements.push(Element::Network(network.name.clone()));
    firewall.add(&elements)?;
    let mut watch = Watch::open()?;
    // What we do all the time wakes nobody.
    let passing = publish(None, 9000, "10.231.8.9")?;
    for _ in 0..3 {
        firewall.add(&passing)?;
        firewall.remove(&passing)?;
    }
    ensure!(!is_readable(&watch, 0)?, "elements wake those that watch");
    for command in [
        "nft flush ruleset",
        "nft delete table inet tinyo",
        "nft flush table inet tinyo",
        "nft flush chain inet tinyo published",
        "nft flush map inet tinyo ports_ipv4",
        "nft delete element inet tinyo ports_ipv4 { tcp . 8080 }",
        "nft flush set inet tinyo networks",
    ] {
        run(command)?;
        ensure!(is_readable(&watch, 60)?, "{command} was not heard");
        watch.take()?;
        ensure!(!is_readable(&watch, 0)?, "it is still readable");
        expect_eq!(firewall.is_whole(&elements)?, false, "{command}");
        firewall.restore(&elements)?;
        expect_eq!(firewall.is_whole(&elements)?, true, "{command}");
        expect_eq!(python(&ask("127.0.0.1", 8080))?, "10.231.8.1\n10.231.8.1\n", "{command}");
        watch.take()?;
    }
    // Elements of other tables are nobody's business, some of which come and go all the time.
    run("nft add table inet tinya; add set inet tinya some { type ipv4_addr; }")?;
    watch.take()?;
    run("nft add element inet tinya some { 192.0.2.7 }")?;
    run("nft delete element inet tinya some { 192.0.2.7 }")?;
    ensure!(!is_readable(&watch, 0)?, "elements of others wake those that watch");
    let both = "nft add element inet tinya some { 192.0.2.7 } ;";
    run(&format!("{both} add element inet tinya some {{ 192.0.2.8 }}"))?;
    expect_eq!(watch.take()?, false);
    // What is ours may be anywhere in what another program changes at once.
    for last in [
        "delete element inet tinyo ports_ipv4 { tcp . 8080 }",
        "flush chain inet tinyo published",
        "delete table inet tinyo",
    ] {
        run(&format!("{both} {last}"))?;
        ensure!(is_readable(&watch, 60)?, "{last} was not heard");
        expect_eq!(watch.take()?, true, "{last}");
        expect_eq!(firewall.is_whole(&elements)?, false, "{last}");
        firewall.restore(&elements)?;
        watch.take()?;
        run("nft flush set inet tinya some")?;
        watch.take()?;
    }
    // Somebody else's table is heard of, too, but all of ours is there.
    run("nft add table inet another")?;
    ensure!(is_readable(&watch, 60)?, "another table was not heard of");
    expect_eq!(firewall.is_whole(&elements)?, true);
    Ok(())
}

pub(crate) fn elements_are_replaced_and_removed_twice() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let mut firewall = Firewall::open()?;
    let (old, new) = (publish(None, 80, "10.231.8.2")?, publish(None, 80, "10.231.8.3")?);
    firewall.remove(&old)?;
    firewall.add(&old)?;
    firewall.add(&old)?;
    firewall.add(&new)?;
    let sorted = |mut elements: Vec<Element>| {
        elements.sort();
        elements
    };
    expect_eq!(sorted(firewall.elements()?), sorted(new.clone()));
    // What belongs to somebody else by now stays.
    firewall.remove(&old)?;
    expect_eq!(sorted(firewall.elements()?), sorted(new.clone()));
    run("nft flush table inet tinyo")?;
    firewall.restore(&old)?;
    expect_eq!(sorted(firewall.elements()?), sorted(old.clone()));
    firewall.remove(&old[..1])?;
    firewall.remove(&old)?;
    firewall.remove(&old)?;
    expect_eq!(firewall.elements()?.len(), 0);
    Ok(())
}

pub(crate) fn a_strict_firewall_of_another_program_lets_networks_pass() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let other = other_machine()?;
    let network = made_bridge("tinyo-b", &SUBNETS)?;
    let container = Space::container(&network, 2)?;
    let _servers = (container.serve(ECHO)?, other.serve(ECHO)?);
    let mut firewall = Firewall::open()?;
    firewall.add(&publish(None, 8080, "10.231.8.2")?)?;
    let mut admit = || firewall.admit(["tinyo-b"].into_iter());
    admit()?;
    run("nft add table ip filter")?;
    run("nft add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }")?;
    expect_eq!(other.python(&ask_in_vain("192.0.2.1", 8080))?, "None\nNone\n");
    admit()?;
    admit()?;
    expect_eq!(run("nft list chain ip filter FORWARD")?.matches("tinyo").count(), 4);
    expect_eq!(other.python(&ask("192.0.2.1", 8080))?, "192.0.2.2\n192.0.2.2\n");
    expect_eq!(container.python(&ask("192.0.2.2", 80))?, "192.0.2.1\n192.0.2.1\n");
    // What is not published is still out of reach.
    expect_eq!(other.python(&ask_in_vain("10.231.8.2", 80))?, "None\nNone\n");
    if let Ok(text) = run("iptables-nft -S FORWARD") {
        ensure!(
            text.contains("-A FORWARD -i tinyo+ -m comment --comment tinyo -j ACCEPT"),
            "{text}"
        );
    }
    firewall.clear()?;
    let left = run("nft list ruleset")?;
    ensure!(!left.contains("tinyo") && left.contains("FORWARD"), "{left}");
    Ok(())
}

/// A client that goes on sending from the same port reaches whoever has the published port now.
pub(crate) fn flows_of_udp_follow_their_port() -> Result<()> {
    if !become_machine()? {
        return harness::skip(MISSING);
    }
    let other = other_machine()?;
    let bridge = made_bridge("tinyo-f", &SUBNETS)?;
    let (first, second) = (Space::container(&bridge, 2)?, Space::container(&bridge, 3)?);
    let named = |name: &str| {
        format!(
            r#"
import socket
it = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); it.bind(("", 80)); print("ready")
while True:
    _, address = it.recvfrom(100)
    it.sendto(b"{name}", address)
"#
        )
    };
    let _servers = [first.serve(&named("first"))?, second.serve(&named("second"))?];
    let ask_for = |seconds: u32| {
        other.python(&format!(
            r#"
import socket
it = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); it.settimeout({seconds}); it.bind(("", 5555))
try: it.sendto(b"x", ("192.0.2.1", 8080)); print(it.recv(100).decode())
except OSError: print(None)
"#
        ))
    };
    let (ask, ask_in_vain) = (|| ask_for(40), || ask_for(1));
    let mut firewall = Firewall::open()?;
    // It is remembered that nobody has the port.
    expect_eq!(ask_in_vain()?, "None\n");
    let (one, two) = (publish(None, 8080, "10.231.8.2")?, publish(None, 8080, "10.231.8.3")?);
    firewall.add(&one)?;
    expect_eq!(ask()?, "first\n");
    firewall.remove(&one)?;
    expect_eq!(ask_in_vain()?, "None\n");
    firewall.add(&two)?;
    expect_eq!(ask()?, "second\n");
    // Another one takes its place without a gap.
    firewall.add(&one)?;
    expect_eq!(ask()?, "first\n");
    Ok(())
}
