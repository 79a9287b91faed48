//! The tiers: what each needs and how it is run.

use super::machine;
use super::report::Report;
use crate::{build, fuzz};
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// What the user chose to run within the tiers.
pub(super) struct Choice {
    pub(super) filter: Option<String>,
    pub(super) fuzz_seconds: u64,
}

/// A kind of tests.
pub(super) struct Tier {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Debian's names.
    pub(super) packages: &'static [&'static str],
    /// Whether it is of no use without them; otherwise each test looks for itself.
    pub(super) needs_packages: bool,
    /// Whether it runs beside the one before it: that one keeps only one processor busy, and it
    /// only computes.
    pub(super) beside: bool,
    pub(super) run: fn(&Choice, &mut Report) -> Result<()>,
}

/// From the fastest to the slowest.
pub(super) const TIERS: &[Tier] = &[
    Tier {
        name: "unit",
        about: "functions, in every crate",
        packages: &["gcc", "libc6-dev", "man-db", "groff-base", "python3-seccomp"],
        needs_packages: false,
        beside: false,
        run: unit,
    },
    Tier {
        name: "e2e",
        about: "our programs on this kernel",
        packages: &[
            "bind9-dnsutils",
            "busybox-static",
            "dbus",
            "dnsmasq-base",
            "firewalld",
            "fish",
            "iproute2",
            "iptables",
            "nftables",
            "nginx-light",
            "nodejs",
            "openjdk-17-jre-headless",
            "passt",
            "postgresql-15",
            "python3",
            "redis-server",
            "slirp4netns",
            "fuse-overlayfs",
            "rhino",
            "socat",
            "sqlite3",
            "systemd",
            "util-linux",
            "zsh",
        ],
        needs_packages: false,
        beside: false,
        run: e2e,
    },
    Tier {
        name: "peers",
        about: "programs of others that drive ours",
        packages: &[
            "tini",
            "dumb-init",
            "catatonit",
            "docker.io",
            "containerd",
            "podman",
            "conmon",
            "crun",
            "runc",
            "lxc",
            "busybox-static",
            "docker-registry",
            "skopeo",
            "umoci",
            "attr",
            "openssl",
            "python3",
            "iproute2",
            "iptables",
            "uidmap",
            "util-linux",
        ],
        needs_packages: false,
        beside: false,
        run: peers,
    },
    Tier {
        name: "vm",
        about: "our programs on Debian's kernel, in a virtual machine, and as its PID 1",
        packages: &[
            "apparmor",
            "qemu-system-x86",
            "qemu-system-common",
            "linux-image-cloud-amd64",
            "busybox-static",
            "conmon",
            "containerd",
            "criu",
            "dbus",
            "docker.io",
            "podman",
            "runc",
            "secilc",
            "iproute2",
            "iptables",
            "systemd",
            "util-linux",
            "e2fsprogs",
            "xfsprogs",
        ],
        needs_packages: true,
        beside: false,
        run: vm,
    },
    Tier {
        name: "fuzz",
        about: "parsers of untrusted input, for some seconds each",
        packages: &["g++"],
        needs_packages: true,
        beside: true,
        run: fuzz,
    },
];

fn unit(choice: &Choice, report: &mut Report) -> Result<()> {
    let mut command = build::cargo();
    command.args(["test", "--no-fail-fast", "--workspace", "--tests"]);
    // Programs full of tests that need the built programs: the other tiers.
    command.args(["--exclude", "e2e", "--exclude", "peers", "--"]).args(&choice.filter);
    let (output, success) = run(&mut command)?;
    report.add_libtest("unit", &output, success);
    Ok(())
}

/// The programs under test.
pub(super) const PROGRAMS: &[&str] = &["tino", "tinyo", "tinyort"];

/// Four at a time, as most of each is waiting.
fn e2e(choice: &Choice, report: &mut Report) -> Result<()> {
    trials("e2e", "4", choice, report)
}

/// Those of others are no faster than their daemons.
fn peers(choice: &Choice, report: &mut Report) -> Result<()> {
    trials("peers", "2", choice, report)
}

fn trials(tier: &str, jobs: &str, choice: &Choice, report: &mut Report) -> Result<()> {
    let programs = build::release(PROGRAMS)?;
    let mut tests = Command::new(build::trials(tier)?.join(tier));
    tests.args(["--jobs", jobs]).args(&choice.filter);
    for program in PROGRAMS {
        tests.env(format!("{}_BIN", program.to_uppercase()), programs.join(program));
    }
    harness(tier, &mut tests, report)
}

fn vm(choice: &Choice, report: &mut Report) -> Result<()> {
    let programs = build::release(&[PROGRAMS, &["vm"]].concat())?;
    let vm_init = programs.join("vm-init");
    let mut tests = Command::new(programs.join("vm-tests"));
    // A machine takes a while to boot when two others do as well.
    tests.args(["--time-limit", "900"]).args(&choice.filter).env("VM_INIT", &vm_init);
    harness("vm", &mut tests, report)?;

    for tests in machine::TESTS {
        machine::run(tests, choice, &programs, report)?;
    }
    Ok(())
}

fn fuzz(choice: &Choice, report: &mut Report) -> Result<()> {
    let mut targets = fuzz::targets()?;
    targets.retain(|target| target.contains(choice.filter.as_deref().unwrap_or_default()));
    for (target, result) in fuzz::run_briefly(targets, choice.fuzz_seconds)? {
        match result {
            Ok(()) => report.pass(),
            Err(error) => report.fail(&format!("fuzz: {target}"), &format!("{error:#}")),
        }
    }
    Ok(())
}

fn harness(tier: &str, command: &mut Command, report: &mut Report) -> Result<()> {
    let (output, success) = run(command)?;
    report.add_harness(tier, &output, success);
    Ok(())
}

/// Runs a command, shows its output as it comes, and returns it and whether it succeeded.
fn run(command: &mut Command) -> Result<(String, bool)> {
    let name = format!("{}", command.get_program().display());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| name.clone())?;
    let mut output = String::new();
    let mut lines = BufReader::new(child.stdout.take().context("a pipe was asked for")?);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        output.push_str(&text);
        line.clear();
    }
    Ok((output, child.wait()?.success()))
}
