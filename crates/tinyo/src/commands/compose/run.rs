//! `tinyo compose run`: one more container of a service, with another program.

use super::file::ProjectOptions;
use super::up::{chosen, obtain_all, wait_for_turn};
use crate::commands::container::run::{Stay, stay};
use crate::commands::container::{front, parse};
use crate::context::{Context, NetworkOptions};
use crate::obtain::Policy;
use crate::show::{Screen, print_line};
use anyhow::{Context as _, Result};
use clap::{ArgAction, Args};
use engine::settings::{Restart, Settings};
use engine::{Inherited, Keys};
use front::{Front, Streams};
use project::{Event, Observer};
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

#[derive(Args)]
#[command(disable_help_flag = true)]
pub(super) struct Arguments {
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Print its name and leave it alone
    #[arg(short, long)]
    detach: bool,
    /// Remove it when it has ended
    #[arg(long)]
    rm: bool,
    /// Give it no terminal, as where nobody types
    #[arg(short = 'T', long = "no-tty", alias = "no-TTY")]
    no_tty: bool,
    /// What is typed is passed on in any case
    #[arg(short, long, hide = true)]
    interactive: bool,
    /// Start nothing that the service needs
    #[arg(long)]
    no_deps: bool,
    /// Publish the service's ports
    #[arg(short = 'P', long)]
    service_ports: bool,
    /// Publish a port, [HOST:]PORT[/PROTOCOL]
    #[arg(short, long, value_name = "PORT", value_parser = port)]
    publish: Vec<String>,
    /// A variable, NAME=VALUE; NAME alone takes over that of the caller
    #[arg(short, long, value_name = "VARIABLE", value_parser = parse::variable)]
    env: Vec<String>,
    /// Who it is: USER[:GROUP]
    #[arg(short, long)]
    user: Option<String>,
    /// Where it starts
    #[arg(short, long, value_name = "FOLDER")]
    workdir: Option<String>,
    /// What is run with the command as its arguments
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// What it is called [default: PROJECT-SERVICE-run-ID]
    #[arg(long)]
    name: Option<String>,
    /// When to ask the registry, whatever the file says
    #[arg(long, value_enum, value_name = "POLICY")]
    pull: Option<Policy>,
    /// Say nothing of what is started for it
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    registry: NetworkOptions,
    /// A service, and the program with its arguments [default: what the service runs]
    #[arg(required = true, trailing_var_arg = true, value_names = ["SERVICE", "COMMAND"])]
    words: Vec<String>,
}

fn port(text: &str) -> Result<String, String> {
    net::port::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

pub(super) fn run(
    context: &Context,
    of: &ProjectOptions,
    arguments: &Arguments,
) -> Result<ExitCode> {
    let name = arguments.words[0].clone();
    let project = chosen(of, std::slice::from_ref(&name))?;
    let service = project.services().iter().find(|it| it.name == name);
    let service = service.context("it was just there")?;
    let (engine, screen) = (context.engine()?, Screen::new(arguments.quiet));
    let turn = wait_for_turn(&engine, project.name(), &screen)?;
    let how = (arguments.pull, &arguments.registry);
    let (bases, _) = obtain_all(context, &engine, &project, how, screen)?;
    let found = project::found(&engine, project.name())?;
    let mut plan = project::plan(&project, &bases, &found);
    plan.steps.retain(|step| step.service.name != name && !arguments.no_deps);
    let tty = !arguments.no_tty
        && !arguments.detach
        && io::stdin().is_terminal()
        && io::stdout().is_terminal();
    let made = {
        let change = |settings: &mut Settings| arguments.change(settings, tty);
        let what = (service, &plan);
        project::one_off(&engine, &project, what, &bases, &mut Telling(screen), change)?
    };
    let container = match &arguments.name {
        Some(name) => {
            engine.rename(&made, name)?;
            engine.find(&made.id)?
        }
        None => made,
    };
    drop(turn);
    let front = match arguments.detach {
        true => None,
        false => Some(Front::begin(tty, Streams::all(true), true)?),
    };
    let how = Stay { rm: arguments.rm, tty, front, keys: &Keys::default() };
    stay(&engine, &container, Inherited::take(0)?, how, || match arguments.detach {
        true => print_line(&container.name),
        false => Ok(()),
    })
}

impl Arguments {
    fn change(&self, settings: &mut Settings, tty: bool) {
        let command = &self.words[1..];
        if let Some(program) = &self.entrypoint {
            settings.entrypoint = Some(vec![program.clone()]);
            settings.command.clear();
        }
        if !command.is_empty() {
            settings.command = command.to_vec();
        }
        settings.env.extend(self.env.iter().cloned());
        if let Some(user) = &self.user {
            settings.user.clone_from(user);
        }
        if let Some(folder) = &self.workdir {
            settings.working_dir.clone_from(folder);
        }
        if !self.service_ports {
            settings.network.ports.clear();
        }
        settings.network.ports.extend(self.publish.iter().cloned());
        (settings.tty, settings.interactive) = (tty, !self.detach);
        settings.restart = Restart::default();
        settings.auto_remove = self.rm;
    }
}

/// What is started for it is no part of its output.
struct Telling(Screen);

impl Observer for Telling {
    fn tell(&mut self, event: Event<'_>) {
        if let Event::Started(service, _) = event {
            self.0.say(&format!("started {}", service.name));
        }
    }
}
