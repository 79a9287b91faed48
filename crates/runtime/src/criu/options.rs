//! What a checkpoint and a restore can be told alike.

use super::message::Message;
use super::swrk::{Kind, Swrk};
use crate::error::{Error, Result};
use crate::file;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use sys::rustix::fs::{CWD, Mode, OFlags, mkdirat};
use sys::rustix::io::Errno;

/// Options of criu, in the words of runc.
#[derive(Clone, Copy, Debug)]
pub struct Criu<'a> {
    /// The program: a path, or a name that is searched for.
    pub program: &'a Path,
    /// The folder of the checkpoint.
    pub image_path: &'a Path,
    /// The folder for logs and other files; without one, that of the checkpoint.
    pub work_path: Option<&'a Path>,
    /// Connections of TCP are kept.
    pub tcp_established: bool,
    /// The other ends of unix sockets may be outside.
    pub ext_unix_sk: bool,
    /// It may belong to a session and terminal outside.
    pub shell_job: bool,
    /// Locks on files are kept.
    pub file_locks: bool,
    /// What becomes of cgroups below and their limits; `None`: what criu thinks best.
    pub manage_cgroups: Option<CgroupsMode>,
    /// A network namespace is made new and empty.
    pub empty_network: bool,
    /// What a later checkpoint has again is taken out of earlier ones.
    pub auto_dedup: bool,
    /// Memory is fetched when it is needed.
    pub lazy_pages: bool,
}

/// How cgroups are restored, in criu's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupsMode {
    /// Nothing is saved or restored.
    Ignore = 0,
    /// Limits of groups that are made anew.
    Soft = 3,
    /// All limits.
    Full = 4,
    /// All limits, and no group may be missing.
    Strict = 5,
}

/// What the annotation names, or else this file, tells criu more; it need not exist.
const CONFIGURATION: (&str, &str) = ("org.criu.config", "/etc/criu/runc.conf");

/// criu's own word for a new network namespace.
const CLONE_NEWNET: u64 = 0x4000_0000;

/// What criu logs: errors and what led to them.
const LOG_LEVEL: u64 = 4;

/// The folders that criu works in.
pub(super) struct Folders {
    images: OwnedFd,
    work: Option<OwnedFd>,
}

impl Folders {
    /// Opens them; one of a new checkpoint, and one for logs, may be made.
    pub(super) fn open(options: &Criu<'_>, make: bool) -> Result<Folders> {
        Ok(Folders {
            images: folder("checkpoint", options.image_path, make)?,
            work: options.work_path.map(|path| folder("work folder", path, true)).transpose()?,
        })
    }

    pub(super) fn images(&self) -> &OwnedFd {
        &self.images
    }

    /// Whether there is an earlier checkpoint at this path, which begins at the folder of this one.
    pub(super) fn check_parent(&self, path: &Path) -> Result<()> {
        if path.is_absolute() {
            let what = "the path of the parent must be relative to that of the images";
            return Err(Error::Unsupported(format!("{what}: {path:?}")));
        }
        let found = file::open(&self.images, path, OFlags::PATH | OFlags::DIRECTORY);
        let failed = |error| Error::File { what: "parent checkpoint", path: path.into(), error };
        found.map(drop).map_err(failed)
    }

    /// The error of criu with what its log says.
    pub(super) fn explain(&self, log: &str, error: Error) -> Error {
        let Error::Criu(text) = error else { return error };
        let folder = self.work.as_ref().unwrap_or(&self.images);
        let bytes = file::read_all(folder, log, 16 << 20).unwrap_or_default();
        let bytes = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = bytes.lines().filter(|line| line.contains("Error")).collect();
        let last = &lines[lines.len().saturating_sub(3)..];
        let colon = if last.is_empty() { "" } else { ": " };
        Error::Criu(format!("{text}{colon}{} (see {log})", last.join("; ")))
    }
}

fn folder(what: &'static str, path: &Path, make: bool) -> Result<OwnedFd> {
    let failed = |error| Error::File { what, path: path.to_owned(), error };
    if make {
        match mkdirat(CWD, path, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => {
                return Err(failed(sys::Error::new("mkdirat", format!("{path:?}"), errno)));
            }
        }
    }
    file::open(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)
}

impl Criu<'_> {
    /// `criu_opts` as far as both verbs have them. criu opens the folders by their numbers here.
    pub(super) fn message<'a>(
        &self,
        folders: &Folders,
        log: &str,
        annotations: impl Fn(&str) -> Option<&'a str>,
    ) -> Message {
        let number = |fd: &OwnedFd| u64::from(fd.as_fd().as_raw_fd().unsigned_abs());
        let (annotation, usual) = CONFIGURATION;
        let configuration = annotations(annotation).unwrap_or(usual);
        let message = Message::default()
            .number(1, number(&folders.images))
            .switch(4, self.ext_unix_sk)
            .switch(5, self.tcp_established)
            .switch(7, self.shell_job)
            .switch(8, self.file_locks)
            .number(9, LOG_LEVEL)
            .text(10, log)
            // Questions are asked, see `Question`.
            .switch(12, true)
            .switch(16, self.auto_dedup)
            .switch(24, true)
            .switch(48, self.lazy_pages)
            .switch(50, true)
            .some_text(51, Some(configuration).filter(|path| !path.is_empty()));
        let message = match &folders.work {
            Some(work) => message.number(17, number(work)),
            None => message,
        };
        let message = match self.manage_cgroups {
            Some(mode) => message.number(34, mode as u64),
            None => message,
        };
        if self.empty_network { message.number(38, CLONE_NEWNET) } else { message }
    }

    /// Asks whether criu, on this kernel, can do something.
    pub(super) fn check(&self, what: &'static str, field: u32) -> Result<()> {
        let swrk = Swrk::start(self.program, false, &[])?;
        let features = Message::default().switch(field, true);
        let answer = swrk.ask(Kind::FeatureCheck, (5, &features), |_| Ok(()))?;
        let has = if field == TRACKS_MEMORY { answer.tracks_memory } else { answer.lazy_pages };
        if has {
            return Ok(());
        }
        Err(Error::Unsupported(format!("criu cannot do this with this kernel: it lacks {what}")))
    }
}

/// A field of `criu_features`.
pub(super) const TRACKS_MEMORY: u32 = 1;
/// A field of `criu_features`.
pub(super) const LAZY_PAGES: u32 = 2;
