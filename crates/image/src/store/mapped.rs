//! Copies of layers whose files belong to others: for containers in user namespaces of users
//! without rights, who cannot have the kernel map the ids of a mount.
//!
//! A copy is unpacked from the layer's blob as the layer itself was, once for each mapping, and
//! kept. It can always be made again, so it goes when no container uses it and room is wanted, and
//! with the last image that has the layer.

use super::add::Part;
use super::{Error, Image, Kind, Layer, Store, database, now};
use crate::Hasher;
use crate::base::{Base, Lower};
use crate::flow::Limits;
use crate::tree::LayerRoot;
use crate::unpack::Owners;
use rusqlite::{Transaction, params};
use spec::image::{Algorithm, Descriptor, Digest, MediaType};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use sys::OrError;
use sys::rustix::io::fcntl_dupfd_cloexec;

impl Store {
    /// Where the layers of an image are, or will be, whose files belong to these; uppermost first.
    pub fn mapped_paths(&self, image: &Image, owners: &Owners) -> Vec<PathBuf> {
        let path = |layer: &Layer| self.mapped_path(&digest(&layer.diff_id, owners));
        image.visible_layers().iter().rev().map(path).collect()
    }

    /// Says, in a transaction, that `user` uses these, whether they are there yet or not.
    ///
    /// # Errors
    /// The database fails.
    pub fn begin_mapped_use_in(
        transaction: &Transaction<'_>,
        image: &Image,
        owners: &Owners,
        user: &str,
    ) -> Result<(), Error> {
        for layer in image.visible_layers() {
            let insert = "INSERT INTO mapped_uses VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            transaction.execute(insert, params![user, digest(&layer.diff_id, owners).as_str()])?;
        }
        Ok(())
    }

    /// What a container of an image is made of whose files belong to these. Makes the copies that
    /// are missing; if another process is just making one, it is waited for. `progress` is told
    /// before each: how many of how many layers are there. The image and the copies are in use.
    ///
    /// # Errors
    /// A file belongs to somebody whom the mapping lacks; a blob is damaged; the disk is full.
    pub fn mapped_base(
        &self,
        image: &Image,
        owners: &Owners,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Base, Error> {
        let layers = image.visible_layers();
        for (index, layer) in layers.iter().enumerate() {
            self.provide_mapped(layer, owners, &|| progress(index, layers.len()))?;
        }
        let lower = |layer: &Layer| -> Result<Lower, Error> {
            let digest = digest(&layer.diff_id, owners);
            let folder = self.layout.open_layer(Kind::Mapped, &digest)?;
            Ok(Lower { path: self.mapped_path(&digest), folder })
        };
        let lowers = layers.iter().rev().map(lower).collect::<Result<Vec<_>, _>>()?;
        let mends = self.mends(image, |_| {
            let root = |lower: &Lower| Ok(LayerRoot::of_image(copy(&lower.folder)?));
            lowers.iter().map(root).collect()
        })?;
        Ok(Base::of_image(image.clone(), self.config(image)?, lowers, self.marks(), mends))
    }

    fn provide_mapped(
        &self,
        layer: &Layer,
        owners: &Owners,
        progress: &dyn Fn(),
    ) -> Result<(), Error> {
        let digest = digest(&layer.diff_id, owners);
        if !self.is_there(Kind::Mapped, &digest)? {
            progress();
        }
        let claim = self.claim(Kind::Mapped, &digest, || ())?;
        if claim.making.is_none() {
            return Ok(());
        }
        let disk = self.layout.disk()?;
        let blob = Descriptor::new(MediaType::OciLayer, layer.blob.clone(), layer.blob_size);
        let part = Part { blob, diff_id: layer.diff_id.clone() };
        let unpacked =
            self.unpack_blob(&part, &digest, owners.clone(), Limits::default(), &|_| ())?;
        disk.sync()?;
        self.layout.put(self.layout.unpacking(), digest.as_str(), Kind::Mapped, &digest)?;
        let mut database = self.database();
        let transaction = database::begin(&mut database)?;
        transaction.execute(
            "INSERT INTO mapped_layers VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            params![
                digest.as_str(),
                layer.diff_id.as_str(),
                owners.as_text(),
                unpacked.bytes,
                now()
            ],
        )?;
        Ok(transaction.commit()?)
    }

    fn mapped_path(&self, digest: &Digest) -> PathBuf {
        let folder = self.path.join(super::layout::MAPPED);
        folder.join(digest.algorithm().name()).join(digest.hex())
    }
}

/// What a copy is called.
fn digest(diff_id: &Digest, owners: &Owners) -> Digest {
    let text = format!("{diff_id}\n{}", owners.as_text());
    Hasher::of(Algorithm::Sha256, text.as_bytes())
}

fn copy(folder: &OwnedFd) -> Result<OwnedFd, Error> {
    Ok(fcntl_dupfd_cloexec(folder, 0).or_error("fcntl", || "F_DUPFD_CLOEXEC")?)
}
