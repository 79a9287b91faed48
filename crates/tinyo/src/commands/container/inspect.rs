//! All that is known of a container, with Docker's names of fields.

use crate::commands::port;
use anyhow::Result;
use engine::settings::{IdRange, Ids, MountKind, SecretUse, Settings};
use engine::{Container, Engine, Seen, Status, time_text};
use serde_json::{Value, json};

pub(crate) fn describe(engine: &Engine, container: &Container) -> Result<Value> {
    let seen = engine.look(container)?;
    let settings = &container.settings;
    let words: Vec<&String> = settings.words().collect();
    let image = container.manifest.as_ref().map(|manifest| engine.store().image(manifest));
    let image = image.transpose()?.map(|image| image.id.as_str().to_owned());
    Ok(json!({
        "Id": container.id,
        "Created": time_text(container.created),
        "Path": words.first(),
        "Args": words.get(1..).unwrap_or_default(),
        "State": state(&seen),
        "Image": image,
        "Name": format!("/{}", container.name),
        "Pod": container.pod.as_deref().unwrap_or_default(),
        "IsInfra": container.is_infra,
        "RestartCount": seen.state.restarts,
        "LogPath": engine.log_path(container),
        "HostConfig": host_config(settings),
        "Mounts": mounts(engine, settings),
        "Config": config(container),
        "NetworkSettings": port::settings(engine, container)?,
    }))
}

fn state(seen: &Seen) -> Value {
    let time = |nanoseconds: u64| match nanoseconds {
        0 => "0001-01-01T00:00:00Z".to_owned(),
        _ => time_text(nanoseconds),
    };
    let mut state = json!({
        "Status": seen.status.name(),
        "Running": seen.status.is_running() || seen.status == Status::Restarting,
        "Paused": seen.status == Status::Paused,
        "Restarting": seen.status == Status::Restarting,
        "OOMKilled": seen.state.oom,
        "Dead": false,
        "Pid": if seen.status.is_running() { seen.state.pid } else { 0 },
        "ExitCode": seen.state.exit_code,
        "Error": seen.state.error,
        "StartedAt": time(seen.state.started),
        "FinishedAt": time(seen.state.finished),
    });
    if let Some((health, failures)) = seen.state.health {
        state["Health"] = json!({ "Status": health.name(), "FailingStreak": failures });
    }
    state
}

fn config(container: &Container) -> Value {
    let settings = &container.settings;
    let ports = settings.network.exposed.iter().map(|port| (port.clone(), json!({})));
    let words = |command: &[String]| -> Vec<String> {
        std::iter::once("CMD".to_owned()).chain(command.iter().cloned()).collect()
    };
    let startup = settings.health.as_ref().and_then(|it| it.startup.as_ref());
    let hostname =
        if settings.hostname.is_empty() { &container.id[..12] } else { &settings.hostname };
    json!({
        "Hostname": hostname,
        "Domainname": settings.domainname,
        "User": settings.user,
        "Tty": settings.tty,
        "OpenStdin": settings.interactive,
        "Env": settings.env,
        "Cmd": settings.command,
        "Entrypoint": settings.entrypoint,
        "Image": settings.image,
        "WorkingDir": settings.working_dir,
        "Labels": settings.labels,
        "Secrets": settings.secrets.iter().map(secret).collect::<Vec<_>>(),
        "ExposedPorts": ports.collect::<serde_json::Map<_, _>>(),
        "StopSignal": if settings.stop_signal.is_empty() { "SIGTERM" } else { &settings.stop_signal },
        "StopTimeout": settings.stop_timeout,
        "Healthcheck": settings.health.as_ref().map(|health| json!({
            "Test": words(&health.command),
            "Interval": health.interval,
            "Timeout": health.timeout,
            "StartPeriod": health.start_period,
            "StartInterval": health.start_interval,
            "Retries": health.retries,
        })),
        "HealthcheckOnFailureAction": settings.health.as_ref().map(|it| it.on_failure.name()),
        "StartupHealthCheck": startup.map(|startup| json!({
            "Test": words(&startup.command),
            "Interval": startup.interval,
            "Timeout": startup.timeout,
            "Retries": startup.retries,
            "Successes": startup.successes,
        })),
    })
}

/// As Podman has it: which, and not what.
fn secret(it: &SecretUse) -> Value {
    json!({ "Name": it.name, "ID": it.id, "UID": it.user, "GID": it.group, "Mode": it.mode })
}

fn host_config(settings: &Settings) -> Value {
    let (limits, security, shared) = (&settings.limits, &settings.security, &settings.namespaces);
    let ulimits = limits
        .ulimits
        .iter()
        .map(|(name, soft, hard)| json!({ "Name": name, "Soft": soft, "Hard": hard }));
    let devices = settings.devices.iter().map(|device| {
        json!({
            "PathOnHost": device.source,
            "PathInContainer": device.target,
            "CgroupPermissions": device.access,
        })
    });
    json!({
        "AutoRemove": settings.auto_remove,
        "Init": settings.init,
        "NetworkMode": settings.network.mode,
        "RestartPolicy": {
            "Name": settings.restart.policy.name(),
            "MaximumRetryCount": settings.restart.limit,
        },
        "LogConfig": {
            "Type": if settings.log.none { "none" } else { "k8s-file" },
            "Config": {
                "max-size": settings.log.max_size.to_string(),
                "max-file": settings.log.max_files.to_string(),
            },
        },
        "Privileged": security.privileged,
        "ReadonlyRootfs": settings.read_only,
        "CapAdd": security.cap_add,
        "CapDrop": security.cap_drop,
        "Dns": settings.network.dns,
        "DnsSearch": settings.network.dns_search,
        "DnsOptions": settings.network.dns_options,
        "ExtraHosts": settings.network.hosts,
        "GroupAdd": settings.group_add,
        "PidMode": shared.pid,
        "IpcMode": shared.ipc,
        "UTSMode": shared.uts,
        "UsernsMode": shared.user,
        "IDMappings": id_mappings(&shared.ids),
        "CgroupnsMode": shared.cgroup,
        "CgroupParent": shared.cgroup_parent,
        "Memory": limits.memory.unwrap_or(0),
        "MemorySwap": limits.memory_swap.unwrap_or(0),
        "MemoryReservation": limits.memory_reservation.unwrap_or(0),
        "NanoCpus": limits.nano_cpus.unwrap_or(0),
        "CpuShares": limits.cpu_shares.unwrap_or(0),
        "CpuPeriod": limits.cpu_period.unwrap_or(0),
        "CpuQuota": limits.cpu_quota.unwrap_or(0),
        "CpusetCpus": limits.cpuset_cpus,
        "CpusetMems": limits.cpuset_mems,
        "PidsLimit": limits.pids,
        "BlkioWeight": limits.blkio_weight.unwrap_or(0),
        "OomKillDisable": limits.oom_kill_disable,
        "OomScoreAdj": limits.oom_score_adj.unwrap_or(0),
        "ShmSize": limits.shm_size,
        "Sysctls": limits.sysctls,
        "Ulimits": ulimits.collect::<Vec<_>>(),
        "Devices": devices.collect::<Vec<_>>(),
    })
}

/// As Podman has it, `CONTAINER:HOST:COUNT`.
fn id_mappings(ids: &Ids) -> Value {
    let text = |it: &IdRange| format!("{}:{}:{}", it.inside, it.outside, it.length);
    let texts = |ranges: &[IdRange]| ranges.iter().map(text).collect::<Vec<_>>();
    json!({ "UidMap": texts(&ids.users), "GidMap": texts(&ids.groups) })
}

fn mounts(engine: &Engine, settings: &Settings) -> Vec<Value> {
    let mount = |mount: &engine::settings::Mount| {
        let source = match mount.kind {
            MountKind::Volume => engine.volume_path(&mount.source).display().to_string(),
            _ => mount.source.clone(),
        };
        let mut value = json!({
            "Type": mount.kind.name(),
            "Source": source,
            "Destination": mount.target,
            "Mode": mount.options.join(","),
            "RW": !mount.read_only,
        });
        if mount.kind == MountKind::Volume {
            value["Name"] = mount.source.clone().into();
        }
        value
    };
    settings.mounts.iter().map(mount).collect()
}
