//! Making folders, all or none.

use sys::process::Spent;
use sys::rustix::io::Errno;

use super::error::{Error, Result};
use super::folder::Folder;

/// What came of making a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    New,
    /// It was there, and empty.
    Before,
    /// It may not be made, which only counts as an error for those with rights.
    Denied,
}

/// The folders that were made; dropping it takes them back, [`Creation::keep`] keeps them.
#[derive(Debug)]
pub(super) struct Creation {
    made: Vec<Folder>,
    /// Whether denials are expected.
    rootless: bool,
    denied: Option<sys::Error>,
    /// A process that may be in the folders already.
    placeholder: Option<i32>,
    pub(super) spent: Spent,
}

impl Creation {
    pub(super) fn new(rootless: bool) -> Creation {
        Creation {
            rootless,
            made: Vec::new(),
            denied: None,
            placeholder: None,
            spent: Spent::default(),
        }
    }

    /// Makes a folder and those above.
    pub(super) fn make(&mut self, folder: &Folder) -> Result<Made> {
        match self.make_with_parents(folder) {
            Ok(true) => Ok(Made::New),
            Ok(false) => {
                self.refuse_occupied(folder)?;
                refuse_frozen(folder)?;
                Ok(Made::Before)
            }
            Err(error) if self.rootless && is_denial(error.errno) => {
                self.denied = Some(error);
                Ok(Made::Denied)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn make_with_parents(&mut self, folder: &Folder) -> Result<bool, sys::Error> {
        let made = match folder.create() {
            Err(error) if error.errno == Errno::NOENT && !folder.path().is_empty() => {
                self.make_with_parents(&folder.parent())?;
                folder.create()?
            }
            other => other?,
        };
        if made {
            self.made.push(Folder::at(folder.path()));
        }
        Ok(made)
    }

    /// A group that was there may be used when it is empty: its owner made it for the container, or
    /// an earlier attempt was killed.
    fn refuse_occupied(&self, folder: &Folder) -> Result<()> {
        let others = |pid: &i32| Some(*pid) != self.placeholder;
        match folder.pids()?.into_iter().filter(others).count() {
            0 => Ok(()),
            processes => Err(Error::NotEmpty { processes, path: folder.path().to_owned() }),
        }
    }

    /// A process that is in the folders that somebody else makes, and does not count.
    pub(super) fn expect(&mut self, placeholder: i32) {
        self.placeholder = Some(placeholder);
    }

    /// Why a folder could not be made.
    pub(super) fn denied(&mut self) -> Option<sys::Error> {
        self.denied.take()
    }

    /// The group is complete.
    pub(super) fn keep(&mut self) {
        self.made.clear();
    }
}

impl Drop for Creation {
    fn drop(&mut self) {
        for folder in self.made.iter().rev() {
            // The error that led here is the one to tell; what cannot be removed is in use by
            // somebody who came meanwhile.
            let _ = folder.remove_alone();
        }
    }
}

/// Nothing that enters a frozen group goes on, and whoever waits for it waits for ever.
fn refuse_frozen(folder: &Folder) -> Result<()> {
    for (file, thawed) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")] {
        if folder.read_if_there(file)?.is_some_and(|state| state.trim_end() != thawed) {
            return Err(Error::Frozen(format!("{}/{file}", folder.path())));
        }
    }
    Ok(())
}

fn is_denial(errno: Errno) -> bool {
    matches!(errno, Errno::ACCESS | Errno::PERM | Errno::ROFS)
}
