//! Starting a helper program.

use super::Request;
use crate::Error;
use kernel::helper::{self, Helper};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;
use sys::OrError;
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::{Errno, retry_on_intr};
use sys::rustix::pipe::{PipeFlags, pipe_with};

/// The arguments, made of the numbers of two descriptors: the container's network namespace, and
/// the one that something is written to when all is ready.
pub(super) type Words<'a> = &'a dyn Fn(i32, i32) -> Vec<String>;

/// A helper that is not ready by then never will be.
const LONGEST_WAIT: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// So much of what it says is repeated.
const LONGEST_TEXT: usize = 500;

/// Below `tino`, since it may make processes.
pub(super) fn start(
    program: &Path,
    request: &Request<'_>,
    words: Words<'_>,
) -> Result<Helper, Error> {
    let failed = || Error::doing(format!("start {}", program.display()));
    let (ours, theirs) =
        pipe_with(PipeFlags::CLOEXEC).or_error("pipe2", || "O_CLOEXEC").map_err(failed())?;
    let log = File::create(request.log)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
        .or_error("open", || format!("{:?}", request.log))
        .map_err(failed())?;
    let words = words(request.namespace.as_raw_fd(), theirs.as_raw_fd());
    let all: Vec<&OsStr> = [OsStr::new("tino"), OsStr::new("--"), program.as_os_str()]
        .into_iter()
        .chain(words.iter().map(OsStr::new))
        .collect();
    let started = Helper::start(&helper::Request {
        program: request.init,
        words: &all,
        inherited: &[request.namespace, theirs.as_fd()],
        output: log.as_fd(),
        ignored: &[],
    });
    let helper = started.map_err(failed())?;
    // An end is seen by the pipe that is closed without a word.
    drop(theirs);
    if is_ready(&ours, &helper).map_err(failed())? {
        return Ok(helper);
    }
    drop(helper);
    let said = std::fs::read_to_string(request.log).unwrap_or_default();
    Err(Error::Helper(format!("{}: {}", program.display(), what_counts(&said))))
}
/// Waits until it says that it is; false if it ends instead.
fn is_ready(ready: &OwnedFd, helper: &Helper) -> Result<bool, sys::Error> {
    let mut polled = [
        PollFd::new(ready, PollFlags::IN),
        PollFd::from_borrowed_fd(helper.as_fd(), PollFlags::IN),
    ];
    retry_on_intr(|| poll(&mut polled, Some(&LONGEST_WAIT))).or_error("poll", || "")?;
    Ok(polled[0].revents().contains(PollFlags::IN))
}

/// Without what `pasta` says about the log of the system, which is not there in its namespace, and
/// about a kind of addresses that the machine does not have.
fn what_counts(text: &str) -> String {
    let is_noise = |line: &&str| line.starts_with("Failed to send") || line.trim().is_empty();
    let lines: Vec<&str> = text.lines().filter(|line| !is_noise(line)).collect();
    let mut text = if lines.is_empty() { "it ended".to_owned() } else { lines.join(", ") };
    if text.len() > LONGEST_TEXT {
        text = text.chars().take(LONGEST_TEXT).collect();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::what_counts;

    #[test]
    fn noise_is_left_out() {
        let text = "Failed to send 46 bytes to syslog\nNo external routable interface for IPv4\n\n";
        assert_eq!(what_counts(text), "No external routable interface for IPv4");
        assert_eq!(what_counts(""), "it ended");
    }
}
