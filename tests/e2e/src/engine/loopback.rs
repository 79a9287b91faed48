//! Published ports at `::1`, where no rule of a firewall helps. The trial's namespace plays the
//! machine.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{
    ECHO, MISSING, ask, ask_by_tcp, ask_in_vain, has_programs, other_machine, python, run,
};
use crate::support::{processes, until};

/// Sends back what it gets, until the client's end, then `end`; what came first after `hold` comes
/// late, and after `give` 100 MB come.
const SERVER: &str = r#"
import socket, threading, time
def serve(it):
    with it:
        first = it.recv(1)
        if first == b"g":
            for _ in range(1600): it.sendall(bytes(range(256)) * 256)
            return
        if first == b"h": it.recv(1); time.sleep(1)
        while (got := it.recv(65536)): it.sendall(got)
        it.sendall(b"end")
for address, family in ("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6):
    it = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6: it.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    it.bind((address, 80)); it.listen(1000)
    def accept(it=it):
        while True: threading.Thread(target=serve, args=(it.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
print("ready"); time.sleep(1000)
"#;

pub(super) fn serve(engine: &Engine, name: &str, program: &str, flags: &[&str]) -> Result<String> {
    let words = [&["run", "-d", "--name", name], flags, &["host:", "python3", "-uc", program]];
    let id = engine.ok(&words.concat())?;
    until("it serves", || engine.ok(&["logs", name]).is_ok_and(|text| text == "ready"))?;
    Ok(id)
}

/// The processes that pass on what comes to `::1`, in the trial's network namespace.
pub(super) fn relays() -> Vec<i32> {
    let own = fs::read_link("/proc/self/ns/net").ok();
    let is_one = |pid: &i32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.starts_with(b"tinyo\0relay\0")
            && fs::read_link(format!("/proc/{pid}/ns/net")).ok() == own
    };
    processes::all().into_iter().map(|(pid, _)| pid).filter(is_one).collect()
}

fn both(text: &str) -> String {
    format!("{text}\n{text}\n")
}

pub(super) fn published_ports_answer_there() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let other = other_machine()?;
    let gateway = "10.200.0.1";
    serve(&engine, "all", ECHO, &["-p", "8080:80/tcp", "-p", "8080:80/udp"])?;
    ensure!(relays().is_empty(), "a process that nobody needs");
    expect_eq!(python(&ask("::1", 8080))?, both(gateway));
    expect_eq!(relays().len(), 1);
    for relay in relays() {
        let status = fs::read_to_string(format!("/proc/{relay}/status"))?;
        for right in ["CapPrm:\t0000000000000000", "NoNewPrivs:\t1"] {
            ensure!(status.contains(right), "{right}: {status}");
        }
    }
    expect_eq!(python(&ask("::1", 8080))?, both(gateway));
    expect_eq!(python(&ask("127.0.0.1", 8080))?, both(gateway));
    expect_eq!(other.python(&ask("2001:db8::1", 8080))?, both("2001:db8::2"));
    // What is at one address alone is at no other.
    let flags = ["-p", "[::1]:8081:80/tcp", "-p", "[::1]:8081:80/udp", "-p", "127.0.0.1:8082:80"];
    serve(&engine, "one", ECHO, &flags)?;
    expect_eq!(python(&ask("::1", 8081))?, both(gateway));
    for (address, port) in [("127.0.0.1", 8081), ("2001:db8::1", 8081), ("::1", 8082)] {
        expect_eq!(python(&ask_in_vain(address, port))?, both("None"));
    }
    expect_eq!(python(&ask_by_tcp("127.0.0.1", 8082))?, format!("{gateway}\nNone\n"));
    for address in ["192.0.2.1", "2001:db8::1"] {
        expect_eq!(other.python(&ask_in_vain(address, 8081))?, both("None"));
    }
    expect_eq!(engine.ok(&["port", "one", "80/udp"])?, "[::1]:8081");
    // Without the rules nothing is reached that was not meant to be.
    run("nft delete table inet tinyo")?;
    let everywhere = python(&ask_in_vain("2001:db8::1", 8080))?;
    ensure!(everywhere == both("None") || everywhere == both("2001:db8::1"), "{everywhere}");
    // Nobody else can take such a port.
    for (address, port) in [("::1", 8080), ("::", 8080), ("2001:db8::1", 8080), ("::1", 8081)] {
        ensure!(TcpListener::bind((address, port)).is_err(), "{address} {port} is free");
        ensure!(std::net::UdpSocket::bind((address, port)).is_err(), "{address} {port} is free");
    }
    let wanted = "another container or program has it";
    engine.fails(&["run", "--rm", "-p", "[::1]:8081:80", "host:", "true"], 125, wanted)?;
    engine.fails(
        &["run", "--rm", "-p", "[::1]:8083:80/sctp", "host:", "true"],
        125,
        "tcp and udp only",
    )?;
    engine.ok(&["rm", "-f", "all", "one"])?;
    until("no relay is left", || relays().is_empty())?;
    expect_eq!(python(&ask_in_vain("::1", 8080))?, both("None"));
    engine.is_clean()
}

pub(super) fn they_answer_after_everything_else() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let id = serve(&engine, "all", ECHO, &["-p", "8080:80/tcp", "-p", "8080:80/udp"])?;
    serve(&engine, "one", ECHO, &["-p", "[::1]:8081:80"])?;
    expect_eq!(python(&ask("::1", 8080))?, both("10.200.0.1"));
    expect_eq!(python(&ask_by_tcp("::1", 8081))?, "10.200.0.1\nNone\n");
    // After a start, and after the end of its monitor, with connections that are not long over.
    engine.ok(&["restart", "-t", "0", "all"])?;
    let answers = || python(&ask_in_vain("::1", 8080)).is_ok_and(|text| text == both("10.200.0.1"));
    until("it answers after a restart", answers)?;
    super::faults::kill(engine.monitor(&id)?)?;
    expect_eq!(engine.status("all")?, "exited");
    expect_eq!(python(&ask_in_vain("::1", 8080))?, both("None"));
    engine.ok(&["start", "all"])?;
    until("it answers after its monitor was killed", answers)?;
    // Whoever kills the relay only ends its connections. On a slow machine one may have ended, as
    // nobody has come for a while.
    until("there is a relay for each", || {
        python(&ask_in_vain("::1", 8081)).is_ok() && answers() && relays().len() == 2
    })?;
    for relay in relays() {
        crate::support::sys::send(relay, libc::SIGKILL)?;
    }
    until("it answers after its relay was killed", answers)?;
    engine.ok(&["rm", "-f", "all", "one"])?;
    until("no relay is left", || relays().is_empty())?;
    expect_eq!(python(&ask_in_vain("::1", 8080))?, both("None"));
    engine.is_clean()
}

/// A client in Python, which finds `connect()`.
fn client(port: u16, program: &str) -> Result<String> {
    let connect = format!(
        "import hashlib, socket, threading, time\n\
         def connect(): return socket.create_connection(('::1', {port}), 60)\n\
         def all(it):\n    parts = []\n    while (part := it.recv(65536)): parts.append(part)\n    return b''.join(parts)\n"
    );
    python(&(connect + program))
}

/// 200 at once, which all talk at the same time; each ends its half before it reads.
const CROWD: &str = "
said = []
def one(number):
    text = (b'%d ' % number) * 2000
    with connect() as it:
        barrier.wait(); it.sendall(text); it.shutdown(socket.SHUT_WR)
        said.append(all(it) == text[1:] + b'end')
barrier = threading.Barrier(200)
threads = [threading.Thread(target=one, args=(number,)) for number in range(200)]
for it in threads: it.start()
for it in threads: it.join()
print(len(said), set(said))
";

/// 100 MB there and back at the same time, by a reader that begins late and stops now and then.
const MUCH: &str = "
block = bytes(range(256)) * 4096
there, back = hashlib.sha256(), hashlib.sha256()
with connect() as it:
    def send():
        it.sendall(b'x')
        for number in range(100): part = bytes([number]) + block; there.update(part); it.sendall(part)
        it.shutdown(socket.SHUT_WR)
    thread = threading.Thread(target=send); thread.start()
    time.sleep(0.5)
    got, last = 0, b''
    while (part := it.recv(65536)):
        if got // 20_000_000 != (got + len(part)) // 20_000_000: time.sleep(0.2)
        got += len(part); last += part
        back.update(last[:-3]); last = last[-3:]
    thread.join()
print(got, last, there.digest() == back.digest())
";

/// Only from the container, which is sent nothing but one byte.
const GIVEN: &str = "
with connect() as it:
    it.sendall(b'g'); time.sleep(0.3)
    print(hashlib.sha256(all(it)).hexdigest() == hashlib.sha256(bytes(range(256)) * 256 * 1600).hexdigest())
";

pub(super) fn what_is_said_there_arrives() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    engine.ok(&["network", "create", "--subnet", "10.231.60.0/24", "more"])?;
    serve(&engine, "web", SERVER, &["-p", "8080:80", "-p", "[::1]:8081:81"])?;
    expect_eq!(client(8080, CROWD)?, "200 {True}\n");
    expect_eq!(client(8080, MUCH)?, "104857703 b'end' True\n");
    expect_eq!(client(8080, GIVEN)?, "True\n");
    // A port that nobody listens on: the client is told.
    let refused =
        "\ntry:\n    with connect() as it: print(it.recv(1))\nexcept OSError: print('no')\n";
    expect_eq!(client(8081, refused)?, "no\n");
    // While it is paused, clients wait.
    engine.ok(&["pause", "web"])?;
    let mut waiting = Command::new("python3");
    waiting.args(["-c", "import socket\nwith socket.create_connection(('::1', 8080)) as it:\n    it.sendall(b'xa'); print(it.recv(1))"]);
    let mut waiting = waiting.stdout(std::process::Stdio::piped()).spawn()?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    ensure!(waiting.try_wait()?.is_none(), "a client that does not wait");
    engine.ok(&["unpause", "web"])?;
    expect_eq!(String::from_utf8(waiting.wait_with_output()?.stdout)?, "b'a'\n");
    // Where it has no way in, nobody is let in; and what was begun ends.
    let script = "import socket\nwith socket.create_connection(('::1', 8080)) as it:\n    it.sendall(b'xa'); it.recv(1); print('ready', flush=True)\n    try: print(it.recv(1))\n    except OSError: print('reset')";
    let mut begun = Command::new("python3");
    let mut begun = begun.args(["-c", script]).stdout(std::process::Stdio::piped()).spawn()?;
    let mut ready = [0; 6];
    std::io::Read::read_exact(begun.stdout.as_mut().context("a pipe")?, &mut ready)?;
    engine.ok(&["network", "disconnect", "bridge", "web"])?;
    let text = String::from_utf8(begun.wait_with_output()?.stdout)?;
    ensure!(text == "reset\n" || text == "b''\n", "{text}");
    expect_eq!(client(8080, refused)?, "no\n");
    engine.ok(&["network", "connect", "more", "web"])?;
    let again = "\nwith connect() as it: it.sendall(b'xa'); print(it.recv(1))";
    until("it answers at its new address", || client(8080, again).is_ok_and(|it| it == "b'a'\n"))?;
    engine.ok(&["rm", "-f", "web"])?;
    until("no relay is left", || relays().is_empty())?;
    engine.is_clean()
}
