//! Either a thing is there, and stays while it is held, or whoever asked is the one to make it.

use super::lock::{Lock, Purpose};
use super::{Error, Kind, Store};
use spec::image::Digest;

/// A thing that will not be removed while this is held.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) using: Lock,
    /// It is missing, and nobody else makes it while this is held.
    pub(super) making: Option<Lock>,
}

impl Store {
    /// Waits while another process makes or removes the thing. `waiting` is called now and then.
    pub(super) fn claim(
        &self,
        kind: Kind,
        digest: &Digest,
        mut waiting: impl FnMut(),
    ) -> Result<Claim, Error> {
        let using = Lock::take(&self.layout, kind, digest, Purpose::Use, &mut waiting)?;
        // Most things are there, and then nobody has to wait for anybody.
        if self.is_there(kind, digest)? {
            return Ok(Claim { using, making: None });
        }
        let making = Lock::take(&self.layout, kind, digest, Purpose::Make, &mut waiting)?;
        let is_made = self.is_there(kind, digest)?;
        Ok(Claim { using, making: (!is_made).then_some(making) })
    }

    /// Whether a row speaks of the thing, and it is there as well: what somebody has removed by
    /// hand is made again.
    pub(super) fn is_there(&self, kind: Kind, digest: &Digest) -> Result<bool, Error> {
        Ok(self.has_row(kind, digest)? && self.layout.has(kind, digest)?)
    }

    /// Whether a row says that the thing is there.
    pub(super) fn has_row(&self, kind: Kind, digest: &Digest) -> Result<bool, Error> {
        let query = match kind {
            Kind::Blob => "SELECT EXISTS (SELECT 1 FROM blobs WHERE digest = ?1)",
            Kind::Layer => "SELECT EXISTS (SELECT 1 FROM layers WHERE diff_id = ?1)",
            Kind::Mapped => "SELECT EXISTS (SELECT 1 FROM mapped_layers WHERE digest = ?1)",
        };
        Ok(self.database().query_row(query, [digest.as_str()], |row| row.get(0))?)
    }
}
