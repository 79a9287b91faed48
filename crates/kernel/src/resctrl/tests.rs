use super::{Class, DomainUse, Error, Made, Resctrl, Schemata, check, mount_point};

#[test]
fn is_found_among_other_mounts() {
    let line = "40 20 0:33 / /sys/fs/resctrl rw,relatime shared:9 - resctrl resctrl rw";
    assert_eq!(mount_point(line), Some("/sys/fs/resctrl"));
    assert_eq!(mount_point("1 1 8:1 / / rw - ext4 resctrl rw"), None);
    assert!(matches!(Resctrl::find_in("1 1 8:1 / / rw - ext4 /dev/a rw"), Err(Error::NotMounted)));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["", ".", "..", "a/b", "info", "mon_groups", "a\nb"] {
        assert!(check(name).is_err(), "{name:?}");
    }
    assert!(check("web").is_ok());
}

/// In an ordinary folder, in which the files do not appear by themselves.
#[test]
fn a_class_is_made_once_and_removed() {
    let root = std::env::temp_dir().join(format!("resctrl-{}", std::process::id()));
    std::fs::create_dir_all(root.join("web")).unwrap();
    for file in ["schemata", "tasks"] {
        std::fs::write(root.join("web").join(file), "").unwrap();
    }
    let resctrl = Resctrl::at(root.clone()).unwrap();
    let schemata = vec!["L3:0=f".to_owned(), String::new(), "MB:0=50".to_owned()];
    let class = Class { name: "web".to_owned(), schemata, monitor: None };
    let mut made = Made::default();
    resctrl.assign(&class, 7, &mut made).unwrap();
    assert_eq!(made, Made::default(), "it was there");
    assert_eq!(std::fs::read_to_string(root.join("web/schemata")).unwrap(), "L3:0=f\nMB:0=50\n");
    assert_eq!(std::fs::read_to_string(root.join("web/tasks")).unwrap(), "7");
    let class = Class { name: "new".to_owned(), ..Class::default() };
    resctrl.assign(&class, 7, &mut made).unwrap_err();
    assert_eq!(made.folders, [root.join("new")]);
    made.remove().unwrap();
    made.remove().unwrap();
    assert!(!root.join("new").exists());
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn shares_are_told_with_what_is_used_of_them() {
    let root = std::env::temp_dir().join(format!("resctrl-shares-{}", std::process::id()));
    let file = |path: &str, text: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    file("schemata", "    MB:0=100\n    L3:0=fff\n");
    file("info/L3/cbm_mask", "fff\n");
    file("info/L3/min_cbm_bits", "1\n");
    file("info/L3/num_closids", "16\n");
    file("web/schemata", "    MB:0=20\n    L3:0=f\n");
    file("web/mon_data/mon_L3_00/llc_occupancy", "4096\n");
    file("web/mon_data/mon_L3_00/mbm_total_bytes", "Unavailable\n");
    file("web/mon_data/mon_L3_00/mbm_local_bytes", "7\n");
    let shares = Resctrl::at(root.clone()).unwrap().shares("web", None).unwrap();
    assert_eq!(shares.cache, Some(("fff".to_owned(), 1, 16)));
    assert_eq!(shares.bandwidth, None);
    let schemata =
        |l3: &str, bandwidth: &str| Schemata { l3: l3.into(), bandwidth: bandwidth.into() };
    assert_eq!(shares.root, schemata("L3:0=fff", "MB:0=100"));
    assert_eq!(shares.class, schemata("L3:0=f", "MB:0=20"));
    assert_eq!(shares.domains, [DomainUse { occupancy: 4096, total: 0, local: 7 }]);
    std::fs::remove_dir_all(root).unwrap();
}
