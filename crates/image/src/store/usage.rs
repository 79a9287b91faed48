//! How much room things take, and what is left over from processes that were killed.

use super::layout::Kind;
use super::lock::{Lock, Purpose};
use super::trash::names;
use super::{Error, Store};
use spec::image::{Algorithm, Digest};
use std::os::fd::BorrowedFd;

/// How much room the store takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many images there are.
    pub images: u64,
    /// How many of them containers use.
    pub images_in_use: u64,
    /// How many layers there are.
    pub layers: u64,
    /// Files of layers, and of copies of them with other owners.
    pub layer_bytes: u64,
    /// Blobs.
    pub blob_bytes: u64,
    /// Files and blobs that would go if all images went that no container uses.
    pub reclaimable: u64,
    /// Beginnings of blobs.
    pub incoming_bytes: u64,
}

impl Store {
    /// How much room the store takes, as the rows say.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn usage(&self) -> Result<Usage, Error> {
        let usage = {
            let database = self.database();
            let number = |query: &str| database.query_row(query, [], |row| row.get::<_, u64>(0));
            let mapped_bytes = number("SELECT coalesce(sum(bytes), 0) FROM mapped_layers")?;
            let used_mapped = number(
                "SELECT coalesce(sum(bytes), 0) FROM mapped_layers
                 WHERE digest IN (SELECT digest FROM mapped_uses)",
            )?;
            let layer_bytes = number("SELECT coalesce(sum(bytes), 0) FROM layers")?;
            let blob_bytes = number("SELECT coalesce(sum(size), 0) FROM blobs")?;
            let used_layers = number(
                "SELECT coalesce(sum(bytes), 0) FROM layers WHERE diff_id IN
                 (SELECT diff_id FROM image_layers JOIN uses USING (manifest))",
            )?;
            let used_blobs = number(
                "SELECT coalesce(sum(size), 0) FROM blobs WHERE digest IN
                 (SELECT blob FROM image_layers JOIN uses USING (manifest)
                  UNION SELECT manifest FROM uses
                  UNION SELECT config FROM images JOIN uses USING (manifest))",
            )?;
            Usage {
                images: number("SELECT count(*) FROM images")?,
                images_in_use: number("SELECT count(DISTINCT manifest) FROM uses")?,
                layers: number("SELECT count(*) FROM layers")?,
                layer_bytes: layer_bytes + mapped_bytes,
                blob_bytes,
                reclaimable: layer_bytes + mapped_bytes + blob_bytes
                    - used_layers
                    - used_mapped
                    - used_blobs,
                incoming_bytes: 0,
            }
        };
        let mut incoming_bytes = 0;
        for digest in digests(self.layout.incoming(), "")? {
            incoming_bytes += self.layout.incoming_size(&digest);
        }
        Ok(Usage { incoming_bytes, ..usage })
    }

    /// Removes what nobody goes on with: beginnings of blobs, half unpacked layers, things that
    /// no row speaks of. Returns how many of them there were.
    ///
    /// # Errors
    /// The disk fails.
    pub fn remove_leftovers(&self) -> Result<usize, Error> {
        if self.layout.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let mut count = 0;
        for (kind, folder) in
            [(Kind::Blob, self.layout.incoming()), (Kind::Layer, self.layout.unpacking())]
        {
            for digest in digests(folder, "")? {
                let try_make = |kind| Lock::try_take(&self.layout, kind, &digest, Purpose::Make);
                // What is unpacked becomes a layer or a copy of one.
                if let Some(_making) = try_make(kind)?
                    && let Some(_mapping) = try_make(Kind::Mapped)?
                {
                    self.layout.discard(folder, digest.as_str())?;
                    count += 1;
                }
            }
        }
        for (kind, digest) in self.strays()? {
            let try_take = |purpose| Lock::try_take(&self.layout, kind, &digest, purpose);
            if let Some(making) = try_take(Purpose::Make)?
                && let Some(using) = try_take(Purpose::Remove)?
                && !self.is_there(kind, &digest)?
            {
                self.layout.discard(self.layout.folder(kind, digest.algorithm()), digest.hex())?;
                using.remove(&self.layout)?;
                making.remove(&self.layout)?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Things that no row speaks of.
    fn strays(&self) -> Result<Vec<(Kind, Digest)>, Error> {
        let mut strays = Vec::new();
        for kind in [Kind::Blob, Kind::Layer, Kind::Mapped] {
            for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
                let prefix = format!("{}:", algorithm.name());
                for digest in digests(self.layout.folder(kind, algorithm), &prefix)? {
                    if !self.is_there(kind, &digest)? {
                        strays.push((kind, digest));
                    }
                }
            }
        }
        Ok(strays)
    }
}

/// The digests that are names in a folder, with this in front of them.
fn digests(folder: BorrowedFd<'_>, prefix: &str) -> Result<Vec<Digest>, Error> {
    let names = names(folder)?.into_iter();
    let texts = names.map(|name| format!("{prefix}{}", String::from_utf8_lossy(&name)));
    Ok(texts.filter_map(|text| text.parse().ok()).collect())
}
