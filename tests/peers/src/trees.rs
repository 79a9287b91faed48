//! Whole unpacked trees: what `tinyo` makes of layers is what GNU tar makes of each, and umoci of
//! all together.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{lgetxattr, llistxattr};

use crate::commands::{end_of, find, text_of};
use crate::sandbox;

/// Every kind of file, and every kind of name.
const LOWER: &str = r#"
mkdir -p files folders/sticky folders/group opaque/below gone kept deep
echo text > files/plain; chmod 604 files/plain; chown 1000:2000 files/plain
echo set > files/set-id; chown 3:4 files/set-id; chmod 6755 files/set-id
chmod 1777 folders/sticky; chgrp 77 folders/group; chmod 2775 folders/group
echo inherits > folders/group/file
ln files/plain files/hard; ln files/plain folders/harder
ln -s plain files/soft; chown -h 5:6 files/soft; ln -s /nowhere/at/all files/dangling
mkfifo files/pipe; mknod files/char c 1 3; mknod files/block b 7 99; chown 8:9 files/block
truncate -s 5M files/sparse; printf end >> files/sparse; truncate -s 9M files/sparse
: > files/empty; : > "$(printf 'files/\377\376')"; : > 'files/with space and "quotes"'
name=$(printf %0100d 7); mkdir -p deep/$name/$name; echo deep > deep/$name/$name/$name
setfattr -n user.text -v value files/plain; setfattr -n user.binary -v 0x00ff0a files/empty
setfattr -n user.folder -v yes folders
setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 files/set-id
echo a > opaque/a; echo b > opaque/below/b; echo c > gone/c; echo d > kept/d; echo e > kept/e
echo replaced > becomes-folder; mkdir becomes-file; echo x > becomes-file/x
touch -d '1965-04-03 02:01:00 UTC' files/plain; touch -h -d '2001-02-03 04:05:06 UTC' files/soft
touch -d '2033-04-05 06:07:08.123456789 UTC' files/sparse deep kept
"#;

/// Deletes and replaces some of it.
const UPPER: &str = r#"
mkdir -p opaque kept becomes-folder files
: > opaque/.wh..wh..opq; echo new > opaque/new; : > .wh.gone; : > kept/.wh.d
echo inside > becomes-folder/inside; echo file > becomes-file
echo changed > files/plain; chmod 600 files/plain; : > files/.wh.soft
touch -d '2002-02-02 02:02:02 UTC' opaque kept becomes-folder becomes-file files .
"#;

pub(crate) fn as_tar_and_umoci_unpack_them() -> Result<()> {
    sandbox::inside(|folder| {
        let lower = generated(folder, "lower", LOWER, "pax")?;
        let real = folder.join("real.tar");
        let mut tar = Command::new("tar");
        tar.args(["-C", "/", "--xattrs", "--xattrs-include=*", "-cf"]).arg(&real);
        // With the folders above: what no entry speaks of, everybody makes up in his own way.
        tar.args(["etc", "--no-recursion", "usr", "--recursion", "usr/sbin"]);
        tar.args(["--no-recursion", "usr/share", "--recursion", "usr/share/zoneinfo"]);
        let code = end_of(&mut tar)?.code;
        // 1: a file has changed meanwhile.
        ensure!(code.is_some_and(|code| code <= 1), "tar: {code:?}");
        let upper = generated(folder, "upper", UPPER, "gnu")?;
        let image = put_together(folder, &[&lower, &real, &upper])?;
        let store = folder.join("store");
        let tinyo = || {
            let mut command = Command::new(harness::tinyo());
            command.arg("--root").arg(&store).env("HOME", folder);
            command
        };
        text_of(tinyo().args(["pull", "--quiet", &format!("oci:{image}")]))?;
        for layer in [&lower, &real] {
            let sum = text_of(Command::new("sha256sum").arg(layer))?;
            let hex = sum.split(' ').next().unwrap_or_default();
            let ours = store.join("layers/sha256").join(hex);
            let theirs = extract(folder, layer)?;
            compare(&theirs, &ours).with_context(|| format!("{} by tar", layer.display()))?;
            fs::remove_dir_all(theirs)?;
        }
        let id = text_of(tinyo().args(["images", "-q"]))?;
        let exported = folder.join("exported.tar");
        text_of(tinyo().arg("export").arg("-o").arg(&exported).arg(id))?;
        let bundle = folder.join("bundle");
        text_of(Command::new(find("umoci")?).args(["unpack", "--image", &image]).arg(&bundle))?;
        compare(&bundle.join("rootfs"), &extract(folder, &exported)?).context("all by umoci")
    })
}

/// A layer of what a script makes in an empty folder.
fn generated(folder: &Path, name: &str, script: &str, format: &str) -> Result<PathBuf> {
    find("setfattr")?;
    let (files, archive) = (folder.join(name), folder.join(format!("{name}.tar")));
    fs::create_dir(&files)?;
    text_of(Command::new("sh").args(["-ec", script]).current_dir(&files))?;
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&files).args(["--numeric-owner", "--sparse", "-cf"]).arg(&archive);
    if format == "pax" {
        tar.args(["--xattrs", "--xattrs-include=*"]);
    }
    text_of(tar.arg(format!("--format={format}")).arg("."))?;
    fs::remove_dir_all(files)?;
    Ok(archive)
}

/// An image of these layers, in an OCI layout.
fn put_together(folder: &Path, layers: &[&PathBuf]) -> Result<String> {
    let umoci = find("umoci")?;
    let layout = folder.join("layout");
    let image = format!("{}:trees", layout.display());
    text_of(Command::new(&umoci).args(["init", "--layout"]).arg(&layout))?;
    text_of(Command::new(&umoci).args(["new", "--image", &image]))?;
    for layer in layers {
        text_of(Command::new(&umoci).args(["raw", "add-layer", "--image", &image]).arg(layer))?;
    }
    Ok(image)
}

fn extract(folder: &Path, archive: &Path) -> Result<PathBuf> {
    let target = folder.join("extracted");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    fs::create_dir(&target)?;
    let mut tar = Command::new("tar");
    tar.args(["-xp", "--same-owner", "--numeric-owner", "--xattrs", "--xattrs-include=*"]);
    text_of(tar.arg("-C").arg(&target).arg("-f").arg(archive))?;
    Ok(target)
}

/// The first differences of two trees are an error.
fn compare(expected: &Path, found: &Path) -> Result<()> {
    let (expected, found) = (listing(expected)?, listing(found)?);
    let mut differences = Vec::new();
    for name in expected.keys().chain(found.keys().filter(|name| !expected.contains_key(*name))) {
        let (expected, found) = (expected.get(name), found.get(name));
        if expected != found {
            differences.push(format!("{name:?}: expected {expected:#?}, found {found:#?}"));
        }
    }
    differences.truncate(10);
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    ensure!(expected.len() > 10, "only {} files", expected.len());
    Ok(())
}

/// All that can be told of a file.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    mode: String,
    owner: (u32, u32),
    modified: (i64, i64),
    device: u64,
    /// A link's target, or the length of a file and a hash of what is in it.
    content: String,
    /// The first name of the same file.
    is_same_as: PathBuf,
    attributes: BTreeMap<String, Vec<u8>>,
}

/// The root itself is left out: tar sets nothing of it if it is not in the archive.
fn listing(root: &Path) -> Result<BTreeMap<PathBuf, Seen>> {
    let (mut all, mut known) = (BTreeMap::new(), HashMap::new());
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let mut names = fs::read_dir(root.join(&folder))?
            .map(|entry| Ok(folder.join(entry?.file_name())))
            .collect::<Result<Vec<_>>>()?;
        names.sort();
        for name in names {
            let path = root.join(&name);
            let status = fs::symlink_metadata(&path)?;
            let kind = status.file_type();
            let content = if kind.is_symlink() {
                format!("{:?}", fs::read_link(&path)?)
            } else if kind.is_file() {
                let mut hasher = DefaultHasher::new();
                fs::read(&path)?.hash(&mut hasher);
                format!("{} {:x}", status.len(), hasher.finish())
            } else {
                String::new()
            };
            let has_device = kind.is_char_device() || kind.is_block_device();
            all.insert(
                name.clone(),
                Seen {
                    mode: format!("{:o}", status.mode()),
                    owner: (status.uid(), status.gid()),
                    modified: (status.mtime(), status.mtime_nsec()),
                    device: if has_device { status.rdev() } else { 0 },
                    content,
                    is_same_as: known.entry(status.ino()).or_insert(name.clone()).clone(),
                    attributes: attributes(&path)?,
                },
            );
            if kind.is_dir() {
                folders.push(name);
            }
        }
        // Whichever way the folders are walked, the first name must be the same.
        folders.sort_by(|one, other| other.as_os_str().as_bytes().cmp(one.as_os_str().as_bytes()));
    }
    Ok(all)
}

fn attributes(path: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut names = vec![0; 1 << 16];
    let length = llistxattr(path, &mut names[..])?;
    let mut all = BTreeMap::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        let mut value = vec![0; 1 << 16];
        let length = lgetxattr(path, &*name, &mut value[..])?;
        value.truncate(length);
        if !name.starts_with("trusted.overlay.") {
            all.insert(name, value);
        }
    }
    Ok(all)
}
