//! Leaves out of the program the names of functions and what only an unwinder reads, a sixth of it.

fn main() {
    // Cargo forgets `strip` where a package has a profile of its own.
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        let script =
            format!("{}/tinyo.ld", std::env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
        println!("cargo:rerun-if-changed={script}");
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{script}");
        println!("cargo:rustc-link-arg-bins=-Wl,--strip-all");
    }
}
