//! Names and images go.

use crate::store::tests::support::{Made, Scratch, archive, digest, reference};
use crate::store::{AddOptions, Candidate, Error, Incoming, Origin, OriginError};
use spec::image::Descriptor;
use std::num::NonZeroUsize;

#[test]
fn the_last_name_takes_the_image_and_nothing_that_others_have() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = Made::new(&["shared", "own"]).add(&store, "one").unwrap();
    let other = Made::new(&["shared", "other"]).add(&store, "other").unwrap();
    store.tag(&image, &reference("two")).unwrap();
    assert_eq!(store.remove_name(&reference("one")).unwrap().images, []);
    let removed = store.remove_name(&reference("two")).unwrap();
    assert_eq!(removed.images, [image.id]);
    assert_eq!(removed.layers, [image.layers[1].diff_id.clone()]);
    assert!(removed.bytes > 3);
    assert_eq!(store.images().unwrap(), std::slice::from_ref(&other));
    assert_eq!(scratch.names("layers/sha256").len(), 2);
    // Two layers, configuration and manifest.
    assert_eq!(scratch.names("blobs/sha256").len(), 4);
    assert_eq!(scratch.names("trash").len(), 4);
    assert!(store.has_trash().unwrap());
    assert!(scratch.in_layer(&other.layers[0], "shared").exists());
    assert!(matches!(store.remove_name(&reference("two")), Err(Error::NoSuchImage(_))));
}

#[test]
fn an_image_with_several_names_goes_by_force_only() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = Made::new(&["a"]).add(&store, "one").unwrap();
    store.tag(&image, &reference("two")).unwrap();
    let error = store.remove_image(&image, false).unwrap_err();
    assert!(error.to_string().contains("docker.io/library/one:latest"), "{error}");
    let removed = store.remove_image(&image, true).unwrap();
    assert_eq!((removed.names.len(), removed.images.len(), removed.layers.len()), (2, 1, 1));
    assert_eq!(store.images().unwrap(), []);
    for folder in ["layers/sha256", "blobs/sha256", "locks"] {
        assert_eq!(scratch.names(folder), [""; 0]);
    }
}

#[test]
fn what_is_in_use_is_not_removed_by_any_force() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = Made::new(&["a"]).add(&store, "one").unwrap();
    store.begin_use(&image.manifest, "container:1").unwrap();
    store.begin_use(&image.manifest, "container:1").unwrap();
    assert_eq!(store.image(&image.manifest).unwrap().users, ["container:1"]);
    for error in [
        store.remove_name(&reference("one")).unwrap_err(),
        store.remove_image(&image, true).unwrap_err(),
    ] {
        assert!(error.to_string().contains("container:1"), "{error}");
    }
    // It has kept its name, too.
    assert_eq!(store.image(&image.manifest).unwrap().names.len(), 1);
    store.untag(&reference("one")).unwrap();
    store.end_use("container:1").unwrap();
    store.remove_image(&image, false).unwrap();
    assert!(matches!(store.begin_use(&image.manifest, "x"), Err(Error::NoSuchImage(_))));
    assert!(matches!(store.tag(&image, &reference("two")), Err(Error::NoSuchImage(_))));
}

#[test]
fn a_name_is_of_one_image() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let old = Made::new(&["a"]).add(&store, "name").unwrap();
    let new = Made::new(&["b"]).add(&store, "name").unwrap();
    assert_eq!(store.image(&old.manifest).unwrap().names, []);
    let found = store.find_by_name(&[reference("missing"), reference("name")]).unwrap().unwrap();
    assert_eq!(found.id, new.id);
    assert_eq!(store.find_by_name(&[reference("missing")]).unwrap(), None);
}

#[test]
fn digests_may_be_shortened() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = Made::new(&["a"]).add(&store, "one").unwrap();
    let id = image.id.hex();
    for text in [&id[..6], id, image.id.as_str(), image.manifest.short()] {
        assert_eq!(store.find_by_digest(text).unwrap().unwrap().id, image.id, "{text}");
    }
    let other = if id.starts_with('0') { "1" } else { "0" };
    for text in ["", "sha256:", "xyz", &format!("{other}{}", &id[1..])] {
        assert_eq!(store.find_by_digest(text).unwrap(), None, "{text}");
    }
    // As many images as it takes for two to begin with the same digit.
    for number in 0..17 {
        Made::new(&[&number.to_string()]).add(&store, &format!("n{number}")).unwrap();
    }
    let digits = "0123456789abcdef".chars();
    let results = digits.map(|digit| store.find_by_digest(&digit.to_string()));
    assert!(results.into_iter().any(|it| matches!(it, Err(Error::Ambiguous { .. }))));
}

#[test]
fn what_is_being_added_is_not_removed() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let made = Made::new(&["a", "b"]);
    // While the second blob is asked for, everything that belongs to no image is removed.
    struct Removing<'a>(&'a Made, &'a Scratch);
    impl Origin for Removing<'_> {
        fn fetch(&self, blob: &Descriptor, into: &Incoming<'_>) -> Result<(), OriginError> {
            self.1.store().remove_unused()?;
            self.0.fetch(blob, into)
        }
    }
    let image = made.add_from(&store, "one", &Removing(&made, &scratch)).unwrap();
    for layer in &image.layers {
        assert!(store.has(crate::store::Kind::Layer, &layer.diff_id).unwrap());
        assert!(store.has(crate::store::Kind::Blob, &layer.blob).unwrap());
    }
    assert_eq!(made.asked(), 3);
    assert_eq!(scratch.names("trash"), [""; 0]);
}

#[test]
fn what_a_pull_that_failed_left_is_unused() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let made = Made::of(&[archive("a"), archive("b")], vec![archive("a"), archive("x")]);
    // One after the other: the second one's failure would end the first one's work.
    let one_at_a_time = AddOptions { parallel: NonZeroUsize::MIN, ..AddOptions::default() };
    let names = [reference("one")];
    let candidate =
        Candidate { manifest: &made.manifest, media_type: None, index: None, names: &names };
    store.add(&candidate, &&made, &one_at_a_time, &()).unwrap_err();
    let other = Made::new(&["other"]).add(&store, "other").unwrap();
    let removed = store.remove_unused().unwrap();
    assert_eq!(removed.layers, [digest(&archive("a"))]);
    assert_eq!(scratch.names("layers/sha256"), [other.layers[0].diff_id.hex()]);
    assert_eq!(scratch.names("blobs/sha256").len(), 3);
}
