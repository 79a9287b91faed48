//! Fields that are longer than anyone thought, and ids that say more than a number.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::{Bundle, Container};
use crate::expect_eq;

const LONG: usize = 70_000;

/// CVE-2021-43784: the length of a field of the message to the child had 16 bits. With 70 kB of
/// mappings or paths the rest was read as other fields, and the container ran without its
/// namespaces. A runtime with such a message fails here, or worse, does not.
pub(crate) fn fields_of_70_kb_are_whole_or_refused() -> Result<()> {
    let long = "x".repeat(LONG);
    // Whole: arguments, variables, annotations.
    let words = json!(["/bin/sh", "-c", "echo ${#0} ${#LONG} $(readlink /proc/self/ns/pid)", long]);
    let bundle = Bundle::script("")?
        .set("/process/args", words)
        .add("/process/env", format!("LONG={long}"))
        .set("/annotations/long", long.clone());
    let said = Container::new(bundle)?.output()?;
    let own = std::fs::read_link("/proc/self/ns/pid")?;
    ensure!(said.starts_with("70000 70000 pid:["), "{said}");
    ensure!(!said.contains(&*own.to_string_lossy()), "it is in the machine's PID namespace");

    // Refused: nothing of this kind can be so long.
    let path = format!("/{}", "x/".repeat(LONG / 2));
    for (place, value) in [
        ("/hostname", json!(long)),
        ("/domainname", json!(long)),
        ("/process/cwd", json!(path)),
        ("/linux/cgroupsPath", json!(path)),
        ("/root/path", json!(path)),
        ("/mounts/0/destination", json!(path)),
        ("/mounts/1/options", json!([format!("size={long}")])),
        ("/linux/namespaces/0/path", json!(path)),
        ("/linux/seccomp", json!({ "defaultAction": "SCMP_ACT_NOTIFY", "listenerPath": path })),
    ] {
        let bundle = Bundle::script("true")?.set(place, value);
        let container = Container::named(&format!("e2e-{}-long", std::process::id()), bundle)?;
        let finished = container.run().with_context(|| place.to_owned())?;
        ensure!(finished.code()? != 0, "{place} of 70 kB was taken");
        ensure!(finished.stderr.len() < 3 * LONG, "{place}: the message repeats it over and over");
        container.expect_gone()?;
    }
    Ok(())
}

/// More mappings than one message, or one page, has room for.
pub(crate) fn many_id_mappings_are_whole_or_refused() -> Result<()> {
    let mappings = |count: u32| -> serde_json::Value {
        (0..count)
            .map(|n| json!({ "containerID": n * 2, "hostID": 300_000 + n * 2, "size": 1 }))
            .collect()
    };
    for (count, taken) in [(300, true), (341, false), (5000, false)] {
        let bundle = Bundle::script("wc -l < /proc/self/uid_map; wc -l < /proc/self/gid_map")?
            .namespace("user")
            // Its group is none of those that are mapped.
            .without_mount("/dev/pts")
            .set("/linux/uidMappings", mappings(count))
            .set("/linux/gidMappings", mappings(count));
        std::os::unix::fs::chown(bundle.rootfs(), Some(300_000), Some(300_000))?;
        let finished = Container::new(bundle)?.run()?;
        if taken {
            finished.expect_code(0)?;
            expect_eq!(finished.stdout, "300\n300\n");
        } else {
            // The kernel takes 340 in one page; what it does not take must not be cut off.
            ensure!(finished.code()? != 0, "{count} mappings: {}", finished.stdout);
        }
    }
    Ok(())
}

pub(crate) fn thousands_of_mounts_variables_and_limits_work() -> Result<()> {
    let mut bundle = Bundle::script("grep -c ' /work/m' /proc/self/mountinfo; env | grep -c ^V")?
        .mount("/work", "tmpfs", "tmpfs", "");
    for number in 0..1000 {
        bundle = bundle.mount(&format!("/work/m{number}"), "tmpfs", "tmpfs", "size=4k");
    }
    for number in 0..5000 {
        bundle = bundle.add("/process/env", format!("V{number}={number}"));
    }
    expect_eq!(Container::new(bundle)?.output()?, "1000\n5000\n");
    Ok(())
}

/// CVE-2026-30892: `-u` with a single number was read as no user at all, and ran as root.
pub(crate) fn exec_as_a_user_is_never_root() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    for (user, said) in
        [("1", "1 0\n"), ("1:2", "1 2\n"), ("65534:65534", "65534 65534\n"), ("0:7", "0 7\n")]
    {
        let script = "echo $(id -u) $(id -g)";
        for flag in ["--user", "-u"] {
            let finished =
                container.tell_with("exec", &[flag, user], &["/bin/sh", "-c", script])?;
            finished.expect_code(0)?;
            expect_eq!(finished.stdout, said, "{flag} {user}");
        }
        let joined = format!("--user={user}");
        let finished = container.tell_with("exec", &[&joined], &["/bin/sh", "-c", script])?;
        expect_eq!(finished.stdout, said, "{joined}");
    }
    for user in [
        "",
        "x",
        "1x",
        "1:",
        ":1",
        "1:2:3",
        "-1",
        // For setresuid(2) this is the id that it has already.
        "4294967295",
        "1:4294967295",
        "4294967296",
        "99999999999999999999",
        " 1",
        "1 ",
        "0x1",
    ] {
        let finished = container.tell_with("exec", &["--user", user], &["/bin/id", "-u"])?;
        ensure!(finished.code()? != 0, "--user {user:?} ran as {:?}", finished.stdout);
        expect_eq!(finished.stdout, "", "--user {user:?}");
    }
    for field in ["uid", "gid"] {
        let bundle = Bundle::command(&["/bin/id"])?;
        let bundle = bundle.set(&format!("/process/user/{field}"), u32::MAX);
        let finished = Container::new(bundle)?.run()?;
        ensure!(finished.code()? != 0, "{field} 4294967295 ran as {:?}", finished.stdout);
    }
    Ok(())
}

/// CVE-2022-29162, 2022-27650, 2025-27612: with inheritable capabilities a program that has some
/// as file capabilities gets them although the process has them not.
pub(crate) fn exec_gives_no_inheritable_capabilities() -> Result<()> {
    let status = ["/bin/grep", "-E", "^Cap(Inh|Amb)", "/proc/self/status"];
    let none = "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n";
    for user in [0, 1000] {
        let bundle = Bundle::service()?.set("/process/user/uid", user);
        let container = Container::new(bundle)?;
        container.start_service()?;
        expect_eq!(container.tell("exec", &status)?.stdout, none, "user {user}");
        let flags = ["--cap", "CAP_NET_RAW", "--cap", "CAP_SYS_ADMIN"];
        let finished = container.tell_with("exec", &flags, &status)?;
        let inheritable = finished.stdout.lines().next().unwrap_or_default();
        expect_eq!(inheritable, "CapInh:\t0000000000000000", "user {user}, with --cap");
    }
    // Nor does `run`, of itself.
    let said = Container::new(Bundle::command(&status)?)?.output()?;
    expect_eq!(said, none);
    Ok(())
}
