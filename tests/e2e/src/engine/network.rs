//! Networks, by the command line alone. The trial's namespace plays the machine.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{
    ECHO, MISSING, ask, ask_by_tcp, ask_in_vain, has_programs, other_machine, python, run,
};
use crate::support::until;

/// Starts a container of the machine's own programs that serves [`ECHO`], and waits for it.
fn serve(engine: &Engine, name: &str, flags: &[&str]) -> Result<String> {
    let id =
        engine
            .ok(&[&["run", "-d", "--name", name], flags, &["host:", "python3", "-uc", ECHO]]
                .concat())?;
    until("it serves", || engine.ok(&["logs", name]).is_ok_and(|text| text == "ready"))?;
    Ok(id)
}

/// What a program in a new container of the machine's own programs prints.
fn within(engine: &Engine, flags: &[&str], words: &[&str]) -> Result<String> {
    engine.ok(&[&["run", "--rm"], flags, &["host:"], words].concat())
}

fn address_of(engine: &Engine, network: &str, name: &str) -> Result<String> {
    let all: Value = serde_json::from_str(&engine.ok(&["network", "inspect", network])?)?;
    let containers = all[0]["Containers"].as_object().context("an object")?;
    let found = containers.values().find(|it| it["Name"] == name).context("it is connected")?;
    let text = found["IPv4Address"].as_str().context("a text")?;
    Ok(text.split('/').next().unwrap_or_default().to_owned())
}

fn both(text: &str) -> String {
    format!("{text}\n{text}\n")
}

pub(super) fn a_published_port_and_a_name() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    let id = serve(&engine, "web", &["-p", "8080:80/tcp", "-p", "8080:80/udp"])?;
    let (address, gateway) = (address_of(&engine, "bridge", "web")?, "10.200.0.1");
    expect_eq!(other.python(&ask("192.0.2.1", 8080))?, both("192.0.2.2"));
    expect_eq!(python(&ask("127.0.0.1", 8080))?, both(gateway));
    expect_eq!(python(&ask("localhost", 8080))?, both(gateway));
    expect_eq!(engine.ok(&["port", "web", "80/udp"])?, "0.0.0.0:8080\n[::]:8080");
    ensure!(engine.field("web", "Ports")?.contains("0.0.0.0:8080->80/tcp"), "ps shows no port");
    let inspect = |field: &str| {
        engine.ok(&["inspect", "-f", &format!("{{{{.NetworkSettings.{field}}}}}"), "web"])
    };
    expect_eq!(inspect("Networks.bridge.IPAddress")?, address);
    expect_eq!(inspect("Networks.bridge.Gateway")?, gateway);
    // By name, by id, and back; from a container that comes later.
    for name in ["web", "WEB.bridge", &id[..12]] {
        expect_eq!(within(&engine, &[], &["dig", "+short", name])?, address);
    }
    expect_eq!(within(&engine, &[], &["dig", "+short", "-x", &address])?, "web.");
    // By IPv6, which programs prefer, and by IPv4, which this one takes for UDP.
    let answer = within(&engine, &["--ip", "10.200.0.99"], &["python3", "-c", &ask("web", 80)])?;
    ensure!(answer.starts_with("fd") && answer.ends_with("\n10.200.0.99"), "{answer}");
    let hosts = within(&engine, &["--ip", "10.200.0.98", "-h", "me"], &["cat", "/etc/hosts"])?;
    ensure!(hosts.contains("10.200.0.98\tme "), "{hosts}");
    // One port for two, and one that a program has.
    let wanted = "the port 8080:80/tcp cannot be published: another container or program has it";
    engine.fails(&["run", "-p", "8080:80", "host:", "true"], 125, wanted)?;
    let program = std::net::TcpListener::bind("127.0.0.1:8081")?;
    engine.fails(&["run", "-p", "8081:80", "host:", "true"], 125, "8081:80/tcp")?;
    drop(program);
    // It has the same address when it is started again, and any port where none is named.
    engine.ok(&["restart", "-t", "0", "web"])?;
    expect_eq!(address_of(&engine, "bridge", "web")?, address);
    until("it is reached again", || {
        other.python(&ask_in_vain("192.0.2.1", 8080)).is_ok_and(|text| text == both("192.0.2.2"))
    })?;
    serve(&engine, "any", &["-p", "80"])?;
    let port = engine.ok(&["port", "any", "80"])?;
    let port = port.lines().next().and_then(|it| it.rsplit(':').next()).context("a port")?;
    ensure!(python(&ask_by_tcp("127.0.0.1", port.parse()?))?.starts_with(gateway), "port {port}");
    engine.ok(&["rm", "-f", "web", "any"])?;
    expect_eq!(other.python(&ask_in_vain("192.0.2.1", 8080))?, both("None"));
    nothing_is_left(&engine)
}

/// Knows every name there is.
const KNOWS_ALL: &str = r#"
import socket
it = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); it.bind(("", 53)); print("ready")
while True:
    text, client = it.recvfrom(2000); end = text.index(b"\0", 12) + 5
    is_ipv4 = text[end - 4:end - 2] == b"\0\1"
    record = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\xc0\0\2\x42" if is_ipv4 else b""
    it.sendto(text[:2] + b"\x81\x80\0\1\0" + bytes([is_ipv4]) + b"\0\0\0\0" + text[12:end] + record, client)
"#;

/// A container's name is not that of a machine in a domain of `search`.
pub(super) fn names_of_containers_come_before_those_of_domains() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    let _server = other.serve(KNOWS_ALL)?;
    engine.start("web", &[], "sleep 1000")?;
    let address = address_of(&engine, "bridge", "web")?;
    let flags = ["--dns=192.0.2.2", "--dns-search=corp.example"];
    let ask = |flags: &[&str], name: &str| {
        let program = format!("import socket; print(socket.gethostbyname('{name}'))");
        within(&engine, flags, &["python3", "-c", &program])
    };
    expect_eq!(ask(&flags, "web")?, address);
    expect_eq!(ask(&flags, "elsewhere")?, "192.0.2.66");
    expect_eq!(ask(&flags, "web.corp.example")?, "192.0.2.66");
    // Who wants it otherwise says so.
    let flags = [&flags[..], &["--dns-option=ndots:2"]].concat();
    expect_eq!(ask(&flags, "web")?, "192.0.2.66");
    let text = within(&engine, &flags, &["cat", "/etc/resolv.conf"])?;
    ensure!(text.matches("ndots").count() == 1, "{text}");
    let text = within(&engine, &["--network=none"], &["cat", "/etc/resolv.conf"])?;
    ensure!(!text.contains("ndots:0"), "{text}");
    Ok(())
}

/// No device, no rule about a container, no name.
fn nothing_is_left(engine: &Engine) -> Result<()> {
    until("the devices are gone", || {
        run("ip -o link").is_ok_and(|links| !links.lines().any(|line| line.contains(": ve")))
    })?;
    let rules = run("nft list ruleset")?;
    ensure!(!rules.contains(" . 80 "), "{rules}");
    let names = std::fs::read_to_string(engine.store.join("run/networks/bridge"));
    expect_eq!(names.unwrap_or_default(), "");
    Ok(())
}

pub(super) fn internal_and_several_networks() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    let _server = other.serve(ECHO)?;
    let create = ["network", "create", "--internal", "--subnet", "10.231.20.0/24", "inner"];
    expect_eq!(engine.ok(&create)?.len(), 64);
    engine.ok(&["network", "create", "--label", "a=b", "--opt", "mtu=1400", "outer"])?;
    serve(&engine, "db", &["--network", "inner:ip=10.231.20.7", "--network-alias", "store"])?;
    serve(&engine, "app", &["--network", "outer"])?;
    let ask_from = |name: &str, program: &str| {
        engine.ok(&["exec", name, "python3", "-c", program]).map(|text| text + "\n")
    };
    expect_eq!(ask_from("app", &ask("192.0.2.2", 80))?, both("192.0.2.1"));
    expect_eq!(ask_from("db", &ask_in_vain("192.0.2.2", 80))?, both("None"));
    expect_eq!(ask_from("app", &ask_in_vain("10.231.20.7", 80))?, both("None"));
    expect_eq!(ask_from("app", &ask_in_vain("store", 80))?, both("None"));
    // While it runs.
    engine.ok(&[
        "network",
        "connect",
        "--ip",
        "10.231.20.9",
        "--alias",
        "front",
        "inner",
        "app",
    ])?;
    ensure!(ask_from("app", &ask("store", 80))?.ends_with("\n10.231.20.9\n"), "no store");
    ensure!(ask_from("db", &ask("front", 80))?.ends_with("\n10.231.20.7\n"), "no front");
    expect_eq!(ask_from("app", &ask("192.0.2.2", 80))?, both("192.0.2.1"));
    ensure!(engine.ok(&["exec", "app", "ip", "link"])?.contains("eth0@"), "no device");
    ensure!(
        engine.ok(&["exec", "app", "cat", "/sys/class/net/eth0/mtu"])? == "1400",
        "another MTU"
    );
    engine.fails(
        &["network", "connect", "inner", "app"],
        1,
        "connected to network inner already",
    )?;
    engine.fails(&["network", "rm", "inner"], 1, "used by 2 containers")?;
    engine.ok(&["network", "disconnect", "inner", "app"])?;
    expect_eq!(ask_from("app", &ask_in_vain("store", 80))?, both("None"));
    expect_eq!(ask_from("app", &ask_in_vain("10.231.20.7", 80))?, both("None"));
    engine.fails(&["network", "disconnect", "inner", "app"], 1, "not connected")?;
    engine.ok(&["rm", "-f", "db", "app"])?;
    let names = || engine.ok(&["network", "ls", "-fdriver=bridge", "--format={{.Name}}"]);
    expect_eq!(names()?, "bridge\ninner\nouter");
    expect_eq!(engine.ok(&["network", "inspect", "-f", "{{.Labels.a}}", "outer"])?, "b");
    expect_eq!(engine.ok(&["network", "rm", "inner"])?, "inner");
    expect_eq!(engine.ok(&["network", "prune", "-f"])?, "outer");
    expect_eq!(names()?, "bridge");
    let default = engine.bridge("bridge")?;
    for words in ["ip -o link", "nft list ruleset"] {
        let text = run(words)?.replace(&default, "");
        ensure!(!text.contains("tinyo-"), "something is left: {text}");
    }
    Ok(())
}

pub(super) fn a_flushed_firewall_is_restored() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    serve(&engine, "one", &["-p", "8080:80/tcp", "-p", "8080:80/udp"])?;
    serve(&engine, "two", &["-p", "192.0.2.1:8090-8091:80-81"])?;
    for _ in 0..3 {
        run("nft flush ruleset")?;
        until("both are reached again", || {
            let first = other.python(&ask_in_vain("192.0.2.1", 8080));
            let second = other.python(&ask_in_vain("192.0.2.1", 8090));
            first.is_ok_and(|text| text == both("192.0.2.2"))
                && second.is_ok_and(|text| text == "192.0.2.2\nNone\n")
        })?;
    }
    // Another program that forbids everything.
    run("nft add table ip filter")?;
    run("nft add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }")?;
    until("it is reached again", || {
        other.python(&ask_in_vain("192.0.2.1", 8080)).is_ok_and(|text| text == both("192.0.2.2"))
    })?;
    engine.ok(&["rm", "-f", "one", "two"])?;
    nothing_is_left(&engine)
}

pub(super) fn a_killed_monitor_leaves_nothing() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let id = serve(&engine, "web", &["-p", "8080:80"])?;
    ensure!(run("nft list ruleset")?.contains(" . 80 "), "there is no rule to be left");
    let monitor = engine.monitor(&id)?;
    crate::support::sys::send(monitor, libc::SIGKILL)?;
    until("it has died", || !crate::support::processes::alive(monitor))?;
    expect_eq!(engine.status("web")?, "exited");
    nothing_is_left(&engine)?;
    // And it can be started again, where it was.
    engine.ok(&["start", "web"])?;
    until("it is reached", || {
        python(&ask_in_vain("127.0.0.1", 8080)).is_ok_and(|text| text.starts_with("10.200.0.1\n"))
    })?;
    engine.ok(&["rm", "-f", "web"])?;
    nothing_is_left(&engine)
}

pub(super) fn many_at_once() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let mut commands = Vec::new();
    for number in 0..12 {
        let (name, port) = (format!("c{number}"), format!("{}:80", 9000 + number));
        let words = ["run", "-d", "--name", &name, "-p", &port, "box", "sleep", "1000"];
        commands.push(engine.command(&words).stdout(std::process::Stdio::null()).spawn()?);
    }
    for command in &mut commands {
        ensure!(command.wait()?.success(), "one has failed");
    }
    let addresses = (0..12).map(|it| address_of(&engine, "bridge", &format!("c{it}")));
    let mut addresses = addresses.collect::<Result<Vec<_>>>()?;
    addresses.sort_unstable();
    addresses.dedup();
    expect_eq!(addresses.len(), 12);
    let rules = run("nft list map inet tinyo ports_ipv4")?;
    for number in 0..12 {
        ensure!(rules.contains(&format!("tcp . {} :", 9000 + number)), "{rules}");
        let name = format!("c{number}");
        ensure!(within(&engine, &[], &["dig", "+short", &name])?.starts_with("10.200."), "{name}");
    }
    engine.ok(&["rm", "-f", "-a"])?;
    nothing_is_left(&engine)
}

pub(super) fn what_is_wrong_is_said() -> Result<()> {
    let engine = Engine::new()?;
    for (flags, expected) in [
        (&["--network", "elsewhere"][..], "--network elsewhere: there is no such network"),
        (&["-p", "80:80:80:80"], "is no port to publish"),
        (&["-p", "81-80"], "is no port to publish"),
        (&["-p", "80:80", "--network", "none"], "cannot be published with --network none"),
        (&["--ip", "10.9.9.9"], "10.9.9.9 is not an address of network bridge"),
        (&["--ip", "10.200.0.1"], "the address 10.200.0.1 is in use"),
        (&["--ip", "x"], "is not like 172.17.0.9"),
        (&["--mac-address", "01:00:00:00:00:01"], "is no Ethernet address"),
        (&["--network", "bridge:color=red"], "there is no option color"),
    ] {
        engine.fails(&[&["run"], flags, &["box", "true"]].concat(), 125, expected)?;
    }
    expect_eq!(engine.ok(&["ps", "-aq"])?, "");
    for (words, expected) in [
        (&["create", "none"][..], "cannot be the name of a network"),
        (&["create", "a/b"], "name"),
        (&["create", "--subnet", "10.0.0.1/24", "a1"], "the bits behind the prefix must be 0"),
        (&["create", "--gateway", "10.0.0.1", "a1"], "is in no subnet"),
        (&["create", "--subnet", "10.200.1.0/24", "a1"], "overlaps 10.200.0.0/20"),
        (&["create", "bridge"], "exists already"),
        (&["rm", "a1"], "no such network: a1"),
        (&["inspect", "a1"], "no such network: a1"),
        (&["prune"], "--force"),
    ] {
        engine.ok(&["network", "ls"])?;
        let words = [&["network"], words].concat();
        let done = engine.run(&words)?;
        ensure!(done.code != Some(0) && done.stderr.contains(expected), "{words:?}: {done:#?}");
    }
    Ok(())
}
