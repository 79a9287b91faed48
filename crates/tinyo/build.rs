//! Leaves the names of functions out of the program, a tenth of it.

fn main() {
    // Cargo forgets `strip` where a package has a profile of its own.
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo:rustc-link-arg-bins=-Wl,--strip-all");
    }
}
