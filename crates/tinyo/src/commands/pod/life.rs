//! `start`, `stop`, `restart`, `kill`, `pause`, `unpause`, `rm`, `prune`, `exists`.

use crate::commands::system::confirm;
use crate::commands::{fail, fail_with};
use crate::context::Context;
use crate::show::print_line;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use engine::{Engine, Error, Pod, PodStatus};
use std::path::PathBuf;
use std::process::ExitCode;

/// What `rm` ends with where there is no such pod, and where one is in use.
const MISSING: u8 = 1;
const IN_USE: u8 = 2;

#[derive(Args)]
pub(crate) struct Names {
    /// All
    #[arg(short, long)]
    all: bool,
    /// The newest one
    #[arg(short, long)]
    latest: bool,
    /// Names or ids
    #[arg(value_name = "POD")]
    pods: Vec<String>,
}

#[derive(Args)]
pub(crate) struct StartArguments {
    #[command(flatten)]
    names: Names,
    /// A file with the id of one
    #[arg(long, value_name = "FILE")]
    pod_id_file: Vec<PathBuf>,
}

#[derive(Args)]
pub(crate) struct StopArguments {
    #[command(flatten)]
    names: Names,
    /// A file with the id of one
    #[arg(long, value_name = "FILE")]
    pod_id_file: Vec<PathBuf>,
    /// It is no error if there is none
    #[arg(short, long)]
    ignore: bool,
    /// Seconds until they are killed [default: 10, or what a container says]
    #[arg(short, long, visible_alias = "timeout", value_name = "SECONDS")]
    time: Option<u32>,
}

#[derive(Args)]
pub(crate) struct KillArguments {
    #[command(flatten)]
    names: Names,
    /// Which
    #[arg(short, long, default_value = "KILL")]
    signal: String,
}

#[derive(Args)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    stop: StopArguments,
    /// Stop those that run; it is no error if there is no such pod
    #[arg(short, long)]
    force: bool,
}

#[derive(Args)]
pub(crate) struct PruneArguments {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

#[derive(Args)]
pub(crate) struct ExistsArguments {
    /// Name or id
    pod: String,
}

impl Names {
    /// What is named. With `ignore` those that are not there are left out.
    fn find(&self, engine: &Engine, files: &[PathBuf]) -> Result<Vec<Result<Pod, Error>>> {
        let is_named = !self.pods.is_empty() || !files.is_empty();
        if self.all || self.latest {
            if is_named || self.all && self.latest {
                bail!("--all, --latest and names exclude each other");
            }
            let count = if self.all { usize::MAX } else { 1 };
            return Ok(engine.pods()?.into_iter().take(count).map(Ok).collect());
        }
        if !is_named {
            bail!("which pod? Give names or ids, or --all");
        }
        let mut found: Vec<_> = self.pods.iter().map(|name| engine.pod(name)).collect();
        for path in files {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            found.push(engine.pod(text.trim()));
        }
        Ok(found)
    }
}

/// Does something to each, prints its id, and goes on where it fails.
fn each(
    found: Vec<Result<Pod, Error>>,
    act: impl Fn(&Pod) -> Result<(), Error>,
) -> Result<Vec<Error>> {
    let mut failures = Vec::new();
    for pod in found {
        match pod.and_then(|pod| act(&pod).map(|()| pod.id)) {
            Ok(id) => print_line(&id)?,
            Err(error) => failures.push(error),
        }
    }
    Ok(failures)
}

fn tell(failures: Vec<Error>) -> Result<()> {
    fail(&failures.into_iter().map(Into::into).collect::<Vec<_>>())
}

pub(super) fn start(context: &Context, arguments: &StartArguments) -> Result<()> {
    let engine = context.engine()?;
    let found = arguments.names.find(&engine, &arguments.pod_id_file)?;
    tell(each(found, |pod| engine.start_pod(pod))?)
}

pub(super) fn stop(context: &Context, arguments: &StopArguments) -> Result<()> {
    let engine = context.engine()?;
    let found = arguments.find(&engine)?;
    let time = arguments.time.map(i64::from);
    tell(each(found, |pod| engine.stop_pod(pod, time))?)
}

impl StopArguments {
    fn find(&self, engine: &Engine) -> Result<Vec<Result<Pod, Error>>> {
        let mut found = self.names.find(engine, &self.pod_id_file)?;
        if self.ignore {
            found.retain(|pod| !matches!(pod, Err(Error::NoSuchPod(_))));
        }
        Ok(found)
    }
}

pub(super) fn restart(context: &Context, names: &Names) -> Result<()> {
    let engine = context.engine()?;
    tell(each(names.find(&engine, &[])?, |pod| {
        engine.stop_pod(pod, None)?;
        engine.start_pod(pod)
    })?)
}

pub(super) fn kill(context: &Context, arguments: &KillArguments) -> Result<()> {
    let engine = context.engine()?;
    let signal = engine::signal(&arguments.signal)?;
    tell(each(arguments.names.find(&engine, &[])?, |pod| engine.kill_pod(pod, signal))?)
}

pub(super) fn pause(context: &Context, names: &Names) -> Result<()> {
    let engine = context.engine()?;
    tell(each(names.find(&engine, &[])?, |pod| engine.pause_pod(pod))?)
}

pub(super) fn unpause(context: &Context, names: &Names) -> Result<()> {
    let engine = context.engine()?;
    tell(each(names.find(&engine, &[])?, |pod| engine.unpause_pod(pod))?)
}

pub(super) fn remove(context: &Context, arguments: &RemoveArguments) -> Result<()> {
    let engine = context.engine()?;
    let mut found = arguments.stop.find(&engine)?;
    if arguments.force {
        found.retain(|pod| !matches!(pod, Err(Error::NoSuchPod(_))));
    }
    let time = arguments.stop.time.map(i64::from);
    let failures = each(found, |pod| engine.remove_pod(pod, arguments.force, time))?;
    let code = failures.iter().find_map(|error| match error {
        Error::NoSuchPod(_) => Some(MISSING),
        Error::PodInUse { .. } => Some(IN_USE),
        _ => None,
    });
    fail_with(&failures.into_iter().map(Into::into).collect::<Vec<_>>(), code)
}

pub(super) fn prune(context: &Context, arguments: &PruneArguments) -> Result<()> {
    confirm(arguments.force, "This removes all pods that do not run, with their containers.")?;
    let engine = context.engine()?;
    let mut failures = Vec::new();
    for pod in engine.pods()? {
        let status = engine.look_at_pod(&pod)?.status;
        if !matches!(status, PodStatus::Created | PodStatus::Stopped | PodStatus::Exited) {
            continue;
        }
        match engine.remove_pod(&pod, false, None) {
            Ok(()) => print_line(&pod.id)?,
            // It was started meanwhile.
            Err(Error::PodInUse { .. }) => {}
            Err(error) => failures.push(error),
        }
    }
    engine.sweep()?;
    tell(failures)
}

pub(super) fn exists(context: &Context, arguments: &ExistsArguments) -> Result<ExitCode> {
    match context.engine()?.pod(&arguments.pod) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(Error::NoSuchPod(_)) => Ok(ExitCode::from(MISSING)),
        Err(error) => Err(error.into()),
    }
}
