//! Programs of the user's that run at certain points of a container's life.

use crate::error::{Error, Result};
use crate::file;
use kernel::seccomp::Program as Filter;
use std::ffi::{CString, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use sys::OrError;
use sys::rustix::event::{PollFd, PollFlags, Timespec, poll};
use sys::rustix::fs::{MemfdFlags, SeekFrom, memfd_create, seek};
use sys::rustix::io::{Errno, pread};
use sys::rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// The hooks of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hooks {
    /// As the specification spells it.
    pub(crate) kind: &'static str,
    pub(crate) list: Vec<Hook>,
}

/// One program to run.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub(crate) path: String,
    /// Its name included; may be empty.
    pub(crate) arguments: Vec<String>,
    /// All its variables, with their names; those of its surroundings where there is no list.
    pub(crate) environment: Option<Vec<(String, String)>>,
    pub(crate) timeout: Option<Duration>,
}

/// What hooks find where their configuration does not say. The specification leaves it open; these
/// are what runc gives, and hooks rely on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Surroundings<'a> {
    /// The folder they start in, if not that of the runtime.
    pub(crate) folder: Option<&'a Path>,
    /// Variables, if not those of the runtime.
    pub(crate) environment: Option<&'a [CString]>,
    /// The filter of the container: a program of its image may be no hook at all.
    pub(crate) filter: Option<&'a Filter>,
}

impl Hooks {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Runs them in order, each with this state on its standard input; the first that fails ends
    /// it.
    pub(crate) fn run(&self, state: &str, surroundings: Surroundings<'_>) -> Result<()> {
        for (index, hook) in self.list.iter().enumerate() {
            let result = hook.run(state, surroundings);
            result.map_err(|reason| Error::Hook { kind: self.kind, index, reason })?;
        }
        Ok(())
    }

    /// Runs all of them whatever happens, for kinds whose failure changes nothing any more.
    pub(crate) fn run_all(&self, state: &str) -> Vec<String> {
        let hooks = self.list.iter().enumerate();
        let failed = hooks.filter_map(|(index, hook)| {
            let reason = hook.run(state, Surroundings::default()).err()?;
            Some(Error::Hook { kind: self.kind, index, reason }.to_string())
        });
        failed.collect()
    }
}

impl Hook {
    /// Its output goes to files in memory rather than pipes: a hook may leave a daemon behind that
    /// keeps them open, and must not be waited for.
    fn run(&self, state: &str, found: Surroundings<'_>) -> std::result::Result<(), String> {
        let output = memory_file(b"").map_err(|error| error.to_string())?;
        let input = memory_file(state.as_bytes()).map_err(|error| error.to_string())?;
        let copy = || output.try_clone().map_err(|error| error.to_string());
        let mut command = Command::new(&self.path);
        if let Some((name, arguments)) = self.arguments.split_first() {
            command.arg0(name).args(arguments);
        }
        if let Some(folder) = found.folder {
            command.current_dir(folder);
        }
        self.give_environment(&mut command, found.environment);
        command
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(copy()?))
            .stderr(Stdio::from(copy()?))
            // A group of its own, so that a time-out ends what it has started as well.
            .process_group(0);
        // If we are killed, nobody is left to wait for it.
        sys::process::tie_to_parent(&mut command);
        if let Some(filter) = found.filter {
            filter.restrict(&mut command);
        }
        let child = command.spawn().map_err(|error| format!("{}: {error}", self.path))?;
        let status = wait(child, self.timeout)?;
        if status.success() {
            return Ok(());
        }
        let printed = tail(&output).unwrap_or_default();
        let separator = if printed.is_empty() { "" } else { ": " };
        Err(format!("{}: {}{separator}{printed}", self.path, outcome(status)))
    }
}

impl Hook {
    fn give_environment(&self, command: &mut Command, inherited: Option<&[CString]>) {
        if let Some(environment) = &self.environment {
            command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        } else if let Some(inherited) = inherited {
            let variable = |word: &CString| {
                let word = word.to_bytes();
                let end = word.iter().position(|byte| *byte == b'=').unwrap_or(word.len());
                let value = word.get(end + 1..).unwrap_or_default().to_vec();
                (OsString::from_vec(word[..end].to_vec()), OsString::from_vec(value))
            };
            command.env_clear().envs(inherited.iter().map(variable));
        }
    }
}

/// `NAME=VALUE` taken apart; a word without `=` is a name with an empty value.
pub(crate) fn variable(word: &str) -> (String, String) {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    (name.to_owned(), value.to_owned())
}

fn memory_file(content: &[u8]) -> std::result::Result<OwnedFd, sys::Error> {
    let name = CString::default();
    let file = memfd_create(name, MemfdFlags::CLOEXEC).or_error("memfd_create", || "hook")?;
    file::write_all(&file, content)?;
    seek(&file, SeekFrom::Start(0)).or_error("lseek", || "memfd")?;
    Ok(file)
}

/// The last part of what a hook has printed, on one line.
fn tail(output: &OwnedFd) -> Option<String> {
    const LENGTH: u64 = 2000;
    let end = seek(output, SeekFrom::End(0)).ok()?;
    let mut bytes = vec![0; usize::try_from(end.min(LENGTH)).ok()?];
    let length = pread(output, &mut bytes, end.saturating_sub(LENGTH)).ok()?;
    bytes.truncate(length);
    let text = String::from_utf8_lossy(&bytes).trim().replace('\n', "; ");
    // A program of the image shall not talk to the terminal on which this is shown.
    Some(text.replace(char::is_control, "?"))
}

fn wait(
    mut child: std::process::Child,
    timeout: Option<Duration>,
) -> std::result::Result<ExitStatus, String> {
    if let Some(timeout) = timeout
        && !ends_within(child.id(), timeout).map_err(|error| error.to_string())?
    {
        kill_group(&child).map_err(|error| error.to_string())?;
        // It may have gone to another group, to outlive its time.
        child.kill().map_err(|error| error.to_string())?;
        child.wait().map_err(|error| error.to_string())?;
        return Err(format!("killed after its time-out of {} seconds", timeout.as_secs()));
    }
    child.wait().map_err(|error| error.to_string())
}

/// The child is not waited for yet, so the number of its group is nobody else's.
fn kill_group(child: &std::process::Child) -> std::result::Result<(), sys::Error> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    match group.map(|group| kill_process_group(group, Signal::KILL)) {
        // It has ended by itself meanwhile, which is as well.
        None | Some(Ok(()) | Err(Errno::SRCH)) => Ok(()),
        Some(Err(errno)) => Err(sys::Error::new("kill", "a hook's process group, SIGKILL", errno)),
    }
}

fn ends_within(pid: u32, timeout: Duration) -> std::result::Result<bool, sys::Error> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| sys::Error::new("pidfd_open", "hook", Errno::SRCH))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).or_error("pidfd_open", || "hook")?;
    // A time beyond what a clock can tell is for ever.
    let end = Instant::now().checked_add(timeout);
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], left.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(sys::Error::new("poll", "hook", errno)),
        }
    }
}

fn outcome(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (_, Some(signal)) => format!("killed by signal {signal}"),
        _ => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Hook, Hooks, Surroundings, variable};
    use std::path::Path;
    use std::time::Duration;
    use sys::rustix::process::{Pid, Signal, kill_process};

    const HERE: Surroundings<'_> = Surroundings { folder: None, environment: None, filter: None };

    fn shell(script: &str) -> Hook {
        Hook {
            path: "/bin/sh".to_owned(),
            arguments: ["sh", "-c", script].map(str::to_owned).to_vec(),
            environment: Some(vec![variable("NAME=a=b"), variable("EMPTY")]),
            timeout: Some(Duration::from_secs(20)),
        }
    }

    fn hooks(scripts: &[&str]) -> Hooks {
        Hooks { kind: "poststop", list: scripts.iter().map(|it| shell(it)).collect() }
    }

    #[test]
    fn gets_the_state_and_its_variables_alone() {
        let script = r#"[ "$(cat)" = "{state}" ] && [ "$NAME" = a=b ] && [ -z "$HOME$EMPTY" ]"#;
        hooks(&[script]).run("{state}", HERE).expect("all as it should be");
    }

    #[test]
    fn without_variables_of_its_own_it_has_those_of_its_surroundings() {
        let given = [c"ONE=a=b".to_owned(), c"TWO".to_owned()];
        let folder = Some(Path::new("/"));
        let found = Surroundings { folder, environment: Some(&given), ..HERE };
        let bare = |script| Hook { environment: None, ..shell(script) };
        let script = r#"[ "$ONE" = a=b ] && [ "${TWO-unset}" = "" ] && [ "$(pwd)" = / ]"#;
        bare(script).run("", found).expect("those that were given, and the folder");
        bare(r#"[ "$PATH" ]"#).run("", HERE).expect("those of this program");
        shell(r#"[ -z "$ONE" ]"#).run("", found).expect("its own alone");
    }

    #[test]
    fn the_first_failure_ends_it_and_is_told() {
        let hooks = hooks(&["true", "echo no; echo way >&2; exit 3", "exit 4"]);
        assert_eq!(
            hooks.run("", HERE).unwrap_err().to_string(),
            "error running poststop hook #1: /bin/sh: exit status 3: no; way"
        );
        assert_eq!(hooks.run_all("").len(), 2);
    }

    #[test]
    fn a_time_out_kills() {
        let hook = Hook { timeout: Some(Duration::from_millis(50)), ..shell("sleep 1000") };
        let hooks = Hooks { kind: "prestart", list: vec![hook] };
        let text = hooks.run("", HERE).unwrap_err().to_string();
        assert!(text.starts_with("error running prestart hook #0: killed after"), "{text}");
    }

    #[test]
    fn a_time_out_ends_what_the_hook_has_started() {
        let script = "sleep 4321 & sleep 4321";
        let hook = Hook { timeout: Some(Duration::from_millis(50)), ..shell(script) };
        hook.run("", HERE).unwrap_err();
        let running = std::process::Command::new("pgrep").args(["-xf", "sleep 4321"]).output();
        assert!(running.is_ok_and(|it| it.stdout.is_empty()));
    }

    #[test]
    fn a_time_out_that_no_clock_can_tell_never_comes() {
        let longest = Duration::from_secs(i64::MAX.unsigned_abs());
        let hook = Hook { timeout: Some(longest), ..shell("exit 3") };
        assert_eq!(hook.run("", HERE), Err("/bin/sh: exit status 3".to_owned()));
    }

    #[test]
    fn a_daemon_that_holds_the_output_is_not_waited_for() {
        let text = hooks(&["sleep 1000 & echo $!; exit 1"]).run("", HERE).unwrap_err().to_string();
        let daemon = text.strip_prefix("error running poststop hook #0: /bin/sh: exit status 1: ");
        let daemon = daemon.and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        kill_process(daemon.expect("its id"), Signal::KILL).expect("it lives");
    }

    #[test]
    fn a_missing_program_is_named() {
        let hook = Hook { path: "/no/such".to_owned(), ..shell("") };
        let hooks = Hooks { kind: "prestart", list: vec![hook] };
        let text = hooks.run("", HERE).unwrap_err().to_string();
        assert!(text.contains("/no/such: No such file"), "{text}");
    }
}
