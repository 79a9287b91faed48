//! The image in the program itself.

use crate::hello::hello;
use crate::store::tests::support::Scratch;
use std::fs;
use std::process::Command;

#[test]
fn it_is_always_the_same_and_runs() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let image = hello(&store).unwrap();
    assert_eq!(hello(&store).unwrap().manifest, image.manifest);
    let program = scratch.in_layer(&image.layers[0], "hello");
    assert_eq!(fs::read(&program).unwrap(), hello::PROGRAM);
    let output = Command::new(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("capabilities"), "{text}");
}
