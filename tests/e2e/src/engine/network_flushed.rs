//! The firewall that somebody else flushes, in parts or as a whole, while containers run: everything is
//! as it was, without a restart, and connections of before go on.

use std::process::Child;

use anyhow::{Result, ensure};

use super::loopback::serve;
use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{ECHO, MISSING, Space, ask_in_vain, has_programs, other_machine, run};
use crate::support::until;

/// Sends back what it gets.
const SERVER: &str = r#"
import socket, threading
def serve(it):
    while (got := it.recv(100)): it.sendall(got)
it = socket.create_server(("0.0.0.0", 80)); print("ready")
while True: threading.Thread(target=serve, args=(it.accept()[0],), daemon=True).start()
"#;

/// Sends a line to one that keeps its connection, and prints what comes back.
const CLIENT: &str = r#"
import socket, sys
it = socket.create_connection(("192.0.2.1", 8080)); it.settimeout(30)
for line in sys.stdin: it.sendall(line.encode()); print(it.recv(100).decode().strip(), flush=True)
"#;

/// Whether the port can be reached.
const CONNECTS: &str = "import socket; socket.create_connection(('192.0.2.1', 8080), 1)";

/// Whatever takes away what our table has.
const WAYS: [&str; 9] = [
    "nft flush ruleset",
    "nft delete table inet tinyo",
    "nft flush table inet tinyo",
    "nft flush chain inet tinyo forward",
    "nft flush chain inet tinyo prerouting",
    "nft flush map inet tinyo ports_ipv4",
    "nft delete element inet tinyo ports_ipv4 { tcp . 8080 }",
    "nft flush set inet tinyo networks",
    "nft flush set inet tinyo internal",
];

/// A line there and back over a connection.
fn say(client: &mut Child, text: &str) -> Result<()> {
    use std::io::{Read as _, Write as _};
    let (Some(input), Some(output)) = (&mut client.stdin, &mut client.stdout) else {
        anyhow::bail!("pipes")
    };
    writeln!(input, "{text}")?;
    let mut got = vec![0; text.len() + 1];
    output.read_exact(&mut got)?;
    expect_eq!(String::from_utf8(got)?, format!("{text}\n"));
    Ok(())
}

pub(super) fn everything_comes_back_and_connections_stay() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    let _server = other.serve(ECHO)?;
    engine.ok(&["network", "create", "apart"])?;
    engine.ok(&["network", "create", "--internal", "inner"])?;
    serve(&engine, "web", SERVER, &["-p", "8080:80"])?;
    for (name, network) in [("stranger", "apart"), ("shut", "inner")] {
        engine.ok(&[
            "run",
            "-d",
            "--name",
            name,
            "--network",
            network,
            "host:",
            "sleep",
            "1000",
        ])?;
    }
    let field = "{{.NetworkSettings.Networks.bridge.IPAddress}}";
    let web = engine.ok(&["inspect", "-f", field, "web"])?;
    let mut client = other.command(&["python3", "-c", CLIENT]);
    client.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut client = client.spawn()?;
    say(&mut client, "first")?;
    let answers = |name: &str, address: &str, port| {
        let program = ask_in_vain(address, port);
        engine.ok(&["exec", name, "python3", "-c", &program])
    };
    for words in WAYS {
        run(words)?;
        until(&format!("it is reached after {words}"), || other.python(CONNECTS).is_ok())?;
        // Out with the machine's address, not into another network, and not out of an internal one.
        until("they are apart again", || {
            answers("stranger", &web, 80).is_ok_and(|it| it == "None\nNone")
                && answers("shut", "192.0.2.2", 80).is_ok_and(|it| it == "None\nNone")
        })?;
        expect_eq!(answers("stranger", "192.0.2.2", 80)?, "192.0.2.1\n192.0.2.1", "{words}");
        say(&mut client, words)?;
    }
    other_programs_write_anew(&other, &mut client)?;
    drop(client.stdin.take());
    ensure!(client.wait()?.success(), "the client failed");
    expect_eq!(engine.ok(&["system", "check"])?, "");
    engine.ok(&["rm", "-f", "-a"])?;
    let rules = run("nft list table inet tinyo")?;
    ensure!(!rules.contains(" . 8080 "), "{rules}");
    Ok(())
}

/// Our rules in the chain of another program, which it writes anew.
fn other_programs_write_anew(other: &Space, client: &mut Child) -> Result<()> {
    run("nft add table ip filter")?;
    run("nft add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }")?;
    for words in
        ["nft list tables", "nft flush chain ip filter FORWARD", "nft flush table ip filter"]
    {
        run(words)?;
        until(&format!("it is reached after {words}"), || other.python(CONNECTS).is_ok())?;
        say(client, words)?;
    }
    for words in ["iptables-nft -F", "iptables-nft -t nat -F", "iptables-nft -X"] {
        if run("iptables-nft --version").is_ok() {
            run(words)?;
            until(&format!("it is reached after {words}"), || other.python(CONNECTS).is_ok())?;
        }
    }
    Ok(())
}
