//! On a machine with v1 alone the cgroup is made beside the child, which is at work by then. What
//! else this machine has is out of the sight of these trials.

use std::io::Write as _;

use anyhow::{Result, ensure};
use serde_json::json;

use super::support::{Bundle, Container, groups};
use super::{resources, sigkill};
use crate::expect_eq;
use crate::kernel::see_v1_alone;

fn on_v1(trial: impl FnOnce() -> Result<()>) -> Result<()> {
    if see_v1_alone()? { trial() } else { harness::skip("no cgroup v1 here") }
}

pub(crate) fn the_program_is_in_every_group() -> Result<()> {
    on_v1(|| {
        let container = Container::new(Bundle::service()?)?;
        container.start_service()?;
        let of_it = std::fs::read_to_string(format!("/proc/{}/cgroup", container.pid()?))?;
        let end = format!("/{}", container.id);
        // That of v2 has no number.
        let outside = of_it.lines().find(|it| !it.starts_with("0:") && !it.ends_with(&end));
        ensure!(outside.is_none(), "{outside:?}");
        Ok(())
    })
}

pub(crate) fn the_program_sees_its_groups_as_roots() -> Result<()> {
    on_v1(|| {
        let script = "grep -v '^0:' /proc/self/cgroup; ls /sys/fs/cgroup/pids";
        let bundle = Bundle::script(script)?;
        let bundle = bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro");
        let said = Container::new(bundle)?.output()?;
        let lines = said.lines().filter(|it| it.contains(':'));
        ensure!(lines.clone().count() > 3 && lines.clone().all(|it| it.ends_with(":/")), "{said}");
        ensure!(said.contains("pids.max"), "it is not its own group that is mounted: {said}");
        Ok(())
    })
}

/// All else is done before the groups are mounted, if it can be.
pub(crate) fn all_else_is_there_beside_the_groups() -> Result<()> {
    on_v1(|| {
        let script = "ls /sys/fs/cgroup/pids/pids.max; echo lost > /dev/null; \
            cat /proc/keys /proc/timer_list 2>/dev/null; ls /sys/firmware; readlink /dev/ptmx; \
            (echo 1 > /proc/sys/kernel/panic) 2>/dev/null && echo written; \
            mkdir /sys/fs/cgroup/new 2>/dev/null && echo made; stat -c %t:%T /dev/null";
        let bundle = Bundle::script(script)?.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro");
        let said = Container::new(bundle)?.output()?;
        expect_eq!(said, "/sys/fs/cgroup/pids/pids.max\npts/ptmx\n1:3\n");
        Ok(())
    })
}

/// But not if it has to do with them, even by a link of the image's.
pub(crate) fn what_is_hidden_of_the_groups_is_hidden() -> Result<()> {
    on_v1(|| {
        for path in ["/sys/fs/cgroup/pids", "/work/link/pids", "/sys/fs"] {
            let script = "ls -d /sys/fs/cgroup/pids/pids.max 2>/dev/null; echo end";
            let bundle = Bundle::script(script)?.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro");
            std::os::unix::fs::symlink("/sys/fs/cgroup", bundle.rootfs().join("work/link"))?;
            let bundle = bundle.set("/linux/maskedPaths", json!([path]));
            expect_eq!(Container::new(bundle)?.output()?, "end\n", "{path} was masked");
        }
        Ok(())
    })
}

/// What comes out of the image must not be taken from the machine's memory, not even when it is the
/// first mount of all.
pub(crate) fn what_is_copied_up_counts() -> Result<()> {
    on_v1(|| {
        let container = |limit: u64| {
            let copied = json!({ "destination": "/work", "type": "tmpfs", "source": "tmpfs",
                "options": ["tmpcopyup"] });
            let bundle = Bundle::script("echo started")?.set("/mounts", json!([copied]));
            let bundle = bundle.remove("/linux/maskedPaths").remove("/linux/readonlyPaths");
            let mut file = std::fs::File::create(bundle.rootfs().join("work/large"))?;
            (0..40).try_for_each(|_| file.write_all(&[b'x'; 1 << 20]))?;
            Container::new(bundle.set("/linux/resources/memory", json!({ "limit": limit << 20 })))
        };
        expect_eq!(container(200)?.output()?, "started\n");
        let small = container(20)?;
        let finished = small.run()?;
        ensure!(!finished.stdout.contains("started"), "40 MB under a limit of 20");
        ensure!(finished.code()? != 0, "it ended well");
        small.expect_gone()
    })
}

/// The child is there already when its group turns out to be impossible.
pub(crate) fn without_a_group_there_is_no_child() -> Result<()> {
    on_v1(|| {
        resources::a_group_with_other_processes_is_refused_or_spared()?;
        resources::more_than_the_kernel_takes_is_an_error()
    })
}

/// And the group is made already, or not yet, when the child fails.
pub(crate) fn without_a_child_there_is_no_group() -> Result<()> {
    on_v1(|| {
        for (target, kind) in [("/proc/self/x", "tmpfs"), ("/work", "no-such-type")] {
            let bundle = Bundle::script("true")?.mount(target, kind, "none", "ro");
            let container = Container::new(bundle)?;
            let finished = container.run()?;
            ensure!(finished.code()? != 0, "{target} was mounted");
            finished.expect_stderr(target)?;
            container.expect_gone()?;
            let left = groups::existing(&container.id);
            ensure!(left.is_empty(), "left: {left:?}");
        }
        Ok(())
    })
}

pub(crate) fn create_can_be_killed_at_every_call() -> Result<()> {
    on_v1(sigkill::create_can_be_killed_at_every_call)
}

pub(crate) fn run_can_be_killed_at_every_call() -> Result<()> {
    on_v1(sigkill::run_can_be_killed_at_every_call)
}
