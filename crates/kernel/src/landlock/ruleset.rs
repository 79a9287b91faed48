//! Rules in the kernel.

use super::rights::ON_FILES;
use super::{PathRule, Rules};
use crate::path::{Links, Root};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use sys::OrError;
use sys::landlock::{self, Handled};
use sys::rustix::fs::{FileType, fstat};
use sys::rustix::io::Errno;

/// Rules whose paths have been found, ready to be enforced.
#[derive(Debug)]
pub struct Ruleset {
    /// `None` where the kernel can enforce nothing of them.
    descriptor: Option<OwnedFd>,
}

/// Why rules cannot be enforced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A path of a rule cannot be found in the container.
    #[error("nothing can be allowed on {path}, which is not to be found: {error}")]
    Path {
        /// The path in the container.
        path: String,
        /// Why not.
        error: sys::Error,
    },
    /// The kernel refused.
    #[error(transparent)]
    Call(#[from] sys::Error),
}

impl Rules {
    /// Finds the paths in the container's root, links followed inside it.
    ///
    /// What is found is what the rules are about, whatever its path is later.
    ///
    /// # Errors
    /// A path that is not there, unless `warn-only` was said; what the kernel answers.
    pub fn ruleset(&self, root: &Root) -> Result<Ruleset, Error> {
        if self.handled == Handled::default() {
            return Ok(Ruleset { descriptor: None });
        }
        let ruleset = landlock::create_ruleset(&self.handled)
            .or_error("landlock_create_ruleset", || format!("{:?}", self.handled))?;
        for rule in &self.paths {
            match root.resolve(&rule.path, Links::Follow) {
                Ok(place) => self.allow(ruleset.as_fd(), rule, place.as_fd())?,
                Err(error) if error.errno == Errno::NOENT && rule.optional => {}
                Err(_) if self.warn_only => {}
                Err(error) => {
                    return Err(Error::Path { path: rule.path.to_string(), error });
                }
            }
        }
        for rule in &self.ports {
            let rights = rule.rights & self.handled.network;
            if rights != 0 {
                landlock::add_port_rule(ruleset.as_fd(), rights, rule.port)
                    .or_error("landlock_add_rule", || format!("port {}", rule.port))?;
            }
        }
        Ok(Ruleset { descriptor: Some(ruleset) })
    }

    fn allow(
        &self,
        ruleset: BorrowedFd<'_>,
        rule: &PathRule,
        place: BorrowedFd<'_>,
    ) -> Result<(), sys::Error> {
        let path = || format!("{}", rule.path);
        let status = fstat(place).or_error("fstat", path)?;
        let is_folder = FileType::from_raw_mode(status.st_mode) == FileType::Directory;
        let sensible = if is_folder { u64::MAX } else { ON_FILES };
        let rights = rule.rights & self.handled.filesystem & sensible;
        if rights == 0 {
            return Ok(());
        }
        landlock::add_path_rule(ruleset, rights, place).or_error("landlock_add_rule", path)
    }
}

impl Ruleset {
    /// Takes the rights away from the calling thread and its later children, for ever.
    ///
    /// # Errors
    /// EPERM with neither `no_new_privs` nor CAP_SYS_ADMIN.
    pub fn restrict_self(&self) -> Result<(), sys::Error> {
        let Some(ruleset) = &self.descriptor else { return Ok(()) };
        landlock::restrict_self(ruleset.as_fd())
            .or_error("landlock_restrict_self", || "the ruleset")
    }
}
