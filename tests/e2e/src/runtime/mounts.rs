//! Mounts: kinds, options, targets.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::Resource;
use serde_json::json;

use super::support::{Bundle, Container, unshare_mounts};
use crate::expect_eq;
use crate::support::scratch;

/// Fields of a line of `/proc/self/mountinfo`.
#[derive(Debug)]
pub(super) struct Mounted {
    /// Of the mount itself.
    pub(super) options: Vec<String>,
    propagation: String,
    kind: String,
    super_options: Vec<String>,
}

impl Mounted {
    fn has(&self, option: &str) -> bool {
        self.options.iter().chain(&self.super_options).any(|it| it == option)
    }
}

/// What is mounted last at `target` in a container with this configuration.
fn mounted(target: &str, change: impl FnOnce(Bundle) -> Bundle) -> Result<Mounted> {
    let container = Container::new(change(Bundle::script("cat /proc/self/mountinfo")?))?;
    find(&container.output()?, target)
}

pub(super) fn find(text: &str, target: &str) -> Result<Mounted> {
    let matches = |line: &&str| line.split(' ').nth(4) == Some(target);
    let line = text.lines().rev().find(matches).with_context(|| format!("{target} in {text}"))?;
    let (left, right) = line.split_once(" - ").context("a dash")?;
    let (left, right): (Vec<&str>, Vec<&str>) =
        (left.split(' ').collect(), right.split(' ').collect());
    let list = |text: &str| text.split(',').map(str::to_owned).collect();
    Ok(Mounted {
        options: list(left[5]),
        propagation: left[6..].join(" "),
        kind: right[0].to_owned(),
        super_options: list(right[2]),
    })
}

/// As where `/sys` is the machine's, with its cgroups, and the container's are to be in their place.
pub(crate) fn a_file_system_is_mounted_where_it_is_already() -> Result<()> {
    let found = mounted("/sys", |bundle| {
        let bundle = bundle.without_mount("/sys");
        let bundle = bundle.mount("/sys", "sysfs", "sysfs", "nodev");
        bundle.mount("/sys", "sysfs", "sysfs", "noexec,ro")
    })?;
    ensure!(found.has("noexec") && found.has("ro") && !found.has("nodev"), "{found:?}");
    Ok(())
}

/// A folder `tree` with a file, and a tmpfs mounted at `tree/inner`.
fn tree() -> Result<std::path::PathBuf> {
    unshare_mounts()?;
    let tree = scratch("tree");
    fs::create_dir_all(tree.join("inner"))?;
    fs::write(tree.join("file"), "outer\n")?;
    mount("none", tree.join("inner"), "tmpfs", MountFlags::empty(), None)?;
    fs::write(tree.join("inner/file"), "inner\n")?;
    Ok(tree)
}

/// Each word by what the kernel then shows; a minus means that it must not show it.
pub(crate) fn every_option_of_a_mount_has_its_effect() -> Result<()> {
    // tidy: table
    let words = [
        ("ro", "ro"),
        ("rw", "rw"),
        ("nosuid", "nosuid"),
        ("nosuid,suid", "-nosuid"),
        ("nodev", "nodev"),
        ("nodev,dev", "-nodev"),
        ("noexec", "noexec"),
        ("noexec,exec", "-noexec"),
        ("noatime", "noatime"),
        ("noatime,atime", "-noatime"),
        ("nodiratime", "nodiratime"),
        ("nodiratime,diratime", "-nodiratime"),
        ("relatime", "relatime"),
        ("norelatime", "-noatime"),
        ("strictatime", "-relatime"),
        ("strictatime,nostrictatime", "relatime"),
        ("nosymfollow", "nosymfollow"),
        ("nosymfollow,symfollow", "-nosymfollow"),
        ("sync", "sync"),
        ("sync,async", "-sync"),
        ("dirsync", "dirsync"),
        ("lazytime", "lazytime"),
        ("lazytime,nolazytime", "-lazytime"),
        ("mand,nomand", "-mand"),
        ("defaults", "rw"),
        ("silent,loud", "rw"),
        ("noiversion", "rw"),
        ("size=8192", "size=8k"),
        ("mode=0711,nr_inodes=77", "nr_inodes=77"),
    ];
    for (options, effect) in words {
        let found = mounted("/work", |bundle| bundle.mount("/work", "tmpfs", "tmpfs", options))
            .with_context(|| options.to_owned())?;
        let held = match effect.strip_prefix('-') {
            Some(absent) => !found.has(absent),
            None => found.has(effect),
        };
        ensure!(held && found.kind == "tmpfs", "{options} gives {found:?}, not {effect}");
    }
    Ok(())
}

/// What a bind mount has of itself, beside what its source has.
pub(crate) fn options_of_a_bind_mount_are_its_own() -> Result<()> {
    let tree = tree()?;
    for (options, inner, outer) in [
        ("bind,ro,nosuid,nodev,noexec", None, "ro nosuid nodev noexec"),
        ("rbind,ro", Some("rw"), "ro"),
        ("rbind,rro", Some("ro"), "ro"),
        ("rbind,rnosuid,rnodev,rnoexec", Some("nosuid nodev noexec"), "nosuid nodev noexec"),
        ("rbind,rnoatime,rnosymfollow", Some("noatime nosymfollow"), "noatime nosymfollow"),
        ("rbind,rnodiratime", Some("nodiratime"), "nodiratime"),
        ("rbind,ro,rrw", Some("rw"), "rw"),
        ("rbind,nosuid,rsuid,rdev,rexec,ratime,rsymfollow,rdiratime", Some("rw"), "rw"),
        ("rbind,rrelatime", Some("relatime"), "relatime"),
    ] {
        let script = "cat /proc/self/mountinfo; ls /work/inner";
        let bundle = Bundle::script(script)?.mount("/work", "bind", &tree, options);
        let said = Container::new(bundle)?.output().with_context(|| options.to_owned())?;
        let found = find(&said, "/work")?;
        ensure!(outer.split(' ').all(|word| found.has(word)), "{options}: {found:?}");
        expect_eq!(said.lines().any(|line| line == "file"), inner.is_some(), "{options}: inner");
        let Some(words) = inner else { continue };
        let found = find(&said, "/work/inner")?;
        ensure!(words.split(' ').all(|word| found.has(word)), "{options}, inner: {found:?}");
    }
    Ok(())
}

/// `rstrictatime`, `rnorelatime` and `rnostrictatime` belong to one group of the kernel's.
pub(crate) fn times_of_access_are_recursive_too() -> Result<()> {
    let tree = tree()?;
    for (options, shown, absent) in [
        ("rbind,noatime,rstrictatime", "rw", "noatime"),
        ("rbind,rstrictatime,rnostrictatime", "relatime", "noatime"),
        ("rbind,rnorelatime", "rw", "noatime"),
    ] {
        let bundle = Bundle::script("cat /proc/self/mountinfo")?;
        let said = Container::new(bundle.mount("/work", "bind", &tree, options))?.output();
        let said = said.with_context(|| options.to_owned())?;
        for target in ["/work", "/work/inner"] {
            let found = find(&said, target)?;
            ensure!(found.has(shown) && !found.has(absent), "{options}: {found:?}");
        }
    }
    Ok(())
}

pub(crate) fn an_unknown_option_is_for_the_file_system_to_judge() -> Result<()> {
    let bundle = Bundle::script("true")?.mount("/work", "tmpfs", "tmpfs", "nonsense=1");
    let container = Container::new(bundle)?;
    let finished = container.run()?;
    ensure!(finished.code()? != 0, "a tmpfs took an option that is none");
    finished.expect_stderr("/work")?;
    container.expect_gone()
}

/// Podman leaves in what it was told of a volume (`-v name:/work:nocopy`).
pub(crate) fn what_a_caller_did_with_a_volume_is_no_option() -> Result<()> {
    let source = scratch("volume");
    fs::create_dir(&source)?;
    for (option, works) in [("nocopy", true), ("copy", true), ("mode=700", false)] {
        let bundle = Bundle::script("true")?;
        let container =
            Container::new(bundle.mount("/work", "bind", &source, &format!("rbind,{option}")))?;
        expect_eq!(container.run()?.code()? == 0, works, "{option}");
    }
    Ok(())
}

pub(crate) fn propagation_is_as_configured() -> Result<()> {
    unshare_mounts()?;
    let source = scratch("shared");
    fs::create_dir(&source)?;
    mount("none", &source, "tmpfs", MountFlags::empty(), None)?;
    mount_change(&source, MountPropagationFlags::SHARED)?;
    for (word, held) in [
        ("private", ""),
        ("rprivate", ""),
        ("slave", "master"),
        ("rslave", "master"),
        ("shared", "shared"),
        ("rshared", "shared"),
        ("unbindable", "unbindable"),
        ("runbindable", "unbindable"),
    ] {
        let options = format!("rbind,{word}");
        // What the root passes on from the machine is a condition for the rest.
        let root = if word.contains("shared") { "rshared" } else { "rslave" };
        let found = mounted("/work", |bundle| {
            let bundle = bundle.set("/linux/rootfsPropagation", root);
            bundle.mount("/work", "bind", &source, &options)
        })?;
        ensure!(found.propagation.starts_with(held), "{word}: {found:?}");
        ensure!(!held.is_empty() || found.propagation.is_empty(), "{word}: {found:?}");
    }
    Ok(())
}

pub(crate) fn propagation_of_the_root_is_as_configured() -> Result<()> {
    for (word, held) in [
        ("private", ""),
        ("slave", ""),
        ("shared", "shared"),
        ("unbindable", "unbindable"),
        ("runbindable", "unbindable"),
    ] {
        let found = mounted("/", |bundle| bundle.set("/linux/rootfsPropagation", word))?;
        ensure!(found.propagation.starts_with(held), "{word}: {found:?}");
        ensure!(!held.is_empty() || !found.propagation.contains("shared"), "{word}: {found:?}");
    }
    Ok(())
}

/// A mount that a container makes must never show up on the machine.
pub(crate) fn mounts_inside_stay_inside() -> Result<()> {
    unshare_mounts()?;
    mount_change("/", MountPropagationFlags::SHARED | MountPropagationFlags::REC)?;
    let before = fs::read_to_string("/proc/self/mountinfo")?;
    let script =
        "mount -t tmpfs none /work && echo mounted; echo ready; while :; do sleep 0.05; done";
    let bundle = Bundle::script(script)?.capabilities(&["CAP_SYS_ADMIN"]);
    let container = Container::new(bundle)?;
    let output = container.start_service()?;
    ensure!(output.stdout().contains("mounted"), "{}", output.stderr());
    expect_eq!(fs::read_to_string("/proc/self/mountinfo")?, before, "mounts of the machine");
    Ok(())
}

pub(crate) fn targets_are_made_as_needed() -> Result<()> {
    let file = scratch("source");
    fs::write(&file, "from outside\n")?;
    let script = "cat /new/deep/file; stat -c %F /new/deep/folder /new/deep/file; \
        stat -c %a /new /new/deep";
    let bundle = Bundle::script(script)?.mount("/new/deep/folder", "tmpfs", "tmpfs", "").mount(
        "/new/deep/file",
        "bind",
        &file,
        "bind",
    );
    let said = Container::new(bundle)?.output()?;
    expect_eq!(said, "from outside\ndirectory\nregular file\n755\n755\n");
    Ok(())
}

pub(crate) fn a_source_is_relative_to_the_bundle() -> Result<()> {
    let bundle = Bundle::script("cat /work/file")?.mount("/work", "bind", "beside", "bind");
    fs::create_dir(bundle.folder.join("beside"))?;
    fs::write(bundle.folder.join("beside/file"), "beside\n")?;
    expect_eq!(Container::new(bundle)?.output()?, "beside\n");
    Ok(())
}

pub(crate) fn a_missing_source_is_named() -> Result<()> {
    let bundle = Bundle::script("true")?.mount("/work", "bind", "/no/such/source", "rbind");
    let container = Container::new(bundle)?;
    let finished = container.run()?;
    ensure!(finished.code()? != 0, "it ran");
    finished.expect_stderr("/no/such/source")?.expect_stderr("o such file or directory")?;
    container.expect_gone()
}

pub(crate) fn mounts_are_made_in_order() -> Result<()> {
    let bundle = Bundle::script("cat /proc/self/mountinfo")?
        .mount("/work", "tmpfs", "first", "")
        .mount("/work/below", "tmpfs", "second", "")
        .mount("/work", "tmpfs", "third", "");
    let said = Container::new(bundle)?.output()?;
    let sources: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(" /work"))
        .filter_map(|line| line.split(" - ").nth(1)?.split(' ').nth(1))
        .collect();
    expect_eq!(sources, ["first", "second", "third"]);
    Ok(())
}

/// What the image has there is copied into the tmpfs, with its modes and owners.
pub(crate) fn tmpcopyup_shows_what_was_below() -> Result<()> {
    let script = "stat -c '%a %u' /work/a /work/a/file; cat /work/a/file; readlink /work/link; \
        echo new > /work/new && cat /work/new";
    let bundle = Bundle::script(script)?.mount("/work", "tmpfs", "tmpfs", "tmpcopyup");
    let below = bundle.rootfs().join("work");
    fs::create_dir(below.join("a"))?;
    fs::write(below.join("a/file"), "below\n")?;
    std::os::unix::fs::symlink("a/file", below.join("link"))?;
    std::os::unix::fs::chown(below.join("a/file"), Some(77), Some(77))?;
    set_mode(&below.join("a"), 0o711)?;
    set_mode(&below.join("a/file"), 0o604)?;
    let container = Container::new(bundle)?;
    expect_eq!(container.output()?, "711 0\n604 77\nbelow\na/file\nnew\n");
    ensure!(!below.join("new").exists(), "written through to the image");
    Ok(())
}

/// All folders in one were kept open until it was their turn.
pub(crate) fn tmpcopyup_copies_more_folders_than_can_be_open() -> Result<()> {
    const FOLDERS: usize = 300;
    let script = "find /work -name file | wc -l; find /work -type d | wc -l";
    let bundle = Bundle::script(script)?.mount("/work", "tmpfs", "tmpfs", "tmpcopyup");
    let below = bundle.rootfs().join("work");
    for number in 0..FOLDERS {
        let folder = below.join(format!("{number}/below"));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("file"), "")?;
    }
    let bundle = bundle.remove("/process/rlimits");
    let launch = Container::new(bundle)?;
    let finished = launch.launch_new("run", &[]).limit(Resource::Nofile, 128).finish()?;
    expect_eq!(finished.stdout, format!("{FOLDERS}\n{}\n", 2 * FOLDERS + 1), "{finished:?}");
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

pub(crate) fn the_root_is_read_only_on_demand() -> Result<()> {
    for (read_only, said) in [(true, "refused\n"), (false, "written\n")] {
        let script = "echo x 2>/dev/null > /work/file && echo written || echo refused";
        let container = Container::new(Bundle::script(script)?.set("/root/readonly", read_only))?;
        expect_eq!(container.output()?, said, "read-only: {read_only}");
        expect_eq!(container.bundle.rootfs().join("work/file").exists(), !read_only);
    }
    Ok(())
}

/// The cgroup namespace hides what is above; nothing there may be changed.
pub(crate) fn cgroups_are_shown_read_only_and_from_the_containers_own() -> Result<()> {
    let script = "for f in $(find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs); do \
        cat $f; echo 0 2>/dev/null > $f && echo written; done; \
        mkdir /sys/fs/cgroup/new 2>/dev/null && echo made; true";
    let said = Container::new(Bundle::script(script)?)?.output()?;
    ensure!(said.lines().any(|line| line == "1"), "its first process is not shown: {said}");
    ensure!(!said.contains("written") && !said.contains("made"), "writable: {said}");
    // What it sees are its own processes and no others, which would read as 0.
    ensure!(!said.lines().any(|line| line == "0"), "other processes are shown: {said}");
    Ok(())
}

/// Who asks for version 2 alone gets that, on a machine that has both.
pub(crate) fn groups_of_version_2_are_shown_alone_on_demand() -> Result<()> {
    let script = "cd /work; ls cgroup.procs; grep ' /work' /proc/self/mounts | cut -d ' ' -f 2,3";
    let bundle = Bundle::script(script)?.mount("/work", "cgroup2", "cgroup", "ro");
    expect_eq!(Container::new(bundle)?.output()?, "cgroup.procs\n/work cgroup2\n");
    Ok(())
}

/// A list that names a path twice, as callers put several together, hides and protects it once.
pub(crate) fn what_is_told_twice_is_masked_and_protected_once() -> Result<()> {
    let script = "grep -c ' /proc/cpuinfo ' /proc/self/mounts; grep -c ' /etc ' /proc/self/mounts";
    let bundle = Bundle::script(script)?
        .set("/linux/maskedPaths", json!(["/proc/cpuinfo", "/proc/./cpuinfo", "/proc/cpuinfo"]))
        .set("/linux/readonlyPaths", json!(["/etc", "/etc"]));
    expect_eq!(Container::new(bundle)?.output()?, "1\n1\n");
    Ok(())
}

pub(crate) fn without_pivot_it_works_too() -> Result<()> {
    let container = Container::new(Bundle::script("ls /; cat /proc/1/comm; true")?)?;
    let finished = container.launch_new("run", &["--no-pivot"]).finish()?;
    finished.expect_code(0)?;
    expect_eq!(finished.stdout, "bin\ndev\netc\nproc\nsys\ntmp\nwork\nsh\n");
    container.expect_gone()
}

/// Docker looks for these words, and tells its user what is wrong.
pub(crate) fn a_folder_is_not_mounted_on_a_file_nor_a_file_on_a_folder() -> Result<()> {
    let folder = scratch("folder");
    fs::create_dir(&folder)?;
    let file = folder.join("file");
    fs::write(&file, "")?;
    for (source, target) in
        [(&folder, "/tmp/file"), (&file, "/tmp"), (&file, "/bin"), (&folder, "/tmp/file/x")]
    {
        let bundle = Bundle::script("true")?
            .mount("/tmp", "bind", &folder, "bind")
            .mount(target, "bind", source, "bind");
        let finished = Container::new(bundle)?.run()?;
        ensure!(finished.code()? != 0, "{source:?} was mounted on {target}");
        let said = finished.stderr.to_lowercase();
        ensure!(said.contains("not a directory"), "{source:?} on {target}: {said}");
    }
    Ok(())
}
