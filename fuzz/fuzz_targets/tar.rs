//! Tar archives: names stay below the root, there is never more data than the archive has, and
//! what was read is read again as it is written.
#![no_main]

use image::tar::{Entry, Kind, Name, Reader, Writer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|archive: &[u8]| {
    let (entries, _) = read(archive);
    let mut writer = Writer::new(Vec::new());
    // Sparse files are not written, and one attribute cannot be; nor can a root that is no folder.
    let is_writable = |entry: &Entry| {
        entry.fragments.is_none()
            && !entry.attributes.iter().any(|(name, _)| name.contains(&b'='))
            && (entry.kind == Kind::Folder || !entry.name.is_root())
    };
    let written: Vec<_> = entries.into_iter().filter(|(entry, _)| is_writable(entry)).collect();
    for (entry, data) in &written {
        writer.entry(entry).unwrap();
        writer.data(data).unwrap();
    }
    let (again, is_whole) = read(&writer.finish().unwrap());
    assert!(is_whole);
    assert_eq!(again.len(), written.len());
    for ((entry, data), (before, data_before)) in again.iter().zip(&written) {
        // Not written: the time of the last reading.
        assert_eq!(entry, &Entry { accessed: None, ..before.clone() });
        assert_eq!(data, data_before);
    }
});

/// What is complete, and whether that is all.
fn read(archive: &[u8]) -> (Vec<(Entry, Vec<u8>)>, bool) {
    let mut reader = Reader::new(archive);
    let (mut entries, mut total) = (Vec::new(), 0);
    loop {
        let entry = match reader.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => return (entries, true),
            Err(_) => return (entries, false),
        };
        assert!(is_below(&entry.name), "{:?}", entry.name);
        assert!(entry.mode <= 0o7777 && entry.modified.nanoseconds < 1_000_000_000);
        if let Kind::HardLink(target) = &entry.kind {
            assert!(is_below(target), "{target:?}");
        }
        let fragments = entry.fragments.iter().flatten();
        assert!(fragments.clone().is_sorted_by(|one, next| one.offset + one.length <= next.offset));
        assert!(fragments.into_iter().all(|part| part.offset + part.length <= entry.size));
        let mut data = Vec::new();
        loop {
            let Ok(bytes) = reader.data() else { return (entries, false) };
            if bytes.is_empty() {
                break;
            }
            data.extend_from_slice(bytes);
            let count = bytes.len();
            reader.consume(count);
        }
        total += data.len();
        assert!(total <= archive.len());
        entries.push((entry, data));
    }
}

fn is_below(name: &Name) -> bool {
    let bytes = name.as_bytes();
    let is_plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
    name.is_root() || bytes.split(|byte| *byte == b'/').all(is_plain)
}
