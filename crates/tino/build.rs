//! Links `tino` without libc and start files (`tino.ld`), and packs its texts (`src/packed.rs`).
//!
//! Link arguments from here need no RUSTFLAGS, so `cargo build` and `cargo install` just work.

use std::collections::HashMap;
use std::{env, fs};

#[allow(dead_code, unreachable_pub)]
#[path = "src/flags.rs"]
mod flags;
#[allow(dead_code, unreachable_pub)]
#[path = "src/texts.rs"]
mod texts;

fn main() {
    link();
    let mut texts: Vec<Vec<u8>> = texts::all().map(encode).collect();
    let pairs = pack(&mut texts);
    let packed: Vec<u8> = texts.join(&END).into_iter().chain([END]).collect();
    let path = format!("{}/packed.rs", env::var("OUT_DIR").expect("set by cargo"));
    let code = format!(
        "const PAIRS: [[u8; 2]; 128] = {pairs:?};\nconst PACKED: &CStr = c\"{}\";\n",
        packed.escape_ascii()
    );
    fs::write(path, code).expect("OUT_DIR is ours");
    println!("cargo:rerun-if-changed=src/flags.rs");
    println!("cargo:rerun-if-changed=src/texts.rs");
}

fn link() {
    let script = format!("{}/tino.ld", env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
    println!("cargo:rerun-if-changed={script}");
    let arguments = [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--gc-sections",
        "-Wl,--icf=all",
        "-Wl,--build-id=none",
        "-Wl,--no-eh-frame-hdr",
        "-Wl,-z,norelro",
        "-Wl,-z,noexecstack",
        "-Wl,-z,max-page-size=4096",
        "-Wl,--oformat=binary",
    ];
    for argument in arguments {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{script}");
}

/// What a text ends with, as `packed.rs` has it.
const END: u8 = control(b'Z');

/// The control character of a letter.
const fn control(letter: u8) -> u8 {
    letter & 0x1f
}

/// A text as `packed.rs` reads it: a control character in place of `%` and its letter.
fn encode(text: &str) -> Vec<u8> {
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..0x7f).contains(&byte)), "{text:?}");
    let mut text = text.to_owned();
    for letter in ['s', 'd', 'c', 'e'] {
        let byte = char::from(control(letter as u8)).to_string();
        text = text.replace(&format!("%{letter}"), &byte);
    }
    text.into_bytes()
}

/// Byte pair encoding: the pair of bytes that occurs most often becomes a byte of its own, from
/// 128 on, again and again.
fn pack(texts: &mut [Vec<u8>]) -> [[u8; 2]; 128] {
    let mut pairs = [[0; 2]; 128];
    for (pair, byte) in pairs.iter_mut().zip(128..=255) {
        let Some(most) = most_frequent_pair(texts) else { break };
        *pair = most;
        for text in texts.iter_mut() {
            replace(text, most, byte);
        }
    }
    pairs
}

fn most_frequent_pair(texts: &[Vec<u8>]) -> Option<[u8; 2]> {
    let mut counts = HashMap::new();
    for pair in texts.iter().flat_map(|text| text.windows(2)) {
        *counts.entry([pair[0], pair[1]]).or_insert(0) += 1;
    }
    // The pair itself decides between equals, so that each build is the same.
    let (pair, count) = counts.into_iter().max_by_key(|(pair, count)| (*count, *pair))?;
    (count > 3).then_some(pair)
}

fn replace(text: &mut Vec<u8>, pair: [u8; 2], byte: u8) {
    let mut at = 0;
    while at + 1 < text.len() {
        if text[at..at + 2] == pair {
            text.splice(at..at + 2, [byte]);
        }
        at += 1;
    }
}
