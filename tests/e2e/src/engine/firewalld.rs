//! firewalld, as Fedora, openSUSE and others have it: it refuses what no zone of it allows.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::net::world::{ECHO, MISSING, ask_in_vain, has_programs, other_machine, run};
use crate::support::until;

const BUS: &str = "\
    <busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen>\
    <auth>EXTERNAL</auth><policy context='default'><allow own='*'/><allow send_destination='*'/>\
    <allow receive_sender='*'/><allow send_type='method_call'/></policy></busconfig>";

/// Programs that end with the trial.
struct Programs(Vec<Child>);

impl Programs {
    /// A message bus and firewalld, of this trial's network alone.
    fn start() -> Result<Programs> {
        run("mount -t tmpfs none /run")?;
        fs::create_dir("/run/dbus")?;
        fs::write("/run/bus.conf", BUS)?;
        let mut programs = Programs(Vec::new());
        programs.spawn(&[
            "dbus-daemon",
            "--config-file=/run/bus.conf",
            "--nofork",
            "--nopidfile",
        ])?;
        until("the bus is there", || fs::exists("/run/dbus/system_bus_socket").unwrap_or(false))?;
        programs.spawn(&["firewalld", "--nofork", "--nopid"])?;
        until("firewalld works", || run("firewall-cmd --state").is_ok())?;
        Ok(programs)
    }

    fn spawn(&mut self, words: &[&str]) -> Result<()> {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.0.push(command.spawn().with_context(|| words[0].to_owned())?);
        Ok(())
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn is_there() -> bool {
    let is_there = |path: &&str| fs::exists(path).unwrap_or(false);
    has_programs()
        && ["/usr/sbin/firewalld", "/usr/bin/firewall-cmd", "/usr/bin/dbus-daemon"]
            .iter()
            .all(is_there)
}

pub(super) fn published_ports_pass_firewalld() -> Result<()> {
    if !is_there() {
        return harness::skip(format!("{MISSING}, or no firewalld"));
    }
    let engine = Engine::new()?;
    sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64)?;
    run("mount --make-rprivate /")?;
    let _programs = Programs::start()?;
    let other = other_machine()?;
    let start = |name: &str| {
        engine
            .ok(&["run", "-d", "--name", name, "-p", "8080:80", "host:", "python3", "-uc", ECHO])?;
        until("it serves", || engine.ok(&["logs", name]).is_ok_and(|text| text == "ready"))
    };
    let reached =
        || other.python(&ask_in_vain("192.0.2.1", 8080)).is_ok_and(|it| it == "192.0.2.2\nNone\n");
    let goes_out = |name: &str| {
        let ask = [
            "exec",
            name,
            "python3",
            "-c",
            "import socket; s = socket.socket(); s.settimeout(1); \
            print(s.connect_ex((\"192.0.2.2\", 1)))",
        ];
        engine.ok(&ask).is_ok_and(|code| code == "111")
    };
    start("one")?;
    until("it is reached", &reached)?;
    until("it reaches others", || goes_out("one"))?;
    // All rules are made anew, and the monitor hears of it.
    run("firewall-cmd --reload")?;
    until("it is reached again", &reached)?;
    until("it reaches others again", || goes_out("one"))?;
    // The same while nobody hears.
    engine.ok(&["rm", "-f", "one"])?;
    run("firewall-cmd --reload")?;
    start("two")?;
    until("the next one is reached", &reached)?;
    until("it reaches others", || goes_out("two"))?;
    Ok(())
}

/// As firewalld 2.1: its table can be changed by nobody else.
pub(super) fn a_firewall_with_an_owner_is_asked() -> Result<()> {
    if !is_there() {
        return harness::skip(format!("{MISSING}, or no firewalld"));
    }
    let engine = Engine::new()?;
    sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64)?;
    run("mount --make-rprivate /")?;
    let mut owner =
        Command::new("nft").arg("-i").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = owner.stdin.take().context("a pipe")?;
    input.write_all(
        b"add table inet owned { flags owner; }\n\
          add chain inet owned strict { type filter hook forward priority 0; policy drop; }\n\
          list chain inet owned strict\n",
    )?;
    // Kept open: what else it says would end it, and with it its table.
    let mut output = BufReader::new(owner.stdout.take().context("a pipe")?).lines();
    let made = output.by_ref().map_while(Result::ok).any(|line| line.contains("policy drop"));
    ensure!(made, "nft makes no table with an owner");
    // Without firewalld nobody can be asked.
    let words = ["run", "-d", "--name", "one", "--network=bridge", "box", "sleep", "100"];
    engine.fails(&words, 125, "owned strict of another firewall lets no network pass")?;
    let _programs = Programs::start()?;
    let words = ["run", "-d", "--name", "two", "--network=bridge", "box", "sleep", "100"];
    engine.ok(&words)?;
    let trusted = || run("firewall-cmd --zone=trusted --list-interfaces").unwrap_or_default();
    ensure!(trusted().contains("tinyo"), "{}", trusted());
    run("firewall-cmd --reload")?;
    until("it passes again", || trusted().contains("tinyo"))?;
    owner.kill()?;
    owner.wait()?;
    engine.ok(&["start", "one"])?;
    expect_eq!(engine.status("one")?, "running");
    Ok(())
}
