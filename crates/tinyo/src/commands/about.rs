//! `tinyo version`, `tinyo info`, `tinyo doctor`.

use crate::context::Context;
use crate::show::{ListFormat, print_line, print_lines, print_table};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

#[derive(Args)]
pub(crate) struct Arguments {
    /// text, json, or a template such as '{{.ServerVersion}}'
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: ListFormat,
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

fn print_details_of_one(format: &ListFormat, value: &Value) -> Result<()> {
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

/// What this machine can do, and what helps where it cannot.
pub(crate) fn doctor(context: &Context, arguments: &Arguments) -> Result<()> {
    let checks: Vec<(&str, Result<String, String>)> = vec![
        ("store", store(context)),
        ("overlay", listed("/proc/filesystems", "overlay", "modprobe overlay")),
        ("cgroups", cgroups()),
        ("user namespaces", above_zero("/proc/sys/user/max_user_namespaces")),
        ("network namespaces", above_zero("/proc/sys/user/max_net_namespaces")),
        (
            "seccomp",
            listed(
                "/proc/sys/kernel/seccomp/actions_avail",
                "errno",
                "a kernel with CONFIG_SECCOMP_FILTER",
            ),
        ),
        (
            "landlock",
            listed(
                "/sys/kernel/security/lsm",
                "landlock",
                "lsm=landlock,... on the kernel's command line",
            ),
        ),
        (
            "bridges",
            here("/sys/module/bridge", "modprobe bridge (it is also loaded when it is first used)"),
        ),
        (
            "firewall",
            here(
                "/sys/module/nf_tables",
                "modprobe nf_tables (it is also loaded when it is first used)",
            ),
        ),
        ("legacy iptables", legacy_iptables()),
        ("networks of users", user_networks()),
        ("id ranges", here("/etc/subuid", "apt install uidmap, for users without rights")),
    ];
    if arguments.format != ListFormat::Table {
        let checks: Vec<Value> = checks
            .into_iter()
            .map(|(name, result)| {
                let is_fine = result.is_ok();
                let text = result.unwrap_or_else(|help| help);
                json!({ "Name": name, "Ok": is_fine, "Text": text })
            })
            .collect();
        return print_details_of_one(&arguments.format, &Value::from(checks));
    }
    let row = |(name, result): (&str, Result<String, String>)| {
        let (mark, text) = match result {
            Ok(text) => ("yes", text),
            Err(help) => ("no", help),
        };
        vec![name.to_owned(), mark.to_owned(), text]
    };
    let rows: Vec<_> = checks.into_iter().map(row).collect();
    print_table(&["WHAT", "HERE", "HOW, OR WHAT HELPS"], &rows)
}

fn kernel() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}

fn is_v2() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

fn store(context: &Context) -> Result<String, String> {
    let engine = context.engine().map_err(|error| format!("{error:#}"))?;
    Ok(engine.folders().root().display().to_string())
}

fn listed(file: &str, word: &str, help: &str) -> Result<String, String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    if text.split([',', ' ', '\t', '\n']).any(|it| it == word) {
        Ok(format!("{word} is in {file}"))
    } else {
        Err(help.to_owned())
    }
}

fn here(path: &str, help: &str) -> Result<String, String> {
    if Path::new(path).exists() { Ok(path.to_owned()) } else { Err(help.to_owned()) }
}

fn legacy_iptables() -> Result<String, String> {
    match net::firewall::legacy_drops_forwarded() {
        Ok(false) => Ok("drops nothing of ours".to_owned()),
        Ok(true) => Err(net::firewall::LEGACY_MEND.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn user_networks() -> Result<String, String> {
    let found = |name| net::helper::find(name).map(|path| path.display().to_string());
    found("pasta")
        .or_else(|| found("slirp4netns"))
        .ok_or_else(|| "apt install passt (or slirp4netns), for users without rights".to_owned())
}

fn above_zero(file: &str) -> Result<String, String> {
    match fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<u64>().ok()) {
        Some(number) if number > 0 => Ok(format!("at most {number}")),
        _ => Err(format!("sysctl -w with a number above 0 in {file}")),
    }
}

fn cgroups() -> Result<String, String> {
    if is_v2() {
        let text = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        return Ok(format!("version 2: {}", text.trim()));
    }
    let has = |name: &&str| Path::new("/sys/fs/cgroup").join(name).is_dir();
    let found: Vec<&str> =
        ["cpu", "memory", "pids", "freezer", "devices"].into_iter().filter(has).collect();
    if found.is_empty() {
        Err("mount cgroup2 on /sys/fs/cgroup".to_owned())
    } else {
        Ok(format!("version 1: {}", found.join(" ")))
    }
}
