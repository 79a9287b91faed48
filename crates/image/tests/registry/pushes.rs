//! Images on their way out of a store.

use crate::support::{Built, Fake, Folder, registries, sha256, tar};
use image::pull::{Options as PullOptions, pull};
use image::push::{Event, Options, push};
use image::reference::Reference;
use image::registry::Uploaded;
use image::store::Store;
use image::unpack::Marks;
use std::sync::Mutex;

#[test]
fn what_was_pulled_is_pushed_byte_for_byte() {
    let (from, to) = (Fake::start(), Fake::start());
    let built = Built::new("amd64", &[tar(&[("a", b"1")]), tar(&[("b", b"2")])]);
    built.put(&from.state, "a", "latest");
    let folder = Folder::new("push");
    let store = Store::open(folder.path(), Marks::User).unwrap();
    let registries = registries();
    let name: Reference = format!("{}/a", from.host()).parse().unwrap();
    let options = PullOptions { machine: "linux/amd64".parse().unwrap(), ..PullOptions::default() };
    let image = pull(&registries, &store, &[name], &options, &(), &|_, _| {}).unwrap().image;
    let done = Mutex::new(Vec::new());
    let on_event = |event: Event<'_>| {
        if let Event::Done(_, how) = event {
            done.lock().unwrap().push(how);
        }
    };
    let push_to = |name: String| {
        done.lock().unwrap().clear();
        let name: Reference = name.parse().unwrap();
        push(&registries, &store, &image, &name, &Options::default(), &on_event, &|_, _| {})
            .unwrap()
    };
    let digest = push_to(format!("{}/x/y:1", to.host()));
    assert_eq!(digest, sha256(&built.manifest));
    assert_eq!(to.state.manifest("x/y", "1").unwrap(), built.manifest);
    for layer in &built.layers {
        assert_eq!(to.state.blob("x/y", sha256(layer).as_str()).as_ref(), Some(layer));
    }
    assert_eq!(*done.lock().unwrap(), [Uploaded::Sent; 3]);
    // Into the registry that it came from, nothing needs to be sent.
    push_to(format!("{}/other:2", from.host()));
    assert_eq!(*done.lock().unwrap(), [Uploaded::Mounted; 3]);
    push_to(format!("{}/other:3", from.host()));
    assert_eq!(*done.lock().unwrap(), [Uploaded::Existed; 3]);
}
