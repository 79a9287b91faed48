//! Published ports of SCTP, which few kernels have: Debian's can load it (`cargo xtask vm --module`).

use anyhow::Result;

use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{MISSING, has_programs, other_machine, python};
use crate::support::until;

/// Answers with the address of who asks.
const SERVER: &str = r#"
import socket
it = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
it.bind(("0.0.0.0", 80)); it.listen(9)
print("ready")
while True:
    connection, address = it.accept()
    connection.sendall(address[0].encode()); connection.close()
"#;

fn ask(address: &str, port: u16) -> String {
    format!(
        r#"
import socket
it = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
it.settimeout(5)
it.connect(("{address}", {port}))
print(it.recv(100).decode())
"#
    )
}

pub(super) fn a_published_port() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    if python("import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)").is_err() {
        return harness::skip("this kernel has no SCTP");
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    let serve = ["run", "-d", "--name", "web", "-p", "8080:80/sctp", "-p", "8080:81/tcp"];
    engine.ok(&[&serve[..], &["host:", "python3", "-uc", SERVER]].concat())?;
    until("it serves", || engine.ok(&["logs", "web"]).is_ok_and(|text| text == "ready"))?;
    expect_eq!(other.python(&ask("192.0.2.1", 8080))?, "192.0.2.2\n");
    expect_eq!(python(&ask("192.0.2.1", 8080))?, "192.0.2.1\n");
    expect_eq!(python(&ask("127.0.0.1", 8080))?, "10.200.0.1\n");
    let wanted = "the port 8080:80/sctp cannot be published: another container or program has it";
    engine.fails(&["run", "-p", "8080:80/sctp", "host:", "true"], 125, wanted)?;
    engine.ok(&["rm", "-f", "web"])?;
    expect_eq!(other.python(&ask("192.0.2.1", 8080)).is_err(), true);
    Ok(())
}
