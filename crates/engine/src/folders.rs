//! Where things lie.
//!
//! ```text
//! ROOT/                    the image store's folders, tinyo.db, and:
//!   tino-HASH              the first process of containers
//!   places/                below the layers of every image, see crate::places
//!   events                 what happened, a line of JSON each
//!   volumes/NAME/_data     named volumes
//!   secrets/NAME           see crate::secret
//!   pods/ID/               locked by whoever starts one of its containers
//!   containers/ID/         locked by whoever starts, stops or removes it
//!     monitor              held by its monitor as long as that lives
//!     state                what the monitor has seen, see crate::state
//!     ports                those that are published, while a monitor lives
//!     stopped              it is not to be started again by itself
//!     secrets/NUMBER       those that it was made with
//!     log, log.1 ...       what it printed
//!     upper/ work/         its changes, and overlayfs's own
//!     hosts hostname resolv.conf
//! RUN/
//!   runtime/ID             the runtime's
//!   ID                     the socket of the monitor
//!   started/ID/            there since it was first started in this life of the machine
//!     config.json          for the runtime
//!     launch.json          for the monitor
//!     state                instead of the other one, where that can not be written
//!     health               what its last checks have found
//!     secrets/NUMBER       those that are mounted
//!   rootfs/                where each container mounts its root, in a namespace of its own
//!   mounted/ID             its files, for whoever has asked for them, see crate::shown
//!   SHORT-ID.net           the socket of the program that connects a user's container
//!   guard/socket           where monitors find the guard, see crate::guard
//!   networks/NAME          the names of running containers, see crate::network
//! ```

use crate::error::{Error, Result};
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// In the folder for what does not outlive the machine.
pub(crate) const STARTED: &str = "started";
pub(crate) const GUARD: &str = "guard";
pub(crate) const MOUNTED: &str = "mounted";

/// The folders of an engine.
#[derive(Clone, Debug)]
pub struct Folders {
    root: PathBuf,
    run: PathBuf,
}

impl Folders {
    /// Both absolute. They are made when something is put there.
    pub fn new(root: &Path, run: &Path) -> Folders {
        Folders { root: root.to_owned(), run: run.to_owned() }
    }

    /// What outlives the machine.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What does not.
    pub fn run(&self) -> &Path {
        &self.run
    }

    pub(crate) fn events(&self) -> PathBuf {
        self.root.join(crate::events::FILE)
    }

    pub(crate) fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    pub(crate) fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    pub(crate) fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    pub(crate) fn pods(&self) -> PathBuf {
        self.root.join("pods")
    }

    /// The folder of a pod.
    pub(crate) fn pod(&self, id: &str) -> PathBuf {
        self.pods().join(id)
    }

    /// The layer below those of images.
    pub(crate) fn places(&self) -> PathBuf {
        self.root.join("places")
    }

    /// Those of one container.
    pub(crate) fn container(&self, id: &str) -> ContainerFolder {
        ContainerFolder { path: self.containers().join(id), started: self.started(id) }
    }

    /// What is of no use after the machine's end: mostly in memory, where files cost least.
    pub(crate) fn started(&self, id: &str) -> PathBuf {
        self.run.join(STARTED).join(id)
    }

    /// The folder of the runtime, which has a folder there for each container that runs.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.run.join("runtime")
    }

    /// An empty folder that stays empty: each container mounts its root over it, and nobody else
    /// sees that.
    pub(crate) fn rootfs(&self) -> PathBuf {
        self.run.join("rootfs")
    }

    /// The folder with the names in each network.
    pub(crate) fn networks(&self) -> PathBuf {
        self.run.join("networks")
    }

    /// The socket of the program that connects a user's container, whose name must be short.
    pub(crate) fn helper_socket(&self, id: &str) -> PathBuf {
        self.run.join(format!("{}.net", &id[..12]))
    }

    /// The folder that the guard has locked.
    pub(crate) fn guard(&self) -> PathBuf {
        self.run.join(GUARD)
    }

    pub(crate) fn guard_socket(&self) -> PathBuf {
        self.guard().join("socket")
    }

    /// The socket of a container's monitor.
    pub(crate) fn socket(&self, id: &str) -> PathBuf {
        self.run.join(id)
    }
}

/// The folders of a container.
#[derive(Clone, Debug)]
pub(crate) struct ContainerFolder {
    pub(crate) path: PathBuf,
    pub(crate) started: PathBuf,
}

impl ContainerFolder {
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes all of it for who has its lock. What is in the root folder goes last: by that a sweep
    /// finds the rest.
    pub(crate) fn remove(&self) -> Result<()> {
        remove_tree(&self.started)?;
        remove(&self.path)
    }

    /// Held by its monitor as long as that lives.
    pub(crate) fn monitor(&self) -> PathBuf {
        self.file("monitor")
    }

    /// For the runtime.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.started.join("config.json")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.file("log")
    }

    pub(crate) fn upper(&self) -> PathBuf {
        self.file("upper")
    }
}

/// What is at the end of the name of a container's folder that is being removed.
const REMOVED: &str = "removed";

/// Removes the folder of a container or pod, which the caller has locked. At one stroke, or somebody
/// who waits for the lock could get it with what is half removed.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let trash = path.with_extension(REMOVED);
    std::fs::rename(path, &trash).map_err(Error::file(path))?;
    remove_tree(&trash)
}

/// Whether the folder of this name was being removed by somebody.
pub(crate) fn is_removed(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|it| it == REMOVED)
}

/// Removes a file or a folder with all that is in it, however deep a container has made that. Somebody
/// else may be at the same.
pub(crate) fn remove_tree(path: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::invalid(format!("{}: it is no folder to remove", path.display())));
    };
    let parent = match File::open(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(Error::file(parent))?,
    };
    image::unpack::remove(parent.as_fd(), name.as_bytes())
        .map_err(|error| Error::File { path: path.to_owned(), error: error.errno.into() })
}

/// Makes a folder that only its owner can look into, and those above it.
pub(crate) fn make(path: &Path) -> Result<()> {
    make_with(path, 0o700)
}

pub(crate) fn make_with(path: &Path, mode: u32) -> Result<()> {
    let made = DirBuilder::new().mode(mode).create(path);
    let made = match made {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(mode).create(path)
        }
        made => made,
    };
    match made {
        // What others are to look into, too, whatever the caller keeps to himself (umask).
        Ok(()) if mode != 0o700 => {
            let mode = Permissions::from_mode(mode);
            std::fs::set_permissions(path, mode).map_err(Error::file(path))
        }
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::File { path: path.to_owned(), error })
        }
        _ => Ok(()),
    }
}
