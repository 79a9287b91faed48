//! The forms in which the kernel tells numbers. What has another form is passed over.

use std::collections::BTreeMap;

use super::statistics::{Pressure, RdmaUse, Stall};

/// Lines `KEY VALUE`.
pub(super) fn flat(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, value.trim().parse().ok()?))
    })
}

/// The value of one key of such lines, 0 when it is not there.
pub(super) fn value_of(text: &str, key: &str) -> u64 {
    flat(text).find(|(found, _)| *found == key).map_or(0, |(_, value)| value)
}

/// A limit; `None` for `max` and for what v1 says instead, the greatest multiple of a page.
pub(super) fn limit(text: &str) -> Option<u64> {
    let unlimited = (i64::MAX as u64) & !0xffff;
    text.trim_end().parse().ok().filter(|limit| *limit < unlimited)
}

/// Numbers between spaces.
pub(super) fn numbers(text: &str) -> Vec<u64> {
    text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// `0-2,5` spelled out: cpuset(7), "List format".
pub(super) fn list(text: &str) -> Vec<u16> {
    let mut numbers = Vec::new();
    for part in text.trim_end().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            numbers.extend(first..=last);
        }
    }
    numbers
}

/// `MAJOR:MINOR`.
pub(super) fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0` and the same with `full`.
pub(super) fn pressure(text: &str) -> Option<Pressure> {
    let mut pressure = Pressure::default();
    for line in text.lines() {
        let (kind, values) = line.split_once(' ')?;
        let stall = match kind {
            "some" => &mut pressure.some,
            "full" => &mut pressure.full,
            _ => continue,
        };
        *stall = parse_stall(values);
    }
    Some(pressure)
}

fn parse_stall(values: &str) -> Stall {
    let value = |wanted: &str| {
        let mut pairs = values.split(' ').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == wanted).map_or("", |(_, value)| value)
    };
    Stall {
        average_10: value("avg10").parse().unwrap_or(0.0),
        average_60: value("avg60").parse().unwrap_or(0.0),
        average_300: value("avg300").parse().unwrap_or(0.0),
        total: value("total").parse().unwrap_or(0),
    }
}

/// Lines `DEVICE hca_handle=N hca_object=N`, once for what is used and once for the limits.
pub(super) fn rdma(current: &str, limits: &str) -> BTreeMap<String, RdmaUse> {
    let mut devices = BTreeMap::<String, RdmaUse>::new();
    let pairs = |text: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let pairs = lines.flat_map(|(device, rest)| {
            let pairs = rest.split(' ').filter_map(|pair| pair.split_once('='));
            pairs.map(|(key, value)| (device.to_owned(), key.to_owned(), value.to_owned()))
        });
        pairs.collect::<Vec<_>>()
    };
    for (text, is_limit) in [(current, false), (limits, true)] {
        for (device, key, value) in pairs(text) {
            let device = devices.entry(device).or_default();
            let usage = match key.as_str() {
                "hca_handle" => &mut device.hca_handles,
                "hca_object" => &mut device.hca_objects,
                _ => continue,
            };
            if is_limit {
                usage.limit = limit(&value);
            } else {
                usage.usage = value.parse().unwrap_or(0);
            }
        }
    }
    devices
}

#[cfg(test)]
mod tests {
    use super::{limit, list, pressure, rdma, value_of};

    #[test]
    fn no_limit_has_several_spellings() {
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("9223372036854771712\n"), None);
        assert_eq!(limit("4096\n"), Some(4096));
    }

    #[test]
    fn lists_are_spelled_out() {
        assert_eq!(list("0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(list("\n"), [0; 0]);
    }

    #[test]
    fn keys_are_whole_words() {
        assert_eq!(value_of("oom_kill_disable 1\noom_kill 7\n", "oom_kill"), 7);
        assert_eq!(value_of("oom_kill_disable 1\n", "oom_kill"), 0);
    }

    #[test]
    fn pressure_has_two_lines() {
        let text = "some avg10=48.11 avg60=0.50 avg300=1.00 total=12\nfull avg10=0.25 avg60=0.00 avg300=0.00 total=3\n";
        let found = pressure(text).unwrap();
        assert_eq!((found.some.average_10, found.some.total), (48.11, 12));
        assert_eq!((found.full.average_10, found.full.total), (0.25, 3));
    }

    #[test]
    fn rdma_devices_have_use_and_limit() {
        let found =
            rdma("mlx4_0 hca_handle=2 hca_object=9\n", "mlx4_0 hca_handle=5 hca_object=max\n");
        let device = found["mlx4_0"];
        assert_eq!((device.hca_handles.usage, device.hca_handles.limit), (2, Some(5)));
        assert_eq!((device.hca_objects.usage, device.hca_objects.limit), (9, None));
    }
}
