//! Namespaces, and programs in them.

use std::io::Read as _;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};

use ::net::firewall::{Element, Firewall};
use ::net::link::{Attachment, Bridge, Container, Interface, attach, ensure_bridge};
use ::net::subnet::Subnet;
use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use sys::netlink::Socket;

use crate::support::until;

/// Whether the programs are there that all trials need.
pub(crate) fn has_programs() -> bool {
    // It is only of interest whether it can be started.
    let is_there = |program: &str| {
        let mut command = Command::new(program);
        command.arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    ["ip", "nft", "unshare", "nsenter", "python3"].iter().all(|program| is_there(program))
}

/// Makes the trial's process a machine of its own, with nothing but a loopback device. False if
/// programs for that are missing.
pub(crate) fn become_machine() -> Result<bool> {
    if !has_programs() {
        return Ok(false);
    }
    let (network, mounts) = (libc::CLONE_NEWNET as u64, libc::CLONE_NEWNS as u64);
    sys::process::unshare_namespaces(network | mounts)?;
    run("mount --make-rprivate /")?;
    run("ip link set lo up")?;
    Ok(true)
}

/// What a trial that needs them says without them.
pub(crate) const MISSING: &str = "no iproute2, nftables, util-linux or python3";

/// Runs a command of words without spaces, which must succeed, and returns what it printed.
pub(crate) fn run(words: &str) -> Result<String> {
    output(Command::new("env").args(words.split_whitespace()), words)
}

fn output(command: &mut Command, name: &str) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: {text}{errors}");
    Ok(text)
}

/// A network namespace with a process in it.
pub(crate) struct Space {
    holder: Child,
    pub(crate) process: OwnedFd,
}

impl Space {
    /// A new one, with a loopback device that is up.
    pub(crate) fn new() -> Result<Space> {
        let script = "ip link set lo up && echo ready && exec sleep 1000";
        let mut holder = Command::new("unshare")
            .args(["--net", "--kill-child", "sh", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut ready = [0; 6];
        holder.stdout.take().context("a pipe")?.read_exact(&mut ready)?;
        let process = pidfd_open(Pid::from_child(&holder), PidfdFlags::empty())?;
        Ok(Space { holder, process })
    }

    /// One that is connected to a bridge as the container of this address.
    pub(crate) fn container(bridge: &Bridge, number: u128) -> Result<Space> {
        let space = Space::new()?;
        space.join(bridge, number, "eth0")?;
        Ok(space)
    }

    pub(crate) fn join(&self, bridge: &Bridge, number: u128, device: &str) -> Result<()> {
        let mut host = Socket::open()?;
        let mut container = Container::open(self.process.as_fd())?;
        Ok(attach(&mut host, &mut container, &attachment(bridge, number, device)?)?)
    }

    /// The file of it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// A command in it.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        let id = self.holder.id();
        command.arg(format!("--net=/proc/{id}/ns/net")).args(words).stdin(Stdio::null());
        command
    }

    /// Runs a command of words without spaces in it, which must succeed.
    pub(crate) fn run(&self, words: &str) -> Result<String> {
        output(&mut self.command(&words.split_whitespace().collect::<Vec<_>>()), words)
    }

    /// Runs a program in Python.
    pub(crate) fn python(&self, program: &str) -> Result<String> {
        output(&mut self.command(&["timeout", "100", "python3", "-c", program]), program)
    }

    /// Starts a program in Python which prints a line when it is ready.
    pub(crate) fn serve(&self, program: &str) -> Result<Server> {
        Server::start(self.command(&["python3", "-uc", program]))
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A program that serves until it is dropped.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(mut command: Command) -> Result<Server> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut byte = [0];
        child.stdout.as_mut().context("a pipe")?.read_exact(&mut byte)?;
        Ok(Server(child))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Answers every connection and every packet on port 80 with the client's address, over IPv4 and
/// IPv6, TCP and UDP.
pub(crate) const ECHO: &str = r#"
import socket, threading, time
def name(address): return address[0].replace("::ffff:", "").encode()
def tcp(it):
    while True:
        connection, address = it.accept()
        connection.sendall(name(address)); connection.close()
def udp(it):
    while True:
        _, address = it.recvfrom(2000)
        it.sendto(name(address), address)
for kind, work in ((socket.SOCK_STREAM, tcp), (socket.SOCK_DGRAM, udp)):
    it = socket.socket(socket.AF_INET6, kind)
    it.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    it.bind(("::", 80))
    if kind == socket.SOCK_STREAM: it.listen(9)
    threading.Thread(target=work, args=(it,), daemon=True).start()
print("ready"); time.sleep(1000)
"#;

/// Prints what the server [`ECHO`] answers over TCP and over UDP, or `None` for what does not come.
pub(crate) fn ask(address: &str, port: u16) -> String {
    question(address, port, LONG, LONG)
}

/// The same, where no answer is expected.
pub(crate) fn ask_in_vain(address: &str, port: u16) -> String {
    question(address, port, SHORT, SHORT)
}

/// The same, where an answer is expected over TCP alone.
pub(crate) fn ask_by_tcp(address: &str, port: u16) -> String {
    question(address, port, LONG, SHORT)
}

/// The same, where an answer is expected over UDP alone.
pub(crate) fn ask_by_udp(address: &str, port: u16) -> String {
    question(address, port, SHORT, LONG)
}

/// Seconds that an answer may take which is to come, however busy the machine is, and those after
/// which none is expected any more.
const LONG: u16 = 40;
const SHORT: u16 = 1;

fn question(address: &str, port: u16, tcp: u16, udp: u16) -> String {
    format!(
        r#"
import socket
def tcp():
    with socket.create_connection(("{address}", {port}), {tcp}) as it: return it.recv(100)
def udp():
    family = socket.AF_INET6 if ":" in "{address}" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as it:
        it.settimeout({udp}); it.connect(("{address}", {port})); it.send(b"x"); return it.recv(100)
for ask in tcp, udp:
    try: print(ask().decode())
    except OSError: print(None)
"#
    )
}

/// The same from the trial's own namespace.
pub(crate) fn python(program: &str) -> Result<String> {
    output(Command::new("timeout").args(["100", "python3", "-c", program]), program)
}

/// A bridge with these subnets, the machine being the first in each.
pub(crate) fn bridge(name: &str, subnets: &[&str]) -> Result<Bridge> {
    let interface = |text: &&str| {
        let subnet: Subnet = text.parse()?;
        Ok(Interface { address: subnet.gateway().context("it has addresses")?, subnet })
    };
    let gateways = subnets.iter().map(interface).collect::<Result<_>>()?;
    Ok(Bridge { name: name.to_owned(), gateways, mtu: None })
}

/// The same, made in the trial's own namespace.
pub(crate) fn made_bridge(name: &str, subnets: &[&str]) -> Result<Bridge> {
    let bridge = bridge(name, subnets)?;
    ensure_bridge(&mut Socket::open()?, &bridge)?;
    Firewall::open()?.add(&[Element::Network(name.to_owned())])?;
    Ok(bridge)
}

pub(crate) fn attachment(bridge: &Bridge, number: u128, device: &str) -> Result<Attachment> {
    let of = |gateway: &Interface| {
        let address = gateway.subnet.host(number).context("the subnet is large enough")?;
        Ok(Interface { address, subnet: gateway.subnet })
    };
    let gateways: Vec<IpAddr> = bridge.gateways.iter().map(|it| it.address).collect();
    Ok(Attachment {
        bridge: bridge.name.clone(),
        sharing: None,
        host_device: format!("v{number}{}", bridge.name.trim_start_matches("tinyo")),
        device: device.to_owned(),
        interfaces: bridge.gateways.iter().map(of).collect::<Result<_>>()?,
        gateways,
        mac: None,
        mtu: None,
    })
}

/// Another machine, connected to this one: it is `192.0.2.2` and `2001:db8::2`, this one ends
/// with 1. It takes this one for its router.
pub(crate) fn other_machine() -> Result<Space> {
    let other = Space::new()?;
    run(&format!("ip link add out type veth peer name eth0 netns {}", other.holder.id()))?;
    run("ip addr add 192.0.2.1/24 dev out")?;
    run("ip -6 addr add 2001:db8::1/64 nodad dev out")?;
    run("ip link set out up")?;
    other.run("ip addr add 192.0.2.2/24 dev eth0")?;
    other.run("ip -6 addr add 2001:db8::2/64 nodad dev eth0")?;
    other.run("ip link set eth0 up")?;
    other.run("ip route add default via 192.0.2.1")?;
    other.run("ip -6 route add default via 2001:db8::1")?;
    until("the other machine is reached", || other.run("busybox ping -c1 -W1 192.0.2.1").is_ok())?;
    Ok(other)
}
