//! `tinyo version`, `tinyo info`.

use crate::context::Context;
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
    let mut counts = [0_u32; 3];
    for container in &containers {
        counts[match engine.look(container)?.status {
            engine::Status::Paused => 1,
            status if status.is_running() => 0,
            _ => 2,
        }] += 1;
    }
    let [running, paused, stopped] = counts;
    let info = json!({
        "Containers": containers.len(),
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": stopped,
        "Images": engine.store().images()?.len(),
        "Driver": "overlay",
        "CgroupVersion": if is_v2() { "2" } else { "1" },
        "KernelVersion": kernel(),
        "OSType": "linux",
        "Architecture": "x86_64",
        "NCPU": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "ServerVersion": env!("CARGO_PKG_VERSION"),
        "RootDir": engine.folders().root(),
        "RunDir": engine.folders().run(),
    });
    if arguments.format != ListFormat::Table {
        return print_details_of_one(&arguments.format, &info);
    }
    for (name, value) in info.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        print_line(&format!("{name}: {text}"))?;
    }
    Ok(())
}

pub(super) fn kernel() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}

pub(super) fn is_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}
