//! From `create` to `delete`.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::support::tracing::{Deed, trace};
use super::support::{Bundle, Container, runtime};
use crate::expect_eq;
use crate::support::{Launch, processes, scratch};

pub(crate) fn run_passes_output_and_exit_code_on() -> Result<()> {
    let container = Container::new(Bundle::script("echo out; echo err >&2; exit 7")?)?;
    let finished = container.run()?;
    finished.expect_code(7)?;
    expect_eq!(finished.stdout, "out\n");
    expect_eq!(finished.stderr, "err\n");
    container.expect_gone()
}

pub(crate) fn a_program_killed_by_a_signal_is_128_and_its_number() -> Result<()> {
    // The first process of a PID namespace survives a signal that it sends itself, unless the
    // signal comes from outside: without the namespace it does not.
    let bundle = Bundle::script("kill -9 $$")?.without_namespace("pid");
    Container::new(bundle)?.run()?.expect_code(137)?;
    Ok(())
}

pub(crate) fn run_ends_although_its_caller_ignores_the_end_of_children() -> Result<()> {
    // Ignored, SIGCHLD would never come, and children would be gone before anyone asks.
    let container = Container::new(Bundle::script("exit 7")?)?;
    container.launch_new("run", &[]).ignore(libc::SIGCHLD).finish()?.expect_code(7)?;
    container.expect_gone()
}

fn is_debug_build() -> Result<bool> {
    Ok(std::fs::metadata(runtime()?)?.len() > 2 << 20)
}

pub(crate) fn run_holds_at_most_1500_kb_of_memory() -> Result<()> {
    if is_debug_build()? {
        return harness::skip("a debug build is larger");
    }
    let container = Container::new(Bundle::service()?)?;
    let running = container.launch_new("run", &[]).start()?;
    running.wait_line("ready")?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kilobytes: u32 = peak.trim().trim_end_matches(" kB").parse()?;
    println!("{kilobytes} kB");
    anyhow::ensure!(kilobytes <= 1536, "{kilobytes} kB");
    container.tell("kill", &["KILL"])?.expect_code(0)?;
    running.finish()?.expect_code(137)?;
    container.expect_gone()
}

/// The container that `spec` describes, but for a terminal. Ten hierarchies of cgroups are in the
/// number; each more takes seven calls, to make, enter, mount and remove a folder.
pub(crate) fn run_makes_at_most_300_system_calls() -> Result<()> {
    if is_debug_build()? {
        return harness::skip("a debug build makes more");
    }
    let hierarchies = std::fs::read_to_string("/proc/self/cgroup")?.lines().count() as u64;
    let container = Container::new(Bundle::command(&["/bin/true"])?)?;
    let folder = scratch("spec");
    std::fs::create_dir_all(&folder)?;
    container.launch(&["spec"]).folder(&folder).finish()?.expect_code(0)?;
    let template: Value = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
    container.change(|config| {
        let cgroup = config["linux"]["cgroupsPath"].take();
        *config = template;
        config["linux"]["cgroupsPath"] = cgroup;
        config["process"]["terminal"] = false.into();
        config["process"]["args"] = serde_json::json!(["/bin/true"]);
    })?;
    let calls = |launch| anyhow::Ok(trace(launch, u64::MAX, Deed::Kill)?.calls);
    let of_the_program = calls(Launch::new(container.bundle.rootfs().join("bin/true")))?;
    let made = calls(container.launch_new("run", &[]))? - of_the_program;
    println!("{made} calls");
    let most = 300 + 7 * hierarchies.saturating_sub(10);
    anyhow::ensure!(made <= most, "{made} calls, {most} may be");
    container.expect_gone()
}

pub(crate) fn the_states_follow_each_other() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    let output = container.create()?;
    expect_eq!(container.status()?, "created");
    container.tell("start", &[])?.expect_code(0)?;
    output.wait_line("ready")?;
    expect_eq!(container.status()?, "running");
    container.tell("kill", &["TERM"])?.expect_code(0)?;
    // Nobody here reaps it: a zombie has stopped.
    container.wait_status("stopped")?;
    container.delete()
}

pub(crate) fn state_tells_what_the_specification_asks() -> Result<()> {
    let bundle = Bundle::service()?.set("/annotations/org.example.key", "value");
    let container = Container::new(bundle)?;
    container.create()?;
    let state = container.state()?;
    expect_eq!(state["id"], container.id);
    expect_eq!(state["bundle"].as_str(), container.bundle.folder.to_str());
    expect_eq!(state["annotations"]["org.example.key"], "value");
    let version = state["ociVersion"].as_str().context("a version")?;
    anyhow::ensure!(version.starts_with("1."), "the version is {version}");
    let pid = container.pid()?;
    anyhow::ensure!(container.is_root_of(pid), "{pid} is not its first process");
    container.kill()?;
    expect_eq!(container.state()?["pid"].as_i64().unwrap_or(0), 0, "the pid when stopped");
    container.delete()
}

pub(crate) fn a_created_container_has_not_run_its_program() -> Result<()> {
    let container = Container::new(Bundle::script("echo ran")?)?;
    let output = container.create()?;
    let pid = container.pid()?;
    // It is in its namespaces already, and waits.
    let own = std::fs::read_link("/proc/self/ns/mnt")?;
    anyhow::ensure!(std::fs::read_link(format!("/proc/{pid}/ns/mnt"))? != own, "same namespace");
    std::thread::sleep(std::time::Duration::from_millis(50));
    expect_eq!(output.stdout(), "");
    container.tell("start", &[])?.expect_code(0)?;
    output.wait_line("ran")
}

pub(crate) fn only_a_created_container_can_be_started() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    container.tell("start", &[])?.expect_code(1)?;
    expect_eq!(container.status()?, "running", "after a second start");
    container.kill()?;
    container.tell("start", &[])?.expect_code(1)?;
    expect_eq!(container.status()?, "stopped", "after a start when stopped");
    Ok(())
}

pub(crate) fn a_running_container_is_deleted_by_force_alone() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let finished = container.tell("delete", &[])?;
    finished.expect_code(1)?.expect_stderr(&container.id)?;
    expect_eq!(container.status()?, "running");
    let pid = container.pid()?;
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    anyhow::ensure!(!processes::alive(pid), "it still lives");
    container.expect_gone()
}

pub(crate) fn a_created_container_can_be_killed_and_deleted() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.create()?;
    container.kill()?;
    container.delete()?;
    // A created one can also be deleted at once.
    container.create()?;
    container.delete()
}

pub(crate) fn delete_by_force_of_an_unknown_container_succeeds() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    Ok(())
}

pub(crate) fn an_unknown_container_is_named_in_the_error() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    for (verb, words) in [
        ("state", &[][..]),
        ("start", &[]),
        ("kill", &["TERM"]),
        ("delete", &[]),
        ("pause", &[]),
        ("resume", &[]),
        ("ps", &[]),
        ("exec", &["/bin/true"]),
    ] {
        let finished = container.tell(verb, words)?;
        anyhow::ensure!(finished.code()? != 0, "{verb} succeeded");
        finished.expect_stderr("does not exist").with_context(|| verb.to_owned())?;
    }
    Ok(())
}

/// Its creator has made its file, and has not written it yet.
pub(crate) fn one_that_is_being_made_is_not_there_yet() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    let folder = container.root.join(&container.id);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("state.jsonl"), "")?;
    for (verb, words) in [("kill", &["KILL"][..]), ("kill", &["TERM"]), ("exec", &["/bin/true"])] {
        let finished = container.tell(verb, words)?;
        anyhow::ensure!(finished.code()? != 0, "{verb} succeeded");
        finished.expect_stderr("does not exist").with_context(|| verb.to_owned())?;
    }
    container.tell_with("delete", &["--force"], &[])?.expect_code(0)?;
    Ok(())
}

pub(crate) fn an_id_that_is_no_file_name_is_refused() -> Result<()> {
    // A runtime that joins the id to its root unchecked would write beside it, or above.
    for id in ["", ".", "..", "../beside", "a/b", "/absolute", "a b", "a\nb", "-\u{e4}"] {
        let container = Container::named(id, Bundle::service()?.set("/linux/cgroupsPath", "/x"))?;
        let finished = container.launch_new("create", &["--"]).finish()?;
        anyhow::ensure!(finished.code()? != 0, "the id {id:?} was taken");
        let beside = std::fs::read_dir(scratch(""))?.flatten().map(|it| it.file_name());
        let beside: Vec<_> = beside.filter(|it| it == "beside" || it == "absolute").collect();
        expect_eq!(beside, Vec::<std::ffi::OsString>::new(), "{id:?}");
        std::mem::forget(container);
    }
    for id in ["a.b", "A_b-1+2", "0"] {
        let bundle = Bundle::command(&["/bin/true"])?;
        let bundle = bundle.set("/linux/cgroupsPath", format!("/e2e-{}-id", std::process::id()));
        Container::named(id, bundle)?.run()?.expect_code(0).with_context(|| id.to_owned())?;
    }
    Ok(())
}

pub(crate) fn an_id_is_taken_once() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let pid = container.pid()?;
    for verb in ["create", "run"] {
        let finished = container.launch_new(verb, &[]).finish()?;
        finished.expect_code(1)?.expect_stderr("container with given ID already exists")?;
    }
    expect_eq!((container.status()?.as_str(), container.pid()?), ("running", pid));
    Ok(())
}

pub(crate) fn the_pid_file_has_the_pid_and_no_newline() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    let file = scratch("pid");
    container.create_with(&["--pid-file", &file.to_string_lossy()])?;
    expect_eq!(std::fs::read_to_string(&file)?, container.pid()?.to_string());
    Ok(())
}

pub(crate) fn run_detached_leaves_it_running() -> Result<()> {
    for flag in ["--detach", "-d"] {
        let container = Container::new(Bundle::service()?)?;
        let output = Container::follow(container.launch_new("run", &[flag]).start()?)?;
        output.wait_line("ready")?;
        expect_eq!(container.status()?, "running");
        container.kill()?;
        container.delete()?;
    }
    Ok(())
}

pub(crate) fn run_keeps_a_container_on_demand() -> Result<()> {
    let container = Container::new(Bundle::script("exit 3")?)?;
    container.launch_new("run", &["--keep"]).finish()?.expect_code(3)?;
    expect_eq!(container.status()?, "stopped");
    container.delete()
}

pub(crate) fn the_bundle_is_the_current_folder_by_default() -> Result<()> {
    let container = Container::new(Bundle::script("echo here")?)?;
    let launch = container.launch(&["run", &container.id]).folder(&container.bundle.folder);
    launch.finish()?.expect_code(0)?.expect_stdout("here")?;
    Ok(())
}

/// Callers and people write them in either order.
pub(crate) fn flags_may_follow_the_id() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    let launch = container.launch(&["create", &container.id, "--bundle"]);
    Container::follow(launch.words(&[&container.bundle.folder]).start()?)?;
    container.tell("delete", &["--force"])?.expect_code(0)?;
    container.expect_gone()
}

pub(crate) fn list_has_every_container() -> Result<()> {
    let (one, two) = (Container::new(Bundle::service()?)?, Container::new(Bundle::service()?)?);
    one.create()?;
    two.start_service()?;
    let quiet = one.launch(&["list", "--quiet"]).finish()?.stdout;
    let mut ids: Vec<&str> = quiet.lines().collect();
    ids.sort_unstable();
    expect_eq!(ids, [&one.id, &two.id]);

    let json = one.launch(&["list", "--format", "json"]).finish()?.stdout;
    let list: Value = serde_json::from_str(&json)?;
    let found = list.as_array().context("an array")?.iter().find(|it| it["id"] == two.id);
    let found = found.context("the second container")?;
    expect_eq!(found["status"], "running");
    expect_eq!(found["pid"].as_i64(), Some(two.pid()?.into()));
    expect_eq!(found["bundle"].as_str(), two.bundle.folder.to_str());
    anyhow::ensure!(found["created"].as_str().is_some_and(|it| it.contains('T')), "{found}");

    let table = one.launch(&["list"]).finish()?.stdout;
    let mut lines = table.lines();
    let titles = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
    let first: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    expect_eq!(first, titles);
    let row = lines.find(|line| line.starts_with(&one.id)).context("a row")?;
    anyhow::ensure!(row.contains(" created ") && row.trim_end().ends_with("root"), "{row}");
    Ok(())
}
