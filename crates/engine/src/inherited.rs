//! Descriptors of the caller's that a program gets, because he says so: `--preserve-fds`.

use crate::error::{Error, Result};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use sys::OrError;
use sys::process::take_inherited;
use sys::rustix::io::{FdFlags, fcntl_setfd};

/// Those from 3 on that were open when this process was executed. Nobody gets them by accident: they
/// are closed in whatever is executed, but where they are handed on.
#[derive(Clone, Debug, Default)]
pub struct Inherited(Rc<[OwnedFd]>);

impl Inherited {
    /// So many of them. To be called once, before anything is opened that could get their numbers.
    ///
    /// # Errors
    /// One is not open.
    pub fn take(count: u32) -> Result<Inherited> {
        let take = |number| {
            let found = i32::try_from(number).ok().and_then(take_inherited);
            let text = || format!("--preserve-fds {count}: there is no descriptor {number}");
            found.ok_or_else(|| Error::Invalid(text()))
        };
        let all = (3..count.saturating_add(3)).map(take).collect::<Result<Vec<_>>>()?;
        Ok(Inherited(all.into()))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The next program that is executed has them.
    pub(crate) fn hand_on(&self) -> Result<()> {
        self.set(FdFlags::empty())
    }

    /// None has any more.
    pub(crate) fn keep(&self) -> Result<()> {
        self.set(FdFlags::CLOEXEC)
    }

    fn set(&self, flags: FdFlags) -> Result<()> {
        let set = |it| fcntl_setfd(it, flags).or_error("fcntl", || "F_SETFD");
        Ok(self.0.iter().try_for_each(set)?)
    }
}
