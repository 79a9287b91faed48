//! What groups that are made of folders have in common, besides [`Group`].

use super::creation::Creation;
use super::entry::Entry;
use super::error::Result;
use super::group::Group;
use super::resources::Resources;
use super::write::Write;

/// A group that is known by its folders, none of which need exist.
pub(super) trait Files: Group {
    /// The limits as files and values. Where one file takes what several fields say, it is read
    /// what the group has now, if it exists.
    fn writes(&self, resources: &Resources, exists: bool) -> Result<Vec<Write>>;

    /// Finds rules for devices that cannot be kept.
    fn check_devices(&self, resources: &Resources) -> Result<()>;

    /// Whether the list of devices is one of v1.
    fn has_v1_devices(&self) -> bool;

    /// Makes the folder in which a process must be born, where others can wait for it.
    fn create_birthplace(&mut self, _creation: &mut Creation) -> Result<Entry> {
        Ok(Entry::default())
    }

    /// Makes the folders that are not there yet and sets the limits. `None` when that is not permitted.
    fn create(
        self: Box<Self>,
        resources: &Resources,
        creation: &mut Creation,
    ) -> Result<Option<Box<dyn Files>>>;
}
