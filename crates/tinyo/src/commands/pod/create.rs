//! `tinyo pod create`.

use crate::commands::container::connection::ConnectionOptions;
use crate::commands::container::user::UserOptions;
use crate::commands::container::{mounts, parse};
use crate::context::Context;
use crate::show::print_line;
use anyhow::{Context as _, Result, bail};
use clap::{ArgAction, Args};
use engine::settings::{DiskLimit, Limits, Restart};
use engine::{Engine, Error, ExitPolicy, PodSettings, Share};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// What to call it
    #[arg(short, long, value_name = "NAME", conflicts_with = "positional_name")]
    name: Option<String>,
    /// Which namespaces are shared: ipc, net, uts, pid, cgroup, with commas between, or none
    #[arg(long, value_name = "LIST", value_parser = namespaces)]
    share: Option<Share>,
    /// Whether the pod's cgroup is above those of its containers, with limits for all of them
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    share_parent: bool,
    /// Whether a container holds what is shared; without it nothing is
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    infra: bool,
    /// What that container is called [default: the beginning of the pod's id, and -infra]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    infra_name: String,
    /// Host name [default: the pod's name]
    #[arg(short = 'h', long, value_name = "NAME", default_value = "", hide_default_value = true)]
    hostname: String,
    #[command(flatten)]
    network: ConnectionOptions,
    /// [SOURCE:]TARGET[:ro], for all of its containers
    #[arg(short, long, value_name = "VOLUME")]
    volume: Vec<String>,
    /// A label, NAME=VALUE
    #[arg(short, long, value_name = "LABEL", value_parser = parse::pair)]
    label: Vec<(String, String)>,
    /// A file with a label a line
    #[arg(long, value_name = "FILE")]
    label_file: Vec<PathBuf>,
    /// When its containers are started again that say nothing else
    #[arg(long, value_name = "POLICY", value_parser = parse::restart, default_value = "no")]
    restart: Restart,
    /// What becomes of it when its last container ends: continue or stop
    #[arg(long, value_name = "POLICY", value_parser = exit_policy, default_value = "continue")]
    exit_policy: ExitPolicy,
    #[command(flatten)]
    user: UserOptions,
    #[command(flatten)]
    limits: LimitOptions,
    /// Write its id to a file, which must not exist
    #[arg(long, value_name = "FILE")]
    pod_id_file: Option<PathBuf>,
    /// Remove the pod that has this name, if there is one
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    refused: RefusedOptions,
    /// What to call it
    #[arg(value_name = "NAME")]
    positional_name: Option<String>,
}

/// What all of its containers together may use.
#[derive(Args)]
struct LimitOptions {
    /// Memory
    #[arg(short, long, value_name = "BYTES", value_parser = parse::bytes)]
    memory: Option<i64>,
    /// Memory and swap together; -1: any
    #[arg(long, value_name = "BYTES", value_parser = parse::bytes, allow_hyphen_values = true)]
    memory_swap: Option<i64>,
    /// Processors, such as 1.5
    #[arg(long, value_name = "COUNT", value_parser = parse::cpus)]
    cpus: Option<u64>,
    /// Weight beside others, usually 1024
    #[arg(short, long, value_name = "WEIGHT")]
    cpu_shares: Option<u64>,
    /// Which processors, such as 0-3,7
    #[arg(long, value_name = "LIST", default_value = "", hide_default_value = true)]
    cpuset_cpus: String,
    /// Which memory nodes
    #[arg(long, value_name = "LIST", default_value = "", hide_default_value = true)]
    cpuset_mems: String,
    /// Processes and threads
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i64).range(1..))]
    pids_limit: Option<i64>,
    /// Weight beside others for disks, 10 to 1000
    #[arg(long, value_name = "WEIGHT", value_parser = clap::value_parser!(u16).range(10..=1000))]
    blkio_weight: Option<u16>,
    /// DISK:BYTES that may be read a second
    #[arg(long, value_name = "LIMIT")]
    device_read_bps: Vec<String>,
    /// DISK:BYTES that may be written a second
    #[arg(long, value_name = "LIMIT")]
    device_write_bps: Vec<String>,
    /// A kernel parameter of what is shared, NAME=VALUE
    #[arg(long, value_name = "PARAMETER", value_parser = parse::pair)]
    sysctl: Vec<(String, String)>,
    /// Size of /dev/shm [default: 64m]
    #[arg(long, value_name = "BYTES", value_parser = parse::size)]
    shm_size: Option<u64>,
    /// The cgroup above the pod's [default: /tinyo]
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    cgroup_parent: String,
}

/// What Podman has and this has not, to be told why.
#[derive(Args)]
struct RefusedOptions {
    #[arg(long, hide = true)]
    infra_image: Option<String>,
    #[arg(long, hide = true)]
    infra_command: Option<String>,
}

fn namespaces(text: &str) -> Result<Share, String> {
    let mut share = Share { cgroup_parent: true, ..Share::default() };
    for name in text.split(',').map(str::trim).filter(|name| !matches!(*name, "" | "none")) {
        match name {
            "net" | "network" => share.network = true,
            "ipc" => share.ipc = true,
            "uts" => share.uts = true,
            "pid" => share.pid = true,
            "cgroup" => share.cgroup = true,
            _ => {
                return Err(format!("{name:?} cannot be shared, only ipc, net, uts, pid, cgroup"));
            }
        }
    }
    Ok(share)
}

fn exit_policy(text: &str) -> Result<ExitPolicy, String> {
    match text {
        "continue" => Ok(ExitPolicy::Continue),
        "stop" => Ok(ExitPolicy::Stop),
        _ => Err(format!("{text:?} is neither continue nor stop")),
    }
}

impl Arguments {
    fn settings(&self) -> Result<PodSettings> {
        let mut share = self.share.unwrap_or(Share::USUAL);
        if !self.infra {
            if share.has_namespaces() && self.share.is_some() {
                bail!("--infra=false: nobody would hold what --share says, which can only be none");
            }
            share = Share { cgroup_parent: true, ..Share::default() };
        }
        share.cgroup_parent = self.share_parent;
        let mut labels = BTreeMap::new();
        for path in &self.label_file {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let lines = text.lines().map(str::trim);
            for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let (name, value) = parse::pair(line).map_err(anyhow::Error::msg)?;
                labels.insert(name, value);
            }
        }
        labels.extend(self.label.iter().cloned());
        Ok(PodSettings {
            share,
            infra_name: self.infra_name.clone(),
            hostname: self.hostname.clone(),
            network: self.network.settings()?,
            labels,
            limits: self.limits.settings()?,
            mounts: self.volume.iter().map(|it| mounts::volume(it)).collect::<Result<_>>()?,
            restart: self.restart.clone(),
            exit_policy: self.exit_policy,
            auto_remove: false,
            cgroup_parent: self.limits.cgroup_parent.clone(),
            namespaces: self.user.namespaces(),
        })
    }
}

impl LimitOptions {
    fn settings(&self) -> Result<Limits> {
        let mut disks = Vec::new();
        for (what, texts) in [
            (DiskLimit::ReadBytes, &self.device_read_bps),
            (DiskLimit::WriteBytes, &self.device_write_bps),
        ] {
            for text in texts {
                let (disk, rate) = text
                    .rsplit_once(':')
                    .with_context(|| format!("{text:?} is not DISK:RATE a second"))?;
                disks.push((what, disk.to_owned(), parse::size(rate).map_err(anyhow::Error::msg)?));
            }
        }
        Ok(Limits {
            memory: self.memory,
            memory_swap: self.memory_swap,
            nano_cpus: self.cpus,
            cpu_shares: self.cpu_shares,
            cpuset_cpus: self.cpuset_cpus.clone(),
            cpuset_mems: self.cpuset_mems.clone(),
            pids: self.pids_limit,
            blkio_weight: self.blkio_weight,
            disks,
            sysctls: self.sysctl.iter().cloned().collect(),
            shm_size: self.shm_size,
            ..Limits::default()
        })
    }
}

impl RefusedOptions {
    fn check(&self) -> Result<()> {
        if self.infra_image.is_some() || self.infra_command.is_some() {
            bail!("--infra-image, --infra-command: there is no image, tino holds what is shared");
        }
        Ok(())
    }
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    arguments.refused.check()?;
    let settings = arguments.settings()?;
    let name = arguments.name.as_ref().or(arguments.positional_name.as_ref());
    let engine = context.engine()?;
    let mut file = match &arguments.pod_id_file {
        Some(path) => Some(File::create_new(path).with_context(|| path.display().to_string())?),
        None => None,
    };
    if arguments.replace {
        remove_old(&engine, name.map(String::as_str).context("--replace: which? Give a --name")?)?;
    }
    let pod = engine.create_pod(settings, name.map(String::as_str))?;
    if let Some(file) = &mut file {
        file.write_all(pod.id.as_bytes()).context("--pod-id-file")?;
    }
    print_line(&pod.id)
}

fn remove_old(engine: &Engine, name: &str) -> Result<()> {
    match engine.pod(name) {
        // The beginning of an id is no name.
        Ok(pod) if pod.name == name => Ok(engine.remove_pod(&pod, true, None)?),
        Ok(_) | Err(Error::NoSuchPod(_) | Error::Ambiguous { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::namespaces;
    use engine::Share;

    #[test]
    fn what_is_shared() {
        assert_eq!(namespaces("ipc,net,uts"), Ok(Share::USUAL));
        assert_eq!(namespaces("net, pid").map(Share::names), Ok(vec!["pid", "net"]));
        for text in ["", "none"] {
            assert_eq!(namespaces(text).map(Share::has_namespaces), Ok(false));
        }
        assert!(namespaces("net,user").is_err());
    }
}
