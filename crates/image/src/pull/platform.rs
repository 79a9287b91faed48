//! Which of an index's images is for a machine (image-spec, image-index.md; the order of variants
//! as containerd has it).

use spec::image::{Descriptor, Platform};
use std::fmt;
use std::str::FromStr;

/// The machine that an image is wanted for: `linux/arm64`, `linux/arm/v7`, `arm64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    os: String,
    architecture: String,
    variant: String,
}

/// A text that names no machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("platform {text:?} is not OS/ARCHITECTURE[/VARIANT], like linux/arm64 or linux/arm/v7")]
pub struct BadMachine {
    /// The text.
    pub text: String,
}

impl Machine {
    /// This one.
    pub fn own() -> Machine {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", ""),
            "aarch64" => ("arm64", ""),
            "arm" => ("arm", "v7"),
            "x86" => ("386", ""),
            "powerpc64" => ("ppc64le", ""),
            other => (other, ""),
        };
        Machine::new("linux", architecture, variant)
    }

    /// As Go calls it: `linux`.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// As Go calls it: `amd64`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    fn new(os: &str, architecture: &str, variant: &str) -> Machine {
        let (architecture, variant) = normal(architecture, variant);
        Machine { os: os.to_ascii_lowercase(), architecture, variant }
    }

    /// The image of an index that suits the machine best, the first of several.
    pub fn choose<'a>(&self, manifests: &'a [Descriptor]) -> Option<&'a Descriptor> {
        let suits = |it: &'a Descriptor| {
            // Attestations of BuildKit stand among the images, for a platform "unknown".
            let is_image = it.media_type.is_manifest() || it.media_type.is_index();
            let platform = it.platform.as_ref().filter(|_| is_image)?;
            Some((self.rank(platform)?, it))
        };
        let suiting = manifests.iter().filter_map(suits);
        // min_by_key keeps the first of equals.
        suiting.min_by_key(|(rank, _)| *rank).map(|(_, descriptor)| descriptor)
    }

    /// How far a platform is from this machine: 0 is the same, None does not run here.
    fn rank(&self, platform: &Platform) -> Option<usize> {
        let other = Machine::new(&platform.os, &platform.architecture, &platform.variant);
        if (&self.os, &self.architecture) != (&other.os, &other.architecture) {
            return None;
        }
        let levels: &[&str] = match self.architecture.as_str() {
            "arm" => &["v8", "v7", "v6", "v5"],
            "arm64" => &["v8"],
            "amd64" => &["v4", "v3", "v2", "v1"],
            _ => return (other.variant.is_empty() || other.variant == self.variant).then_some(0),
        };
        let place = |variant: &str| levels.iter().position(|level| *level == variant);
        match (place(&self.variant), place(&other.variant)) {
            // A lower level runs on a higher one.
            (Some(own), Some(theirs)) => theirs.checked_sub(own),
            _ => (self.variant == other.variant).then_some(0),
        }
    }
}

/// The names that stand for others: `x86_64`, `aarch64`, `armhf`. A variant that every machine of
/// an architecture has is written out.
fn normal(architecture: &str, variant: &str) -> (String, String) {
    let architecture = architecture.to_ascii_lowercase();
    let variant = variant.to_ascii_lowercase();
    let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
        ("x86_64" | "x86-64" | "amd64", "") => ("amd64", "v1"),
        ("x86_64" | "x86-64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "" | "8") => ("arm64", "v8"),
        ("aarch64", variant) => ("arm64", variant),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        ("i386" | "i686", _) => ("386", ""),
        other => other,
    };
    (architecture.to_owned(), variant.to_owned())
}

impl FromStr for Machine {
    type Err = BadMachine;

    fn from_str(text: &str) -> Result<Machine, BadMachine> {
        let bad = || BadMachine { text: text.to_owned() };
        let is_word = |word: &&str| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        };
        let words: Vec<&str> = text.split('/').collect();
        if !words.iter().all(is_word) {
            return Err(bad());
        }
        match words[..] {
            // One word is an operating system or an architecture.
            ["linux"] => Ok(Machine::own()),
            [architecture] => Ok(Machine::new("linux", architecture, "")),
            [os, architecture] => Ok(Machine::new(os, architecture, "")),
            [os, architecture, variant] => Ok(Machine::new(os, architecture, variant)),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        let is_usual = matches!(
            (self.architecture.as_str(), self.variant.as_str()),
            (_, "") | ("amd64", "v1") | ("arm64", "v8")
        );
        if is_usual { Ok(()) } else { write!(formatter, "/{}", self.variant) }
    }
}

#[cfg(test)]
mod tests {
    use super::Machine;
    use crate::Hasher;
    use spec::image::{Algorithm, Descriptor, MediaType, Platform};

    fn index(platforms: &[&str]) -> Vec<Descriptor> {
        let descriptor = |text: &&str| {
            let words: Vec<&str> = text.split('/').collect();
            let digest = Hasher::of(Algorithm::Sha256, text.as_bytes());
            let platform = Platform {
                os: words[0].to_owned(),
                architecture: words[1].to_owned(),
                variant: words.get(2).map_or(String::new(), |it| (*it).to_owned()),
                ..Platform::default()
            };
            Descriptor {
                platform: Some(platform),
                ..Descriptor::new(MediaType::OciManifest, digest, 1)
            }
        };
        platforms.iter().map(descriptor).collect()
    }

    fn choose(machine: &str, platforms: &[&str]) -> Option<usize> {
        let machine: Machine = machine.parse().unwrap();
        let index = index(platforms);
        let found = machine.choose(&index)?;
        index.iter().position(|it| std::ptr::eq(it, found))
    }

    #[test]
    fn the_nearest_that_runs() {
        let all = [
            "unknown/unknown",
            "linux/amd64",
            "linux/arm/v5",
            "linux/arm/v6",
            "linux/arm/v7",
            "linux/arm64/v8",
            "windows/amd64",
        ];
        assert_eq!(choose("linux/amd64", &all), Some(1));
        assert_eq!(choose("arm64", &all), Some(5));
        assert_eq!(choose("linux/aarch64", &["linux/arm64"]), Some(0));
        assert_eq!(choose("linux/arm", &all), Some(4));
        assert_eq!(choose("linux/arm/v6", &all), Some(3));
        assert_eq!(choose("linux/arm/v6", &["linux/arm/v7"]), None);
        assert_eq!(choose("linux/arm/v8", &["linux/arm/v5", "linux/arm/v7"]), Some(1));
        assert_eq!(
            choose("linux/amd64/v3", &["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"]),
            Some(1)
        );
        assert_eq!(choose("amd64", &["linux/amd64/v2"]), None);
        assert_eq!(choose("linux/s390x", &all), None);
        assert_eq!(choose("linux/amd64", &["linux/amd64", "linux/amd64"]), Some(0));
    }

    #[test]
    fn names() {
        let shown = |text: &str| {
            text.parse::<Machine>().map_or_else(|it| it.to_string(), |it| it.to_string())
        };
        assert_eq!(shown("linux/x86_64"), "linux/amd64");
        assert_eq!(shown("Linux/arm"), "linux/arm/v7");
        assert_eq!(shown("riscv64"), "linux/riscv64");
        assert_eq!(shown("linux/amd64/v3"), "linux/amd64/v3");
        for text in ["", "/", "a/b/c/d", "linux/", "linux/a b"] {
            assert!(text.parse::<Machine>().is_err(), "{text}");
        }
    }
}
