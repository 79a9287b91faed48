//! `tinyo start` and `tinyo attach`.

use super::chosen::{Chosen, OVER, one};
use super::front::{self, Front, Streams};
use crate::commands::fail;
use crate::context::Context;
use crate::show::print_line;
use anyhow::{Result, bail};
use clap::Args;
use engine::{Attach, Keys};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct StartArguments {
    /// Stay in front of it
    #[arg(short, long)]
    attach: bool,
    /// Pass on what is typed
    #[arg(short, long)]
    interactive: bool,
    /// Whether signals are passed on to it
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    sig_proxy: bool,
    /// Keys that leave it alone
    #[arg(long, value_name = "KEYS", default_value = front::DETACH_KEYS)]
    detach_keys: Keys,
    /// All that do not run
    #[arg(long, conflicts_with_all = ["attach", "interactive"])]
    all: bool,
    #[command(flatten)]
    chosen: Chosen,
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
    detach_keys: Keys,
    /// The newest one
    #[arg(short, long, conflicts_with = "container")]
    latest: bool,
    /// Name or id
    #[arg(required_unless_present = "latest")]
    container: Option<String>,
}

pub(crate) fn start(context: &Context, arguments: &StartArguments) -> Result<ExitCode> {
    let engine = context.engine()?;
    let names = arguments.chosen.names(&engine, arguments.all, OVER)?;
    if arguments.attach || arguments.interactive {
        let [name] = &names[..] else {
            bail!("only one container can be started with --attach");
        };
        let container = engine.find(name)?;
        let input = arguments.interactive && container.settings.interactive;
        let streams = Streams::all(input);
        let front = Front::begin(container.settings.tty, streams, arguments.sig_proxy)?;
        let size = front::size(container.settings.tty);
        let client = engine.start(&container, Attach::Foreground { will_remove: false, size })?;
        let outcome = front.stay(&engine, &container, client, &arguments.detach_keys)?;
        return Ok(front::exit_code(outcome));
    }
    let mut failures = Vec::new();
    for name in &names {
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
    let container = one(&engine, arguments.container.as_deref())?;
    let seen = engine.look(&container)?;
    if !seen.status.is_running() {
        bail!("cannot attach to container {}: it is {}", container.name, seen.status.name());
    }
    let settings = &container.settings;
    let input = settings.interactive && !arguments.no_stdin;
    let front = Front::begin(settings.tty, Streams::all(input), arguments.sig_proxy)?;
    let Some(client) = engine.connect(&container)? else {
        bail!("cannot attach to container {}: it has just ended", container.name);
    };
    client.attach()?;
    let outcome = front.stay(&engine, &container, client, &arguments.detach_keys)?;
    Ok(front::exit_code(outcome))
}
