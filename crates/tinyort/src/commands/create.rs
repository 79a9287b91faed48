//! `create` and `run`.

use crate::context::Context;
use crate::exit::ExitCode;
use crate::failure::{OrFail, Result, fail};
use runtime::{ContainerId, Create, Foreground, Running};
use std::path::{Path, PathBuf};
use tinyort::flags;

pub(crate) fn create(context: &Context<'_>) -> Result<ExitCode> {
    protect_executable()?;
    let (id, bundle) = (context.id()?, bundle(context)?);
    let warnings = runtime::create(&request(context, &id, &bundle)?)?;
    context.warn(&warnings);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn run(context: &Context<'_>) -> Result<ExitCode> {
    protect_executable()?;
    let (id, bundle) = (context.id()?, bundle(context)?);
    let request = request(context, &id, &bundle)?;
    if context.flags.is_on(&flags::DETACH) {
        context.warn(&runtime::run(&request)?.warnings);
        return Ok(ExitCode::SUCCESS);
    }
    if request.console_socket.is_some() {
        return fail("--console-socket is for a container that is left alone: give --detach, too");
    }
    let foreground = Foreground::begin(!context.flags.is_on(&flags::NO_SUBREAPER))?;
    let running = runtime::run(&Create { detach: false, ..request })?;
    context.warn(&running.warnings);
    context.log.debug(|| format!("container {id} runs as process {}", running.pid));
    attend(context, foreground, running)
}

/// Stays until the container ends, and removes it unless it is to be kept.
pub(super) fn attend(
    context: &Context<'_>,
    foreground: Foreground,
    mut running: Running,
) -> Result<ExitCode> {
    let code = foreground.attend(&mut running);
    context.log.debug(|| format!("it ended: {code:?}"));
    if !context.flags.is_on(&flags::KEEP) {
        context.warn(&running.remove()?);
    }
    // What they have open the end of this process closes, by one call.
    std::mem::forget((foreground, running));
    Ok(ExitCode::from(code?))
}

/// No container gets at the file of this program. It may start the program anew.
pub(crate) fn protect_executable() -> Result<()> {
    if sys::early::runs_from_mount() {
        return Ok(());
    }
    let arguments = std::env::args_os().collect();
    Ok(runtime::protect_executable(arguments, std::env::vars_os().collect())?)
}

pub(super) fn bundle(context: &Context<'_>) -> Result<PathBuf> {
    let bundle = context.flags.path(&flags::BUNDLE).unwrap_or(Path::new("."));
    std::path::absolute(bundle).or_fail("--bundle")
}

pub(super) fn request<'a>(
    context: &'a Context<'_>,
    id: &'a ContainerId,
    bundle: &'a Path,
) -> Result<Create<'a>> {
    let flags = context.flags;
    Ok(Create {
        root: &context.root,
        id,
        bundle,
        // As in crun, this name alone is one in the bundle.
        configuration: flags.path(&flags::CONFIG).filter(|it| *it != Path::new("config.json")),
        detach: true,
        console_socket: flags.path(&flags::CONSOLE_SOCKET),
        plain_lines: true,
        pidfd_socket: flags.path(&flags::PIDFD_SOCKET),
        pid_file: flags.path(&flags::PID_FILE),
        no_pivot: flags.is_on(&flags::NO_PIVOT),
        no_new_keyring: flags.is_on(&flags::NO_NEW_KEYRING),
        preserve_fds: context.preserve_fds()?,
        cgroup_driver: context.cgroup_driver()?,
        rootless: Some(context.rootless()),
        listen_fds: context.listen_fds(),
        notify_socket: context.notify_socket.as_deref(),
        root_mount: None,
        keeps_restrictions: false,
        ends_with_caller: false,
        given: Vec::new(),
    })
}
