//! Archives that were saved are loaded, and archives of others.

use super::files::Files;
use super::{Archive, Error, Folder, Format, Saved, Tarball, save};
use crate::pull::Machine;
use crate::reference::Reference;
use crate::store::tests::support::{Made, Scratch, reference};
use crate::store::{AddOptions, Image, Store};
use crate::tar::{Entry, Kind, Name, Time, Writer};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

/// Files in memory.
struct Memory(BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    fn open(&self, path: &str) -> io::Result<(Box<dyn Read + Send + '_>, u64)> {
        let bytes = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok((Box::new(bytes.as_slice()), bytes.len() as u64))
    }
}

fn memory(files: &[(&str, &[u8])]) -> Box<Memory> {
    Box::new(Memory(
        files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect(),
    ))
}

fn saved(store: &Store, images: &[Saved], format: Format) -> Vec<u8> {
    save(store, images, format, Vec::new()).unwrap()
}

/// A file with these bytes.
fn file(scratch: &Scratch, bytes: &[u8]) -> OwnedFd {
    fs::write(scratch.0.join("archive"), bytes).unwrap();
    fs::File::open(scratch.0.join("archive")).unwrap().into()
}

fn open(scratch: &Scratch, store: &Store, bytes: &[u8]) -> Result<Archive, Error> {
    let tarball = Tarball::open(file(scratch, bytes), || store.spool())?;
    Archive::open(Box::new(tarball), &Machine::own())
}

fn load_all(archive: &Archive, store: &Store) -> Vec<Image> {
    let load = |image: &super::Packed| {
        archive.load(image, &image.names, store, &AddOptions::default(), &()).unwrap()
    };
    archive.images().iter().map(load).collect()
}

/// Two images that share a layer, one of them with two names.
fn two_images(store: &Store) -> Vec<Saved> {
    let one = Made::new(&["shared", "one"]).add(store, "one:1").unwrap();
    let two = Made::new(&["shared", "two"]).add(store, "registry.local:5000/team/two").unwrap();
    let names: Vec<Reference> = vec![reference("one:1"), reference("other:tag")];
    vec![Saved { image: one, names }, Saved { names: vec![two.names[0].name.clone()], image: two }]
}

#[test]
fn what_was_saved_is_loaded_with_the_same_digests() {
    let (from, to) = (Scratch::new(), Scratch::new());
    let store = from.store();
    let images = two_images(&store);
    for format in [Format::Docker, Format::Oci] {
        let bytes = saved(&store, &images, format);
        assert_eq!(bytes, saved(&store, &images, format));
        let target = to.store();
        let archive = open(&to, &target, &bytes).unwrap();
        assert!(archive.images()[1].is_called("registry.local:5000/team/two:latest"));
        assert!(archive.images()[0].is_called("1") && !archive.images()[0].is_called("2"));
        let loaded = load_all(&archive, &target);
        let digests =
            |images: &[Image]| images.iter().map(|it| it.manifest.clone()).collect::<Vec<_>>();
        let expected: Vec<_> = images.iter().map(|saved| saved.image.clone()).collect();
        assert_eq!(digests(&loaded), digests(&expected));
        let names: Vec<_> = loaded[0].names.iter().map(|named| named.name.familiar()).collect();
        assert_eq!(names, ["one:1", "other:tag"]);
    }
}

#[test]
fn compressed_archives_and_pipes_are_read_too() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let bytes = saved(&store, &two_images(&store), Format::Docker);
    let compressed = zstd::encode_all(&bytes[..], 1).unwrap();
    assert_eq!(open(&scratch, &store, &compressed).unwrap().images().len(), 2);
    let (reader, mut writer) = io::pipe().unwrap();
    let writing = std::thread::spawn(move || writer.write_all(&bytes));
    let tarball = Tarball::open(reader.into(), || store.spool()).unwrap();
    writing.join().unwrap().unwrap();
    let archive = Archive::open(Box::new(tarball), &Machine::own()).unwrap();
    assert_eq!(load_all(&archive, &store).len(), 2);
}

#[test]
fn old_archives_of_docker_have_no_manifest_of_a_registry() {
    let scratch = Scratch::new();
    let made = Made::new(&["a", "b"]);
    let (config, archives) = (made.config(), made.archives());
    let list = br#"[{"Config": "c.json", "RepoTags": ["old:1", "x/y:2"], "Layers": ["1/layer.tar", "2/layer.tar.gz"]}]"#;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archives[1]).unwrap();
    let gzip = gzip.finish().unwrap();
    let files = memory(&[
        ("manifest.json", list),
        ("c.json", &config),
        ("1/layer.tar", &archives[0]),
        ("2/layer.tar.gz", &gzip),
    ]);
    let archive = Archive::open(files, &Machine::own()).unwrap();
    let loaded = load_all(&archive, &scratch.store());
    let names: Vec<_> = loaded[0].names.iter().map(|named| named.name.familiar()).collect();
    assert_eq!(names, ["old:1", "x/y:2"]);
    assert_eq!(loaded[0].id, crate::Hasher::of(spec::image::Algorithm::Sha256, &config));
    assert_eq!(fs::read_to_string(scratch.in_layer(&loaded[0].layers[1], "b")).unwrap(), "b");
}

#[test]
fn a_layer_may_be_a_link_to_another() {
    let scratch = Scratch::new();
    let made = Made::new(&["a", "a"]);
    let list =
        br#"[{"Config": "c.json", "RepoTags": null, "Layers": ["1/layer.tar", "2/layer.tar"]}]"#;
    let link = Kind::SymbolicLink(b"../1/layer.tar".to_vec());
    let mut writer = Writer::new(Vec::new());
    for (name, kind, bytes) in [
        ("1/layer.tar", Kind::Regular, made.archives()[0].as_slice()),
        ("2/layer.tar", link, &[]),
        ("c.json", Kind::Regular, &made.config()),
        ("manifest.json", Kind::Regular, list),
    ] {
        let entry = Entry {
            name: Name::new(name.as_bytes()).unwrap(),
            kind,
            mode: 0o644,
            user: 0,
            group: 0,
            modified: Time::default(),
            accessed: None,
            size: bytes.len() as u64,
            fragments: None,
            attributes: Vec::new(),
        };
        writer.entry(&entry).unwrap();
        writer.data(bytes).unwrap();
    }
    let store = scratch.store();
    let archive = open(&scratch, &store, &writer.finish().unwrap()).unwrap();
    let loaded = load_all(&archive, &store);
    assert_eq!((loaded[0].layers.len(), loaded[0].names.len()), (2, 0));
}

#[test]
fn damaged_archives_are_refused() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let bytes = saved(&store, &two_images(&store), Format::Docker);
    for (bytes, expected) in [
        (&b""[..], "neither index.json nor manifest.json"),
        (&bytes[..bytes.len() - 1024 - 500], "ends in the middle"),
        (&bytes[512..], "checksum"),
        (&[b'x'; 5000], "checksum"),
    ] {
        let error = open(&scratch, &store, bytes).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let endless = r#"{"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.index.v1+json",
        "size": 1, "digest": "sha256:DIGEST", "platform": {"os": "linux", "architecture": "amd64"}}]}"#;
    let endless = endless.replace("DIGEST", &"a".repeat(64));
    let arm = endless.replace("amd64", "sparc").replace("index.v1", "manifest.v1");
    let blob = format!("blobs/sha256/{}", "a".repeat(64));
    for (files, expected) in [
        (memory(&[("index.json", b"[]")]), "index.json"),
        (memory(&[("index.json", endless.as_bytes())]), "is missing"),
        (memory(&[("index.json", endless.as_bytes()), (&blob, endless.as_bytes())]), "too deep"),
        (
            memory(&[("index.json", endless.as_bytes()), (&blob, arm.as_bytes())]),
            "none of the images",
        ),
        (memory(&[("manifest.json", b"{}")]), "manifest.json"),
        (memory(&[("manifest.json", br#"[{"Config": "../c", "Layers": []}]"#)]), "is missing"),
        (memory(&[("index.json", &vec![b' '; 5 << 20])]), "too long"),
    ] {
        let error = Archive::open(files, &Machine::own()).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn no_link_leads_out_of_a_folder() {
    let scratch = Scratch::new();
    let folder = scratch.0.join("layout");
    fs::create_dir(&folder).unwrap();
    fs::write(scratch.0.join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", folder.join("index.json")).unwrap();
    std::os::unix::fs::symlink(scratch.0.join("secret"), folder.join("manifest.json")).unwrap();
    let files = Folder::open(&folder).unwrap();
    assert!(!files.has("index.json") && !files.has("manifest.json") && !files.has("../secret"));
    assert!(matches!(Archive::open(Box::new(files), &Machine::own()), Err(Error::NoList)));
}

#[test]
fn what_is_damaged_here_does_not_spread() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let images = two_images(&store);
    let blob = scratch.0.join("deep/store/blobs/sha256").join(images[0].image.layers[0].blob.hex());
    let mut bytes = fs::read(&blob).unwrap();
    bytes[20] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let error = save(&store, &images, Format::Oci, Vec::new()).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
}
