//! Ids and names that nobody has chosen.

use crate::error::{Error, Result};
use std::fmt::Write as _;
use sys::OrError as _;
use sys::rustix::io::retry_on_intr;
use sys::rustix::rand::{GetRandomFlags, getrandom};

/// 64 hexadecimal digits, unlike any other's. The first 12 are not all decimal, so that they are
/// never taken for a number.
pub(crate) fn random() -> Result<String> {
    loop {
        let mut id = String::with_capacity(64);
        for byte in bytes::<32>()? {
            // Writing to a String cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        if id[..12].bytes().any(|digit| !digit.is_ascii_digit()) {
            return Ok(id);
        }
    }
}

/// A name that people can remember.
pub(crate) fn random_name() -> Result<String> {
    let [first, second] = bytes::<2>()?;
    let pick = |list: &[&'static str], byte: u8| list[usize::from(byte) % list.len()];
    Ok(format!("{}_{}", pick(&QUALITIES, first), pick(&ANIMALS, second)))
}

/// A container's name without the `/` that Docker puts before it in `inspect`.
pub(crate) fn without_slash(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

/// A name that a user has chosen: as Docker's, so that it is a file name and a host name, and of one
/// letter, too, as Podman's.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts_well && name.len() <= 255 && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "invalid name {name:?}: letters, digits, '_', '.' and '-' are allowed, the first a letter \
         or digit"
    )))
}

pub(crate) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    // At most 256 bytes come whole (getrandom(2)).
    retry_on_intr(|| getrandom(&mut bytes, GetRandomFlags::empty()))
        .or_error("getrandom", || "")?;
    Ok(bytes)
}

// tidy: table
const QUALITIES: [&str; 32] = [
    "able", "bold", "brave", "bright", "calm", "clear", "cool", "deft", "eager", "fair", "fine",
    "fond", "free", "glad", "golden", "grand", "great", "happy", "keen", "kind", "lively", "lucky",
    "merry", "mild", "neat", "noble", "proud", "quick", "quiet", "swift", "warm", "wise",
];

// tidy: table
const ANIMALS: [&str; 32] = [
    "badger", "bear", "beaver", "crane", "deer", "dolphin", "eagle", "falcon", "finch", "fox",
    "hare", "hawk", "heron", "horse", "ibex", "lark", "lynx", "marten", "mole", "moose", "newt",
    "otter", "owl", "raven", "robin", "seal", "stork", "swan", "toad", "trout", "whale", "wren",
];

#[cfg(test)]
mod tests {
    use super::{check_name, random, random_name};

    #[test]
    fn ids_differ_and_are_hexadecimal() {
        let (one, two) = (random().unwrap(), random().unwrap());
        assert_ne!(one, two);
        assert!(one.len() == 64 && one.bytes().all(|digit| digit.is_ascii_hexdigit()));
    }

    #[test]
    fn names_that_are_made_are_allowed() {
        check_name(&random_name().unwrap()).unwrap();
        check_name("a").unwrap();
        for name in ["", "-a", "a/b", "a b", "ä1", "..", &"x".repeat(256)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
