//! Landlock by annotation, `org.tinyo.landlock.*`: beyond what other runtimes can.

use anyhow::{Result, ensure};
use serde_json::json;

use super::support::{Bundle, Container};
use crate::support::sys::landlock_abi;

/// A writable root file system and these annotations.
fn restricted(bundle: Bundle, annotations: &[(&str, &str)]) -> Result<Container> {
    let abi = landlock_abi();
    if abi == 0 {
        harness::skip("this kernel has no Landlock")?;
    }
    let mut bundle = bundle.set("/root/readonly", false);
    if abi < 3 && annotations.iter().any(|(name, _)| *name == "write-allow") {
        // It cannot keep back truncate(2), which no test here is about.
        bundle = bundle.set("/annotations/org.tinyo.landlock.warn-only", "true");
    }
    let set = |bundle: Bundle, (name, value): &(&str, &str)| {
        // A pointer to JSON takes slashes apart, and there are none.
        bundle.set(&format!("/annotations/org.tinyo.landlock.{name}"), *value)
    };
    Container::new(annotations.iter().fold(bundle, set))
}

const SCRIPT: &str = "echo x > /work/file && echo inside; echo x > /etc/file || echo outside; \
    echo x > /dev/null && echo null; cat /etc/passwd > /dev/null && echo read";

pub(crate) fn the_program_writes_only_where_it_may() -> Result<()> {
    for no_new_privileges in [true, false] {
        let bundle = Bundle::script(SCRIPT)?.set("/process/noNewPrivileges", no_new_privileges);
        let container = restricted(bundle, &[("write-allow", "/work:/tmp")])?;
        let finished = container.run()?;
        finished.expect_stdout("inside\noutside\nnull\nread\n")?.expect_stderr("denied")?;
    }
    Ok(())
}

pub(crate) fn with_a_filter_that_knows_nothing_of_it() -> Result<()> {
    let names =
        ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "capset"];
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{ "names": names, "action": "SCMP_ACT_KILL_PROCESS" }],
    });
    let bundle = Bundle::script(SCRIPT)?.set("/linux/seccomp", profile);
    let container = restricted(bundle, &[("write-allow", "/work")])?;
    container.run()?.expect_stdout("inside\noutside\nnull\nread\n")?;
    Ok(())
}

pub(crate) fn paths_are_those_of_the_container() -> Result<()> {
    // A link that leads out of the root on the machine leads to /work in the container.
    let bundle = Bundle::script("echo x > /work/file && echo inside")?;
    std::os::unix::fs::symlink("../../../../work", bundle.rootfs().join("link"))?;
    let container = restricted(bundle, &[("write-allow", "/link")])?;
    container.run()?.expect_stdout("inside\n")?;

    let container = restricted(Bundle::script("true")?, &[("read-allow", "/no/such")])?;
    let finished = container.run()?;
    ensure!(finished.code()? != 0, "it ran");
    finished.expect_stderr("/no/such")?;
    container.expect_gone()
}

pub(crate) fn a_process_that_is_added_is_restricted_too() -> Result<()> {
    let container = restricted(Bundle::service()?, &[("write-allow", "/work")])?;
    container.start_service()?;
    container.exec(SCRIPT)?.expect_stdout("inside\noutside\nnull\nread\n")?;
    Ok(())
}

pub(crate) fn programs_that_are_not_listed_are_not_executed() -> Result<()> {
    let script = "cp /bin/busybox /work/cat; /work/cat /etc/passwd || echo refused";
    let container = restricted(Bundle::script(script)?, &[("exec-allow", "/bin")])?;
    container.run()?.expect_stdout("refused\n")?;
    let container = restricted(Bundle::script("true")?, &[("exec-allow", "")])?;
    container.run()?.expect_stderr("permission denied")?;
    Ok(())
}

pub(crate) fn a_wrong_annotation_is_refused() -> Result<()> {
    for (annotation, text) in [
        (("writable", "/"), "org.tinyo.landlock.writable"),
        (("read-allow", "work"), "org.tinyo.landlock.read-allow"),
        (("bind-tcp-allow", "http"), "\"http\" is not a port"),
        (("scope-signals", "1"), "neither true nor false"),
    ] {
        let container = restricted(Bundle::script("true")?, &[annotation])?;
        let finished = container.run()?;
        ensure!(finished.code()? != 0, "{annotation:?} was taken");
        finished.expect_stderr(text)?;
        container.expect_gone()?;
    }
    Ok(())
}
