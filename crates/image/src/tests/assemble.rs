//! Images made here.

use crate::assemble::{Draft, assemble, blank_config};
use crate::store::tests::support::{Made, Scratch, archive, reference};
use spec::image::{History, ImageConfig};
use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;

fn file(scratch: &Scratch, bytes: &[u8]) -> OwnedFd {
    fs::write(scratch.0.join("layer"), bytes).unwrap();
    fs::File::open(scratch.0.join("layer")).unwrap().into()
}

#[test]
fn an_archive_becomes_an_image() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let compressed = zstd::encode_all(&archive("a")[..], 1).unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let writing = std::thread::spawn(move || writer.write_all(&compressed));
    let draft = Draft { config: blank_config(), ..Draft::default() };
    let image = assemble(&store, draft, reader.into(), &[reference("made")]).unwrap();
    writing.join().unwrap().unwrap();
    assert_eq!(fs::read_to_string(scratch.in_layer(&image.layers[0], "a")).unwrap(), "a");
    assert!(image.platform.starts_with("linux/"), "{}", image.platform);
    assert!(crate::time::parse(&image.created.unwrap()).is_some());
}

#[test]
fn a_layer_is_laid_over_a_base() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let base = Made::new(&["a", "b"]).add(&store, "base").unwrap();
    let history = History { created_by: Some("test".to_owned()), ..History::default() };
    let draft = Draft { config: blank_config(), base: Some(base.clone()), history };
    let image = assemble(&store, draft, file(&scratch, &archive("c")), &[]).unwrap();
    assert_eq!(image.layers[..2], base.layers[..]);
    assert_eq!((image.layers.len(), image.names.len()), (3, 0));
    let config: ImageConfig = serde_json::from_slice(&store.read_blob(&image.id).unwrap()).unwrap();
    assert_eq!(config.history[0].created_by.as_deref(), Some("test"));
    // Whatever becomes of the base's name.
    store.remove_name(&reference("base")).unwrap();
    assert!(scratch.in_layer(&image.layers[0], "a").exists());
}

#[test]
fn what_is_no_archive_leaves_nothing() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let damaged = [&zstd::encode_all(&archive("a")[..], 1).unwrap()[..30], b"x"].concat();
    for bytes in [&b"no archive, but long enough for a header: ".repeat(20)[..], &damaged] {
        assert!(assemble(&store, Draft::default(), file(&scratch, bytes), &[]).is_err());
    }
    assert_eq!(store.images().unwrap(), []);
    assert_eq!(scratch.names("blobs/sha256"), [""; 0]);
}
