//! Blobs and manifests on their way to a registry.

use crate::support::{Fake, Reply, error, noise, registries, remote, sha256};
use image::Digest;
use image::reference::Repository;
use image::registry::{RegistryError, RemoteManifest, Upload, Uploaded};
use spec::image::{Descriptor, MediaType};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

fn open(start: u64) -> io::Result<Box<dyn Read>> {
    Ok(Box::new(io::Cursor::new(noise(100_000)[start as usize..].to_vec())))
}

fn upload<'a>(digest: &'a Digest, from: &'a [Repository], chunk: Option<u64>) -> Upload<'a> {
    Upload { digest, size: 100_000, open: &open, mount_from: from, chunk, on_progress: &|_| {} }
}

#[test]
fn whole_and_then_found() {
    let fake = Fake::start();
    let digest = sha256(&noise(100_000));
    let registries = registries();
    let remote = remote(&registries, &fake.host(), "a");
    let sent = AtomicU64::new(0);
    let on_progress = |count| sent.store(count, Ordering::Relaxed);
    let whole = Upload { on_progress: &on_progress, ..upload(&digest, &[], None) };
    assert_eq!(remote.upload(&whole).unwrap(), Uploaded::Sent);
    assert_eq!(fake.state.blob("a", digest.as_str()).unwrap(), noise(100_000));
    assert_eq!(sent.load(Ordering::Relaxed), 100_000);
    assert_eq!(remote.upload(&whole).unwrap(), Uploaded::Existed);
}

#[test]
fn mounted_from_another_repository() {
    let fake = Fake::start();
    let digest = fake.state.add_blob("other", &noise(100_000)).digest;
    let registries = registries();
    let remote = remote(&registries, &fake.host(), "a");
    let from = [fake.repository("none"), fake.repository("other")];
    assert_eq!(remote.upload(&upload(&digest, &from, None)).unwrap(), Uploaded::Mounted);
    assert!(fake.state.blob("a", digest.as_str()).is_some());
    assert!(fake.server.seen().iter().all(|seen| seen.body.is_empty()));
}

#[test]
fn chunks_go_on_where_the_registry_has_them() {
    let has_failed = AtomicBool::new(false);
    let fake = Fake::start_with(move |seen, _| {
        let is_second = seen.header("content-range").starts_with("30000-");
        let fails = is_second && !has_failed.swap(true, Ordering::Relaxed);
        fails.then(|| Reply { hangs_up: true, ..Reply::new(0) })
    });
    let digest = sha256(&noise(100_000));
    let registries = registries();
    let remote = remote(&registries, &fake.host(), "a");
    assert_eq!(remote.upload(&upload(&digest, &[], Some(30_000))).unwrap(), Uploaded::Sent);
    assert_eq!(fake.state.blob("a", digest.as_str()).unwrap(), noise(100_000));
    let seen = fake.server.seen();
    let patches: Vec<_> = seen
        .iter()
        .filter(|it| it.method == "PATCH")
        .map(|it| it.header("content-range"))
        .collect();
    assert_eq!(patches, ["0-29999", "30000-59999", "30000-59999", "60000-89999", "90000-99999"]);
}

#[test]
fn too_large_as_a_whole_goes_in_chunks() {
    let fake = Fake::start_with(|seen, _| {
        (seen.body.len() == 100_000 && seen.method == "PUT").then(|| Reply::new(413))
    });
    let digest = sha256(&noise(100_000));
    let registries = registries();
    let remote = remote(&registries, &fake.host(), "a");
    assert_eq!(remote.upload(&upload(&digest, &[], None)).unwrap(), Uploaded::Sent);
    assert!(fake.server.seen().iter().any(|seen| seen.method == "PATCH"));
}

#[test]
fn a_connection_that_is_lost_begins_again() {
    let has_failed = AtomicBool::new(false);
    let fake = Fake::start_with(move |seen, _| {
        let fails = seen.method == "PUT" && !has_failed.swap(true, Ordering::Relaxed);
        fails.then(|| Reply { hangs_up: true, ..Reply::new(0) })
    });
    let digest = sha256(&noise(100_000));
    let registries = registries();
    let remote = remote(&registries, &fake.host(), "a");
    assert_eq!(remote.upload(&upload(&digest, &[], None)).unwrap(), Uploaded::Sent);
}

#[test]
fn what_cannot_be_read_or_is_refused_is_an_error() {
    let fake = Fake::start();
    let digest = sha256(&noise(100_000));
    let registries = registries();
    let remote = remote(&registries, &fake.host(), "a");
    let short = |_| -> io::Result<Box<dyn Read>> { Ok(Box::new(io::Cursor::new(vec![0; 10]))) };
    let found = error(remote.upload(&Upload { open: &short, ..upload(&digest, &[], None) }));
    assert!(matches!(found, RegistryError::Source { .. }), "{found}");
    let other = sha256(b"other");
    let found = error(remote.upload(&upload(&other, &[], None)));
    assert!(matches!(found, RegistryError::Status { status: 400, .. }), "{found}");
}

#[test]
fn manifests_are_put_as_they_are() {
    let fake = Fake::start();
    let bytes = br#"{ "schemaVersion": 2,  "config": {} }"#.to_vec();
    let descriptor = Descriptor::new(MediaType::OciManifest, sha256(&bytes), bytes.len() as u64);
    let registries = registries();
    let remote = remote(&registries, &fake.host(), "a");
    let manifest = RemoteManifest { descriptor, bytes: bytes.clone() };
    remote.put_manifest("v1", &manifest).unwrap();
    assert_eq!(fake.state.manifest("a", "v1").unwrap(), bytes);
    let seen = fake.server.seen().pop().unwrap();
    assert_eq!(seen.header("content-type"), "application/vnd.oci.image.manifest.v1+json");
}

#[test]
fn what_a_manifest_is_about_is_listed_where_the_registry_has_no_list() {
    let fake = Fake::start();
    let registries = registries();
    let remote = remote(&registries, &fake.host(), "a");
    let subject = sha256(b"what it is about");
    let put = |number: u8| {
        let text = format!(
            r#"{{"schemaVersion": 2, "artifactType": "sig/{number}", "config": {{"mediaType": "x", "digest": "{subject}", "size": 2}},
            "subject": {{"mediaType": "m", "digest": "{subject}", "size": 2}}, "annotations": {{"a": "b"}}}}"#
        );
        let bytes = text.into_bytes();
        let digest = sha256(&bytes);
        let length = bytes.len() as u64;
        let descriptor = Descriptor::new(MediaType::OciManifest, digest.clone(), length);
        let manifest = RemoteManifest { descriptor, bytes };
        remote.put_manifest(digest.as_str(), &manifest).unwrap();
    };
    [1, 2, 1].into_iter().for_each(put);
    let found = remote.referrers(&subject, None).unwrap();
    let types: Vec<_> = found.iter().filter_map(|it| it.artifact_type.as_deref()).collect();
    assert_eq!(types, ["sig/1", "sig/2"]);
    assert_eq!(found[0].annotations["a"], "b");
}
