//! The start of a container by its monitor.

use super::Monitor;
use super::connection::Connected;
use super::program::Program;
use crate::clock;
use crate::error::{Error, Result};
use crate::fuse;
use crate::inherited::Inherited;
use crate::protocol::Message;
use crate::small_file;
use crate::state::Phase;
use kernel::namespace::{Kind, Set, unshare};
use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::time::{Duration, Instant};
use sys::OrError;
use sys::rustix::event::{PollFd, PollFlags, poll};

impl Monitor {
    pub(super) fn start(&mut self) -> Result<()> {
        self.connect()?;
        let is_first = self.state.started == 0;
        let program = self.start_program()?;
        // Whoever reads from one hears of its end when the program has closed it.
        self.inherited = Inherited::default();
        let pid = program.pid();
        self.program = Some(program);
        let longest = Duration::from_secs(self.launch.timeout.into());
        self.is_ending = false;
        self.kill_at = (!longest.is_zero()).then(|| Instant::now() + longest);
        self.state.phase = Phase::Running;
        self.state.pid = pid;
        self.state.started = clock::now();
        self.state.error.clear();
        self.state.oom = false;
        if let Some(health) = &mut self.health {
            health.begin();
            self.state.health = Some(health.status());
        }
        let written = self.state.write(&self.folder).and_then(|()| self.write_pid(0, pid));
        if written.is_err() {
            // Nobody would know of it.
            self.kill_program()?;
            return written;
        }
        if is_first {
            // Not before it runs: who is killed on the way has not taken back what was asked for.
            self.allow_restart()?;
        } else if self.folder.file("stopped").exists() {
            // Whoever has stopped it meanwhile has sent his signal to nobody.
            self.stop_program()?;
        }
        self.tell_event("start", &[])?;
        self.clients.tell_starter(&Message::Started(pid));
        Ok(())
    }

    /// Where the kernel refuses it, with its files served by others.
    fn start_program(&mut self) -> Result<Program> {
        if fuse::has_made_changes(&self.folder) {
            return self.try_program(true);
        }
        match self.try_program(false) {
            Err(Error::Runtime(refusal)) if refusal.refuses_overlay() => {
                fuse::check(&refusal)?;
                self.try_program(true)
            }
            result => result,
        }
    }

    fn try_program(&mut self, is_served: bool) -> Result<Program> {
        if is_served && self.launch.user_marks {
            // Nobody mounts anything among the machine's mounts without rights there.
            unshare(Set::EMPTY.with(Kind::Mount))?;
        }
        let mut helpers = is_served.then(Vec::new);
        let memory = self.slots.open(&self.folders, self.launch.shared_memory)?;
        let mut given: Vec<_> = memory.into_iter().collect();
        for part in &self.launch.parts {
            given.push(Rc::new(part.open(&self.folder, helpers.as_mut())?));
        }
        let (folders, folder) = (&self.folders, &self.folder);
        let program =
            Program::start(&self.launch, (folders, folder), given, helpers, &self.inherited);
        self.slots.close()?;
        program
    }

    /// Into a file that somebody has asked for.
    pub(super) fn write_pid(&self, which: usize, pid: i32) -> Result<()> {
        let Some(path) = &self.launch.pid_files[which] else { return Ok(()) };
        small_file::replace(path, pid.to_string().as_bytes()).map_err(Error::file(path))
    }

    /// Somebody may have stopped it before it was started this time.
    fn allow_restart(&self) -> Result<()> {
        let mark = self.folder.file("stopped");
        match std::fs::remove_file(&mark) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::File { path: mark, error })
            }
            _ => Ok(()),
        }
    }

    /// Its networks, the first time.
    fn connect(&mut self) -> Result<()> {
        if let (Some(connection), None) = (&self.launch.connection, &self.connected) {
            let network = self.network.as_fd();
            let (folders, folder) = (&self.folders, &self.folder);
            let connected = Connected::begin(&self.launch, connection, folders, folder, network)?;
            self.connected = Some(connected);
        }
        Ok(())
    }

    fn kill_program(&mut self) -> Result<()> {
        let Some(program) = &mut self.program else { return Ok(()) };
        program.kill();
        while program.ended().is_none() {
            let mut polled = [PollFd::new(&self.signals, PollFlags::IN)];
            poll(&mut polled, None).or_error("poll", || "")?;
            while self.signals.next().or_error("read", || "signalfd")?.is_some() {}
            program.reap()?;
        }
        self.program.take().map_or(Ok(()), Program::remove)
    }

    /// It could not be started: an exit code that says so.
    pub(super) fn note_failure(&mut self, error: &Error) -> Result<()> {
        let code = match error {
            Error::Runtime(error) => start_code(&error.to_string()),
            _ => 125,
        };
        let message = crate::blame::of_flag(&error.to_string());
        self.state.error.clone_from(&message);
        self.state.exit_code = code;
        self.state.finished = clock::now();
        self.state.pid = 0;
        // First, so that whoever is told finds it.
        let written = self.state.write_if_possible(&self.folder);
        self.clients.tell_starter(&Message::Failed(code, &message, error.is_disk_full()));
        written
    }
}

/// 127 if there is no such program, 126 if it cannot be executed, as shells tell it; otherwise it
/// is ours to answer for.
pub(crate) fn start_code(message: &str) -> u8 {
    if !message.contains("exec: ") {
        125
    } else if message.contains("not found") || message.contains("no such file") {
        127
    } else {
        126
    }
}
