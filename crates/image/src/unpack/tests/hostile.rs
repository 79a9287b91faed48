//! Layers that want to get out.

use super::*;

#[test]
fn links_as_parents_stay_in_the_root() {
    for target in ["/", "../..", "../../../../../../..", "/../.."] {
        let scratch = Scratch::new();
        // From inside the root, all of these lead to the root itself.
        let victim = scratch.0.join("victim");
        let inside = victim.strip_prefix("/").unwrap().to_str().unwrap();
        scratch.unpack(&layer([
            link("out", target),
            file(&format!("out{}/file", victim.display())),
            folder(&format!("out/{inside}/folder")),
        ]));
        scratch.assert_unharmed();
        assert!(scratch.at(&format!("{inside}/folder")).is_dir());
    }
    let scratch = Scratch::new();
    let victim = scratch.0.join("victim");
    let hostile = layer([link("out", victim.to_str().unwrap()), file("out/evil")]);
    // The link leads to what is not in the root.
    assert!(matches!(scratch.unpack_with(&hostile, &Options::default()), Err(Error::Kernel(..))));
    scratch.assert_unharmed();
}

#[test]
fn nothing_is_written_through_a_link() {
    let scratch = Scratch::new();
    let outside = scratch.0.join("victim/file");
    let outside = outside.to_str().unwrap();
    let relative = "../victim/file";
    scratch.unpack(&layer([
        link("a", outside),
        file("a"),
        link("b", relative),
        Entry { mode: 0o4777, user: 5, ..with(file("b"), "user.a", b"b") },
        link("c", "../victim"),
        Entry { mode: 0o700, user: 5, ..folder("c") },
        link("d", outside),
        entry("d", Kind::Fifo),
        with(Entry { user: 5, ..link("e", outside) }, "trusted.a", b"b"),
    ]));
    scratch.assert_unharmed();
    assert!(scratch.status("a").is_file() && scratch.status("b").is_file());
    assert!(scratch.status("c").is_dir());
    assert!(attribute(Path::new(outside), "trusted.a").is_none());
}

#[test]
fn folders_that_become_links_are_not_finished_outside() {
    let scratch = Scratch::new();
    let victim = scratch.0.join("victim");
    let before = fs::metadata(&victim).unwrap().mtime();
    let default_acl = acl();
    scratch.unpack(&layer([
        folder("a"),
        with(folder("a/b"), "system.posix_acl_default", &default_acl),
        link("a", victim.parent().unwrap().to_str().unwrap()),
        with(folder("victim"), "system.posix_acl_default", &default_acl),
        link("victim", victim.to_str().unwrap()),
    ]));
    scratch.assert_unharmed();
    assert_eq!(fs::metadata(&victim).unwrap().mtime(), before);
    assert_eq!(attribute(&victim, "system.posix_acl_default"), None);
}

#[test]
fn hard_links_reach_nothing_outside() {
    let scratch = Scratch::new();
    let victim = scratch.0.join("victim/file");
    let inside = victim.strip_prefix("/").unwrap().to_str().unwrap();
    for entries in [
        vec![hard_link("stolen", victim.to_str().unwrap())],
        vec![link("out", "/"), hard_link("stolen", &format!("out/{inside}"))],
        vec![link("out", "../victim"), hard_link("stolen", "out/file")],
        vec![hard_link("stolen", "missing")],
        vec![folder("folder"), hard_link("stolen", "folder")],
        vec![hard_link("stolen", "")],
    ] {
        let result = scratch.unpack_with(&layer(entries), &Options::default());
        assert!(matches!(result, Err(Error::Kernel(..) | Error::Refused(..))), "{result:?}");
        scratch.assert_unharmed();
    }
    // A link to a link is one to the link, not to what it leads to.
    scratch.unpack(&layer([link("link", victim.to_str().unwrap()), hard_link("second", "link")]));
    assert!(scratch.status("second").is_symlink());
    scratch.assert_unharmed();
}

#[test]
fn whiteouts_of_what_always_exists_are_refused() {
    for name in [".wh.", ".wh..", ".wh...", "a/.wh...", ".wh.a/b", "a/.wh..wh..opq/b"] {
        let scratch = Scratch::new();
        let result = scratch.unpack_with(&layer([file(name)]), &Options::default());
        assert!(matches!(result, Err(Error::Refused(..))), "{name}: {result:?}");
        scratch.assert_unharmed();
    }
}

#[test]
fn a_layer_cannot_set_marks_of_overlayfs() {
    let scratch = Scratch::new();
    let marks = ["trusted.overlay.redirect", "user.overlay.metacopy", "trusted.overlay.opaque"];
    let marked = marks.iter().fold(folder("a"), |entry, mark| with(entry, mark, b"/etc"));
    let unpacked = scratch.unpack(&layer([with(marked, "security.selinux", b"x")]));
    for mark in marks {
        assert_eq!(attribute(&scratch.at("a"), mark), None);
    }
    assert_eq!(unpacked.skipped, []);
}

#[test]
fn limits_hold() {
    let scratch = Scratch::new();
    let limits = |bytes, entries| Options {
        limits: Limits { bytes, entries, ratio: 1, folders: 1000 },
        ..Options::default()
    };
    let small = layer([file("a"), file("b"), file("c")]);
    let result = scratch.unpack_with(&small, &limits(1 << 20, 2));
    assert!(matches!(result, Err(Error::TooManyEntries(2))), "{result:?}");
    let result = scratch.unpack_with(&small, &limits(1 << 10, 3));
    assert!(matches!(result, Err(Error::Inflate(_))), "{result:?}");
    scratch.unpack_with(&small, &limits(1 << 20, 3)).unwrap();
}

#[test]
fn folders_do_not_fill_the_memory() {
    let scratch = Scratch::new();
    let with =
        |folders| Options { limits: Limits { folders, ..Limits::default() }, ..Options::default() };
    let names = (0..100).map(|number| format!("folder{number}"));
    let many = layer(names.map(|name| folder(&name)));
    let result = scratch.unpack_with(&many, &with(2000));
    assert!(matches!(result, Err(Error::TooManyFolders(2000))), "{result:?}");
    // Few entries, of which each makes many folders.
    let deep = |number| file(&format!("{number}/{}f", "d/".repeat(1000)));
    let result = scratch.unpack_with(&layer((0..30).map(deep)), &Options::default());
    assert!(matches!(result, Err(Error::TooManyFolders(_))), "{result:?}");
    scratch.unpack_with(&many, &with(10_000)).unwrap();
    scratch.unpack_with(&layer((30..33).map(deep)), &Options::default()).unwrap();
}

#[test]
fn what_is_not_what_was_asked_for_is_named_first() {
    let scratch = Scratch::new();
    let root = scratch.root();
    let good = layer([file("a")]).0;
    let digest = Hasher::of(Algorithm::Sha256, &good);
    let other = Hasher::of(Algorithm::Sha256, b"");
    let unpack = |bytes: &[u8], digest, diff_id| {
        unpack(bytes, Expected { digest, diff_id }, &root, &Options::default(), &|_| ())
            .map(|it| it.size)
    };
    assert_eq!(unpack(&good, &digest, &digest).unwrap(), good.len() as u64);
    let part = |result| match result {
        Err(Error::Digest { part, .. }) => part,
        other => panic!("{other:?}"),
    };
    assert_eq!(part(unpack(&good, &digest, &other)), Part::Archive);
    assert_eq!(part(unpack(&good, &other, &digest)), Part::Blob);
    // Damaged, cut, longer: whatever that makes of the archive.
    let mut damaged = good.clone();
    damaged[3] ^= 1;
    for bytes in [&damaged[..], &good[..700], &[&good[..], b"x"].concat()] {
        assert_eq!(part(unpack(bytes, &digest, &digest)), Part::Blob);
    }
    // A digest that fits an archive that is none.
    let digest = Hasher::of(Algorithm::Sha256, &damaged);
    assert!(matches!(unpack(&damaged, &digest, &digest), Err(Error::Archive(_))));
}

#[test]
fn trees_of_any_depth_are_removed() {
    let scratch = Scratch::new();
    // Links make it deeper than any path can be.
    let deep = "dddddddddd/".repeat(180);
    let entries = [
        folder(&deep),
        link("s", &deep[..1979]),
        folder(&format!("s/{deep}")),
        link("t", &format!("s/{}", &deep[..1979])),
        folder(&format!("t/{deep}")),
        file(&format!("t/{deep}/file")),
        file("dddddddddd"),
    ];
    scratch.unpack(&layer(entries));
    assert!(scratch.status("dddddddddd").is_file());
}

#[test]
fn removing_follows_no_link() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.at("tree")).unwrap();
    symlink(scratch.0.join("victim"), scratch.at("tree/folder")).unwrap();
    symlink(scratch.0.join("victim/file"), scratch.at("tree/file")).unwrap();
    symlink(scratch.0.join("victim"), scratch.at("link")).unwrap();
    fs::set_permissions(scratch.at("tree"), fs::Permissions::from_mode(0o0)).unwrap();
    let root = fs::File::open(scratch.at("")).unwrap();
    for name in ["tree", "link", "missing"] {
        remove(root.as_fd(), name.as_bytes()).unwrap();
    }
    assert_eq!(fs::read_dir(scratch.at("")).unwrap().count(), 0);
    scratch.assert_unharmed();
}
