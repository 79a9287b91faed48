//! A machine being described, and its one run.

use crate::archive::Archive;
use crate::control::{Control, Ending};
use crate::job::{Job, Status};
use crate::kernel::Kernel;
use crate::programs;
use crate::qemu::{Hardware, Patience, Qemu, Watcher, once_after};
use crate::share::{self, Share};
use anyhow::{Context, Result, bail, ensure};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the guest's init lies in the initramfs.
const GUEST_INIT: &str = "/vm-init";

/// What the guest needs for the host's root below a throw-away layer.
const SHARE_MODULES: [&str; 3] = ["virtio_pci", "virtiofs", "overlay"];

/// A machine that has not been started.
#[derive(Clone)]
pub struct Machine {
    kernel: Kernel,
    archive: Archive,
    modules: Vec<String>,
    memory_megabytes: u32,
    cpus: u32,
    patience: Patience,
    kernel_arguments: String,
    host_root: bool,
    tee: bool,
    ctrl_alt_delete_after: Option<String>,
    power_cut_after: Option<(String, Duration)>,
    disk: Option<PathBuf>,
}

/// What a machine leaves behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How the machine ended.
    pub ending: Ending,
    /// How the command ended; `None` if the machine ended first, or when `vm-init` did not run.
    pub status: Option<Status>,
    /// All that was written to ttyS1: the command's standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// All that was written to ttyS2: the command's standard error, byte for byte.
    pub stderr: Vec<u8>,
    /// The kernel's console, and what a program that is PID 1 itself prints; lines end in `\n`.
    pub console: String,
}

impl Machine {
    /// One processor, 512 MiB and 120 seconds; in its initramfs `vm_init`, the statically linked
    /// guest init.
    pub fn new(vm_init: &Path) -> Result<Self> {
        let mut archive = Archive::new();
        programs::add(&mut archive, GUEST_INIT, vm_init)?;
        Ok(Self {
            kernel: Kernel::newest()?,
            archive,
            modules: Vec::new(),
            memory_megabytes: 512,
            cpus: 1,
            patience: Patience { time: Duration::from_secs(300), silence: Duration::MAX },
            // sysrq_always_enabled: a machine that is given up is asked what it is doing.
            // no_timer_check: on a busy host the kernel takes the timer for broken, and panics.
            kernel_arguments: "console=ttyS0 quiet panic=-1 no_timer_check sysrq_always_enabled"
                .to_owned(),
            host_root: false,
            tee: false,
            ctrl_alt_delete_after: None,
            power_cut_after: None,
            disk: None,
        })
    }

    /// The memory, in MiB.
    pub fn memory(mut self, megabytes: u32) -> Self {
        self.memory_megabytes = megabytes;
        self
    }

    /// The number of processors.
    pub fn cpus(mut self, number: u32) -> Self {
        self.cpus = number;
        self
    }

    /// When to give the machine up, counted from its start.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.patience.time = limit;
        self
    }

    /// When to give a machine up whose command prints nothing; by default never.
    pub fn silence_limit(mut self, limit: Duration) -> Self {
        self.patience.silence = limit;
        self
    }

    /// More words for the kernel's command line.
    pub fn append(mut self, words: &str) -> Self {
        self.kernel_arguments.push(' ');
        self.kernel_arguments.push_str(words);
        self
    }

    /// Puts the host's `source` at `path`, with the shared libraries or the interpreter it needs.
    pub fn program(mut self, path: &str, source: &Path) -> Result<Self> {
        programs::add(&mut self.archive, path, source)?;
        Ok(self)
    }

    /// Puts a file of these bytes at `path`.
    pub fn file(mut self, path: &str, mode: u32, content: &[u8]) -> Self {
        self.archive.file(path, mode, content);
        self
    }

    /// Puts a symbolic link at `path`.
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        self.archive.symlink(path, target);
        self
    }

    /// Has `vm-init` load this module, and first those it needs. Compiled-in ones are fine.
    pub fn module(mut self, name: &str) -> Self {
        self.modules.push(name.to_owned());
        self
    }

    /// Makes the host's file system the guest's root. The guest writes into memory only.
    pub fn host_root(mut self) -> Self {
        self.host_root = true;
        self
    }

    /// Copies the command's output to the caller's own as it comes.
    pub fn tee(mut self) -> Self {
        self.tee = true;
        self
    }

    /// Presses Ctrl-Alt-Delete once this text has appeared on the console.
    pub fn ctrl_alt_delete_after(mut self, text: &str) -> Self {
        self.ctrl_alt_delete_after = Some(text.to_owned());
        self
    }

    /// Cuts the power so long after the command has printed this text: what only the guest's
    /// memory has is lost.
    pub fn power_cut_after(mut self, text: &str, delay: Duration) -> Self {
        self.power_cut_after = Some((text.to_owned(), delay));
        self
    }

    /// Gives the guest a disk, `/dev/vda`, kept in a file of the host.
    pub fn disk(mut self, file: &Path) -> Self {
        self.disk = Some(file.to_owned());
        self.module("virtio_pci").module("virtio_blk")
    }

    /// Finds `command` as a shell would and puts it into the initramfs under its full path, which
    /// is returned; or, with the host's root, makes sure that the guest will see it.
    pub fn command(mut self, command: &Path) -> Result<(Self, PathBuf)> {
        let path = programs::find(command)?;
        if self.host_root {
            ensure!(
                share::is_visible(&path)?,
                "{} is not on the root file system, which is all the machine sees; use --initramfs",
                path.display()
            );
            return Ok((self, path));
        }
        let name = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
        programs::add(&mut self.archive, name, &path)?;
        Ok((self, path))
    }

    /// Boots `vm-init` as PID 1, which runs the job and powers the machine off.
    pub fn run(mut self, job: Job) -> Result<Outcome> {
        self.add_job(job)?;
        self.boot(GUEST_INIT, &[])
    }

    /// Boots `program` as PID 1 with these arguments, which are best few and plain: the kernel
    /// splits its command line at spaces, swallows quotes, and drops everything after a second
    /// `--`. An argument [`Machine::JOB_RUNNER`] runs `job` in the same way, but exits with the
    /// command's code.
    pub fn run_as_pid_1(
        mut self,
        program: &str,
        arguments: &[&str],
        job: Option<Job>,
    ) -> Result<Outcome> {
        if let Some(job) = job {
            self.add_job(job)?;
        }
        self.boot(program, arguments)
    }

    /// The program that runs the job for a PID 1 of the caller's choice.
    pub const JOB_RUNNER: &str = GUEST_INIT;

    fn add_job(&mut self, mut job: Job) -> Result<()> {
        if self.host_root {
            self.modules.splice(0..0, SHARE_MODULES.map(str::to_owned));
        }
        job.host_root = self.host_root;
        for source in self.kernel.load_order(&self.modules)? {
            let path = source.to_str().context("modules have plain names")?;
            let content = std::fs::read(&source).with_context(|| path.to_owned())?;
            self.archive.file(path, 0o644, &content);
            job.modules.push(path.into());
        }
        self.archive.file(Job::PATH, 0o644, &job.encode());
        Ok(())
    }

    fn boot(self, init: &str, arguments: &[&str]) -> Result<Outcome> {
        let kernel_arguments = kernel_command_line(&self.kernel_arguments, init, arguments)?;
        let (share, connection) = match self.host_root {
            true => Share::start().map(|(share, connection)| (Some(share), Some(connection)))?,
            false => (None, None),
        };
        let qemu = Qemu::start(Hardware {
            memory_megabytes: self.memory_megabytes,
            cpus: self.cpus,
            kernel: self.kernel.image(),
            initramfs: &self.archive.finish(),
            kernel_arguments: &kernel_arguments,
            share: connection,
            disk: self.disk.as_deref(),
        })?;
        let keyboard = match self.ctrl_alt_delete_after {
            Some(text) => Some(press_after(text, qemu.control.try_clone()?)),
            None => None,
        };
        let console = qemu.record(0, keyboard)?;
        let watcher = match self.power_cut_after {
            Some((text, delay)) => Some(qemu.cut_power_after(text, delay)?),
            None => self.tee.then(|| copy_to(std::io::stdout())),
        };
        let stdout = qemu.record(1, watcher)?;
        let stderr = qemu.record(2, self.tee.then(|| copy_to(std::io::stderr())))?;
        let status = qemu.record(3, None)?;
        let ending = qemu
            .wait(self.patience)
            .with_context(|| share.as_ref().map_or_else(|| "the machine".to_owned(), Share::log))?;
        Ok(Outcome {
            ending,
            status: Status::decode(&String::from_utf8_lossy(&status.finish())),
            stdout: stdout.finish(),
            stderr: stderr.finish(),
            // The console is a terminal, which ends its lines with CR LF.
            console: String::from_utf8_lossy(&console.finish()).replace('\r', ""),
        })
    }
}

/// The kernel hands everything after `--` to its first program.
fn kernel_command_line(own: &str, init: &str, arguments: &[&str]) -> Result<String> {
    let mut line = format!("{own} rdinit={init}");
    if !arguments.is_empty() {
        line.push_str(" --");
    }
    for argument in arguments {
        let plain = !argument.is_empty() && !argument.contains([' ', '\t', '\n', '"']);
        if !plain || *argument == "--" {
            bail!("{argument:?} cannot be passed on the kernel's command line");
        }
        line.push(' ');
        line.push_str(argument);
    }
    Ok(line)
}

/// Presses the keys once, when the text is complete.
fn press_after(text: String, mut control: Control) -> Watcher {
    // If QEMU is gone, the machine's ending says so.
    once_after(text, move || _ = control.press_ctrl_alt_delete().ok())
}

fn copy_to(mut output: impl Write + Send + 'static) -> Watcher {
    Box::new(move |bytes| {
        // A closed pipe (`| head`) does not end the run; the recording goes on.
        output.write_all(bytes).and_then(|()| output.flush()).ok();
    })
}
