//! Whether what is in the store is what the rows say, and making it so again.
//!
//! A blob's name is its digest. A layer is unpacked once more, beside, and both are compared; so
//! nothing but the blob says what is right, and nothing can be out of step with that.

use super::add::Part;
use super::lock::{Lock, Purpose};
use super::origin::Origin;
use super::query::digest;
use super::remove::is_referenced;
use super::{Error, Image, Kind, Store};
use crate::flow::Limits;
use crate::tree::{Difference, compare};
use crate::unpack::Owners;
use kernel::path::Root;
use rusqlite::Connection;
use spec::image::{Descriptor, Digest, MediaType};
use std::collections::{BTreeMap, BTreeSet};

/// How a check is done.
pub struct CheckOptions<'a> {
    /// Whether all bytes are read, or only looked whether things are there.
    pub read_all: bool,
    /// Whether what is damaged is made anew.
    pub repair: bool,
    /// Where an image can be got again, if there is such a place.
    pub origin: &'a dyn Fn(&Image) -> Option<Box<dyn Origin + 'a>>,
    /// Told what is looked at next.
    pub progress: &'a dyn Fn(Kind, &Digest),
}

/// Something that is wrong.
#[derive(Debug)]
pub struct Finding {
    /// Whether it is a blob or a layer.
    pub kind: Kind,
    /// Which.
    pub digest: Digest,
    /// What is wrong with it.
    pub fault: Fault,
    /// The images that it belongs to, by their ids.
    pub images: BTreeSet<Digest>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What is wrong with a blob or layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Missing,
    /// It is not what it was; of a layer, some of the differences.
    Damaged(Vec<Difference>),
    /// A layer that cannot be checked, because its blob is not there.
    Unknown,
}

/// What became of a fault.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing was to be done.
    Reported,
    /// It is right again.
    Repaired,
    /// It belongs to an image that containers use; these must go first.
    InUse(Vec<String>),
    /// It could not be made anew.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

/// So many differences of a layer are named.
const MOST_DIFFERENCES: usize = 5;

impl Store {
    /// Checks all blobs and layers that rows speak of, and repairs them if that is wanted.
    ///
    /// # Errors
    /// The check itself cannot go on: the disk or the database fails.
    pub fn check(&self, options: &CheckOptions<'_>) -> Result<Vec<Finding>, Error> {
        // A layer is unpacked once more, beside.
        if self.layout.is_read_only() && (options.read_all || options.repair) {
            return Err(Error::ReadOnly);
        }
        self.check_database()?;
        let contents = self.contents()?;
        let mut findings = Vec::new();
        for (kind, digest) in &contents.things {
            (options.progress)(*kind, digest);
            let Some(using) = Lock::try_take(&self.layout, *kind, digest, Purpose::Use)? else {
                // Somebody is just removing it.
                continue;
            };
            if !self.has_row(*kind, digest)? {
                // Somebody has, since the rows were read. From now on nobody can.
                continue;
            }
            let fault = match kind {
                Kind::Blob => self.blob_fault(digest, contents.sizes.get(digest), options)?,
                Kind::Layer | Kind::Mapped => {
                    self.layer_fault(*kind, digest, &contents, options)?
                }
            };
            let Some(fault) = fault else { continue };
            let mut finding = Finding {
                kind: *kind,
                digest: digest.clone(),
                fault,
                images: contents.images_with(*kind, digest).map(|image| image.id.clone()).collect(),
                outcome: Outcome::Reported,
            };
            if options.repair {
                finding.outcome = self.repair(&finding, &contents, options)?;
            }
            findings.push(finding);
            drop(using);
        }
        Ok(findings)
    }

    fn check_database(&self) -> Result<(), Error> {
        let database = self.database();
        let answer: String = database.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if answer == "ok" { Ok(()) } else { Err(Error::DamagedDatabase(answer)) }
    }

    fn blob_fault(
        &self,
        digest: &Digest,
        size: Option<&u64>,
        options: &CheckOptions<'_>,
    ) -> Result<Option<Fault>, Error> {
        if !self.layout.has(Kind::Blob, digest)? {
            return Ok(Some(Fault::Missing));
        }
        let is_right = if options.read_all {
            self.hash_blob(digest)? == *digest
        } else {
            Some(&self.layout.blob_size(digest)?) == size
        };
        Ok((!is_right).then(|| Fault::Damaged(Vec::new())))
    }

    fn layer_fault(
        &self,
        kind: Kind,
        digest: &Digest,
        contents: &Contents,
        options: &CheckOptions<'_>,
    ) -> Result<Option<Fault>, Error> {
        if !self.layout.has(kind, digest)? {
            return Ok(Some(Fault::Missing));
        }
        if !options.read_all {
            return Ok(None);
        }
        let waiting = &mut || ();
        let _making = Lock::take(&self.layout, kind, digest, Purpose::Make, waiting)?;
        if !self.unpack_beside(kind, digest, contents)? {
            // One that no image has was held, when its blob was removed, by somebody who was then
            // killed; or is, by this check. The next prune takes it.
            let is_used = is_referenced(&self.database(), kind, digest)?;
            return Ok(is_used.then_some(Fault::Unknown));
        }
        let expected = Root::from_descriptor(self.layout.open_unpacking(digest)?);
        let found = Root::from_descriptor(self.layout.open_layer(kind, digest)?);
        let differences = compare(&expected, &found, MOST_DIFFERENCES)?;
        self.layout.discard(self.layout.unpacking(), digest.as_str())?;
        Ok((!differences.is_empty()).then_some(Fault::Damaged(differences)))
    }

    /// Unpacks a layer into the folder for that. False if no blob has it whole.
    fn unpack_beside(
        &self,
        kind: Kind,
        digest: &Digest,
        contents: &Contents,
    ) -> Result<bool, Error> {
        let (diff_id, owners) = match contents.mapped.get(digest) {
            Some((diff_id, owners)) if kind == Kind::Mapped => (diff_id, owners),
            _ => (digest, &self.owners),
        };
        for blob in contents.blobs.get(diff_id).into_iter().flatten() {
            let using = Lock::try_take(&self.layout, Kind::Blob, blob, Purpose::Use)?;
            if using.is_none() || !self.layout.has(Kind::Blob, blob)? {
                continue;
            }
            let blob = Descriptor::new(MediaType::OciLayer, blob.clone(), 0);
            let part = Part { blob, diff_id: diff_id.clone() };
            match self.unpack_blob(&part, digest, owners.clone(), Limits::default(), &|_| ()) {
                Ok(_) => return Ok(true),
                Err(error) if error.is_bad_content() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn repair(
        &self,
        finding: &Finding,
        contents: &Contents,
        options: &CheckOptions<'_>,
    ) -> Result<Outcome, Error> {
        let repaired = match finding.kind {
            Kind::Blob => self.repair_blob(&finding.digest, contents, options),
            Kind::Layer => {
                // Overlayfs must not lose a layer that is mounted.
                let images = contents.images_with(Kind::Layer, &finding.digest);
                let users: Vec<_> = images.flat_map(|image| image.users.clone()).collect();
                if !users.is_empty() && finding.fault != Fault::Missing {
                    return Ok(Outcome::InUse(users));
                }
                self.repair_layer(Kind::Layer, &finding.digest, contents)
            }
            Kind::Mapped => {
                let users = mapped_users(&self.database(), &finding.digest)?;
                if !users.is_empty() && finding.fault != Fault::Missing {
                    return Ok(Outcome::InUse(users));
                }
                self.repair_layer(Kind::Mapped, &finding.digest, contents)
            }
        };
        Ok(repaired.map_or_else(Outcome::Failed, |()| Outcome::Repaired))
    }

    fn repair_blob(
        &self,
        digest: &Digest,
        contents: &Contents,
        options: &CheckOptions<'_>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut last: Box<dyn std::error::Error + Send + Sync> =
            "no registry is known that has it".into();
        for image in contents.images_with(Kind::Blob, digest) {
            let Some(origin) = (options.origin)(image) else { continue };
            let media_type = if *digest == image.manifest {
                image.media_type.clone()
            } else {
                MediaType::Other("application/octet-stream".into())
            };
            let size = contents.sizes.get(digest).copied().unwrap_or(0);
            match self.replace_blob(&Descriptor::new(media_type, digest.clone(), size), &*origin) {
                Ok(()) => return Ok(()),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    fn repair_layer(
        &self,
        kind: Kind,
        digest: &Digest,
        contents: &Contents,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let waiting = &mut || ();
        let _making = Lock::take(&self.layout, kind, digest, Purpose::Make, waiting)?;
        let disk = self.layout.disk()?;
        if !self.unpack_beside(kind, digest, contents)? {
            return Err("its blob is missing or damaged, too".into());
        }
        disk.sync()?;
        Ok(self.layout.put(self.layout.unpacking(), digest.as_str(), kind, digest)?)
    }

    fn contents(&self) -> Result<Contents, Error> {
        let images = self.images()?;
        let database = self.database();
        let mut things = BTreeSet::new();
        let mut sizes = BTreeMap::new();
        let mut statement = database.prepare("SELECT digest, size FROM blobs")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            things.insert((Kind::Blob, digest(row, 0)?));
            sizes.insert(digest(row, 0)?, row.get(1)?);
        }
        let mut blobs: BTreeMap<Digest, BTreeSet<Digest>> = BTreeMap::new();
        let mut statement = database.prepare("SELECT diff_id, blob FROM layers")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            things.insert((Kind::Layer, digest(row, 0)?));
            blobs.entry(digest(row, 0)?).or_default().insert(digest(row, 1)?);
        }
        for layer in images.iter().flat_map(|image| &image.layers) {
            blobs.entry(layer.diff_id.clone()).or_default().insert(layer.blob.clone());
        }
        let mapped = mapped(&database)?;
        things.extend(mapped.keys().map(|digest| (Kind::Mapped, digest.clone())));
        Ok(Contents { images, things, sizes, blobs, mapped })
    }
}

/// All that the rows speak of.
struct Contents {
    images: Vec<Image>,
    /// Blobs before layers: these are made of those.
    things: BTreeSet<(Kind, Digest)>,
    sizes: BTreeMap<Digest, u64>,
    /// Which blobs a layer can be unpacked from.
    blobs: BTreeMap<Digest, BTreeSet<Digest>>,
    /// Copies of layers: of which, and whose files they have.
    mapped: BTreeMap<Digest, (Digest, Owners)>,
}

/// All copies of layers, with what they are made of.
fn mapped(database: &Connection) -> Result<BTreeMap<Digest, (Digest, Owners)>, Error> {
    let mut all = BTreeMap::new();
    let mut statement = database.prepare("SELECT digest, diff_id, owners FROM mapped_layers")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, diff_id) = (digest(row, 0)?, digest(row, 1)?);
        let owners = serde_json::from_str(&row.get::<_, String>(2)?);
        let owners = owners.map_err(|_| Error::Damaged(name.clone()))?;
        all.insert(name, (diff_id, owners));
    }
    Ok(all)
}

fn mapped_users(database: &Connection, digest: &Digest) -> Result<Vec<String>, Error> {
    let mut statement = database.prepare("SELECT user FROM mapped_uses WHERE digest = ?1")?;
    let rows = statement.query_map([digest.as_str()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl Contents {
    fn images_with<'a>(
        &'a self,
        kind: Kind,
        digest: &'a Digest,
    ) -> impl Iterator<Item = &'a Image> {
        self.images.iter().filter(move |image| match kind {
            Kind::Blob => {
                image.manifest == *digest
                    || image.id == *digest
                    || image.names.iter().any(|named| named.digest == *digest)
                    || image.layers.iter().any(|layer| layer.blob == *digest)
            }
            Kind::Layer => image.layers.iter().any(|layer| layer.diff_id == *digest),
            Kind::Mapped => self.mapped.get(digest).is_some_and(|(diff_id, _)| {
                image.layers.iter().any(|layer| layer.diff_id == *diff_id)
            }),
        })
    }
}
