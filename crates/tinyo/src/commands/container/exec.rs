//! `tinyo exec`.

use super::{front, parse};
use crate::context::Context;
use anyhow::Result;
use clap::{ArgAction, Args};
use engine::Exec;
use std::path::PathBuf;
use std::process::ExitCode;
use sys::rustix::stdio;
use sys::rustix::termios::tcgetwinsize;

#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// Leave it alone
    #[arg(short, long)]
    detach: bool,
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
    /// A container, and the program with its arguments
    #[arg(required = true, num_args = 2.., trailing_var_arg = true, value_names = ["CONTAINER", "COMMAND"])]
    words: Vec<String>,
}

pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<ExitCode> {
    if arguments.tty && arguments.interactive && !arguments.detach {
        front::check_terminal()?;
    }
    let engine = context.engine()?;
    let container = engine.find(&arguments.words[0])?;
    let size = tcgetwinsize(stdio::stdin()).ok().filter(|_| arguments.tty);
    let exec = Exec {
        command: arguments.words[1..].to_vec(),
        env: parse::variables(&arguments.env_file, &arguments.env)?,
        working_dir: arguments.workdir.clone(),
        user: arguments.user.clone(),
        tty: arguments.tty,
        size: size.map(|size| (size.ws_row, size.ws_col)),
        privileged: arguments.privileged,
    };
    if arguments.detach {
        engine.exec_detached(&container, &exec)?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(engine.exec(&container, &exec, arguments.interactive)?))
}
