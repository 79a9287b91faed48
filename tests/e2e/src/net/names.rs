//! Names, asked for by real resolvers and known by a real server.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ::net::dns::{Entry, Responder, Upstream, Zone, listen};
use ::net::link::Container;
use anyhow::{Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::world::{MISSING, Server, Space, become_machine, made_bridge, run};
use crate::expect_eq;
use crate::support::{scratch, sys as raw, until};

const SUBNETS: [&str; 2] = ["10.231.11.0/24", "fd31:11::/64"];

/// A machine with one container, whose questions are answered by a process of their own.
pub(super) struct Scene {
    pub(super) container: Space,
    zone: Zone,
    pub(super) monitor: i32,
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = raw::send(self.monitor, libc::SIGKILL);
        let _ = raw::wait(self.monitor, 0);
    }
}

/// None without the programs for it.
pub(super) fn scene(upstream: Upstream) -> Result<Option<Scene>> {
    let has =
        |program: &str| Command::new(program).arg("-v").stderr(Stdio::null()).output().is_ok();
    if !has("dig") || !has("dnsmasq") || !become_machine()? {
        return Ok(None);
    }
    let network = made_bridge("tinyo-n", &SUBNETS)?;
    let container = Space::container(&network, 2)?;
    let zone = Zone(scratch("zone"));
    let sockets = listen(&Container::open(container.process.as_fd())?)?;
    let mut responder = Responder::new(sockets, vec![zone.clone()], upstream)?;
    let monitor = raw::fork(0, || match drive(&mut responder) {
        Ok(()) => 0,
        Err(error) => {
            println!("{error}");
            1
        }
    })?;
    Ok(Some(Scene { container, zone, monitor }))
}

/// As a monitor does: it waits until something is ready, or until it is time.
fn drive(responder: &mut Responder) -> Result<()> {
    loop {
        let now = Instant::now();
        let limit = responder.wakeup().map(|it| it.saturating_duration_since(now));
        let limit = limit.map(|it| Timespec::try_from(it + Duration::from_millis(1)));
        poll(&mut [PollFd::new(responder, PollFlags::IN)], limit.transpose()?.as_ref())?;
        responder.serve(Instant::now())?;
    }
}

impl Scene {
    pub(super) fn write(&self, entries: &[(&str, &[&str])]) -> Result<()> {
        let entry = |(address, names): &(&str, &[&str])| {
            let names = names.iter().map(ToString::to_string).collect();
            Ok(Entry { address: address.parse()?, names })
        };
        let entries = entries.iter().map(entry).collect::<Result<Vec<_>>>()?;
        let fresh = scratch("zone.new");
        fs::write(&fresh, Zone::text(&entries))?;
        Ok(fs::rename(fresh, &self.zone.0)?)
    }

    /// What a resolver in the container answers, in order.
    fn dig(&self, words: &str) -> Result<String> {
        let all =
            self.container.run(&format!("dig +short +tries=1 +timeout=30 @127.0.0.11 {words}"))?;
        let mut lines: Vec<&str> = all.lines().collect();
        lines.sort_unstable();
        Ok(lines.join(" "))
    }

    /// The response code, such as NOERROR, and the flags.
    fn status(&self, words: &str) -> Result<String> {
        let all = self.container.run(&format!("dig +tries=1 +timeout=30 @127.0.0.11 {words}"))?;
        let after = |mark: &str| {
            let rest = all.split_once(mark).map_or("", |(_, rest)| rest);
            rest.split([',', ';']).next().unwrap_or_default().to_owned()
        };
        Ok(format!("{}:{}", after("status: "), after("flags:")))
    }
}

pub(crate) fn containers_know_each_other() -> Result<()> {
    let Some(scene) = scene(Upstream::None)? else {
        return harness::skip("no bind9-dnsutils, dnsmasq, iproute2, nftables or python3");
    };
    scene.write(&[
        ("10.231.11.2", &["web", "www", "0123456789ab", "web.n"]),
        ("fd31:11::2", &["web", "www", "0123456789ab", "web.n"]),
        ("10.231.11.3", &["db", "www"]),
    ])?;
    for way in ["", "+tcp "] {
        let dig = |words: &str| scene.dig(&format!("{way}{words}"));
        expect_eq!(dig("web")?, "10.231.11.2", "{way}");
        expect_eq!(dig("WEB.n. AAAA")?, "fd31:11::2");
        expect_eq!(dig("0123456789ab")?, "10.231.11.2");
        expect_eq!(dig("www")?, "10.231.11.2 10.231.11.3");
        expect_eq!(dig("www ANY")?, "10.231.11.2 10.231.11.3 fd31:11::2");
        expect_eq!(dig("-x 10.231.11.3")?, "db.");
        expect_eq!(dig("-x fd31:11::2")?, "web.");
        expect_eq!(scene.status(&format!("{way}web MX"))?, "NOERROR: qr aa rd ra");
        expect_eq!(scene.status(&format!("{way}db AAAA"))?, "NOERROR: qr aa rd ra");
        // In an internal network, nobody else is asked.
        expect_eq!(scene.status(&format!("{way}elsewhere.test"))?, "SERVFAIL: qr rd ra");
    }
    // What changes is known at once.
    scene.write(&[("10.231.11.9", &["web"])])?;
    expect_eq!(scene.dig("web")?, "10.231.11.9");
    expect_eq!(scene.status("db")?, "SERVFAIL: qr rd ra");
    // More than fits: dig asks again over TCP.
    let many: Vec<String> = (1..=200).map(|number| format!("10.231.11.{number}")).collect();
    let entries: Vec<(&str, &[&str])> =
        many.iter().map(|address| (address.as_str(), &["many"][..])).collect();
    scene.write(&entries)?;
    expect_eq!(scene.dig("many")?.split(' ').count(), 200);
    ensure!(scene.status("+ignore many")?.contains(" tc"), "it does not say that it is cut short");
    ensure!(scene.status("+noedns +ignore many")?.contains(" tc"), "nor without EDNS");

    // The port of DNS is the container's own.
    scene.container.python(
        "import socket\n\
         for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM: socket.socket(type=kind).bind(('', 53))",
    )?;
    // A monitor that comes again takes over from the one before.
    drop(listen(&Container::open(scene.container.process.as_fd())?)?);
    ensure!(scene.dig("many").is_err(), "the old one is still asked");
    Ok(())
}

/// A server that answers for `known.test`, and has a text for `long.test` that is too long for UDP.
fn dnsmasq(address: &str) -> Result<Server> {
    let text = ["x".repeat(250).as_str(); 8].join(",");
    let script = format!(
        "dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv \
         --no-hosts --bind-interfaces --listen-address={address} --address=/known.test/192.0.2.77 \
         --address=/known.test/2001:db8::77 --txt-record=long.test,{text} & \
         until ss -Hlun 'sport = 53' | grep -q 53; do sleep 0.01; done; echo ready; wait"
    );
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "sh", "-c", &script]);
    Server::start(command)
}

pub(crate) fn other_servers_are_asked_for_the_rest() -> Result<()> {
    let configuration: PathBuf = scratch("resolv.conf");
    let Some(scene) = scene(Upstream::File(configuration.clone()))? else {
        return harness::skip("no bind9-dnsutils, dnsmasq, iproute2, nftables or python3");
    };
    scene.write(&[("10.231.11.2", &["web"])])?;
    expect_eq!(scene.status("known.test")?, "SERVFAIL: qr rd ra");
    run("ip addr add 192.0.2.53/32 dev lo")?;
    run("ip -6 addr add 2001:db8::53/128 nodad dev lo")?;
    let _server = dnsmasq("192.0.2.53,2001:db8::53")?;
    let long = format!("\"{}\"", "x".repeat(250));
    // Nobody listens at the first of these; the others are not there at all.
    for servers in [
        "nameserver 192.0.2.53",
        "nameserver 2001:db8::53",
        "nameserver 127.0.0.2\nnameserver 192.0.2.53",
        "nameserver 203.0.113.1\nnameserver 2001:db8::53",
        "nameserver 10.231.11.99\nnameserver 127.0.0.2\nnameserver 192.0.2.53",
    ] {
        fs::write(&configuration, servers)?;
        for way in ["", "+tcp "] {
            expect_eq!(scene.dig(&format!("{way}known.test"))?, "192.0.2.77", "{servers}");
            expect_eq!(scene.dig(&format!("{way}known.test AAAA"))?, "2001:db8::77", "{servers}");
        }
        let text = scene.dig("long.test TXT")?;
        ensure!(text.split(' ').count() == 8 && text.starts_with(&long), "{text}");
        expect_eq!(scene.dig("web")?, "10.231.11.2");
    }
    fs::write(&configuration, "nameserver 192.0.2.53")?;
    ensure!(scene.status("+ignore long.test TXT")?.contains(" tc"), "it is not cut short");
    // dnsmasq refuses what it has no server for.
    expect_eq!(scene.status("unknown.test")?, "REFUSED: qr rd ra");
    fs::write(&configuration, "nameserver 10.231.11.99")?;
    expect_eq!(scene.status("known.test")?, "SERVFAIL: qr rd ra");
    expect_eq!(scene.status("+tcp known.test")?, "SERVFAIL: qr rd ra");
    Ok(())
}

/// A thousand questions and a hundred connections that nobody answers, from one container.
pub(crate) fn a_flood_of_questions_keeps_nobody_from_answers() -> Result<()> {
    // It swallows everything.
    let configuration: PathBuf = scratch("resolv.conf");
    let Some(scene) = scene(Upstream::File(configuration.clone()))? else {
        return harness::skip(MISSING);
    };
    let silent = std::net::UdpSocket::bind("127.0.0.3:0")?;
    fs::write(&configuration, format!("nameserver {}", silent.local_addr()?))?;
    scene.write(&[("10.231.11.2", &["web"])])?;
    let _flood = scene.container.serve(
        r#"
import socket, time
udp = socket.socket(type=socket.SOCK_DGRAM)
question = b"\0\1\1\0\0\1\0\0\0\0\0\0\4lost\0\0\1\0\1"
for _ in range(1000): udp.sendto(question, ("127.0.0.11", 53))
kept = []
for _ in range(100):
    it = socket.create_connection(("127.0.0.11", 53)); it.sendall(b"\0"); kept.append(it)
print("ready"); time.sleep(100)
"#,
    )?;
    // What finds no room among the thousand is asked again, as programs do.
    expect_eq!(scene.dig("+tries=9 +timeout=5 web")?, "10.231.11.2");
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", scene.monitor)).map(Iterator::count);
    ensure!(descriptors()? < 600, "{} descriptors", descriptors()?);
    // All of them are given up in the end, and then it is idle.
    until("all are given up", || descriptors().is_ok_and(|count| count < 20))?;
    expect_eq!(scene.dig("+tcp web")?, "10.231.11.2");
    Ok(())
}
