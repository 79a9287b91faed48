//! `--filter`, as Docker and Podman have it.

use crate::context::Context;
use anyhow::{Context as _, Result, bail};
use image::store::{Image, Named, Store};
use image::time;
use spec::image::ImageConfig;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    name: String,
    value: String,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Filter, String> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
        let known = ["dangling", "before", "since", "until", "label", "label!", "reference"];
        if !known.contains(&name) {
            return Err(format!("there is no filter {name:?}, only {}", known.join(" ")));
        }
        Ok(Filter { name: name.to_owned(), value: value.to_owned() })
    }
}

/// Several filters, all of which must fit.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    is_dangling: Option<bool>,
    /// When an image was made, in seconds since 1970: after, and before.
    after: Option<u64>,
    before: Option<u64>,
    labels: Vec<(String, Option<String>)>,
    no_labels: Vec<(String, Option<String>)>,
    references: Vec<String>,
}

impl Filters {
    pub(crate) fn new(context: &Context, store: &Store, filters: &[Filter]) -> Result<Filters> {
        let mut all = Filters::default();
        let made = |value: &str| -> Result<u64> {
            let image = context.find_image(store, value)?;
            Ok(created(&image))
        };
        for Filter { name, value } in filters {
            match name.as_str() {
                "dangling" => {
                    let is_dangling = matches!(value.as_str(), "true" | "1");
                    if !is_dangling && !matches!(value.as_str(), "false" | "0") {
                        bail!("dangling={value}: neither true nor false");
                    }
                    all.is_dangling = Some(is_dangling);
                }
                "since" => all.after = Some(made(value)?),
                "before" => all.before = Some(made(value)?),
                "until" => all.before = Some(moment(value)?),
                "label" => all.labels.push(label(value)),
                "label!" => all.no_labels.push(label(value)),
                _ => all.references.push(value.clone()),
            }
        }
        Ok(all)
    }

    /// Whether all fit an image, the names aside.
    pub(crate) fn fit(&self, store: &Store, image: &Image) -> Result<bool> {
        let created = created(image);
        let fits = self.is_dangling.is_none_or(|wanted| wanted == image.names.is_empty())
            && self.after.is_none_or(|after| created > after)
            && self.before.is_none_or(|before| created < before);
        if !fits || self.labels.is_empty() && self.no_labels.is_empty() {
            return Ok(fits);
        }
        let labels = labels_of(store, image)?;
        let has = |(name, value): &(String, Option<String>)| {
            let found = labels.get(name);
            found.is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
        };
        Ok(self.labels.iter().all(has) && !self.no_labels.iter().any(has))
    }

    /// Whether a name fits.
    pub(crate) fn fit_name(&self, name: Option<&Named>) -> bool {
        let fits = |pattern: &String| name.is_some_and(|named| fits_pattern(pattern, named));
        self.references.is_empty() || self.references.iter().any(fits)
    }
}

/// What an image's configuration says.
pub(crate) fn labels_of(store: &Store, image: &Image) -> Result<BTreeMap<String, String>> {
    let config: ImageConfig = serde_json::from_slice(&store.read_blob(&image.id)?)
        .with_context(|| format!("configuration {}", image.id))?;
    Ok(config.config.labels.into_iter().collect())
}

/// Whether a pattern fits a name, with or without its tag, short or in full.
pub(crate) fn fits_pattern(pattern: &str, named: &Named) -> bool {
    let (familiar, full) = (named.name.familiar(), named.name.to_string());
    let repository = named.name.repository().familiar();
    [familiar, full, repository].iter().any(|text| matches(pattern, text))
}

/// When an image was made; when it came here, if it does not say that.
fn created(image: &Image) -> u64 {
    image.created.as_deref().and_then(time::parse).unwrap_or(image.added)
}

fn label(text: &str) -> (String, Option<String>) {
    match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// A time, a number of seconds since 1970, or how long ago: `24h`, `1h30m`.
fn moment(text: &str) -> Result<u64> {
    if let Some(seconds) = time::parse(text).or_else(|| text.parse().ok()) {
        return Ok(seconds);
    }
    let length = duration(text).with_context(|| {
        format!("until={text}: neither a time like 2024-01-31T00:00:00Z nor an age like 24h")
    })?;
    let moment = SystemTime::now().checked_sub(length).unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(moment.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_secs()))
}

fn duration(text: &str) -> Option<Duration> {
    let (mut seconds, mut number) = (0_u64, None::<u64>);
    for character in text.chars() {
        if let Some(digit) = character.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit.into())?);
            continue;
        }
        let unit = match character {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    (number.is_none() && !text.is_empty()).then(|| Duration::from_secs(seconds))
}

/// Whether a pattern with `*` (anything but `/`) and `?` fits a text.
fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    loop {
        match (pattern.next(), text.clone().next()) {
            (None, end) => return end.is_none(),
            (Some('*'), _) => {
                let rest = pattern.as_str();
                return text
                    .as_str()
                    .char_indices()
                    .map(|(index, _)| index)
                    .chain([text.as_str().len()])
                    .take_while(|end| !text.as_str()[..*end].contains('/'))
                    .any(|end| matches(rest, &text.as_str()[end..]));
            }
            (Some('?'), Some(character)) if character != '/' => _ = text.next(),
            (Some(wanted), Some(found)) if wanted == found => _ = text.next(),
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, duration, matches};
    use std::time::Duration;

    #[test]
    fn patterns() {
        for (pattern, text) in [
            ("alpine", "alpine"),
            ("al*", "alpine"),
            ("*", ""),
            ("*/*:1.?", "team/app:1.2"),
            ("docker.io/*/a*e", "docker.io/library/alpine"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("al", "alpine"), ("*", "a/b"), ("a?c", "a/c"), ("a*", "ba")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn lengths_of_time() {
        assert_eq!(duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("2d"), Some(Duration::from_secs(172_800)));
        for text in ["", "h", "5", "5x", "99999999999999999999h", "-5h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn filters_that_do_not_exist_are_refused() {
        assert!("dangling=true".parse::<Filter>().is_ok());
        for text in ["dangling", "x=y", "=", ""] {
            assert!(text.parse::<Filter>().is_err(), "{text}");
        }
    }
}
