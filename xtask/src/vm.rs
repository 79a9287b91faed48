//! `cargo xtask vm`: runs a command in a small virtual machine.

use crate::build;
use anyhow::{Context, Result, bail};
use lexopt::Arg::{Long, Value};
use lexopt::{Parser, ValueExt};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use vm::{Ending, Job, Machine};

const USAGE: &str = "\
cargo xtask vm [OPTIONS] -- COMMAND [ARGUMENTS...]

Runs COMMAND on Debian's kernel in an emulated machine, as root, with pure cgroup v2. It sees the
host's root file system and the working directory, and may write anywhere: what it writes is kept
in the machine's memory and lost. Exits with COMMAND's exit code. No input.

  --initramfs         no host files: COMMAND and its libraries only (the default if not root)
  --tino              tino is PID 1 and powers the machine off
  --memory MB         memory (2048; with --initramfs 512)
  --cpus N            processors (2)
  --timeout SECONDS   kill the machine after so long (600), exit code 124
  --append WORDS      more kernel arguments
  --module NAME       load a kernel module, may be repeated
  --disk FILE         a file of the host that is the machine's disk, /dev/vda
  --env NAME=VALUE    a variable for COMMAND, may be repeated
  --file PATH         with --initramfs: put the host's PATH there too, may be repeated
  --console           print the kernel's console at the end
";

struct Options {
    initramfs: bool,
    tino: bool,
    memory: Option<u32>,
    cpus: u32,
    timeout: u64,
    append: String,
    modules: Vec<String>,
    environment: Vec<(String, String)>,
    files: Vec<PathBuf>,
    disk: Option<PathBuf>,
    console: bool,
    command: Vec<OsString>,
}

pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let Some(options) = parse(arguments)? else {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };
    let vm_init = build::release(&["vm"])?.join("vm-init");
    let (machine, job) = describe(&options, &vm_init)?;
    let outcome = if options.tino {
        let tino = build::release(&["tino"])?.join("tino");
        let machine = machine.program("/tino", &tino)?;
        machine.run_as_pid_1("/tino", &["--poweroff", Machine::JOB_RUNNER], Some(job))?
    } else {
        machine.run(job)?
    };
    if options.console || outcome.status.is_none() {
        eprint!("{}", outcome.console);
    }
    match (outcome.ending, outcome.status) {
        (Ending::TimedOut, _) => {
            eprintln!("xtask vm: not done after {} seconds, killed", options.timeout);
            Ok(ExitCode::from(124))
        }
        (_, Some(status)) => {
            if let vm::Status::NotStarted(reason) = &status {
                eprintln!("xtask vm: {reason}");
            }
            Ok(ExitCode::from(u8::try_from(status.exit_code()).unwrap_or(u8::MAX)))
        }
        (ending, None) => bail!("the machine ended ({ending:?}) before the command did"),
    }
}

fn describe(options: &Options, vm_init: &Path) -> Result<(Machine, Job)> {
    let mut machine = Machine::new(vm_init)?
        .cpus(options.cpus)
        .time_limit(Duration::from_secs(options.timeout))
        .append(&options.append)
        .tee();
    if !options.initramfs {
        machine = machine.host_root().memory(2048);
    }
    if let Some(megabytes) = options.memory {
        machine = machine.memory(megabytes);
    }
    for module in &options.modules {
        machine = machine.module(module);
    }
    if let Some(file) = &options.disk {
        machine = machine.disk(file);
    }
    for path in &options.files {
        machine = machine.command(path)?.0;
    }
    let (machine, program) = machine.command(Path::new(&options.command[0]))?;
    let mut job = Job::new([program.into_os_string()].iter().chain(&options.command[1..]));
    if !options.initramfs {
        job.directory = std::env::current_dir().context("the working directory")?.into();
    }
    for (name, value) in &options.environment {
        job = job.variable(name, value);
    }
    Ok((machine, job))
}

/// `None` when help was asked for.
fn parse(arguments: Vec<OsString>) -> Result<Option<Options>> {
    let mut options = Options {
        initramfs: !rustix::process::geteuid().is_root(),
        tino: false,
        memory: None,
        cpus: 2,
        timeout: 600,
        append: String::new(),
        modules: Vec::new(),
        environment: Vec::new(),
        files: Vec::new(),
        disk: None,
        console: false,
        command: Vec::new(),
    };
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") => return Ok(None),
            Long("initramfs") => options.initramfs = true,
            Long("tino") => options.tino = true,
            Long("console") => options.console = true,
            Long("memory") => options.memory = Some(parser.value()?.parse()?),
            Long("cpus") => options.cpus = parser.value()?.parse()?,
            Long("timeout") => options.timeout = parser.value()?.parse()?,
            Long("append") => options.append = parser.value()?.string()?,
            Long("module") => options.modules.push(parser.value()?.string()?),
            Long("file") => options.files.push(parser.value()?.into()),
            Long("disk") => options.disk = Some(parser.value()?.into()),
            Long("env") => options.environment.push(variable(&parser.value()?.string()?)?),
            Value(word) => {
                options.command.push(word);
                options.command.extend(parser.raw_args()?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if options.command.is_empty() {
        bail!("no command; see cargo xtask vm --help");
    }
    Ok(Some(options))
}

fn variable(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once('=').with_context(|| format!("--env {text}: no ="))?;
    Ok((name.to_owned(), value.to_owned()))
}
