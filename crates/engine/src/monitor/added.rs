//! Processes that somebody has added and left alone: the monitor is their parent, so that somebody
//! buries them. Where nobody did, the container could not end.

use crate::engine::runtime_id;
use crate::error::{Error, Result};
use crate::streams::{Ends, Streams};
use runtime::{Exec, Running};
use spec::runtime::Process;
use std::path::Path;
use sys::rustix::process::{Pid, WaitOptions, waitpid};

/// Those that live, or are not buried yet.
#[derive(Debug, Default)]
pub(super) struct Added(Vec<Pid>);

impl Added {
    /// Adds one, `process` of the runtime's configuration.
    pub(super) fn start(&mut self, root: &Path, id: &str, process: &str) -> Result<i32> {
        let process: Process<'_> = spec::json::parse(process.as_bytes())
            .map_err(|error| Error::invalid(format!("the process: {error}")))?;
        let (running, _) = start(root, id, &process, Streams::new(false, false)?)?;
        self.0.push(running.pid);
        Ok(running.pid.as_raw_nonzero().get())
    }

    /// Buries those that have ended.
    pub(super) fn reap(&mut self) {
        self.0.retain(|pid| matches!(waitpid(Some(*pid), WaitOptions::NOHANG), Ok(None)));
    }
}

/// A process in the container, and our ends of its streams.
pub(super) fn start(
    root: &Path,
    id: &str,
    process: &Process<'_>,
    streams: Streams,
) -> Result<(Running, Ends)> {
    let id = runtime_id(id)?;
    streams.during(|| {
        Ok(runtime::exec(&Exec {
            root,
            id: &id,
            process,
            console_socket: None,
            plain_lines: false,
            pidfd_socket: None,
            pid_file: None,
            detach: false,
            preserve_fds: 0,
            listen_fds: None,
            cgroups: &[],
            ignore_paused: false,
        })?)
    })
}
