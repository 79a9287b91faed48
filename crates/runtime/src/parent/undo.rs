//! The way back, when a container cannot be made.

use super::Making;
use crate::container::state_text;
use crate::error::{Error, Result};
use crate::guests::Guests;
use crate::plan::Plan;
use spec::runtime::Status;
use sys::OrError;
use sys::rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

impl Making {
    /// Takes back all there is, and returns the error that led here, with what could not be taken
    /// back. The record stays in that case, for `delete --force`.
    pub(super) fn undo(&mut self, plan: &Plan, error: Error) -> Error {
        let mut failed = Vec::new();
        if let Some(pid) = self.child {
            failed.extend(kill_child(pid).err().map(|error| error.to_string()));
        }
        // What there is of one that is not complete, now that nobody is in it.
        self.planned = None;
        if let Some(group) = &self.group {
            failed.extend(group.remove().err().map(|error| error.to_string()));
        }
        let given_back = self.guests.take().map_or(Ok(()), Guests::give_back);
        failed.extend(given_back.err().map(|error| error.to_string()));
        failed.extend(self.record.resctrl.remove().err().map(|error| error.to_string()));
        if !failed.is_empty() {
            failed.insert(0, error.to_string());
            return Error::Teardown(failed);
        }
        self.record.process = None;
        let state = state_text(self.directory.id(), &self.record, Status::Stopped);
        if let Err(error) = self.directory.remove() {
            failed.push(error.to_string());
        }
        if self.child.is_some()
            && let Ok(state) = state
        {
            failed.extend(plan.hooks.poststop.run_all(&state));
        }
        if failed.is_empty() {
            return error;
        }
        failed.insert(0, error.to_string());
        Error::Teardown(failed)
    }
}

/// The child is ours until we wait for it, so its id is its own.
fn kill_child(pid: Pid) -> Result<()> {
    kill_process(pid, Signal::KILL).or_error("kill", || format!("{pid}, SIGKILL"))?;
    waitpid(Some(pid), WaitOptions::empty()).or_error("waitpid", || pid.to_string())?;
    Ok(())
}
