//! Programs of others under the filter that containers get by default.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use kernel::seccomp::{Arg, Profile, Rule, compile, is_known};
use spec::runtime::{ArgumentRule, Seccomp, default_seccomp};
use sys::rustix::thread::set_no_new_privs;

use crate::expect_eq;
use crate::support::scratch;
use crate::support::seccomp::call;

/// What a container has without being asked.
const CAPABILITIES: &[&str] = &["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"];

fn profile<'a>(seccomp: &'a Seccomp<'_>) -> Profile<'a> {
    let arg = |it: &ArgumentRule| Arg {
        index: it.index,
        value: it.value,
        value_two: it.value_two,
        op: it.operator.name(),
    };
    let rules = seccomp.syscalls.iter().map(|rule| Rule {
        names: rule.names.iter().map(|name| &**name).collect(),
        action: rule.action.name(),
        errno: rule.errno_ret.map(u32::from),
        args: rule.args.iter().map(arg).collect(),
    });
    Profile {
        default_action: seccomp.default_action.name(),
        default_errno: seccomp.default_errno_ret.map(u32::from),
        architectures: seccomp.architectures.iter().map(|it| it.name()).collect(),
        flags: seccomp.flags.as_ref().map(|all| all.iter().map(|it| it.name()).collect()),
        syscalls: rules.collect(),
    }
}

/// Puts this process, and all that it starts, under the filter.
fn install() -> Result<()> {
    let seccomp = default_seccomp(CAPABILITIES);
    set_no_new_privs(true)?;
    compile(&profile(&seccomp))?.install()?;
    Ok(())
}

/// Runs a script of the shell under the filter, in the folder of the trial, and checks what it
/// printed last. All the programs must be there.
fn run(programs: &[&str], script: &str, last_line: &str) -> Result<()> {
    if let Some(missing) = programs.iter().find(|program| !Path::new(program).exists()) {
        return harness::skip(format!("there is no {missing}"));
    }
    install()?;
    let mut shell = Command::new("/bin/sh");
    // What the user of these tests has in front of his $PATH is not what is tried.
    shell.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir(scratch(""));
    let output = shell.args(["-euc", script]).output()?;
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    ensure!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    expect_eq!(stdout.lines().last(), Some(last_line), "of\n{stdout}\n{stderr}");
    Ok(())
}

pub(crate) fn every_name_of_it_is_known() -> Result<()> {
    let seccomp = default_seccomp(CAPABILITIES);
    let names = seccomp.syscalls.iter().flat_map(|rule| &rule.names);
    let unknown: Vec<_> = names.filter(|name| !is_known(name)).collect();
    ensure!(unknown.is_empty(), "{unknown:?}");
    let instructions = compile(&profile(&seccomp))?.instructions().len();
    ensure!(instructions < 500, "{instructions} instructions");
    Ok(())
}

pub(crate) fn what_is_refused_is_refused_in_its_way() -> Result<()> {
    install()?;
    let refused = -i64::from(libc::EPERM);
    let absent = -i64::from(libc::ENOSYS);
    expect_eq!(call(libc::SYS_mount, [0; 3]), refused, "mount");
    expect_eq!(call(libc::SYS_bpf, [0; 3]), refused, "bpf");
    expect_eq!(call(libc::SYS_reboot, [0; 3]), refused, "reboot");
    expect_eq!(call(libc::SYS_io_uring_setup, [0; 3]), absent, "io_uring_setup");
    expect_eq!(call(libc::SYS_keyctl, [0; 3]), absent, "keyctl");
    expect_eq!(call(libc::SYS_clone3, [0; 3]), absent, "clone3");
    expect_eq!(call(600, [0; 3]), absent, "a call to come");

    let user_namespace = libc::CLONE_NEWUSER as u64;
    expect_eq!(call(libc::SYS_unshare, [user_namespace, 0, 0]), absent, "a namespace");
    expect_eq!(call(libc::SYS_unshare, [libc::CLONE_FILES as u64, 0, 0]), 0, "its own files");
    expect_eq!(call(libc::SYS_clone, [user_namespace | 17, 0, 0]), absent, "born in one");

    let socket = |family: i32, kind: i32| {
        let [family, kind] = [family, kind].map(|it| u64::from(it.cast_unsigned()));
        call(libc::SYS_socket, [family, kind, 0])
    };
    ensure!(socket(libc::AF_UNIX, libc::SOCK_STREAM) > 0, "a unix socket");
    ensure!(socket(libc::AF_INET6, libc::SOCK_DGRAM) > 0, "an IPv6 socket");
    for family in [libc::AF_ALG, libc::AF_VSOCK, libc::AF_X25, libc::AF_KEY, -1] {
        let result = socket(family, libc::SOCK_SEQPACKET);
        expect_eq!(result, -i64::from(libc::EAFNOSUPPORT), "family {family}");
    }

    let personality =
        |persona: i32| call(libc::SYS_personality, [u64::from(persona.cast_unsigned()), 0, 0]);
    let before = personality(-1);
    ensure!(before >= 0, "the query");
    expect_eq!(personality(libc::ADDR_NO_RANDOMIZE), before, "no randomization");
    expect_eq!(personality(libc::READ_IMPLIES_EXEC), absent, "executable stacks");
    Ok(())
}

pub(crate) fn shells_and_tools() -> Result<()> {
    run(
        &["/bin/sh", "/usr/bin/perl", "/bin/tar"],
        r#"
        mkdir -p a/b; seq 1000 > a/b/c; ln -s c a/b/d; ln a/b/c a/b/e; mkfifo a/f
        tar cf - a | gzip | gzip -d | tar xf - -C "$(mktemp -d -p .)"
        sort -rn a/b/c | head -1 | grep -q 1000
        find . -newer a/b/c | xargs -n 1 ls -ld > /dev/null
        cp -a a copy; mv copy other; chmod -R a+r other; rm -r other; touch -d yesterday a; df . > /dev/null
        timeout 5 sleep 0.01; nice -n 5 true; setsid true; ps aux > /dev/null; id > /dev/null
        perl -MSocket -MPOSIX -e 'socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0) or die;
            if (!fork) { syswrite $b, "x"; POSIX::_exit(0) } sysread $a, my $x, 1; wait; die if $x ne "x"'
        echo done"#,
        "done",
    )
}

pub(crate) fn python() -> Result<()> {
    run(
        &["/usr/bin/python3"],
        r#"/usr/bin/python3 -c '
import asyncio, ctypes, mmap, multiprocessing, os, select, signal, socket, sqlite3, subprocess
import tempfile, threading, time
with multiprocessing.Pool(2) as pool: assert pool.map(abs, [-1, -2]) == [1, 2]
assert subprocess.run(["echo", "x"], capture_output=True).stdout == b"x\n"
async def serve():
    async def answer(reader, writer): writer.write(await reader.read(1)); writer.close()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"y"); assert await reader.read(1) == b"y"
    process = await asyncio.create_subprocess_exec("true"); await process.wait()
asyncio.run(serve())
threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(20)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
base = sqlite3.connect("base"); base.execute("pragma journal_mode=wal"); base.execute("create table t (x)"); base.commit()
with tempfile.TemporaryFile() as file:
    file.truncate(4096); memory = mmap.mmap(file.fileno(), 4096); memory[0] = 1; memory.flush()
    os.posix_fallocate(file.fileno(), 0, 8192); os.sendfile; os.fsync(file.fileno())
os.memfd_create("m"); os.pidfd_open(os.getpid()); os.sched_setaffinity(0, os.sched_getaffinity(0))
signal.setitimer(signal.ITIMER_REAL, 10); signal.alarm(0); os.getrandom(8); os.eventfd(0)
poll = select.epoll(); poll.close(); assert os.getxattr is not None
print("done")'"#,
        "done",
    )
}

pub(crate) fn a_compiler_and_threads() -> Result<()> {
    run(
        &["/usr/bin/gcc"],
        r#"printf '%s\n' '#include <pthread.h>' '#include <stdio.h>' \
            'static void *add(void *x) { ++*(int *)x; return x; }' \
            'int main(void) { pthread_t t; int x = 41; pthread_create(&t, 0, add, &x);' \
            'pthread_join(t, 0); printf("%d\n", x); return 0; }' > program.c
        gcc -O2 -pthread program.c -o program; ./program"#,
        "42",
    )
}

pub(crate) fn node() -> Result<()> {
    run(
        &["/usr/bin/node"],
        r#"node -e '
const { Worker } = require("worker_threads"), http = require("http"), fs = require("fs");
require("child_process").execSync("true"); fs.watch(".").close(); fs.writeFileSync("x", "x");
new Worker("require(\"worker_threads\").parentPort.postMessage(1)", { eval: true }).on("message", () => {
  const server = http.createServer((_, answer) => answer.end("done")).listen(0, "127.0.0.1", () =>
    http.get({ port: server.address().port, host: "127.0.0.1" }, response => {
      response.on("data", data => console.log(String(data))); server.close(); }));
});'"#,
        "done",
    )
}

pub(crate) fn java() -> Result<()> {
    if std::fs::read_to_string("/proc/cpuinfo")?.contains("QEMU TCG") {
        // With or without a filter, now and then.
        return harness::skip("what it compiles crashes on an emulated processor");
    }
    run(
        &["/usr/bin/java", "/usr/bin/javac"],
        r#"cat > Program.java <<'END'
import java.net.*; import java.nio.file.*; import java.util.stream.*;
class Program {
    public static void main(String[] arguments) throws Exception {
        long sum = LongStream.range(0, 1000000).parallel().sum();
        Files.writeString(Path.of("y"), "y");
        new ProcessBuilder("true").start().waitFor();
        try (var server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            var client = new Thread(() -> { try { new Socket(server.getInetAddress(), server.getLocalPort()).close(); } catch (Exception e) { } });
            client.start(); server.accept().close(); client.join();
        }
        System.gc();
        System.out.println(sum);
    }
}
END
        java Program.java"#,
        "499999500000",
    )
}

pub(crate) fn redis() -> Result<()> {
    run(
        &["/usr/bin/redis-server", "/usr/bin/redis-cli"],
        r#"redis-server --port 0 --unixsocket "$PWD/socket" --daemonize yes --dir "$PWD" \
            --appendonly yes --pidfile "$PWD/pid" > log
        ask() { redis-cli -s socket "$@"; }
        while ! ask ping > /dev/null 2>&1; do sleep 0.05; done
        ask set a b > /dev/null; ask bgsave > /dev/null; ask bgrewriteaof > /dev/null
        while [ ! -e dump.rdb ]; do sleep 0.05; done
        ask get a; ask shutdown || true"#,
        "b",
    )
}

pub(crate) fn nginx() -> Result<()> {
    run(
        &["/usr/sbin/nginx", "/usr/bin/perl"],
        r#"mkdir html logs; echo done > html/index.html; chmod -R a+rX .
        cat > nginx.conf <<END
pid $PWD/pid; error_log $PWD/logs/error; worker_processes 2;
events { worker_connections 64; }
http { access_log $PWD/logs/access; client_body_temp_path $PWD/b; proxy_temp_path $PWD/p;
  fastcgi_temp_path $PWD/f; uwsgi_temp_path $PWD/u; scgi_temp_path $PWD/s; aio threads; sendfile on;
  server { listen unix:$PWD/socket; root $PWD/html; } }
END
        nginx -c "$PWD/nginx.conf"
        perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un("socket")) or die $!;
            syswrite S, "GET / HTTP/1.0\r\n\r\n"; print while <S>'
        nginx -c "$PWD/nginx.conf" -s quit
        while [ -e pid ]; do sleep 0.05; done"#,
        "done",
    )
}

pub(crate) fn postgresql() -> Result<()> {
    run(
        &["/usr/lib/postgresql/15/bin/postgres", "/usr/bin/setpriv"],
        r#"chmod a+x . ..; mkdir data; chown postgres data
        as_user() { setpriv --reuid postgres --regid postgres --clear-groups env LANG=C "$@"; }
        bin=/usr/lib/postgresql/15/bin
        as_user $bin/initdb -D data > log
        as_user $bin/pg_ctl -D data -w -l data/log -o "-c listen_addresses= -k $PWD/data" start > log
        as_user psql -h "$PWD/data" -Atc 'create table t as select generate_series(1, 1000) as x' postgres > log
        as_user psql -h "$PWD/data" -Atc 'vacuum analyze t' postgres > log
        as_user psql -h "$PWD/data" -Atc 'select sum(x) from t' postgres
        as_user $bin/pg_ctl -D data -w stop > log"#,
        "500500",
    )
}
