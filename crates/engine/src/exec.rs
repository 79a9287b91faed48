//! One more process in a container.

use crate::configuration::variables;
use crate::database::Container;
use crate::engine::{Engine, runtime_id};
use crate::error::{Error, Result};
use crate::foreground::Foreground;
use crate::inherited::Inherited;
use crate::keeper::Outcome;
use crate::pause::is_paused;
use crate::protocol::{self, Message, hear, tell};
use crate::secret;
use crate::streams::Streams;
use crate::user::Names;
use runtime::{ContainerId, Keys, Running};
use spec::runtime::{ConsoleSize, Process, User};
use std::path::Path;
use sys::rustix::net::RecvFlags;
use sys::rustix::stdio;
use sys::rustix::termios::isatty;

/// A process to be added.
#[derive(Clone, Debug, Default)]
pub struct Exec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// More variables, `NAME=VALUE`.
    pub env: Vec<String>,
    /// Where it starts; empty: where the container's own program does.
    pub working_dir: String,
    /// `USER[:GROUP]`; empty: that of the container.
    pub user: String,
    /// Whether it gets a terminal.
    pub tty: bool,
    /// Rows and columns of that.
    pub size: Option<(u16, u16)>,
    /// It has all rights.
    pub privileged: bool,
    /// Descriptors of the caller's that it gets; not one that is left alone at once.
    pub inherited: Inherited,
}

impl Engine {
    /// Adds a process to a container that runs, and leaves it alone. The caller has one thread.
    ///
    /// # Errors
    /// It does not run, or is paused; the process cannot be started: [`Error::NotStarted`].
    pub fn exec_detached(&self, container: &Container, exec: &Exec) -> Result<()> {
        let exec = Exec { tty: false, ..exec.clone() };
        let pid = self.running(container, "exec in")?.pid;
        if is_paused(&self.folders, &container.id)? {
            return Err(is_paused_now(container));
        }
        self.tell_exec(container, &exec)?;
        let process = self.with_process(container, &exec, pid, |process, _, _| {
            spec::json::to_line(process)
                .map_err(|error| runtime::Error::Unsupported(error.to_string()))
        })?;
        let gone = || Error::invalid(format!("container {} has just ended", container.name));
        // Its monitor is to be the parent, which buries it.
        let socket = protocol::connect_to(&self.folders.socket(&container.id))?.ok_or_else(gone)?;
        if process.len() > protocol::CHUNK {
            return Err(Error::invalid("the command and its variables are too long"));
        }
        tell(&socket, &Message::Exec(&process))?;
        let mut buffer = Vec::new();
        self.wait_for_monitor(container, &socket)?;
        match hear(&socket, &mut buffer, RecvFlags::empty()) {
            Ok(Some(Message::Started(_))) => Ok(()),
            Ok(Some(Message::Failed(code, message, is_disk_full))) => {
                Err(Error::NotStarted { code, message: message.to_owned(), is_disk_full })
            }
            Ok(_) => Err(gone()),
            Err(errno) => Err(sys::Error::new("recv", "the monitor", errno).into()),
        }
    }

    /// Has the health of a container that runs checked at once: whether it is healthy.
    ///
    /// # Errors
    /// It does not run, or is paused; there is no check.
    pub fn check_health(&self, container: &Container) -> Result<bool> {
        let name = &container.name;
        if container.settings.health.is_none() {
            return Err(Error::invalid(format!("container {name} has no health check")));
        }
        self.running(container, "check")?;
        if is_paused(&self.folders, &container.id)? {
            return Err(is_paused_now(container));
        }
        let gone = || Error::invalid(format!("container {name} has just ended"));
        let socket = protocol::connect_to(&self.folders.socket(&container.id))?.ok_or_else(gone)?;
        tell(&socket, &Message::Check)?;
        let mut buffer = Vec::new();
        loop {
            self.wait_for_monitor(container, &socket)?;
            match hear(&socket, &mut buffer, RecvFlags::empty()) {
                Ok(Some(Message::Checked(healthy))) => return Ok(healthy),
                Ok(Some(Message::Exit(_)) | None) => return Err(gone()),
                // This is said to whoever comes.
                Ok(Some(_)) => {}
                Err(errno) => return Err(sys::Error::new("recv", "the monitor", errno).into()),
            }
        }
    }

    /// Adds a process to a container that runs, and stays until it ends, or is left by typing these
    /// keys on its terminal: the caller's standard streams and signals are passed on. The caller has
    /// one thread.
    ///
    /// # Errors
    /// As [`Engine::exec_detached`].
    pub fn exec(
        &self,
        container: &Container,
        exec: &Exec,
        input: bool,
        keys: &Keys,
    ) -> Result<Outcome> {
        let pid = self.running(container, "exec in")?.pid;
        let id = self.tell_exec(container, exec)?;
        let result = self.exec_in_front(container, exec, pid, input, keys);
        let code = match &result {
            Ok(Outcome::Ended(code)) | Err(Error::NotStarted { code, .. }) => code.to_string(),
            _ => return result,
        };
        self.tell_event(container, "exec_die", &[("execID", &id), ("exitCode", &code)])?;
        result
    }

    /// That it is about to begin. The id is made up for who reads of it.
    fn tell_exec(&self, container: &Container, exec: &Exec) -> Result<String> {
        let id = crate::id::random()?;
        let command = exec.command.join(" ");
        for action in ["exec_create", "exec_start"] {
            self.tell_event(container, &format!("{action}: {command}"), &[("execID", &id)])?;
        }
        Ok(id)
    }

    fn exec_in_front(
        &self,
        container: &Container,
        exec: &Exec,
        pid: i32,
        input: bool,
        keys: &Keys,
    ) -> Result<Outcome> {
        if exec.tty && input && !keys.is_empty() && isatty(stdio::stdin()) {
            return self.exec_kept(container, exec, pid, keys);
        }
        if exec.tty {
            let foreground = runtime::Foreground::begin(false)?;
            let streams = Streams::new(false, false)?;
            let (mut running, _) = streams.during(|| self.add_process(container, exec, pid))?;
            return Ok(Outcome::Ended(foreground.attend(&mut running)?));
        }
        let foreground = Foreground::begin(input)?;
        let streams = Streams::new(input, true)?;
        if let Some(root) = container.settings.namespaces.ids.outside(0, 0) {
            streams.give_to(root)?;
        }
        let (running, ends) = streams.during(|| self.add_process(container, exec, pid))?;
        foreground.stay(&running, ends).map(Outcome::Ended)
    }

    pub(crate) fn add_process(
        &self,
        container: &Container,
        exec: &Exec,
        pid: i32,
    ) -> Result<Running> {
        exec.inherited.hand_on()?;
        self.with_process(container, exec, pid, |process, root, id| {
            runtime::exec(&runtime::Exec {
                root,
                id,
                process,
                console_socket: None,
                plain_lines: false,
                pidfd_socket: None,
                pid_file: None,
                detach: false,
                preserve_fds: exec.inherited.count(),
                listen_fds: None,
                cgroups: &[],
                ignore_paused: false,
            })
        })
    }

    /// Gives the process as the runtime takes it to a function: the container's own one, which is
    /// `pid`, with what is asked for.
    fn with_process<T>(
        &self,
        container: &Container,
        exec: &Exec,
        pid: i32,
        act: impl FnOnce(&Process<'_>, &Path, &ContainerId) -> runtime::Result<T>,
    ) -> Result<T> {
        let mut settings = container.settings.clone();
        settings.tty = exec.tty;
        let mut more = secret::variables(&self.folder(container), &settings)?;
        more.extend(exec.env.iter().cloned());
        let user = match exec.user.as_str() {
            "" => None,
            text => Some(find_user(pid, text).map_err(not_started)?),
        };
        let (root, id) = (self.folders.runtime(), runtime_id(&container.id)?);
        let result = runtime::with_configuration(&root, &id, |spec| {
            let Some(own) = &spec.process else {
                return Err(runtime::Error::Unsupported("the container has no process".to_owned()));
            };
            let mut process: Process<'_> = own.clone();
            process.args = exec.command.iter().map(|word| word.clone().into()).collect();
            let host = spec.hostname.to_string();
            let host = Some(host.as_str()).filter(|host| !host.is_empty());
            process.env = variables(&settings, &more, host).into_iter().map(Into::into).collect();
            process.terminal = exec.tty;
            process.console_size = exec.size.map(|(height, width)| ConsoleSize { height, width });
            if !exec.working_dir.is_empty() {
                process.cwd = exec.working_dir.clone().into();
            }
            if let Some(user) = &user {
                process.user = user.clone();
                set_rights_of(&mut process, user.uid);
            }
            if exec.privileged {
                set_all_rights(&mut process);
            }
            act(&process, &root, &id)
        });
        result.map_err(|error| {
            if matches!(error, runtime::Error::Paused) {
                return is_paused_now(container);
            }
            let message = error.to_string();
            match crate::monitor::start_code(&message) {
                125 if message.starts_with(INSIDE) => not_started(error.into()),
                125 => error.into(),
                code => Error::not_started(code, message),
            }
        })
    }
}

fn is_paused_now(container: &Container) -> Error {
    Error::invalid(format!("container {} is paused: unpause it first", container.name))
}

/// What is wrong within the container.
const INSIDE: &str = "unable to start container process: ";

/// As Docker has it, one that could not begin is one that cannot be run.
fn not_started(error: Error) -> Error {
    let is_disk_full = error.is_disk_full();
    let message = match error {
        Error::Invalid(message) => message,
        Error::Runtime(error) => crate::blame::of_flag(&error.to_string()),
        error => return error,
    };
    Error::NotStarted { code: 126, message, is_disk_full }
}

/// Whoever is root has what the container may have, and others nothing.
fn set_rights_of(process: &mut Process<'_>, user: u32) {
    if let Some(capabilities) = &mut process.capabilities {
        let own = if user == 0 { capabilities.bounding.clone() } else { Vec::new() };
        capabilities.effective.clone_from(&own);
        capabilities.permitted = own;
    }
}

fn set_all_rights(process: &mut Process<'_>) {
    let all: Vec<_> =
        kernel::credentials::capability_names().iter().map(|name| (*name).into()).collect();
    process.no_new_privileges = false;
    if let Some(capabilities) = &mut process.capabilities {
        capabilities.bounding.clone_from(&all);
        capabilities.effective.clone_from(&all);
        capabilities.permitted = all;
    }
}

/// Who a name is, in the files of the container as they are now.
fn find_user(pid: i32, text: &str) -> Result<User> {
    let read = |name: &str| crate::rootfs::read_of_process(pid, Path::new(name));
    let names = Names { users: read("/etc/passwd")?, groups: read("/etc/group")? };
    names.find(text, &[])
}
