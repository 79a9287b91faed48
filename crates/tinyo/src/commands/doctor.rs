//! `tinyo doctor`.

use super::about::{Arguments, is_v2, kernel, print_details_of_one};
use crate::context::Context;
use crate::rootless;
use crate::show::{ListFormat, print_table};
use anyhow::Result;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// So many ids images have that were made for all machines.
const ENOUGH: u64 = 65535;

/// What this machine can do, and what helps where it cannot.
pub(crate) fn doctor(context: &Context, arguments: &Arguments) -> Result<()> {
    let checks: Vec<(&str, Result<String, String>)> = vec![
        ("store", store(context)),
        ("layers", layers(context)),
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
        ("bridges", module("bridge")),
        ("firewall", firewall()),
        ("legacy iptables", legacy_iptables()),
        ("networks of users", user_networks()),
        ("ports of users", user_ports()),
        ("id ranges", id_ranges()),
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

fn store(context: &Context) -> Result<String, String> {
    let engine = context.engine().map_err(|error| format!("{error:#}"))?;
    Ok(engine.folders().root().display().to_string())
}

/// By really doing it: it depends on the user, the file system and the kernel.
fn layers(context: &Context) -> Result<String, String> {
    let engine = context.engine().map_err(|error| format!("{error:#}"))?;
    engine.who_lays_layers().map_err(|error| error.to_string())
}

fn listed(file: &str, word: &str, help: &str) -> Result<String, String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    if text.split([',', ' ', '\t', '\n']).any(|it| it == word) {
        Ok(format!("{word} is in {file}"))
    } else {
        Err(help.to_owned())
    }
}

/// Whether the kernel has a module: in use, or to be loaded at its first use.
fn module(name: &str) -> Result<String, String> {
    let loaded = format!("/sys/module/{name}");
    if Path::new(&loaded).exists() {
        return Ok(loaded);
    }
    let file = format!("/{name}.ko");
    let is_listed = |list| {
        let list = format!("/lib/modules/{}/{list}", kernel());
        let text = fs::read_to_string(list).unwrap_or_default();
        text.lines().any(|line| line.split(':').next().is_some_and(|it| it.contains(&file)))
    };
    if is_listed("modules.builtin") {
        return Ok("built in".to_owned());
    }
    if is_listed("modules.dep") {
        return Ok("loaded when it is first used".to_owned());
    }
    Err(format!("modprobe {name}, or a kernel that has it"))
}

/// Only root may ask it.
fn firewall() -> Result<String, String> {
    match net::firewall::Firewall::open().and_then(|mut it| it.elements()) {
        Ok(_) => Ok("nf_tables answers".to_owned()),
        Err(_) => module("nf_tables"),
    }
}

fn legacy_iptables() -> Result<String, String> {
    match net::firewall::legacy_drops_forwarded() {
        Ok(false) => Ok("drops nothing of ours".to_owned()),
        Ok(true) => Err(net::firewall::LEGACY_MEND.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn user_networks() -> Result<String, String> {
    let found = |name| kernel::helper::find(name).map(|path| path.display().to_string());
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

fn user_ports() -> Result<String, String> {
    let file = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let help = "sysctl -w net.ipv4.ip_unprivileged_port_start=80 for those below";
    Ok(match text.trim() {
        "0" => "all".to_owned(),
        first => format!("{first} and above; {help}"),
    })
}

/// Of a user, those that files of an image belong to; of root, those for `--userns auto`.
fn id_ranges() -> Result<String, String> {
    if rootless::is_machines_own() {
        let line = "containers:2147483647:2147483648";
        let has_some = |file| {
            let text = fs::read_to_string(file).unwrap_or_default();
            text.lines().any(|line| line.starts_with("containers:"))
        };
        return if ["/etc/subuid", "/etc/subgid"].into_iter().all(has_some) {
            Ok("containers is in /etc/subuid and /etc/subgid".to_owned())
        } else {
            Err(format!("add {line} to /etc/subuid and /etc/subgid, for --userns auto"))
        };
    }
    let count = |map| -> u64 {
        let text = fs::read_to_string(map).unwrap_or_default();
        text.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum()
    };
    match count("/proc/self/uid_map").min(count("/proc/self/gid_map")) {
        number if number > ENOUGH => Ok(format!("{} beside your own", number - 1)),
        number => Err(format!(
            "there are {}: apt install uidmap, usermod --add-subuids 100000-165535 --add-subgids \
             100000-165535 NAME as root, and no container of yours that runs meanwhile",
            number.saturating_sub(1)
        )),
    }
}
