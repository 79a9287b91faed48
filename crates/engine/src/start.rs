//! Starting a container: its configuration is written, and a monitor of its own starts it.

use crate::attach::Client;
use crate::configuration::{self, Context};
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::inherited::Inherited;
use crate::monitor::{self, Launch, Shared};
use crate::network::{Place, Prepared};
use crate::protocol::{self, Message, hear, tell};
use crate::settings::Namespaces;
use crate::state::{Phase, State};
use crate::status::{Seen, Status, wrong};
use crate::stop::PATIENCE;
use crate::user::Names;
use crate::{folders, init, lock, rootfs, small_file};
use kernel::lock::Work;
use spec::runtime::ConsoleSize;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;
use sys::OrError;
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::io::{Errno, FdFlags, fcntl_setfd};
use sys::rustix::net::RecvFlags;

/// How often it is looked whether a new monitor gets on, in the time of one patience.
const LOOKS: u32 = 6;

/// Who is connected to a container that is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// Nobody.
    Nothing,
    /// The caller, who misses nothing that it prints.
    Foreground {
        /// The caller removes the container when it has ended.
        will_remove: bool,
        /// Rows and columns of the caller's terminal, which that of the container begins with.
        size: Option<(u16, u16)>,
    },
}

impl Attach {
    fn size(self) -> Option<ConsoleSize> {
        let Attach::Foreground { size: Some((height, width)), .. } = self else { return None };
        Some(ConsoleSize { height, width })
    }
}

impl Engine {
    /// Starts a container that does not run.
    ///
    /// # Errors
    /// It runs already; [`Error::NotStarted`] with an exit code.
    pub fn start(&self, container: &Container, attach: Attach) -> Result<Client> {
        self.start_giving(container, attach, &Inherited::default())
    }

    /// The same, with descriptors of the caller's, which its program gets the first time.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_giving(
        &self,
        container: &Container,
        attach: Attach,
        inherited: &Inherited,
    ) -> Result<Client> {
        self.look(container)?;
        self.start_required(container)?;
        if let (true, Some(pod)) = (container.is_infra, self.pod_of(container)?) {
            self.start_sandbox(&pod)?;
            return self.connect(container)?.ok_or(Error::MonitorDied);
        }
        let _lock = self.lock(container)?;
        match self.look_settled(container)? {
            Some(seen) if !seen.status.is_over() => Err(wrong(container, "start", &seen)),
            // Whoever removes it is at it.
            Some(Seen { status: Status::Exited, .. }) if container.settings.auto_remove => {
                Err(Error::NoSuchContainer(container.name.clone()))
            }
            _ => self.start_locked(container, attach, inherited),
        }
    }

    /// Starts what is to run before, unless it does. Each is there longer than who requires it: none
    /// requires itself.
    fn start_required(&self, container: &Container) -> Result<()> {
        for id in &container.settings.requires {
            let wrong = |error| Error::invalid(format!("--requires: {error}"));
            let other = self.find(id).map_err(|error: Error| wrong(error.to_string()))?;
            let runs = || self.look(&other).map(|seen| seen.status.is_running());
            if runs()? {
                continue;
            }
            match self.start(&other, Attach::Nothing) {
                // Somebody else may just have started it.
                Err(_) if runs()? => {}
                Err(error) => return Err(wrong(format!("{}: {error}", other.name))),
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// The caller holds the lock, and the container does not run.
    pub(crate) fn start_locked(
        &self,
        container: &Container,
        attach: Attach,
        inherited: &Inherited,
    ) -> Result<Client> {
        let _pod = self.prepare_pod(container)?;
        self.start_alone(container, attach, inherited)
    }

    /// The same, where all of a pod is there that it needs.
    pub(crate) fn start_alone(
        &self,
        container: &Container,
        attach: Attach,
        inherited: &Inherited,
    ) -> Result<Client> {
        let folder = self.folder(container);
        // A monitor that has just recorded the end is still at taking back what there was.
        let monitor_lock = lock::take_for_child(&folder.monitor())?;
        // What a start that was killed has left; mostly nothing.
        if self.has_leftovers(container) {
            self.clear(container)?;
        }
        for folder in [self.folders.runtime(), self.folders.rootfs(), folder.started.clone()] {
            if !folder.exists() {
                folders::make(&folder)?;
            }
        }
        self.provide_copies(container)?;
        let user = self.new_user_namespace(container)?;
        let prepared = self.prepare_network(container, user.as_ref().map(AsFd::as_fd))?;
        self.fill_translated_volumes(container)?;
        self.write_configuration(container, prepared.as_ref(), attach.size())?;
        self.write_launch(container, prepared.as_ref(), inherited.count())?;
        let (ours, theirs) = protocol::pair()?;
        if let Attach::Foreground { will_remove, .. } = attach {
            tell(&ours, &Message::Attach)?;
            if will_remove {
                tell(&ours, &Message::WillRemove)?;
            }
        }
        let before = State::read(&folder)?;
        let (namespace, place) = prepared.map(|it| (it.namespace, it.place)).unzip();
        let (shared, _lock) = place.map_or((None, None), Place::into_namespace);
        let handed = [shared.as_ref(), user.as_ref()];
        keep_to_oneself()?;
        inherited.hand_on()?;
        self.spawn_monitor(container, theirs, monitor_lock, namespace, handed)?;
        inherited.keep()?;
        let mut buffer = Vec::new();
        self.wait_for_word(container, &ours)?;
        match hear(&ours, &mut buffer, RecvFlags::empty()) {
            Ok(Some(Message::Started(_))) => Ok(Client::new(ours)),
            Ok(Some(Message::Failed(code, message, is_disk_full))) => {
                let message = message.to_owned();
                let failed = Error::NotStarted { code, message, is_disk_full };
                // It ends next, and what it has is free then; or it tries again, if its policy says so.
                let goes_on = before.phase == Phase::Restarting;
                while !goes_on && let Ok(Some(_)) = hear(&ours, &mut buffer, RecvFlags::empty()) {}
                Err(failed)
            }
            Ok(_) => Err(self.why_it_died(container, &before.error)),
            Err(errno) => Err(sys::Error::new("recv", "the monitor", errno).into()),
        }
    }

    /// Waits for the first word of a new monitor, as long as that gets on: others wait for the
    /// container's lock.
    fn wait_for_word(&self, container: &Container, socket: &OwnedFd) -> Result<()> {
        let time = Timespec::try_from(lock::PATIENCE / LOOKS).unwrap_or_default();
        let (mut before, mut since) = (None, Instant::now());
        loop {
            match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&time)) {
                Ok(0) | Err(Errno::INTR) => {}
                result => return Ok(result.map(drop).or_error("poll", || "the monitor")?),
            }
            // Its child may wait for a disk that does not answer.
            let work = lock::work(&self.folder(container).monitor());
            if before != work {
                (before, since) = (work, Instant::now());
            } else if since.elapsed() >= lock::PATIENCE {
                self.refuse_stopped_monitor(container)?;
                if let Some(monitor) = work.iter().find_map(Work::holder) {
                    let name = container.name.clone();
                    return Err(Error::MonitorStopped { name, monitor });
                }
            }
        }
    }

    /// Waits for a word of a monitor, however long it takes, but not if that is stopped.
    pub(crate) fn wait_for_monitor(&self, container: &Container, socket: &OwnedFd) -> Result<()> {
        let time = Timespec::try_from(lock::PATIENCE).unwrap_or_default();
        loop {
            match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&time)) {
                Ok(0) => self.refuse_stopped_monitor(container)?,
                Err(Errno::INTR) => {}
                result => return Ok(result.map(drop).or_error("poll", || "the monitor")?),
            }
        }
    }

    /// Fails if the container's monitor is stopped.
    pub(crate) fn refuse_stopped_monitor(&self, container: &Container) -> Result<()> {
        let name = || container.name.clone();
        match lock::stopped_holder(&self.folder(container).monitor()) {
            Some(monitor) => Err(Error::MonitorStopped { name: name(), monitor }),
            None => Ok(()),
        }
    }

    /// A new one for a container that is to have its own, or that of another.
    fn new_user_namespace(&self, container: &Container) -> Result<Option<OwnedFd>> {
        let Namespaces { user, ids, .. } = &container.settings.namespaces;
        if ids.is_empty() {
            return Ok(None);
        }
        let Some(other) = user.strip_prefix("container:") else {
            return ids.namespace().map(Some);
        };
        let other = self.find(other)?;
        if other.settings.namespaces.ids != *ids {
            let text = "it is another one by now, with other ids: make this container anew";
            return Err(Error::invalid(format!("--userns {user}: {text}")));
        }
        let path = format!("/proc/{}/ns/user", self.running(&other, "share namespaces with")?.pid);
        File::open(&path).map(|it| Some(it.into())).map_err(Error::file(path))
    }

    /// It may have written why, if it is not what was written before.
    fn why_it_died(&self, container: &Container, told_before: &str) -> Error {
        match State::read(&self.folder(container)) {
            Ok(State { error, .. }) if !error.is_empty() && error != told_before => {
                Error::not_started(125, error)
            }
            _ => Error::MonitorDied,
        }
    }

    fn write_configuration(
        &self,
        container: &Container,
        prepared: Option<&Prepared>,
        size: Option<ConsoleSize>,
    ) -> Result<()> {
        let folder = self.folder(container);
        let read = |path: &str| -> Result<String> {
            let text = rootfs::read_file(&folder, &container.layers, path)?;
            Ok(text.unwrap_or_default())
        };
        let names = Names { users: read("/etc/passwd")?, groups: read("/etc/group")? };
        let init = init::file(&self.folders)?;
        let shared = self.shared_with(container)?;
        let mut specification = configuration::specification(&Context {
            container,
            folders: &self.folders,
            folder: folder.clone(),
            init: &init,
            unprivileged: self.user_marks,
            names: &names,
            network: prepared.map(|_| monitor::NETWORK.to_owned()),
            hosts: prepared.map_or(String::new(), |it| it.hosts.clone()),
            shared: &shared,
        })?;
        if let Some(process) = &mut specification.process {
            process.console_size = size;
        }
        let text = spec::json::to_line(&specification).map_err(|error| Error::Damaged {
            what: "the configuration".to_owned(),
            reason: error.to_string(),
        })?;
        let path = folder.configuration();
        small_file::replace(&path, text.as_bytes()).map_err(Error::file(&path))
    }

    /// The namespaces of other containers, which must run.
    fn shared_with(&self, container: &Container) -> Result<Vec<Shared>> {
        let mut all: Vec<Shared> = Vec::new();
        for (kind, text) in configuration::shared(&container.settings) {
            let other = self.find(text)?;
            if !all.iter().any(|known| known.container == other.id) {
                match self.look_only(&other)? {
                    Some(seen) if seen.status.is_running() => {}
                    Some(seen) => return Err(wrong(&other, "share namespaces with", &seen)),
                    None => return Err(Error::MonitorDied),
                }
            }
            all.push(Shared { kind, container: other.id });
        }
        Ok(all)
    }

    fn write_launch(
        &self,
        container: &Container,
        prepared: Option<&Prepared>,
        preserve_fds: u32,
    ) -> Result<()> {
        let settings = &container.settings;
        let launch = Launch {
            id: container.id.clone(),
            name: container.name.clone(),
            image: settings.image.clone(),
            labels: settings.labels.clone(),
            root: self.folders.root().to_owned(),
            run: self.folders.run().to_owned(),
            layers: container.layers.clone(),
            user_marks: self.user_marks,
            tty: settings.tty,
            interactive: settings.interactive,
            timeout: settings.timeout,
            restart: settings.restart.clone(),
            log: settings.log.clone(),
            health: settings.health.clone(),
            auto_remove: settings.auto_remove,
            connection: prepared.map(|it| it.connection.clone()),
            stop_signal: settings.stop_signal.clone(),
            stop_timeout: settings.stop_timeout.unwrap_or(PATIENCE),
            boot: crate::boot::id(),
            user_namespace: (!settings.namespaces.ids.is_empty())
                .then(|| configuration::user_namespace(settings)),
            ids: settings.namespaces.ids.clone(),
            shared_memory: configuration::has_shared_memory(settings),
            shared: self.shared_with(container)?,
            parts: monitor::parts(&self.folders, settings, self.user_marks),
            pid_files: [settings.pid_file.clone(), settings.monitor_pid_file.clone()],
            pod: self.who_hears(container)?,
            preserve_fds,
        };
        launch.write(&self.folder(container))
    }

    /// The pod that is to hear of the container's end.
    fn who_hears(&self, container: &Container) -> Result<Option<String>> {
        let Some(id) = &container.pod else { return Ok(None) };
        let hears = container.is_infra || self.pod(id)?.settings.ends_with_members();
        Ok(hears.then(|| id.clone()))
    }

    /// This program once more, from a file that no container can write; see the runtime's
    /// `executable.rs`.
    fn spawn_monitor(
        &self,
        container: &Container,
        socket: OwnedFd,
        lock: OwnedFd,
        namespace: Option<OwnedFd>,
        handed: [Option<&OwnedFd>; 2],
    ) -> Result<()> {
        let program = runtime::protected_executable()?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", program.as_raw_fd()));
        let namespace = match namespace {
            Some(namespace) => namespace,
            None => File::open("/dev/null").map_err(Error::file("/dev/null"))?.into(),
        };
        let mut command = Command::new(path);
        command.arg0("tinyo").arg(monitor::WORD).arg(self.folder(container).started).env_clear();
        for descriptor in handed {
            // It inherits it by its number; 0 is none.
            if let Some(descriptor) = descriptor {
                fcntl_setfd(descriptor, FdFlags::empty()).or_error("fcntl", || "F_SETFD, 0")?;
            }
            command.arg(descriptor.map_or(0, std::os::fd::AsRawFd::as_raw_fd).to_string());
        }
        command.stdin(Stdio::from(socket)).stdout(Stdio::from(lock)).stderr(Stdio::from(namespace));
        // Nobody waits for it: it outlives this process.
        command.spawn().map(drop).map_err(Error::file("/proc/self/exe"))
    }
}

/// A monitor lives long: whoever waits for the end of a pipe that the caller was given waits in vain
/// if it has that, too.
fn keep_to_oneself() -> Result<()> {
    match sys::process::close_on_exec_from(3) {
        // Before Linux 5.11.
        Ok(()) | Err(Errno::INVAL | Errno::NOSYS) => Ok(()),
        Err(errno) => Err(sys::Error::new("close_range", "3, CLOEXEC", errno).into()),
    }
}
