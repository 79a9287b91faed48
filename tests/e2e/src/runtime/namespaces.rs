//! Namespaces made, shared, joined; what is set in them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::{Bundle, Container};
use crate::expect_eq;

/// The kinds that a program finds in `/proc/self/ns`, and their OCI names.
const KINDS: [(&str, &str); 7] = [
    ("cgroup", "cgroup"),
    ("ipc", "ipc"),
    ("mnt", "mount"),
    ("net", "network"),
    ("pid", "pid"),
    ("uts", "uts"),
    ("user", "user"),
];

fn own(file: &str) -> Result<PathBuf> {
    Ok(fs::read_link(format!("/proc/self/ns/{file}"))?)
}

pub(crate) fn new_ones_are_made_and_others_shared() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let of =
        |file: &str| fs::read_link(format!("/proc/{}/ns/{file}", container.pid().unwrap_or(0)));
    for (file, name) in KINDS {
        let is_shared = of(file)? == own(file)?;
        expect_eq!(is_shared, name == "user", "the {name} namespace is shared");
    }
    // Each alone can be left out.
    for (file, name) in KINDS {
        if ["mount", "user"].contains(&name) {
            continue;
        }
        let mut bundle = Bundle::script(&format!("readlink /proc/self/ns/{file}"))?;
        bundle = bundle.without_namespace(name);
        if name == "uts" {
            bundle = bundle.remove("/hostname");
        }
        if name == "pid" || name == "network" {
            // Its mounts show the machine's then.
            bundle = bundle.without_mount("/sys").without_mount("/sys/fs/cgroup");
        }
        if name == "ipc" {
            bundle = bundle.without_mount("/dev/mqueue");
        }
        let said = Container::new(bundle)?.output().with_context(|| name.to_owned())?;
        expect_eq!(said.trim_end(), own(file)?.to_string_lossy(), "without {name}");
    }
    Ok(())
}

pub(crate) fn each_can_be_joined_by_its_path() -> Result<()> {
    let first = Container::new(Bundle::service()?.namespace("time").user_namespace(200_000)?)?;
    first.start_service()?;
    let pid = first.pid()?;
    for (file, name) in KINDS.into_iter().chain([("time", "time")]) {
        if name == "mount" {
            continue;
        }
        let path = format!("/proc/{pid}/ns/{file}");
        let mut bundle =
            Bundle::script(&format!("readlink /proc/self/ns/{file}; cat /proc/self/uid_map"))?
                .join("user", format!("/proc/{pid}/ns/user"))
                .join(name, &path);
        std::os::unix::fs::chown(bundle.rootfs(), Some(200_000), Some(200_000))?;
        if name == "uts" {
            bundle = bundle.remove("/hostname");
        }
        let said = Container::new(bundle)?.output().with_context(|| name.to_owned())?;
        let mut lines = said.lines();
        expect_eq!(lines.next(), fs::read_link(&path)?.to_str(), "{name}");
        let map: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
        expect_eq!(map, ["0", "200000", "65536"], "{name}: the ids");
    }
    Ok(())
}

/// The end of a container that shares a PID namespace ends the sharer only.
pub(crate) fn a_joined_pid_namespace_outlives_the_container() -> Result<()> {
    let first = Container::new(Bundle::service()?)?;
    first.start_service()?;
    let bundle = Bundle::script("echo $$; kill -0 1 && echo sees")?;
    let second = Container::new(bundle.join("pid", format!("/proc/{}/ns/pid", first.pid()?)))?;
    let said = second.output()?;
    ensure!(said.ends_with("sees\n") && !said.starts_with("1\n"), "it says {said:?}");
    expect_eq!(first.status()?, "running");
    Ok(())
}

pub(crate) fn a_path_that_is_no_such_namespace_is_refused() -> Result<()> {
    for path in ["/proc/self/ns/uts", "/no/such/path", "/etc/hostname", "relative"] {
        let container = Container::new(Bundle::script("true")?.join("network", path))?;
        let finished = container.run()?;
        ensure!(finished.code()? != 0, "the network namespace {path} was joined");
        container.expect_gone()?;
    }
    Ok(())
}

pub(crate) fn the_host_and_domain_names_are_set() -> Result<()> {
    let script = "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname";
    let bundle =
        Bundle::script(script)?.set("/hostname", "some-host").set("/domainname", "some.domain");
    expect_eq!(Container::new(bundle)?.output()?, "some-host\nsome.domain\n");
    Ok(())
}

pub(crate) fn a_host_name_without_a_namespace_is_refused() -> Result<()> {
    let before = fs::read_to_string("/proc/sys/kernel/hostname")?;
    let container = Container::new(Bundle::script("true")?.without_namespace("uts"))?;
    ensure!(container.run()?.code()? != 0, "it ran");
    expect_eq!(fs::read_to_string("/proc/sys/kernel/hostname")?, before, "the machine's name");
    Ok(())
}

pub(crate) fn the_loopback_device_is_up() -> Result<()> {
    let script = "cat /sys/class/net/lo/operstate; ls /sys/class/net; ping -c 1 127.0.0.1 >/dev/null \
        && echo answers";
    let bundle = Bundle::script(script)?.capabilities(&["CAP_NET_RAW"]);
    expect_eq!(Container::new(bundle)?.output()?, "unknown\nlo\nanswers\n");
    Ok(())
}

pub(crate) fn ids_are_mapped_as_configured() -> Result<()> {
    let uids = json!([
        { "containerID": 0, "hostID": 210_000, "size": 10 },
        { "containerID": 1000, "hostID": 220_000, "size": 5 },
    ]);
    let gids = json!([{ "containerID": 0, "hostID": 230_000, "size": 20 }]);
    let script = "awk '{ print $1, $2, $3 }' /proc/self/uid_map /proc/self/gid_map; id -u";
    let bundle = Bundle::script(script)?
        .namespace("user")
        .set("/linux/uidMappings", uids)
        .set("/linux/gidMappings", gids)
        .set("/process/user/uid", 1001);
    let container = Container::new(bundle)?;
    let said = container.output()?;
    expect_eq!(said, "0 210000 10\n1000 220000 5\n0 230000 20\n1001\n");
    Ok(())
}

pub(crate) fn a_user_namespace_without_mappings_is_refused() -> Result<()> {
    let container = Container::new(Bundle::script("true")?.namespace("user"))?;
    ensure!(container.run()?.code()? != 0, "it ran");
    container.expect_gone()
}

pub(crate) fn files_made_in_a_user_namespace_belong_to_its_root() -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let bundle = Bundle::script("touch /work/new; id -u; stat -c %u /proc/1")?
        .user_namespace(240_000)?
        .set("/root/readonly", false);
    std::os::unix::fs::chown(bundle.rootfs().join("work"), Some(240_000), Some(240_000))?;
    let container = Container::new(bundle)?;
    expect_eq!(container.output()?, "0\n0\n");
    expect_eq!(fs::metadata(container.bundle.rootfs().join("work/new"))?.uid(), 240_000);
    Ok(())
}

/// The folder of queues belongs for good to who has made the IPC namespace.
pub(crate) fn queues_belong_to_the_root_of_the_user_namespace() -> Result<()> {
    let first = Bundle::script("stat -c '%u %g' /dev/mqueue; cat /proc/sys/fs/mqueue/msg_max")?
        .user_namespace(240_000)?
        .set("/linux/sysctl", json!({ "fs.mqueue.msg_max": "7" }));
    expect_eq!(Container::new(first)?.output()?, "0 0\n7\n");
    let pod = Container::new(Bundle::service()?.user_namespace(240_000)?)?;
    pod.start_service()?;
    let joins = Bundle::script("stat -c '%u %g' /dev/mqueue")?
        .join("user", format!("/proc/{}/ns/user", pod.pid()?));
    std::os::unix::fs::chown(joins.rootfs(), Some(240_000), Some(240_000))?;
    expect_eq!(Container::new(joins)?.output()?, "0 0\n");
    Ok(())
}

pub(crate) fn clocks_are_shifted_as_configured() -> Result<()> {
    let offsets = json!({ "monotonic": { "secs": 864_000 }, "boottime": { "secs": 1_728_000, "nanosecs": 5 } });
    let bundle = Bundle::script("cut -d. -f1 /proc/uptime; tail -n 2 /proc/self/timens_offsets")?
        .namespace("time")
        .set("/linux/timeOffsets", offsets);
    let own = fs::read_to_string("/proc/uptime")?;
    let own: u64 = own.split('.').next().unwrap_or_default().parse()?;
    let said = Container::new(bundle)?.output()?;
    let uptime: u64 = said.lines().next().unwrap_or_default().parse()?;
    ensure!((1_728_000..1_728_600).contains(&(uptime - own)), "{own} has become {uptime}");
    let offsets: Vec<Vec<&str>> =
        said.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    expect_eq!(offsets, [["monotonic", "864000", "0"], ["boottime", "1728000", "5"]]);
    Ok(())
}

pub(crate) fn kernel_parameters_are_set_in_the_namespaces() -> Result<()> {
    let parameters = json!({
        "net.ipv4.ip_forward": "1", "net.ipv4.ping_group_range": "0 7",
        "kernel.msgmax": "12345", "fs.mqueue.msg_max": "17",
    });
    let script = "cd /proc/sys; cat net/ipv4/ip_forward kernel/msgmax fs/mqueue/msg_max; \
        tr '\\t' ' ' < net/ipv4/ping_group_range";
    let bundle = Bundle::script(script)?.set("/linux/sysctl", parameters);
    expect_eq!(Container::new(bundle)?.output()?, "1\n12345\n17\n0 7\n");
    Ok(())
}

/// A namespace that is joined by its path may be the one that the runtime is in itself: that of the
/// machine, and so are its parameters.
pub(crate) fn kernel_parameters_of_a_namespace_that_is_the_callers_are_refused() -> Result<()> {
    let (name, file) = ("net.ipv4.ip_default_ttl", "/proc/sys/net/ipv4/ip_default_ttl");
    let before = fs::read_to_string(file)?;
    for path in ["/proc/self/ns/net", "/proc/thread-self/ns/net"] {
        let mut bundle = Bundle::script("true")?
            .without_mount("/sys")
            .without_mount("/sys/fs/cgroup")
            .join("network", path)
            .set("/linux/sysctl", json!({}));
        bundle.config["linux"]["sysctl"][name] = json!("77");
        let container = Container::new(bundle)?;
        let finished = container.run()?;
        let after = fs::read_to_string(file)?;
        fs::write(file, &before)?;
        expect_eq!(after, before, "{name} of the machine, by {path}");
        ensure!(finished.code()? != 0, "{path}: it ran");
        finished.expect_stderr("network namespace of the container's own")?;
        container.expect_gone()?;
    }
    Ok(())
}

pub(crate) fn kernel_parameters_of_the_machine_are_refused() -> Result<()> {
    // tidy: table
    for (name, leave_out) in [
        ("kernel.panic", ""),
        ("vm.swappiness", ""),
        ("fs.file-max", ""),
        ("kernel.hostname", "uts"),
        ("net.ipv4.ip_forward", "network"),
        ("kernel.msgmax", "ipc"),
        ("kernel/../../kernel/panic", ""),
        ("net.../../kernel.panic", ""),
    ] {
        let mut bundle = Bundle::script("true")?.set("/linux/sysctl", json!({}));
        bundle.config["linux"]["sysctl"][name] = json!("1");
        bundle = bundle.without_namespace(leave_out).remove("/hostname");
        if leave_out == "ipc" {
            bundle = bundle.without_mount("/dev/mqueue");
        }
        if leave_out == "network" {
            bundle = bundle.without_mount("/sys").without_mount("/sys/fs/cgroup");
        }
        let file = format!("/proc/sys/{}", name.replace('.', "/"));
        let before = fs::read_to_string(&file).ok();
        let container = Container::new(bundle)?;
        let finished = container.run()?;
        ensure!(finished.code()? != 0, "{name} was set");
        if !name.contains("..") {
            finished.expect_stderr(name).with_context(|| name.to_owned())?;
        }
        expect_eq!(fs::read_to_string(&file).ok(), before, "{name} of the machine");
        container.expect_gone()?;
    }
    Ok(())
}

/// Where it has none of its own, a container's group is below the mount where `/proc` says: systemd
/// makes its groups there. A folder that is the container's own group would be that of nobody's path.
pub(crate) fn without_a_cgroup_namespace_the_group_is_where_proc_says() -> Result<()> {
    let script = "path=$(grep ^0:: /proc/self/cgroup | cut -d : -f 3); echo ${#path}; \
        grep -x 1 /work$path/cgroup.procs; mkdir /work$path/new 2>/dev/null && echo made; true";
    let bundle = Bundle::script(script)?.without_namespace("cgroup");
    let said = Container::new(bundle.mount("/work", "cgroup2", "cgroup", "ro"))?.output()?;
    let (length, rest) = said.split_once('\n').unwrap_or_default();
    ensure!(length != "1", "it is in no group of its own: {said}");
    expect_eq!(rest, "1\n");
    Ok(())
}
