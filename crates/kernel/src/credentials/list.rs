//! Lists of numbers as the kernel writes them: `0-3,7`.

/// Not such a list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no list of numbers such as 0-3,7, none above {MAX}")]
pub struct InvalidList(String);

/// More than any machine has of anything.
const MAX: usize = 8191;

/// The numbers of a list as bits: bit N % 64 of word N / 64 for number N.
///
/// # Errors
/// Something else is in it, a range goes down, or a number is above 8191.
pub fn parse_list(text: &str) -> Result<Vec<u64>, InvalidList> {
    let mut words = Vec::new();
    for range in text.split(',') {
        let range = range.trim();
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let number = |text: &str| text.parse().ok().filter(|number: &usize| *number <= MAX);
        let (Some(first), Some(last)) = (number(first), number(last)) else {
            return Err(InvalidList(text.into()));
        };
        if first > last {
            return Err(InvalidList(text.into()));
        }
        words.resize(words.len().max(last / 64 + 1), 0);
        for number in first..=last {
            words[number / 64] |= 1 << (number % 64);
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::parse_list;

    #[test]
    fn ranges_and_single_numbers() {
        assert_eq!(parse_list("0-3,7").unwrap(), [0b1000_1111]);
        assert_eq!(parse_list("64").unwrap(), [0, 1]);
        assert_eq!(parse_list("5, 5-6").unwrap(), [0b110_0000]);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", ",", "a", "-1", "3-1", "1-", "8192", "1-99999999999", "0x1"] {
            assert!(parse_list(text).is_err(), "{text}");
        }
    }
}
