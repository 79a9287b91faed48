//! All that is known of a container, with Docker's names of fields.

use super::host_config::{host_config, mounts, volumes};
use crate::commands::glance::glance;
use crate::commands::port;
use anyhow::Result;
use engine::settings::SecretUse;
use engine::{Check, Container, Engine, Seen, Status, time_text};
use image::Digest;
use serde_json::{Value, json};
use std::path::Path;

pub(crate) fn describe(engine: &Engine, container: &Container) -> Result<Value> {
    let seen = glance(engine, container)?;
    let settings = &container.settings;
    let words: Vec<&String> = settings.words().collect();
    let image = image_id(engine, container)?;
    let file = |name: &str| engine.file_path(container, name);
    let (bounding, effective) = engine.capabilities(container)?;
    let mut network = port::settings(engine, container)?;
    let sandbox = |pid: i32| format!("/proc/{pid}/ns/net");
    network["SandboxID"] = container.id.as_str().into();
    network["SandboxKey"] = pid(&seen).map(sandbox).unwrap_or_default().into();
    if let (true, Some(ports)) = (seen.status.is_running(), network["Ports"].as_object_mut()) {
        for port in port::exposed(container) {
            ports.entry(port).or_insert(Value::Null);
        }
    }
    Ok(json!({
        "Id": container.id,
        "Created": time_text(container.created),
        "Path": words.first(),
        "Args": words.get(1..).unwrap_or_default(),
        "State": state(engine, container, &seen)?,
        "Image": image,
        "ImageName": settings.image,
        "ImageDigest": container.manifest.as_ref().map(Digest::as_str),
        "Name": format!("/{}", container.name),
        "Dependencies": settings.requires,
        "Pod": container.pod.as_deref().unwrap_or_default(),
        "IsInfra": container.is_infra,
        "RestartCount": seen.state.restarts,
        "Driver": "overlay",
        "GraphDriver": { "Name": "overlay", "Data": places(engine, container, &seen) },
        "AppArmorProfile": settings.security.apparmor,
        "ProcessLabel": settings.security.label,
        "BoundingCaps": bounding,
        "EffectiveCaps": effective,
        "OCIRuntime": "tinyo",
        "PidFile": settings.pid_file,
        "ConmonPidFile": settings.monitor_pid_file,
        "Platform": "linux",
        "ResolvConfPath": file("resolv.conf"),
        "HostnamePath": file("hostname"),
        "HostsPath": file("hosts"),
        "LogPath": if settings.log.none { "".into() } else { engine.log_path(container) },
        "HostConfig": host_config(engine, settings),
        "Mounts": mounts(engine, settings),
        "Config": config(engine, container),
        "NetworkSettings": network,
    }))
}

/// That of its image, if it has one.
pub(crate) fn image_id(engine: &Engine, container: &Container) -> Result<Option<String>> {
    let image = container.manifest.as_ref().map(|manifest| engine.store().image(manifest));
    Ok(image.transpose()?.map(|image| image.id.as_str().to_owned()))
}

/// What it has written, and all that it sees, in bytes.
pub(crate) fn sizes(engine: &Engine, container: &Container) -> Result<[u64; 2]> {
    let own = engine.written_by(container)?;
    let image = container.manifest.as_ref().map(|it| engine.store().image(it)).transpose()?;
    Ok([own, own + image.map_or(0, |image| image.bytes())])
}

/// Its first process, if it has one.
fn pid(seen: &Seen) -> Option<i32> {
    seen.status.is_running().then_some(seen.state.pid)
}

/// Where its files are. All of them together are mounted for itself alone, but seen through its
/// process.
fn places(engine: &Engine, container: &Container, seen: &Seen) -> Value {
    let layers: Vec<_> = container.layers.iter().map(|it| it.to_string_lossy()).collect();
    let mut all = json!({
        "LowerDir": layers.join(":"),
        "UpperDir": engine.file_path(container, "upper"),
        "WorkDir": engine.file_path(container, "work"),
    });
    if let Some(pid) = pid(seen) {
        all["MergedDir"] = format!("/proc/{pid}/root").into();
    }
    all
}

fn state(engine: &Engine, container: &Container, seen: &Seen) -> Result<Value> {
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
        "Pid": pid(seen).unwrap_or(0),
        "ExitCode": seen.state.exit_code,
        "Error": seen.state.error,
        "StartedAt": time(seen.state.started),
        "FinishedAt": time(seen.state.finished),
        "CgroupPath": engine.cgroup(container).unwrap_or_default(),
    });
    if let Some((health, failures)) = seen.state.health {
        let check = |it: &Check| {
            json!({
                "Start": time_text(it.started),
                "End": time_text(it.ended),
                "ExitCode": it.exit_code,
                "Output": it.output,
            })
        };
        let log: Value = engine.health_log(container)?.iter().map(check).collect();
        state["Health"] = json!({ "Status": health.name(), "FailingStreak": failures, "Log": log });
    }
    Ok(state)
}

/// What it calls itself, in its own network or the machine's.
fn hostname(engine: &Engine, container: &Container) -> String {
    let settings = &container.settings;
    if !settings.hostname.is_empty() {
        return settings.hostname.clone();
    }
    let is_of_machine = settings.network.mode == "host" || settings.namespaces.uts == "host";
    let path = match is_of_machine {
        true => Path::new("/proc/sys/kernel/hostname").to_owned(),
        // There once it was started.
        false => engine.file_path(container, "hostname"),
    };
    let found = std::fs::read_to_string(path).unwrap_or_default();
    match found.trim() {
        "" => container.id[..12].to_owned(),
        name => name.to_owned(),
    }
}

fn config(engine: &Engine, container: &Container) -> Value {
    let settings = &container.settings;
    let ports = port::exposed(container).map(|port| (port, json!({})));
    let words = |command: &[String]| -> Vec<String> {
        match command {
            // As both Docker's files and its flags have it.
            [shell, flag, line] if shell == "/bin/sh" && flag == "-c" => {
                vec!["CMD-SHELL".to_owned(), line.clone()]
            }
            _ => std::iter::once("CMD".to_owned()).chain(command.iter().cloned()).collect(),
        }
    };
    let startup = settings.health.as_ref().and_then(|it| it.startup.as_ref());
    json!({
        "Hostname": hostname(engine, container),
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
        "OnBuild": null,
        "Timeout": settings.timeout,
        "Volumes": volumes(engine, settings),
        "Secrets": settings.secrets.iter().map(secret).collect::<Vec<_>>(),
        "ExposedPorts": ports.collect::<serde_json::Map<_, _>>(),
        "StopSignal": if settings.stop_signal.is_empty() { "SIGTERM" } else { &settings.stop_signal },
        "StopTimeout": settings.stop_timeout,
        "Umask": settings.umask.map(|bits| format!("{bits:04o}")),
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
