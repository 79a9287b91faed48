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
    for name in ["", ".", "..", "a/b", "/a", "info", "mon_groups", "a\nb"] {
        assert!(check(name).is_err(), "{name:?}");
    }
    for name in ["web", Class::DEFAULT] {
        assert!(check(name).is_ok(), "{name:?}");
    }
}

/// An ordinary folder, in which the files do not appear by themselves.
struct Fake(std::path::PathBuf);

impl Fake {
    fn new(name: &str) -> Fake {
        let root = std::env::temp_dir().join(format!("resctrl-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        Fake(root)
    }

    fn resctrl(&self) -> Resctrl {
        Resctrl::at(self.0.clone()).unwrap()
    }

    fn class(&self, path: &str, schemata: &str) {
        let folder = self.0.join(path);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("schemata"), schemata).unwrap();
        std::fs::write(folder.join("tasks"), "").unwrap();
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.0.join(path)).unwrap()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn chosen(name: &str, agreed: &[&str], schemata: &[&str]) -> Class {
    let lines = |lines: &[&str]| lines.iter().map(|&it| it.to_owned()).collect();
    let (agreed, schemata) = (lines(agreed), lines(schemata));
    Class { name: name.to_owned(), is_chosen: true, agreed, schemata, monitor: None }
}

#[test]
fn a_class_of_ones_own_is_made_and_removed() {
    let fake = Fake::new("own");
    let class = Class { name: "new".to_owned(), ..Class::default() };
    let mut made = Made::default();
    // No kernel has put a file there.
    fake.resctrl().assign(&class, 7, &mut made).unwrap_err();
    assert_eq!(made.folders, [fake.0.join("new")]);
    made.remove().unwrap();
    made.remove().unwrap();
    assert!(!fake.0.join("new").exists());
}

#[test]
fn a_chosen_class_stays() {
    let fake = Fake::new("chosen");
    let mut made = Made::default();
    fake.resctrl().assign(&chosen("web", &[], &["L3:0=f"]), 7, &mut made).unwrap_err();
    assert_eq!(made, Made::default());
    assert!(fake.0.join("web").exists());
    let missing = fake.resctrl().assign(&chosen("db", &[], &[]), 7, &mut made);
    assert!(matches!(missing, Err(Error::Missing(name)) if name == "db"));
    assert!(!fake.0.join("db").exists());
    fake.class("db", "");
    fake.resctrl().assign(&chosen("db", &[], &[]), 7, &mut made).unwrap();
    assert_eq!((fake.text("db/tasks"), fake.text("db/schemata")), ("7".into(), String::new()));
}

#[test]
fn a_chosen_class_must_agree() {
    let fake = Fake::new("agree");
    let present = "    MB:0= 50;1=100\n    L3:0=00f;1=fff\n";
    fake.class("web", present);
    let assign = |agreed: &[&str], schemata: &[&str]| {
        fake.resctrl().assign(&chosen("web", agreed, schemata), 7, &mut Made::default())
    };
    assign(&["L3:0=F;1=0fff", "MB:1=100"], &[]).unwrap();
    assert_eq!(fake.text("web/schemata"), present, "nothing is written");
    for line in ["L3:0=e", "L3:2=f", "L2:0=f", "MB:0=5"] {
        let error = assign(&[line], &[]).unwrap_err();
        assert!(matches!(error, Error::Disagrees { .. }), "{line}: {error}");
    }
    assign(&["L3:0=f"], &["L3:0=e"]).unwrap();
    assert!(fake.text("web/schemata").starts_with("L3:0=e\n"), "written after it was compared");
}

#[test]
fn the_default_class_is_the_root() {
    let fake = Fake::new("default");
    fake.class("", "L3:0=fff\n");
    std::fs::create_dir_all(fake.0.join("mon_groups")).unwrap();
    let monitor = Some("box".to_owned());
    let class = Class { monitor, ..chosen(Class::DEFAULT, &[], &[]) };
    let mut made = Made::default();
    fake.resctrl().assign(&class, 7, &mut made).unwrap_err();
    assert_eq!(fake.text("tasks"), "7");
    assert_eq!(made.folders, [fake.0.join("./mon_groups/box")]);
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
