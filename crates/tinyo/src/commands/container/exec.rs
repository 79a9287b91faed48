//! `tinyo exec`.

use super::chosen::one;
use super::{front, parse};
use crate::context::Context;
use anyhow::{Context as _, Result, bail};
use clap::{ArgAction, Args};
use engine::{Exec, Inherited, Keys, Outcome};
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Leave it alone
    #[arg(short, long)]
    detach: bool,
    /// Keys that leave it alone, such as ctrl-p,ctrl-q
    #[arg(long, value_name = "KEYS", default_value = front::DETACH_KEYS)]
    detach_keys: Keys,
    /// Pass on what is typed
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// A variable, NAME=VALUE; NAME alone takes over that of the caller
    #[arg(short, long, value_name = "VARIABLE", value_parser = parse::variable)]
    env: Vec<String>,
    /// A file with a variable a line
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Who it is: USER[:GROUP]
    #[arg(short, long, value_name = "USER", default_value = "", hide_default_value = true)]
    user: String,
    /// Where it starts
    #[arg(short, long, value_name = "FOLDER", default_value = "", hide_default_value = true)]
    workdir: String,
    /// Let it do nearly everything that the machine's root may do
    #[arg(long)]
    privileged: bool,
    /// It gets so many descriptors of the caller's, from 3 on
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 0,
        hide_default_value = true,
        conflicts_with = "detach"
    )]
    preserve_fds: u32,
    /// In the newest container, which is not named then
    #[arg(short, long)]
    latest: bool,
    /// A container, and the program with its arguments
    #[arg(required = true, trailing_var_arg = true, value_names = ["CONTAINER", "COMMAND"])]
    words: Vec<String>,
}

impl Arguments {
    fn name_and_command(&self) -> Result<(Option<&String>, &[String])> {
        match &self.words[..] {
            command if self.latest => Ok((None, command)),
            [name, command @ ..] if !command.is_empty() => Ok((Some(name), command)),
            _ => bail!("exec: say what is to be run: tinyo exec CONTAINER COMMAND, such as sh"),
        }
    }
}

impl Arguments {
    /// Which one is named.
    pub(crate) fn container(&self) -> Result<&str> {
        let (name, _) = self.name_and_command()?;
        name.map(String::as_str).context("exec: say in which")
    }

    /// In a container, with whoever calls in front of it.
    pub(crate) fn for_service(mut self, name: String, no_tty: bool) -> Arguments {
        self.words[0] = name;
        self.tty |= !no_tty && io::stdin().is_terminal() && io::stdout().is_terminal();
        self.interactive |= !self.detach;
        self
    }
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<ExitCode> {
    if arguments.tty && arguments.interactive && !arguments.detach {
        front::check_terminal()?;
    }
    let inherited = Inherited::take(arguments.preserve_fds)?;
    let (name, command) = arguments.name_and_command()?;
    let engine = context.engine()?;
    let container = one(&engine, name.map(String::as_str))?;
    let exec = Exec {
        command: command.to_vec(),
        env: parse::variables(&arguments.env_file, &arguments.env)?,
        working_dir: arguments.workdir.clone(),
        user: arguments.user.clone(),
        tty: arguments.tty,
        size: front::size(arguments.tty),
        privileged: arguments.privileged,
        inherited,
    };
    if arguments.detach {
        engine.exec_detached(&container, &exec)?;
        return Ok(ExitCode::SUCCESS);
    }
    let outcome = engine.exec(&container, &exec, arguments.interactive, &arguments.detach_keys)?;
    if outcome == Outcome::Detached {
        front::new_line()?;
    }
    Ok(front::exit_code(outcome))
}
