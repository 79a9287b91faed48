//! How often and how long.

use crate::transport::http::Head;
use std::time::{Duration, SystemTime};

/// When a request that failed for a passing reason is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often something is tried without any progress.
    pub attempts: u32,
    /// The wait after the first failure; each further one waits twice as long.
    pub first_wait: Duration,
    /// The longest wait of ours.
    pub longest_wait: Duration,
    /// The longest wait that a registry may ask for (`Retry-After`).
    pub longest_asked: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            attempts: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(15),
            longest_asked: Duration::from_secs(120),
        }
    }
}

impl Retry {
    /// The wait after this many failures (at least 1): doubled each time, and a random part less,
    /// so that many machines that failed together do not come back together.
    pub(crate) fn wait(&self, failures: u32) -> Duration {
        use std::hash::{BuildHasher, Hasher};
        let factor = 1 << failures.saturating_sub(1).min(16);
        let full = self.first_wait.saturating_mul(factor).min(self.longest_wait);
        let random = std::hash::RandomState::new().build_hasher().finish() % 256;
        full - full.mul_f64(random as f64 / 512.0)
    }
}

/// What `Retry-After` says (RFC 9110, 10.2.3): seconds, or a date.
pub(super) fn retry_after(head: &Head) -> Option<Duration> {
    let value = head.header("retry-after")?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = parse_date(value)?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that is sent nowadays.
fn parse_date(text: &str) -> Option<SystemTime> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words[..] else { return None };
    let month =
        MONTHS.find(month).filter(|place| place % 3 == 0 && month.len() == 3)? as u64 / 3 + 1;
    let (day, year): (u64, u64) = (day.parse().ok()?, year.parse().ok()?);
    let clock: Vec<u64> = time.split(':').filter_map(|part| part.parse().ok()).collect();
    let [hour, minute, second] = clock[..] else { return None };
    if !(1970..10_000).contains(&year)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    // Days from the civil calendar, with the year beginning in March.
    let (shifted_year, shifted_month) =
        if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = 365 * shifted_year + leap_days + (153 * shifted_month + 2) / 5 + day - 1 - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::{Retry, parse_date, retry_after};
    use crate::transport::http::Head;
    use std::time::{Duration, SystemTime};

    fn seconds(text: &str) -> Option<u64> {
        let date = parse_date(text)?;
        Some(date.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn dates() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(seconds("Thu, 29 Feb 2024 12:00:00 GMT"), Some(1_709_208_000));
        for text in [
            "",
            "x",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 anF 1994 08:49:37 GMT",
            "a, 1 Jan 1 0:0:0 GMT",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn what_a_registry_asks_for() {
        let ask = |value: &str| {
            let text = format!("HTTP/1.1 429 x\r\nRetry-After: {value}\r\n\r\n");
            retry_after(&Head::parse(text.as_bytes()).unwrap().unwrap().0)
        };
        assert_eq!(ask("7"), Some(Duration::from_secs(7)));
        assert_eq!(ask("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!(ask("soon"), None);
    }

    #[test]
    fn waits_grow_up_to_the_longest() {
        let retry = Retry::default();
        for (failures, most) in [(1, 500), (2, 1000), (3, 2000), (99, 15_000)] {
            let wait = retry.wait(failures).as_millis();
            assert!((most / 2..=most).contains(&wait), "{failures}: {wait}");
        }
    }
}
