//! `/proc` under the attacker's control.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::scratch;

/// A folder that looks like procfs where a runtime writes.
fn fake_proc() -> Result<std::path::PathBuf> {
    let folder = scratch("fake");
    for path in ["self/attr", "self/fd", "thread-self/attr", "1/attr", "sys/net/ipv4", "sys/kernel"]
    {
        fs::create_dir_all(folder.join(path))?;
    }
    for path in [
        "self/attr/exec",
        "self/attr/apparmor",
        "thread-self/attr/exec",
        "1/attr/exec",
        "sys/net/ipv4/ip_forward",
        "sys/kernel/msgmax",
        "self/oom_score_adj",
        "self/setgroups",
    ] {
        fs::create_dir_all(folder.join(path).parent().context("a parent")?)?;
        fs::write(folder.join(path), "fake\n")?;
    }
    Ok(folder)
}

/// CVE-2019-16884: an image with a volume on `/proc`, or below it where labels are written. A naive
/// runtime mounts it as asked, and its label goes to a file of the attacker's.
pub(crate) fn nothing_is_mounted_over_proc() -> Result<()> {
    let fake = fake_proc()?;
    for (target, kind) in [
        ("/proc", "bind"),
        ("/proc", "tmpfs"),
        ("/proc/self", "bind"),
        ("/proc/self/attr", "tmpfs"),
        ("/proc/1/attr", "bind"),
        ("/proc/thread-self/attr", "bind"),
        ("/proc/sys", "bind"),
        ("/proc/sys/kernel", "tmpfs"),
        ("/proc/../proc/self", "bind"),
        ("//proc//self", "bind"),
    ] {
        let source = if target == "/proc" { fake.clone() } else { fake.join("self") };
        let bundle = Bundle::script("cat /proc/self/mountinfo")?;
        let options = if kind == "bind" { "bind" } else { "" };
        let container = Container::new(bundle.mount(target, kind, &source, options))?;
        let finished = container.run()?;
        ensure!(finished.code()? != 0, "{kind} over {target}: {}", finished.stdout);
        container.expect_gone()?;
    }
    Ok(())
}

/// What lxcfs and others provide is no danger and in use.
pub(crate) fn single_files_of_proc_may_be_replaced() -> Result<()> {
    let file = scratch("uptime");
    fs::write(&file, "12.00 34.00\n")?;
    for name in ["uptime", "meminfo", "cpuinfo", "stat", "diskstats", "loadavg", "swaps"] {
        let target = format!("/proc/{name}");
        let bundle =
            Bundle::script(&format!("cat {target}"))?.mount(&target, "bind", &file, "bind,ro");
        let said = Container::new(bundle)?.output().with_context(|| target.clone())?;
        expect_eq!(said, "12.00 34.00\n", "{target}");
    }
    Ok(())
}

/// CVE-2025-52881, 2025-62596: what the runtime writes for the container (parameters, the OOM
/// score) is redirected to another file by what is mounted in the container, here by a procfs that
/// is only a folder of the image with the right names in it. A naive runtime trusts the path.
pub(crate) fn kernel_parameters_are_written_to_the_kernel_alone() -> Result<()> {
    let fake = fake_proc()?;
    let bundle = Bundle::script("cat /proc/sys/net/ipv4/ip_forward")?
        .without_mount("/proc")
        .set("/linux/sysctl", json!({ "net.ipv4.ip_forward": "1" }))
        .set("/process/oomScoreAdj", 500)
        .set("/linux/maskedPaths", json!([]))
        .set("/linux/readonlyPaths", json!([]));
    // The image's own `/proc`, with nothing mounted on it.
    fs::remove_dir(bundle.rootfs().join("proc"))?;
    fs::rename(&fake, bundle.rootfs().join("proc"))?;
    let container = Container::new(bundle)?;
    let finished = container.run()?;
    let rootfs = container.bundle.rootfs();
    for name in
        ["sys/net/ipv4/ip_forward", "self/oom_score_adj", "self/attr/exec", "self/setgroups"]
    {
        let text = fs::read_to_string(rootfs.join("proc").join(name))?;
        expect_eq!(text, "fake\n", "{name}: {finished:?}");
    }
    container.expect_gone()
}

/// A label that cannot be set is an error, never silence: the container would run without it.
pub(crate) fn labels_that_cannot_be_set_are_errors() -> Result<()> {
    let apparmor =
        fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default();
    let selinux = fs::exists("/sys/fs/selinux/enforce").unwrap_or(false);
    if !apparmor.starts_with('Y') {
        let bundle = Bundle::script("echo ran")?.set("/process/apparmorProfile", "some-profile");
        let finished = Container::new(bundle)?.run()?;
        ensure!(finished.code()? != 0, "it ran without its AppArmor profile");
        let said = finished.stderr.to_lowercase();
        ensure!(said.contains("apparmor"), "{said}");
    }
    if !selinux {
        let label = "system_u:system_r:container_t:s0:c1,c2";
        let bundle = Bundle::script("echo ran")?.set("/process/selinuxLabel", label);
        let finished = Container::new(bundle)?.run()?;
        ensure!(finished.code()? != 0, "it ran without its SELinux label");
        let said = finished.stderr.to_lowercase();
        ensure!(said.contains("selinux"), "{said}");
        let bundle = Bundle::script("echo ran")?.set("/linux/mountLabel", label);
        let finished = Container::new(bundle)?.run()?;
        ensure!(finished.code()? != 0, "it ran without its mounts' SELinux label");
        ensure!(finished.stderr.contains("linux.mountLabel"), "{finished:?}");
    }
    // What callers write when they have none.
    let bundle = Bundle::script("echo ran")?
        .set("/process/apparmorProfile", "")
        .set("/process/selinuxLabel", "")
        .set("/linux/mountLabel", "");
    expect_eq!(Container::new(bundle)?.output()?, "ran\n");
    Ok(())
}
