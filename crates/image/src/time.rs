//! Times as documents have them: RFC 3339.

/// `2024-02-29T23:59:59Z`, from seconds since 1970.
pub fn format(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Seconds since 1970, without fractions; `None` for anything else than a time after that.
pub fn parse(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (time, rest) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let zone = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let (sign, zone) = zone.split_at_checked(1)?;
            let (hours, minutes) = zone.split_once(':')?;
            let seconds = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
            match sign {
                "+" => seconds,
                "-" => -seconds,
                _ => return None,
            }
        }
    };
    let is_time = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !is_time || second > 60 || year < 1970 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    seconds.checked_add_signed(-offset)
}

/// Three numbers, of which the last two have two digits.
fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let (rest, last) = text.rsplit_once(separator)?;
    let (first, middle) = rest.rsplit_once(separator)?;
    let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    let is_right = [first, middle, last].into_iter().all(is_number);
    if !is_right || middle.len() != 2 || last.len() != 2 {
        return None;
    }
    Some([first.parse().ok()?, middle.parse().ok()?, last.parse().ok()?])
}

/// Days since 1970. The year is taken to begin in March, so that a leap day is its last.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The other way round.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::{format, parse};

    #[test]
    fn known_times() {
        // `date -u -d @SECONDS`
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(format(seconds), text);
            assert_eq!(parse(text), Some(seconds));
        }
    }

    #[test]
    fn every_day_comes_back() {
        for day in 0..60_000 {
            assert_eq!(parse(&format(day * 86_400 + 4711)), Some(day * 86_400 + 4711), "{day}");
        }
    }

    #[test]
    fn fractions_and_zones() {
        assert_eq!(parse("1970-01-02T00:00:00.123456789Z"), Some(86_400));
        assert_eq!(parse("1970-01-02T02:30:00+02:30"), Some(86_400));
        assert_eq!(parse("1970-01-01T23:00:00.5-01:00"), Some(86_400));
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "now",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-13-01T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "0001-01-01T00:00:00Z",
            "1970-01-01T00:00:00+1",
            "1970-01-01T00:00:00+01:00",
            "1970-1-001T00:00:00Z",
            "+970-01-01T00:00:00Z",
            "€€€€€€",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
