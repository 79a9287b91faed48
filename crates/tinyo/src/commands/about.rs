//! `tinyo version`, `tinyo info`.

use super::glance::glance;
use crate::context::Context;
use crate::rootless::is_machines_own;
use crate::show::{ListFormat, print_line, print_lines};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

#[derive(Args)]
pub(crate) struct Arguments {
    /// text, json, or a template such as '{{.ServerVersion}}'
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: ListFormat,
}

pub(crate) fn version(arguments: &Arguments) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let own = json!({
        "Version": version,
        "Os": "linux",
        "Arch": "amd64",
        "KernelVersion": kernel(),
    });
    // As Docker has it, both sides of which this is.
    let mut all = own.clone();
    all["Client"] = own.clone();
    all["Server"] = own;
    match &arguments.format {
        ListFormat::Table => print_line(&format!("tinyo {version}")),
        format => print_details_of_one(format, &all),
    }
}

pub(super) fn print_details_of_one(format: &ListFormat, value: &Value) -> Result<()> {
    match format {
        ListFormat::Lines(template) => print_lines(template, std::slice::from_ref(value)),
        _ => print_line(&value.to_string()),
    }
}

pub(crate) fn info(context: &Context, arguments: &Arguments) -> Result<()> {
    let engine = context.engine()?;
    let containers = engine.containers()?;
    let mut counts = [0; 3];
    for container in &containers {
        counts[match glance(&engine, container)?.status {
            engine::Status::Paused => 1,
            status if status.is_running() => 0,
            _ => 2,
        }] += 1;
    }
    let [running, paused, stopped] = counts;
    let mut security = vec!["name=seccomp,profile=builtin", "name=cgroupns"];
    security.extend((!is_machines_own()).then_some("name=rootless"));
    let mut info = json!({
        "Containers": containers.len(),
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": stopped,
        "Images": engine.store().images()?.len(),
        "Driver": "overlay",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": if is_v2() { "2" } else { "1" },
        "KernelVersion": kernel(),
        "Name": line_of("/proc/sys/kernel/hostname"),
        "OperatingSystem": operating_system(),
        "OSType": "linux",
        "Architecture": "x86_64",
        "NCPU": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "MemTotal": memory(),
        "SecurityOptions": security,
        "ServerVersion": env!("CARGO_PKG_VERSION"),
        // As Docker calls it, and as it was called here at first.
        "DockerRootDir": engine.folders().root(),
        "RootDir": engine.folders().root(),
        "RunDir": engine.folders().run(),
    });
    if arguments.format != ListFormat::Table {
        let counts = [containers.len(), running, paused, stopped];
        add_podmans_names(&mut info, counts);
        return print_details_of_one(&arguments.format, &info);
    }
    for (name, value) in info.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        print_line(&format!("{name}: {text}"))?;
    }
    Ok(())
}

/// The same as Podman calls it.
fn add_podmans_names(info: &mut Value, [all, running, paused, stopped]: [usize; 4]) {
    info["Host"] = json!({
        "Arch": "amd64",
        "OS": "linux",
        "CPUs": info["NCPU"],
        "MemTotal": info["MemTotal"],
        "Hostname": info["Name"],
        "Kernel": info["KernelVersion"],
        "CgroupManager": info["CgroupDriver"],
        "CgroupsVersion": if is_v2() { "v2" } else { "v1" },
        "Security": { "Rootless": !is_machines_own() },
    });
    let containers =
        json!({ "Number": all, "Running": running, "Paused": paused, "Stopped": stopped });
    info["Store"] = json!({
        "GraphDriverName": info["Driver"],
        "GraphRoot": info["RootDir"],
        "RunRoot": info["RunDir"],
        "ContainerStore": containers,
        "ImageStore": { "Number": info["Images"] },
    });
}

pub(super) fn kernel() -> String {
    line_of("/proc/sys/kernel/osrelease")
}

fn line_of(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// As os-release(5) has it for people.
fn operating_system() -> String {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .into_iter()
        .map(line_of)
        .find(|it| !it.is_empty());
    let text = text.unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches(['"', '\'']).to_owned()
}

/// The bytes of the machine's memory; 0 if the kernel does not say it.
fn memory() -> u64 {
    let text = line_of("/proc/meminfo");
    let kibibytes =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.strip_suffix("kB"));
    kibibytes.and_then(|it| it.trim().parse().ok()).map_or(0, |it: u64| it << 10)
}

pub(super) fn is_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}
