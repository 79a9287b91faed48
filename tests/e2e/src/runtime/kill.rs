//! `kill` and `ps`.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::{processes, until};

/// Says which signal came, and goes on.
const TELLER: &str = "trap 'echo usr1' USR1; trap 'echo usr2' USR2; trap 'echo hup' HUP; \
    trap 'echo term' TERM; echo ready; while :; do sleep 0.02; done";

pub(crate) fn signals_are_taken_by_name_and_number() -> Result<()> {
    let container = Container::new(Bundle::script(TELLER)?)?;
    let output = container.start_service()?;
    for (word, line) in [("USR1", "usr1"), ("SIGUSR2", "usr2"), ("1", "hup")] {
        container.tell("kill", &[word])?.expect_code(0)?;
        output.wait_line(line)?;
    }
    // TERM is what goes without saying.
    container.tell("kill", &[])?.expect_code(0)?;
    output.wait_line("term")
}

pub(crate) fn a_signal_that_is_none_is_refused() -> Result<()> {
    let container = Container::new(Bundle::script(TELLER)?)?;
    container.start_service()?;
    for word in ["NONE", "SIGWRONG", "65", "-1", "1x"] {
        let finished = container.launch(&["kill", "--", &container.id, word]).finish()?;
        ensure!(finished.code()? != 0, "{word:?} was sent");
    }
    expect_eq!(container.status()?, "running");
    Ok(())
}

pub(crate) fn a_stopped_container_takes_no_signal() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    container.kill()?;
    let finished = container.tell("kill", &["TERM"])?;
    finished.expect_code(1)?.expect_stderr("container not running")?;
    Ok(())
}

/// Without a PID namespace the end of the first process ends no other.
pub(crate) fn all_reaches_every_process() -> Result<()> {
    let script =
        "for i in 1 2 3; do setsid sleep 1000 & done; trap '' TERM; echo ready; wait; wait";
    let bundle = Bundle::script(script)?.without_namespace("pid");
    let container = Container::new(bundle)?;
    container.start_service()?;
    let processes = processes_of(&container)?;
    expect_eq!(processes.len(), 4, "processes of the container");
    container.tell_with("kill", &["--all"], &["KILL"])?.expect_code(0)?;
    crate::support::until("all have ended", || {
        !processes.iter().any(|pid| processes::alive(*pid))
    })?;
    container.wait_status("stopped")?;
    // What `kill --all` of a stopped container says is up to the runtime; it must not hang.
    container.tell_with("kill", &["--all"], &["KILL"])?;
    container.delete()
}

/// `kill --all` by a caller (containerd does it) after the first process has gone.
pub(crate) fn all_reaches_what_the_first_process_left() -> Result<()> {
    let script = "setsid sleep 1000 & setsid sleep 1000 & echo ready; read line < /work/fifo";
    let bundle = Bundle::script(script)?.without_namespace("pid");
    let fifo = bundle.rootfs().join("work/fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o666),
        0,
    )?;
    let container = Container::new(bundle)?;
    container.start_service()?;
    let first = container.pid()?;
    let others: Vec<i32> =
        processes_of(&container)?.into_iter().filter(|pid| *pid != first).collect();
    expect_eq!(others.len(), 2, "processes beside the first");
    std::fs::write(fifo, "line\n")?;
    container.wait_status("stopped")?;
    container.tell_with("kill", &["--all"], &["KILL"])?.expect_code(0)?;
    crate::support::until("all have ended", || !others.iter().any(|pid| processes::alive(*pid)))?;
    container.delete()
}

/// Those that are started while the others are killed are killed as well.
pub(crate) fn all_reaches_who_is_never_there_for_long() -> Result<()> {
    // Each starts the next one and ends.
    let script = "run() { sleep 0.001; run & }; for i in $(seq 20); do run & done; echo ready; \
        exec sleep 1000";
    let bundle = Bundle::script(script)?.without_namespace("pid");
    let container = Container::new(bundle)?;
    container.start_service()?;
    ensure!(processes_of(&container)?.len() > 10, "they have all ended");
    container.tell_with("kill", &["--all"], &["KILL"])?.expect_code(0)?;
    expect_eq!(processes_of(&container)?, Vec::<i32>::new());
    container.wait_status("stopped")?;
    container.delete()
}

/// Nothing may outlive `delete`, even without a PID namespace.
pub(crate) fn delete_ends_what_the_first_process_left() -> Result<()> {
    let bundle = Bundle::script("setsid sleep 1000 & echo ready")?.without_namespace("pid");
    let container = Container::new(bundle)?;
    container.start_service()?;
    container.wait_status("stopped")?;
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    container.expect_gone()
}

/// Whoever has started a process by `exec` may not care for it any more; the first process of the
/// namespace cannot end until then.
pub(crate) fn delete_does_not_wait_for_who_does_not_wait() -> Result<()> {
    // The process of the exec becomes a child of this one, which does not wait for it.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let container = Container::new(Bundle::command(&["/bin/sleep", "100000"])?)?;
    container.start()?;
    container.tell_with("exec", &["--detach"], &["/bin/sleep", "100000"])?.expect_code(0)?;
    let zombies = || {
        let own = std::process::id().cast_signed();
        let children = processes::children(own).into_iter().filter_map(processes::stat);
        children.filter(|it| it.state == 'Z').count()
    };
    expect_eq!(zombies(), 0);
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    expect_eq!(zombies(), 1, "the process of the exec, or both are waited for");
    container.expect_gone()?;
    container.create()?;
    expect_eq!(container.status()?, "created");
    Ok(())
}

/// That nothing runs in a container without a cgroup is known only when its first process ends.
pub(crate) fn delete_waits_where_there_is_no_group_to_look_at() -> Result<()> {
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own))?;
    let container = Container::new(Bundle::command(&["/bin/sleep", "100000"])?)?;
    let launch = container.launch(&["--cgroup-manager", "disabled", "create", "--bundle"]);
    let launch = launch.words(&[&container.bundle.folder]);
    launch.words(&[&container.id]).finish()?.expect_code(0)?;
    container.tell("start", &[])?.expect_code(0)?;
    container.tell_with("exec", &["--detach"], &["/bin/sleep", "100000"])?.expect_code(0)?;
    let deletion = container.launch(&["delete", "--force", &container.id]).start()?;
    let zombie = || {
        let children = processes::children(own.as_raw_nonzero().get()).into_iter();
        let mut others = children.filter(|pid| *pid != deletion.pid);
        others.find(|pid| processes::stat(*pid).is_some_and(|it| it.state == 'Z'))
    };
    until("the process of the exec has ended", || zombie().is_some())?;
    // It looks several times meanwhile; who is slower than this proves nothing.
    let begin = std::time::Instant::now();
    while deletion.still_runs() && begin.elapsed() < std::time::Duration::from_millis(400) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_raw(zombie().context("it is waited for")?);
    rustix::process::waitpid(pid, rustix::process::WaitOptions::empty())?;
    deletion.finish()?.expect_code(0)?;
    container.expect_gone()
}

pub(crate) fn ps_lists_the_processes() -> Result<()> {
    let container = Container::new(Bundle::script("sleep 1000 & echo ready; wait")?)?;
    container.start_service()?;
    let json = container.tell_with("ps", &["--format", "json"], &[])?;
    json.expect_code(0)?;
    let pids: Value = serde_json::from_str(&json.stdout)?;
    let pids: Vec<i64> =
        pids.as_array().context("an array")?.iter().filter_map(Value::as_i64).collect();
    expect_eq!(pids.len(), 2);
    ensure!(pids.contains(&container.pid()?.into()), "{pids:?} lacks the first process");

    let table = container.tell("ps", &[])?;
    table.expect_code(0)?;
    let lines: Vec<&str> = table.stdout.lines().collect();
    ensure!(lines.len() == 3 && lines[0].contains("PID"), "{lines:?}");
    ensure!(lines.iter().any(|line| line.contains("sleep 1000")), "{lines:?}");
    // Options after the id are for ps(1).
    let table = container.tell("ps", &["-o", "pid,comm"])?;
    table.expect_code(0)?.expect_stdout("COMMAND")?;
    expect_eq!(table.stdout.lines().count(), 3);
    Ok(())
}

fn processes_of(container: &Container) -> Result<Vec<i32>> {
    let json = container.tell_with("ps", &["--format", "json"], &[])?;
    json.expect_code(0)?;
    Ok(serde_json::from_str(&json.stdout)?)
}
