//! Layers that are to come out as they went in.

use super::*;

#[test]
fn everything_is_as_the_layer_says() {
    let scratch = Scratch::new();
    let owned = |entry: Entry| Entry { user: 1234, group: 70_000, ..entry };
    // A capability set of version 2 with cap_net_raw: what `setcap` writes.
    let capability = [&[1, 0, 0, 2][..], &(1_u32 << 13).to_le_bytes(), &[0; 12]].concat();
    scratch.unpack(&layer([
        folder(""),
        Entry { mode: 0o1777, ..folder("tmp") },
        Entry { mode: 0o2750, ..owned(folder("shared")) },
        Entry { mode: 0o4711, ..owned(file("tmp/su")) },
        Entry { mode: 0o640, ..file("shared/file") },
        with(with(owned(file("capable")), "security.capability", &capability), "user.a", b"b\0c"),
        with(folder("folder"), "user.on", b"folder"),
        Entry {
            modified: Time { seconds: -5, nanoseconds: 1 },
            ..owned(link("link", "/no/where"))
        },
        with(link("marked", "x"), "trusted.on", b"link"),
        hard_link("second", "tmp/su"),
        Entry { mode: 0o620, ..owned(entry("tty", Kind::CharacterDevice(4, 300))) },
        entry("disk", Kind::BlockDevice(259, 70_000)),
        Entry { mode: 0o600, ..entry("pipe", Kind::Fifo) },
    ]));
    let owner = |path| (scratch.status(path).uid(), scratch.status(path).gid());
    let mode = |path| scratch.status(path).mode() & 0o7777;
    assert_eq!((mode("tmp"), mode("shared"), mode("tmp/su")), (0o1777, 0o2750, 0o4711));
    // Neither group nor mode is inherited from the folder that would give them.
    assert_eq!((mode("shared/file"), owner("shared/file")), (0o640, (0, 0)));
    for path in ["shared", "tmp/su", "capable", "link", "tty"] {
        assert_eq!(owner(path), (1234, 70_000), "{path}");
    }
    assert_eq!(attribute(&scratch.at("capable"), "security.capability"), Some(capability));
    assert_eq!(attribute(&scratch.at("capable"), "user.a").as_deref(), Some(&b"b\0c"[..]));
    assert_eq!(attribute(&scratch.at("folder"), "user.on").as_deref(), Some(&b"folder"[..]));
    assert_eq!(attribute(&scratch.at("marked"), "trusted.on").as_deref(), Some(&b"link"[..]));
    assert_eq!(fs::read_link(scratch.at("link")).unwrap(), Path::new("/no/where"));
    assert_eq!(scratch.status("tmp/su").ino(), scratch.status("second").ino());
    assert_eq!(scratch.status("tty").rdev(), makedev(4, 300));
    assert_eq!(scratch.status("disk").rdev(), makedev(259, 70_000));
    assert!(scratch.status("tty").file_type().is_char_device() && mode("tty") == 0o620);
    assert!(scratch.status("disk").file_type().is_block_device());
    assert!(scratch.status("pipe").file_type().is_fifo() && mode("pipe") == 0o600);
    assert_eq!((scratch.status("link").mtime(), scratch.status("link").mtime_nsec()), (-5, 1));
    for path in ["", "tmp", "tmp/su", "shared", "folder", "marked", "tty", "pipe"] {
        assert_eq!(
            (scratch.status(path).mtime(), scratch.status(path).mtime_nsec()),
            (1000, 5),
            "{path}"
        );
    }
    assert_eq!(fs::read_to_string(scratch.at("capable")).unwrap(), "capable");
}

#[test]
fn no_umask_changes_the_modes() {
    let scratch = Scratch::new();
    let wide = [folder("a"), file("b/c"), entry("pipe", Kind::Fifo)];
    let wide = layer(wide.map(|entry| Entry { mode: 0o777, ..entry }));
    // It is of all threads, so it is not really set: what the kernel leaves away is more.
    let umask = Mode::from_raw_mode(0o777);
    extract(Reader::new(&wide.0[..]), &scratch.root(), &Options::default(), umask, &|_| ())
        .unwrap();
    for (path, mode) in [("a", 0o777), ("b", 0o755), ("b/c", 0o777), ("pipe", 0o777)] {
        assert_eq!(scratch.status(path).mode() & 0o7777, mode, "{path}");
    }
}

#[test]
fn later_entries_win() {
    let scratch = Scratch::new();
    scratch.unpack(&layer([
        folder("was/a/folder"),
        file("was/a/folder/file"),
        Entry { mode: 0o600, ..file("was") },
        file("grew"),
        Entry { mode: 0o711, user: 3, ..folder("grew") },
        file("grew/inside"),
        folder("kept"),
        file("kept/file"),
        Entry { mode: 0o700, modified: Time { seconds: 7, nanoseconds: 0 }, ..folder("kept") },
        file("twice"),
        hard_link("twice", "twice"),
        hard_link("other", "twice"),
        hard_link("twice", "other"),
        file("linked"),
        hard_link("linked", "twice"),
    ]));
    assert!(scratch.status("was").is_file());
    assert_eq!(scratch.status("grew").mode() & 0o7777, 0o711);
    assert_eq!(scratch.status("grew").uid(), 3);
    assert!(scratch.status("grew/inside").is_file());
    assert!(scratch.status("kept/file").is_file());
    assert_eq!((scratch.status("kept").mode() & 0o777, scratch.status("kept").mtime()), (0o700, 7));
    assert_eq!(scratch.status("twice").nlink(), 3);
    assert_eq!(fs::read_to_string(scratch.at("linked")).unwrap(), "twice");
}

#[test]
fn a_folder_replaced_meanwhile_is_looked_up_again() {
    let scratch = Scratch::new();
    scratch.unpack(&layer([
        file("a/b/first"),
        link("a", "elsewhere"),
        folder("elsewhere/b"),
        file("a/b/second"),
    ]));
    assert!(scratch.at("elsewhere/b/second").is_file());
    assert!(!scratch.at("elsewhere/b/first").exists());
}

#[test]
fn whiteouts_take_the_form_of_overlayfs() {
    for (marks, mark) in
        [(Marks::Trusted, "trusted.overlay.opaque"), (Marks::User, "user.overlay.opaque")]
    {
        let scratch = Scratch::new();
        let whiteouts = layer([
            file("etc/.wh.gone"),
            file("var/.wh..wh..opq"),
            // Gone below, and again here: only a folder would let it through.
            file(".wh.again"),
            folder("again"),
            file("again/file"),
            file(".wh.implied"),
            file("implied/folder/file"),
            folder("before"),
            file(".wh.before"),
            file("plain"),
            file(".wh.plain"),
            file(".wh.replaced"),
            file("replaced"),
            file(".wh..wh.aufs"),
            file(".wh..wh.plnk/1"),
        ]);
        let options = Options { marks, ..Options::default() };
        let unpacked = scratch.unpack_with(&whiteouts, &options).unwrap();
        assert!(is_whiteout(&scratch.status("etc/gone")));
        for opaque in ["var", "again", "implied", "before"] {
            assert_eq!(
                attribute(&scratch.at(opaque), mark).as_deref(),
                Some(&b"y"[..]),
                "{opaque}"
            );
        }
        for transparent in ["etc", "implied/folder"] {
            assert_eq!(attribute(&scratch.at(transparent), mark), None, "{transparent}");
        }
        for path in ["plain", "replaced", "again/file", "implied/folder/file"] {
            assert!(scratch.status(path).is_file(), "{path}");
        }
        let names = fs::read_dir(scratch.at("")).unwrap().map(|it| it.unwrap().file_name());
        assert!(!names.into_iter().any(|name| name.as_bytes().starts_with(b".wh")));
        assert!(!unpacked.hides_all_below);
        let implied: Vec<_> = unpacked.implied.iter().map(|it| it.as_bytes().to_vec()).collect();
        assert_eq!(
            implied,
            ["etc", "implied", "implied/folder", "var"].map(|it| it.as_bytes().to_vec())
        );
    }
    let scratch = Scratch::new();
    assert!(scratch.unpack(&layer([file(".wh..wh..opq")])).hides_all_below);
}

#[test]
fn what_is_inherited_comes_last() {
    let scratch = Scratch::new();
    scratch.unpack(&layer([
        with(folder("a"), "system.posix_acl_default", &acl()),
        Entry { mode: 0o666, ..file("a/file") },
    ]));
    assert_eq!(attribute(&scratch.at("a"), "system.posix_acl_default"), Some(acl()));
    assert_eq!(scratch.status("a/file").mode() & 0o7777, 0o666);
}

#[test]
fn names_are_bytes() {
    let scratch = Scratch::new();
    let name = Name::new(b"\xff/\xfe\n").unwrap();
    scratch.unpack(&layer([Entry { name, ..file("") }]));
    let path = scratch.0.join("root").join(std::ffi::OsStr::from_bytes(b"\xff/\xfe\n"));
    assert_eq!(fs::read(path).unwrap(), b"\xff/\xfe\n");
}

#[test]
fn folders_without_an_entry_have_the_time_of_what_made_them() {
    let scratch = Scratch::new();
    let unpacked = scratch.unpack(&layer([file("a/b/c"), folder("a")]));
    for path in ["", "a/b"] {
        assert_eq!(scratch.status(path).mtime(), 1000, "{path}");
    }
    assert_eq!(scratch.status("a/b").mode() & 0o7777, 0o755);
    assert_eq!(unpacked.implied, [Name::new(b"a/b").unwrap()]);
}

#[test]
fn holes_stay_holes() {
    let scratch = Scratch::new();
    let size: u64 = 9 << 30;
    let modified = Time::default();
    let mut header = layer([Entry { modified, ..file("sparse") }]).0;
    let fragments =
        [Fragment { offset: 4096, length: 3 }, Fragment { offset: size - 2, length: 1 }];
    // GNU's header: the map in place of the prefix.
    header[257..265].copy_from_slice(b"ustar  \0");
    header[156] = b'S';
    header[124..136].copy_from_slice(b"00000000004\0");
    let number = |number: u64| {
        let mut field = [0; 12];
        field[0] = 0x80;
        field[4..].copy_from_slice(&number.to_be_bytes());
        field
    };
    for (index, fragment) in fragments.iter().enumerate() {
        let at = 386 + 24 * index;
        header[at..at + 12].copy_from_slice(&number(fragment.offset));
        header[at + 12..at + 24].copy_from_slice(&number(fragment.length));
    }
    header[483..495].copy_from_slice(&number(size));
    header[148..156].fill(b' ');
    let sum: u32 = header[..512].iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header[512..516].copy_from_slice(b"abcd");
    scratch.unpack(&Layer(header));
    let status = scratch.status("sparse");
    assert_eq!(status.size(), size);
    assert!(status.blocks() * 512 < 1 << 20, "{} blocks", status.blocks());
    let file = fs::File::open(scratch.at("sparse")).unwrap();
    let mut bytes = [9; 4];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 4096).unwrap();
    assert_eq!(&bytes, b"abc\0");
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes[..2], size - 2).unwrap();
    assert_eq!(&bytes[..2], b"d\0");
}

#[test]
fn owners_are_mapped_or_refused() {
    let scratch = Scratch::new();
    let map = vec![IdRange { inside: 0, outside: 100_000, count: 10 }];
    let owners = Owners::Map { users: map.clone(), groups: map };
    let options = Options { owners, ..Options::default() };
    let mapped = [folder(""), folder("a"), file("b"), link("c", "d"), entry("e", Kind::Fifo)];
    let mapped = mapped.map(|entry| Entry { user: 3, ..entry });
    scratch.unpack_with(&layer(mapped), &options).unwrap();
    for path in ["", "a", "b", "c", "e"] {
        let status = scratch.status(path);
        assert_eq!((status.uid(), status.gid()), (100_003, 100_000), "{path}");
    }
    let result = scratch.unpack_with(&layer([Entry { user: 10, ..file("a") }]), &options);
    assert!(matches!(result, Err(Error::Refused(_, why)) if why.contains("user 10")));
}
