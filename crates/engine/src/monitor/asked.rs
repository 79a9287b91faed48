//! What others ask of a monitor by signals.
//!
//! SIGTERM comes from who ends the machine, or by hand. The container is stopped then as `tinyo stop`
//! does it, its end is recorded, and the monitor leaves. It is no wish of a user's that it stays
//! stopped: with the next start of the machine it runs again, if its policy says so.

use super::Monitor;
use crate::engine::runtime_id;
use crate::error::Result;
use crate::pause::{is_paused, thaw};
use crate::stop::stop_signal;
use std::time::{Duration, Instant};
use sys::OrError;
use sys::process::SIGKILL;
use sys::signal::SIGTERM;

impl Monitor {
    /// Takes in the signals that have come, and does what is due because of one. SIGCHLD says no
    /// more than that it is time to look.
    pub(super) fn take_signals(&mut self) -> Result<()> {
        while let Some(signal) = self.signals.next().or_error("read", || "signalfd")? {
            if signal == SIGTERM {
                self.stop_program()?;
            }
        }
        if self.kill_at.is_some_and(|at| at <= Instant::now()) {
            self.kill_at = None;
            self.send(SIGKILL)?;
        }
        Ok(())
    }

    /// Asks the program to end, which is not started again.
    pub(super) fn stop_program(&mut self) -> Result<()> {
        self.quit = true;
        self.ask_to_end()
    }

    /// Asks the program to end, and says when it is killed if it does not.
    pub(super) fn ask_to_end(&mut self) -> Result<()> {
        // Whoever asks twice has waited already.
        if self.program.is_none() || self.is_ending {
            return Ok(());
        }
        self.is_ending = true;
        let until = Instant::now() + Duration::from_secs(self.launch.stop_timeout.into());
        // It may have had less time left anyway.
        self.kill_at = Some(self.kill_at.map_or(until, |at| at.min(until)));
        self.send(stop_signal(&self.launch.stop_signal)?)?;
        if is_paused(&self.folders, &self.launch.id)? {
            thaw(&self.folders, &self.launch.id)?;
        }
        Ok(())
    }

    fn send(&self, signal: i32) -> Result<()> {
        let id = runtime_id(&self.launch.id)?;
        match runtime::kill(&self.folders.runtime(), &id, signal, false) {
            // It has just ended.
            Err(runtime::Error::NotRunning(_) | runtime::Error::NotFound(_)) => Ok(()),
            result => Ok(result?),
        }
    }
}
