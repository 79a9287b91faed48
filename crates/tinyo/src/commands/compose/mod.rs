//! Services that a file names: `tinyo up`, `tinyo down`, and the same and more below
//! `tinyo compose`, where Docker's users look for it.

mod down;
mod file;
mod logs;
mod run;
mod services;
mod up;

use super::container::{exec, list};
use crate::context::Context;
use anyhow::Result;
use clap::{Args, Subcommand};
use file::{ConfigOptions, ProjectOptions};
use project::Project;
use services::{Ending, Killing, Names, PortArguments, Removal};
use std::path::Path;
use std::process::ExitCode;

/// `tinyo compose ...`.
#[derive(Args)]
pub(crate) struct Group {
    #[command(flatten)]
    project: ProjectOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run what a state.yaml says, and what has changed of it anew
    Up(Box<up::Options>),
    /// Stop and remove what `up` has made
    Down(down::Options),
    /// List the containers of the services
    Ps(list::Arguments),
    /// Print what the services have printed
    Logs(logs::Arguments),
    /// Start the containers of services that do not run
    Start(Names),
    /// Stop the containers of services, and keep them
    Stop(Ending),
    /// Stop the containers of services and start them again
    Restart(Ending),
    /// Send a signal to the containers of services
    Kill(Killing),
    /// Remove the containers of services that do not run
    Rm(Removal),
    /// Stop all processes of services
    Pause(Names),
    /// Let paused services go on
    Unpause(Names),
    /// Run one more program in the container of a service
    Exec(ExecArguments),
    /// Run a program in a new container that is as those of a service
    Run(Box<run::Arguments>),
    /// List the processes of services
    Top(Names),
    /// List the images of the containers of services
    Images(Names),
    /// Print where the published ports of a service are reached
    Port(PortArguments),
    /// Get the images of services, newer ones if there are
    Pull(up::PullOptions),
    /// Check the file, and print it
    #[command(alias = "convert")]
    Config(ConfigOptions),
}

/// `tinyo compose exec`: in front of it, as `docker compose` does it.
#[derive(Args)]
#[command(mut_arg("latest", |it| it.hide(true)))]
#[command(mut_arg("words", |it| {
    it.help("A service, and the program with its arguments").value_names(["SERVICE", "COMMAND"])
}))]
struct ExecArguments {
    /// Give it no terminal, as where nobody types
    #[arg(short = 'T', long = "no-tty", alias = "no-TTY")]
    no_tty: bool,
    #[command(flatten)]
    exec: exec::Arguments,
}

/// `tinyo up`.
#[derive(Args)]
pub(crate) struct UpArguments {
    #[command(flatten)]
    project: ProjectOptions,
    #[command(flatten)]
    options: up::Options,
}

/// `tinyo down`.
#[derive(Args)]
pub(crate) struct DownArguments {
    #[command(flatten)]
    project: ProjectOptions,
    #[command(flatten)]
    options: down::Options,
}

pub(crate) fn up(context: &Context, arguments: &UpArguments) -> Result<ExitCode> {
    up::run(context, &arguments.project, &arguments.options)
}

pub(crate) fn down(context: &Context, arguments: &DownArguments) -> Result<()> {
    down::run(context, &arguments.project, &arguments.options)
}

/// The names of services for whoever types one; none where there is no file that can be read.
pub(super) fn services(file: Option<&Path>) -> Vec<String> {
    if file == Some(Path::new("-")) {
        return Vec::new();
    }
    let project = ProjectOptions::of_file(file).read();
    let names = |project: Project| project.services().iter().map(|it| it.name.clone()).collect();
    project.map(names).unwrap_or_default()
}

impl Group {
    pub(crate) fn run(self, context: &Context) -> Result<ExitCode> {
        let project = &self.project;
        let done = match self.command {
            Command::Up(options) => return up::run(context, project, &options),
            Command::Down(options) => down::run(context, project, &options),
            Command::Ps(arguments) => {
                let label = project::label_of(&project.name()?);
                list::run(context, &arguments.with_filter("label", label))
            }
            Command::Logs(arguments) => logs::run(context, project, &arguments),
            Command::Start(names) => services::start(context, project, &names),
            Command::Stop(how) => services::stop(context, project, &how),
            Command::Restart(how) => services::restart(context, project, &how),
            Command::Kill(how) => services::kill(context, project, &how),
            Command::Rm(how) => services::remove(context, project, &how),
            Command::Pause(names) => services::pause(context, project, &names),
            Command::Unpause(names) => services::unpause(context, project, &names),
            Command::Exec(ExecArguments { no_tty, exec }) => {
                let find = |service: &str| services::one(context, project, service);
                let name = find(exec.container()?)?.container.name;
                return exec::run(context, &exec.for_service(name, no_tty));
            }
            Command::Run(arguments) => return run::run(context, project, &arguments),
            Command::Top(names) => services::top(context, project, &names),
            Command::Images(names) => services::images(context, project, &names),
            Command::Port(which) => services::port(context, project, &which),
            Command::Pull(options) => up::pull(context, project, &options),
            Command::Config(options) => file::config(project, &options),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}
