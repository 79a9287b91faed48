//! `exec`: a process like the container's own, but for what the flags say.

use super::create::protect_executable;
use crate::context::Context;
use crate::exit::ExitCode;
use crate::failure::{OrFail, Result, fail};
use runtime::{Exec, Foreground, SubGroup};
use spec::runtime::{Capabilities, Process, Spec};
use tinyort::flags;

pub(crate) fn exec(context: &Context<'_>) -> Result<ExitCode> {
    protect_executable()?;
    let Some(path) = context.flags.path(&flags::PROCESS) else {
        let like_own = |spec: &Spec<'_>| {
            let own =
                spec.process.as_ref().or_fail("the container has no process to begin with")?;
            start(context, &changed(own, context)?)
        };
        let id = context.id()?;
        return runtime::with_configuration(&context.root, &id, |spec| Ok(like_own(spec)))?;
    };
    if !context.rest().is_empty() {
        return fail(format_args!("--process tells the command: {:?} is too much", context.rest()));
    }
    let text = std::fs::read(path).or_fail(path.display())?;
    let process = spec::json::parse(&text).or_fail(path.display())?;
    start(context, &process)
}

fn start(context: &Context<'_>, process: &Process<'_>) -> Result<ExitCode> {
    let flags = context.flags;
    let cgroup = |text| SubGroup::parse(text).or_fail("--cgroup");
    let cgroups = flags.texts(&flags::CGROUP).map(cgroup).collect::<Result<Vec<_>>>()?;
    let id = context.id()?;
    let request = Exec {
        root: &context.root,
        id: &id,
        process,
        console_socket: flags.path(&flags::CONSOLE_SOCKET),
        plain_lines: true,
        pidfd_socket: flags.path(&flags::PIDFD_SOCKET),
        pid_file: flags.path(&flags::PID_FILE),
        detach: flags.is_on(&flags::DETACH),
        preserve_fds: context.preserve_fds()?,
        listen_fds: context.listen_fds(),
        cgroups: &cgroups,
        ignore_paused: flags.is_on(&flags::IGNORE_PAUSED),
    };
    if request.detach {
        context.warn(&runtime::exec(&request)?.warnings);
        return Ok(ExitCode::SUCCESS);
    }
    if request.console_socket.is_some() {
        return fail("--console-socket is for a process that is left alone: give --detach, too");
    }
    let foreground = Foreground::begin(false)?;
    let mut running = runtime::exec(&request)?;
    context.warn(&running.warnings);
    context.log.debug(|| format!("process {} runs in container {id}", running.pid));
    sys::process::close_all(sys::early::left_open());
    Ok(ExitCode::from(foreground.attend(&mut running)?))
}

/// The container's own process with what the flags change.
fn changed<'a>(own: &Process<'a>, context: &'a Context<'_>) -> Result<Process<'a>> {
    let flags = context.flags;
    let mut process = own.clone();
    process.args = Vec::new();
    for word in context.rest() {
        process.args.push(Context::text(word)?.into());
    }
    if process.args.is_empty() {
        return fail("exec takes a COMMAND after the id, or --process");
    }
    process.terminal = flags.is_on(&flags::TTY);
    if let Some(folder) = flags.text(&flags::CWD) {
        if !folder.starts_with('/') {
            return fail(format_args!("--cwd: {folder:?} is not absolute"));
        }
        process.cwd = folder.into();
    }
    flags.texts(&flags::ENV).for_each(|variable| set_variable(&mut process, variable));
    if let Some(profile) = flags.text(&flags::APPARMOR) {
        process.apparmor_profile = profile.into();
    }
    if let Some(label) = flags.text(&flags::PROCESS_LABEL) {
        process.selinux_label = label.into();
    }
    if flags.has(&flags::NO_NEW_PRIVS) {
        process.no_new_privileges = flags.is_on(&flags::NO_NEW_PRIVS);
    }
    // One that is empty is no user either: it must not mean root.
    if let Some(user) = flags.last_text(&flags::USER) {
        set_user(&mut process, user)?;
    }
    for group in flags.texts(&flags::ADDITIONAL_GIDS) {
        process.user.additional_gids.push(id("--additional-gids", group)?);
    }
    // Without that section it has all that its user may have anyway.
    if let Some(capabilities) = &mut process.capabilities {
        flags.texts(&flags::CAP).for_each(|name| add_capability(capabilities, name));
    }
    Ok(process)
}

/// In place of an earlier one of that name: getenv(3) would find the first.
fn set_variable<'a>(process: &mut Process<'a>, variable: &'a str) {
    let name = |text: &str| text.split('=').next().map(str::to_owned);
    process.env.retain(|known| name(known) != name(variable));
    process.env.push(variable.into());
}

/// All of the text must be a number: `1x` is not user 0 or 1 (CVE-2026-30892).
fn set_user(process: &mut Process<'_>, text: &str) -> Result<()> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    process.user.uid = id("--user", user)?;
    if let Some(group) = group {
        process.user.gid = id("--user", group)?;
    }
    Ok(())
}

fn id(flag: &str, text: &str) -> Result<u32> {
    // The largest number is no id: to the kernel it means "no change".
    let id = text.parse().ok().filter(|id| *id != u32::MAX);
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    id.filter(|_| digits).or_fail(format_args!("{flag}: {text:?} is not an id, 0 to 4294967294"))
}

fn add_capability<'a>(capabilities: &mut Capabilities<'a>, name: &'a str) {
    capabilities.bounding.push(name.into());
    capabilities.effective.push(name.into());
    capabilities.permitted.push(name.into());
    // An ambient capability must be inheritable, and --cap makes nothing so (CVE-2022-29162).
    if capabilities.inheritable.iter().any(|known| known == name) {
        capabilities.ambient.push(name.into());
    }
}

#[cfg(test)]
mod tests {
    use super::{id, set_variable};
    use spec::runtime::Process;

    #[test]
    fn an_id_is_a_number_and_nothing_else() {
        assert_eq!(id("--user", "0").unwrap(), 0);
        assert_eq!(id("--user", "4294967294").unwrap(), u32::MAX - 1);
        for text in ["", "1x", "x1", " 1", "1 ", "+1", "-1", "4294967295", "4294967296", "1.0"] {
            assert!(id("--user", text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_of_one_variable_counts() {
        let text = br#"{"args":["a"],"cwd":"/","env":["A=1","AB=2","B=3"]}"#;
        let mut process: Process<'_> = spec::json::parse(text).unwrap();
        set_variable(&mut process, "A=9");
        set_variable(&mut process, "C");
        assert_eq!(process.env, ["AB=2", "B=3", "A=9", "C"]);
    }
}
