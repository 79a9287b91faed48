//! Programs of the machine's that work for a container from outside: for its network, or its files.
//!
//! A helper is the first process of a PID namespace, which the kernel kills when whoever started it
//! dies: by that all of it ends, whatever it has made of itself. It is in no group and no namespace
//! of the container, which cannot see it.

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use sys::OrError;
use sys::process::{Cloned, Words, clone3_of_single_thread, exit_now};
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::fs::{CWD, Mode, OFlags, openat};
use sys::rustix::io::{Errno, FdFlags, fcntl_setfd, read, retry_on_intr, write};
use sys::rustix::pipe::{PipeFlags, pipe_with};
use sys::rustix::process::{Pid, Signal, WaitOptions, set_parent_process_death_signal, waitpid};
use sys::rustix::stdio;

/// Where programs are looked for.
const FOLDERS: [&str; 5] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin"];

/// `CLONE_NEWPID`, clone(2).
const NEW_PID: u64 = 0x2000_0000;

const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// What is to be started.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its arguments, from its own name on.
    pub words: &'a [&'a OsStr],
    /// Descriptors that it gets under the numbers that they have, all above 2; no others.
    pub inherited: &'a [BorrowedFd<'a>],
    /// Where what it prints goes.
    pub output: BorrowedFd<'a>,
    /// Signals that it is not to hear: all that are sent to a user's processes when he goes, of
    /// whom the container may have to end first.
    pub ignored: &'a [Signal],
}

/// A program that runs. It ends when this is dropped, or the process that started it.
#[derive(Debug)]
pub struct Helper {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Helper {
    /// Starts a program, for a caller with one thread; it is executed by now.
    ///
    /// # Errors
    /// Those of clone3(2) and execve(2).
    pub fn start(request: &Request<'_>) -> Result<Helper, sys::Error> {
        let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC).or_error("pipe2", || "O_CLOEXEC")?;
        let shown = || format!("{:?}", request.program);
        let child = Child::new(request, theirs)?;
        let cloned = clone3_of_single_thread(NEW_PID, None);
        let Cloned::Parent(pid, pidfd) = cloned.or_error("clone3", || "CLONE_NEWPID")? else {
            let Err(errno) = child.become_program(request);
            // Nobody is left to be told if this fails.
            let _ = write(&child.ours, &errno.raw_os_error().to_ne_bytes());
            exit_now(1)
        };
        drop(child);
        let helper = Helper { pid, pidfd };
        // Closed when it is executed.
        let mut errno = [0; 4];
        match retry_on_intr(|| read(&ours, &mut errno)).or_error("read", || "a pipe")? {
            0 => Ok(helper),
            _ => Err(Errno::from_raw_os_error(i32::from_ne_bytes(errno))).or_error("execve", shown),
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let mut polled = [PollFd::new(&self.pidfd, PollFlags::IN)];
        // What cannot be found out now can be the next time.
        matches!(poll(&mut polled, Some(&NOW)), Ok(1..))
    }
}

impl AsFd for Helper {
    /// Readable when it has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It may have ended already; then there is only its body.
        let _ = sys::process::send_signal(self.pidfd.as_fd(), sys::process::SIGKILL);
        let _ = retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty()));
    }
}

/// A program, if it is installed.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let is_file = |path: &PathBuf| {
        sys::rustix::fs::stat(path)
            .is_ok_and(|it| sys::rustix::fs::FileType::from_raw_mode(it.st_mode).is_file())
    };
    FOLDERS.iter().map(|folder| Path::new(folder).join(program)).find(is_file)
}

/// All that the child needs.
struct Child {
    program: CString,
    words: Words,
    environment: Words,
    null: OwnedFd,
    /// What becomes of it is said here.
    ours: OwnedFd,
}

impl Child {
    fn new(request: &Request<'_>, ours: OwnedFd) -> Result<Child, sys::Error> {
        let text = |text: &OsStr| {
            CString::new(text.as_bytes())
                .map_err(|_| Errno::INVAL)
                .or_error("execve", || "a NUL in a word")
        };
        let words = request.words.iter().map(|word| text(word)).collect::<Result<_, _>>()?;
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        Ok(Child {
            program: text(request.program.as_os_str())?,
            words: Words::new(words),
            environment: Words::new(Vec::new()),
            null: openat(CWD, c"/dev/null", flags, Mode::empty())
                .or_error("openat", || "\"/dev/null\"")?,
            ours,
        })
    }

    /// Executes the program in the new process.
    fn become_program(&self, request: &Request<'_>) -> Result<Infallible, Errno> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // Who died before that has closed the other end.
        let mut polled = [PollFd::new(&self.ours, PollFlags::OUT)];
        poll(&mut polled, Some(&NOW))?;
        if polled[0].revents().contains(PollFlags::ERR) {
            return Err(Errno::PIPE);
        }
        stdio::dup2_stdin(&self.null)?;
        stdio::dup2_stdout(request.output)?;
        stdio::dup2_stderr(request.output)?;
        // Whatever the caller was given by its own parent.
        sys::process::close_on_exec_from(3)?;
        for inherited in request.inherited {
            fcntl_setfd(inherited, FdFlags::empty())?;
        }
        // Our own program ignores this one, and `pasta` does not start where it is ignored.
        sys::process::reset_signals(1 << (Signal::PIPE.as_raw() - 1));
        for signal in request.ignored {
            sys::process::ignore_signal(*signal);
        }
        sys::process::execve(&self.program, &self.words, &self.environment)
    }
}
