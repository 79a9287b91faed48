//! Images on their way into a store.

use crate::support::{Built, Fake, Folder, Reply, index, noise, registries, sha256, tar};
use image::pull::{FetchOptions, Options, PullError, Pulled, pull};
use image::reference::{Reference, SearchList};
use image::registry::Registries;
use image::store::{Kind, Store};
use image::unpack::Marks;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Long enough for three parts of [`in_parts`], and not a whole number of them.
fn large() -> Vec<u8> {
    tar(&[("large", &noise(2_500_000)), ("small", b"x")])
}

fn in_parts(connections: usize) -> Options {
    let fetch = FetchOptions { connections, part: 1_000_000, parts_from: 0 };
    Options { fetch, machine: "linux/amd64".parse().unwrap(), ..Options::default() }
}

fn name(fake: &Fake, path: &str) -> Reference {
    format!("{}/{path}", fake.host()).parse().unwrap()
}

fn pull_one(
    registries: &Registries,
    store: &Store,
    name: &Reference,
    options: &Options,
) -> Result<Pulled, PullError> {
    pull(registries, store, std::slice::from_ref(name), options, &(), &|_, _| {})
}

struct Place {
    folder: Folder,
    store: Store,
}

impl Place {
    fn new(name: &str) -> Place {
        let folder = Folder::new(name);
        let store = Store::open(folder.path(), Marks::User).unwrap();
        Place { folder, store }
    }

    /// What is left of downloads.
    fn left_over(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("incoming")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}

#[test]
fn whole_and_in_parts() {
    for connections in [1, 3] {
        let fake = Fake::start();
        let built = Built::new("amd64", &[large(), tar(&[("b", b"2")])]);
        built.put(&fake.state, "a", "latest");
        let place = Place::new(&format!("pull-{connections}"));
        let registries = registries();
        let name = name(&fake, "a");
        let pulled = pull_one(&registries, &place.store, &name, &in_parts(connections)).unwrap();
        assert_eq!(pulled.digest, sha256(&built.manifest));
        assert!(!pulled.was_current);
        assert_eq!(pulled.image.layers.len(), 2);
        assert_eq!(place.store.read_blob(&pulled.digest).unwrap(), built.manifest);
        for layer in &pulled.image.layers {
            assert!(place.store.has(Kind::Layer, &layer.diff_id).unwrap());
        }
        assert_eq!(place.left_over(), [""; 0]);
        let before = fake.state.served.load(Ordering::Relaxed);
        let again = pull_one(&registries, &place.store, &name, &in_parts(connections)).unwrap();
        assert!(again.was_current);
        assert_eq!(fake.state.served.load(Ordering::Relaxed), before, "nothing is fetched twice");
    }
}

#[test]
fn what_breaks_off_goes_on_where_it_was() {
    for connections in [1, 3] {
        let served = Arc::new(AtomicU64::new(0));
        let count = served.clone();
        // Each answer is cut off after 400 kB.
        let fake = Fake::start_with(move |seen, state| {
            let reply = state.answer(seen);
            let cut = reply.body.len().min(400_000);
            if seen.path().contains("/blobs/") {
                count.fetch_add(cut as u64, Ordering::Relaxed);
            }
            Some(Reply { cut: (cut < reply.body.len()).then_some(cut), ..reply })
        });
        let built = Built::new("amd64", &[large()]);
        built.put(&fake.state, "a", "latest");
        let place = Place::new(&format!("pull-cut-{connections}"));
        pull_one(&registries(), &place.store, &name(&fake, "a"), &in_parts(connections)).unwrap();
        let length = built.layers[0].len() as u64;
        let served = served.load(Ordering::Relaxed);
        assert!(served < length + 10_000, "{served} of {length}: no byte twice");
    }
}

#[test]
fn the_next_pull_goes_on_with_what_came() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = is_broken.clone();
    let fake = Fake::start_with(move |seen, _| {
        let is_end = seen.header("range").starts_with("bytes=2000000-");
        (is_end && broken.load(Ordering::Relaxed)).then(|| Reply::new(500))
    });
    let built = Built::new("amd64", &[large()]);
    built.put(&fake.state, "a", "latest");
    let place = Place::new("pull-resume");
    let registries = registries();
    let failed = pull_one(&registries, &place.store, &name(&fake, "a"), &in_parts(2)).unwrap_err();
    assert!(failed.to_string().contains("500"), "{failed}");
    assert_eq!(place.left_over().len(), 1, "the beginning of the layer");
    is_broken.store(false, Ordering::Relaxed);
    let before = fake.state.served.load(Ordering::Relaxed);
    pull_one(&registries, &place.store, &name(&fake, "a"), &in_parts(2)).unwrap();
    let served = fake.state.served.load(Ordering::Relaxed) - before;
    assert!(served < 700_000, "{served}: only the end is fetched");
}

#[test]
fn a_registry_without_ranges() {
    let fake = Fake::start_with(|seen, state| {
        let mut whole = seen.clone();
        whole.headers.remove("range");
        Some(state.answer(&whole))
    });
    Built::new("amd64", &[large()]).put(&fake.state, "a", "latest");
    let place = Place::new("pull-no-ranges");
    pull_one(&registries(), &place.store, &name(&fake, "a"), &in_parts(3)).unwrap();
}

#[test]
fn what_is_wrong_is_not_kept() {
    type Case = (&'static str, fn(&[u8]) -> Reply, &'static str);
    let cases: [Case; 4] = [
        (
            "longer",
            |bytes| Reply { is_chunked: true, ..Reply::ok([bytes, b"x"].concat()) },
            "got more",
        ),
        ("shorter", |bytes| Reply { is_chunked: true, ..Reply::ok(&bytes[1..]) }, "wrong length"),
        ("declared", |bytes| Reply::ok([bytes, b"x"].concat()), "wrong length"),
        ("other", |bytes| Reply::ok(vec![7; bytes.len()]), "sha256:"),
    ];
    for (case, reply, expected) in cases {
        let built = Built::new("amd64", &[tar(&[("a", &noise(1000))])]);
        let layer = built.layers[0].clone();
        let target = format!("/v2/a/blobs/{}", sha256(&layer));
        let fake = Fake::start_with(move |seen, _| (seen.target == target).then(|| reply(&layer)));
        built.put(&fake.state, "a", "latest");
        let place = Place::new(&format!("pull-wrong-{case}"));
        let found =
            pull_one(&registries(), &place.store, &name(&fake, "a"), &in_parts(1)).unwrap_err();
        assert!(found.to_string().contains(expected), "{case}: {found}");
        assert!(place.store.images().unwrap().is_empty());
        assert!(!place.store.has(Kind::Blob, &sha256(&built.layers[0])).unwrap());
        if case == "other" {
            assert_eq!(place.left_over(), [""; 0], "{found:?}");
        }
    }
}

#[test]
fn an_index_has_the_choice() {
    let fake = Fake::start();
    let images =
        [Built::new("amd64", &[tar(&[("a", b"1")])]), Built::new("arm64", &[tar(&[("a", b"2")])])];
    images.iter().for_each(|image| image.put(&fake.state, "a", "unused"));
    let list = index(&[("amd64", &images[0]), ("arm64", &images[1])]);
    fake.state.add_manifest("a", "latest", "application/vnd.oci.image.index.v1+json", &list);
    let place = Place::new("pull-index");
    let registries = registries();
    let mut options = in_parts(1);
    for (machine, image) in [("linux/amd64", &images[0]), ("linux/arm64/v8", &images[1])] {
        options.machine = machine.parse().unwrap();
        let pulled = pull_one(&registries, &place.store, &name(&fake, "a"), &options).unwrap();
        assert_eq!(pulled.digest, sha256(&list));
        assert_eq!(pulled.image.manifest, sha256(&image.manifest));
    }
    options.machine = "linux/s390x".parse().unwrap();
    let found = pull_one(&registries, &place.store, &name(&fake, "a"), &options).unwrap_err();
    assert!(
        found
            .to_string()
            .ends_with("has no image for linux/s390x; there are: linux/amd64, linux/arm64"),
        "{found}"
    );
}

#[test]
fn a_short_name_is_looked_for_in_order() {
    let (first, second) = (Fake::start(), Fake::start());
    Built::new("amd64", &[tar(&[("a", b"1")])]).put(&second.state, "app", "1");
    let list = SearchList::new([first.host().as_str(), second.host().as_str()]).unwrap();
    let place = Place::new("pull-short");
    let registries = registries();
    let names = list.candidates("app:1").unwrap();
    let pulled = pull(&registries, &place.store, &names, &in_parts(1), &(), &|_, _| {}).unwrap();
    assert_eq!(pulled.name.to_string(), format!("{}/app:1", second.host()));
    let names = list.candidates("none").unwrap();
    let found = pull(&registries, &place.store, &names, &in_parts(1), &(), &|_, _| {}).unwrap_err();
    let PullError::NowhereFound { tried, .. } = found else { panic!("{found}") };
    assert_eq!(tried.len(), 2);
}
