//! Terminals and descriptors.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::{Bundle, Container, receive};
use crate::expect_eq;
use crate::support::pty::Pty;
use crate::support::{scratch, until};

/// A socket as callers open it for `--console-socket`.
pub(super) struct ConsoleSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ConsoleSocket {
    pub(super) fn open() -> Result<Self> {
        let path = scratch("console");
        if path.exists() {
            std::fs::remove_file(&path)?;
        }
        Ok(Self { listener: UnixListener::bind(&path)?, path })
    }

    pub(super) fn flag(&self) -> String {
        format!("--console-socket={}", self.path.display())
    }

    /// Takes no notice of what has been sent.
    pub(super) fn forget(&self) {
        if self.listener.set_nonblocking(true).is_ok() {
            while self.listener.accept().is_ok() {}
        }
    }

    /// Nobody has sent anything.
    pub(super) fn expect_nothing(&self) -> Result<()> {
        self.listener.set_nonblocking(true)?;
        while let Ok((stream, _)) = self.listener.accept() {
            let (bytes, descriptors) = receive(&stream)?;
            ensure!(bytes.is_empty() && descriptors.is_empty(), "{bytes:?} and {descriptors:?}");
        }
        Ok(())
    }

    /// The keyboard and screen of the terminal that the runtime has made.
    pub(super) fn receive(&self) -> Result<Console> {
        // It was sent before the command ended.
        self.listener.set_nonblocking(true)?;
        let (stream, _) = self.listener.accept().context("nobody connected")?;
        let (_, mut received) = receive(&stream)?;
        expect_eq!(received.len(), 1, "descriptors that were sent");
        let master = received.pop().context("a descriptor")?;
        ensure!(rustix::termios::isatty(&master), "what was sent is no terminal");
        rustix::fs::fcntl_setfl(&master, rustix::fs::OFlags::NONBLOCK)?;
        Ok(Console { master: master.into(), screen: String::new() })
    }
}

pub(super) struct Console {
    master: File,
    screen: String,
}

impl Console {
    pub(super) fn see(&mut self, text: &str) -> Result<()> {
        let found = until(&format!("the screen shows {text:?}"), || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = self.master.read(&mut bytes) {
                self.screen.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
            self.screen.contains(text)
        });
        found.with_context(|| format!("it shows {:?}", self.screen))
    }
}

fn with_terminal(script: &str) -> Result<Bundle> {
    Ok(Bundle::script(script)?.set("/process/terminal", true))
}

const TALK: &str = "tty; stty size; readlink /proc/self/fd/2; stat -c %t:%T /dev/console; \
    read line; echo got $line; sleep 1000; echo over";

pub(crate) fn a_terminal_is_sent_to_the_console_socket() -> Result<()> {
    let socket = ConsoleSocket::open()?;
    let bundle =
        with_terminal(TALK)?.set("/process/consoleSize", json!({ "height": 33, "width": 99 }));
    let container = Container::new(bundle)?;
    container.create_with(&[&socket.flag()])?;
    let mut console = socket.receive()?;
    container.tell("start", &[])?.expect_code(0)?;
    console.see("/dev/pts/0\r\n33 99\r\n/dev/pts/0\r\n")?;
    console.master.write_all(b"a word\n")?;
    console.see("got a word\r\n")?;
    // Ctrl-C reaches its foreground group: it is the controlling terminal.
    console.master.write_all(b"\x03")?;
    container.wait_status("stopped")?;
    container.delete()
}

/// It belongs to the container's own instance of devpts and to its user.
pub(crate) fn the_terminal_belongs_to_the_user() -> Result<()> {
    let socket = ConsoleSocket::open()?;
    let bundle =
        with_terminal("stat -c '%u %a' $(tty); echo x > /dev/console; tty < /dev/console")?
            .set("/process/user/uid", 1000);
    let container = Container::new(bundle)?;
    container.create_with(&[&socket.flag()])?;
    let mut console = socket.receive()?;
    container.tell("start", &[])?.expect_code(0)?;
    console.see("1000 620\r\nx\r\n/dev/console\r\n")
}

pub(crate) fn a_terminal_without_a_socket_is_refused() -> Result<()> {
    let container = Container::new(with_terminal("true")?)?;
    let finished = container.launch_new("create", &[]).finish()?;
    ensure!(finished.code()? != 0, "it was created");
    finished.expect_stderr("console")?;
    container.expect_gone()?;
    // And a socket without a terminal.
    let socket = ConsoleSocket::open()?;
    let container = Container::new(Bundle::script("true")?)?;
    let finished = container.launch_new("create", &[&socket.flag()]).finish()?;
    ensure!(finished.code()? != 0, "it was created");
    container.expect_gone()
}

pub(crate) fn exec_has_a_terminal_of_its_own() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let socket = ConsoleSocket::open()?;
    let flags = ["--tty", "--detach", &socket.flag()];
    container.tell_with("exec", &flags, &["/bin/sh", "-c", TALK])?.expect_code(0)?;
    let mut console = socket.receive()?;
    console.see("/dev/pts/0\r\n")?;
    console.master.write_all(b"a word\n")?;
    console.see("got a word\r\n")
}

/// `run` on a terminal: keys, size, raw mode, and the terminal as it was afterwards.
pub(crate) fn run_connects_two_terminals() -> Result<()> {
    let script = "tty; stty size; while read line; do \
        [ \"$line\" = end ] && exit 5; echo got $line $(stty size); done";
    let container = Container::new(with_terminal(script)?)?;
    let (mut pty, slave) = Pty::open()?;
    let size = |rows, columns| rustix::termios::Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&slave, size(40, 100))?;
    let before = rustix::termios::tcgetattr(&slave)?;
    let kept = slave.try_clone()?;
    let running = container.launch_new("run", &[]).terminal(slave).start()?;
    pty.see("/dev/pts/0\r\n40 100\r\n")?;
    pty.type_text("a word\n")?;
    pty.see("got a word 40 100\r\n")?;
    rustix::termios::tcsetwinsize(&kept, size(41, 101))?;
    until("the size has changed inside", || {
        pty.type_text("more\n").is_ok() && pty.screen().contains("41 101")
    })?;
    pty.type_text("end\n")?;
    running.finish()?.expect_code(5)?;
    let after = rustix::termios::tcgetattr(&kept)?;
    expect_eq!(after.local_modes, before.local_modes, "modes of the terminal afterwards");
    expect_eq!(after.input_modes, before.input_modes, "modes of the terminal afterwards");
    Ok(())
}

/// A script that reads what a terminal prints gets lines as from a file, not those of a screen.
pub(crate) fn a_script_reads_plain_lines_of_a_terminal() -> Result<()> {
    let talk = "tty; echo to stderr >&2";
    let container = Container::new(with_terminal(talk)?)?;
    expect_eq!(container.output()?, "/dev/pts/0\nto stderr\n", "run");
    let service = Container::new(Bundle::service()?)?;
    service.start_service()?;
    let said = service.tell_with("exec", &["--tty"], &["/bin/sh", "-c", talk])?;
    expect_eq!(said.stdout, "/dev/pts/0\nto stderr\n", "exec");
    Ok(())
}

pub(crate) fn descriptors_are_handed_on_by_number() -> Result<()> {
    let bundle = Bundle::script("ls /proc/self/fd | tr '\\n' ' '; cat <&3; cat <&4")?;
    let container = Container::new(bundle)?;
    let (one, two) = (scratch("one"), scratch("two"));
    std::fs::write(&one, "one\n")?;
    std::fs::write(&two, "two\n")?;
    let open = |path: &PathBuf| -> Result<OwnedFd> { Ok(File::open(path)?.into()) };
    let launch = container.launch_new("run", &["--preserve-fds", "2"]);
    let launch = launch.pass(open(&one)?, 3).pass(open(&two)?, 4).pass(open(&two)?, 5);
    let finished = launch.finish()?;
    finished.expect_code(0)?;
    // 5 is the folder that `ls` lists; the caller's own 5 was not asked for.
    expect_eq!(finished.stdout, "0 1 2 3 4 5 one\ntwo\n");
    Ok(())
}

/// Socket activation, as systemd passes it through a runtime.
pub(crate) fn descriptors_of_socket_activation_are_handed_on() -> Result<()> {
    let bundle = Bundle::script("echo $LISTEN_FDS $LISTEN_PID $$ $LISTEN_FDNAMES; cat <&3")?;
    let container = Container::new(bundle)?;
    std::fs::write(scratch("one"), "one\n")?;
    let file: OwnedFd = File::open(scratch("one"))?.into();
    let launch = container.launch_new("run", &[]).env("LISTEN_FDS=1").env("LISTEN_FDNAMES=a");
    let finished = launch.env_own_pid("LISTEN_PID").pass(file, 3).finish()?;
    finished.expect_code(0)?;
    expect_eq!(finished.stdout, "1 1 1 a\none\n");
    Ok(())
}

pub(crate) fn exec_hands_descriptors_on() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    std::fs::write(scratch("one"), "one\n")?;
    let file: OwnedFd = File::open(scratch("one"))?.into();
    let script = "ls /proc/self/fd | tr '\\n' ' '; cat <&3";
    let words = ["exec", "--preserve-fds", "1", &container.id, "/bin/sh", "-c", script];
    let finished = container.launch(&words).pass(file, 3).finish()?;
    finished.expect_code(0)?;
    expect_eq!(finished.stdout, "0 1 2 3 4 one\n");
    Ok(())
}

/// More than there are is a mistake, not a reason to hand on what the runtime has open itself.
pub(crate) fn descriptors_that_are_not_there_are_refused() -> Result<()> {
    let container = Container::new(Bundle::script("ls -l /proc/self/fd")?)?;
    let finished = container.launch_new("run", &["--preserve-fds", "3"]).finish()?;
    if finished.code()? == 0 {
        let standard = |line: &str| [" 0 ->", " 1 ->", " 2 ->"].iter().any(|it| line.contains(it));
        let own = |line: &&str| {
            ["pipe:", "socket:", "anon_inode", "memfd"].iter().any(|it| line.contains(it))
        };
        let foreign = finished.stdout.lines().filter(own).filter(|line| !standard(line));
        expect_eq!(foreign.collect::<Vec<_>>(), Vec::<&str>::new(), "descriptors of the runtime");
    }
    Ok(())
}

/// Of the container's first process, and of one that is added.
pub(crate) fn a_pidfd_is_sent_to_its_socket() -> Result<()> {
    let path = scratch("pidfd");
    let listener = UnixListener::bind(&path)?;
    listener.set_nonblocking(true)?;
    let flag = format!("--pidfd-socket={}", path.display());
    let sent = || -> Result<String> {
        let (stream, _) = listener.accept().context("nobody connected")?;
        let (_, received) = receive(&stream)?;
        let pidfd = received.first().context("no descriptor was sent")?;
        let path = format!("/proc/self/fdinfo/{}", std::os::fd::AsRawFd::as_raw_fd(pidfd));
        let information = std::fs::read_to_string(path)?;
        let line = information.lines().find_map(|line| line.strip_prefix("Pid:"));
        Ok(line.context("what was sent is no pidfd")?.trim().to_owned())
    };
    let container = Container::new(Bundle::service()?)?;
    container.create_with(&[&flag])?;
    expect_eq!(sent()?, container.pid()?.to_string());
    container.tell("start", &[])?.expect_code(0)?;
    // It becomes a child of this one.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let file = scratch("pid");
    let flags = [&*flag, "--detach", "--pid-file", &file.to_string_lossy()];
    container.tell_with("exec", &flags, &["/bin/sleep", "1000"])?.expect_code(0)?;
    expect_eq!(sent()?, std::fs::read_to_string(&file)?);
    let deletion = container.launch(&["delete", "--force", &container.id]).start()?;
    crate::support::sys::wait(std::fs::read_to_string(&file)?.parse()?, 0)?;
    deletion.finish()?.expect_code(0)?;
    container.expect_gone()
}
