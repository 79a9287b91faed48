//! Compiles `src/main.rs` by itself, for the library to embed: cargo knows no way to have the
//! library of a package depend on its program. The program has no dependencies, so one call of
//! the compiler makes it, always optimized and static whatever the profile.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let output = Path::new(&variable("OUT_DIR")).join("hello");
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args(["src/main.rs", "--crate-name", "hello", "--edition", "2024"]);
    rustc.args(["--target", &variable("TARGET"), "-o"]).arg(&output);
    for option in [
        "opt-level=s",
        "panic=abort",
        "strip=symbols",
        "lto=fat",
        "codegen-units=1",
        "target-feature=+crt-static",
        "relocation-model=static",
    ] {
        rustc.args(["-C", option]);
    }
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    let status = rustc.status().expect("rustc can be started");
    assert!(status.success(), "rustc: {status}");
}
