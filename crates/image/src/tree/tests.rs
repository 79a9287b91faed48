//! Trees that were unpacked, packed again, and compared.

use super::{Content, LayerRoot, Mends, Paths, compare, pack};
use crate::Hasher;
use crate::tar::{Entry, Kind, Name, Reader, Time, Writer};
use crate::unpack::{Expected, Options, Owners, remove, unpack};
use kernel::path::Root;
use spec::image::Algorithm;
use std::ffi::CString;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use sys::rustix::fs::{FileType, Mode, XattrFlags, lsetxattr, mknodat};

/// A folder that goes away.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tree-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn root(&self, name: &str) -> Root {
        fs::create_dir_all(self.0.join(name)).unwrap();
        Root::open(&CString::new(self.0.join(name).as_os_str().as_bytes()).unwrap()).unwrap()
    }

    fn unpack(&self, name: &str, archive: &[u8]) -> Root {
        let root = self.root(name);
        let digest = Hasher::of(Algorithm::Sha256, archive);
        let expected = Expected { digest: &digest, diff_id: &digest };
        unpack(archive, expected, &root, &Options::default(), &|_| ()).unwrap();
        root
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let parent = fs::File::open(self.0.parent().unwrap()).unwrap();
        remove(parent.as_fd(), self.0.file_name().unwrap().as_bytes()).unwrap();
    }
}

fn entry(name: &str, kind: Kind) -> Entry {
    let modified = Time { seconds: 1000, nanoseconds: 7 };
    let entry = Entry::new(Name::new(name.as_bytes()).unwrap(), kind, 0o755);
    Entry { user: 3, group: 4, modified, ..entry }
}

/// Files hold their own name.
fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for entry in entries {
        let data = if entry.kind == Kind::Regular { entry.name.as_bytes() } else { &[] };
        writer.entry(&Entry { size: data.len() as u64, ..entry.clone() }).unwrap();
        writer.data(data).unwrap();
    }
    writer.finish().unwrap()
}

fn packed<const COUNT: usize>(layers: [Root; COUNT], content: Content) -> Vec<u8> {
    let layers = &layers.map(LayerRoot::plain);
    let mut writer = Writer::new(Vec::new());
    pack(layers, &Mends::default(), content, &Owners::Keep, &mut writer).unwrap();
    writer.finish().unwrap()
}

/// In the order that packing has: all of a folder behind its entry, and folders behind files.
fn everything() -> Vec<Entry> {
    let target = Name::new(b"a").unwrap();
    let attributes = vec![(b"user.empty".to_vec(), vec![]), (b"user.long".to_vec(), vec![7; 3000])];
    vec![
        entry("", Kind::Folder),
        Entry { attributes: attributes.clone(), mode: 0o4755, ..entry("a", Kind::Regular) },
        entry("b", Kind::HardLink(target)),
        entry("d", Kind::CharacterDevice(4, 5)),
        entry("e", Kind::BlockDevice(6, 7)),
        entry("f", Kind::Fifo),
        Entry { mode: 0o777, ..entry("g", Kind::SymbolicLink(b"/nowhere".to_vec())) },
        Entry { attributes, mode: 0o2750, ..entry("c", Kind::Folder) },
        entry("c/e", Kind::Regular),
        entry("c/d", Kind::Folder),
        entry("c/d/e", Kind::Regular),
    ]
}

#[test]
fn what_is_packed_is_what_was_unpacked() {
    let scratch = Scratch::new();
    let original = archive(&everything());
    let root = scratch.unpack("a", &original);
    let files = packed([root], Content::Files);
    let headers = |archive: &[u8]| {
        let mut reader = Reader::new(archive);
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            entries.push(entry);
        }
        entries
    };
    for (found, mut expected) in headers(&files).into_iter().zip(headers(&original)) {
        if let Kind::HardLink(_) = expected.kind {
            // A second name says all that the first one does.
            expected.attributes.clone_from(&found.attributes);
            expected.mode = found.mode;
        }
        assert_eq!(found, expected);
    }
    assert_eq!(headers(&files).len(), everything().len());
    let [one, two] = [("b", &files), ("a2", &original)].map(|(name, it)| scratch.unpack(name, it));
    assert_eq!(compare(&one, &two, 10).unwrap(), []);
}

#[test]
fn layers_are_laid_over_each_other() {
    let scratch = Scratch::new();
    let layer = |name, files: &[&str]| {
        let entries: Vec<_> = files.iter().map(|file| entry(file, Kind::Regular)).collect();
        scratch.unpack(name, &archive(&entries))
    };
    let lowest = layer("1", &["a/gone", "a/kept", "b/hidden", "c/d/deep", "file", "e/f/g"]);
    let middle = layer("2", &["a/.wh.gone", "b/.wh..wh..opq", "b/shown", "c", "file/now/folder"]);
    let top = layer("3", &["a/new", ".wh.c", "e/.wh.f", "e/f/new"]);
    let names = |archive: &[u8]| {
        let mut reader = Reader::new(archive);
        let mut names = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            if entry.kind == Kind::Regular {
                names.push(String::from_utf8(entry.name.as_bytes().to_vec()).unwrap());
            }
        }
        names
    };
    let files = names(&packed([top, middle, lowest], Content::Files));
    assert_eq!(files, ["a/kept", "a/new", "b/shown", "e/f/new", "file/now/folder"]);
}

#[test]
fn changes_say_what_is_gone() {
    let scratch = Scratch::new();
    let marks = [
        entry("", Kind::Folder),
        entry(".wh.gone", Kind::Regular),
        entry("b", Kind::Folder),
        entry("b/.wh..wh..opq", Kind::Regular),
        entry("b/c", Kind::Regular),
    ];
    let root = scratch.unpack("a", &archive(&marks));
    let changes = packed([root], Content::Changes);
    let root = scratch.root("a");
    let again = scratch.unpack("b", &changes);
    assert_eq!(compare(&root, &again, 10).unwrap(), []);
    fs::write(scratch.0.join("a/.wh.what"), "").unwrap();
    let mut writer = Writer::new(Vec::new());
    assert!(
        pack(
            &[LayerRoot::plain(root)],
            &Mends::default(),
            Content::Changes,
            &Owners::Keep,
            &mut writer
        )
        .is_err()
    );
}

/// As `fuse-overlayfs` writes them where there are no such devices, with what it leaves behind.
#[test]
fn names_say_what_is_gone_where_devices_cannot() {
    let scratch = Scratch::new();
    let below = ["a", "b", "c/d", "e/f"].map(|name| entry(name, Kind::Regular));
    let below = scratch.unpack("below", &archive(&below));
    let above = scratch.root("above");
    let at = |path: &str| scratch.0.join("above").join(path);
    for folder in ["c", "e"] {
        fs::create_dir(at(folder)).unwrap();
    }
    for mark in [".wh.a", ".wh.b", "b", "c/.wh..wh..opq", "c/new", ".wh..wh.plnk"] {
        fs::write(at(mark), "").unwrap();
    }
    let mode = Mode::from_raw_mode(0o700);
    let junk = at("c/.wh..opq");
    mknodat(sys::rustix::fs::CWD, junk, FileType::CharacterDevice, mode, 0).unwrap();
    let names = |archive: &[u8]| {
        let mut reader = Reader::new(archive);
        let mut names = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            names.push(String::from_utf8(entry.name.as_bytes().to_vec()).unwrap());
        }
        names
    };
    let packed = |layers: &[LayerRoot], content| {
        let mut writer = Writer::new(Vec::new());
        pack(layers, &Mends::default(), content, &Owners::Keep, &mut writer).unwrap();
        writer.finish().unwrap()
    };
    let layers = [LayerRoot { root: above, names_say: true }, LayerRoot::plain(below)];
    let changes = names(&packed(&layers[..1], Content::Changes));
    assert_eq!(changes, ["", ".wh.a", "b", "c", "c/.wh..wh..opq", "c/new", "e"]);
    let files = names(&packed(&layers, Content::Files));
    assert_eq!(files, ["", "b", "c", "c/new", "e", "e/f"]);
}

#[test]
fn every_difference_is_found() {
    let scratch = Scratch::new();
    let expected = scratch.unpack("expected", &archive(&everything()));
    let at = |path: &str| scratch.0.join("found").join(path);
    let changes: [(&str, &str, &dyn Fn()); 12] = [
        ("/a: its contents", "a", &|| {
            let time = fs::metadata(at("a")).unwrap().modified().unwrap();
            fs::write(at("a"), "b").unwrap();
            fs::set_permissions(at("a"), fs::Permissions::from_mode(0o4755)).unwrap();
            fs::File::open(at("a")).unwrap().set_modified(time).unwrap();
        }),
        ("/a: its size", "a", &|| fs::write(at("a"), "ab").unwrap()),
        ("/c: its mode", "c", &|| {
            fs::set_permissions(at("c"), fs::Permissions::from_mode(0o2755)).unwrap();
        }),
        ("/c/e: its owner", "c/e", &|| {
            std::os::unix::fs::chown(at("c/e"), Some(9), None).unwrap();
        }),
        ("/c/d: its time", "c/d", &|| {
            fs::File::open(at("c/d")).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
        }),
        ("/c: its attributes", "c", &|| {
            lsetxattr(at("c"), "user.empty", b"x", XattrFlags::empty()).unwrap();
        }),
        ("/d: what it leads to", "d", &|| {
            fs::remove_file(at("d")).unwrap();
            let mode = Mode::from_raw_mode(0o755);
            mknodat(sys::rustix::fs::CWD, at("d"), FileType::CharacterDevice, mode, 9).unwrap();
        }),
        ("/f: its type", "f", &|| {
            fs::remove_file(at("f")).unwrap();
            fs::create_dir(at("f")).unwrap();
        }),
        ("/g: what it leads to", "g", &|| {
            fs::remove_file(at("g")).unwrap();
            symlink("/else", at("g")).unwrap();
        }),
        ("/c/d/e: missing", "c/d/e", &|| fs::remove_file(at("c/d/e")).unwrap()),
        ("/c/new: not in the layer", "c/new", &|| fs::write(at("c/new"), "").unwrap()),
        ("/a: its number of names", "b", &|| {
            fs::remove_file(at("b")).unwrap();
            fs::copy(at("a"), at("b")).unwrap();
        }),
    ];
    for (message, path, change) in changes {
        let found = scratch.unpack("found", &archive(&everything()));
        assert_eq!(compare(&expected, &found, 10).unwrap(), []);
        change();
        let differences = compare(&expected, &found, 10).unwrap();
        let texts: Vec<_> = differences.iter().map(ToString::to_string).collect();
        assert!(texts.iter().any(|text| text == message), "{path}: {texts:?}");
        assert_eq!(compare(&expected, &found, 1).unwrap().len(), 1);
        let folder = fs::File::open(&scratch.0).unwrap();
        remove(folder.as_fd(), b"found").unwrap();
    }
}

#[test]
fn folders_that_a_layer_says_nothing_of_are_those_of_the_layer_below() {
    let scratch = Scratch::new();
    let folder = |name: &str, mode| Entry { mode, ..entry(name, Kind::Folder) };
    let file = |name: &str| entry(name, Kind::Regular);
    let lowest = [folder("tmp", 0o1777), folder("a", 0o700), folder("a/b", 0o711), file("gone/x")];
    let lowest = scratch.unpack("1", &archive(&lowest));
    let middle = scratch.unpack("2", &archive(&[file("a/b/c"), file(".wh.gone")]));
    let top = scratch.unpack("3", &archive(&[file("tmp/x"), file("a/b/d"), file("gone/x")]));
    let paths = |paths: &[&str]| paths.iter().map(|it| it.as_bytes().to_vec()).collect::<Paths>();
    let implied = [paths(&["tmp", "a", "a/b", "gone"]), paths(&["a", "a/b"]), paths(&["gone"])];
    let layers = [top, middle, lowest];
    let layers = layers.map(LayerRoot::plain);
    let mends = Mends::find(&layers, &implied).unwrap();
    let upper = scratch.root("upper");
    mends.make(std::fs::File::open(scratch.0.join("upper")).unwrap().as_fd()).unwrap();
    drop(upper);
    let mode =
        |path: &str| fs::metadata(scratch.0.join("upper").join(path)).unwrap().mode() & 0o7777;
    assert_eq!([mode("tmp"), mode("a"), mode("a/b")], [0o1777, 0o700, 0o711]);
    let owner = fs::metadata(scratch.0.join("upper/a/b")).unwrap();
    assert_eq!((owner.uid(), owner.gid(), owner.mtime()), (3, 4, 1000));
    assert!(!scratch.0.join("upper/gone").exists(), "what is below was removed in between");
    let mut writer = Writer::new(Vec::new());
    pack(&layers, &mends, Content::Files, &Owners::Keep, &mut writer).unwrap();
    let packed = writer.finish().unwrap();
    let mut reader = Reader::new(&packed[..]);
    let mut modes = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        modes.push((String::from_utf8(entry.name.as_bytes().to_vec()).unwrap(), entry.mode));
    }
    for expected in [("tmp", 0o1777), ("a", 0o700), ("a/b", 0o711), ("gone", 0o755)] {
        assert!(modes.contains(&(expected.0.to_owned(), expected.1)), "{expected:?} {modes:?}");
    }
}
