//! What Podman asks of crun alone: an annotation, and no cgroups.

use anyhow::Result;

use super::support::{Bundle, Container, runtime};
use crate::expect_eq;
use crate::support::{scratch, script};

const GROUPS: &str = "grep Groups /proc/self/status";

/// A container whose runtime is called by somebody who is in two groups, 4321 and 5432.
fn of_a_member(bundle: Bundle) -> Result<Container> {
    let program = scratch("member");
    let runtime = runtime()?;
    let text = format!("#!/bin/sh\nexec setpriv --groups 4321,5432 {} \"$@\"\n", runtime.display());
    script(&program, &text)?;
    let bundle = bundle.set("/process/user/additionalGids", [7]);
    Ok(Container::new(bundle)?.with_program(program))
}

/// `podman run --group-add keep-groups`
pub(crate) fn the_callers_groups_are_kept_on_demand() -> Result<()> {
    expect_eq!(of_a_member(Bundle::script(GROUPS)?)?.output()?, "Groups:\t7 \n");
    let key = "/annotations/run.oci.keep_original_groups";
    let kept = of_a_member(Bundle::script(GROUPS)?.set(key, "1"))?;
    expect_eq!(kept.output()?, "Groups:\t4321 5432 \n");

    let service = of_a_member(Bundle::script("exec sleep 100")?.set(key, "1"))?;
    service.create()?;
    service.launch(&["start", &service.id]).finish()?.expect_code(0)?;
    let words = ["exec", &service.id, "/bin/sh", "-c", GROUPS];
    let finished = service.launch(&words).finish()?;
    finished.expect_code(0)?;
    expect_eq!(finished.stdout, "Groups:\t4321 5432 \n", "of what exec adds");
    Ok(())
}

/// `podman run --cgroups=disabled`
pub(crate) fn without_cgroups_the_machines_are_shown_read_only() -> Result<()> {
    let script = "cat /proc/self/cgroup
        mkdir /sys/fs/cgroup/new /sys/fs/cgroup/*/new 2>/dev/null && echo made
        test -e /sys/fs/cgroup/cgroup.procs || ls /sys/fs/cgroup/*/cgroup.procs >/dev/null
        cut -d ' ' -f 5,6 /proc/self/mountinfo | grep '^/sys/fs/cgroup' | grep ' rw'; true";
    let shown = |bundle: Bundle| -> Result<String> {
        let container = Container::new(bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro"))?;
        let words = ["--cgroup-manager", "disabled", "run", "--bundle"];
        let launch = container.launch(&words).words(&[&container.bundle.folder]);
        let finished = launch.words(&[&container.id]).finish()?;
        finished.expect_code(0)?;
        Ok(finished.stdout + &finished.stderr)
    };
    let own = std::fs::read_to_string("/proc/self/cgroup")?;
    let said = shown(Bundle::script(script)?.without_namespace("cgroup"))?;
    expect_eq!(said, own);
    Ok(())
}
