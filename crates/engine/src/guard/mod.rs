//! Who notices at once that a monitor was killed: a process that has containers run again whose
//! policy says so, without anybody having called a command.
//!
//! ```text
//! monitor, with a policy          guard, one for all of them
//!   connects; Lives(id) ----------> remembers the connection
//!   (GuardLost) ------------------> looks at all, as the one before was killed
//!   Over, when it ends well ------> forgets it
//!   (killed: the kernel closes) --> starts this program once more, which looks at the container
//!   starts another one <----------- (killed: the kernel closes)
//! ```
//!
//! Nothing depends on it: whoever looks at a container puts it in order as well, under the same lock.
//! It is there as long as one of those monitors is, and opens no database.

mod process;
mod watched;

pub use process::run;
pub(crate) use watched::Watched;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::lock;
use crate::status::Status;
use std::time::Duration;

/// The word by which a program knows that it is to be a guard; the root folder and the one for what
/// does not outlive the machine follow. With an id behind these it looks at that container instead,
/// or at all if that is [`ALL`].
pub const WORD: &str = "guard";

/// All containers.
const ALL: &str = "all";

/// The wait before something is done for what was killed, or tried again: at first, and at most. The
/// kernel may be at closing the rest of what it had.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// What has lived for so long was all right, and the wait is short again.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

impl Engine {
    /// Looks at a container whose monitor was killed, or at all, so that it runs again if it is to.
    /// False if that is to be tried again.
    ///
    /// # Errors
    /// The database cannot be read; the container cannot be put in order.
    pub fn guard(&self, id: &str) -> Result<bool> {
        if id != ALL {
            return self.guard_one(id);
        }
        let mut are_all_right = true;
        for container in self.containers()? {
            // One of them is no reason not to look at the others.
            are_all_right &= self.guard_one(&container.id).unwrap_or(false);
        }
        Ok(are_all_right)
    }

    fn guard_one(&self, id: &str) -> Result<bool> {
        let seen = self.find(id).and_then(|it| self.look(&it).map(|seen| (it, seen)));
        match seen {
            // Whoever has started it again could not: nobody else tries it.
            Ok((container, seen)) if seen.status == Status::Restarting => {
                lock::is_held(&self.folder(&container).monitor())
            }
            Ok(_) | Err(Error::NoSuchContainer(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }
}
