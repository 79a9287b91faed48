//! Builds `tino`, for the library to embed: every container gets it as its first process. Cargo
//! knows no stable way to depend on a program, so this calls cargo once more, in a folder of its
//! own, since this one is locked.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../tino");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let (output, target) = (PathBuf::from(variable("OUT_DIR")), variable("TARGET"));
    let folder = output.join("tino-target");
    let mut cargo = Command::new(variable("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--locked", "--package", "tino", "--bin", "tino"]);
    cargo.arg("--target").arg(&target).arg("--target-dir").arg(&folder);
    cargo.current_dir(Path::new(&variable("CARGO_MANIFEST_DIR")).join("../tino"));
    // What whoever calls this has set for the crates around, such as clippy, is not for it.
    for name in ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"]
    {
        cargo.env_remove(name);
    }
    let status = cargo.status().expect("cargo can be started");
    assert!(status.success(), "building tino: {status}");
    let program = folder.join(target).join("release/tino");
    std::fs::copy(program, output.join("tino")).expect("tino was built");
}
