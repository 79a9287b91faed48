//! What a container has changed of its image: listed, kept as an image, or packed with all the
//! rest.

use crate::database::Container;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::folders::ContainerFolder;
use crate::fuse;
use crate::rootfs::c_path;
use image::assemble::{Draft, assemble, blank_config};
use image::reference::Reference;
use image::store::Image;
use image::tar::{Reader, Writer};
use image::tree::{Content, LayerRoot, Mends, pack};
use kernel::path::{Links, Root, RootedPath};
use spec::image::{ContainerConfig, History, ImageConfig};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek as _, SeekFrom, Write};
use std::path::PathBuf;
use sys::rustix::fs::{AtFlags, FileType, statat};
use sys::rustix::io::Errno;

/// A change of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is new.
    Added,
    /// It was there, and is other now.
    Changed,
    /// It is gone.
    Deleted,
}

/// Files and folders that the runtime makes to mount something on.
const MOUNT_POINTS: [&str; 6] =
    ["dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf"];

impl Engine {
    /// All that a container has changed, by path.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn diff(&self, container: &Container) -> Result<Vec<(Kind, String)>> {
        let lower = layers(container)?;
        let mut reader = Reader::new(BufReader::new(self.pack_changes(container)?));
        let mut changes = Vec::new();
        while let Some(entry) = reader.next_entry().map_err(image::assemble::Error::from)? {
            let path = String::from_utf8_lossy(entry.name.as_bytes()).into_owned();
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if path.is_empty() || name == ".wh..wh..opq" {
                continue;
            }
            if let Some(gone) = name.strip_prefix(".wh.") {
                let separator = if parent.is_empty() { "" } else { "/" };
                changes.push((Kind::Deleted, format!("/{parent}{separator}{gone}")));
            } else if is_there(&lower, &path)? {
                changes.push((Kind::Changed, format!("/{path}")));
            } else if !MOUNT_POINTS.contains(&path.as_str()) {
                changes.push((Kind::Added, format!("/{path}")));
            }
        }
        changes.sort_by(|one, other| one.1.cmp(&other.1));
        Ok(changes)
    }

    /// Makes an image of a container as it is now.
    ///
    /// # Errors
    /// A file cannot be read; the disk is full.
    pub fn commit(
        &self,
        container: &Container,
        change: impl FnOnce(&mut ContainerConfig) -> Result<()>,
        history: History,
        names: &[Reference],
    ) -> Result<Image> {
        let base = match &container.manifest {
            Some(manifest) => Some(self.store.image(manifest)?),
            None => return Err(Error::invalid("a container of a folder has no image to add to")),
        };
        let mut config: ImageConfig = match &base {
            Some(image) => self.image_config(image)?,
            None => blank_config(),
        };
        config.created = blank_config().created;
        config.author = history.author.clone();
        let settings = &container.settings;
        let own = &mut config.config;
        own.entrypoint = settings.entrypoint.clone().filter(|words| !words.is_empty());
        own.cmd = Some(settings.command.clone()).filter(|words| !words.is_empty());
        own.env.clone_from(&settings.env);
        own.user.clone_from(&settings.user);
        own.working_dir.clone_from(&settings.working_dir);
        own.labels.clone_from(&settings.labels);
        change(own)?;
        let layer = self.pack_changes(container)?;
        let draft = Draft { config, base, history };
        let image = assemble(&self.store, draft, layer.into(), names)?;
        self.tell_event(container, "commit", &[("imageID", image.id.as_str())])?;
        Ok(image)
    }

    /// Writes all files of a container, but for what is mounted, as a tar archive.
    ///
    /// # Errors
    /// A file cannot be read, or the archive not written.
    pub fn export(&self, container: &Container, to: impl Write) -> Result<()> {
        let folder = self.folder(container);
        let mut all = vec![changes(&folder)?];
        all.extend(layers(container)?);
        let mut writer = Writer::new(BufWriter::new(to));
        let packed = pack(
            &all,
            &Mends::default(),
            Content::Files,
            &self.owners_inside(container),
            &mut writer,
        );
        packed.and_then(|()| writer.finish()?.flush()).map_err(failed(&folder))
    }

    /// An archive of the changes, in a file without a name.
    fn pack_changes(&self, container: &Container) -> Result<File> {
        let folder = self.folder(container);
        let file = File::from(self.store.spool()?);
        let mut writer = Writer::new(BufWriter::new(file));
        let upper = [changes(&folder)?];
        let owners = self.owners_inside(container);
        let packed = pack(&upper, &Mends::default(), Content::Changes, &owners, &mut writer);
        let packed = packed.and_then(|()| {
            let mut file = writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            Ok(file)
        });
        packed.map_err(failed(&folder))
    }
}

fn failed(folder: &ContainerFolder) -> impl FnOnce(io::Error) -> Error {
    Error::file(folder.upper())
}

/// What a container has changed.
fn changes(folder: &ContainerFolder) -> Result<LayerRoot> {
    let root = Root::open(&c_path(&folder.upper())?)?;
    Ok(LayerRoot { root, names_say: fuse::has_made_changes(folder) })
}

/// What is below that. A folder of the machine is as it is.
fn layers(container: &Container) -> Result<Vec<LayerRoot>> {
    let names_say = container.manifest.is_some();
    let layer = |path: &PathBuf| Ok(LayerRoot { root: Root::open(&c_path(path)?)?, names_say });
    container.layers.iter().map(layer).collect()
}

/// Whether the layers have something of this name.
fn is_there(layers: &[LayerRoot], path: &str) -> Result<bool> {
    let Ok(path) = RootedPath::parse(path.as_bytes()) else { return Ok(false) };
    let Some((parent, name)) = path.split() else { return Ok(true) };
    for layer in layers {
        let Ok(folder) = layer.root.resolve_directory(&parent, Links::Refuse) else { continue };
        match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => {
                let kind = FileType::from_raw_mode(status.st_mode);
                // A mark that says that it is gone.
                return Ok(!(kind == FileType::CharacterDevice && status.st_rdev == 0));
            }
            Err(Errno::NOENT) if layer.says_gone(&folder, name.to_bytes()) => return Ok(false),
            Err(Errno::NOENT) => {}
            Err(errno) => {
                return Err(sys::Error::new("fstatat", format!("{path:?}"), errno).into());
            }
        }
    }
    Ok(false)
}
