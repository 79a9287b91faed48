//! `tinyo system service`: a unit of systemd by which containers run again after the machine was
//! started anew. There is no daemon: the unit runs two commands and nothing stays.

use crate::commands::fail;
use crate::context::Context;
use crate::show::print_line;
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::{fs, io};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write the unit, and have it started with the machine
    Install(InstallArguments),
    /// Remove the unit
    Uninstall,
    /// Say whether there is one
    Status,
    /// Start all containers that are to run whenever the machine does (the unit does this)
    Start,
    /// End all containers because the machine ends (the unit does this)
    Stop,
}

#[derive(Args)]
pub(crate) struct InstallArguments {
    /// Only print the unit
    #[arg(long)]
    print: bool,
    /// Start it now, too, so that containers are ended well when the machine ends
    #[arg(long, conflicts_with = "print")]
    now: bool,
}

impl Command {
    pub(super) fn needs_store(&self) -> bool {
        matches!(self, Command::Start | Command::Stop)
    }
}

const UNIT: &str = "tinyo.service";

pub(super) fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::Install(arguments) if arguments.print => {
            print_line(unit(context)?.trim_end_matches('\n'))
        }
        Command::Install(arguments) => install(context, arguments.now),
        Command::Uninstall => uninstall(context),
        Command::Status => status(context),
        Command::Start => start(context),
        Command::Stop => Ok(context.engine()?.stop_for_shutdown()?),
    }
}

fn start(context: &Context) -> Result<()> {
    let mut failures = Vec::new();
    for (container, started) in context.engine()?.start_for_boot()? {
        match started {
            Ok(()) => print_line(&container.name)?,
            Err(error) => {
                let error = anyhow::Error::from(error);
                failures.push(error.context(format!("container {}", container.name)));
            }
        }
    }
    fail(&failures)
}

/// Where the unit is, and the link by which systemd starts it.
struct Place {
    unit: PathBuf,
    link: PathBuf,
    is_user: bool,
}

impl Place {
    fn of(context: &Context) -> Result<Place> {
        let (folder, is_user) = match context.user_config()? {
            None => (PathBuf::from("/etc/systemd/system"), false),
            Some(config) => (config.join("systemd/user"), true),
        };
        let target = if is_user { "default.target" } else { "multi-user.target" };
        let link = folder.join(format!("{target}.wants")).join(UNIT);
        Ok(Place { unit: folder.join(UNIT), link, is_user })
    }

    /// Tells systemd something, if it runs.
    fn systemctl(&self, words: &[&str]) -> Result<()> {
        if !Path::new("/run/systemd/system").exists() {
            return Ok(());
        }
        let mut program = Program::new("systemctl");
        program.args(self.is_user.then_some("--user")).args(words).stdin(Stdio::null());
        match program.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => bail!("systemctl {}: {status}", words.join(" ")),
            Err(error) => Err(error).context("systemctl"),
        }
    }
}

fn install(context: &Context, now: bool) -> Result<()> {
    let place = Place::of(context)?;
    let Place { unit: path, link, .. } = &place;
    let made = || -> io::Result<()> {
        for folder in [path, link].into_iter().filter_map(|it| it.parent()) {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, unit(context).map_err(io::Error::other)?)?;
        match std::os::unix::fs::symlink(Path::new("..").join(UNIT), link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    };
    made().with_context(|| path.display().to_string())?;
    print_line(&path.display().to_string())?;
    place.systemctl(&["daemon-reload"])?;
    if now {
        place.systemctl(&["start", UNIT])?;
    }
    Ok(())
}

fn uninstall(context: &Context) -> Result<()> {
    if !remove(&Place::of(context)?)? {
        bail!("there is no unit of tinyo: nothing to uninstall");
    }
    Ok(())
}

/// False if there was none. Containers that run are left alone.
fn remove(place: &Place) -> Result<bool> {
    let mut was_there = false;
    for path in [&place.link, &place.unit] {
        match fs::remove_file(path) {
            Ok(()) => was_there = true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
    if was_there {
        place.systemctl(&["daemon-reload"])?;
    }
    Ok(was_there)
}

/// For a reset: removes the unit if it is the one for this store.
pub(super) fn forget(context: &Context) -> Result<()> {
    let place = Place::of(context)?;
    let text = fs::read_to_string(&place.unit).unwrap_or_default();
    if text.lines().any(|line| line == mark(context).unwrap_or_default()) {
        remove(&place)?;
    }
    Ok(())
}

fn status(context: &Context) -> Result<()> {
    let place = Place::of(context)?;
    if !place.unit.exists() {
        bail!("not installed: `tinyo system service install` does it");
    }
    let path = place.unit.display();
    if !place.link.exists() {
        bail!("{path} is there, but is not started with the machine: install it once more");
    }
    let is_same = fs::read_to_string(&place.unit).ok() == Some(unit(context)?);
    let note = if is_same { "" } else { " (of another program or store, or changed)" };
    print_line(&format!("installed: {path}{note}"))
}

/// The line of a unit that says for which store it is.
fn mark(context: &Context) -> Result<String> {
    Ok(format!("RequiresMountsFor={}", quoted(&context.absolute_root()?)))
}

fn unit(context: &Context) -> Result<String> {
    let program = std::env::current_exe().context("/proc/self/exe")?;
    let mut command = quoted(&program);
    for (flag, folder) in context.folder_flags()? {
        command.push_str(&format!(" {flag} {}", quoted(&folder)));
    }
    let (is_user, mark) = (context.user_config()?.is_some(), mark(context)?);
    let (target, network) = if is_user {
        ("default.target", "")
    } else {
        ("multi-user.target", "Wants=network-online.target\nAfter=network-online.target\n")
    };
    // Monitors are no processes of the unit: they go on when it is stopped by itself, and one
    // container that cannot start is no reason not to end the others well.
    Ok(format!(
        "[Unit]
Description=Containers of tinyo that run whenever the machine does
{network}{mark}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-{command} system service start
ExecStop={command} system service stop
KillMode=process
TasksMax=infinity
TimeoutStartSec=infinity

[Install]
WantedBy={target}
"
    ))
}

/// As a word in a unit, systemd.service(5).
fn quoted(path: &Path) -> String {
    let mut text = String::new();
    for letter in path.to_string_lossy().chars() {
        match letter {
            '%' => text.push_str("%%"),
            '$' => text.push_str("$$"),
            '"' | '\\' => text.extend(['\\', letter]),
            letter => text.push(letter),
        }
    }
    let is_plain = text.bytes().all(|it| it.is_ascii_alphanumeric() || b"/._-+:@".contains(&it));
    if is_plain { text } else { format!("\"{text}\"") }
}

#[cfg(test)]
mod tests {
    use super::quoted;
    use std::path::Path;

    #[test]
    fn words_of_a_unit_mean_what_they_say() {
        assert_eq!(quoted(Path::new("/usr/bin/tinyo")), "/usr/bin/tinyo");
        assert_eq!(quoted(Path::new("/a b/50%/$x\"")), "\"/a b/50%%/$$x\\\"\"");
    }
}
