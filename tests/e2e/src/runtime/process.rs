//! What the container's program starts with: words, folder, rights, limits.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::support::{Bundle, Container};
use crate::expect_eq;
use crate::support::sys::{self, bit};

/// The output of the shell script under the changed configuration.
fn said(script: &str, change: impl FnOnce(Bundle) -> Bundle) -> Result<String> {
    Container::new(change(Bundle::script(script)?))?.output()
}

pub(crate) fn words_environment_and_folder_are_as_configured() -> Result<()> {
    let change = |bundle: Bundle| {
        let words = json!([
            "/bin/sh",
            "-c",
            "printf '%s|' \"$0\" \"$@\" \"$ODD\"; pwd",
            "",
            "a b",
            "\n",
            "\u{e9}"
        ]);
        bundle
            .set("/process/args", words)
            .add("/process/env", "ODD=with = and \"quotes\"")
            .set("/process/cwd", "/etc")
    };
    expect_eq!(said("", change)?, "|a b|\n|\u{e9}|with = and \"quotes\"|/etc\n");
    Ok(())
}

/// As runc does, and callers count on it.
pub(crate) fn a_folder_that_is_missing_is_made() -> Result<()> {
    let container = Container::new(Bundle::script("pwd")?.set("/process/cwd", "/made/for/it"))?;
    expect_eq!(container.output()?, "/made/for/it\n");
    ensure!(container.bundle.rootfs().join("made/for/it").is_dir(), "not in the rootfs");
    Ok(())
}

pub(crate) fn the_path_of_the_container_is_searched() -> Result<()> {
    let words = json!(["here", "x"]);
    let bundle = Bundle::script("")?
        .set("/process/args", words)
        .set("/process/env", json!(["PATH=/nowhere:/work:/bin"]));
    let script = bundle.rootfs().join("work/here");
    crate::support::script(&script, "#!/bin/sh\necho script $1\n")?;
    expect_eq!(Container::new(bundle)?.output()?, "script x\n");
    Ok(())
}

pub(crate) fn the_home_comes_from_the_users_of_the_container() -> Result<()> {
    let passwd = "root:x:0:0::/of-root:/bin/sh\nuser:x:1000:1000::/of-user:/bin/sh\n";
    for (user, home) in [(0, "/of-root"), (1000, "/of-user"), (77, "/")] {
        let bundle = Bundle::script("echo $HOME")?.set("/process/user/uid", user);
        std::fs::write(bundle.rootfs().join("etc/passwd"), passwd)?;
        expect_eq!(Container::new(bundle)?.output()?, format!("{home}\n"), "of user {user}");
    }
    let given = said("echo $HOME", |bundle| bundle.add("/process/env", "HOME=/given"))?;
    expect_eq!(given, "/given\n");
    Ok(())
}

/// Whoever adds a variable may be sure that it counts: programs look for the first.
pub(crate) fn the_last_of_variables_with_one_name_counts() -> Result<()> {
    let words = json!(["ONE=1", "PATH=/bin", "ONE=2", "HOME=/x", "TWO=", "ONE=3", "HOME="]);
    let bundle = Bundle::script("env | grep -v ^PWD; exit 0")?.set("/process/env", words);
    let said = Container::new(bundle)?.output()?;
    let mut lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("SHLVL")).collect();
    lines.sort_unstable();
    expect_eq!(lines, ["HOME=/", "ONE=3", "PATH=/bin", "TWO="]);
    let bundle = Bundle::command(&["/bin/cat", "/proc/self/environ"])?;
    let bundle = bundle.set("/process/env", json!(["ONE=1", "HOME=/h", "ONE=2"]));
    expect_eq!(Container::new(bundle)?.output()?, "HOME=/h\0ONE=2\0");
    Ok(())
}

/// A service manager may have confined the caller.
pub(crate) fn the_processors_are_those_of_the_group() -> Result<()> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let all = sched_getaffinity(None)?;
    let numbers: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|it| all.is_set(*it)).collect();
    if numbers.len() < 2 {
        return harness::skip("there is one processor");
    }
    let mut one = CpuSet::new();
    one.set(numbers[0]);
    let own = std::fs::read_to_string("/proc/self/status")?;
    let expected = own.lines().find(|line| line.starts_with("Cpus_allowed_list")).unwrap_or("");
    sched_setaffinity(None, &one)?;
    let bundle =
        Bundle::script("grep Cpus_allowed_list /proc/self/status; echo ready; sleep 1000")?;
    let container = Container::new(bundle)?;
    let said = container.start_service()?.stdout();
    let exec = container.exec("grep Cpus_allowed_list /proc/self/status")?;
    sched_setaffinity(None, &all)?;
    expect_eq!(said, format!("{expected}\nready\n"));
    expect_eq!(exec.stdout, format!("{expected}\n"));
    Ok(())
}

/// As in crun: a name of one's own, and that of the bundle's own file is there.
pub(crate) fn another_configuration_can_be_named() -> Result<()> {
    let container = Container::new(Bundle::script("echo its own")?)?;
    let other = crate::support::scratch("other.json");
    std::fs::copy(container.bundle.folder.join("config.json"), &other)?;
    container.change(|config| config["process"]["args"][2] = json!("echo changed"))?;
    for (file, said) in [(&*other.to_string_lossy(), "its own\n"), ("config.json", "changed\n")] {
        let finished = container.launch_new("run", &["--config", file]).finish()?;
        expect_eq!(finished.expect_code(0)?.stdout, said);
    }
    Ok(())
}

pub(crate) fn what_cannot_run_is_explained() -> Result<()> {
    for (program, text) in [
        ("/no/such/program", "no such file or directory"),
        ("no-such-program", "executable file not found in $PATH"),
        ("/etc/passwd", "permission denied"),
        ("/etc", "permission denied"),
    ] {
        let container = Container::new(Bundle::command(&[program])?)?;
        let finished = container.run()?;
        ensure!(finished.code()? != 0, "{program} ran");
        finished.expect_stderr(text).with_context(|| program.to_owned())?;
        container.expect_gone()?;
        // Known before `start`, so that a caller learns of it from `create`.
        let finished = container.launch_new("create", &[]).finish()?;
        ensure!(finished.code()? != 0, "create of {program} succeeded");
        finished.expect_stderr("unable to start container process")?.expect_stderr(text)?;
        container.expect_gone()?;
    }
    Ok(())
}

pub(crate) fn user_groups_and_umask_are_as_configured() -> Result<()> {
    let script = "grep -E '^(Uid|Gid|Groups|Umask)' /proc/self/status";
    let change = |bundle: Bundle| {
        let user = json!({ "uid": 12, "gid": 34, "additionalGids": [5, 66, 7, 5], "umask": 0o123 });
        bundle.set("/process/user", user)
    };
    let expected = "Umask:\t0123\nUid:\t12\t12\t12\t12\nGid:\t34\t34\t34\t34\nGroups:\t5 7 66 \n";
    expect_eq!(said(script, change)?, expected);
    // Without any, those of the caller must not be kept.
    let groups = said("grep Groups /proc/self/status", |bundle| bundle)?;
    ensure!(["Groups:\t \n", "Groups:\t0 \n"].contains(&&*groups), "{groups:?}");
    Ok(())
}

pub(crate) fn each_set_of_capabilities_is_as_configured() -> Result<()> {
    const STATUS: &str = "grep Cap /proc/self/status | cut -f 2 | tr '\\n' ' '";
    let set = |bits: &[u64]| bits.iter().fold(0, |set, bit| set | 1_u64 << bit);
    let line = |sets: [&[u64]; 5]| sets.map(|it| format!("{:016x} ", set(it))).concat();
    let (chown, kill, raw, mknod) = ("CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_MKNOD");
    // root: what is executed has all that is bounded and permitted.
    let change = |bundle: Bundle| {
        let sets = json!({
            "bounding": [chown, kill, raw, mknod], "permitted": [chown, kill, raw],
            "effective": [chown, kill], "inheritable": [chown], "ambient": [chown],
        });
        bundle.set("/process/capabilities", sets).set("/process/noNewPrivileges", false)
    };
    // Inheritable, permitted, effective, bounding, ambient. The exec of root raises the second
    // and third to what is bounded.
    let all: &[u64] = &[0, 5, 13, 27];
    expect_eq!(said(STATUS, change)?, line([&[0], all, all, all, &[0]]), "of root");
    // Another user keeps the ambient ones.
    let found = said(STATUS, |bundle| change(bundle).set("/process/user/uid", 1000))?;
    expect_eq!(found, line([&[0], &[0], &[0], all, &[0]]), "of a user");
    // None at all.
    let none = |bundle: Bundle| bundle.set("/process/capabilities", json!({}));
    expect_eq!(said(STATUS, none)?, line([&[]; 5]), "of an empty object");
    expect_eq!(
        said(STATUS, |it| it.remove("/process/capabilities"))?,
        line([&[]; 5]),
        "of nothing"
    );
    Ok(())
}

/// `--privileged` asks for all there are, also on a machine that is a container itself.
pub(crate) fn capabilities_that_the_caller_lacks_are_left_out() -> Result<()> {
    let script = "grep -E 'Cap(Inh|Prm|Bnd)' /proc/self/status | cut -f 2 | tr '\\n' ' '";
    let expected = format!("{:016x} {:016x} {:016x} ", 0, 1 << 5, 1 << 5);
    let bundle = |bundle: Bundle| {
        let bundle = bundle.capabilities(&["CAP_KILL", "CAP_SYS_TIME"]);
        bundle.set("/process/noNewPrivileges", false)
    };
    let poor = |container: &Container, words: &[&str]| {
        let log = container.root.with_extension("log");
        let launch = container.launch(&["--log", &log.to_string_lossy()]).words(words);
        let finished = launch.before_exec(without_time).finish()?;
        finished.expect_code(0)?;
        expect_eq!(finished.stdout, expected, "{words:?}");
        let logged = std::fs::read_to_string(&log)?;
        ensure!(logged.contains("level=warning") && logged.contains("CAP_SYS_TIME"), "{logged}");
        ensure!(!logged.contains("CAP_KILL"), "{logged}");
        Ok(())
    };
    let container = Container::new(bundle(Bundle::script(script)?))?;
    let folder = container.bundle.folder.to_string_lossy();
    poor(&container, &["run", "--bundle", &folder, &container.id])?;
    let container = Container::new(bundle(Bundle::command(&["/bin/sleep", "100000"])?))?;
    container.start()?;
    poor(&container, &["exec", &container.id, "/bin/sh", "-c", script])
}

fn without_time() -> std::io::Result<()> {
    use ::sys::rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
    Ok(remove_capability_from_bounding_set(CapabilitySet::SYS_TIME)?)
}

pub(crate) fn unknown_capabilities_are_not_fatal() -> Result<()> {
    // A caller may be newer than the kernel.
    let bundle = Bundle::script("grep CapEff /proc/self/status")?
        .capabilities(&["CAP_KILL", "CAP_OF_THE_FUTURE"]);
    let finished = Container::new(bundle)?.run()?;
    expect_eq!(finished.stdout, "CapEff:\t0000000000000020\n");
    finished.expect_stderr("level=warning")?;
    finished.expect_stderr("process.capabilities.effective[1]: \\\"CAP_OF_THE_FUTURE\\\"")?;
    Ok(())
}

pub(crate) fn new_privileges_are_forbidden_on_demand() -> Result<()> {
    for forbidden in [true, false] {
        let said = said("grep NoNewPrivs /proc/self/status", |bundle| {
            bundle.set("/process/noNewPrivileges", forbidden)
        })?;
        expect_eq!(said, format!("NoNewPrivs:\t{}\n", u8::from(forbidden)));
    }
    Ok(())
}

pub(crate) fn limits_are_as_configured() -> Result<()> {
    // tidy: table
    let limits = [
        ("RLIMIT_CORE", "Max core file size", 1, 2),
        ("RLIMIT_CPU", "Max cpu time", 1000, 2000),
        ("RLIMIT_DATA", "Max data size", 1_000_000_000, 2_000_000_000),
        ("RLIMIT_FSIZE", "Max file size", 1_000_000, 2_000_000),
        ("RLIMIT_LOCKS", "Max file locks", 11, 12),
        ("RLIMIT_MEMLOCK", "Max locked memory", 4096, 8192),
        ("RLIMIT_MSGQUEUE", "Max msgqueue size", 1024, 2048),
        ("RLIMIT_NICE", "Max nice priority", 0, 0),
        ("RLIMIT_NOFILE", "Max open files", 100, 200),
        ("RLIMIT_NPROC", "Max processes", 1000, 1001),
        ("RLIMIT_RSS", "Max resident set", 1_000_000, 2_000_000),
        ("RLIMIT_RTPRIO", "Max realtime priority", 0, 0),
        ("RLIMIT_RTTIME", "Max realtime timeout", 1_000_000, 2_000_000),
        ("RLIMIT_SIGPENDING", "Max pending signals", 21, 22),
        ("RLIMIT_STACK", "Max stack size", 8_388_608, 16_777_216),
        ("RLIMIT_AS", "Max address space", 3_000_000_000_u64, 4_000_000_000_u64),
    ];
    let array: Vec<_> = limits
        .iter()
        .map(|(name, _, soft, hard)| json!({ "type": name, "soft": soft, "hard": hard }))
        .collect();
    let said = said("cat /proc/self/limits", |bundle| bundle.set("/process/rlimits", array))?;
    for (name, title, soft, hard) in limits {
        let line = said.lines().find_map(|line| line.strip_prefix(title)).context(name)?;
        let values: Vec<&str> = line.split_whitespace().take(2).collect();
        expect_eq!(values, [soft.to_string(), hard.to_string()], "{name}");
    }
    Ok(())
}

pub(crate) fn the_oom_score_is_as_configured() -> Result<()> {
    let said = |bundle: Bundle| Container::new(bundle)?.output();
    let script = "cat /proc/self/oom_score_adj";
    expect_eq!(said(Bundle::script(script)?.set("/process/oomScoreAdj", 567))?, "567\n");
    let own = std::fs::read_to_string("/proc/self/oom_score_adj")?;
    expect_eq!(said(Bundle::script(script)?)?, own, "nothing asked for");
    Ok(())
}

pub(crate) fn the_scheduler_is_as_configured() -> Result<()> {
    // Nice value and policy are fields 19 and 41 of `stat`.
    let script = "cut -d ' ' -f 19,41 /proc/self/stat";
    let batch = json!({ "policy": "SCHED_BATCH", "nice": 5 });
    expect_eq!(said(script, |it| it.set("/process/scheduler", batch))?, "5 3\n");
    let idle = json!({ "policy": "SCHED_IDLE" });
    expect_eq!(said(script, |it| it.set("/process/scheduler", idle))?, "0 5\n");
    Ok(())
}

pub(crate) fn memory_is_taken_as_configured() -> Result<()> {
    if !std::path::Path::new("/proc/self/numa_maps").exists() {
        harness::skip("this kernel knows no memory policies")?;
    }
    let policy = |policy: serde_json::Value| {
        said("head -n 1 /proc/self/numa_maps | cut -d ' ' -f 2", |bundle| {
            bundle.set("/linux/memoryPolicy", policy)
        })
    };
    expect_eq!(policy(json!({ "mode": "MPOL_BIND", "nodes": "0" }))?, "bind:0\n");
    let flags = ["MPOL_F_STATIC_NODES"];
    let preferred = json!({ "mode": "MPOL_PREFERRED", "nodes": "0", "flags": flags });
    expect_eq!(policy(preferred)?, "prefer=static:0\n");
    expect_eq!(policy(json!({ "mode": "MPOL_DEFAULT" }))?, "default\n");
    Ok(())
}

/// What is added shares the container's cores, and nobody else does.
pub(crate) fn cores_are_not_shared_with_others_on_demand() -> Result<()> {
    let bundle = Bundle::command(&["/bin/sleep", "100000"])?
        .set("/annotations", json!({ "org.tinyo.core-scheduling": "true" }));
    let container = Container::new(bundle)?;
    let finished = container.launch_new("create", &[]).finish()?;
    if ["No such device", "Invalid argument"].iter().any(|it| finished.stderr.contains(it)) {
        finished.expect_stderr("PR_SCHED_CORE")?;
        container.expect_gone()?;
        harness::skip("no core here has several threads, or the kernel does not mind")?;
    }
    finished.expect_code(0)?;
    let first = sys::core_cookie(container.pid()?)?;
    ensure!(first != 0 && first != sys::core_cookie(0)?, "its cookie is {first}");
    container.tell("start", &[])?.expect_code(0)?;
    container.tell_with("exec", &["--detach"], &["/bin/sleep", "100000"])?.expect_code(0)?;
    let all = container.tell_with("ps", &["--format", "json"], &[])?;
    for pid in serde_json::from_str::<Vec<i32>>(&all.stdout)? {
        expect_eq!(sys::core_cookie(pid)?, first, "of process {pid}");
    }
    Ok(())
}

pub(crate) fn the_io_priority_is_as_configured() -> Result<()> {
    for (class, expected) in
        [("IOPRIO_CLASS_BE", "best-effort: prio 6\n"), ("IOPRIO_CLASS_IDLE", "idle\n")]
    {
        let priority =
            json!({ "class": class, "priority": if class.ends_with("BE") { 6 } else { 0 } });
        let said = said("ionice -p 1", |it| it.set("/process/ioPriority", priority))?;
        expect_eq!(said, expected);
    }
    Ok(())
}

pub(crate) fn the_personality_is_as_configured() -> Result<()> {
    let domain = json!({ "domain": "LINUX32" });
    expect_eq!(said("uname -m", |it| it.set("/linux/personality", domain))?, "i686\n");
    Ok(())
}

/// What callers have open or ignore is none of the container's business.
pub(crate) fn nothing_is_inherited_from_the_caller() -> Result<()> {
    for (words, expected) in [
        // 3 is the folder that `ls` lists.
        (&["/bin/ls", "/proc/self/fd"][..], "0\n1\n2\n3\n"),
        (
            &["/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"],
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n",
        ),
    ] {
        let container = Container::new(Bundle::command(words)?)?;
        let secret = std::fs::File::open("/etc/hostname")?;
        let launch = container.launch_new("run", &[]).ignore(libc::SIGHUP).ignore(libc::SIGPIPE);
        let launch = launch.mask(bit(libc::SIGUSR1) | bit(libc::SIGTERM)).pass(secret.into(), 9);
        let finished = launch.finish()?;
        finished.expect_code(0)?;
        expect_eq!(finished.stdout, expected);
    }
    Ok(())
}

pub(crate) fn standard_input_is_passed_on() -> Result<()> {
    let container = Container::new(Bundle::script("read line; echo got $line")?)?;
    let (reader, writer) = rustix::pipe::pipe()?;
    rustix::io::write(&writer, b"a line\n")?;
    let finished = container.launch_new("run", &[]).pass(reader, 0).finish()?;
    expect_eq!(finished.stdout, "got a line\n");
    Ok(())
}
