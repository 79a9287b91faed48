//! Mappings of ids, and how they are written.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which ids of the machine those of a container are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ids {
    /// Of users.
    pub users: Vec<IdRange>,
    /// Of groups.
    pub groups: Vec<IdRange>,
}

/// Ids that follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IdRange {
    /// The first one in the container.
    pub inside: u32,
    /// Which that is on the machine.
    pub outside: u32,
    /// How many.
    pub length: u32,
}

/// The kernel takes so many lines.
const MOST: usize = 340;

/// `CONTAINER:HOST[:COUNT]`.
pub(crate) fn parse_mapping(flag: &str, text: &str, separator: char) -> Result<IdRange> {
    let wrong = |what: &str| {
        let [first, second] = [separator, separator];
        Error::invalid(format!(
            "{flag}: {text:?} {what}: it is CONTAINER{first}HOST{second}COUNT, all numbers"
        ))
    };
    let numbers: Vec<&str> = text.split(separator).collect();
    let (inside, outside, length) = match numbers[..] {
        [inside, outside] => (inside, outside, "1"),
        [inside, outside, length] => (inside, outside, length),
        _ => return Err(wrong("is no mapping")),
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| digits).ok_or_else(|| wrong("is no mapping"))
    };
    let range =
        IdRange { inside: number(inside)?, outside: number(outside)?, length: number(length)? };
    // The last number is no id.
    let fits = |first: u32| first.checked_add(range.length).is_some();
    if range.length == 0 || !fits(range.inside) || !fits(range.outside) {
        return Err(wrong("has no ids, or ids beyond the last one"));
    }
    Ok(range)
}

/// All of a flag. Two of them have no id in common, on either side.
pub(super) fn parse_mappings(flag: &str, texts: &[String]) -> Result<Vec<IdRange>> {
    let all =
        texts.iter().map(|text| parse_mapping(flag, text, ':')).collect::<Result<Vec<_>>>()?;
    check(flag, &all)?;
    Ok(all)
}

pub(super) fn check(flag: &str, all: &[IdRange]) -> Result<()> {
    if all.len() > MOST {
        return Err(Error::invalid(format!("{flag}: more than {MOST} mappings")));
    }
    for (number, one) in all.iter().enumerate() {
        let overlaps = |first: u32, other: u32, length: u32| {
            u64::from(first) < u64::from(other) + u64::from(length)
                && u64::from(other) < u64::from(first) + u64::from(one.length)
        };
        let both = all[..number].iter().find(|other| {
            overlaps(one.inside, other.inside, other.length)
                || overlaps(one.outside, other.outside, other.length)
        });
        if both.is_some() {
            let IdRange { inside, outside, length } = one;
            let text = format!("{flag}: {inside}:{outside}:{length} has ids of another mapping");
            return Err(Error::Invalid(text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{parse_mapping, parse_mappings};
    use crate::settings::IdRange;

    #[test]
    fn numbers_in_their_order() {
        let range = |inside, outside, length| IdRange { inside, outside, length };
        let parse = |text: &str| parse_mapping("--uidmap", text, ':').ok();
        assert_eq!(parse("0:100000:65536"), Some(range(0, 100_000, 65_536)));
        assert_eq!(parse("5:6"), Some(range(5, 6, 1)));
        assert_eq!(parse("0:4294967294:1"), Some(range(0, 4_294_967_294, 1)));
        for text in [
            "",
            ":",
            "0",
            "0:",
            "0:1:",
            "0:1:0",
            "0:1:2:3",
            "+0:1:2",
            "-1:1:2",
            "0:4294967295:1",
            "4294967295:1:1",
            "0:1:4294967295",
            "0:99999999999:1",
            "a:1:1",
            " 0:1:1",
            "@0:1:1",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn two_mappings_share_no_id() {
        let parse = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            parse_mappings("--uidmap", &texts).is_ok()
        };
        assert!(parse(&["0:100:10", "10:200:10", "20:110:5"]));
        assert!(!parse(&["0:100:10", "9:200:10"]));
        assert!(!parse(&["0:100:10", "10:109:10"]));
        assert!(!parse(&["10:200:1", "0:100:200"]));
    }
}
