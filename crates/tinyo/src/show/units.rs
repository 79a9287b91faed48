//! Numbers for people.

use std::time::Duration;

/// `512 B`, `1.5 kB`, `23 MB`: three digits at most, powers of 1000 as Docker has them.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// `0.5 s`, `12 s`, `3 min`, `2 h`.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// `3 days ago`.
pub(crate) fn ago(seconds: u64) -> String {
    format!("{} ago", lasting(seconds))
}

/// `3 days`, `About a minute`: the units that Docker takes.
pub(crate) fn lasting(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(365 * 24, "years"), (30 * 24, "months"), (7 * 24, "weeks"), (24, "days")];
    // To the nearest one.
    let hours = (seconds + 1800) / 3600;
    let fits = UNITS.iter().find(|(length, _)| hours >= 2 * length);
    match (seconds, fits) {
        (0, _) => "Less than a second".to_owned(),
        (1, _) => "1 second".to_owned(),
        (2..60, _) => format!("{seconds} seconds"),
        (60..120, _) => "About a minute".to_owned(),
        (120..3600, _) => format!("{} minutes", seconds / 60),
        (_, Some((length, name))) => format!("{} {name}", hours / length),
        _ if hours == 1 => "About an hour".to_owned(),
        _ => format!("{hours} hours"),
    }
}

#[cfg(test)]
mod tests {
    use super::{ago, bytes, time};
    use std::time::Duration;

    #[test]
    fn three_digits() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_996, "10.0 kB"),
            (99_960, "100 kB"),
            (999_600, "1.00 MB"),
            (23_456_789, "23.5 MB"),
            (u64::MAX, "18447 PB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn ages() {
        let cases = [
            (0, "Less than a second ago"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (111, "About a minute ago"),
            (3599, "59 minutes ago"),
            (3600, "About an hour ago"),
            (5400, "2 hours ago"),
            (47 * 3600, "47 hours ago"),
            (150, "2 minutes ago"),
            (2 * 86_400, "2 days ago"),
            (13 * 86_400, "13 days ago"),
            (15 * 86_400, "2 weeks ago"),
            (800 * 86_400, "2 years ago"),
        ];
        for (seconds, text) in cases {
            assert_eq!(ago(seconds), text);
        }
    }

    #[test]
    fn times() {
        let text = |millis| time(Duration::from_millis(millis));
        assert_eq!(
            [text(500), text(12_000), text(150_000), text(9_000_000)],
            ["0.5 s", "12 s", "2 min", "2 h"]
        );
    }
}
