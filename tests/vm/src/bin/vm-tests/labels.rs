//! Security modules that the machine at hand does not have, with policies of our own: a container's
//! program, its files and its mounts have the labels that the configuration names, and the kernel
//! enforces what the policy says of them.

use crate::machine_with_busybox;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use vm::{Job, Machine, Outcome, Status};

const PROFILES: &str = "
profile box flags=(attach_disconnected,mediate_deleted) {
    file, capability, signal, mount, network, unix, ptrace,
    deny /denied w,
}
profile other flags=(attach_disconnected,mediate_deleted) {
    file, capability, signal, network, unix, ptrace,
}
";

/// `$1` is what the first process prints in its container, `$2` what one that is added.
const APPARMOR: &str = "
    mount -t securityfs none /sys/kernel/security
    cat /profiles > /sys/kernel/security/apparmor/.load || exit 3
    tinyort features | grep -A1 apparmor | grep -q true || exit 4
    tinyort run --bundle /bundle one || exit 5
    tinyort run --detach --bundle /sleeper two </dev/null >/dev/null 2>&1 || exit 6
    tinyort exec two cat /proc/self/attr/apparmor/current || exit 7
    tinyort exec --apparmor other two cat /proc/self/attr/apparmor/current || exit 8
    tinyort exec --apparmor unknown two echo unconfined
    tinyort delete --force two
    tinyort run --bundle /unknown three
    test ! -e /run/tinyort/three || exit 9";

const IN_APPARMOR: &str = "
    cat /proc/self/attr/apparmor/current
    echo x > /allowed && echo allowed
    echo x > /denied || echo denied";

pub(crate) fn apparmor_profiles_are_enforced() -> Result<()> {
    if !is_there("apparmor_parser") {
        return harness::skip("apparmor_parser is not installed");
    }
    let folder = std::env::temp_dir();
    fs::write(folder.join("profiles"), PROFILES)?;
    let mut parser = Command::new("apparmor_parser");
    parser.args(["--skip-kernel-load", "--skip-cache", "--stdout"]).arg(folder.join("profiles"));
    let profiles = parser.stderr(Stdio::inherit()).output()?;
    ensure!(profiles.status.success() && !profiles.stdout.is_empty(), "apparmor_parser");
    let profile = |name| json!({"/process/apparmorProfile": name});
    let machine = machine()?.file("/profiles", 0o600, &profiles.stdout);
    let machine = with_bundle(machine, "/bundle", IN_APPARMOR, &profile("box"))?;
    let machine = with_bundle(machine, "/sleeper", "sleep 1000", &profile("box"))?;
    let machine = with_bundle(machine, "/unknown", "echo unconfined", &profile("unknown"))?;
    let outcome = machine.append("security=apparmor").run(job(APPARMOR))?;
    ensure!(outcome.status == Some(Status::Exited(0)), "{}", show(&outcome));
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let expected = "box (enforce)\nallowed\ndenied\nbox (enforce)\nother (enforce)\n";
    ensure!(said == expected, "{}", show(&outcome));
    let errors = String::from_utf8_lossy(&outcome.stderr).into_owned();
    ensure!(errors.matches("\"unknown\"").count() == 2, "{}", show(&outcome));
    Ok(())
}

const SELINUX: &str = "
    mount -t selinuxfs none /sys/fs/selinux
    cat /policy > /sys/fs/selinux/load || exit 3
    echo 1 > /sys/fs/selinux/enforce || exit 4
    tinyort features | grep -A1 selinux | grep -q true || exit 5
    tinyort run --bundle /bundle one || exit 6
    tinyort run --detach --bundle /sleeper two </dev/null >/dev/null 2>&1 || exit 7
    pid=$(tinyort state two | grep '\"pid\"')
    pid=${pid##*: }
    /bin/stat -c %C /proc/${pid%,}/root/dev/mqueue /proc/${pid%,}/root/dev/shm || exit 8
    tinyort exec two cat /proc/self/attr/current || exit 9
    echo
    tinyort exec --process-label u:r:free_t:s0 two cat /proc/self/attr/current || exit 10
    echo
    tinyort delete --force two
    tinyort run --bundle /unknown three
    tinyort run --bundle /unknown-mounts four
    test ! -e /run/tinyort/three -a ! -e /run/tinyort/four || exit 11";

/// The root was there before, with the label of what has none.
const IN_SELINUX: &str = "
    cat /proc/self/attr/current
    echo
    grep -q ' /dev/shm .*context=.*:box_file_t:s0:c1,c2' /proc/mounts && echo mounted
    echo x > /dev/shm/allowed && echo allowed
    echo x > /file || echo denied";

pub(crate) fn selinux_labels_are_enforced() -> Result<()> {
    if !is_there("secilc") {
        return harness::skip("secilc is not installed");
    }
    let folder = std::env::temp_dir();
    fs::write(folder.join("policy.cil"), policy())?;
    let mut compiler = Command::new("secilc");
    // The version that Linux 5.5 and later understand.
    compiler.args(["-c", "31", "-f", "/dev/null", "-o"]).arg(folder.join("policy"));
    ensure!(compiler.arg(folder.join("policy.cil")).status()?.success(), "secilc");
    let labels =
        |process, mounts| json!({"/process/selinuxLabel": process, "/linux/mountLabel": mounts});
    let good = labels("u:r:box_t:s0:c1,c2", "u:object_r:box_file_t:s0:c1,c2");
    let unknown = labels("u:r:unknown_t:s0", "u:object_r:box_file_t:s0");
    let unknown_mounts = labels("u:r:box_t:s0", "u:object_r:unknown_t:s0");
    let machine = machine()?.file("/policy", 0o600, &fs::read(folder.join("policy"))?);
    let machine = machine.program("/bin/stat", Path::new("/usr/bin/stat"))?;
    let machine = with_bundle(machine, "/bundle", IN_SELINUX, &good)?;
    let machine = with_bundle(machine, "/sleeper", "sleep 1000", &good)?;
    let machine = with_bundle(machine, "/unknown", "echo unconfined", &unknown)?;
    let machine = with_bundle(machine, "/unknown-mounts", "echo unconfined", &unknown_mounts)?;
    let outcome = machine.append("security=selinux selinux=1").run(job(SELINUX))?;
    ensure!(outcome.status == Some(Status::Exited(0)), "{}", show(&outcome));
    let said = String::from_utf8_lossy(&outcome.stdout).replace('\0', "");
    let expected = "\
u:r:box_t:s0:c1,c2
mounted
allowed
denied
u:object_r:box_file_t:s0:c1,c2
u:object_r:box_file_t:s0:c1,c2
u:r:box_t:s0:c1,c2
u:r:free_t:s0
";
    ensure!(said == expected, "{}", show(&outcome));
    let errors = String::from_utf8_lossy(&outcome.stderr).into_owned();
    ensure!(errors.matches("unknown_t").count() >= 2, "{}", show(&outcome));
    Ok(())
}

/// The smallest policy with which a container can be shown to be held: everything is allowed
/// that is not spoken of here, and a process in `box_t` may only write files in `box_file_t`.
fn policy() -> String {
    // In the order of the kernel's numbers.
    const INITIAL: [&str; 27] = [
        "kernel",
        "security",
        "unlabeled",
        "fs",
        "file",
        "file_labels",
        "init",
        "any_socket",
        "port",
        "netif",
        "netmsg",
        "node",
        "igmp_packet",
        "icmp_socket",
        "tcp_socket",
        "sysctl_modprobe",
        "sysctl",
        "sysctl_fs",
        "sysctl_kernel",
        "sysctl_net",
        "sysctl_net_unix",
        "sysctl_vm",
        "sysctl_dev",
        "kmod",
        "policy",
        "scmp_packet",
        "devnull",
    ];
    let mut text =
        String::from("(handleunknown allow) (mls true) (policycap nnp_nosuid_transition)\n");
    for name in INITIAL {
        let role = if ["kernel", "init"].contains(&name) { "r" } else { "object_r" };
        text += &format!("(sid {name})\n");
        text += &format!("(sidcontext {name} (u {role} free_t ((s0) (s0 (range c1 c2)))))\n");
    }
    text += &format!("(sidorder ({}))\n", INITIAL.join(" "));
    text + "
        (class process (transition dyntransition)) (class file (write)) (class dir ())
        (classorder (process file dir))
        (sensitivity s0) (sensitivityorder (s0))
        (category c1) (category c2) (categoryorder (c1 c2))
        (sensitivitycategory s0 (range c1 c2))
        (user u) (userrole u r) (userrole u object_r)
        (userlevel u (s0)) (userrange u ((s0) (s0 (range c1 c2))))
        (role r) (role object_r) (type free_t) (type box_t) (type box_file_t)
        (roletype r free_t) (roletype r box_t)
        (roletype object_r free_t) (roletype object_r box_file_t)
        (fsuse trans mqueue (u object_r free_t ((s0) (s0))))
        (allow free_t free_t (process (transition)))
        (allow free_t box_t (process (transition)))
        (allow box_t free_t (process (transition)))
        (allow free_t free_t (file (write)))
        (allow free_t box_file_t (file (write)))
        (allow box_t box_file_t (file (write)))"
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--help").output().is_ok()
}

fn machine() -> Result<Machine> {
    machine_with_busybox()?.program("/bin/tinyort", &harness::tinyort())
}

fn job(script: &str) -> Job {
    Job::new(["/bin/sh", "-c", script])
}

/// A bundle whose container runs a script of busybox.
fn with_bundle(machine: Machine, path: &str, script: &str, changes: &Value) -> Result<Machine> {
    let spec =
        Command::new(harness::tinyort()).args(["spec", "--bundle"]).arg(folder(path)?).status()?;
    ensure!(spec.success(), "tinyort spec");
    let mut config: Value = serde_json::from_slice(&fs::read(folder(path)?.join("config.json"))?)?;
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(["/bin/sh", "-c", script]);
    config["root"]["readonly"] = json!(false);
    for (place, value) in changes.as_object().context("changes")? {
        let (parent, name) = place.rsplit_once('/').context("a JSON pointer")?;
        config.pointer_mut(parent).context("parent")?[name] = value.clone();
    }
    let bin = format!("{path}/rootfs/bin");
    let machine = machine
        .file(&format!("{path}/config.json"), 0o644, config.to_string().as_bytes())
        .file(&format!("{path}/rootfs/file"), 0o644, b"")
        .program(&format!("{bin}/busybox"), Path::new("/bin/busybox"))?;
    Ok(["sh", "cat", "grep", "sleep", "echo"]
        .iter()
        .fold(machine, |machine, applet| machine.symlink(&format!("{bin}/{applet}"), "busybox")))
}

/// Where the bundle is made on the machine at hand.
fn folder(path: &str) -> Result<std::path::PathBuf> {
    let folder = std::env::temp_dir().join(path.trim_start_matches('/'));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn show(outcome: &Outcome) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&outcome.stdout), text(&outcome.stderr));
    format!("{:?}, {:?}\n{stdout}{stderr}{}", outcome.ending, outcome.status, outcome.console)
}
