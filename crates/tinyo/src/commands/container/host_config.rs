//! `HostConfig` of a container, and what is mounted, with Docker's names of fields.

use crate::commands::port;
use engine::settings::{
    DiskLimit, IdRange, Ids, Limits, LogOptions, Mount, MountKind, SeccompChoice, Security,
    Settings,
};
use engine::{DEFAULT_SHM_SIZE, Engine};
use serde_json::{Map, Value, json};

pub(super) fn host_config(engine: &Engine, settings: &Settings) -> Value {
    let (security, shared) = (&settings.security, &settings.namespaces);
    let devices = settings.devices.iter().map(|device| {
        json!({
            "PathOnHost": device.source,
            "PathInContainer": device.target,
            "CgroupPermissions": device.access,
        })
    });
    let own = |mode: &str| if mode.is_empty() { "private".to_owned() } else { mode.to_owned() };
    let mut all = json!({
        "AutoRemove": settings.auto_remove,
        "Init": settings.init,
        "NetworkMode": settings.network.mode,
        "PortBindings": port::asked_for(&settings.network.ports),
        "PublishAllPorts": settings.network.publish_all,
        "RestartPolicy": {
            "Name": settings.restart.policy.name(),
            "MaximumRetryCount": settings.restart.limit,
        },
        "LogConfig": {
            "Type": if settings.log.none { "none" } else { "k8s-file" },
            "Config": log_options(&settings.log),
        },
        "Privileged": security.privileged,
        "ReadonlyRootfs": settings.read_only,
        "CapAdd": security.cap_add,
        "CapDrop": security.cap_drop,
        "SecurityOpt": or_null(security_options(security)),
        "MaskedPaths": settings.masked_paths(),
        "ReadonlyPaths": settings.read_only_paths(),
        "Dns": settings.network.dns,
        "DnsSearch": settings.network.dns_search,
        "DnsOptions": settings.network.dns_options,
        "ExtraHosts": settings.network.hosts,
        "GroupAdd": settings.group_add,
        "PidMode": shared.pid,
        "IpcMode": own(&shared.ipc),
        "UTSMode": shared.uts,
        "UsernsMode": shared.user,
        "IDMappings": id_mappings(&shared.ids),
        "CgroupnsMode": own(&shared.cgroup),
        "CgroupParent": shared.cgroup_parent,
        "CgroupManager": "cgroupfs",
        "Runtime": "tinyo",
        "Annotations": settings.annotations,
        "Links": or_null(settings.network.links.clone()),
        "DeviceCgroupRules": or_null(settings.device_rules.clone()),
        "DeviceRequests": null,
        "Devices": devices.collect::<Vec<_>>(),
        // What another container has mounted is among its own mounts.
        "VolumesFrom": null,
    });
    add_limits(&mut all, &settings.limits);
    add_mounts(&mut all, engine, settings);
    all
}

fn add_limits(all: &mut Value, limits: &Limits) {
    let ulimits = limits
        .ulimits
        .iter()
        .map(|(name, soft, hard)| json!({ "Name": name, "Soft": soft, "Hard": hard }));
    let limited = json!({
        "Memory": limits.memory.unwrap_or(0),
        "MemorySwap": limits.swap().unwrap_or(0),
        "MemoryReservation": limits.memory_reservation.unwrap_or(0),
        "MemorySwappiness": limits.memory_swappiness,
        "NanoCpus": limits.nano_cpus.unwrap_or(0),
        "CpuShares": limits.cpu_shares.unwrap_or(0),
        "CpuPeriod": limits.cpu_period.unwrap_or(0),
        "CpuQuota": limits.cpu_quota.unwrap_or(0),
        "CpusetCpus": limits.cpuset_cpus,
        "CpusetMems": limits.cpuset_mems,
        "PidsLimit": limits.pids,
        "BlkioWeight": limits.blkio_weight.unwrap_or(0),
        "BlkioWeightDevice": [],
        "OomKillDisable": limits.oom_kill_disable,
        "OomScoreAdj": limits.oom_score_adj.unwrap_or(0),
        "ShmSize": limits.shm_size.unwrap_or(DEFAULT_SHM_SIZE),
        "Sysctls": limits.sysctls,
        "Ulimits": ulimits.collect::<Vec<_>>(),
    });
    for (name, value) in limited.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    for (name, kind) in [
        ("BlkioDeviceReadBps", DiskLimit::ReadBytes),
        ("BlkioDeviceWriteBps", DiskLimit::WriteBytes),
        ("BlkioDeviceReadIOps", DiskLimit::ReadTimes),
        ("BlkioDeviceWriteIOps", DiskLimit::WriteTimes),
    ] {
        let these = limits.disks.iter().filter(|(limit, ..)| *limit == kind);
        all[name] = these.map(|(_, path, rate)| json!({ "Path": path, "Rate": rate })).collect();
    }
}

fn or_null(list: Vec<String>) -> Value {
    if list.is_empty() { Value::Null } else { list.into() }
}

/// As they are written after `--security-opt`.
fn security_options(security: &Security) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(security.no_new_privileges.map(|it| format!("no-new-privileges={it}")));
    match &security.seccomp {
        SeccompChoice::Default => {}
        SeccompChoice::Unconfined => all.push("seccomp=unconfined".to_owned()),
        SeccompChoice::Profile(text) => all.push(format!("seccomp={text}")),
    }
    for (name, value) in [("apparmor", &security.apparmor), ("label", &security.label)] {
        all.extend((!value.is_empty()).then(|| format!("{name}={value}")));
    }
    all.extend(security.unmasked.then(|| "systempaths=unconfined".to_owned()));
    all.extend(security.mask.iter().map(|path| format!("mask={path}")));
    all.extend(security.unmask.iter().map(|path| format!("unmask={path}")));
    all.extend(security.proc_options.iter().map(|option| format!("proc-opts={option}")));
    all
}

/// As Podman has it, `CONTAINER:HOST:COUNT`.
fn id_mappings(ids: &Ids) -> Value {
    let text = |it: &IdRange| format!("{}:{}:{}", it.inside, it.outside, it.length);
    let texts = |ranges: &[IdRange]| ranges.iter().map(text).collect::<Vec<_>>();
    json!({ "UidMap": texts(&ids.users), "GidMap": texts(&ids.groups) })
}

/// What can be said by `-v` and `--tmpfs`, as these say it, and the rest as `--mount` does.
fn add_mounts(all: &mut Value, engine: &Engine, settings: &Settings) {
    let (mut binds, mut files, mut others) = (Vec::new(), Map::new(), Vec::new());
    for mount in &settings.mounts {
        match mount.kind {
            MountKind::Tmpfs => {
                files.insert(mount.target.clone(), mode(mount).into());
            }
            MountKind::Bind | MountKind::Volume if mount.subpath.is_empty() => {
                if !is_anonymous(engine, mount) {
                    let text = format!("{}:{}:{}", mount.source, mount.target, mode(mount));
                    binds.push(text.trim_end_matches(':').to_owned());
                }
            }
            kind => others.push(json!({
                "Type": kind.name(),
                "Source": mount.source,
                "Target": mount.target,
                "ReadOnly": mount.read_only,
                (if kind == MountKind::Image { "ImageOptions" } else { "VolumeOptions" }): {
                    "Subpath": mount.subpath,
                },
            })),
        }
    }
    all["Binds"] = or_null(binds);
    all["Tmpfs"] = files.into();
    all["Mounts"] = others.into();
}

/// Whether it is a volume that nobody has given a name.
fn is_anonymous(engine: &Engine, mount: &Mount) -> bool {
    mount.kind == MountKind::Volume && engine.volume(&mount.source).is_ok_and(|it| it.anonymous)
}

/// Where there are volumes without a name, as Docker has it; null if there are none.
pub(super) fn volumes(engine: &Engine, settings: &Settings) -> Value {
    let nameless = settings.mounts.iter().filter(|mount| is_anonymous(engine, mount));
    let all: Map<_, _> = nameless.map(|it| (it.target.clone(), json!({}))).collect();
    if all.is_empty() { Value::Null } else { all.into() }
}

/// The options of a mount, as they are written after the second colon of `-v`.
fn mode(mount: &Mount) -> String {
    let own = [(mount.read_only, "ro"), (mount.no_copy, "nocopy")];
    let own = own.into_iter().filter_map(|(is_so, name)| is_so.then_some(name));
    own.chain(mount.options.iter().map(String::as_str)).collect::<Vec<_>>().join(",")
}

pub(super) fn mounts(engine: &Engine, settings: &Settings) -> Vec<Value> {
    const PROPAGATIONS: [&str; 3] = ["private", "shared", "slave"];
    let mount = |mount: &Mount| {
        let source = match mount.kind {
            MountKind::Volume => engine.volume_path(&mount.source).display().to_string(),
            _ => mount.source.clone(),
        };
        let mut said = mount.options.iter().map(String::as_str);
        let said = said.rfind(|it| PROPAGATIONS.contains(&it.trim_start_matches('r')));
        let usual = if mount.kind == MountKind::Bind { "rprivate" } else { "" };
        let is_volume = mount.kind == MountKind::Volume;
        json!({
            "Type": mount.kind.name(),
            "Name": if is_volume { mount.source.as_str() } else { "" },
            "Driver": if is_volume { "local" } else { "" },
            "Source": source,
            "Destination": mount.target,
            "Mode": mode(mount),
            "Options": mount.options,
            "RW": !mount.read_only,
            "Propagation": said.unwrap_or(usual),
        })
    };
    settings.mounts.iter().map(mount).collect()
}

fn log_options(log: &LogOptions) -> Value {
    let mut all = json!({
        "max-size": log.max_size.to_string(),
        "max-file": log.max_files.to_string(),
    });
    for (name, values) in [("labels", &log.labels), ("env", &log.env)] {
        if !values.is_empty() {
            all[name] = values.join(",").into();
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_disks_and_memory() {
        let disks = vec![(DiskLimit::WriteTimes, "/dev/sda".to_owned(), 7)];
        let limits = Limits { disks, memory_swappiness: Some(3), ..Limits::default() };
        let mut all = json!({ "Init": true });
        add_limits(&mut all, &limits);
        assert_eq!(all["BlkioDeviceWriteIOps"], json!([{ "Path": "/dev/sda", "Rate": 7 }]));
        assert_eq!(all["BlkioDeviceReadIOps"], json!([]));
        assert_eq!((&all["MemorySwappiness"], &all["Init"]), (&json!(3), &json!(true)));
    }

    #[test]
    fn rights_as_they_are_written() {
        assert_eq!(or_null(security_options(&Security::default())), Value::Null);
        let security = Security {
            no_new_privileges: Some(false),
            seccomp: SeccompChoice::Unconfined,
            label: "type:x".to_owned(),
            unmasked: true,
            ..Security::default()
        };
        let expected = [
            "no-new-privileges=false",
            "seccomp=unconfined",
            "label=type:x",
            "systempaths=unconfined",
        ];
        assert_eq!(security_options(&security), expected);
    }
}
