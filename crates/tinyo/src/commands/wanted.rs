//! `--filter` of lists and of prune: which names there are, and what fits.

use super::container::logs;
use super::container::parse;
use anyhow::{Result, bail};
use std::collections::BTreeMap;

/// A filter as it was written.
pub(crate) type Filter = (String, String);

/// Reads a filter whose name is one of these.
pub(crate) fn one_of(
    names: &'static [&'static str],
) -> impl Fn(&str) -> Result<Filter, String> + Clone + Send + Sync + 'static {
    move |text| {
        let (name, value) = match text.split_once("!=") {
            Some((name, value)) if names.contains(&format!("{name}!").as_str()) => {
                (format!("{name}!"), value.to_owned())
            }
            _ => parse::pair(text)?,
        };
        if names.contains(&name.as_str()) {
            Ok((name, value))
        } else {
            Err(format!("there is no filter {name:?}, only {}", names.join(" ")))
        }
    }
}

/// `NAME` or `NAME=VALUE`.
pub(crate) fn has_label(labels: &BTreeMap<String, String>, text: &str) -> bool {
    match text.split_once('=') {
        Some((name, value)) => labels.get(name).is_some_and(|known| known == value),
        None => labels.contains_key(text),
    }
}

/// What `prune` of containers and networks takes: `until`, `label` and `label!`.
pub(crate) const OLD_OR_LABELLED: &[&str] = &["until", "label", "label!"];

/// Whether all filters of [`OLD_OR_LABELLED`] fit something that was made then, in nanoseconds
/// since 1970.
pub(crate) fn is_prunable(
    filters: &[Filter],
    created: u64,
    labels: &BTreeMap<String, String>,
) -> Result<bool> {
    for (name, value) in filters {
        let fits = match name.as_str() {
            "until" => match logs::time(value) {
                Ok(until) => created < until,
                Err(text) => bail!("--filter until: {text}"),
            },
            "label" => has_label(labels, value),
            _ => !has_label(labels, value),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `true` or `false`, as Docker takes them.
pub(crate) fn is_true(name: &str, value: &str) -> Result<bool> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => bail!("--filter {name}={value}: neither true nor false"),
    }
}

#[cfg(test)]
mod tests {
    use super::{OLD_OR_LABELLED, is_prunable, one_of};
    use std::collections::BTreeMap;

    #[test]
    fn filters_are_known_by_name() {
        let read = one_of(OLD_OR_LABELLED);
        assert_eq!(read("label=a=b"), Ok(("label".into(), "a=b".into())));
        assert_eq!(read("label!=a"), Ok(("label!".into(), "a".into())));
        assert!(read("name=x").unwrap_err().contains("until"));
    }

    #[test]
    fn what_may_go() {
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let fits = |name: &str, value: &str| {
            is_prunable(&[(name.to_owned(), value.to_owned())], 10_000_000_000, &labels)
        };
        assert!(fits("until", "24h").unwrap() && !fits("until", "5").unwrap());
        assert!(fits("label", "a=b").unwrap() && !fits("label", "a=c").unwrap());
        assert!(fits("label!", "c").unwrap() && !fits("label!", "a").unwrap());
        assert!(fits("until", "yesterday").is_err());
    }
}
