//! A user without rights: containers without cgroups, with a delegated one, with the ids of
//! `/etc/subuid`, and no way to the cgroups from inside.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use rustix::mount::mount_bind;
use serde_json::json;

use super::support::{Bundle, Container, groups, runtime, unshare_mounts};
use crate::expect_eq;
use crate::support::{Finished, Launch, scratch};

/// A user that nobody else is.
const USER: u32 = 54_400;

/// A bundle as `spec --rootless` writes it: one id, no network of its own, `/sys` from outside.
fn rootless(bundle: Bundle) -> Result<Bundle> {
    let mapping = json!([{ "containerID": 0, "hostID": USER, "size": 1 }]);
    let bundle = ["network", "cgroup"]
        .iter()
        .fold(bundle, |bundle, kind| bundle.without_namespace(kind))
        .without_mount("/dev/pts")
        .without_mount("/sys")
        .without_mount("/sys/fs/cgroup")
        .mount("/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620")
        .mount("/sys", "none", "/sys", "rbind,nosuid,noexec,nodev,ro")
        .namespace("user")
        .set("/linux/uidMappings", mapping.clone())
        .set("/linux/gidMappings", mapping)
        .remove("/linux/resources")
        .remove("/process/rlimits");
    own(&bundle.folder)?;
    Ok(bundle)
}

/// Gives a folder with all below it to the user.
fn own(path: &Path) -> Result<()> {
    std::os::unix::fs::lchown(path, Some(USER), Some(USER))?;
    if path.symlink_metadata()?.is_dir() {
        for entry in fs::read_dir(path)? {
            own(&entry?.path())?;
        }
    }
    Ok(())
}

/// A container that the user manages, with a copy of the runtime that it can reach.
pub(super) struct Rootless(Container);

impl Rootless {
    fn new(bundle: Bundle) -> Result<Self> {
        let program = scratch("tinyort");
        fs::copy(runtime()?, &program)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let has_group = bundle.config.pointer("/linux/cgroupsPath").is_some();
        let container = Container::new(rootless(bundle)?)?.with_program(program);
        if !has_group {
            // Without a path of its own it may do without a group.
            container.change(|config| {
                if let Some(linux) = config["linux"].as_object_mut() {
                    linux.remove("cgroupsPath");
                }
            })?;
        }
        own(&container.bundle.folder)?;
        fs::create_dir_all(&container.root)?;
        own(&container.root)?;
        Ok(Self(container))
    }

    fn as_user(launch: Launch) -> Launch {
        launch.user(USER).env("XDG_RUNTIME_DIR=/nowhere")
    }

    fn run(&self) -> Result<Finished> {
        self.launch_new("run").finish()
    }

    pub(super) fn container(&self) -> &Container {
        &self.0
    }

    /// `VERB --bundle BUNDLE ID`, for `create` and `run`.
    pub(super) fn launch_new(&self, verb: &str) -> Launch {
        Self::as_user(self.0.launch_new(verb, &[]))
    }

    pub(super) fn delete(&self) -> Result<Finished> {
        self.tell(&["delete", "--force", &self.0.id])
    }

    fn tell(&self, words: &[&str]) -> Result<Finished> {
        Self::as_user(self.0.launch(words)).finish()
    }
}

pub(crate) fn a_user_without_rights_runs_a_container() -> Result<()> {
    let script = "id -u; cat /proc/self/uid_map | tr -s ' '; echo $$; hostname; echo x > /dev/null; \
        touch /work/new; stat -c %u /work/new; exit 7";
    let rootless = Rootless::new(Bundle::script(script)?.set("/root/readonly", false))?;
    let finished = rootless.run()?;
    finished.expect_code(7)?;
    expect_eq!(finished.stdout, format!("0\n 0 {USER} 1\n1\ne2e\n0\n"));
    rootless.0.expect_gone()
}

/// As Podman without rights starts a runtime: what it may do outside is what its user may.
pub(crate) fn root_of_a_user_namespace_has_no_rights_outside() -> Result<()> {
    let script = "id -u; cat /proc/self/uid_map | tr -s ' '; \
        touch /sys/fs/cgroup/new || echo refused";
    let bundle = Bundle::script(script)?;
    let rootless = Rootless::new(bundle)?;
    let Container { id, bundle, .. } = &rootless.0;
    rootless.0.change(|config| {
        config["linux"]["uidMappings"] = json!([]);
        config["linux"]["gidMappings"] = json!([]);
        let mounts = config["mounts"].as_array_mut();
        let group = json!({ "destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["ro"] });
        mounts.into_iter().for_each(|mounts| mounts.push(group.clone()));
        let namespaces = config["linux"]["namespaces"].as_array_mut();
        namespaces.into_iter().for_each(|all| all.retain(|it| it["type"] != "user"));
    })?;
    own(&bundle.folder)?;
    let run = scratch("run");
    fs::create_dir(&run)?;
    own(&run)?;
    let program = scratch("tinyort");
    let words = ["--map-root-user", &program.to_string_lossy(), "run", "--bundle"];
    let launch =
        Launch::new("/usr/bin/unshare").words(&words).words(&[&bundle.folder]).words(&[id]);
    let launch = launch.user(USER).env("USER=somebody");
    let finished = launch.env(format!("XDG_RUNTIME_DIR={}", run.display())).finish()?;
    finished.expect_code(0)?;
    let lines: Vec<&str> = finished.stdout.lines().collect();
    ensure!(lines[..2] == ["0", &format!(" 0 {USER} 1")], "{lines:?}");
    expect_eq!(lines.last(), Some(&"refused"));
    ensure!(run.join("tinyort").is_dir(), "its state was elsewhere");
    Ok(())
}

pub(crate) fn a_user_without_rights_has_the_whole_life_cycle() -> Result<()> {
    let rootless = Rootless::new(Bundle::service()?)?;
    let id = rootless.0.id.clone();
    let launch = Rootless::as_user(rootless.0.launch_new("create", &[]));
    let output = Container::follow(launch.start()?)?;
    rootless.tell(&["start", &id])?.expect_code(0)?;
    output.wait_line("ready")?;
    let said =
        rootless.tell(&["exec", &id, "/bin/sh", "-c", "id -u; readlink /proc/self/ns/user"])?;
    said.expect_code(0)?;
    let namespace = fs::read_link(format!("/proc/{}/ns/user", rootless.0.pid()?))?;
    expect_eq!(said.stdout, format!("0\n{}\n", namespace.display()));
    let listed = rootless.tell(&["list", "--quiet"])?;
    expect_eq!(listed.stdout, format!("{id}\n"));
    rootless.tell(&["kill", &id, "TERM"])?.expect_code(0)?;
    rootless.0.wait_status("stopped")?;
    rootless.tell(&["delete", &id])?.expect_code(0)?;
    rootless.0.expect_gone()
}

/// Limits that cannot be kept are an error, never silence.
pub(crate) fn limits_without_delegation_are_refused() -> Result<()> {
    let rootless = Rootless::new(Bundle::script("true")?)?;
    rootless.0.change(|config| {
        config["linux"]["resources"] = json!({ "pids": { "limit": 77 } });
    })?;
    let finished = rootless.run()?;
    ensure!(finished.code()? != 0, "it ran without its limits");
    rootless.0.expect_gone()
}

/// The user's own part of every hierarchy, which this trial has joined.
struct Delegated {
    name: String,
    made: Vec<PathBuf>,
    before: Vec<PathBuf>,
}

impl Delegated {
    fn new() -> Result<Self> {
        let name = format!("e2e-{}-user", std::process::id());
        let (mut made, mut before) = (Vec::new(), Vec::new());
        for hierarchy in groups::hierarchies() {
            let group = hierarchy.join(&name);
            fs::create_dir(&group)?;
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if !groups::only_v2() && group.join(file).exists() {
                    fs::write(group.join(file), fs::read(hierarchy.join(file))?)?;
                }
            }
            // On v2 a process may only be moved below a common group that the user owns.
            let leaf = group.join("leaf");
            if hierarchy.join("cgroup.controllers").exists() {
                fs::create_dir(&leaf)?;
                before.push(hierarchy.join(own_group(&hierarchy)?));
                fs::write(leaf.join("cgroup.procs"), "0")?;
            }
            for path in [&group, &leaf].into_iter().filter(|path| path.exists()) {
                chown(path, Some(USER), Some(USER))?;
                for file in ["cgroup.procs", "tasks", "cgroup.threads", "cgroup.subtree_control"] {
                    let file = path.join(file);
                    if file.exists() {
                        chown(file, Some(USER), Some(USER))?;
                    }
                }
            }
            made.push(group);
        }
        Ok(Self { name, made, before })
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        for group in &self.before {
            let _ = fs::write(group.join("cgroup.procs"), "0");
        }
        for group in &self.made {
            let _ = fs::remove_dir(group.join("leaf"));
        }
        groups::remove(&self.name);
    }
}

/// The group of this process on v2, relative to the hierarchy.
fn own_group(hierarchy: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("0::/"));
    Ok(hierarchy.join(line.context("no group on v2")?))
}

pub(crate) fn limits_with_delegation_are_kept() -> Result<()> {
    groups::folder("x", "pids")?;
    let delegated = Delegated::new()?;
    let bundle = Bundle::service()?.set("/linux/cgroupsPath", format!("/{}/inner", delegated.name));
    let rootless = Rootless::new(bundle)?;
    rootless.0.change(|config| {
        config["linux"]["resources"] = json!({ "pids": { "limit": 77 } });
    })?;
    let launch = Rootless::as_user(rootless.0.launch_new("create", &[]));
    Container::follow(launch.start()?)?;
    let inner = format!("{}/inner", delegated.name);
    expect_eq!(groups::value(&inner, "pids", "pids.max", "pids.max")?, "77");
    rootless.tell(&["delete", "--force", &rootless.0.id])?.expect_code(0)?;
    rootless.0.expect_gone()?;
    expect_eq!(groups::existing(&inner), Vec::<PathBuf>::new());
    Ok(())
}

/// CVE-2023-25809: where a cgroup mount is not possible, `/sys/fs/cgroup` is shown as it is
/// outside, and a naive runtime leaves it writable: the container's root is the user, who owns
/// the delegated groups.
pub(crate) fn delegated_groups_are_not_writable_from_inside() -> Result<()> {
    expect_not_writable(&["nosuid", "noexec", "nodev", "relatime", "ro"])
}

/// The same where they are shown as part of `/sys` alone, which is not read-only below itself.
pub(crate) fn delegated_groups_in_sys_are_not_writable_from_inside() -> Result<()> {
    expect_not_writable(&[])
}

/// With a mount of cgroups with these options, or without one.
fn expect_not_writable(options: &[&str]) -> Result<()> {
    let delegated = Delegated::new()?;
    let script = format!(
        "for d in $(find /sys/fs/cgroup -type d -name '{}'); do \
            mkdir $d/escaped 2>/dev/null && echo made $d; \
            (echo 0 > $d/cgroup.procs) 2>/dev/null && echo joined $d; done; echo end",
        delegated.name
    );
    let bundle = Bundle::script(&script)?;
    let bundle = bundle.set("/linux/cgroupsPath", format!("/{}/inner", delegated.name));
    let rootless = Rootless::new(bundle)?;
    let mount = json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": options,
    });
    rootless.0.change(|config| {
        if let Some(mounts) = config["mounts"].as_array_mut().filter(|_| !options.is_empty()) {
            mounts.push(mount);
        }
    })?;
    let finished = rootless.run()?;
    for group in &delegated.made {
        // Removed before anything is asserted, so that it does not stay.
        let _ = fs::remove_dir(group.join("escaped"));
    }
    expect_eq!(finished.stdout, "end\n", "{finished:?}");
    Ok(())
}

/// Gives the user more ids than his own one, from 500000 on.
fn give_ids() -> Result<()> {
    for program in ["/usr/bin/newuidmap", "/usr/bin/newgidmap"] {
        if !Path::new(program).is_file() {
            harness::skip(format!("there is no {program}"))?;
        }
    }
    unshare_mounts()?;
    for (file, text) in [
        ("/etc/passwd", format!("root:x:0:0::/root:/bin/sh\nlowly:x:{USER}:{USER}::/:/bin/sh\n")),
        ("/etc/group", format!("root:x:0:\nlowly:x:{USER}:\n")),
        ("/etc/subuid", "lowly:500000:65536\n".to_owned()),
        ("/etc/subgid", "lowly:500000:65536\n".to_owned()),
    ] {
        if !Path::new(file).is_file() {
            harness::skip(format!("there is no {file} to bind over"))?;
        }
        let own = scratch(&file.replace('/', "-"));
        fs::write(&own, text)?;
        mount_bind(&own, file)?;
    }
    Ok(())
}

/// By the setuid programs for it.
pub(crate) fn ids_of_subuid_are_mapped() -> Result<()> {
    let script = "touch /work/new; chown 1000:1000 /work/new; stat -c '%u %g' /work/new; \
        tr -s ' ' < /proc/self/uid_map";
    let finished = with_ids_of_subuid(Bundle::script(script)?)?.run()?;
    finished.expect_code(0)?;
    expect_eq!(finished.stdout, format!("1000 1000\n 0 {USER} 1\n 1 500000 65536\n"));
    Ok(())
}

/// A container that has the ids of `/etc/subuid`.
pub(super) fn with_ids_of_subuid(bundle: Bundle) -> Result<Rootless> {
    give_ids()?;
    let rootless = Rootless::new(bundle)?;
    let mapping = json!([
        { "containerID": 0, "hostID": USER, "size": 1 },
        { "containerID": 1, "hostID": 500_000, "size": 65536 },
    ]);
    rootless.0.change(|config| {
        config["linux"]["uidMappings"] = mapping.clone();
        config["linux"]["gidMappings"] = mapping;
        config["root"]["readonly"] = json!(false);
        for set in ["bounding", "effective", "permitted"] {
            config["process"]["capabilities"][set] = json!(["CAP_CHOWN"]);
        }
    })?;
    Ok(rootless)
}

/// As `podman run --userns=keep-id` has it: on v1 the user may put nobody into his group but himself.
pub(crate) fn a_delegated_group_is_entered_whatever_id_root_has() -> Result<()> {
    groups::folder("x", "pids")?;
    give_ids()?;
    let delegated = Delegated::new()?;
    let inner = format!("/{}/inner", delegated.name);
    let bundle = Bundle::script("id -u; cat /proc/self/cgroup")?;
    let rootless = Rootless::new(bundle.set("/linux/cgroupsPath", &*inner))?;
    rootless.0.change(|config| {
        let mapping = json!([
            { "containerID": 0, "hostID": 500_000, "size": 1000 },
            { "containerID": 1000, "hostID": USER, "size": 1 },
        ]);
        config["linux"]["uidMappings"] = mapping.clone();
        config["linux"]["gidMappings"] = mapping;
        config["linux"]["resources"] = json!({ "pids": { "limit": 77 } });
    })?;
    let finished = rootless.run()?;
    finished.expect_code(0)?;
    ensure!(finished.stdout.starts_with("0\n"), "{:?}", finished.stdout);
    ensure!(finished.stdout.contains(&inner), "it is in {:?}", finished.stdout);
    rootless.0.expect_gone()
}
