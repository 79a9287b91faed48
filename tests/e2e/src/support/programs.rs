//! Programs of others and work for them, to be tried under the restrictions of a container.

use std::path::Path;

use anyhow::Result;

/// A program and what it does.
pub(crate) struct Work {
    /// What must be there.
    programs: &'static [&'static str],
    /// For a shell, in an empty folder.
    pub(crate) script: &'static str,
    /// What is printed last.
    pub(crate) last_line: &'static str,
}

/// Where the programs are: what the user of these tests has in front of his `$PATH` is not what
/// is tried.
pub(crate) const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

impl Work {
    /// Skips the trial where a program is missing.
    pub(crate) fn is_possible(&self) -> Result<()> {
        match self.programs.iter().find(|program| !Path::new(program).exists()) {
            Some(missing) => harness::skip(format!("there is no {missing}")),
            None => Ok(()),
        }
    }
}

/// A shell, and what is called from one.
pub(crate) const SHELL: Work = Work {
    programs: &["/bin/sh", "/usr/bin/perl", "/bin/tar"],
    script: r#"
        mkdir -p a/b; seq 1000 > a/b/c; ln -s c a/b/d; ln a/b/c a/b/e; mkfifo a/f
        tar cf - a | gzip | gzip -d | tar xf - -C "$(mktemp -d -p .)"
        sort -rn a/b/c | head -1 | grep -q 1000
        find . -newer a/b/c | xargs -n 1 ls -ld > /dev/null
        cp -a a copy; mv copy other; chmod -R a+r other; rm -r other; touch -d yesterday a; df . > /dev/null
        timeout 5 sleep 0.01; nice -n 5 true; setsid true; ps aux > /dev/null; id > /dev/null
        perl -MSocket -MPOSIX -e 'socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0) or die;
            if (!fork) { syswrite $b, "x"; POSIX::_exit(0) } sysread $a, my $x, 1; wait; die if $x ne "x"'
        echo done"#,
    last_line: "done",
};

/// Python: processes, sockets, threads, a database.
pub(crate) const PYTHON: Work = Work {
    programs: &["/usr/bin/python3"],
    script: r#"/usr/bin/python3 -c '
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
    last_line: "done",
};

/// A compiler, and threads.
pub(crate) const COMPILER: Work = Work {
    programs: &["/usr/bin/gcc"],
    script: r#"printf '%s\n' '#include <pthread.h>' '#include <stdio.h>' \
            'static void *add(void *x) { ++*(int *)x; return x; }' \
            'int main(void) { pthread_t t; int x = 41; pthread_create(&t, 0, add, &x);' \
            'pthread_join(t, 0); printf("%d\n", x); return 0; }' > program.c
        gcc -O2 -pthread program.c -o program; ./program"#,
    last_line: "42",
};

/// Node: a worker, a server and its client.
pub(crate) const NODE: Work = Work {
    programs: &["/usr/bin/node"],
    script: r#"node -e '
const { Worker } = require("worker_threads"), http = require("http"), fs = require("fs");
require("child_process").execSync("true"); fs.watch(".").close(); fs.writeFileSync("x", "x");
new Worker("require(\"worker_threads\").parentPort.postMessage(1)", { eval: true }).on("message", () => {
  const server = http.createServer((_, answer) => answer.end("done")).listen(0, "127.0.0.1", () =>
    http.get({ port: server.address().port, host: "127.0.0.1" }, response => {
      response.on("data", data => console.log(String(data))); server.close(); }));
});'"#,
    last_line: "done",
};

/// A Java virtual machine that runs JavaScript: threads, sockets, garbage, a process.
pub(crate) const JAVA: Work = Work {
    programs: &["/usr/bin/java", "/usr/share/java/js.jar"],
    script: r#"cat > program.js <<'END'
importPackage(java.lang, java.net, java.nio.file);
var total = new java.util.concurrent.atomic.AtomicLong(), threads = [];
for (var i = 0; i < 4; i++)
    threads.push(new Thread(function () {
        for (var j = 0, kept = []; j < 50000; j++) { kept.push("x" + j); total.incrementAndGet(); }
    }));
threads.forEach(function (it) { it.start(); });
var server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
var client = new Thread(function () {
    new Socket(server.getInetAddress(), server.getLocalPort()).close();
});
client.start(); server.accept().close(); client.join();
threads.forEach(function (it) { it.join(); });
Files.writeString(Paths.get("y"), "y");
new ProcessBuilder("true").start().waitFor();
System.gc();
print(total.get());
END
        java -cp /usr/share/java/js.jar org.mozilla.javascript.tools.shell.Main program.js"#,
    last_line: "200000",
};

/// Redis: values, and a copy written by a child.
pub(crate) const REDIS: Work = Work {
    programs: &["/usr/bin/redis-server", "/usr/bin/redis-cli"],
    script: r#"redis-server --port 0 --unixsocket "$PWD/socket" --daemonize yes --dir "$PWD" \
            --appendonly yes --pidfile "$PWD/pid" > log
        ask() { redis-cli -s socket "$@"; }
        while ! ask ping > /dev/null 2>&1; do sleep 0.05; done
        ask set a b > /dev/null; ask bgsave > /dev/null; ask bgrewriteaof > /dev/null
        while [ ! -e dump.rdb ]; do sleep 0.05; done
        ask get a; ask shutdown || true"#,
    last_line: "b",
};

/// nginx: workers with threads that serve a file.
pub(crate) const NGINX: Work = Work {
    programs: &["/usr/sbin/nginx", "/usr/bin/perl"],
    script: r#"mkdir html logs; echo done > html/index.html; chmod -R a+rX .
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
    last_line: "done",
};

/// PostgreSQL under its own user: a cluster, tables, queries.
pub(crate) const POSTGRESQL: Work = Work {
    programs: &["/usr/lib/postgresql/15/bin/postgres", "/usr/bin/setpriv"],
    script: r#"chmod a+x . ..; mkdir data; chown postgres data
        as_user() { setpriv --reuid postgres --regid postgres --clear-groups env LANG=C "$@"; }
        bin=/usr/lib/postgresql/15/bin
        as_user $bin/initdb -D data > log
        as_user $bin/pg_ctl -D data -w -l data/log -o "-c listen_addresses= -k $PWD/data" start > log
        as_user psql -h "$PWD/data" -Atc 'create table t as select generate_series(1, 1000) as x' postgres > log
        as_user psql -h "$PWD/data" -Atc 'vacuum analyze t' postgres > log
        as_user psql -h "$PWD/data" -Atc 'select sum(x) from t' postgres
        as_user $bin/pg_ctl -D data -w stop > log"#,
    last_line: "500500",
};
