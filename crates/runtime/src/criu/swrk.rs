//! `criu swrk FD`: one process of criu that serves one caller, and ends with it.

use super::message::{Message, Value, fields};
use crate::error::{Error, Result};
use crate::handshake::Channel;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use sys::OrError;
use sys::rustix::io::{FdFlags, fcntl_setfd};

/// What is asked for; the numbers of `criu_req_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Dump = 1,
    Restore = 2,
    PreDump = 4,
    FeatureCheck = 9,
}

/// The answer is a question: criu waits until something was done at this point.
const NOTIFY: u64 = 6;

/// A process of criu.
pub(super) struct Swrk {
    process: Child,
    channel: Channel,
}

/// Where criu stops to have something done.
#[derive(Debug)]
pub(super) struct Question {
    /// The name of the point, such as `setup-namespaces`.
    pub(super) point: String,
    /// The first process of what is restored, where that matters.
    pub(super) pid: i32,
    /// What comes with it.
    pub(super) fd: Option<OwnedFd>,
}

/// What criu answered in the end.
#[derive(Debug, Default)]
pub(super) struct Answer {
    kind: u64,
    success: bool,
    errno: u64,
    message: String,
    notify: Option<(String, i32)>,
    /// Whether it can follow changes of memory.
    pub(super) tracks_memory: bool,
    /// Whether it can fetch memory when it is needed.
    pub(super) lazy_pages: bool,
}

impl Swrk {
    /// Starts criu. What it restores gets the caller's standard streams, and may get `handed`,
    /// which have the same numbers there as here.
    pub(super) fn start(program: &Path, restores: bool, handed: &[OwnedFd]) -> Result<Swrk> {
        let (ours, theirs) = Channel::pair()?;
        let inherited = handed.iter().map(AsFd::as_fd).chain([theirs.as_fd()]);
        for fd in inherited {
            fcntl_setfd(fd, FdFlags::empty()).or_error("fcntl", || "F_SETFD, 0")?;
        }
        let stream = || if restores { Stdio::inherit() } else { Stdio::null() };
        let spawned = Command::new(program)
            .arg("swrk")
            .arg(theirs.as_fd().as_raw_fd().to_string())
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn();
        let process = spawned.map_err(|error| {
            let text = "checkpoint and restore need criu, which cannot be run as";
            let hint = "install it, or name it with --criu";
            Error::Unsupported(format!("{text} {}: {error} ({hint})", program.display()))
        })?;
        Ok(Swrk { process, channel: ours })
    }

    pub(super) fn pid(&self) -> i32 {
        self.process.id().cast_signed()
    }

    /// Asks for something, and does what criu wants done meanwhile.
    pub(super) fn ask(
        &self,
        kind: Kind,
        arguments: (u32, &Message),
        mut serve: impl FnMut(Question) -> Result<()>,
    ) -> Result<Answer> {
        let (field, arguments) = arguments;
        let request = Message::default().number(1, kind as u64).message(field, arguments);
        self.channel.send_bytes(request.as_bytes())?;
        loop {
            let (bytes, fd) = self.channel.receive()?;
            if bytes.is_empty() {
                return Err(Error::Criu("it ended without an answer".into()));
            }
            let mut answer = Answer::read(&bytes);
            if !answer.success {
                let Answer { errno, message, .. } = answer;
                let message = message.trim().replace('\n', "; ");
                let colon = if message.is_empty() { "" } else { ": " };
                return Err(Error::Criu(format!("criu failed: errno {errno}{colon}{message}")));
            }
            match answer.notify.take() {
                Some((point, pid)) if answer.kind == NOTIFY => {
                    serve(Question { point, pid, fd })?;
                    let done = Message::default().number(1, NOTIFY).switch(3, true);
                    self.channel.send_bytes(done.as_bytes())?;
                }
                _ if answer.kind == kind as u64 => return Ok(answer),
                _ => return Err(Error::Criu(format!("an answer of kind {}", answer.kind))),
            }
        }
    }
}

impl Drop for Swrk {
    fn drop(&mut self) {
        // With the connection gone it ends by itself, undoing what it has begun. After a pre-dump
        // it would take that for a failure, so its exit code says nothing.
        _ = self.channel.shut_down();
        _ = self.process.wait();
    }
}

impl Answer {
    fn read(bytes: &[u8]) -> Answer {
        let text = |value: Value<'_>| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut answer = Answer::default();
        for (field, value) in fields(bytes) {
            match field {
                1 => answer.kind = value.as_number(),
                2 => answer.success = value.as_number() != 0,
                5 => {
                    let (mut point, mut pid) = (String::new(), 0);
                    for (field, value) in fields(value.as_bytes()) {
                        match field {
                            1 => point = text(value),
                            2 => pid = i32::try_from(value.as_number()).unwrap_or(0),
                            _ => {}
                        }
                    }
                    answer.notify = Some((point, pid));
                }
                7 => answer.errno = value.as_number(),
                8 => {
                    for (field, value) in fields(value.as_bytes()) {
                        match field {
                            1 => answer.tracks_memory = value.as_number() != 0,
                            2 => answer.lazy_pages = value.as_number() != 0,
                            _ => {}
                        }
                    }
                }
                9 => answer.message = text(value),
                _ => {}
            }
        }
        answer
    }
}
