//! What is in the store.

use super::document::LONGEST;
use super::{Error, Kind, Store};
use crate::input::FileReader;
use crate::reference::Reference;
use crate::tar::Writer;
use crate::tree::{Content, LayerRoot, Mends, Paths, pack};
use crate::unpack::{Marks, Owners};
use rusqlite::{Connection, OptionalExtension as _, Row};
use spec::image::{Digest, ImageConfig, MediaType};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// An image that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The digest of its manifest.
    pub manifest: Digest,
    /// What the manifest is.
    pub media_type: MediaType,
    /// The digest of its configuration, which people call the image's id.
    pub id: Digest,
    /// What it is called.
    pub names: Vec<Named>,
    /// When it was made, as its maker says, as in RFC 3339.
    pub created: Option<String>,
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// When it came here, in seconds since 1970.
    pub added: u64,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
    /// Who uses it.
    pub users: Vec<String>,
}

/// A name, and what a registry has under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: Reference,
    /// An index, or the manifest itself.
    pub digest: Digest,
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Of its blob.
    pub blob: Digest,
    /// How long that is.
    pub blob_size: u64,
    /// Of the archive in the blob.
    pub diff_id: Digest,
    /// How many bytes its files have.
    pub bytes: u64,
    /// It hides all layers below it.
    pub hides_all_below: bool,
}

impl Image {
    /// How many bytes its files have, layer by layer.
    pub fn bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.bytes).sum()
    }

    /// What an image of several layers with their marks for "nothing below" really consists of.
    pub fn visible_layers(&self) -> &[Layer] {
        let lowest = self.layers.iter().rposition(|layer| layer.hides_all_below).unwrap_or(0);
        &self.layers[lowest..]
    }
}

impl Store {
    /// All images, the newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn images(&self) -> Result<Vec<Image>, Error> {
        load(&self.database(), None)
    }

    /// The image with this manifest.
    ///
    /// # Errors
    /// There is none.
    pub fn image(&self, manifest: &Digest) -> Result<Image, Error> {
        let found = load(&self.database(), Some(manifest))?.pop();
        found.ok_or_else(|| Error::NoSuchImage(manifest.to_string()))
    }

    /// The image that has one of these names, the first that there is one for.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn find_by_name(&self, candidates: &[Reference]) -> Result<Option<Image>, Error> {
        let database = self.database();
        for name in candidates {
            let manifest = manifest_of(&database, name)?;
            if let Some(manifest) = manifest {
                return Ok(load(&database, Some(&manifest))?.pop());
            }
        }
        Ok(None)
    }

    /// The image whose id or manifest's digest this is, or begins with this, `sha256:` in front
    /// of it or not.
    ///
    /// # Errors
    /// Several have such a digest.
    pub fn find_by_digest(&self, text: &str) -> Result<Option<Image>, Error> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        if digits.is_empty()
            || !digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Ok(None);
        }
        let database = self.database();
        let mut statement = database.prepare(
            "SELECT manifest, config FROM images
             WHERE substr(config, 8, ?2) = ?1 OR substr(manifest, 8, ?2) = ?1
             ORDER BY added DESC",
        )?;
        let rows = statement
            .query_map((digits, digits.len()), |row| Ok((digest(row, 0)?, digest(row, 1)?)))?;
        let found = rows.collect::<Result<Vec<_>, _>>()?;
        // Several manifests of one image are one image.
        if found.windows(2).any(|pair| pair[0].1 != pair[1].1) {
            let found: Vec<_> = found.iter().map(|(_, id)| id.short()).take(5).collect();
            return Err(Error::Ambiguous { text: text.to_owned(), found: found.join(", ") });
        }
        let Some((manifest, _)) = found.first() else { return Ok(None) };
        Ok(load(&database, Some(manifest))?.pop())
    }

    /// A blob's bytes.
    ///
    /// # Errors
    /// There is no such blob.
    pub fn open_blob(&self, digest: &Digest) -> Result<OwnedFd, Error> {
        self.layout.open_blob(digest)
    }

    /// A small blob as a whole.
    ///
    /// # Errors
    /// There is no such blob, or it cannot be read.
    pub fn read_blob(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let mut reader = FileReader::new(self.open_blob(digest)?).take(LONGEST);
        reader.read_to_end(&mut bytes).map_err(|error| Error::Blob(digest.clone(), error))?;
        Ok(bytes)
    }

    /// An image's configuration.
    ///
    /// # Errors
    /// It is gone, or damaged.
    pub fn config(&self, image: &Image) -> Result<ImageConfig, Error> {
        serde_json::from_slice(&self.read_blob(&image.id)?)
            .map_err(|_| Error::Damaged(image.id.clone()))
    }

    /// Where an unpacked layer is.
    pub(crate) fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.path.join("layers").join(diff_id.algorithm().name()).join(diff_id.hex())
    }

    /// Which attributes are overlayfs' marks in layers.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// The root of an unpacked layer, to be mounted. It is never written to.
    ///
    /// # Errors
    /// There is no such layer.
    pub fn open_layer(&self, diff_id: &Digest) -> Result<OwnedFd, Error> {
        self.layout.open_layer(Kind::Layer, diff_id)
    }

    /// What folders are like that a layer of the image puts files into without saying it.
    /// `roots` opens its layers that can be seen, uppermost first.
    pub(crate) fn mends(
        &self,
        image: &Image,
        roots: impl FnOnce(&Store) -> Result<Vec<LayerRoot>, Error>,
    ) -> Result<Mends, Error> {
        let layers = image.visible_layers().iter().rev();
        let implied: Vec<Paths> = {
            let database = self.database();
            layers.map(|layer| implied(&database, &layer.diff_id)).collect::<Result<_, _>>()?
        };
        if implied.iter().all(Paths::is_empty) {
            return Ok(Mends::default());
        }
        Ok(Mends::find(&roots(self)?, &implied)?)
    }

    /// The roots of the layers that can be seen, uppermost first.
    pub(crate) fn roots(&self, image: &Image) -> Result<Vec<LayerRoot>, Error> {
        let layers = image.visible_layers().iter().rev();
        let root = |layer: &Layer| Ok(LayerRoot::of_image(self.open_layer(&layer.diff_id)?));
        layers.map(root).collect()
    }

    /// Writes an image's files, as a container sees them, into a tar archive.
    ///
    /// # Errors
    /// A layer is gone or cannot be read, or the archive cannot be written.
    pub fn export(&self, image: &Image, sink: &mut dyn Write) -> Result<(), Error> {
        let (layers, mends) = (self.roots(image)?, self.mends(image, |it| it.roots(image))?);
        let mut writer = Writer::new(sink);
        pack(&layers, &mends, Content::Files, &Owners::Keep, &mut writer).map_err(Error::Export)?;
        let sink = writer.finish().map_err(Error::Export)?;
        sink.flush().map_err(Error::Export)
    }

    /// Whether there is a blob or layer.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn has(&self, kind: Kind, digest: &Digest) -> Result<bool, Error> {
        self.is_there(kind, digest)
    }
}

/// The manifest that has a name.
pub(super) fn manifest_of(
    database: &Connection,
    name: &Reference,
) -> Result<Option<Digest>, Error> {
    let query = "SELECT manifest FROM names WHERE name = ?1";
    Ok(database.query_row(query, [name.to_string()], |row| digest(row, 0)).optional()?)
}

/// The folders that a layer says nothing of.
fn implied(database: &Connection, diff_id: &Digest) -> Result<Paths, Error> {
    let query = "SELECT implied FROM layers WHERE diff_id = ?1";
    let text: Option<String> =
        database.query_row(query, [diff_id.as_str()], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// All images, or one.
fn load(database: &Connection, only: Option<&Digest>) -> Result<Vec<Image>, Error> {
    let only = only.map(Digest::as_str);
    let mut images = load_images(database, only)?;
    let place: BTreeMap<_, _> =
        images.iter().enumerate().map(|(index, image)| (image.manifest.clone(), index)).collect();
    let mut attach = |query: &str, add: &dyn Fn(&mut Image, &Row<'_>) -> rusqlite::Result<()>| {
        let mut statement = database.prepare(query)?;
        let mut rows = statement.query([only])?;
        while let Some(row) = rows.next()? {
            if let Some(index) = place.get(&digest(row, 0)?) {
                add(&mut images[*index], row)?;
            }
        }
        Ok::<_, Error>(())
    };
    attach(
        "SELECT manifest, name, digest FROM names
         WHERE ?1 IS NULL OR manifest = ?1 ORDER BY name",
        &|image, row| {
            image.names.push(Named { name: parsed(row, 1)?, digest: digest(row, 2)? });
            Ok(())
        },
    )?;
    attach("SELECT manifest, user FROM uses WHERE ?1 IS NULL OR manifest = ?1", &|image, row| {
        image.users.push(row.get(1)?);
        Ok(())
    })?;
    attach(
        "SELECT manifest, image_layers.blob, size, diff_id, bytes, hides_all_below
         FROM image_layers JOIN layers USING (diff_id) JOIN blobs ON blobs.digest = image_layers.blob
         WHERE ?1 IS NULL OR manifest = ?1 ORDER BY manifest, position",
        &|image, row| {
            image.layers.push(Layer {
                blob: digest(row, 1)?,
                blob_size: row.get(2)?,
                diff_id: digest(row, 3)?,
                bytes: row.get(4)?,
                hides_all_below: row.get(5)?,
            });
            Ok(())
        },
    )?;
    Ok(images)
}

fn load_images(database: &Connection, only: Option<&str>) -> Result<Vec<Image>, Error> {
    let mut statement = database.prepare(
        "SELECT manifest, media_type, config, created, platform, added FROM images
         WHERE ?1 IS NULL OR manifest = ?1 ORDER BY added DESC, manifest",
    )?;
    let rows = statement.query_map([only], |row| {
        Ok(Image {
            manifest: digest(row, 0)?,
            media_type: row.get::<_, String>(1)?.as_str().into(),
            id: digest(row, 2)?,
            names: Vec::new(),
            created: row.get(3)?,
            platform: row.get(4)?,
            added: row.get(5)?,
            layers: Vec::new(),
            users: Vec::new(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    parsed(row, column)
}

fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}
