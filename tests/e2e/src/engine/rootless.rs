//! Networks of a user without rights. The trial's namespace plays the machine.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::support::{Engine, end_of};
use crate::expect_eq;
use crate::net::world::{
    ECHO, MISSING, Server, ask, ask_by_tcp, ask_by_udp, ask_in_vain, has_programs, other_machine,
    python, run,
};
use crate::support::{processes, scratch, until};

pub(super) const USER: u32 = 23_457;

/// `tinyo` as a user with a store of its own.
pub(super) struct User {
    program: PathBuf,
    pub(super) home: PathBuf,
    /// The machine's root has the same folders.
    pub(super) engine: Engine,
}

impl User {
    pub(super) fn new() -> Result<User> {
        let engine = Engine::new()?;
        let program = scratch("tinyo");
        fs::copy(harness::tinyo(), &program)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let home = scratch("user");
        fs::create_dir_all(&home)?;
        for folder in [std::env::temp_dir(), home.clone()] {
            chown(folder, Some(USER), Some(USER))?;
        }
        let user = User { program, home, engine };
        user.ok(&["import", scratch("box.tar").to_str().context("UTF-8")?, "box"])?;
        Ok(user)
    }

    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(self.home.join("store")).args(words).env_clear();
        command.uid(USER).gid(USER).stdin(Stdio::null());
        command.env("HOME", &self.home).env("PATH", "/usr/bin:/bin");
        command
    }

    pub(super) fn ok(&self, words: &[&str]) -> Result<String> {
        let done = end_of(&mut self.command(words))?;
        ensure!(done.code == Some(0), "{words:?}: {done:#?}");
        Ok(done.stdout.trim_end().to_owned())
    }

    pub(super) fn fails(&self, words: &[&str], expected: &str) -> Result<()> {
        let done = end_of(&mut self.command(words))?;
        let is_so = done.code == Some(125) && done.stderr.contains(expected);
        ensure!(is_so, "{words:?}: expected {expected:?}: {done:#?}");
        Ok(())
    }

    /// Starts a container that serves [`ECHO`], and waits for it.
    fn serve(&self, name: &str, flags: &[&str]) -> Result<String> {
        // The image has no Python; the machine's is enough.
        let usr = ["-v", "/usr:/usr:ro", "-v", "/usr/lib:/lib:ro", "-v", "/usr/lib64:/lib64:ro"];
        let program = ["box", "python3", "-uc", ECHO];
        let words = [&["run", "-d", "--name", name], flags, &usr, &program];
        let id = self.ok(&words.concat())?;
        until("it serves", || self.ok(&["logs", name]).is_ok_and(|text| text == "ready"))?;
        Ok(id)
    }

    /// What a program in Python prints in a container.
    fn python(&self, name: &str, program: &str) -> Result<String> {
        self.ok(&["exec", name, "python3", "-c", program]).map(|text| text + "\n")
    }

    /// Its monitor.
    pub(super) fn monitor(id: &str) -> Result<i32> {
        let is_it = |pid: &i32| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| {
                let words = String::from_utf8_lossy(&words).into_owned();
                words.contains("monitor") && words.contains(id)
            })
        };
        let mut all = processes::all().into_iter().map(|(pid, _)| pid);
        all.find(is_it).with_context(|| format!("container {id} has no monitor"))
    }

    /// The helper of a container, which is below its monitor.
    fn helper(id: &str) -> Result<i32> {
        let below = processes::children(User::monitor(id)?);
        let mut helpers = below.into_iter().flat_map(processes::children).filter(|pid| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| {
                let words = String::from_utf8_lossy(&words).into_owned();
                words.contains("pasta") || words.contains("slirp4netns")
            })
        });
        helpers.next_back().context("there is no helper")
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // The guard kills what lives.
        let _ = self.command(&["pod", "rm", "-f", "-a", "-t", "0"]).output();
        let _ = self.command(&["rm", "-f", "-a", "-v"]).output();
    }
}

fn is_missing(programs: &[&str]) -> bool {
    let is_there = |name: &&str| fs::metadata(format!("/usr/bin/{name}")).is_ok();
    !has_programs() || !programs.iter().all(is_there)
}

fn python_command(program: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-uc", program]).stdin(Stdio::null());
    command
}

fn both(text: &str) -> String {
    format!("{text}\n{text}\n")
}

/// Each had made a user namespace of its own, and no command reached the containers of both.
pub(super) fn two_first_commands_at_once() -> Result<()> {
    let user = User::new()?;
    for round in 0..3 {
        let name = |number: usize| format!("c{round}{number}");
        let run = |number: usize| {
            let name = name(number);
            let words = ["run", "-d", "--network", "none", "--name", &name, "box", "sleep", "1000"];
            user.command(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
        };
        let all: Vec<_> = (0..6).map(run).collect::<std::io::Result<_>>()?;
        for one in all {
            let done = one.wait_with_output()?;
            ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        let mut namespaces = Vec::new();
        for pid in user.ok(&["ps", "--format={{.Pid}}"])?.lines() {
            namespaces.push(fs::read_link(format!("/proc/{pid}/ns/user"))?);
        }
        expect_eq!(namespaces.len(), 6);
        namespaces.dedup();
        expect_eq!(namespaces.len(), 1, "{namespaces:?}");
        for number in 0..6 {
            expect_eq!(user.ok(&["exec", &name(number), "id", "-u"])?, "0");
        }
        // Then nobody is there, and the next ones are the first again.
        user.ok(&["rm", "-f", "-a"])?;
    }
    Ok(())
}

/// Ports over TCP and UDP with the client's address, and the world outside.
pub(super) fn ports_and_the_world() -> Result<()> {
    if is_missing(&["pasta"]) {
        return harness::skip(format!("{MISSING}, or no passt"));
    }
    let user = User::new()?;
    let other = other_machine()?;
    let _server = other.serve(ECHO)?;
    run("ip route add default via 192.0.2.2")?;
    user.serve("web", &["-p", "8080:80/tcp", "-p", "8080:80/udp"])?;
    expect_eq!(other.python(&ask("192.0.2.1", 8080))?, both("192.0.2.2"));
    // Over TCP alone: the helpers of Debian 12 lose what is answered over UDP there.
    ensure!(
        !python(&ask_by_tcp("127.0.0.1", 8080))?.starts_with("None"),
        "no way from the loopback"
    );
    ensure!(user.ok(&["port", "web", "80/tcp"])?.starts_with("0.0.0.0:8080"), "no port is shown");
    // Out, and not to what the machine has on its loopback.
    expect_eq!(user.python("web", &ask("192.0.2.2", 80))?, both("192.0.2.1"));
    let _secret = Server::start(python_command(ECHO))?;
    ensure!(python(&ask("127.0.0.1", 80))?.starts_with("127.0.0.1"), "there is no secret");
    expect_eq!(user.python("web", &ask_in_vain("10.0.2.2", 80))?, both("None"));
    let taken = "8080:80/tcp cannot be published: another container or program has it";
    user.fails(&["run", "-p", "8080:80", "box", "true"], taken)?;
    user.fails(&["run", "-p", "80:80/sctp", "box", "true"], "only root can do that")?;
    user.ok(&["rm", "-f", "web"])?;
    drop(TcpListener::bind("0.0.0.0:8080")?);
    Ok(())
}

/// His containers find each other, in the networks that they are in and in no other.
pub(super) fn names_and_own_networks() -> Result<()> {
    if is_missing(&["pasta"]) {
        return harness::skip(format!("{MISSING}, or no passt"));
    }
    let user = User::new()?;
    let _other = other_machine()?;
    run("ip route add default via 192.0.2.2")?;
    let id = user.serve("web", &[])?;
    // By name, from one that comes later, and from one in another network not at all.
    user.serve("late", &[])?;
    ensure!(!user.python("late", &ask("web", 80))?.contains("None"), "no way to web");
    ensure!(!user.python("web", &ask(&id[..12], 80))?.contains("None"), "no way to itself by id");
    user.ok(&["network", "create", "--internal", "inner"])?;
    user.serve("apart", &["--network", "inner:alias=store,interface_name=net7"])?;
    ensure!(user.ok(&["exec", "apart", "ip", "addr"])?.contains("net7"), "no device net7");
    expect_eq!(user.python("late", &ask_in_vain("apart", 80))?, both("None"));
    expect_eq!(user.python("apart", &ask_in_vain("192.0.2.2", 80))?, both("None"));
    user.ok(&["network", "connect", "inner", "late"])?;
    ensure!(!user.python("late", &ask("store", 80))?.contains("None"), "no way to store");
    user.ok(&["network", "disconnect", "inner", "late"])?;
    expect_eq!(user.python("late", &ask_in_vain("store", 80))?, both("None"));
    user.ok(&["rm", "-f", "-a"])?;
    user.ok(&["network", "rm", "inner"]).map(drop)
}

/// `pasta`, where it can do all that is asked for, has the machine's own addresses.
pub(super) fn pasta_where_it_can() -> Result<()> {
    if is_missing(&["pasta"]) {
        return harness::skip(format!("{MISSING}, or no passt"));
    }
    let user = User::new()?;
    let other = other_machine()?;
    let _server = other.serve(ECHO)?;
    run("ip route add default via 192.0.2.2")?;
    let id = user.serve("web", &["-p", "8080:80/udp"])?;
    let words = fs::read(format!("/proc/{}/cmdline", User::helper(&id)?))?;
    ensure!(String::from_utf8_lossy(&words).contains("pasta"), "another helper");
    ensure!(user.ok(&["exec", "web", "ip", "addr"])?.contains("192.0.2.1/24"), "another address");
    expect_eq!(other.python(&ask_by_udp("192.0.2.1", 8080))?, "None\n192.0.2.2\n");
    let asked = user.python("web", &ask("192.0.2.2", 80))?;
    ensure!(asked.ends_with("\n192.0.2.1\n"), "{asked}");
    let _secret = Server::start(python_command(ECHO))?;
    // What it listens on itself is its own, and nothing leads to the machine's.
    user.ok(&["run", "-d", "--name", "idle", "box", "sleep", "100"])?;
    let done = user.ok(&["exec", "idle", "sh", "-c", "busybox nc -w 1 127.0.0.1 80; echo $?"])?;
    ensure!(done.ends_with('1'), "{done}");
    Ok(())
}

/// Whatever is killed, nothing stays, and what can be had again is.
pub(super) fn helpers_end_with_their_containers() -> Result<()> {
    if is_missing(&["pasta"]) {
        return harness::skip(format!("{MISSING}, or no passt"));
    }
    let user = User::new()?;
    let other = other_machine()?;
    run("ip route add default via 192.0.2.2")?;
    let id = user.serve("web", &["-p", "8080:80/tcp", "-p", "8080:80/udp"])?;
    // A helper that somebody kills comes back; one that was there for no time does not.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let first = User::helper(&id)?;
    crate::support::sys::send(first, libc::SIGKILL)?;
    until("it is reached again", || {
        other.python(&ask_in_vain("192.0.2.1", 8080)).is_ok_and(|text| text == both("192.0.2.2"))
    })?;
    let second = User::helper(&id)?;
    ensure!(second != first, "it was not killed");
    crate::support::sys::send(User::monitor(&id)?, libc::SIGKILL)?;
    until("the helper has ended", || !processes::all().iter().any(|(pid, _)| *pid == second))?;
    drop(TcpListener::bind("0.0.0.0:8080")?);
    expect_eq!(user.ok(&["ps", "-a", "--format={{.State}}"])?, "exited");
    // It is where it was when it is started again, after a stop, too.
    user.ok(&["start", "web"])?;
    user.ok(&["restart", "-t", "0", "web"])?;
    until("it is reached", || {
        other.python(&ask_in_vain("192.0.2.1", 8080)).is_ok_and(|text| text == both("192.0.2.2"))
    })?;
    let last = User::helper(&id)?;
    user.ok(&["stop", "-t", "0", "web"])?;
    until("the helper has ended", || !processes::all().iter().any(|(pid, _)| *pid == last))
}

/// Where there is no way into the world, `pasta` cannot be used, and `slirp4netns` is.
pub(super) fn without_a_default_route() -> Result<()> {
    if is_missing(&["slirp4netns"]) {
        return harness::skip(format!("{MISSING}, or no slirp4netns"));
    }
    let user = User::new()?;
    user.serve("web", &["-p", "127.0.0.1:8080:80"])?;
    ensure!(!python(&ask_by_tcp("127.0.0.1", 8080))?.starts_with("None"), "it is not reached");
    expect_eq!(python(&ask_in_vain("::1", 8080))?, both("None"));
    user.serve("late", &[])?;
    ensure!(!user.python("late", &ask("web", 80))?.contains("None"), "no way to web");
    Ok(())
}

/// `slirp4netns` has no IPv6: a process passes on what comes there by TCP.
pub(super) fn ports_by_ipv6_without_a_helper_for_it() -> Result<()> {
    if is_missing(&["slirp4netns"]) {
        return harness::skip(format!("{MISSING}, or no slirp4netns"));
    }
    let user = User::new()?;
    let other = other_machine()?;
    // Without a default route, no other helper can be used.
    let id = user.serve("web", &["-p", "8080:80/tcp", "-p", "8080:80/udp"])?;
    let words = fs::read(format!("/proc/{}/cmdline", User::helper(&id)?))?;
    ensure!(String::from_utf8_lossy(&words).contains("slirp4netns"), "another helper");
    let answers = |port| python(&ask_in_vain("::1", port)).is_ok_and(|it| !it.starts_with("None"));
    until("it is reached", || answers(8080))?;
    for address in ["::1", "2001:db8::1"] {
        let asked =
            if address == "::1" { ask_in_vain(address, 8080) } else { ask_by_tcp(address, 8080) };
        let answer = other.python(&asked)?;
        expect_eq!(answer.starts_with("None"), address == "::1", "{address}: {answer}");
    }
    // The port is nobody else's, and the same again after a helper was killed.
    let taken = "8080:80/tcp cannot be published: another container or program has it";
    user.fails(&["run", "-p", "8080:80", "box", "true"], taken)?;
    ensure!(TcpListener::bind("[::1]:8080").is_err(), "the port is free");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    crate::support::sys::send(User::helper(&id)?, libc::SIGKILL)?;
    until("it is reached again", || answers(8080))?;
    user.fails(&["run", "-p", "[::1]:8081:80", "box", "true"], "it has IPv4 only")?;
    user.ok(&["rm", "-f", "web"])?;
    drop(TcpListener::bind("[::]:8080")?);
    expect_eq!(python(&ask_in_vain("::1", 8080))?, both("None"));
    Ok(())
}

/// A container was ended by the monitor that could not connect it to one more network.
pub(super) fn a_port_that_is_taken_meanwhile_ends_nothing() -> Result<()> {
    if is_missing(&["slirp4netns"]) {
        return harness::skip(format!("{MISSING}, or no slirp4netns"));
    }
    let user = User::new()?;
    user.ok(&["network", "create", "--internal", "inner"])?;
    let flags = ["--network", "inner", "-p", "127.0.0.1:8080:80"];
    user.ok(&[&["run", "-d", "--name", "one"], &flags[..], &["box", "sleep", "1000"]].concat())?;
    let taken = TcpListener::bind("127.0.0.1:8080")?;
    user.ok(&["network", "connect", "bridge", "one"])?;
    // The monitor does one thing after the other.
    user.ok(&["exec", "-d", "one", "true"])?;
    expect_eq!(user.ok(&["ps", "--format", "{{.Names}} {{.State}}"])?, "one running");
    drop(taken);
    Ok(())
}

/// A lock that is removed while somebody holds it is held by two.
pub(super) fn locks_of_all_networks_are_not_swept_away() -> Result<()> {
    let user = User::new()?;
    user.ok(&["network", "create", "one"])?;
    let lock = user.home.join("store/run/networks/.~subnets");
    let before = fs::metadata(&lock)?.ino();
    user.ok(&["system", "check", "--repair"])?;
    expect_eq!(fs::metadata(&lock)?.ino(), before);
    Ok(())
}
