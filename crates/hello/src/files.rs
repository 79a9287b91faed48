//! Which files there are, and which could be changed.

use crate::{line, read, section};

/// What a container should not see.
const SECRETS: &[&str] =
    &["/proc/kcore", "/proc/keys", "/proc/sysrq-trigger", "/sys/firmware", "/dev/mem"];

/// Prints all of it.
pub(crate) fn show() {
    section("files");
    let mounts = read("/proc/self/mounts").unwrap_or_default();
    let mounts: Vec<_> = mounts.lines().filter_map(mount).collect();
    line("root", mounts.iter().rev().find(|mount| mount.place == "/").map(Mount::describe));
    line("mounts", Some(mounts.len()));
    let writable = mounts.iter().filter(|mount| mount.is_writable());
    line("writable", joined(writable.map(|mount| mount.place.to_owned())));
    line("devices", joined(names("/dev").into_iter()));
    let open = SECRETS.iter().filter(|path| is_open(path)).map(|path| (*path).to_owned());
    line("not hidden", joined(open));
}

/// A line of `/proc/self/mounts`.
struct Mount<'a> {
    place: &'a str,
    kind: &'a str,
    options: &'a str,
}

fn mount(line: &str) -> Option<Mount<'_>> {
    let mut words = line.split(' ').skip(1);
    Some(Mount { place: words.next()?, kind: words.next()?, options: words.next()? })
}

impl Mount<'_> {
    fn is_writable(&self) -> bool {
        self.options.split(',').any(|option| option == "rw")
    }

    fn describe(&self) -> String {
        format!("{}, {}", self.kind, if self.is_writable() { "writable" } else { "read-only" })
    }
}

/// Whether there is something to be read.
fn is_open(path: &str) -> bool {
    match std::fs::metadata(path) {
        Ok(status) if status.is_dir() => !names(path).is_empty(),
        Ok(_) => std::fs::File::open(path).is_ok_and(|mut file| {
            let mut byte = [0];
            std::io::Read::read(&mut file, &mut byte).is_ok_and(|count| count > 0)
        }),
        Err(_) => false,
    }
}

fn names(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Some of them, if there are any.
fn joined(texts: impl Iterator<Item = String>) -> Option<String> {
    const SHOWN: usize = 20;
    let texts: Vec<_> = texts.collect();
    let more = texts.len().saturating_sub(SHOWN);
    let text = texts[..texts.len() - more].join(" ");
    match (texts.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(text),
        (false, more) => Some(format!("{text} and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::{joined, mount};

    #[test]
    fn mounts_are_described() {
        let root = mount("overlay / overlay ro,relatime,lowerdir=/a 0 0").unwrap();
        assert_eq!((root.place, root.describe().as_str()), ("/", "overlay, read-only"));
        assert!(mount("tmpfs /dev tmpfs rw,nosuid 0 0").unwrap().is_writable());
    }

    #[test]
    fn long_lists_are_cut() {
        let many = (0..22).map(|number| number.to_string());
        assert!(joined(many).unwrap().ends_with("19 and 2 more"));
        assert_eq!(joined(std::iter::empty()), None);
    }
}
