//! The guest's init: makes the machine habitable, runs one command, says on ttyS3 how it ended,
//! and powers the machine off. Not as PID 1 (under another init) it exits with the command's code
//! instead. Built statically, since it is alone in the initramfs.
#![forbid(unsafe_code)]

mod command;
mod loopback;
mod modules;
mod mounts;
mod port;

use anyhow::{Context, Result};
use rustix::process::{Signal, getpid, kill_process_group};
use rustix::system::{RebootCommand, reboot};
use std::process::ExitCode;
use vm::{Job, Status};

fn main() -> ExitCode {
    let status = run().unwrap_or_else(|error| Status::NotStarted(format!("{error:#}")));
    if let Err(error) = report(&status) {
        eprintln!("vm-init: ttyS3: {error:#}");
    }
    if getpid().is_init() {
        rustix::fs::sync();
        // Returns only if it fails; the kernel then panics over our exit, and the host notices.
        reboot(RebootCommand::PowerOff).ok();
    }
    ExitCode::from(u8::try_from(status.exit_code()).unwrap_or(u8::MAX))
}

fn run() -> Result<Status> {
    let job = std::fs::read(Job::PATH).context(Job::PATH)?;
    let job = Job::decode(&job).with_context(|| format!("{} is damaged", Job::PATH))?;
    mounts::first()?;
    modules::load(&job.modules)?;
    // Opened by name before the root changes, in which there might be no such device file.
    let outputs = command::Outputs::open()?;
    mounts::enter_root(&job)?;
    loopback::up().context("bringing the loopback interface up")?;
    let status = command::run(&job, outputs)?;
    Ok(status)
}

/// The last words: the host takes the status for complete when the line is.
fn report(status: &Status) -> Result<()> {
    let mut port = port::open("/dev/ttyS3")?;
    port::write_all(&mut port, status.encode().as_bytes())
}

/// Ends everything else on the machine, so that nothing can write into the output any more.
fn kill_the_rest() {
    // kill(-1): all but PID 1 and ourselves. Nobody left to kill is fine.
    kill_process_group(rustix::process::Pid::INIT, Signal::KILL).ok();
}
