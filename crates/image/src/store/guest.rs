//! Tables of other parts of the engine, in the same database: one file to open, and one
//! transaction for a container and its use of an image.

use super::{Error, OfStore, Store, database, disk};
use rusqlite::{Connection, Transaction};
use spec::image::Digest;

impl Store {
    /// Gives the database to a function that reads.
    ///
    /// # Errors
    /// Those of the function.
    pub fn read<T, E>(&self, act: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        act(&self.database())
    }

    /// Gives the database to a function that writes, in a transaction of its own. What it wrote is
    /// there for others at once, but a power cut may take it back: unlike images, containers do
    /// not outlive that anyway, and waiting for the disk would be most of the time that one takes
    /// to start.
    ///
    /// # Errors
    /// Those of the function, and then nothing has changed; a disk that is full or read-only.
    pub fn write<T, E: OfStore>(
        &self,
        act: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.layout.is_read_only() {
            return Err(Error::ReadOnly.into());
        }
        let mut database = self.database();
        database.pragma_update(None, "synchronous", "normal")?;
        let result = (|| {
            let transaction = database::begin_unsynced(&mut database)?;
            let result = act(&transaction)?;
            transaction.commit()?;
            database::limit_log(&database, &self.path)?;
            Ok(result)
        })();
        database.pragma_update(None, "synchronous", "full")?;
        result.map_err(|error: E| error.of_store(|error| disk::explained(error, &self.path)))
    }

    /// Gives up what is set aside for a full disk. False if that was done already.
    ///
    /// # Errors
    /// The disk refuses that.
    pub fn spend_reserve(&self) -> Result<bool, Error> {
        self.layout.spend_reserve()
    }

    /// [`Store::begin_use`] as part of a transaction.
    ///
    /// # Errors
    /// The image is gone by now.
    pub fn begin_use_in(
        transaction: &Transaction<'_>,
        manifest: &Digest,
        user: &str,
    ) -> Result<(), Error> {
        super::remove::begin_use(transaction, manifest, user)
    }

    /// [`Store::end_use`] as part of a transaction.
    ///
    /// # Errors
    /// The database fails.
    pub fn end_use_in(transaction: &Transaction<'_>, user: &str) -> Result<(), Error> {
        super::remove::end_use(transaction, user)
    }
}
