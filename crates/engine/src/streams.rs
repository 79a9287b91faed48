//! Pipes in place of the standard streams of a process that is about to be made. A container never
//! gets the caller's own ones: it could change a file of the machine's through them, or type into
//! the caller's terminal.

use crate::error::{Error, Result};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use sys::OrError;
use sys::rustix::fs::{Gid, OFlags, Uid, fchown, fcntl_getfl, fcntl_setfl};
use sys::rustix::io::fcntl_dupfd_cloexec;
use sys::rustix::pipe::{PipeFlags, pipe_with};
use sys::rustix::stdio;

/// Our ends of the streams of a process.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// What is written there, it reads.
    pub(crate) input: Option<OwnedFd>,
    /// What it prints: standard output, or all that a terminal shows, and standard error.
    pub(crate) outputs: [Option<OwnedFd>; 2],
}

/// Both ends.
pub(crate) struct Streams {
    /// Theirs and ours.
    input: Option<(OwnedFd, OwnedFd)>,
    /// Ours and theirs, twice.
    outputs: Option<[(OwnedFd, OwnedFd); 2]>,
}

impl Streams {
    /// With `input`, something can be written to it; with `output` it can print.
    pub(crate) fn new(input: bool, output: bool) -> Result<Streams> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).or_error("pipe2", || "");
        Ok(Streams {
            input: input.then(pipe).transpose()?,
            outputs: if output { Some([pipe()?, pipe()?]) } else { None },
        })
    }

    /// Has them belong to somebody who is to open them again, by `/dev/stdout` and its like.
    pub(crate) fn give_to(&self, (user, group): (u32, u32)) -> Result<()> {
        let outputs = self.outputs.iter().flatten().map(|(_, theirs)| theirs);
        let input = self.input.iter().map(|(theirs, _)| theirs);
        for pipe in input.chain(outputs) {
            fchown(pipe, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))
                .or_error("fchown", || format!("a pipe, {user}, {group}"))?;
        }
        Ok(())
    }

    /// Has a process made that has theirs as its standard streams. Those of the caller are others
    /// meanwhile: it must have one thread.
    pub(crate) fn during<T>(self, make: impl FnOnce() -> Result<T>) -> Result<(T, Ends)> {
        let keep = |stream| fcntl_dupfd_cloexec(stream, 3).or_error("fcntl", || "F_DUPFD_CLOEXEC");
        let before = [keep(stdio::stdin())?, keep(stdio::stdout())?, keep(stdio::stderr())?];
        let null = null()?;
        let put = match (&self.input, &self.outputs) {
            (Some((input, _)), Some([(_, output), (_, error)])) => put(input, output, error),
            (None, Some([(_, output), (_, error)])) => put(&null, output, error),
            (Some((input, _)), None) => put(input, &null, &null),
            (None, None) => put(&null, &null, &null),
        };
        let made = put.and_then(|()| make());
        let [input, output, error] = &before;
        crate::streams::put(input, output, error)?;
        let made = made?;
        let ends = Ends {
            input: self.input.map(|(_, ours)| ours),
            outputs: self
                .outputs
                .map(|pipes| pipes.map(|(ours, _)| Some(ours)))
                .unwrap_or_default(),
        };
        ends.do_not_block()?;
        Ok((made, ends))
    }
}

impl Ends {
    /// Those of a terminal.
    pub(crate) fn of_terminal(master: OwnedFd) -> Result<Ends> {
        let again = fcntl_dupfd_cloexec(&master, 3).or_error("fcntl", || "F_DUPFD_CLOEXEC")?;
        let ends = Ends { input: Some(again), outputs: [Some(master), None] };
        ends.do_not_block()?;
        Ok(ends)
    }

    fn do_not_block(&self) -> Result<()> {
        for end in self.outputs.iter().chain([&self.input]).flatten() {
            let flags = fcntl_getfl(end).or_error("fcntl", || "F_GETFL")?;
            fcntl_setfl(end, flags | OFlags::NONBLOCK).or_error("fcntl", || "F_SETFL")?;
        }
        Ok(())
    }
}

pub(crate) fn null() -> Result<File> {
    let path = "/dev/null";
    File::options().read(true).write(true).open(path).map_err(Error::file(path))
}

/// What the next child inherits.
pub(crate) fn put(input: impl AsFd, output: impl AsFd, error: impl AsFd) -> Result<()> {
    stdio::dup2_stdin(input).or_error("dup2", || "0")?;
    stdio::dup2_stdout(output).or_error("dup2", || "1")?;
    Ok(stdio::dup2_stderr(error).or_error("dup2", || "2")?)
}
