//! Who takes part.

use std::path::PathBuf;

/// A variable that cargo sets for what it runs, and that costs a static program's start time and memory.
pub const OF_CARGO: &str = "LD_LIBRARY_PATH";

/// A program that is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contestant {
    /// Its column in the table.
    pub name: String,
    /// Where it is, when it is here.
    pub path: Option<PathBuf>,
}

impl Contestant {
    /// A program given by its path.
    #[must_use]
    pub fn at(name: &str, path: PathBuf) -> Self {
        Self { name: name.to_owned(), path: Some(path).filter(|path| path.is_file()) }
    }

    /// A program as the distribution installs it.
    #[must_use]
    pub fn installed(name: &str) -> Self {
        let folders = ["/usr/bin", "/usr/sbin", "/usr/libexec/podman"].map(PathBuf::from);
        let path = folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        Self { name: name.to_owned(), path }
    }
}
