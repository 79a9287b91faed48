//! Starting a helper program.

use super::{Helper, Request};
use crate::Error;
use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use sys::OrError;
use sys::process::{Cloned, clone3_of_single_thread, exit_now};
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::{Errno, FdFlags, fcntl_setfd, retry_on_intr};
use sys::rustix::pipe::{PipeFlags, pipe_with};
use sys::rustix::process::{Signal, set_parent_process_death_signal};
use sys::rustix::stdio;

/// The arguments, made of the numbers of two descriptors: the container's network namespace, and
/// the one that something is written to when all is ready.
pub(super) type Words<'a> = &'a dyn Fn(i32, i32) -> Vec<String>;

/// `CLONE_NEWPID`, clone(2).
const NEW_PID: u64 = 0x2000_0000;

/// A helper that is not ready by then never will be.
const LONGEST_WAIT: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// So much of what it says is repeated.
const LONGEST_TEXT: usize = 500;

pub(super) fn start(
    program: &Path,
    request: &Request<'_>,
    words: Words<'_>,
) -> Result<Helper, Error> {
    let failed = || Error::doing(format!("start {}", program.display()));
    let (ours, theirs) =
        pipe_with(PipeFlags::CLOEXEC).or_error("pipe2", || "O_CLOEXEC").map_err(failed())?;
    let child = Child::new(program, request, words, theirs).map_err(failed())?;
    let cloned = clone3_of_single_thread(NEW_PID, None)
        .or_error("clone3", || "CLONE_NEWPID")
        .map_err(failed())?;
    let Cloned::Parent(pid, pidfd) = cloned else {
        // An error is seen by the pipe that is closed without a word.
        let Err(_) = child.become_program();
        exit_now(1)
    };
    drop(child);
    let helper = Helper { pid, pidfd };
    if is_ready(&ours, &helper).map_err(failed())? {
        return Ok(helper);
    }
    drop(helper);
    let said = std::fs::read_to_string(request.log).unwrap_or_default();
    Err(Error::Helper(format!("{}: {}", program.display(), what_counts(&said))))
}

/// All that the child needs.
struct Child {
    init: CString,
    words: sys::process::Words,
    environment: sys::process::Words,
    null: File,
    log: File,
    namespace: OwnedFd,
    ready: OwnedFd,
}

impl Child {
    fn new(
        program: &Path,
        request: &Request<'_>,
        words: Words<'_>,
        ready: OwnedFd,
    ) -> Result<Child, sys::Error> {
        let open = |path: &Path, write: bool| {
            let file =
                File::options().read(!write).write(write).create(write).truncate(write).open(path);
            let errno = |error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
            file.map_err(errno).or_error("open", || format!("{path:?}"))
        };
        let namespace = request.namespace.try_clone_to_owned();
        let namespace = namespace
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
            .or_error("fcntl", || "F_DUPFD_CLOEXEC")?;
        let words = words(namespace.as_raw_fd(), ready.as_raw_fd());
        let text = |bytes: &[u8]| {
            CString::new(bytes).map_err(|_| Errno::INVAL).or_error("execve", || "a NUL in a word")
        };
        let mut all = vec![text(b"tino")?, text(b"--")?, text(program.as_os_str().as_bytes())?];
        for word in &words {
            all.push(text(word.as_bytes())?);
        }
        Ok(Child {
            init: text(request.init.as_os_str().as_bytes())?,
            words: sys::process::Words::new(all),
            environment: sys::process::Words::new(Vec::new()),
            null: open(Path::new("/dev/null"), false)?,
            log: open(request.log, true)?,
            namespace,
            ready,
        })
    }

    /// Executes `tino`, and that the program, in the new process.
    fn become_program(&self) -> Result<Infallible, Errno> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // Who died before that has closed the other end.
        let mut polled = [PollFd::new(&self.ready, PollFlags::OUT)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&now))?;
        if polled[0].revents().contains(PollFlags::ERR) {
            return Err(Errno::PIPE);
        }
        stdio::dup2_stdin(&self.null)?;
        stdio::dup2_stdout(&self.log)?;
        stdio::dup2_stderr(&self.log)?;
        for inherited in [self.namespace.as_fd(), self.ready.as_fd()] {
            fcntl_setfd(inherited, FdFlags::empty())?;
        }
        // Our own program ignores this one, and `pasta` does not start where it is ignored.
        sys::process::reset_signals(1 << (Signal::PIPE.as_raw() - 1));
        sys::process::execve(&self.init, &self.words, &self.environment)
    }
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
