//! What a container sees of other files than its own.

use serde::{Deserialize, Serialize};
use spec::image::Digest;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is where the image says that there are volumes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageVolumes {
    /// Volumes without a name.
    #[default]
    Volume,
    /// Memory.
    Tmpfs,
    /// What is there anyway.
    Ignore,
}

/// Something that is mounted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// What.
    pub kind: MountKind,
    /// A path of the machine, or the name of a volume.
    pub source: String,
    /// Where in the container; absolute.
    pub target: String,
    /// It cannot be changed.
    pub read_only: bool,
    /// More, as mount(8) takes them.
    pub options: Vec<String>,
    /// A new volume gets nothing of what the image has there.
    pub no_copy: bool,
    /// What a volume is, if it is no folder that the engine keeps.
    pub file_system: Option<FileSystem>,
    /// The labels of a new volume.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
    /// Only what is at this path of a volume or an image; empty: all of it.
    pub subpath: String,
    /// The manifest of an image that is mounted, and the folders of its layers, the uppermost first.
    pub image: Option<(Digest, Vec<PathBuf>)>,
}

impl Mount {
    /// Whether it is opened anew by each start, by descriptors, as what is there could lead astray
    /// whoever goes by the path.
    pub(crate) fn is_opened_by_monitor(&self) -> bool {
        self.kind == MountKind::Image || !self.subpath.is_empty()
    }

    /// Whether its ids are mapped, so that the disk has those that the container sees.
    pub fn is_mapped(&self) -> bool {
        self.options.iter().any(|option| is_idmap(option))
    }
}

/// Whether an option of a mount says that its ids are mapped.
pub(crate) fn is_idmap(option: &str) -> bool {
    option == "idmap" || option.starts_with("idmap=")
}

/// How a container is given a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretUse {
    /// Its name.
    pub name: String,
    /// Its id, when the container was made.
    pub id: String,
    /// In what.
    pub kind: SecretKind,
    /// The path of a file, or the name of a variable; empty: the secret's name.
    pub target: String,
    /// Whom the file belongs to, as the container sees it.
    pub user: u32,
    /// The group of the file.
    pub group: u32,
    /// The permissions of the file.
    pub mode: u32,
}

impl Default for SecretUse {
    fn default() -> SecretUse {
        let (name, id, target) = (String::new(), String::new(), String::new());
        SecretUse { name, id, kind: SecretKind::Mount, target, user: 0, group: 0, mode: 0o444 }
    }
}

/// In what a container is given a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretKind {
    /// A file.
    #[default]
    Mount,
    /// A variable.
    Env,
}

/// Something that is mounted as mount(8) does it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileSystem {
    /// Its type; `none` or `bind` for a folder.
    pub kind: String,
    /// What is mounted.
    pub device: String,
    /// How.
    pub options: Vec<String>,
}

impl FileSystem {
    /// Whether it is a folder of the machine.
    pub fn is_bind(&self) -> bool {
        let says_bind = |option: &String| matches!(option.as_str(), "bind" | "rbind");
        matches!(self.kind.as_str(), "none" | "bind") || self.options.iter().any(says_bind)
    }
}

/// What is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A file or folder of the machine.
    #[default]
    Bind,
    /// A folder that the engine keeps.
    Volume,
    /// Memory.
    Tmpfs,
    /// The files of an image, which nobody can change.
    Image,
}

impl MountKind {
    /// As Docker calls it.
    pub fn name(self) -> &'static str {
        match self {
            MountKind::Bind => "bind",
            MountKind::Volume => "volume",
            MountKind::Tmpfs => "tmpfs",
            MountKind::Image => "image",
        }
    }
}
