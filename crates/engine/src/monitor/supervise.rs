//! The loop of a monitor: from the first start of a container to its last end.

use super::connection::Connected;
use super::health::Health;
use super::input::Input;
use super::program::{Program, Read};
use super::starting::start_code;
use super::{Launch, Monitor};
use crate::clock;
use crate::error::{Error, Result};
use crate::events::{self, Event};
use crate::network::{PORTS, set_names};
use crate::pause::is_paused;
use crate::protocol::{CHUNK, Message, Stream, tell};
use crate::settings::{OnFailure, RestartPolicy};
use crate::state::Phase;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::Errno;

/// The wait before a container is started again: at first, and at most.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// A container that has run so long was all right, and the wait is short again.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// What is in the state of a container when a helper has ended.
const LOST: &str = "fuse-overlayfs, which served the container's files, was ended by somebody: the \
                    container could not go on; start it again";

impl Monitor {
    /// Starts the container and stays until it has ended for good.
    pub(super) fn supervise(&mut self) -> Result<()> {
        let mut wait = SHORTEST;
        let mut input = Input::default();
        // Whoever is in front of it is attached before it prints anything.
        self.serve(&mut input)?;
        loop {
            let begin = Instant::now();
            match self.start() {
                Ok(()) => self.stay(&mut input)?,
                Err(error) => self.note_failure(&error)?,
            }
            if !self.is_to_restart() {
                return self.record_end();
            }
            wait = if begin.elapsed() >= LONG_ENOUGH { SHORTEST } else { wait };
            if !self.wait_to_restart(wait, &mut input)? {
                return self.record_end();
            }
            wait = (wait * 2).min(LONGEST);
        }
    }

    /// Without its files it can do nothing any more, and it is ended. What has policies is started
    /// again.
    fn check_files(&mut self) {
        if let Some(program) = &mut self.program
            && program.ended().is_none()
            && program.loses_files()
        {
            program.kill();
            LOST.clone_into(&mut self.state.error);
        }
    }

    /// Serves its networks. What fails is tried again with the next change.
    fn serve_networks(&mut self) {
        if let Some(connected) = &mut self.connected
            && let Err(error) = connected.serve(self.network.as_fd())
        {
            self.state.error = error.to_string();
        }
    }

    /// The container has ended for good.
    pub(super) fn disconnect(&mut self) -> Result<()> {
        // The names were there before the first start, which may have failed; and whoever connected
        // it to one more may have been killed before this was told of it.
        let launch = Launch::read(&self.folder.started);
        let launch = launch.as_ref().unwrap_or(&self.launch);
        let of_launch = launch.connection.iter().flat_map(|it| &it.networks);
        let now = self.connected.iter().flat_map(Connected::networks);
        for network in of_launch.chain(now) {
            set_names(&self.folders, network, &self.launch.id[..12], &[])?;
        }
        if let Some(connected) = &mut self.connected {
            connected.end()?;
        }
        if self.launch.connection.is_some() {
            let path = self.folder.file(PORTS);
            std::fs::remove_file(&path).map_err(Error::file(path))?;
        }
        Ok(())
    }

    /// Stays until the program has ended and was read to the end.
    fn stay(&mut self, input: &mut Input) -> Result<()> {
        loop {
            self.wait(input)?;
            self.serve(input)?;
            self.take_signals()?;
            self.check_files();
            let Some(program) = &mut self.program else { return Ok(()) };
            program.reap()?;
            input.pass(program);
            if program.ended().is_none() {
                self.check_health()?;
            }
            self.copy_output();
            if self.program.as_ref().is_some_and(Program::is_over) {
                return self.end();
            }
        }
    }

    fn check_health(&mut self) -> Result<()> {
        let Some(health) = &mut self.health else { return Ok(()) };
        if health.deadline() <= Instant::now() && is_paused(&self.folders, &self.launch.id)? {
            health.postpone();
            return Ok(());
        }
        if health.turn(&self.folders.runtime(), &self.folder, &self.launch.id) {
            let status = health.status();
            let has_changed = self.state.health.map(|(status, _)| status) != Some(status.0);
            self.state.health = Some(status);
            self.state.write_if_possible(&self.folder)?;
            if has_changed {
                self.tell_event("health_status", &[("status", status.0.name())])?;
            }
        }
        self.health.as_mut().into_iter().for_each(Health::answer);
        match self.health.as_mut().map_or(OnFailure::None, Health::take_due) {
            OnFailure::None => Ok(()),
            due => self.act_on_failure(due),
        }
    }

    /// It does not work, or has not started.
    fn act_on_failure(&mut self, due: OnFailure) -> Result<()> {
        match due {
            OnFailure::None => Ok(()),
            OnFailure::Kill => {
                self.program.iter().for_each(Program::kill);
                Ok(())
            }
            OnFailure::Restart => {
                self.again = true;
                self.ask_to_end()
            }
            OnFailure::Stop => {
                let mark = self.folder.file("stopped");
                std::fs::write(&mark, "").map_err(Error::file(&mark))?;
                self.stop_program()
            }
        }
    }

    /// Waits until something happens.
    fn wait(&self, input: &Input) -> Result<()> {
        let mut polled = vec![PollFd::new(&self.signals, PollFlags::IN)];
        for (socket, flags) in self.clients.wanted(input.is_empty()) {
            polled.push(PollFd::from_borrowed_fd(socket, flags));
        }
        let mut timeout = self.restart_at;
        if let Some(program) = &self.program {
            if !self.clients.are_slow() {
                let outputs = [Stream::Output, Stream::Error].map(|it| program.output(it));
                // After its end there is nothing to wait for: what is there is read.
                if program.ended().is_some() && outputs.iter().any(Option::is_some) {
                    return Ok(());
                }
                for output in outputs.into_iter().flatten() {
                    polled.push(PollFd::new(output, PollFlags::IN));
                }
            }
            if let (false, Some(end)) = (input.is_empty(), program.input()) {
                polled.push(PollFd::new(end, PollFlags::OUT));
            }
            for helper in program.helpers() {
                polled.push(PollFd::new(helper, PollFlags::IN));
            }
            let printing = self.health.iter().flat_map(Health::polled);
            polled.extend(printing.map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN)));
            let due = self.health.as_ref().map(Health::deadline);
            let due = due.into_iter().chain(self.kill_at).min();
            timeout = if program.ended().is_none() { due } else { None };
        }
        if let Some(connected) = &self.connected {
            let sockets = connected.polled();
            polled.extend(sockets.map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN)));
            timeout = timeout.into_iter().chain(connected.deadline()).min();
        }
        if !self.quit {
            polled.extend(
                self.watched.polled().map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN)),
            );
            timeout = timeout.into_iter().chain(self.watched.deadline()).min();
        }
        let timeout = timeout.into_iter().chain(self.clients.deadline()).min();
        let timeout = timeout.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = timeout.map(|left| {
            // Rounded up, or the last moment would be waited for again and again.
            Timespec::try_from(left + Duration::from_millis(1)).unwrap_or_default()
        });
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(sys::Error::new("poll", "", errno).into()),
        }
    }

    /// Does what clients want.
    fn serve(&mut self, input: &mut Input) -> Result<()> {
        self.serve_networks();
        let wishes = self.clients.serve(input.is_empty())?;
        input.add(&wishes.input);
        if wishes.input_ends {
            input.end();
        }
        if let (Some((rows, columns)), Some(program)) = (wishes.size, &self.program) {
            program.resize(rows, columns);
        }
        if wishes.reopen_log {
            // The old one will do where no new one can be made.
            let _ = self.log.reopen();
        }
        if wishes.launch_changed {
            let launch = Launch::read(&self.folder.started)?;
            // What fails is no reason for the container to end.
            if let Some(connected) = &mut self.connected
                && let Err(error) = connected.change(&launch, &self.folders, self.network.as_fd())
            {
                self.state.error = error.to_string();
            }
            self.watched.want(launch.is_watched());
        }
        self.quit |= wishes.quit;
        // Not before it runs, as somebody waits for that; nor when everything is about to end.
        if self.state.started != 0 && !self.quit {
            self.watched.serve(&self.folders);
        }
        for (process, socket) in wishes.added {
            let answer = self.added.start(&self.folders.runtime(), &self.launch.id, &process);
            let told = match &answer {
                Ok(pid) => tell(&socket, &Message::Started(*pid)),
                Err(error) => {
                    let message = error.to_string();
                    let is_full = error.is_disk_full();
                    tell(&socket, &Message::Failed(start_code(&message), &message, is_full))
                }
            };
            // Whoever asked may be gone.
            drop(told);
        }
        if let Some(health) = &mut self.health {
            health.ask(wishes.checks);
        }
        self.added.reap();
        Ok(())
    }

    /// Reads what the program has printed, as long as everybody keeps up.
    fn copy_output(&mut self) {
        let mut buffer = [0; CHUNK];
        for stream in [Stream::Output, Stream::Error] {
            // A program that never stops must not keep the others waiting.
            for _ in 0..8 {
                let Some(program) = &mut self.program else { return };
                if self.clients.are_slow() {
                    return;
                }
                let Read::Some(length) = program.read(stream, &mut buffer) else { break };
                self.log.add(stream, &buffer[..length]);
                self.clients.send(stream, &buffer[..length]);
            }
        }
    }

    fn end(&mut self) -> Result<()> {
        let Some(program) = self.program.take() else { return Ok(()) };
        if let Some(health) = &mut self.health {
            health.end();
        }
        self.state.exit_code = program.ended().unwrap_or_default();
        self.state.oom = program.was_short_of_memory();
        self.state.finished = clock::now();
        self.state.pid = 0;
        if self.state.oom {
            self.tell_event("oom", &[])?;
        }
        let code = self.state.exit_code.to_string();
        self.tell_event("die", &[("exitCode", &code)])?;
        if let Some(lost) = self.log.end() {
            self.state.error = lost;
        }
        // What cannot be removed is tried again by whoever starts or removes the container.
        if let Err(error) = program.remove() {
            self.state.error = error.to_string();
        }
        Ok(())
    }

    fn is_to_restart(&mut self) -> bool {
        if self.quit || self.folder.file("stopped").exists() {
            return false;
        }
        // It has never run: whoever started it was told, and decides.
        if self.state.started == 0 {
            return false;
        }
        if std::mem::take(&mut self.again) {
            return true;
        }
        // Somebody may have changed it.
        let restart = match Launch::read(&self.folder.started) {
            Ok(launch) => launch.restart,
            Err(_) => self.launch.restart.clone(),
        };
        match restart.policy {
            RestartPolicy::No => false,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure => {
                let limit = restart.limit;
                self.state.exit_code != 0 && (limit == 0 || self.state.restarts < limit)
            }
        }
    }

    /// False if somebody has stopped it meanwhile.
    fn wait_to_restart(&mut self, time: Duration, input: &mut Input) -> Result<bool> {
        self.state.phase = Phase::Restarting;
        self.state.restarts += 1;
        self.state.write_if_possible(&self.folder)?;
        let until = Instant::now() + time;
        self.restart_at = Some(until);
        while Instant::now() < until {
            self.wait(input)?;
            self.serve(input)?;
            self.take_signals()?;
            if self.quit || self.folder.file("stopped").exists() {
                return Ok(false);
            }
        }
        self.restart_at = None;
        Ok(true)
    }

    fn record_end(&mut self) -> Result<()> {
        self.state.phase = Phase::Exited;
        self.state.write_if_possible(&self.folder)?;
        self.watched.end();
        Ok(())
    }

    pub(super) fn tell_event(&self, action: &str, attributes: &[(&str, &str)]) -> Result<()> {
        let launch = &self.launch;
        let own = [("name", launch.name.as_str()), ("image", &launch.image)];
        let event = Event::new("container", &launch.id, action, &[&own, attributes].concat());
        events::append(&self.folders, &event.with_labels(&launch.labels))
    }
}
