//! `tinyo start` and `tinyo attach`.

use super::front::{self, Front, Outcome};
use crate::commands::fail;
use crate::context::Context;
use crate::show::print_line;
use anyhow::{Result, bail};
use clap::Args;
use engine::Attach;
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct StartArguments {
    /// Stay in front of it
    #[arg(short, long)]
    attach: bool,
    /// Pass on what is typed
    #[arg(short, long)]
    interactive: bool,
    /// Keys that leave it alone
    #[arg(long, value_name = "KEYS", default_value = front::DETACH_KEYS)]
    detach_keys: front::Keys,
    /// Names or ids
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

#[derive(Args)]
pub(crate) struct AttachArguments {
    /// Pass nothing on of what is typed
    #[arg(long)]
    no_stdin: bool,
    /// Whether signals are passed on to it
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    sig_proxy: bool,
    /// Keys that leave it alone
    #[arg(long, value_name = "KEYS", default_value = front::DETACH_KEYS)]
    detach_keys: front::Keys,
    /// Name or id
    container: String,
}

pub(crate) fn start(context: &Context, arguments: &StartArguments) -> Result<ExitCode> {
    let engine = context.engine()?;
    if arguments.attach || arguments.interactive {
        let [name] = &arguments.containers[..] else {
            bail!("only one container can be started with --attach");
        };
        let container = engine.find(name)?;
        let input = arguments.interactive && container.settings.interactive;
        let front = Front::begin(container.settings.tty, input, true)?;
        let client = engine.start(&container, Attach::Foreground { will_remove: false })?;
        return Ok(match front.stay(&engine, &container, client, &arguments.detach_keys)? {
            Outcome::Ended(code) => ExitCode::from(code),
            Outcome::Detached => ExitCode::SUCCESS,
        });
    }
    let mut failures = Vec::new();
    for name in &arguments.containers {
        let started = engine.find(name).and_then(|container| {
            // As with Docker, it is no error if it runs.
            if engine.look(&container)?.status.is_running() {
                return Ok(());
            }
            engine.start(&container, Attach::Nothing).map(drop)
        });
        match started {
            Ok(()) => print_line(name)?,
            Err(error) => failures.push(error.into()),
        }
    }
    fail(&failures).map(|()| ExitCode::SUCCESS)
}

pub(crate) fn attach(context: &Context, arguments: &AttachArguments) -> Result<ExitCode> {
    let engine = context.engine()?;
    let container = engine.find(&arguments.container)?;
    let seen = engine.look(&container)?;
    if !seen.status.is_running() {
        bail!("cannot attach to container {}: it is {}", container.name, seen.status.name());
    }
    let settings = &container.settings;
    let input = settings.interactive && !arguments.no_stdin;
    let front = Front::begin(settings.tty, input, arguments.sig_proxy)?;
    let Some(client) = engine.connect(&container)? else {
        bail!("cannot attach to container {}: it has just ended", container.name);
    };
    client.attach()?;
    Ok(match front.stay(&engine, &container, client, &arguments.detach_keys)? {
        Outcome::Ended(code) => ExitCode::from(code),
        Outcome::Detached => ExitCode::SUCCESS,
    })
}
