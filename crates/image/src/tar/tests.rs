//! Archives made by hand and by [`Writer`], whole, cut and damaged.

use super::{BLOCK, Entry, Error, Fragment, Kind, Name, Problem, Reader, Time, Writer};
use std::io::BufReader;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn file(text: &str, size: u64) -> Entry {
    Entry {
        name: name(text),
        kind: Kind::Regular,
        mode: 0o4751,
        user: 1000,
        group: 100,
        modified: Time { seconds: 1_700_000_000, nanoseconds: 0 },
        accessed: None,
        size,
        fragments: None,
        attributes: Vec::new(),
    }
}

/// A header as a program would write it whose every field is ours.
fn header(kind: u8, name: &[u8], size: &[u8], magic: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name);
    block[100..107].copy_from_slice(b"0000644");
    block[124..124 + size.len()].copy_from_slice(size);
    block[156] = kind;
    block[257..257 + magic.len()].copy_from_slice(magic);
    with_checksum(block)
}

fn with_checksum(mut block: [u8; BLOCK]) -> [u8; BLOCK] {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

const POSIX: &[u8] = b"ustar\x0000";
const GNU: &[u8] = b"ustar  \0";

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(BLOCK), 0);
    padded
}

/// All entries and their data, read through a buffer so small that everything is cut somewhere.
fn read(archive: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, Error> {
    let mut reader = Reader::new(BufReader::with_capacity(100, archive));
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut data = Vec::new();
        loop {
            let bytes = reader.data()?;
            let count = bytes.len();
            if count == 0 {
                break;
            }
            data.extend_from_slice(bytes);
            reader.consume(count);
        }
        entries.push((entry, data));
    }
    assert_eq!(reader.position(), archive.len() as u64);
    Ok(entries)
}

fn problem(archive: &[u8]) -> Problem {
    match read(archive) {
        Err(Error::Format { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

fn all_kinds() -> Vec<Entry> {
    let long = "d/".repeat(120);
    let plain = |kind| Entry { kind, ..file("x", 0) };
    let mut entries = vec![
        Entry { name: Name::default(), ..plain(Kind::Folder) },
        Entry { name: name(&long), ..plain(Kind::Folder) },
        Entry { name: name(&"n".repeat(250)), ..plain(Kind::Fifo) },
        Entry { name: Name::new(b"\xff\xfe").unwrap(), ..plain(Kind::CharacterDevice(4, 300_000)) },
        plain(Kind::BlockDevice(8, 1)),
        plain(Kind::SymbolicLink(b"../../\xff".to_vec())),
        plain(Kind::SymbolicLink(vec![b's'; 101])),
        plain(Kind::HardLink(name(&long))),
    ];
    let times = [(-1, 0), (-2, 500_000_000), (1 << 40, 1), (0, 999_999_999)];
    entries.extend(times.map(|(seconds, nanoseconds)| Entry {
        modified: Time { seconds, nanoseconds },
        user: u32::MAX - 1,
        group: 0o777_7777 + 1,
        attributes: vec![(b"user.a".to_vec(), b"=\0\n".to_vec()), (b"security.x".to_vec(), vec![])],
        ..plain(Kind::Folder)
    }));
    entries
}

#[test]
fn what_is_written_is_read() {
    let mut writer = Writer::new(Vec::new());
    let mut expected: Vec<_> = all_kinds().into_iter().map(|entry| (entry, vec![])).collect();
    for length in [0, 1, 511, 512, 513, 5000] {
        expected.push((file("data", length as u64), vec![7; length]));
    }
    // A name of exactly 100 and 101 bytes, with and without a place to cut it.
    for text in
        ["a".repeat(100), "a".repeat(101), format!("{}/{}", "b".repeat(155), "c".repeat(100))]
    {
        expected.push((file(&text, 0), vec![]));
    }
    for (entry, data) in &expected {
        writer.entry(entry).unwrap();
        data.chunks(100).for_each(|part| writer.data(part).unwrap());
    }
    let archive = writer.finish().unwrap();
    assert_eq!(archive.len() % BLOCK, 0);
    let found = read(&archive).unwrap();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_file_that_changes_while_it_is_written_is_an_error() {
    let mut writer = Writer::new(Vec::new());
    writer.entry(&file("a", 3)).unwrap();
    assert!(writer.data(b"1234").is_err());
    writer.data(b"12").unwrap();
    assert!(writer.entry(&file("b", 0)).is_err());
    assert!(writer.finish().is_err());
}

#[test]
fn an_archive_may_end_without_its_zeros_but_not_inside() {
    let archive = [&header(b'0', b"a", b"00000000003", POSIX)[..], &padded(b"abc")].concat();
    assert_eq!(read(&archive).unwrap()[0].1, b"abc");
    for length in [1, 511, 513, 514] {
        assert_eq!(problem(&archive[..length]), Problem::Truncated, "{length}");
    }
    // `umoci insert` does not even fill the last block.
    for length in [515, 600, 1023] {
        assert_eq!(read(&archive[..length]).unwrap()[0].1, b"abc", "{length}");
    }
    assert_eq!(read(b"").unwrap(), []);
    assert_eq!(read(&[0; BLOCK]).unwrap(), []);
    assert_eq!(read(&[0; 20 * BLOCK]).unwrap(), []);
    // What follows the end is read, for the digest, and is no entry.
    assert_eq!(read(&[&[0; 2 * BLOCK], &archive[..]].concat()).unwrap(), []);
    assert_eq!(problem(&[&[0; BLOCK], &archive[..]].concat()), Problem::LoneZeroBlock);
}

#[test]
fn damage_is_noticed() {
    let good = header(b'0', b"a", b"00000000000", POSIX);
    assert_eq!(read(&good).unwrap()[0].0.mode, 0o644);
    for index in (0..148).chain(156..BLOCK) {
        let mut damaged = good;
        damaged[index] ^= 0x10;
        assert_eq!(problem(&damaged), Problem::Checksum, "{index}");
    }
    assert_eq!(problem(&[1; BLOCK]), Problem::Checksum);
}

#[test]
fn types_that_no_file_can_have_are_refused() {
    for kind in *b"DMNSsA8" {
        let found = problem(&header(kind, b"a", b"0", POSIX));
        let expected = if kind == b'S' { Problem::SparseMap } else { Problem::Type(kind.into()) };
        assert_eq!(found, expected);
    }
    let old = header(0, b"folder/", b"0", b"");
    assert_eq!(read(&old).unwrap()[0].0.kind, Kind::Folder);
    // A volume's name is no file.
    assert_eq!(read(&header(b'V', b"tape", b"0", GNU)).unwrap(), []);
}

#[test]
fn names_that_lead_out_are_refused() {
    for text in [&b"../a"[..], b"a/../../b", b"/../a"] {
        assert!(matches!(problem(&header(b'0', text, b"0", POSIX)), Problem::Name(..)));
    }
    let mut link = header(b'1', b"a", b"0", POSIX);
    link[157..166].copy_from_slice(b"../passwd");
    assert!(matches!(problem(&with_checksum(link)), Problem::Name(..)));
    let absolute = read(&header(b'0', b"/etc/passwd", b"0", POSIX)).unwrap();
    assert_eq!(absolute[0].0.name, name("etc/passwd"));
    assert!(matches!(problem(&header(b'2', b"a", b"0", POSIX)), Problem::Name(..)));
}

#[test]
fn long_names_of_gnu() {
    let long = [&b"n".repeat(300)[..], b"\0"].concat();
    let archive = [
        &header(b'L', b"././@LongLink", b"00000000455", GNU)[..],
        &padded(&long),
        &header(b'K', b"././@LongLink", b"00000000005", GNU),
        &padded(b"link\0"),
        &header(b'2', b"nnn", b"0", GNU),
        &header(b'0', b"b", b"0", GNU),
    ];
    let entries = read(&archive.concat()).unwrap();
    assert_eq!(entries[0].0.name, name(&"n".repeat(300)));
    assert_eq!(entries[0].0.kind, Kind::SymbolicLink(b"link".to_vec()));
    assert_eq!(entries[1].0.name, name("b"));
}

#[test]
fn extended_headers_take_no_memory_on_their_word() {
    for size in [&b"00004000001"[..], b"77777777777", b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"]
    {
        for kind in *b"xgLK" {
            let found = problem(&header(kind, b"a", size, POSIX));
            assert!(matches!(found, Problem::ExtendedHeaderSize(_)), "{found}");
        }
    }
    // Nor by many small ones.
    let one = [&header(b'x', b"a", b"00001000000", POSIX)[..], &vec![0; 1 << 18]].concat();
    assert_eq!(problem(&one.repeat(5)), Problem::ExtendedHeader);
    let empty = header(b'x', b"a", b"0", POSIX);
    assert_eq!(problem(&empty), Problem::NothingExtended);
    assert_eq!(problem(&[&empty[..], &[0; 1024]].concat()), Problem::NothingExtended);
}

#[test]
fn what_a_global_header_says_holds_until_the_end() {
    let archive = [
        &header(b'g', b"g", b"00000000033", POSIX)[..],
        &padded(b"8 uid=7\n19 SCHILY.xattr.a=b"),
        &header(b'0', b"a", b"0", POSIX),
        &header(b'x', b"x", b"00000000010", POSIX),
        &padded(b"8 uid=8\n"),
        &header(b'0', b"b", b"0", POSIX),
        &header(b'0', b"c", b"0", POSIX),
    ];
    let broken = problem(&archive.concat());
    assert_eq!(broken, Problem::ExtendedHeader);
    let mut archive = archive.map(<[u8]>::to_vec);
    archive[0] = header(b'g', b"g", b"00000000010", POSIX).to_vec();
    let users: Vec<_> = read(&archive.concat()).unwrap().iter().map(|it| it.0.user).collect();
    assert_eq!(users, [7, 8, 7]);
}

#[test]
fn numbers_beyond_octal() {
    let mut size = [0; 12];
    size[0] = 0x80;
    size[6..].copy_from_slice(&[0, 2, 0, 0, 0, 0]);
    let block = header(b'0', b"big", &size, GNU);
    let mut reader = Reader::new(&block[..]);
    assert_eq!(reader.next_entry().unwrap().unwrap().size, 8 << 30);
    let mut owner = header(b'0', b"a", b"0", GNU);
    owner[108..116].copy_from_slice(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(problem(&with_checksum(owner)), Problem::Number("uid"));
}

#[test]
fn sparse_files_of_gnu() {
    let mut block = header(b'S', b"s", b"00000000006", GNU);
    let fields = [b"00000000001\0", b"00000000002\0", b"00000001000\0", b"00000000001\0"];
    block[386..434].copy_from_slice(&fields.map(|it| &it[..]).concat());
    block[482] = 1;
    block[483..495].copy_from_slice(b"00000002000\0");
    let mut more = [0; BLOCK];
    more[..24].copy_from_slice(b"00000001500\x0000000000003\0");
    let archive = [&with_checksum(block)[..], &more, &padded(b"abcdef")].concat();
    let entries = read(&archive).unwrap();
    let expected = [(1, 2), (512, 1), (832, 3)].map(|(offset, length)| Fragment { offset, length });
    assert_eq!(entries[0].0.fragments.as_deref(), Some(&expected[..]));
    assert_eq!((entries[0].0.size, &entries[0].1[..]), (1024, &b"abcdef"[..]));
}

#[test]
fn sparse_files_of_posix() {
    let text = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n23 GNU.sparse.name=r/s\n26 GNU.sparse.realsize=10\n";
    let with_map = |map: &[u8], size: &[u8]| {
        [
            &header(b'x', b"x", format!("{:011o}", text.len()).as_bytes(), POSIX)[..],
            &padded(text),
            &header(b'0', b"GNUSparseFile.1/s", size, POSIX),
            &padded(map),
            &padded(b"abc"),
        ]
        .concat()
    };
    let entries = read(&with_map(b"1\n7\n3\n", b"00000001003")).unwrap();
    assert_eq!(entries[0].0.name, name("r/s"));
    assert_eq!(entries[0].0.fragments, Some(vec![Fragment { offset: 7, length: 3 }]));
    assert_eq!(entries[0].1, b"abc");
    for (map, size) in [
        (&b"1\n8\n3\n"[..], &b"00000001003"[..]),
        (b"1\n7\n2\n", b"00000001003"),
        (b"1\n7\n3\n", b"00000000003"),
        (b"999999999\n", b"00000001003"),
        (b"2\n7\n3\n0\n1\n", b"00000001003"),
    ] {
        assert_eq!(problem(&with_map(map, size)), Problem::SparseMap);
    }
}
