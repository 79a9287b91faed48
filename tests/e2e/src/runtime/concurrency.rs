//! Many at once, and two for one id.

use anyhow::{Result, ensure};

use super::support::container::succeeded;
use super::support::{Bundle, Container, groups};
use crate::expect_eq;

pub(crate) fn two_creates_of_one_id_leave_one_container() -> Result<()> {
    for _ in 0..10 {
        let container = Container::new(Bundle::service()?)?;
        let started: Vec<_> =
            (0..4).map(|_| container.launch_new("create", &[]).start()).collect::<Result<_>>()?;
        let mut created = 0;
        for running in started {
            let finished = running.finish()?;
            if succeeded(&finished) {
                created += 1;
            } else {
                finished.expect_stderr("container with given ID already exists")?;
            }
        }
        expect_eq!(created, 1, "creates that succeeded");
        expect_eq!(container.status()?, "created");
        let output = container.tell("start", &[])?;
        output.expect_code(0)?;
        container.kill()?;
        container.delete()?;
    }
    Ok(())
}

pub(crate) fn a_hundred_are_created_at_once() -> Result<()> {
    let mut containers = Vec::new();
    for _ in 0..100 {
        // All share one root file system.
        let folder = containers.first().map(|first: &Container| first.bundle.rootfs());
        let mut bundle =
            Bundle::on_rootfs(&["/bin/sh", "-c", "echo ready; sleep 1000"], folder.as_deref())?;
        bundle = bundle.set("/root/readonly", true);
        containers.push(Container::new(bundle)?);
    }
    let started: Vec<_> =
        containers.iter().map(|it| it.launch_new("create", &[]).start()).collect::<Result<_>>()?;
    for running in started {
        running.finish()?.expect_code(0)?;
    }
    let listed = containers[0].launch(&["list", "--quiet"]).finish()?.stdout;
    expect_eq!(listed.lines().count(), 100, "containers that are listed");
    for verb in ["start", "kill"] {
        let words: &[&str] = if verb == "kill" { &["KILL"] } else { &[] };
        let told: Vec<_> = containers
            .iter()
            .map(|it| it.launch(&[verb, &it.id]).words(words).start())
            .collect::<Result<_>>()?;
        for running in told {
            running.finish()?.expect_code(0)?;
        }
    }
    for container in &containers {
        container.wait_status("stopped")?;
    }
    let deleted: Vec<_> = containers
        .iter()
        .map(|it| it.launch(&["delete", &it.id]).start())
        .collect::<Result<_>>()?;
    for running in deleted {
        running.finish()?.expect_code(0)?;
    }
    containers.iter().try_for_each(Container::expect_gone)
}

pub(crate) fn a_hundred_run_at_once() -> Result<()> {
    let first = Container::new(Bundle::script("echo ran")?)?;
    let rootfs = first.bundle.rootfs();
    let containers: Vec<Container> = (0..100)
        .map(|_| Container::new(Bundle::on_rootfs(&["/bin/echo", "ran"], Some(&rootfs))?))
        .collect::<Result<_>>()?;
    let started: Vec<_> =
        containers.iter().map(|it| it.launch_new("run", &[]).start()).collect::<Result<_>>()?;
    for running in started {
        let finished = running.finish()?;
        finished.expect_code(0)?;
        expect_eq!(finished.stdout, "ran\n");
    }
    containers.iter().try_for_each(Container::expect_gone)
}

/// `state`, `exec`, `kill` while another command deletes it: each succeeds or says that there is
/// nothing, and none of them hangs or leaves anything.
pub(crate) fn commands_race_a_deletion_without_harm() -> Result<()> {
    for _ in 0..10 {
        let container = Container::new(Bundle::service()?)?;
        container.start_service()?;
        let words: [&[&str]; 7] = [
            &["state"],
            &["delete", "--force"],
            &["exec"],
            &["kill"],
            &["ps"],
            &["delete", "--force"],
            &["state"],
        ];
        let started: Vec<_> = words
            .iter()
            .map(|words| {
                let launch = container.launch(words).words(&[&container.id]);
                let launch = if words[0] == "exec" { launch.words(&["/bin/true"]) } else { launch };
                launch.start()
            })
            .collect::<Result<_>>()?;
        for running in started {
            running.finish()?;
        }
        let finished = container.tell_with("delete", &["--force"], &[])?;
        finished.expect_code(0)?;
        container.expect_gone()?;
    }
    Ok(())
}

pub(crate) fn execs_at_once_all_work() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let started: Vec<_> = (0..40)
        .map(|number| {
            let script = format!("echo {number}; exit {number}");
            container.launch(&["exec", &container.id, "/bin/sh", "-c", &script]).start()
        })
        .collect::<Result<_>>()?;
    for (number, running) in started.into_iter().enumerate() {
        let finished = running.finish()?;
        finished.expect_code(i32::try_from(number)?)?;
        expect_eq!(finished.stdout, format!("{number}\n"));
    }
    container.kill()?;
    container.delete()
}

pub(crate) fn nothing_is_left_after_two_hundred_starts() -> Result<()> {
    let container = Container::new(Bundle::command(&["/bin/true"])?)?;
    let mounts =
        || std::fs::read_to_string("/proc/self/mountinfo").map(|text| text.lines().count());
    let before = mounts()?;
    for _ in 0..200 {
        container.run()?.expect_code(0)?;
    }
    expect_eq!(mounts()?, before, "mounts of the machine");
    ensure!(groups::existing(&container.id).is_empty(), "groups are left");
    container.expect_gone()
}
