//! What is wrong is found, and made right again.

use crate::store::lock::{Lock, Purpose};
use crate::store::tests::support::{Made, Scratch, archive, digest};
use crate::store::{CheckOptions, Fault, Finding, Image, Kind, Origin, Outcome, Store};
use std::fs;
use std::path::PathBuf;

fn check(store: &Store, repair: bool, made: Option<&Made>) -> Vec<Finding> {
    let origin = |_: &Image| made.map(|made| Box::new(made) as Box<dyn Origin>);
    let options = CheckOptions { read_all: true, repair, origin: &origin, progress: &|_, _| () };
    store.check(&options).unwrap()
}

fn blob(scratch: &Scratch, digest: &spec::image::Digest) -> PathBuf {
    scratch.0.join("deep/store/blobs/sha256").join(digest.hex())
}

fn flip_a_bit(path: &PathBuf) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    let time = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, bytes).unwrap();
    fs::File::open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_flipped_bit_is_found_and_repaired() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let made = Made::new(&["a", "b"]);
    let image = made.add(&store, "one").unwrap();
    assert_eq!(check(&store, false, None).len(), 0);
    flip_a_bit(&scratch.in_layer(&image.layers[0], "a"));
    flip_a_bit(&blob(&scratch, &image.layers[1].blob));
    flip_a_bit(&blob(&scratch, &image.id));
    let findings = check(&store, false, Some(&made));
    let mut found: Vec<_> = findings.iter().map(|it| (it.kind, it.digest.clone())).collect();
    found.sort();
    let mut expected = vec![
        (Kind::Blob, image.layers[1].blob.clone()),
        (Kind::Blob, image.id.clone()),
        (Kind::Layer, image.layers[0].diff_id.clone()),
        // It may be right, but nothing tells so.
        (Kind::Layer, image.layers[1].diff_id.clone()),
    ];
    expected.sort();
    assert_eq!(found, expected);
    let layer = findings.iter().find(|it| it.digest == image.layers[0].diff_id).unwrap();
    let Fault::Damaged(differences) = &layer.fault else { panic!("{:?}", layer.fault) };
    assert_eq!(differences[0].to_string(), "/a: its contents");
    assert!(layer.images.contains(&image.id));
    let repaired = check(&store, true, Some(&made));
    assert!(repaired.iter().all(|it| matches!(it.outcome, Outcome::Repaired)), "{repaired:?}");
    // With its blob the second layer can be checked, and needs no repair.
    assert_eq!(repaired.len(), 3);
    assert_eq!(check(&store, false, None).len(), 0);
    assert_eq!(fs::read_to_string(scratch.in_layer(&image.layers[0], "a")).unwrap(), "a");
}

#[test]
fn what_cannot_be_got_again_is_said() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = Made::new(&["a"]).add(&store, "one").unwrap();
    fs::remove_file(blob(&scratch, &image.layers[0].blob)).unwrap();
    let findings = check(&store, true, None);
    assert_eq!(findings[0].fault, Fault::Missing);
    let Outcome::Failed(why) = &findings[0].outcome else { panic!("{findings:?}") };
    assert!(why.to_string().contains("no registry is known"), "{why}");
    // A blob that is not what it was is not put in the place of a good one either.
    let other = Made::new(&["other"]);
    let findings = check(&store, true, Some(&other));
    assert!(matches!(findings[0].outcome, Outcome::Failed(_)), "{findings:?}");
}

#[test]
fn a_layer_in_use_is_not_taken_away() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = Made::new(&["a"]).add(&store, "one").unwrap();
    store.begin_use(&image.manifest, "container:1").unwrap();
    let file = scratch.in_layer(&image.layers[0], "a");
    flip_a_bit(&file);
    let damaged = fs::read(&file).unwrap();
    let findings = check(&store, true, None);
    assert!(matches!(&findings[0].outcome, Outcome::InUse(users) if users == &["container:1"]));
    assert_eq!(fs::read(&file).unwrap(), damaged);
    // What is missing cannot be mounted.
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
    assert!(matches!(check(&store, true, None)[0].outcome, Outcome::Repaired));
    store.end_use("container:1").unwrap();
}

#[test]
fn a_layer_that_a_killed_command_held_is_unused_and_not_wrong() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = Made::new(&["a"]).add(&store, "one").unwrap();
    let layer = &image.layers[0].diff_id;
    let held = Lock::try_take(&store.layout, Kind::Layer, layer, Purpose::Use).unwrap().unwrap();
    store.remove_image(&image, true).unwrap();
    drop(held);
    assert_eq!(check(&store, false, None).len(), 0);
    assert_eq!(store.remove_unused().unwrap().layers, std::slice::from_ref(layer));
}

#[test]
fn a_quick_check_reads_nothing() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = Made::new(&["a"]).add(&store, "one").unwrap();
    let quick = || {
        let options = CheckOptions {
            read_all: false,
            repair: false,
            origin: &|_| None,
            progress: &|_, _| (),
        };
        store.check(&options).unwrap()
    };
    flip_a_bit(&blob(&scratch, &image.layers[0].blob));
    assert_eq!(quick().len(), 0);
    fs::write(blob(&scratch, &image.layers[0].blob), "short").unwrap();
    assert_eq!(quick()[0].fault, Fault::Damaged(vec![]));
}

#[test]
fn leftovers_go_and_what_is_used_stays() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = Made::new(&["a"]).add(&store, "one").unwrap();
    let root = scratch.0.join("deep/store");
    let other = digest(b"other");
    fs::write(root.join("incoming").join(other.as_str()), "beginning").unwrap();
    fs::create_dir_all(root.join("unpacking").join(other.as_str())).unwrap();
    fs::write(root.join("blobs/sha256").join(other.hex()), "other").unwrap();
    fs::create_dir_all(root.join("layers/sha256").join(other.hex())).unwrap();
    assert_eq!(store.usage().unwrap().incoming_bytes, 9);
    assert_eq!(store.remove_leftovers().unwrap(), 4);
    assert_eq!(store.remove_leftovers().unwrap(), 0);
    assert_eq!(scratch.names("trash").len(), 4);
    assert_eq!(check(&store, false, None).len(), 0);
    assert!(scratch.in_layer(&image.layers[0], "a").exists());
}

#[test]
fn usage_is_of_what_the_rows_say() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let one = Made::new(&["shared", "one"]);
    let image = one.add(&store, "one").unwrap();
    let two = Made::new(&["shared", "two!"]);
    two.add(&store, "two").unwrap();
    let usage = store.usage().unwrap();
    assert_eq!((usage.images, usage.images_in_use, usage.layers), (2, 0, 3));
    assert_eq!(usage.layer_bytes, "sharedonetwo!".len() as u64);
    assert_eq!(usage.reclaimable, usage.layer_bytes + usage.blob_bytes);
    store.begin_use(&image.manifest, "container:1").unwrap();
    let used = store.usage().unwrap();
    let blobs = one.blobs.values().map(Vec::len).sum::<usize>() + one.manifest.len();
    assert_eq!(used.reclaimable, usage.reclaimable - "sharedone".len() as u64 - blobs as u64);
    assert!(archive("one").len() > 1024);
}

#[test]
fn what_goes_while_it_is_checked_is_not_missing() {
    // Before the first thing is looked at, the second, and so on.
    for moment in 0..6 {
        let scratch = Scratch::new();
        let store = scratch.store();
        let image = Made::new(&["a", "b"]).add(&store, "one").unwrap();
        let other = scratch.store();
        let looked_at = std::cell::Cell::new(0);
        let progress = |_: Kind, _: &_| {
            if looked_at.replace(looked_at.get() + 1) == moment {
                other.remove_image(&image, true).unwrap();
            }
        };
        let origin = |_: &Image| None;
        let options =
            CheckOptions { read_all: true, repair: false, origin: &origin, progress: &progress };
        let findings = store.check(&options).unwrap();
        assert!(looked_at.get() > moment, "{moment}: {looked_at:?}");
        assert!(findings.is_empty(), "{moment}: {findings:?}");
    }
}
