//! Published ports at `::1`: more connections than there may be, clients that go in other ways than
//! by an orderly end, thousands of them.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::loopback::{relays, serve};
use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{MISSING, has_programs, python};
use crate::support::until;

/// Sends back what it gets, byte by byte or datagram by datagram.
const SERVER: &str = r#"
import socket, threading, time
threading.stack_size(65536)
def serve(it):
    with it:
        while (got := it.recv(65536)): it.sendall(got)
def streams():
    it = socket.create_server(("0.0.0.0", 80), backlog=4000)
    while True: threading.Thread(target=serve, args=(it.accept()[0],), daemon=True).start()
def datagrams():
    it = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); it.bind(("0.0.0.0", 80))
    while True: it.sendto(*it.recvfrom(65536))
for one in (streams, datagrams): threading.Thread(target=one, daemon=True).start()
print("ready"); time.sleep(1000)
"#;

/// What the clients below are made of.
const CLIENT: &str = "
import resource, socket, struct, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
def connect(): return socket.create_connection(('::1', 8080), 30)
def talk(it, text=b'x'): it.sendall(text); return it.recv(len(text)) == text
def datagram(text):
    it = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); it.settimeout(30)
    it.sendto(text, ('::1', 8080)); return it, it.recv(100) == text
";

/// The one there is, and how many descriptors it has.
fn descriptors() -> Result<usize> {
    let relay = *relays().first().context("a relay")?;
    Ok(fs::read_dir(format!("/proc/{relay}/fd"))?.count())
}

pub(super) fn more_connections_than_there_may_be() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let flags = ["--pids-limit=3000", "-p", "8080:80/tcp", "-p", "8080:80/udp"];
    serve(&engine, "web", SERVER, &flags)?;
    expect_eq!(python(&format!("{CLIENT}\nprint(talk(connect()))"))?, "True\n");
    let before = descriptors()?;
    // Who is above the limit waits; datagrams do not, which had no answer then.
    let crowd = "
all = [connect() for _ in range(1024)]
print(sum(talk(it) for it in all))
more = [connect() for _ in range(20)]
for it in more: it.sendall(b'y'); it.settimeout(0.3)
try: more[0].recv(1); print('answered')
except TimeoutError: print('waits')
print(datagram(b'one')[1])
for it in all[:20]: it.close()
for it in more: it.settimeout(30)
print(sum(it.recv(1) == b'y' for it in more))
kept = [datagram(b'%d' % number) for number in range(1100)]
print(all(right for _, right in kept))
first = kept[0][0]; first.sendto(b'again', ('::1', 8080)); print(first.recv(9))
";
    let crowd = crowd.replace("all(right", "builtins_all(right");
    let text = python(&format!("{CLIENT}\nbuiltins_all = all\n{crowd}"))?;
    expect_eq!(text, "1024\nwaits\nTrue\n20\nTrue\nb'again'\n");
    // At most the clients that send datagrams are remembered.
    until("connections are closed", || descriptors().is_ok_and(|now| now <= before + 1024))?;
    engine.ok(&["rm", "-f", "web"])?;
    until("no relay is left", || relays().is_empty())?;
    engine.is_clean()
}

pub(super) fn who_goes_without_a_word_is_forgotten() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    serve(&engine, "web", SERVER, &["-p", "8080:80"])?;
    // The relay goes when nobody has been there for a while, so somebody stays.
    let script =
        format!("{CLIENT}\nit = connect(); talk(it); print('here', flush=True); sys.stdin.read()");
    let mut stays = std::process::Command::new("python3");
    stays.args(["-c", &script]).stdin(std::process::Stdio::piped());
    let mut stays = stays.stdout(std::process::Stdio::piped()).spawn()?;
    let mut here = [0; 5];
    std::io::Read::read_exact(stays.stdout.as_mut().context("a pipe")?, &mut here)?;
    let before = descriptors()?;
    // Resets; and one that has sent more than there is room for, never read, and closed: it stayed for
    // ever, as the container waited for somebody to read, and read nothing.
    let clients = "
for _ in range(100):
    it = connect(); talk(it)
    it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); it.close()
it = connect(); it.settimeout(1); sent = 0; is_full = False
while not is_full:
    try: sent += it.send(b'z' * 65536)
    # On a slow machine it is passed on at times only.
    except TimeoutError: is_full = sent > 1 << 20
print(is_full)
it.close()
";
    expect_eq!(python(&format!("{CLIENT}{clients}"))?, "True\n");
    until("all are forgotten", || descriptors().is_ok_and(|now| now == before))?;
    drop(stays.stdin.take());
    ensure!(stays.wait()?.success());
    engine.ok(&["rm", "-f", "web"])?;
    engine.is_clean()
}

/// Memory of the relay in kB, not shared with others.
fn memory() -> Result<u64> {
    let relay = *relays().first().context("a relay")?;
    let text = fs::read_to_string(format!("/proc/{relay}/smaps_rollup"))?;
    let lines = text.lines().filter(|it| it.starts_with("Private_"));
    let numbers = lines.filter_map(|it| it.split_whitespace().nth(1)?.parse::<u64>().ok());
    Ok(numbers.sum())
}

pub(super) fn ten_thousand_short_connections() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    serve(&engine, "web", SERVER, &["--pids-limit=3000", "-p", "8080:80"])?;
    let short = |count: usize| {
        let script = format!(
            "
right = 0
for number in range({count}):
    with connect() as it:
        right += talk(it, b'%d' % number)
        # One in three ends its half first, one in three is gone without a word.
        if number % 3 == 1: it.shutdown(socket.SHUT_WR); right += it.recv(9) == b''
        if number % 3 == 2: it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); right += 1
        if number % 3 == 0: right += 1
print(right)
"
        );
        python(&format!("{CLIENT}{script}"))
    };
    expect_eq!(short(1000)?, "2000\n");
    let relay = relays();
    let (open, kept) = (descriptors()?, memory()?);
    expect_eq!(short(9000)?, "18000\n");
    expect_eq!(relays(), relay);
    until("all are forgotten", || descriptors().is_ok_and(|now| now <= open))?;
    let now = memory()?;
    ensure!(now <= kept + 200, "{kept} kB, then {now} kB");
    engine.ok(&["rm", "-f", "web"])?;
    engine.is_clean()
}

/// The relay may have fewer descriptors than there are clients: these are served one after the other.
pub(super) fn fewer_descriptors_than_clients() -> Result<()> {
    if !has_programs() {
        return harness::skip(MISSING);
    }
    let engine = Engine::new()?;
    let words = ["run", "-d", "--name", "web", "--pids-limit=3000", "-p", "8080:80/tcp"];
    let flags = ["-p", "8080:80/udp", "host:", "python3", "-uc", SERVER];
    let command = engine.command(&[&words[..], &flags].concat());
    let mut limited = std::process::Command::new("prlimit");
    limited.arg("--nofile=256:256").arg(command.get_program()).args(command.get_args());
    limited.env_clear().env("PATH", "/usr/sbin:/usr/bin:/bin");
    let done = super::support::end_of(&mut limited)?;
    ensure!(done.code == Some(0), "{done:#?}");
    until("it serves", || engine.ok(&["logs", "web"]).is_ok_and(|text| text == "ready"))?;
    let crowd = "
import threading
kept = [datagram(b'%d' % number)[0] for number in range(10)]
right = []
def one(number):
    with connect() as it: right.append(talk(it, b'%d' % number))
threads = [threading.Thread(target=one, args=(number,)) for number in range(150)]
for it in threads: it.start()
for it in threads: it.join()
print(len(right), set(right))
# More clients than descriptors: each new one is answered. They close, and are not known to.
print(all(datagram(b'%d' % number)[1] for number in range(400)))
";
    expect_eq!(python(&format!("{CLIENT}{crowd}"))?, "150 {True}\nTrue\n");
    engine.ok(&["rm", "-f", "web"])?;
    engine.is_clean()
}
