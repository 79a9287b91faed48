//! Points in time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970, up to the year 2554.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// As RFC 3339 writes it, in UTC.
pub fn text(nanoseconds: u64) -> String {
    runtime::rfc3339(UNIX_EPOCH + Duration::from_nanos(nanoseconds))
}
