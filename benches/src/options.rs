//! What the caller decides.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Of any benchmark.
#[derive(Debug)]
pub struct Options {
    /// The folder of our release build.
    pub release: PathBuf,
    /// How often each contestant has its turn.
    pub rounds: usize,
    /// More contestants: name and path.
    pub also: Vec<(String, PathBuf)>,
    /// Where the results go as JSON.
    pub json: PathBuf,
    /// To see that it works: few rounds, and small inputs where large ones take long.
    pub quick: bool,
}

/// Rounds of `--quick`.
const QUICK: usize = 2;

impl Options {
    /// The defaults: 30 rounds, and `../bench/NAME.json` seen from the release folder.
    #[must_use]
    pub fn new(release: &Path, name: &str) -> Self {
        let target = release.parent().unwrap_or(release);
        Self {
            release: release.to_owned(),
            rounds: 30,
            also: Vec::new(),
            json: target.join("bench").join(format!("{name}.json")),
            quick: false,
        }
    }

    /// Reads `--rounds N`, `--also NAME=PATH` (repeatable), `--json FILE` and `--quick`.
    pub fn parse(
        mut words: impl Iterator<Item = OsString>,
        release: &Path,
        name: &str,
    ) -> Result<Self> {
        let mut options = Self::new(release, name);
        while let Some(word) = words.next() {
            if word == "--quick" {
                (options.quick, options.rounds) = (true, options.rounds.min(QUICK));
                continue;
            }
            let mut value =
                || words.next().with_context(|| format!("{} needs a value", word.display()));
            match word.to_str() {
                Some("--rounds") => options.rounds = rounds(&value()?)?,
                Some("--also") => options.also.push(named_path(&value()?)?),
                Some("--json") => options.json = value()?.into(),
                _ => bail!("unknown option {}", word.display()),
            }
        }
        Ok(options)
    }

    /// The words that [`Options::parse`] reads these from.
    #[must_use]
    pub fn words(&self) -> Vec<OsString> {
        let mut words = vec!["--rounds".into(), self.rounds.to_string().into()];
        words.extend(["--json".into(), self.json.clone().into()]);
        for (name, path) in &self.also {
            words.extend(["--also".into(), format!("{name}={}", path.display()).into()]);
        }
        words.extend(self.quick.then(|| "--quick".into()));
        words
    }

    /// The helper program `bench-actor`.
    #[must_use]
    pub fn actor(&self) -> PathBuf {
        self.release.join("bench-actor")
    }
}

fn rounds(value: &OsString) -> Result<usize> {
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(rounds @ 1..) => Ok(rounds),
        _ => bail!("--rounds {}: not a number above 0", value.display()),
    }
}

fn named_path(value: &OsString) -> Result<(String, PathBuf)> {
    let parts = value.to_str().and_then(|text| text.split_once('='));
    let (name, path) =
        parts.with_context(|| format!("--also {}: not NAME=PATH", value.display()))?;
    Ok((name.to_owned(), path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options> {
        Options::parse(words.iter().map(Into::into), Path::new("/target/release"), "init")
    }

    #[test]
    fn options_and_their_defaults() {
        let options = parse(&["--rounds", "3", "--also", "other=/bin/other"]).unwrap();
        assert_eq!((options.rounds, options.json), (3, "/target/bench/init.json".into()));
        assert_eq!(options.also, [("other".to_owned(), PathBuf::from("/bin/other"))]);
        assert_eq!(parse(&[]).unwrap().rounds, 30);
        let quick = parse(&["--quick"]).unwrap();
        assert!(quick.quick && quick.rounds == 2);
    }

    #[test]
    fn what_was_read_is_written_alike() {
        let words = ["--rounds", "2", "--json", "/x", "--also", "other=/bin/other", "--quick"];
        assert_eq!(parse(&words).unwrap().words(), words);
    }

    #[test]
    fn mistakes_name_the_option() {
        let message = |words: &[&str]| parse(words).unwrap_err().to_string();
        assert_eq!(message(&["--rounds", "0"]), "--rounds 0: not a number above 0");
        assert_eq!(message(&["--also", "x"]), "--also x: not NAME=PATH");
        assert_eq!(message(&["--json"]), "--json needs a value");
    }
}
