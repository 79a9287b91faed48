//! Services that a file names: `tinyo up`, `tinyo down`, and the same and more below
//! `tinyo compose`, where Docker's users look for it.

mod down;
mod file;
mod logs;
mod up;

use super::container::list;
use crate::context::Context;
use anyhow::Result;
use clap::{Args, Subcommand};
use file::ProjectOptions;
use project::Project;
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
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}
