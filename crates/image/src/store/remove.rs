//! Names and images go. Rows first; then what no row speaks of any more is moved into the trash at
//! once, and freed by whoever has the time.

use super::add::set_name;
use super::lock::{Lock, Purpose};
use super::query::manifest_of;
use super::{Error, Image, Kind, Store, database};
use crate::reference::Reference;
use rusqlite::{Connection, Transaction, params};
use spec::image::Digest;
use std::collections::BTreeSet;

/// What is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names.
    pub names: Vec<Reference>,
    /// Images, by their ids.
    pub images: Vec<Digest>,
    /// Layers, by the digests of their archives.
    pub layers: Vec<Digest>,
    /// How many bytes of the disk will be free.
    pub bytes: u64,
}

impl Removed {
    /// Both together.
    pub fn and(&mut self, other: Removed) {
        self.names.extend(other.names);
        self.images.extend(other.images);
        self.layers.extend(other.layers);
        self.bytes += other.bytes;
    }
}

/// A thing that no row may speak of any more, and its locks.
struct Candidate {
    kind: Kind,
    digest: Digest,
    using: Lock,
    making: Lock,
}

impl Store {
    /// Gives an image another name. It is taken from the image that has it.
    ///
    /// # Errors
    /// The image is gone by now.
    pub fn tag(&self, image: &Image, name: &Reference) -> Result<(), Error> {
        self.change(|transaction| {
            let digest = image.names.first().map_or(&image.manifest, |named| &named.digest);
            if !exists(transaction, &image.manifest)? {
                return Err(Error::NoSuchImage(image.id.short().to_owned()));
            }
            set_name(transaction, name, &image.manifest, digest)
        })
    }

    /// Takes a name away. The image stays, even if it has no other.
    ///
    /// # Errors
    /// There is no such name.
    pub fn untag(&self, name: &Reference) -> Result<(), Error> {
        self.change(|transaction| {
            let text = name.to_string();
            match transaction.execute("DELETE FROM names WHERE name = ?1", [&text])? {
                0 => Err(Error::NoSuchImage(name.familiar())),
                _ => Ok(()),
            }
        })
    }

    /// Takes a name away, and removes the image if that was its last one.
    ///
    /// # Errors
    /// There is no such name; it is the last one and the image is in use.
    pub fn remove_name(&self, name: &Reference) -> Result<Removed, Error> {
        let image = self.change(|transaction| {
            let gone = || Error::NoSuchImage(name.familiar());
            let manifest = manifest_of(transaction, name)?.ok_or_else(gone)?;
            transaction.execute("DELETE FROM names WHERE name = ?1", [name.to_string()])?;
            if !names(transaction, &manifest)?.is_empty() {
                return Ok(None);
            }
            delete_image(transaction, &manifest).map(Some)
        })?;
        let mut removed = Removed { names: vec![name.clone()], ..Removed::default() };
        if let Some((id, contents)) = image {
            removed.images.push(id);
            removed.and(self.collect(contents)?);
        }
        Ok(removed)
    }

    /// Removes an image. If it has more than one name, only by force.
    ///
    /// # Errors
    /// It is in use, which no force changes; it has several names; it is gone by now.
    pub fn remove_image(&self, image: &Image, force: bool) -> Result<Removed, Error> {
        let (names, id, contents) = self.change(|transaction| {
            let names = names(transaction, &image.manifest)?;
            if names.len() > 1 && !force {
                return Err(Error::HasNames {
                    id: image.id.short().to_owned(),
                    names: names.join(" "),
                });
            }
            let (id, contents) = delete_image(transaction, &image.manifest)?;
            Ok((names, id, contents))
        })?;
        let names = names.iter().filter_map(|name| name.parse().ok()).collect();
        let mut removed = Removed { names, images: vec![id], ..Removed::default() };
        removed.and(self.collect(contents)?);
        Ok(removed)
    }

    /// Removes all blobs and layers that belong to no image, such as those of a pull that was
    /// given up, and the copies of layers that no container uses.
    ///
    /// # Errors
    /// The disk or the database fails.
    pub fn remove_unused(&self) -> Result<Removed, Error> {
        let all = {
            let database = self.database();
            let mut all = things(&database, Kind::Blob, "SELECT digest FROM blobs")?;
            all.extend(things(&database, Kind::Layer, "SELECT diff_id FROM layers")?);
            all.extend(things(&database, Kind::Mapped, "SELECT digest FROM mapped_layers")?);
            all.retain(|(kind, digest)| !is_referenced(&database, *kind, digest).unwrap_or(true));
            all
        };
        self.collect(all)
    }

    /// Says that `user` uses an image, so that it is not removed.
    ///
    /// # Errors
    /// The image is gone by now.
    pub fn begin_use(&self, manifest: &Digest, user: &str) -> Result<(), Error> {
        self.change(|transaction| begin_use(transaction, manifest, user))
    }

    /// Says that `user` uses no image any more.
    ///
    /// # Errors
    /// The disk or the database fails.
    pub fn end_use(&self, user: &str) -> Result<(), Error> {
        self.change(|transaction| end_use(transaction, user))
    }

    /// Changes the rows. On a full disk there is a reserve for that.
    pub(super) fn change<T>(
        &self,
        mut act: impl FnMut(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.layout.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let mut attempt = || {
            let mut database = self.database();
            let transaction = database::begin(&mut database)?;
            let result = act(&transaction)?;
            transaction.commit()?;
            Ok::<_, Error>(result)
        };
        match attempt() {
            Err(error) if error.is_full_disk() && self.layout.spend_reserve()? => attempt(),
            result => result,
        }
    }

    /// Removes what no row speaks of and nobody is about to use.
    pub(super) fn collect(&self, contents: BTreeSet<(Kind, Digest)>) -> Result<Removed, Error> {
        let mut candidates = Vec::new();
        for (kind, digest) in contents {
            let try_take = |purpose| Lock::try_take(&self.layout, kind, &digest, purpose);
            if let Some(making) = try_take(Purpose::Make)?
                && let Some(using) = try_take(Purpose::Remove)?
            {
                candidates.push(Candidate { kind, digest, using, making });
            }
        }
        let (unused, bytes) = self.change(|transaction| forget(transaction, &candidates))?;
        let mut removed = Removed { bytes, ..Removed::default() };
        for (candidate, is_unused) in candidates.into_iter().zip(unused) {
            if is_unused {
                let Candidate { kind, digest, using, making } = candidate;
                let folder = self.layout.folder(kind, digest.algorithm());
                self.layout.discard(folder, digest.hex())?;
                using.remove(&self.layout)?;
                making.remove(&self.layout)?;
                if kind == Kind::Layer {
                    removed.layers.push(digest);
                }
            }
        }
        Ok(removed)
    }
}

pub(super) fn begin_use(
    transaction: &Transaction<'_>,
    manifest: &Digest,
    user: &str,
) -> Result<(), Error> {
    if !exists(transaction, manifest)? {
        return Err(Error::NoSuchImage(manifest.to_string()));
    }
    let insert = "INSERT INTO uses VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    transaction.execute(insert, params![user, manifest.as_str()])?;
    Ok(())
}

pub(super) fn end_use(transaction: &Transaction<'_>, user: &str) -> Result<(), Error> {
    transaction.execute("DELETE FROM uses WHERE user = ?1", [user])?;
    transaction.execute("DELETE FROM mapped_uses WHERE user = ?1", [user])?;
    Ok(())
}

/// Deletes the rows of what is not used. Says which those were, and how many bytes they have.
fn forget(
    transaction: &Transaction<'_>,
    candidates: &[Candidate],
) -> Result<(Vec<bool>, u64), Error> {
    let mut bytes = 0;
    let mut forget = |candidate: &Candidate| {
        let (kind, digest) = (candidate.kind, &candidate.digest);
        if is_referenced(transaction, kind, digest)? {
            return Ok(false);
        }
        let delete = match kind {
            Kind::Blob => "DELETE FROM blobs WHERE digest = ?1 RETURNING size",
            Kind::Layer => "DELETE FROM layers WHERE diff_id = ?1 RETURNING bytes",
            Kind::Mapped => "DELETE FROM mapped_layers WHERE digest = ?1 RETURNING bytes",
        };
        let mut statement = transaction.prepare(delete)?;
        let mut rows = statement.query([digest.as_str()])?;
        if let Some(row) = rows.next()? {
            bytes += row.get::<_, u64>(0)?;
        }
        Ok(true)
    };
    let unused = candidates.iter().map(&mut forget).collect::<Result<_, Error>>()?;
    Ok((unused, bytes))
}

/// Whether a row speaks of it that is not its own.
pub(super) fn is_referenced(
    database: &Connection,
    kind: Kind,
    digest: &Digest,
) -> Result<bool, Error> {
    let query = match kind {
        Kind::Blob => {
            "SELECT EXISTS (SELECT 1 FROM image_layers WHERE blob = ?1)
                 OR EXISTS (SELECT 1 FROM images WHERE manifest = ?1 OR config = ?1)
                 OR EXISTS (SELECT 1 FROM names WHERE digest = ?1)"
        }
        Kind::Layer => "SELECT EXISTS (SELECT 1 FROM image_layers WHERE diff_id = ?1)",
        Kind::Mapped => "SELECT EXISTS (SELECT 1 FROM mapped_uses WHERE digest = ?1)",
    };
    Ok(database.query_row(query, [digest.as_str()], |row| row.get(0))?)
}

/// So many letters of a user are told: `container:` and twelve of an id.
const USER: usize = 22;

/// Deletes an image's row, and says its id and all that belonged to it.
fn delete_image(
    transaction: &Transaction<'_>,
    manifest: &Digest,
) -> Result<(Digest, BTreeSet<(Kind, Digest)>), Error> {
    let id = "SELECT config FROM images WHERE manifest = ?1";
    let id = texts(transaction, id, manifest)?.pop().and_then(|id| id.parse::<Digest>().ok());
    let id = id.ok_or_else(|| Error::NoSuchImage(manifest.to_string()))?;
    let users = texts(transaction, "SELECT user FROM uses WHERE manifest = ?1", manifest)?;
    if !users.is_empty() {
        // Of long ids as much as people know them by.
        let users: Vec<String> = users.iter().map(|it| it.chars().take(USER).collect()).collect();
        return Err(Error::InUse { id: id.short().to_owned(), users: users.join(" ") });
    }
    let mut contents = BTreeSet::from([(Kind::Blob, manifest.clone()), (Kind::Blob, id.clone())]);
    for (kind, query) in [
        (Kind::Blob, "SELECT blob FROM image_layers WHERE manifest = ?1"),
        (Kind::Layer, "SELECT diff_id FROM image_layers WHERE manifest = ?1"),
        (Kind::Blob, "SELECT digest FROM names WHERE manifest = ?1"),
    ] {
        let digests = texts(transaction, query, manifest)?;
        contents.extend(digests.iter().filter_map(|text| Some((kind, text.parse().ok()?))));
    }
    transaction.execute("DELETE FROM images WHERE manifest = ?1", [manifest.as_str()])?;
    // Its layers may be others' as well, with their copies.
    let orphans = "SELECT digest FROM mapped_layers
                   WHERE NOT EXISTS (SELECT 1 FROM image_layers
                                     WHERE image_layers.diff_id = mapped_layers.diff_id)";
    contents.extend(things(transaction, Kind::Mapped, orphans)?);
    Ok((id, contents))
}

fn names(database: &Connection, manifest: &Digest) -> Result<Vec<String>, Error> {
    texts(database, "SELECT name FROM names WHERE manifest = ?1 ORDER BY name", manifest)
}

fn exists(database: &Connection, manifest: &Digest) -> Result<bool, Error> {
    Ok(!texts(database, "SELECT manifest FROM images WHERE manifest = ?1", manifest)?.is_empty())
}

/// The first column of all rows.
fn texts(database: &Connection, query: &str, digest: &Digest) -> Result<Vec<String>, Error> {
    let mut statement = database.prepare(query)?;
    let rows = statement.query_map([digest.as_str()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// All blobs, or all layers.
pub(super) fn things(
    database: &Connection,
    kind: Kind,
    query: &str,
) -> Result<BTreeSet<(Kind, Digest)>, Error> {
    let mut statement = database.prepare(query)?;
    let rows = statement.query_map([], |row| Ok((kind, super::query::digest(row, 0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
