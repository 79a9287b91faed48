//! Starts a program the way a test wants it: as PID 1 or not, with a given signal mask, limits,
//! descriptors, user, terminal.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::sys::{self, Disposition, Mask};
use super::{Running, scratch};

/// A number above all that a test hands on.
const OUT_OF_THE_WAY: i32 = 200;

/// Where the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// As some process of the machine.
    Ordinary,
    /// As PID 1 of a new PID namespace with its own `/proc`.
    PidOne,
}

/// Both places, for tests that hold in each.
pub(crate) const PLACES: [Place; 2] = [Place::Ordinary, Place::PidOne];

/// A program to be started, and the state it starts in.
pub(crate) struct Launch {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<OsString>,
    own_pid_variable: Option<String>,
    place: Place,
    mask: Mask,
    ignored: Vec<i32>,
    limits: Vec<(Resource, u64)>,
    user: Option<u32>,
    folder: Option<PathBuf>,
    closed: Vec<i32>,
    passed: Vec<(OwnedFd, i32)>,
    terminal: Option<OwnedFd>,
    own_group: bool,
    before_exec: Option<fn() -> std::io::Result<()>>,
}

impl Launch {
    /// `program` with itself as argument 0, and nothing but `PATH` in the environment.
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        let program = program.into();
        Self {
            arguments: vec![program.clone()],
            program,
            environment: vec!["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into()],
            own_pid_variable: None,
            place: Place::Ordinary,
            mask: 0,
            ignored: Vec::new(),
            limits: Vec::new(),
            user: None,
            folder: None,
            closed: Vec::new(),
            passed: Vec::new(),
            terminal: None,
            own_group: false,
            before_exec: None,
        }
    }

    /// `tino` with these arguments.
    pub(crate) fn tino(arguments: &[&str]) -> Self {
        Self::new(harness::tino()).words(arguments)
    }

    /// `tino`, called by another name through a symbolic link.
    pub(crate) fn named(name: &str, arguments: &[&str]) -> Self {
        let link = scratch(name);
        // It exists already when a trial starts several.
        let _ = std::os::unix::fs::symlink(harness::tino(), &link);
        Self::new(link).words(arguments)
    }

    pub(crate) fn words<Word: AsRef<OsStr>>(mut self, words: &[Word]) -> Self {
        self.arguments.extend(words.iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Adds `--` and this executable, told to act out `steps`.
    pub(crate) fn act(self, steps: &[&str]) -> Self {
        self.words(&["--"]).words(&super::act(steps))
    }

    /// Adds `NAME=VALUE`.
    pub(crate) fn env(mut self, variable: impl Into<OsString>) -> Self {
        self.environment.push(variable.into());
        self
    }

    /// Adds a variable with the process id of the program to be started.
    pub(crate) fn env_own_pid(mut self, name: &str) -> Self {
        self.own_pid_variable = Some(name.to_owned());
        self
    }

    /// Empties the environment, `PATH` too.
    pub(crate) fn no_env(mut self) -> Self {
        self.environment.clear();
        self
    }

    pub(crate) fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Starts with these signals blocked.
    pub(crate) fn mask(mut self, mask: Mask) -> Self {
        self.mask = mask;
        self
    }

    /// Starts with the signal ignored.
    pub(crate) fn ignore(mut self, signal: i32) -> Self {
        self.ignored.push(signal);
        self
    }

    /// Sets the soft limit.
    pub(crate) fn limit(mut self, resource: Resource, value: u64) -> Self {
        self.limits.push((resource, value));
        self
    }

    /// Runs as this user and group.
    pub(crate) fn user(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    pub(crate) fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Starts with the descriptor closed.
    pub(crate) fn close(mut self, descriptor: i32) -> Self {
        self.closed.push(descriptor);
        self
    }

    /// Starts with `descriptor` open under this number.
    pub(crate) fn pass(mut self, descriptor: OwnedFd, number: i32) -> Self {
        self.passed.push((descriptor, number));
        self
    }

    /// Starts as the leader of a session on this terminal, which is its 0, 1 and 2.
    pub(crate) fn terminal(mut self, terminal: OwnedFd) -> Self {
        self.terminal = Some(terminal);
        self
    }

    /// Starts in a process group of its own.
    pub(crate) fn own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// Runs `step` last before the exec.
    pub(crate) fn before_exec(mut self, step: fn() -> std::io::Result<()>) -> Self {
        self.before_exec = Some(step);
        self
    }

    pub(crate) fn start(self) -> Result<Running> {
        let (stdout, stderr) = (output("stdout")?, output("stderr")?);
        let flags = match self.place {
            Place::Ordinary => 0,
            Place::PidOne => libc::CLONE_NEWPID | libc::CLONE_NEWNS,
        };
        let (executed, reports) = pipe_with(PipeFlags::CLOEXEC)?;
        let pid = sys::fork(flags, || {
            let error = self.become_program(&stdout, &stderr);
            let _ = rustix::io::write(&reports, format!("{error:#}").as_bytes());
            125
        })
        .context("fork (a PID namespace needs root)")?;
        drop(reports);
        let running = Running { pid, ended: false, stdout, stderr };
        // The exec closes the pipe: only now does the program itself run.
        let failure = std::io::read_to_string(File::from(executed))?;
        anyhow::ensure!(failure.is_empty(), "cannot start {}: {failure}", self.program.display());
        Ok(running)
    }

    /// Starts it and waits for its end.
    pub(crate) fn finish(self) -> Result<super::Finished> {
        self.start()?.finish()
    }

    /// Runs in the forked child, and returns only if something fails.
    fn become_program(&self, stdout: &File, stderr: &File) -> anyhow::Error {
        match self.prepare(stdout, stderr) {
            Ok((arguments, environment)) => {
                sys::exec(&self.program, &arguments, &environment).into()
            }
            Err(error) => error,
        }
    }

    fn prepare(&self, stdout: &File, stderr: &File) -> Result<(Vec<CString>, Vec<CString>)> {
        let words = |words: &[OsString]| -> Result<Vec<CString>> {
            words.iter().map(|word| Ok(CString::new(word.as_bytes())?)).collect()
        };
        let mut environment = self.environment.clone();
        if let Some(name) = &self.own_pid_variable {
            environment.push(format!("{name}={}", std::process::id()).into());
        }
        let strings = (words(&self.arguments)?, words(&environment)?);
        if self.place == Place::PidOne {
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
            mount("proc", "/proc", "proc", MountFlags::empty(), None).context("mount /proc")?;
        }
        self.set_descriptors(stdout, stderr)?;
        if let Some(folder) = &self.folder {
            std::env::set_current_dir(folder)?;
        }
        for (resource, value) in &self.limits {
            let maximum = rustix::process::getrlimit(*resource).maximum;
            setrlimit(*resource, Rlimit { current: Some(*value), maximum })?;
        }
        if let Some(user) = self.user {
            rustix::thread::set_thread_groups(&[])?;
            rustix::thread::set_thread_gid(rustix::process::Gid::from_raw(user))?;
            rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(user))?;
        }
        if let Some(step) = self.before_exec {
            step()?;
        }
        // The runtime of this process ignores PIPE; whoever ran the tests may ignore more.
        for signal in (1..=64).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal)) {
            sys::set_disposition(signal, Disposition::Default)?;
        }
        for signal in &self.ignored {
            sys::set_disposition(*signal, Disposition::Ignore)?;
        }
        sys::set_mask(self.mask)?;
        Ok(strings)
    }

    fn set_descriptors(&self, stdout: &File, stderr: &File) -> Result<()> {
        // What whoever ran the tests left open is not for the program.
        sys::close_from_at_exec(3)?;
        if let Some(terminal) = &self.terminal {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(terminal)?;
            for standard in [0, 1, 2] {
                duplicate(terminal.as_raw_fd(), standard)?;
            }
        } else {
            duplicate(File::open("/dev/null")?.as_fd().as_raw_fd(), 0)?;
            duplicate(stdout.as_raw_fd(), 1)?;
            duplicate(stderr.as_raw_fd(), 2)?;
            if self.own_group {
                rustix::process::setpgid(None, None)?;
            }
        }
        // First out of the way: one of them may have the number that another is to get.
        let moved: Vec<(OwnedFd, i32)> = self
            .passed
            .iter()
            .map(|(descriptor, number)| {
                Ok((rustix::io::fcntl_dupfd_cloexec(descriptor, OUT_OF_THE_WAY)?, *number))
            })
            .collect::<Result<_>>()?;
        for (descriptor, number) in &moved {
            duplicate(descriptor.as_raw_fd(), *number)?;
        }
        for number in &self.closed {
            sys::close(*number);
        }
        Ok(())
    }
}

fn duplicate(from: i32, to: i32) -> Result<()> {
    sys::duplicate(from, to).with_context(|| format!("dup2({from}, {to})"))
}

/// A file in memory. It appends: the kernel does not keep processes that share such a file's
/// offset from overwriting each other.
fn output(name: &str) -> Result<File> {
    let file = memfd_create(name, MemfdFlags::CLOEXEC)?;
    fcntl_setfl(&file, OFlags::APPEND)?;
    Ok(file.into())
}
