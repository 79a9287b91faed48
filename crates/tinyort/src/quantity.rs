//! Sizes and times as people, and Go's programs, write them.

use std::time::Duration;

/// A number of bytes: `512m`, `1.5GiB`, `100`. All units are powers of 1024. -1 is no limit.
#[must_use]
pub fn bytes(text: &str) -> Option<i64> {
    if text == "-1" {
        return Some(-1);
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start().to_ascii_lowercase();
    let unit = unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(&unit);
    let shift = match unit {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        _ => return None,
    };
    scale(number, 1 << shift)
}

/// A time in Go's form: `5s`, `1m30s`, `1.5h`, `100ms`.
#[must_use]
pub fn time(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let nanoseconds = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let part = u64::try_from(scale(number, nanoseconds)?).ok()?;
        total = total.checked_add(Duration::from_nanos(part))?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// A number with or without a fraction, times a unit, rounded down.
fn scale(number: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    // More digits than that say less than one byte or nanosecond.
    let fraction = &fraction[..fraction.len().min(18)];
    if whole.is_empty() || !fraction.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let whole = whole.parse::<i64>().ok()?.checked_mul(unit)?;
    let numerator = if fraction.is_empty() { 0 } else { fraction.parse::<i128>().ok()? };
    let part = numerator * i128::from(unit) / 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    whole.checked_add(i64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::{bytes, time};
    use std::time::Duration;

    #[test]
    fn sizes() {
        for (text, size) in [
            ("0", 0),
            ("100", 100),
            ("100b", 100),
            ("1k", 1024),
            ("1.5K", 1536),
            ("512m", 512 << 20),
            ("2 GiB", 2 << 30),
            ("1tb", 1 << 40),
            ("-1", -1),
        ] {
            assert_eq!(bytes(text), Some(size), "{text}");
        }
        for text in ["", "-2", "m", "1x", "1.2.3", "9999999999p", "1e3", "１"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, milliseconds) in
            [("5s", 5000), ("1m30s", 90_000), ("1.5h", 5_400_000), ("100ms", 100), ("0s", 0)]
        {
            assert_eq!(time(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        assert_eq!(time("3µs7ns"), Some(Duration::from_nanos(3007)));
        for text in ["", "5", "s", "-1s", "1d", "1..s", "9999999999h", "1s2"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
