//! Containers that attack by the network: the machine, its neighbours, and whoever is behind it. They
//! have rights that no container has by default, so that they can send whatever they like.

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{
    ECHO, MISSING, Server, ask_in_vain, has_programs, other_machine, python, run,
};
use crate::support::until;

/// What an attacker in Python begins with: datagrams with any source, by any device.
const TOOLS: &str = r#"
import socket, struct, time
def ones(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff or 0xffff
def udp(source, target, port, data=b"x", sender=4444):
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    one, other = socket.inet_pton(family, source), socket.inet_pton(family, target)
    length = 8 + len(data)
    pseudo = one + other + struct.pack("!II" if ":" in target else "!HH", *((length, 17) if ":" in target else (17, length)))
    head = struct.pack("!HHH", sender, port, length)
    inner = head + struct.pack("!H", ones(pseudo + head + b"\0\0" + data)) + data
    if ":" in target: return struct.pack("!IHBB", 6 << 28, length, 17, 64) + one + other + inner
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 1, 0, 64, 17)
    return head + struct.pack("!H", ones(head + b"\0\0" + one + other)) + one + other + inner
def mac_of(address):
    # So that it is known.
    it = socket.socket(type=socket.SOCK_DGRAM)
    for _ in range(1000):
        it.sendto(b"", (address, 9))
        for line in open("/proc/net/arp"):
            if line.startswith(address + " ") and "00:00:00:00:00:00" not in line:
                return bytes.fromhex(line.split()[3].replace(":", ""))
        time.sleep(0.05)
    raise SystemExit("nobody has " + address)
def frame(device, mac, packet):
    it = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); it.bind((device, 0))
    kind = 0x86dd if packet[0] >> 4 == 6 else 0x800
    it.send(mac + it.getsockname()[4] + struct.pack("!H", kind) + packet)
"#;

/// Prints whom each datagram is from that comes to port 9999, until one says `end`.
const WITNESS: &str = r#"
import socket
it = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
it.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
it.bind(("::", 9999)); open("/tmp/READY", "w"); sources = []
while True:
    text, address = it.recvfrom(100)
    if text == b"end": break
    sources.append(address[0].replace("::ffff:", ""))
print(*sources)
"#;

/// What [`WITNESS`] on the machine prints while somebody does something, who ends with `end`.
fn witnessed(attack: impl FnOnce() -> Result<()>) -> Result<String> {
    let ready = crate::support::scratch("witness");
    let script = WITNESS.replace("/tmp/READY", &ready.to_string_lossy());
    let mut command = std::process::Command::new("timeout");
    command.args(["200", "python3", "-c", &script]).stdout(std::process::Stdio::piped());
    let witness = command.spawn()?;
    until("it listens", || ready.exists())?;
    attack()?;
    let end =
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'end', ('127.0.0.1', 9999))";
    python(end)?;
    // The next witness is not ready before it says so.
    std::fs::remove_file(&ready)?;
    Ok(String::from_utf8(witness.wait_with_output()?.stdout)?)
}

/// A container that may send raw packets and change its devices.
fn attacker(engine: &Engine, name: &str, flags: &[&str]) -> Result<()> {
    let rights = ["--cap-add", "NET_RAW", "--cap-add", "NET_ADMIN"];
    let words = ["run", "-d", "--name", name];
    let program = ["host:", "sleep", "1000"];
    engine.ok(&[&words[..], &rights, flags, &program].concat()).map(drop)
}

fn attack(engine: &Engine, name: &str, script: &str) -> Result<String> {
    engine.ok(&["exec", name, "python3", "-c", &format!("{TOOLS}{script}")])
}

fn field(engine: &Engine, name: &str, field: &str) -> Result<String> {
    let field = format!("{{{{.NetworkSettings.Networks.bridge.{field}}}}}");
    engine.ok(&["inspect", "-f", &field, name])
}

/// Neither raw packets nor another address nor another route.
pub(super) fn what_a_container_may_not_send() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    engine.ok(&["run", "-d", "--name", "plain", "host:", "sleep", "1000"])?;
    let script = r#"
for kind in (socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_DGRAM), (socket.AF_INET, socket.SOCK_RAW, 255), (socket.AF_INET6, socket.SOCK_RAW, 58):
    try: socket.socket(*kind); print("sends")
    except PermissionError: pass
print("done")
"#;
    expect_eq!(attack(&engine, "plain", script)?, "done");
    for words in [
        "ip addr add 10.200.0.77/20 dev eth0",
        "ip link set eth0 address 02:00:00:00:00:01",
        "ip neigh replace 10.200.0.1 lladdr 02:00:00:00:00:01 dev eth0",
        "ip route add 192.0.2.0/24 via 10.200.0.1",
        "nft add table ip mine",
    ] {
        let words = words.split(' ').collect::<Vec<_>>();
        let done = engine.run(&[&["exec", "plain"], &words[..]].concat())?;
        ensure!(done.code != Some(0) && done.stderr.contains("not permitted"), "{done:#?}");
    }
    Ok(())
}

/// To the machine as somebody whom it trusts, and to others as one of the machine's.
pub(super) fn nobody_passes_for_somebody_else() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    // Nothing else keeps them away.
    let off = "for it in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$it; done";
    ensure!(std::process::Command::new("sh").args(["-c", off]).status()?.success());
    attacker(&engine, "one", &[])?;
    engine.ok(&["network", "create", "apart"])?;
    let gateway = field(&engine, "one", "Gateway")?;
    let (own, own6) =
        (field(&engine, "one", "IPAddress")?, field(&engine, "one", "GlobalIPv6Address")?);
    let gateway6 = field(&engine, "one", "IPv6Gateway")?;
    let apart =
        engine.ok(&["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "apart"])?;
    let apart = apart.trim_end_matches('1').to_owned() + "7";
    let script = format!(
        r#"
mac = mac_of("{gateway}")
for source in "192.0.2.2", "127.0.0.1", "{gateway}", "{apart}", "8.8.8.8", "255.255.255.255", "{own}":
    for target in "{gateway}", "192.0.2.1": frame("eth0", mac, udp(source, target, 9999))
for source in "2001:db8::2", "::1", "{gateway6}", "2001:db8:7::7", "{own6}":
    for target in "{gateway6}", "2001:db8::1": frame("eth0", mac, udp(source, target, 9999))
time.sleep(0.5)
"#
    );
    let seen = witnessed(|| attack(&engine, "one", &script).map(drop))?;
    expect_eq!(seen, format!("{own} {own} {own6} {own6}\n"));
    // Nor to the world: all that comes there is from the machine.
    let sniffer = r#"
import socket, time
it = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)); it.bind(("eth0", 3))
print("ready", flush=True); seen = set(); ends = set()
# When the last ones are there, what was sent before them may be on its way yet, but not for long.
while True:
    it.settimeout(1 if len(ends) == 2 else None)
    try: packet, about = it.recvfrom(2000)
    except OSError: break
    if about[2] == socket.PACKET_OUTGOING: continue
    if b"forged" in packet:
        seen.add(socket.inet_ntoa(packet[12:16]) if packet[0] >> 4 == 4 else socket.inet_ntop(socket.AF_INET6, packet[8:24]))
    if b"the last" in packet: ends.add(packet[0] >> 4)
print(sorted(seen))
"#;
    let mut command = other.command(&["python3", "-c", sniffer]);
    let mut sniffer = command.stdout(std::process::Stdio::piped()).spawn()?;
    let mut ready = [0; 6];
    let output = sniffer.stdout.as_mut().ok_or_else(|| anyhow::anyhow!("a pipe"))?;
    std::io::Read::read_exact(output, &mut ready)?;
    let script = format!(
        r#"
mac = mac_of("{gateway}")
for source in "192.0.2.9", "8.8.8.8", "{own}": frame("eth0", mac, udp(source, "192.0.2.2", 9, b"forged"))
for source in "2001:db8::9", "2001:db8:7::7", "{own6}": frame("eth0", mac, udp(source, "2001:db8::2", 9, b"forged"))
frame("eth0", mac, udp("{own}", "192.0.2.2", 9, b"the last")); frame("eth0", mac, udp("{own6}", "2001:db8::2", 9, b"the last"))
"#
    );
    attack(&engine, "one", &script)?;
    let seen = String::from_utf8(sniffer.wait_with_output()?.stdout)?;
    expect_eq!(seen, "['192.0.2.1', '2001:db8::1']\n");
    Ok(())
}

/// Who told a neighbour often enough that the gateway's address is his own got all that it sent.
pub(super) fn no_neighbour_passes_for_the_gateway() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    let _server = other.serve(ECHO)?;
    attacker(&engine, "one", &[])?;
    engine.ok(&["run", "-d", "--name", "two", "host:", "sleep", "1000"])?;
    let (gateway, gateway6) =
        (field(&engine, "one", "Gateway")?, field(&engine, "one", "IPv6Gateway")?);
    let (two, two6) =
        (field(&engine, "two", "IPAddress")?, field(&engine, "two", "GlobalIPv6Address")?);
    let asks = |address: &str| {
        engine.ok(&["exec", "two", "python3", "-c", &crate::net::world::ask(address, 80)])
    };
    // So that there is somebody who can be replaced.
    for address in ["192.0.2.2", "2001:db8::2"] {
        asks(address)?;
    }
    let neighbours = |what: &str| -> Result<String> {
        let all = engine.ok(&["exec", "two", "ip", "neigh", "show", "to", what])?;
        Ok(all.split(" lladdr ").nth(1).unwrap_or_default().chars().take(17).collect())
    };
    let before = (neighbours(&gateway)?, neighbours(&gateway6)?);
    let script = format!(
        r#"
mac = mac_of("{two}")
it = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); it.bind(("eth0", 0)); own = it.getsockname()[4]
router, victim = socket.inet_aton("{gateway}"), socket.inet_aton("{two}")
router6, victim6 = (socket.inet_pton(socket.AF_INET6, one) for one in ("{gateway6}", "{two6}"))
def reply(kind): return mac + own + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, kind) + own + router + mac + victim
# It is the router's answer, asked for, and replaces what was known.
body = struct.pack("!BBHI", 136, 0, 0, 0xe0000000) + router6 + b"\x02\x01" + own
total = ones(router6 + victim6 + struct.pack("!II", len(body), 58) + body)
body = body[:2] + struct.pack("!H", total) + body[4:]
advertisement = mac + own + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + router6 + victim6 + body
for _ in range(15):
    for packet in reply(1), reply(2), advertisement: it.send(packet)
    time.sleep(0.1)
print(own.hex(":"))
"#
    );
    let own = attack(&engine, "one", &script)?;
    let after = (neighbours(&gateway)?, neighbours(&gateway6)?);
    ensure!(after == before && after.0 != own, "{before:?}, then {after:?}, of {own}");
    for address in ["192.0.2.2", "2001:db8::2"] {
        let answer = asks(address)?;
        ensure!(!answer.contains("None"), "{address}: {answer}");
    }
    Ok(())
}

/// CVE-2020-8558 and its like: bridges take what is for 127.0.0.0/8, but not from containers, and
/// no device takes it from other machines.
pub(super) fn the_loopback_of_the_machine_is_its_own() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    attacker(&engine, "one", &[])?;
    let gateway = field(&engine, "one", "Gateway")?;
    let own = field(&engine, "one", "IPAddress")?;
    // What is published there alone is not reached by another way.
    let words = ["run", "-d", "--name", "web", "-p", "127.0.0.1:9998:9999/udp", "host:"];
    let script = WITNESS.replace("open(\"/tmp/READY\", \"w\")", "print('ready', flush=True)");
    engine.ok(&[&words[..], &["python3", "-uc", &script]].concat())?;
    until("it listens", || engine.ok(&["logs", "web"]).is_ok_and(|it| it == "ready"))?;
    let script = format!(
        r#"
mac = mac_of("{gateway}")
for target in "127.0.0.1", "127.0.0.11", "127.1.2.3":
    for source in "{own}", "127.0.0.1":
        for port in 9998, 9999: frame("eth0", mac, udp(source, target, port))
frame("eth0", mac, udp("{own}", "{gateway}", 9998))
frame("eth0", mac, udp("{own}", "{gateway}", 9999))
time.sleep(0.5)
"#
    );
    let seen = witnessed(|| attack(&engine, "one", &script).map(drop))?;
    expect_eq!(seen, format!("{own}\n"));
    let script = format!(
        r#"{TOOLS}
mac = mac_of("192.0.2.1")
for target in "127.0.0.1", "127.0.0.11":
    for port in 9998, 9999: frame("eth0", mac, udp("192.0.2.2", target, port))
frame("eth0", mac, udp("127.0.0.1", "192.0.2.1", 9999))
frame("eth0", mac, udp("192.0.2.2", "192.0.2.1", 9998))
frame("eth0", mac, udp("192.0.2.2", "192.0.2.1", 9999))
time.sleep(0.5)
"#
    );
    expect_eq!(witnessed(|| other.python(&script).map(drop))?, "192.0.2.2\n");
    // The one that is published was reached by nobody, and is by the machine itself.
    for word in ["hello", "end"] {
        python(&format!(
            "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'{word}', ('127.0.0.1', 9998))"
        ))?;
    }
    engine.ok(&["wait", "web"])?;
    expect_eq!(engine.ok(&["logs", "web"])?, format!("ready\n{gateway}"));
    Ok(())
}

/// CVE-2020-13401: a container that says it is a router, to the machine and to its neighbours.
pub(super) fn no_container_is_believed_to_be_a_router() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    attacker(&engine, "one", &[])?;
    engine.ok(&["run", "-d", "--name", "two", "host:", "sleep", "1000"])?;
    // A prefix to make addresses of, and a way to everything.
    let script = r#"
it = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
it.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
prefix = struct.pack("!BBBBIII16s", 3, 4, 64, 0xc0, 9999, 9999, 0, socket.inet_pton(socket.AF_INET6, "2001:db8:bad::"))
index = socket.if_nametoindex("eth0")
for _ in range(3):
    it.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 8, 9999, 0, 0) + prefix, ("ff02::1", 0, 0, index)); time.sleep(0.1)
"#;
    let heard = |text: &str| {
        let line = text.lines().find(|it| it.starts_with("Icmp6InRouterAdvertisements"));
        line.and_then(|it| it.split_whitespace().last()).map(str::to_owned)
    };
    attack(&engine, "one", script)?;
    until("the machine has heard it", || {
        run("cat /proc/net/snmp6").is_ok_and(|it| heard(&it).as_deref() == Some("3"))
    })?;
    let within = |words: &str| {
        let words = words.split(' ').collect::<Vec<_>>();
        engine.ok(&[&["exec", "two"], &words[..]].concat())
    };
    until("its neighbour has heard it", || {
        within("cat /proc/net/snmp6").is_ok_and(|it| heard(&it).as_deref() == Some("3"))
    })?;
    for text in
        [run("ip -6 addr")?, run("ip -6 route")?, within("ip -6 addr")?, within("ip -6 route")?]
    {
        ensure!(!text.contains("bad") && !text.contains("via fe80"), "{text}");
    }
    // Nor by a way that is said to be better.
    expect_eq!(run("cat /proc/sys/net/ipv4/conf/all/accept_redirects")?, "0\n");
    Ok(())
}

/// Out of an internal network, with every right over one's own devices.
pub(super) fn an_internal_network_has_no_way_out() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    let _servers = (other.serve(ECHO)?, {
        let mut command = std::process::Command::new("python3");
        command.args(["-uc", ECHO]);
        Server::start(command)?
    });
    engine.ok(&["network", "create", "--internal", "--subnet", "10.231.80.0/24", "inner"])?;
    attacker(&engine, "one", &["--network", "inner"])?;
    engine.ok(&["run", "-d", "--name", "web", "-p", "8080:80", "host:", "python3", "-uc", ECHO])?;
    until("it serves", || engine.ok(&["logs", "web"]).is_ok_and(|text| text == "ready"))?;
    let web = field(&engine, "web", "IPAddress")?;
    let within = |words: &str| {
        let words = words.split(' ').collect::<Vec<_>>();
        engine.ok(&[&["exec", "one"], &words[..]].concat())
    };
    within("ip route add default via 10.231.80.1")?;
    for (address, port) in [
        ("192.0.2.2", 80),
        ("192.0.2.1", 80),
        ("10.231.80.1", 80),
        ("10.231.80.1", 8080),
        (&*web, 80),
    ] {
        let asked = ask_in_vain(address, port);
        expect_eq!(
            engine.ok(&["exec", "one", "python3", "-c", &asked])?,
            "None\nNone",
            "{address}"
        );
    }
    // Nor as a neighbour of the others.
    let gateway = field(&engine, "web", "Gateway")?;
    within(&format!("ip addr add {}/20 dev eth0", gateway.replace(".0.1", ".0.99")))?;
    let asked = ask_in_vain(&web, 80);
    expect_eq!(engine.ok(&["exec", "one", "python3", "-c", &asked])?, "None\nNone");
    Ok(())
}

/// What answers a neighbour's questions about names answers nobody else's.
pub(super) fn names_are_not_asked_of_a_neighbour() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    engine.ok(&["network", "create", "apart"])?;
    attacker(&engine, "one", &[])?;
    // It knows a name that the other one does not.
    let words = ["run", "-d", "--name", "two", "--network", "bridge", "--network", "apart"];
    engine.ok(&[&words[..], &["host:", "python3", "-uc", ECHO]].concat())?;
    until("it serves", || engine.ok(&["logs", "two"]).is_ok_and(|text| text == "ready"))?;
    let (own, address) = (field(&engine, "one", "IPAddress")?, field(&engine, "two", "IPAddress")?);
    let ports = "import re; print(*{int(it.split()[1].split(':')[1], 16) for it in open('/proc/net/udp') if '0B00007F:' in it})";
    let port = engine.ok(&["exec", "two", "python3", "-c", ports])?;
    let script = format!(
        r#"
question = b"\0\7\1\0\0\1\0\0\0\0\0\0\3two\0\0\1\0\1"
it = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x800)); it.settimeout(1)
mac = mac_of("{address}")
def answered(packet, patience=1):
    frame("eth0", mac, packet); end = time.time() + patience
    while time.time() < end:
        try: got, about = it.recvfrom(2000)
        except OSError: continue
        if about[2] != socket.PACKET_OUTGOING and got[9] == 17 and got[22:24] == struct.pack("!H", 4444): return True
    return False
for port in 53, {port}:
    for source in "{own}", "127.0.0.1", "127.0.0.11": print(answered(udp(source, "127.0.0.11", port, question)), end=" ")
    print(answered(udp("{own}", "{address}", port, question)))
print(answered(udp("{own}", "{address}", 80), 40))
"#
    );
    let none = "False False False False";
    expect_eq!(attack(&engine, "one", &script)?, format!("{none}\n{none}\nTrue"));
    Ok(())
}
