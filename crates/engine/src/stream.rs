//! Files of a container as a tar archive, and the other way round. They are put aside in a folder of
//! the container's, and copied as any others: what an archive says never reaches the container's
//! files by a path.

use crate::copy::Copying;
use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::rootfs::c_path;
use crate::{folders, id};
use image::tar::Writer;
use image::tree::{Content, LayerRoot, Mends, pack};
use image::unpack::{Options, Owners, unpack_unknown};
use kernel::path::Root;
use std::fs;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// A folder that is gone when this is.
struct Aside(PathBuf);

impl Aside {
    fn new(folder: &Path) -> Result<Aside> {
        let path = folder.join(format!("stream-{}", id::random()?));
        folders::make_with(&path, 0o700)?;
        Ok(Aside(path))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // What stays goes with the container.
        let _ = folders::remove_tree(&self.0);
    }
}

impl Engine {
    /// Writes a file or folder of a container, by its name and with all below, into an archive.
    ///
    /// # Errors
    /// There is no such file, or the archive cannot be written.
    pub fn stream_out(
        &self,
        container: &Container,
        from: &str,
        to: impl Write,
        follow: bool,
    ) -> Result<()> {
        let aside = Aside::new(&self.folder(container).path)?;
        let how = Copying { archive: true, follow };
        self.copy_out(container, from, &aside.0.join(""), how)?;
        let root = Root::open(&c_path(&aside.0)?)?;
        let mut writer = Writer::new(BufWriter::new(to));
        let packed = pack(
            &[LayerRoot::plain(root)],
            &Mends::default(),
            Content::Below,
            &Owners::Keep,
            &mut writer,
        );
        packed.and_then(|()| writer.finish()?.flush()).map_err(Error::file(from))
    }

    /// Copies what is in an archive, compressed or not, into a folder of a container. With
    /// `archive`, owners are those that it names.
    ///
    /// # Errors
    /// It cannot be read; there is no such folder, or it cannot be written.
    pub fn stream_in(
        &self,
        container: &Container,
        source: impl Read + Send,
        to: &str,
        archive: bool,
    ) -> Result<()> {
        let folder = format!("{}/", to.trim_end_matches('/'));
        if !self.has_folder(container, &folder)? {
            return Err(Error::invalid(format!("{to}: there is no such folder")));
        }
        let aside = Aside::new(&self.folder(container).path)?;
        let root = Root::open(&c_path(&aside.0)?)?;
        let owners = if archive { Owners::Keep } else { Owners::Own };
        let options = Options { owners, ..Options::default() };
        unpack_unknown(source, &root, &options)
            .map_err(|error| Error::invalid(format!("the archive: {error}")))?;
        let how = Copying { archive, follow: false };
        // One by one: the folder itself stays as it is.
        for entry in fs::read_dir(&aside.0).map_err(Error::file(&aside.0))? {
            let entry = entry.map_err(Error::file(&aside.0))?;
            self.copy_in(container, &entry.path(), &folder, how)?;
        }
        Ok(())
    }
}
