//! What a monitor must know, in a file: it opens no database.

use super::{Connection, Part, Shared};
use crate::error::{Error, Result};
use crate::folders::ContainerFolder;
use crate::settings::{Health, Ids, LogOptions, Restart, RestartPolicy};
use crate::small_file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How a container is to be started and looked after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image: String,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) root: PathBuf,
    pub(crate) run: PathBuf,
    /// The uppermost first.
    pub(crate) layers: Vec<PathBuf>,
    pub(crate) user_marks: bool,
    pub(crate) tty: bool,
    pub(crate) interactive: bool,
    pub(crate) restart: Restart,
    pub(crate) log: LogOptions,
    pub(crate) health: Option<Health>,
    pub(crate) auto_remove: bool,
    pub(crate) connection: Option<Connection>,
    /// How its program is asked to end; empty: by SIGTERM.
    #[serde(default)]
    pub(crate) stop_signal: String,
    /// Seconds that it has for that.
    #[serde(default)]
    pub(crate) stop_timeout: u32,
    /// Seconds that its program may run; 0: any.
    #[serde(default)]
    pub(crate) timeout: u32,
    /// In which life of the machine.
    #[serde(default)]
    pub(crate) boot: String,
    /// The namespaces of other containers.
    #[serde(default)]
    pub(crate) shared: Vec<Shared>,
    /// What is to be opened for each start.
    #[serde(default)]
    pub(crate) parts: Vec<Part>,
    /// Where its user namespace is found, if it has one.
    #[serde(default)]
    pub(crate) user_namespace: Option<String>,
    /// Which ids of the machine are its.
    #[serde(default)]
    pub(crate) ids: Ids,
    /// `/dev/shm` is shared, too.
    #[serde(default)]
    pub(crate) shared_memory: bool,
    /// Where the ids of the program and of the monitor are written.
    #[serde(default)]
    pub(crate) pid_files: [Option<PathBuf>; 2],
    /// The id of the pod that is to hear of its end.
    #[serde(default)]
    pub(crate) pod: Option<String>,
    /// How many descriptors of the caller's its program gets.
    #[serde(default)]
    pub(crate) preserve_fds: u32,
}

const FILE: &str = "launch.json";

impl Launch {
    /// From a container's folder for what does not outlive the machine.
    pub(crate) fn read(folder: &Path) -> Result<Launch> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(Error::file(&path))?;
        serde_json::from_str(&text).map_err(|error| Error::Damaged {
            what: path.display().to_string(),
            reason: error.to_string(),
        })
    }

    /// Whether something is to be done at once if its monitor is killed: it is started again, or those
    /// who share its namespaces, or wait for its end, are told.
    pub(crate) fn is_watched(&self) -> bool {
        self.restart.policy != RestartPolicy::No || self.pod.is_some()
    }

    pub(crate) fn write(&self, folder: &ContainerFolder) -> Result<()> {
        let path = folder.started.join(FILE);
        let text = serde_json::to_vec(self)
            .map_err(|error| Error::File { path: path.clone(), error: error.into() })?;
        small_file::replace(&path, &text).map_err(Error::file(&path))
    }
}
