//! What systemd must know of a container's limits.
//!
//! The limits themselves are written by us, and to the point. But systemd writes those it knows of
//! again whenever it sees reason to, at `daemon-reload` for one, and takes what it was not told for
//! unlimited. So it is told, of what it can express; see org.freedesktop.systemd1(5).

use super::super::devices::Devices;
use super::super::resources::{DeviceAccess, DeviceKind};
use super::super::text;
use super::super::write::Write;
use super::message::Value;

/// A property, and the version of systemd that is the first to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) value: Value,
    pub(super) since: u32,
}

fn number(name: &'static str, value: u64, since: u32) -> Property {
    Property { name, value: Value::U64(value), since }
}

/// The properties of these limits, which may be of v1 or v2.
pub(super) fn of_limits(writes: &[Write]) -> Vec<Property> {
    let mut properties: Vec<Property> = writes.iter().filter_map(simple).collect();
    let value_of = |file: &str| {
        writes.iter().find(|write| write.file == file).map(|write| write.value.as_str())
    };
    let v1 = (value_of("cpu.cfs_quota_us"), value_of("cpu.cfs_period_us"));
    let (quota, period) = match value_of("cpu.max") {
        Some(both) => both.split_once(' ').map_or((Some(both), None), |(a, b)| (Some(a), Some(b))),
        None => v1,
    };
    add_quota(&mut properties, quota, period);
    // An idle group has no weight, and systemd spells it as the weight 0.
    if value_of("cpu.idle") == Some("1") {
        properties.retain(|property| property.name != "CPUWeight");
        properties.push(number("CPUWeight", 0, 252));
    }
    properties
}

/// A limit that is one property.
fn simple(write: &Write) -> Option<Property> {
    let size = |name| Some(number(name, unlimited_or(&write.value)?, 0));
    let bits = |name| {
        let value = Value::Bytes(bits(&write.value));
        Some(Property { name, value, since: 244 })
    };
    match &*write.file {
        "memory.max" => size("MemoryMax"),
        "memory.high" => size("MemoryHigh"),
        "memory.low" => size("MemoryLow"),
        "memory.min" => size("MemoryMin"),
        "memory.swap.max" => size("MemorySwapMax"),
        "memory.limit_in_bytes" => size("MemoryLimit"),
        "pids.max" => size("TasksMax"),
        "cpu.weight" => size("CPUWeight"),
        "cpu.shares" => size("CPUShares"),
        "io.weight" => size("IOWeight"),
        "blkio.weight" => size("BlockIOWeight"),
        "cpuset.cpus" => bits("AllowedCPUs"),
        "cpuset.mems" => bits("AllowedMemoryNodes"),
        _ => None,
    }
}

/// systemd says infinity by the greatest number.
fn unlimited_or(value: &str) -> Option<u64> {
    match value.trim() {
        "max" | "-1" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// Microseconds in each second. systemd turns them into whole percents, and rounds down: up here,
/// or groups below could not have what the user asked for.
fn add_quota(properties: &mut Vec<Property>, quota: Option<&str>, period: Option<&str>) {
    let period: Option<u64> = period.and_then(|period| period.trim().parse().ok());
    if let Some(period) = period {
        properties.push(number("CPUQuotaPeriodUSec", period, 242));
    }
    let Some(quota) = quota.and_then(unlimited_or) else { return };
    let period = period.unwrap_or(100_000).max(1);
    let in_second = match quota {
        u64::MAX => u64::MAX,
        quota => (quota.saturating_mul(1_000_000) / period).next_multiple_of(10_000),
    };
    properties.push(number("CPUQuotaPerSecUSec", in_second, 0));
}

/// A list of numbers as bits, the lowest first.
fn bits(list: &str) -> Vec<u8> {
    let mut bits = Vec::new();
    for number in text::list(list) {
        let byte = usize::from(number / 8);
        if bits.len() <= byte {
            bits.resize(byte + 1, 0);
        }
        bits[byte] |= 1 << (number % 8);
    }
    bits
}

/// The devices that are allowed besides nothing; `None`: all but some, which systemd cannot say.
/// Only v1 needs it: systemd leaves alone the programs that others attach on v2.
pub(super) fn of_devices(allowed: Option<&[(Devices, DeviceAccess)]>) -> Vec<Property> {
    let policy = |policy: &str| Property {
        name: "DevicePolicy",
        value: Value::Text(policy.to_owned()),
        since: 0,
    };
    let list = |pairs| Property { name: "DeviceAllow", value: Value::Pairs(pairs), since: 0 };
    match allowed {
        None => vec![policy("auto"), list(Vec::new())],
        // The list is emptied before it is filled.
        Some(allowed) => {
            let pairs = allowed
                .iter()
                .filter_map(|(devices, access)| Some((device_path(*devices)?, access.letters())));
            vec![policy("strict"), list(Vec::new()), list(pairs.collect())]
        }
    }
}

/// How systemd names devices; it has no name for one minor number of every driver.
fn device_path((kind, major, minor): Devices) -> Option<String> {
    let kind = if kind == DeviceKind::Block { "block" } else { "char" };
    match (major, minor) {
        (None, None) => Some(format!("{kind}-*")),
        (Some(major), None) => Some(format!("{kind}-{major}")),
        (Some(major), Some(minor)) => Some(format!("/dev/{kind}/{major}:{minor}")),
        (None, Some(_)) => None,
    }
}

/// A property that the user names, its value written as GVariant does: `true`, `'text'`, `5`,
/// `uint64 5`, `['a', 'b']`. A number of seconds is also taken, and sent as microseconds.
pub(super) fn of_user(name: &str, value: &str) -> Option<(String, Value)> {
    let value = value.trim();
    let seconds = name.strip_suffix("Sec").filter(|stem| !stem.ends_with('U'));
    if let Some((stem, seconds)) = seconds.zip(value.parse::<f64>().ok()) {
        let valid = seconds.is_finite() && (0.0..1e12).contains(&seconds);
        let microseconds = Value::U64((seconds * 1e6) as u64);
        return valid.then(|| (format!("{stem}USec"), microseconds));
    }
    Some((name.to_owned(), parse(value)?))
}

fn parse(value: &str) -> Option<Value> {
    if let Some(list) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let texts = list.split(',').map(str::trim).filter(|text| !text.is_empty()).map(quoted);
        return texts.collect::<Option<_>>().map(Value::Texts);
    }
    if let Some(text) = quoted(value) {
        return Some(Value::Text(text));
    }
    match value.split_once(' ').unwrap_or(("int32", value)) {
        (_, "true") => Some(Value::Bool(true)),
        (_, "false") => Some(Value::Bool(false)),
        ("int32", number) => number.trim().parse().ok().map(Value::I32),
        ("uint32", number) => number.trim().parse().ok().map(Value::U32),
        ("int64", number) => number.trim().parse().ok().map(Value::I64),
        ("uint64", number) => number.trim().parse().ok().map(Value::U64),
        _ => None,
    }
}

/// What stands between quotation marks; escapes are not known.
fn quoted(text: &str) -> Option<String> {
    let inner = |mark: char| text.strip_prefix(mark)?.strip_suffix(mark);
    let inner = inner('\'').or_else(|| inner('"'))?;
    (!inner.contains(['\'', '"', '\\'])).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::super::write::Controller;
    use super::*;

    fn properties(writes: &[(&'static str, &str)]) -> Vec<(&'static str, Value)> {
        let write = |(file, value): &(&'static str, &str)| {
            Write::new(Controller::Cpu, "field", *file, *value)
        };
        let writes: Vec<_> = writes.iter().map(write).collect();
        of_limits(&writes).into_iter().map(|property| (property.name, property.value)).collect()
    }

    #[test]
    fn limits_of_both_versions_are_told() {
        let found = properties(&[("memory.max", "4096"), ("pids.max", "max"), ("x.y", "1")]);
        assert_eq!(found, [("MemoryMax", Value::U64(4096)), ("TasksMax", Value::U64(u64::MAX))]);
        let found = properties(&[("memory.limit_in_bytes", "-1"), ("cpu.shares", "5")]);
        assert_eq!(found, [("MemoryLimit", Value::U64(u64::MAX)), ("CPUShares", Value::U64(5))]);
    }

    #[test]
    fn a_quota_is_told_in_microseconds_of_a_second() {
        let expect = |period, quota| {
            [("CPUQuotaPeriodUSec", Value::U64(period)), ("CPUQuotaPerSecUSec", Value::U64(quota))]
        };
        assert_eq!(properties(&[("cpu.max", "5000 20000")]), expect(20_000, 250_000));
        assert_eq!(properties(&[("cpu.max", "max 20000")]), expect(20_000, u64::MAX));
        let v1 = properties(&[("cpu.cfs_period_us", "30000"), ("cpu.cfs_quota_us", "10000")]);
        assert_eq!(v1, expect(30_000, 340_000));
        let alone = properties(&[("cpu.cfs_quota_us", "50000")]);
        assert_eq!(alone, [("CPUQuotaPerSecUSec", Value::U64(500_000))]);
    }

    #[test]
    fn processors_are_bits_and_idleness_is_no_weight() {
        assert_eq!(
            properties(&[("cpuset.cpus", "0-1,9")]),
            [("AllowedCPUs", Value::Bytes(vec![3, 2]))]
        );
        let idle = properties(&[("cpu.weight", "50"), ("cpu.idle", "1")]);
        assert_eq!(idle, [("CPUWeight", Value::U64(0))]);
    }

    #[test]
    fn devices_are_named_as_systemd_does() {
        let character = |major, minor| ((DeviceKind::Character, major, minor), DeviceAccess::ALL);
        let all = [
            character(None, None),
            character(Some(1), None),
            character(Some(1), Some(3)),
            character(None, Some(3)),
        ];
        let list = of_devices(Some(&all)).pop().unwrap().value;
        let pair = |path: &str| (path.to_owned(), "rwm".to_owned());
        assert_eq!(list, Value::Pairs(vec![pair("char-*"), pair("char-1"), pair("/dev/char/1:3")]));
        assert_eq!(of_devices(None)[0].value, Value::Text("auto".to_owned()));
    }

    #[test]
    fn properties_of_the_user_are_typed() {
        let value = |text: &str| of_user("Name", text).map(|(_, value)| value);
        assert_eq!(value("true"), Some(Value::Bool(true)));
        assert_eq!(value("'a b'"), Some(Value::Text("a b".into())));
        assert_eq!(value("uint64 5"), Some(Value::U64(5)));
        assert_eq!(value("-5"), Some(Value::I32(-5)));
        assert_eq!(value("['a', \"b\"]"), Some(Value::Texts(vec!["a".into(), "b".into()])));
        for wrong in ["", "text", "'a", "uint64 -1", "['a', b]", "@as []x"] {
            assert_eq!(value(wrong), None, "{wrong:?}");
        }
        let seconds = of_user("TimeoutStopSec", "1.5");
        assert_eq!(seconds, Some(("TimeoutStopUSec".into(), Value::U64(1_500_000))));
    }
}
