//! Layers made by hand, friendly and hostile, unpacked into folders of this machine.
//!
//! They need root, as the program does: for owners, devices and the attributes of overlayfs.

use super::extract::extract;
use super::{Error, Expected, IdRange, Marks, Options, Owners, Part, Unpacked, remove, unpack};
use crate::Hasher;
use crate::flow::Limits;
use crate::tar::{Entry, Fragment, Kind, Name, Reader, Time, Writer};
use kernel::path::Root;
use spec::image::Algorithm;
use std::ffi::CString;
use std::fs::{self, Metadata};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use sys::rustix::fs::{Mode, lgetxattr, makedev};

mod faithful;
mod hostile;

/// An empty folder with a `root` to unpack into and a `victim` to leave alone.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("unpack-{}-{number}", std::process::id()));
        for folder in ["root", "victim"] {
            fs::create_dir_all(path.join(folder)).unwrap();
        }
        fs::write(path.join("victim/file"), "untouched").unwrap();
        Scratch(path)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.join("root").join(path)
    }

    fn status(&self, path: &str) -> Metadata {
        fs::symlink_metadata(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn root(&self) -> Root {
        Root::open(&CString::new(self.0.join("root").as_os_str().as_bytes()).unwrap()).unwrap()
    }

    fn unpack_with(&self, layer: &Layer, options: &Options) -> Result<Unpacked, Error> {
        let digest = Hasher::of(Algorithm::Sha256, &layer.0);
        let expected = Expected { digest: &digest, diff_id: &digest };
        Ok(unpack(&layer.0[..], expected, &self.root(), options, &|_| ())?.result)
    }

    fn unpack(&self, layer: &Layer) -> Unpacked {
        self.unpack_with(layer, &Options::default()).unwrap()
    }

    /// Nothing came into the victim, and its file is as it was.
    fn assert_unharmed(&self) {
        let names: Vec<_> = fs::read_dir(self.0.join("victim")).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let file = self.0.join("victim/file");
        assert_eq!(fs::read_to_string(&file).unwrap(), "untouched");
        let status = fs::metadata(file).unwrap();
        assert_eq!((status.nlink(), status.mode() & 0o7777, status.uid()), (1, 0o644, 0));
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let name = self.0.file_name().unwrap().to_owned();
        let parent = fs::File::open(self.0.parent().unwrap()).unwrap();
        remove(parent.as_fd(), name.as_bytes()).unwrap();
    }
}

/// An archive in the making.
struct Layer(Vec<u8>);

fn entry(name: &str, kind: Kind) -> Entry {
    let modified = Time { seconds: 1000, nanoseconds: 5 };
    Entry { modified, ..Entry::new(Name::new(name.as_bytes()).unwrap(), kind, 0o755) }
}

fn folder(name: &str) -> Entry {
    entry(name, Kind::Folder)
}

fn file(name: &str) -> Entry {
    Entry { mode: 0o644, ..entry(name, Kind::Regular) }
}

fn link(name: &str, target: &str) -> Entry {
    entry(name, Kind::SymbolicLink(target.into()))
}

fn hard_link(name: &str, target: &str) -> Entry {
    entry(name, Kind::HardLink(Name::new(target.as_bytes()).unwrap()))
}

fn with(mut entry: Entry, attribute: &str, value: &[u8]) -> Entry {
    entry.attributes.push((attribute.into(), value.into()));
    entry
}

/// A layer of these entries; files hold their own name.
fn layer(entries: impl IntoIterator<Item = Entry>) -> Layer {
    let mut writer = Writer::new(Vec::new());
    for mut entry in entries {
        let data =
            if entry.kind == Kind::Regular { entry.name.as_bytes().to_vec() } else { vec![] };
        entry.size = data.len() as u64;
        writer.entry(&entry).unwrap();
        writer.data(&data).unwrap();
    }
    Layer(writer.finish().unwrap())
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 200];
    let length = lgetxattr(path, name, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

fn is_whiteout(status: &Metadata) -> bool {
    status.file_type().is_char_device() && status.rdev() == 0
}

/// A default ACL as the kernel stores it: `u::rwx,g::r-x,o::---`.
fn acl() -> Vec<u8> {
    let entry = |tag: u16, permissions: u16| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &u32::MAX.to_le_bytes()].concat()
    };
    [2_u32.to_le_bytes().to_vec(), entry(1, 7), entry(4, 5), entry(0x20, 0)].concat()
}
