//! The container's first process and the ends of its streams.

use super::Launch;
use crate::engine::runtime_id;
use crate::error::{Error, Result};
use crate::folders::{ContainerFolder, Folders};
use crate::inherited::Inherited;
use crate::protocol::Stream;
use crate::shown::copy_of_shown;
use crate::streams::{Ends, Streams};
use crate::{fuse, rootfs};
use kernel::helper::Helper;
use runtime::{CgroupDriver, Create, GivenMount, Mapped, RootMount, Running};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use sys::rustix::io::{Errno, read};
use sys::rustix::process::{WaitOptions, WaitStatus, waitpid};
use sys::rustix::termios::{Winsize, tcsetwinsize};

/// A program that runs, or has ended but not been read to the end.
pub(super) struct Program {
    running: Running,
    /// The ends that are read; a terminal's master is the first.
    outputs: [Option<OwnedFd>; 2],
    /// The end that is written.
    input: Option<OwnedFd>,
    terminal: bool,
    /// How it ended.
    ended: Option<u8>,
    /// What serve its files, if the kernel does not.
    helpers: Vec<Helper>,
}

/// What came of reading a stream.
pub(super) enum Read {
    /// Bytes, which are at the beginning of the buffer.
    Some(usize),
    /// Nothing at the moment.
    NotNow,
    /// Nothing any more.
    End,
}

impl Program {
    /// Starts the container. Where others serve its files, `helpers` are those of its mounts.
    pub(super) fn start(
        launch: &Launch,
        (folders, folder): (&Folders, &ContainerFolder),
        given: Vec<Rc<GivenMount>>,
        mut helpers: Option<Vec<Helper>>,
        inherited: &Inherited,
    ) -> Result<Program> {
        let root_mount = root_mount(launch, (folders, folder), helpers.as_mut())?;
        let id = runtime_id(&launch.id)?;
        let streams = Streams::new(launch.interactive && !launch.tty, !launch.tty)?;
        if let Some(root) = launch.ids.outside(0, 0) {
            streams.give_to(root)?;
        }
        let request = Create {
            root: &folders.runtime(),
            id: &id,
            bundle: &folder.path,
            configuration: Some(&folder.configuration()),
            detach: false,
            console_socket: None,
            plain_lines: false,
            pidfd_socket: None,
            pid_file: None,
            no_pivot: false,
            no_new_keyring: false,
            preserve_fds: inherited.count(),
            cgroup_driver: CgroupDriver::Files,
            rootless: launch.user_marks.then_some(true),
            listen_fds: None,
            notify_socket: None,
            root_mount: Some(root_mount),
            given,
            keeps_restrictions: true,
            ends_with_caller: true,
        };
        inherited.hand_on()?;
        let (mut running, ends) = streams.during(|| Ok(runtime::run(&request)?))?;
        let Ends { input, outputs } = match running.console.take() {
            Some(master) => Ends::of_terminal(master)?,
            None => ends,
        };
        let terminal = launch.tty;
        let helpers = helpers.unwrap_or_default();
        Ok(Program { running, outputs, input, terminal, ended: None, helpers })
    }

    pub(super) fn pid(&self) -> i32 {
        self.running.pid.as_raw_nonzero().get()
    }

    pub(super) fn output(&self, stream: Stream) -> Option<&OwnedFd> {
        self.outputs[index(stream)].as_ref()
    }

    pub(super) fn input(&self) -> Option<&OwnedFd> {
        self.input.as_ref()
    }

    /// Nothing more comes from whoever is attached. A terminal stays open: its end is a key.
    pub(super) fn close_input(&mut self) {
        if !self.terminal {
            self.input = None;
        }
    }

    /// The input has nobody who reads it.
    pub(super) fn lose_input(&mut self) {
        self.input = None;
    }

    pub(super) fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        if let (true, Some(master)) = (self.terminal, &self.input) {
            // A terminal that has gone needs no size.
            let _ = tcsetwinsize(master, size);
        }
    }

    /// Reads what there is. Where all processes have ended, nothing more comes.
    pub(super) fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> Read {
        let Some(end) = &self.outputs[index(stream)] else { return Read::End };
        let result = match read(end, buffer) {
            Ok(0) => Read::End,
            Ok(length) => Read::Some(length),
            Err(Errno::AGAIN | Errno::INTR) if self.ended.is_none() => Read::NotNow,
            Err(Errno::INTR) => Read::NotNow,
            // A terminal says EIO when nobody has it open; that may change while somebody lives.
            Err(Errno::IO) if self.ended.is_none() => Read::NotNow,
            Err(_) => Read::End,
        };
        if matches!(result, Read::End) {
            self.outputs[index(stream)] = None;
        }
        result
    }

    /// Finds out whether it has ended.
    pub(super) fn reap(&mut self) -> Result<()> {
        if self.ended.is_some() {
            return Ok(());
        }
        match waitpid(Some(self.running.pid), WaitOptions::NOHANG) {
            Ok(None) | Err(Errno::INTR) => {}
            Ok(Some((_, status))) => self.ended = Some(exit_code(status)),
            Err(errno) => return Err(sys::Error::new("waitpid", "the container", errno).into()),
        }
        Ok(())
    }

    pub(super) fn ended(&self) -> Option<u8> {
        self.ended
    }

    /// It has ended and was read to the end.
    pub(super) fn is_over(&self) -> bool {
        self.ended.is_some() && self.outputs.iter().all(Option::is_none)
    }

    /// Whether the kernel killed one of its processes because memory was short.
    pub(super) fn was_short_of_memory(&self) -> bool {
        // Whoever is killed for that ends like this; and reading all the numbers takes its time.
        self.ended == Some(137) && self.running.memory_kills().is_ok_and(|kills| kills > 0)
    }

    /// Removes what the runtime has of it.
    pub(super) fn remove(mut self) -> Result<()> {
        self.running.remove()?;
        Ok(())
    }

    /// Those who serve its files.
    pub(super) fn helpers(&self) -> &[Helper] {
        &self.helpers
    }

    /// Whether one of them has ended, which is told once.
    pub(super) fn loses_files(&mut self) -> bool {
        let has_ended = self.helpers.iter().any(Helper::has_ended);
        if has_ended {
            self.helpers.clear();
        }
        has_ended
    }

    pub(super) fn kill(&self) {
        // It may have ended already.
        let _ = sys::process::send_signal(self.running.pidfd.as_fd(), sys::process::SIGKILL);
    }
}

/// The container's root: what is shown of it already, or its layers, laid over each other by the
/// kernel, or where there are `helpers`, by one more of them.
fn root_mount(
    launch: &Launch,
    (folders, folder): (&Folders, &ContainerFolder),
    helpers: Option<&mut Vec<Helper>>,
) -> Result<RootMount> {
    let Launch { layers, auto_remove, user_marks, .. } = launch;
    if !user_marks
        && launch.ids.is_empty()
        && let Some(tree) = copy_of_shown(folders, &launch.id)?
    {
        return Ok(RootMount::Tree(Rc::new(tree)));
    }
    let mut overlay = rootfs::overlay(folders, folder, layers, *auto_remove, *user_marks)?;
    if let (Some(path), Some(root)) = (&launch.user_namespace, launch.ids.outside(0, 0)) {
        // Of a user without rights the files have these ids themselves.
        let open = || File::open(path).map(OwnedFd::from).map_err(Error::file(path));
        let namespace = if *user_marks { None } else { Some(open()?) };
        overlay.mapped_by = Some(Rc::new(Mapped { namespace, root }));
    }
    let Some(helpers) = helpers else { return Ok(RootMount::Overlay(Rc::new(overlay))) };
    let (tree, helper) = fuse::mount(&overlay, folder)?;
    helpers.push(helper);
    Ok(RootMount::Tree(Rc::new(tree)))
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Output => 0,
        Stream::Error => 1,
    }
}

/// As shells tell it.
pub(crate) fn exit_code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or(status.terminating_signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}
