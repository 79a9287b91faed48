//! Questions that are none, and servers that answer whatever they like: nobody waits for ever, nobody
//! gets an answer to something else, and the container's monitor goes on.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use ::net::dns::Upstream;
use anyhow::{Context as _, Result, ensure};
use rustix::process::Pid;

use super::names::{Scene, scene};
use super::world::Server;
use crate::expect_eq;
use crate::support::processes::without_descriptors;

const MISSING: &str = "no bind9-dnsutils, dnsmasq, iproute2, nftables or python3";

/// What a client in Python begins with.
const CLIENT: &str = r#"
import socket, struct, threading, time
SERVER = ("127.0.0.11", 53)
def label(name): return b"".join(bytes([len(it)]) + it for it in name.encode().split(b".")) + b"\0"
def question(name, kind=1, number=7, more=b"", extra=0):
    return struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, extra) + label(name) + struct.pack("!HH", kind, 1) + more
def about(answer):
    if answer is None: return "silence"
    codes = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]
    flags, count = struct.unpack("!HxxH", answer[2:8])
    return codes[flags & 15] + (" tc" if flags & 0x200 else "") + f" {count}"
def udp(message, wait=30):
    it = socket.socket(type=socket.SOCK_DGRAM); it.settimeout(wait); it.sendto(message, SERVER)
    try: answer = it.recv(65535)
    except OSError: return None
    assert answer[:2] == message[:2], (answer, message)
    return answer
def exactly(it, length):
    got = b""
    while len(got) < length:
        part = it.recv(length - len(got))
        if not part: raise OSError("end")
        got += part
    return got
def connect(): it = socket.create_connection(SERVER, 30); return it
def receive(it): return exactly(it, struct.unpack("!H", exactly(it, 2))[0])
def framed(message): return struct.pack("!H", len(message)) + message
def tcp(message):
    with connect() as it:
        it.sendall(framed(message))
        try: return receive(it)
        except OSError: return None
# Where the server under trial, on a busy machine, was too slow for any patience, it is asked again.
def patiently(way, message):
    while True:
        begun = time.monotonic(); answer = way(message)
        if about(answer) != "SERVFAIL 0" or time.monotonic() - begun < 2.9: return answer
"#;

fn ask(scene: &Scene, script: &str) -> Result<String> {
    let mut command = scene.container.command(&["timeout", "200", "python3", "-c"]);
    let output = command.arg(format!("{CLIENT}{script}")).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

pub(crate) fn questions_that_are_none() -> Result<()> {
    let Some(scene) = scene(Upstream::None)? else { return harness::skip(MISSING) };
    scene.write(&[("10.231.11.2", &["web"])])?;
    let said = ask(
        &scene,
        r#"
head = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0)
options = struct.pack("!BHHIH", 0, 41, 1232, 0, 0)
for number, message in enumerate((
    b"", b"\0\7\1", head, head + b"\xc0\x0c\0\1\0\1", head + b"\3we", head + b"\x40" + b"a" * 64 + b"\0\0\1\0\1",
    head + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1",
    struct.pack("!HHHHHH", 7, 0x100, 2, 0, 0, 0) + label("web") + b"\0\1\0\1",
    struct.pack("!HHHHHH", 7, 0x100, 0, 0, 0, 0), struct.pack("!HHHHHH", 7, 0x8100, 1, 0, 0, 0) + label("web") + b"\0\1\0\1",
    question("web", extra=1), question("web", extra=65535, more=options),
    question("web", extra=1, more=options[:-1] + b"\xff"), question("web", extra=1, more=options),
    question("web", more=b"\xff" * 3000), question("web", more=b"\xff" * 60000),
    question("WeB"), question("web", kind=28), question("web", kind=65), question("web", kind=251),
)): print(about(udp(message, 0.5 if number in (0, 1, 9) else 30)))
"#,
    )?;
    let wanted = "silence silence FORMERR FORMERR FORMERR FORMERR FORMERR FORMERR FORMERR silence \
                  FORMERR FORMERR FORMERR NOERROR-1 NOERROR-1 NOERROR-1 NOERROR-1 NOERROR-0 \
                  NOERROR-0 NOERROR-0";
    let lines: Vec<_> = said
        .lines()
        .map(|it| {
            it.strip_suffix(" 0")
                .filter(|it| it.len() == 7 && *it != "NOERROR")
                .unwrap_or(it)
                .replace(' ', "-")
        })
        .collect();
    expect_eq!(lines.join(" "), wanted);
    // By streams: nothing at all, no length, the longest of nonsense, half a question, one byte after the
    // other, many at once, and an end before the answers.
    let said = ask(
        &scene,
        r#"
def closed(it):
    try: return it.recv(1) == b""
    except ConnectionError: return True
with connect() as it: it.sendall(b"\0\0"); print(closed(it))
print(about(tcp(b"\xff" * 65535)), about(tcp(question("web", more=b"\0" * 65000))))
with connect() as it: it.sendall(framed(question("web"))[:9]); it.shutdown(socket.SHUT_WR); print(closed(it))
with connect() as it:
    it.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in framed(question("web")): it.sendall(bytes([byte])); time.sleep(0.01)
    print(about(receive(it)))
with connect() as it:
    it.sendall(b"".join(framed(question("web", number=number)) for number in range(500)))
    print([struct.unpack("!H", receive(it)[:2])[0] for _ in range(500)] == list(range(500)))
for _ in range(50):
    with connect() as it: it.sendall(framed(question("web")) * 100)
print(about(tcp(question("web"))), about(udp(question("web"))))
"#,
    )?;
    expect_eq!(said, "True\nsilence NOERROR 1\nTrue\nNOERROR 1\nTrue\nNOERROR 1 NOERROR 1\n");
    Ok(())
}

/// A server on `127.0.0.1` whose answers depend on the first label of the name.
const SERVER: &str = r#"
import socket, struct, sys, threading, time
PORT = 5353
def parts(message):
    length = message[12]; end = 13
    while message[end - 1]: end += message[end - 1] + 1
    return message[13:13 + length].decode(), end + 4
def answer(message, count=1, record=None, flags=0x8180):
    end = parts(message)[1]
    record = record or b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\xc0\0\2\x4d"
    return message[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0) + message[12:end] + record * count
def over_udp(it, message, client):
    word, end = parts(message)
    send = lambda text: it.sendto(text, client)
    good = answer(message)
    if word == "silent": return
    elif word == "short": send(b""); send(b"\0"); send(good[:11])
    elif word == "number": send(bytes([good[0] ^ 1]) + good[1:]); send(good[:2] + b"\1\0" + good[4:])
    elif word == "another": send(answer(message[:12] + b"\5other" + message[12 + 1 + len(word):]))
    elif word == "loop": send(answer(message, record=b"\xc0\x0c\0\5\0\1\0\0\0\5\0\2\xc0" + bytes([end + 12])))
    elif word == "count": send(answer(message, 1)[:6] + b"\xff\xff" + good[8:])
    elif word in ("cut", "cutbad", "cutzero", "cutend"): send(answer(message, 0, flags=0x8380)[:end])
    elif word == "big": send(answer(message, 300))
    elif word == "fails": send(answer(message, 0, flags=0x8182)[:end])
    elif word == "bare": send(message[:2] + b"\x81\x81" + b"\0" * 8)
    elif word == "later": time.sleep(1); send(good)
    elif word == "twice": send(good); send(answer(message, 9))
    if word not in ("later", "fails", "big", "loop", "count", "cut", "cutbad", "cutzero", "cutend", "bare", "another", "number", "short"): send(good)
    if word in ("another", "number", "short"): time.sleep(0.2); send(good)
def over_tcp(it):
    with it:
        length = struct.unpack("!H", it.recv(2, socket.MSG_WAITALL))[0]
        message = it.recv(length, socket.MSG_WAITALL); word = parts(message)[0]
        if word == "cutbad": text = b"\xff" * 70
        elif word == "cutzero": text = b""
        else: text = answer(message, 4000)
        text = struct.pack("!H", len(text)) + text
        it.sendall(text[:-9] if word == "cutend" else text)
udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(("127.0.0.1", PORT))
tcp = socket.create_server(("127.0.0.1", PORT), backlog=100)
def streams():
    while True: threading.Thread(target=over_tcp, args=(tcp.accept()[0],), daemon=True).start()
threading.Thread(target=streams, daemon=True).start(); print("ready")
while True: threading.Thread(target=over_udp, args=(udp, *udp.recvfrom(65535)), daemon=True).start()
"#;

/// One container, whose other names a server of ours knows.
fn scene_with_server() -> Result<Option<(Scene, Server)>> {
    let servers: Vec<SocketAddr> = vec!["127.0.0.1:5353".parse()?];
    let Some(scene) = scene(Upstream::Servers(servers))? else { return Ok(None) };
    scene.write(&[("10.231.11.2", &["web"])])?;
    let mut command = Command::new("python3");
    command.args(["-uc", SERVER]);
    Ok(Some((scene, Server::start(command)?)))
}

pub(crate) fn servers_that_mean_harm() -> Result<()> {
    let Some((scene, _server)) = scene_with_server()? else { return harness::skip(MISSING) };
    let said = ask(
        &scene,
        r#"
names = "good short number another twice loop count cut big fails bare silent".split()
answers = {}
def one(name):
    way = udp if name == "silent" else lambda it: patiently(udp, it)
    answers[name] = about(way(question(name + ".test")))
threads = [threading.Thread(target=one, args=(name,)) for name in names]
for it in threads: it.start()
for it in threads: it.join()
for name in names: print(name, answers[name])
for name in "good", "cut", "cutbad", "cutzero", "cutend": print(name, about(patiently(tcp, question(name + ".test"))))
print(len(patiently(tcp, question("cut.test"))), about(udp(question("web"))), about(tcp(question("web"))))
"#,
    )?;
    // What a server says of a name is passed on as it is: who asks must read it with care in any case.
    let wanted = "good NOERROR 1\nshort NOERROR 1\nnumber NOERROR 1\nanother NOERROR 1\n\
                  twice NOERROR 1\nloop NOERROR 1\ncount NOERROR 65535\ncut NOERROR tc 0\n\
                  big NOERROR tc 0\nfails SERVFAIL 0\nbare FORMERR 0\nsilent SERVFAIL 0\n\
                  good NOERROR 4000\ncut NOERROR 4000\ncutbad SERVFAIL 0\ncutzero SERVFAIL 0\n\
                  cutend SERVFAIL 0\n64026 NOERROR 1 NOERROR 1\n";
    expect_eq!(said, wanted);
    let open = fs::read_dir(format!("/proc/{}/fd", scene.monitor))?.count();
    ensure!(open < 20, "{open} descriptors are left");
    Ok(())
}

/// As many as a busy program has: none of them failed, as long as the server is only slow.
pub(crate) fn many_questions_to_a_slow_server() -> Result<()> {
    let Some((scene, _server)) = scene_with_server()? else { return harness::skip(MISSING) };
    let said = ask(
        &scene,
        r#"
it = socket.socket(type=socket.SOCK_DGRAM); it.settimeout(5)
sent, answers = {}, {}
def send(number):
    sent[number] = time.monotonic()
    it.sendto(question("web" if number == 999 else "later.test", number=number), SERVER)
for number in range(400): send(number); time.sleep(0.001)
send(999)
while len(answers) < 401:
    try: answer = it.recv(9999)
    except TimeoutError:
        # What was lost on the way, as nobody came to take it, is asked again, as programs do.
        for number in set(sent) - set(answers): send(number)
        continue
    number = struct.unpack("!H", answer[:2])[0]
    is_late = time.monotonic() - sent[number] > 2.9
    # A machine may be so busy that the server is slower than any patience.
    if about(answer) == "SERVFAIL 0" and is_late: send(number)
    else: answers[number] = about(answer)
print(set(answers.values()), len(answers))
"#,
    )?;
    expect_eq!(said, "{'NOERROR 1'} 401\n");
    Ok(())
}

/// Who waits to be taken in was told of again and again, as fast as it can be.
pub(crate) fn no_descriptor_is_left() -> Result<()> {
    let Some(scene) = scene(Upstream::None)? else { return harness::skip(MISSING) };
    scene.write(&[("10.231.11.2", &["web"])])?;
    let monitor = Pid::from_raw(scene.monitor).context("a process")?;
    let client = without_descriptors(monitor, || {
        let mut command = scene.container.command(&["timeout", "200", "python3", "-c"]);
        command.arg(format!("{CLIENT}print(about(tcp(question('web'))))"));
        Ok(command.stdout(Stdio::piped()).spawn()?)
    })?;
    expect_eq!(String::from_utf8(client.wait_with_output()?.stdout)?, "NOERROR 1\n");
    expect_eq!(ask(&scene, "print(about(udp(question('web'))))")?, "NOERROR 1\n");
    Ok(())
}
