//! `sha256:...`: the name of some bytes that follows from them.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// The registered hash functions (image-spec, descriptor.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// What everybody uses.
    Sha256,
    /// Registered, and rare.
    Sha512,
}

impl Algorithm {
    /// As it stands before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits a digest of it has.
    pub fn digits(self) -> usize {
        match self {
            Algorithm::Sha256 => 64,
            Algorithm::Sha512 => 128,
        }
    }
}

/// A digest that is well-formed: an algorithm we know, and as many small hexadecimal digits as it
/// has. So it is also a safe file name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    /// `sha256:0123...`, the whole.
    text: Box<str>,
}

/// Why some text is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a digest: expected sha256: and 64, or sha512: and 128 of 0-9a-f")]
pub struct BadDigest {
    /// What was to be one.
    pub text: String,
}

impl Digest {
    /// Of the bytes that a hash function gave. Their number must fit the algorithm.
    pub fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Digest {
        assert_eq!(hash.len() * 2, algorithm.digits(), "a hash of another algorithm");
        let mut text = String::with_capacity(algorithm.name().len() + 1 + algorithm.digits());
        text.push_str(algorithm.name());
        text.push(':');
        for byte in hash {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        Digest { algorithm, text: text.into() }
    }

    /// Which hash function it is of.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digits after the colon.
    pub fn hex(&self) -> &str {
        &self.text[self.algorithm.name().len() + 1..]
    }

    /// Its first 12 digits, which people take for the whole.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }

    /// `sha256:...`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Digest, BadDigest> {
        let bad = || BadDigest { text: text.chars().take(200).collect() };
        let (name, hex) = text.split_once(':').ok_or_else(bad)?;
        let known = [Algorithm::Sha256, Algorithm::Sha512];
        let algorithm = known.into_iter().find(|it| it.name() == name).ok_or_else(bad)?;
        let is_hex = hex.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        if hex.len() != algorithm.digits() || !is_hex {
            return Err(bad());
        }
        Ok(Digest { algorithm, text: text.into() })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Digest};

    #[test]
    fn a_hash_and_its_text_are_the_same_digest() {
        let digest = Digest::from_hash(Algorithm::Sha256, &[0xa5; 32]);
        assert_eq!(digest.as_str(), format!("sha256:{}", "a5".repeat(32)));
        assert_eq!(digest.hex(), "a5".repeat(32));
        assert_eq!(digest.short(), "a5a5a5a5a5a5");
        assert_eq!(digest.as_str().parse::<Digest>().unwrap(), digest);
        let long = format!("sha512:{}", "0f".repeat(64));
        assert_eq!(long.parse::<Digest>().unwrap().algorithm(), Algorithm::Sha512);
    }

    #[test]
    fn what_is_not_exact_is_no_digest() {
        let good = "a5".repeat(32);
        for text in [
            good.clone(),
            format!("sha256:{}", good.to_uppercase()),
            format!("sha256:{}", &good[1..]),
            format!("sha256:{good}0"),
            format!("sha512:{good}"),
            format!("md5:{good}"),
            format!("sha256:../{}", &good[3..]),
            format!(" sha256:{good}"),
            String::new(),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
