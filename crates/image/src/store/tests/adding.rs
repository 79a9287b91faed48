//! Images come in.

use crate::store::Kind as Thing;
use crate::store::tests::support::{Made, Scratch, archive, digest};
use crate::store::{Error, Incoming, Origin, OriginError, Store};
use crate::unpack::{self, Marks};
use spec::image::{Descriptor, Manifest, MediaType};
use std::fs;
use std::sync::Barrier;

#[test]
fn an_image_is_there_when_it_was_added() {
    let scratch = Scratch::new();
    let made = Made::new(&["a", "b", "c"]);
    let store = scratch.store();
    let image = made.add(&store, "alpine").unwrap();
    assert_eq!(image.manifest, digest(&made.manifest));
    assert_eq!(image.names[0].name.to_string(), "docker.io/library/alpine:latest");
    assert_eq!((image.layers.len(), image.bytes()), (3, 3));
    for (layer, name) in image.layers.iter().zip(["a", "b", "c"]) {
        assert_eq!(fs::read_to_string(scratch.in_layer(layer, name)).unwrap(), name);
        assert!(store.has(Thing::Layer, &layer.diff_id).unwrap());
    }
    for blob in made.blobs.keys().chain([&image.manifest]) {
        assert!(store.has(Thing::Blob, blob).unwrap());
    }
    assert_eq!(store.read_blob(&image.manifest).unwrap(), made.manifest);
    for folder in ["incoming", "unpacking", "trash"] {
        assert_eq!(scratch.names(folder), [""; 0], "{folder}");
    }
    drop(store);
    assert_eq!(scratch.store().images().unwrap(), [image]);
}

#[test]
fn what_is_here_is_not_fetched_again() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let made = Made::new(&["a", "b"]);
    made.add(&store, "one").unwrap();
    assert_eq!(made.asked(), 3);
    let again = made.add(&store, "two").unwrap();
    assert_eq!((made.asked(), again.names.len()), (0, 2));
    let other = Made::new(&["a", "b", "c"]);
    other.add(&store, "three").unwrap();
    // The new layer and the configuration.
    assert_eq!(other.asked(), 2);
    assert_eq!(store.images().unwrap().len(), 2);
}

#[test]
fn a_layer_that_an_image_has_twice_is_fetched_once() {
    let scratch = Scratch::new();
    let made = Made::new(&["a", "b", "a", "a"]);
    let image = made.add(&scratch.store(), "twice").unwrap();
    assert_eq!((made.asked(), image.layers.len()), (3, 4));
}

#[test]
fn two_at_a_time_fetch_each_blob_once() {
    let scratch = Scratch::new();
    let names: Vec<_> = (0..8).map(|number| format!("layer{number}")).collect();
    let made = Made::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
    scratch.store();
    let barrier = Barrier::new(4);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (scratch, made, barrier) = (&scratch, &made, &barrier);
            // Each with a database of its own, as processes have.
            scope.spawn(move || {
                let store = scratch.store();
                barrier.wait();
                made.add(&store, &format!("name{number}")).unwrap();
            });
        }
    });
    assert_eq!(made.asked(), 9);
    assert_eq!(scratch.store().images().unwrap()[0].names.len(), 4);
}

/// Gives the beginning of each blob only.
struct Broken<'a>(&'a Made, u64);

impl Origin for Broken<'_> {
    fn fetch(&self, blob: &Descriptor, into: &Incoming<'_>) -> Result<(), OriginError> {
        let length = blob.size.min(self.1);
        into.write_at(0, &self.0.blobs[&blob.digest][..usize::try_from(length)?])?;
        if length == blob.size { Ok(()) } else { Err("the connection broke".into()) }
    }
}

/// A layer that cannot be compressed, of more than 100 kB.
fn long() -> Made {
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("{state:x}")
    };
    let names: Vec<_> = (0..400).map(|_| archive(&random())).collect();
    // One archive after the other, without the ends in between.
    let archive: Vec<u8> = names.iter().flat_map(|it| it[..it.len() - 1024].to_vec()).collect();
    Made::of(std::slice::from_ref(&archive), vec![archive.clone()])
}

#[test]
fn what_broke_off_is_gone_on_with() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let made = long();
    let error = made.add_from(&store, "long", &Broken(&made, 100_000)).unwrap_err();
    assert!(matches!(error, Error::Origin { .. }), "{error}");
    assert_eq!(store.images().unwrap(), []);
    assert_eq!(scratch.names("incoming").len(), 1);
    assert_eq!(scratch.names("unpacking"), [""; 0]);
    struct Resumed<'a>(&'a Made);
    impl Origin for Resumed<'_> {
        fn fetch(&self, blob: &Descriptor, into: &Incoming<'_>) -> Result<(), OriginError> {
            if blob.size > 100_000 {
                assert!(into.received() > 90_000, "{}", into.received());
            }
            self.0.fetch(blob, into)
        }
    }
    let image = made.add_from(&store, "long", &Resumed(&made)).unwrap();
    assert_eq!(image.layers.len(), 1);
    assert_eq!(scratch.names("incoming").len(), 0);
}

#[test]
fn a_beginning_that_is_wrong_is_thrown_away() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let made = long();
    made.add_from(&store, "long", &Broken(&made, 100_000)).unwrap_err();
    let file = scratch.0.join("deep/store/incoming").join(&scratch.names("incoming")[0]);
    let mut bytes = fs::read(&file).unwrap();
    bytes[5000] ^= 1;
    fs::write(&file, bytes).unwrap();
    made.add(&store, "long").unwrap();
}

#[test]
fn other_bytes_than_asked_for_are_not_kept() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let made = Made::new(&["a"]);
    let manifest: Manifest = serde_json::from_slice(&made.manifest).unwrap();
    let layer = &manifest.layers[0];
    let with_layer = |bytes: Vec<u8>| {
        let mut blobs = made.blobs.clone();
        blobs.insert(layer.digest.clone(), bytes);
        made.with(made.manifest.clone(), blobs)
    };
    let good = &made.blobs[&layer.digest];
    let mut damaged = good.clone();
    damaged[20] ^= 1;
    let error = with_layer(damaged).add(&store, "a").unwrap_err();
    assert!(matches!(error, Error::Unpack { source: unpack::Error::Digest { .. }, .. }), "{error}");
    let error = with_layer([&good[..], b"x"].concat()).add(&store, "a").unwrap_err();
    assert!(error.to_string().contains("more than"), "{error}");
    let error = with_layer(good[..20].to_vec()).add(&store, "a").unwrap_err();
    assert!(matches!(error, Error::Short { received: 20, .. }), "{error}");
    let error = with_layer(vec![])
        .add_from(&store, "a", &Broken(&with_layer(good.clone()), 5))
        .unwrap_err();
    assert!(error.to_string().contains("the connection broke"), "{error}");
    assert_eq!(store.images().unwrap(), []);
    made.add(&store, "a").unwrap();
}

#[test]
fn a_layer_with_another_content_than_the_configuration_says_is_refused() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let made = Made::of(&[archive("a")], vec![archive("b")]);
    let error = made.add(&store, "a").unwrap_err();
    assert!(error.to_string().contains("uncompressed layer has the digest"), "{error}");
    assert_eq!(scratch.names("layers/sha256"), [""; 0]);
    assert_eq!(scratch.names("incoming"), [""; 0]);
    // The same blob for two different layers: one of them must be wrong, and nothing waits for ever.
    let made = Made::of(&[archive("a"), archive("b")], vec![archive("a"), archive("a")]);
    made.add(&store, "a").unwrap_err();
}

#[test]
fn documents_are_checked_before_anything_is_fetched() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let made = Made::new(&["a", "b"]);
    let changed = |from: &str, to: &str| {
        let text = String::from_utf8(made.manifest.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        made.with(text.replacen(from, to, 1).into_bytes(), made.blobs.clone())
    };
    let layer = MediaType::OciLayerGzip;
    for (made, expected) in [
        (changed("oci.image.config.v1", "cncf.helm.config.v1"), "no image that can be run"),
        (changed("image.manifest.v1", "image.index.v1"), "no image that can be run"),
        (changed(layer.as_str(), "text/plain"), "no type of a layer"),
        (changed("{", "["), "manifest"),
        (Made::of(&[archive("a")], vec![]), "0 layers, and its configuration 1"),
    ] {
        let error = made.add(&store, "a").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(made.asked() <= 1);
    }
}

#[test]
fn what_somebody_removed_or_damaged_is_made_again() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let made = Made::new(&["a", "b"]);
    let image = made.add(&store, "a").unwrap();
    made.asked();
    let root = scratch.0.join("deep/store");
    let layer = |index: usize| root.join("layers/sha256").join(image.layers[index].diff_id.hex());
    let blob = |index: usize| root.join("blobs/sha256").join(image.layers[index].blob.hex());
    fs::remove_dir_all(layer(0)).unwrap();
    made.add(&store, "a").unwrap();
    assert_eq!(made.asked(), 0);
    fs::remove_file(blob(0)).unwrap();
    made.add(&store, "a").unwrap();
    assert_eq!(made.asked(), 1);
    fs::remove_dir_all(layer(1)).unwrap();
    fs::write(blob(1), vec![0; fs::metadata(blob(1)).unwrap().len() as usize]).unwrap();
    made.add(&store, "a").unwrap();
    assert_eq!(made.asked(), 1);
    for (index, name) in ["a", "b"].iter().enumerate() {
        assert_eq!(fs::read_to_string(layer(index).join(name)).unwrap(), *name);
        assert_eq!(digest(&fs::read(blob(index)).unwrap()), image.layers[index].blob);
    }
}

#[test]
fn what_a_killed_process_left_is_no_hindrance() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let made = Made::new(&["a"]);
    let diff_id = digest(&archive("a"));
    let root = scratch.0.join("deep/store");
    // Half unpacked; and unpacked, but killed before the row.
    for folder in [format!("unpacking/{diff_id}"), format!("layers/sha256/{}", diff_id.hex())] {
        fs::create_dir_all(root.join(&folder).join("half")).unwrap();
    }
    let image = made.add(&store, "a").unwrap();
    assert!(!scratch.in_layer(&image.layers[0], "half").exists());
    assert!(scratch.in_layer(&image.layers[0], "a").exists());
    assert_eq!(scratch.names("trash").len(), 2);
    store.empty_trash().unwrap();
    assert_eq!(scratch.names("trash").len(), 0);
}

#[test]
fn a_store_of_a_newer_program_is_left_alone() {
    let scratch = Scratch::new();
    let store = scratch.store();
    store.database().execute("UPDATE versions SET version = 99 WHERE part = 'image'", []).unwrap();
    let opened = Store::open(&scratch.0.join("deep/store"), Marks::Trusted);
    assert!(matches!(opened, Err(Error::NewerStore { version: 99, .. })));
}
