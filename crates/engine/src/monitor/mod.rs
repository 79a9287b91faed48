//! The process that looks after one container: it starts it, so that it is its parent, holds its
//! terminal or pipes, keeps the log, serves those who attach, checks its health, starts it again,
//! and records its end.
//!
//! It is this program once more, with one thread, and opens no database. Whoever starts it hands
//! it three descriptors as standard streams: the socket to report on, the lock that says that it
//! lives, and the network namespace (or `/dev/null`).

mod added;
mod asked;
mod clients;
mod connection;
mod health;
mod input;
mod launch;
mod log;
mod outward;
mod part;
mod probe;
mod program;
mod shared;
mod starting;
mod supervise;

pub(crate) use connection::Connection;
pub(crate) use launch::Launch;
pub(crate) use part::{Part, parts};
pub(crate) use program::exit_code;
pub(crate) use shared::{MEMORY, NO_SOURCE, Shared, SharedKind};
pub(crate) use starting::start_code;

use crate::error::{Error, Result};
use crate::folders::{ContainerFolder, Folders, remove_tree};
use crate::guard::Watched;
use crate::inherited::Inherited;
use crate::members::PID;
use crate::state::{Phase, State};
use crate::{small_file, streams};
use added::Added;
use clients::Clients;
use connection::Connected;
use health::Health;
use kernel::namespace::{Kind, Set, unshare};
use log::Log;
use program::Program;
use shared::Slots;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;
use sys::OrError;
use sys::rustix::io::fcntl_dupfd_cloexec;
use sys::rustix::process::{chdir, setsid};
use sys::rustix::stdio;
use sys::rustix::thread::set_name;
use sys::signal::Signals;

/// The word by which a program knows that it is to be a monitor; the container's folder for what
/// does not outlive the machine follows.
pub const WORD: &str = "monitor";

/// Where the container's configuration finds its network: a descriptor of the monitor.
pub(crate) const NETWORK: &str = "/proc/self/fd/100";
const NETWORK_DESCRIPTOR: i32 = 100;

/// Where a monitor of a user's container has the namespace with his bridges.
pub(crate) const SHARED_NETWORK: i32 = 101;

/// Where the container's configuration finds its user namespace, if that is its own.
pub(crate) const USER_NAMESPACE: &str = "/proc/self/fd/102";
const USER_DESCRIPTOR: i32 = 102;

/// What is left to be done when the container has ended for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing.
    Nothing,
    /// What needs the database: [`crate::Engine::settle`].
    Settle {
        /// The engine's root folder.
        root: PathBuf,
        /// The folder for what does not outlive the machine.
        run: PathBuf,
        /// The container.
        id: String,
        /// It is to be removed, and nobody else does it.
        remove: bool,
        /// The pod that is to hear of it.
        pod: Option<String>,
    },
}

/// All that a monitor has.
pub(crate) struct Monitor {
    launch: Launch,
    folders: Folders,
    folder: ContainerFolder,
    signals: Signals,
    clients: Clients,
    log: Log,
    program: Option<Program>,
    health: Option<Health>,
    added: Added,
    state: State,
    /// When it is to be started again.
    restart_at: Option<Instant>,
    /// Somebody does not want to wait for that.
    quit: bool,
    /// It is to be started again whatever its policy says.
    again: bool,
    /// Its program was asked to end.
    is_ending: bool,
    /// When its program is killed, which was asked to end, or may run no longer.
    kill_at: Option<Instant>,
    /// Held as long as this lives.
    _lock: OwnedFd,
    /// Kept, so that the container finds the same network when it is started again.
    network: OwnedFd,
    /// Held for all of the user's containers, and the user namespace of this one.
    _handed: [Option<OwnedFd>; 2],
    connected: Option<Connected>,
    watched: Watched,
    slots: Slots,
    /// Its program's, until it has them.
    inherited: Inherited,
}

/// Looks after the container that was started with what is in this folder until it has ended for
/// good. The numbers are those of descriptors, or 0: of the namespace with the bridges of a user
/// without rights, and of the container's user namespace.
///
/// # Errors
/// The streams are not those that a monitor gets; its files cannot be read or written.
pub fn run(folder: &Path, handed: [i32; 2]) -> Result<Ending> {
    let mut monitor = Monitor::new(folder, handed)?;
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let result = monitor.write_pid(1, own).and_then(|()| monitor.supervise());
    let disconnected = monitor.disconnect();
    // From now on a client finds nobody, and asks the file.
    let removed = std::fs::remove_file(monitor.folders.socket(&monitor.launch.id));
    let is_left_alone = monitor.clients.finish(monitor.state.exit_code);
    result?;
    disconnected?;
    removed.map_err(Error::file(monitor.folders.socket(&monitor.launch.id)))?;
    let Launch { root, run, id, auto_remove, pod, .. } = monitor.launch;
    let remove = auto_remove && is_left_alone;
    if auto_remove && !remove {
        // Whoever removes it is at its row meanwhile, and has the less to do. What this one cannot
        // remove, that one will tell of.
        let _ = remove_tree(&monitor.folder.file("work"));
        let _ = remove_tree(&monitor.folder.upper());
    }
    Ok(if remove || pod.is_some() {
        Ending::Settle { root, run, id, remove, pod }
    } else {
        Ending::Nothing
    })
}

impl Monitor {
    /// Takes what it was handed, and leaves whatever else whoever started it has.
    fn new(folder: &Path, [shared, user]: [i32; 2]) -> Result<Monitor> {
        let [starter, lock, network] = take_streams()?;
        let handed = [take_handed(shared, SHARED_NETWORK)?, take_handed(user, USER_DESCRIPTOR)?];
        // Whoever started it may lead a session that ends, or stand in a folder that is unmounted.
        setsid().or_error("setsid", || "")?;
        // It has the name of the descriptor that it was executed from.
        set_name(c"tinyo").or_error("prctl", || "PR_SET_NAME")?;
        chdir(c"/").or_error("chdir", || "\"/\"")?;
        let launch = Launch::read(folder)?;
        let inherited = Inherited::take(launch.preserve_fds)?;
        let folders = Folders::new(&launch.root, &launch.run);
        let folder = folders.container(&launch.id);
        if launch.user_marks {
            let path = folder.file(PID);
            let pid = std::process::id().to_string();
            small_file::replace(&path, pid.as_bytes()).map_err(Error::file(&path))?;
        }
        leave_mounts(&launch)?;
        let signals = Signals::block_all().or_error("signalfd", || "")?;
        let slots = Slots::reserve(&launch.shared)?;
        // It goes on with what another one was at that was killed, if the container is to run again.
        let before = State::read(&folder)?;
        let state = if before.phase == Phase::Restarting { before } else { State::default() };
        Ok(Monitor {
            inherited,
            slots,
            clients: Clients::new(starter, &folders.socket(&launch.id))?,
            log: Log::new(&folder, &launch.log),
            watched: Watched::new(&launch.id, launch.is_watched()),
            health: launch.health.clone().map(|it| Health::new(it, launch.ids.outside(0, 0))),
            added: Added::default(),
            folders,
            folder,
            signals,
            launch,
            program: None,
            state,
            restart_at: None,
            quit: false,
            again: false,
            is_ending: false,
            kill_at: None,
            _lock: lock,
            network,
            _handed: handed,
            connected: None,
        })
    }
}

/// Who mounts a root, or visits the mounts of a container, comes back afterwards. Without rights over
/// the machine's mounts there is a way to a copy alone.
fn leave_mounts(launch: &Launch) -> Result<()> {
    if launch.user_marks && !(launch.ids.is_empty() && launch.shared.is_empty()) {
        unshare(Set::EMPTY.with(Kind::Mount))?;
    }
    Ok(())
}

/// Puts a descriptor where it is looked for.
fn take_handed(number: i32, place: i32) -> Result<Option<OwnedFd>> {
    let taken = sys::process::take_descriptor(number).map(|it| {
        fcntl_dupfd_cloexec(&it, place).or_error("fcntl", || format!("F_DUPFD_CLOEXEC, {place}"))
    });
    Ok(taken.transpose()?)
}

/// Puts the three descriptors elsewhere, and `/dev/null` in their places.
fn take_streams() -> Result<[OwnedFd; 3]> {
    let take = |stream, number| {
        fcntl_dupfd_cloexec(stream, number)
            .or_error("fcntl", || format!("F_DUPFD_CLOEXEC, {number}"))
    };
    let network = take(stdio::stderr(), NETWORK_DESCRIPTOR)?;
    let taken = [take(stdio::stdin(), 3)?, take(stdio::stdout(), 3)?, network];
    let null = streams::null()?;
    streams::put(&null, &null, &null)?;
    Ok(taken)
}
