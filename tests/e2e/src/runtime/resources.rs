//! Limits: as the kernel has them, and as the program feels them.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::support::{Bundle, Container, groups};
use crate::expect_eq;
use crate::support::{processes, until};

/// The value in the container's group while it waits to be started.
fn limit(place: &str, value: impl Into<Value>, at: [&str; 3]) -> Result<String> {
    let [controller, v1, v2] = at;
    groups::folder("x", controller)?;
    let bundle = Bundle::script("true")?.set(&format!("/linux/resources/{place}"), value);
    let container = Container::new(bundle)?;
    container.create()?;
    groups::value(&container.id, controller, v1, v2)
}

const MEMORY: [&str; 3] = ["memory", "memory.limit_in_bytes", "memory.max"];

pub(crate) fn memory() -> Result<()> {
    const MB: u64 = 1 << 20;
    expect_eq!(limit("memory/limit", 64 * MB, MEMORY)?, (64 * MB).to_string());
    let reservation = ["memory", "memory.soft_limit_in_bytes", "memory.low"];
    expect_eq!(limit("memory/reservation", 32 * MB, reservation)?, (32 * MB).to_string());
    let unlimited = limit("memory/limit", -1, MEMORY)?;
    ensure!(unlimited == "max" || unlimited.len() > 15, "-1 is {unlimited}");
    if !groups::only_v2() {
        let swappiness = ["memory", "memory.swappiness", ""];
        expect_eq!(limit("memory/swappiness", 33, swappiness)?, "33");
        let no_kill = limit("memory/disableOOMKiller", true, ["memory", "memory.oom_control", ""])?;
        ensure!(no_kill.starts_with("oom_kill_disable 1"), "{no_kill}");
    }
    Ok(())
}

/// `swap` is memory and swap together, which v2 has apart.
pub(crate) fn memory_with_swap() -> Result<()> {
    const MB: u64 = 1 << 20;
    let both = json!({ "limit": 64 * MB, "swap": 96 * MB });
    let files = ["memory", "memory.memsw.limit_in_bytes", "memory.swap.max"];
    let group = groups::folder("", "memory")?;
    if !groups::only_v2() && !group.join(files[1]).exists() {
        harness::skip("the kernel does not account for swap")?;
    }
    let expected = if groups::only_v2() { 32 * MB } else { 96 * MB };
    expect_eq!(limit("memory", both, files)?, expected.to_string());
    Ok(())
}

pub(crate) fn processes() -> Result<()> {
    let files = ["pids", "pids.max", "pids.max"];
    expect_eq!(limit("pids/limit", 77, files)?, "77");
    expect_eq!(limit("pids/limit", -1, files)?, "max");
    // Who follows an older version, as Podman does, says so that there is no limit.
    expect_eq!(limit("pids/limit", 0, files)?, "max");
    let bundle = Bundle::service()?.set("/linux/resources/pids/limit", 77);
    let container = Container::new(bundle)?;
    container.start_service()?;
    container.tell_with("update", &["--pids-limit", "0"], &[])?.expect_code(0)?;
    expect_eq!(groups::value(&container.id, "pids", "pids.max", "pids.max")?, "77");
    let newest =
        Bundle::service()?.set("/ociVersion", "1.3.0").set("/linux/resources/pids/limit", 0);
    let container = Container::new(newest)?;
    container.start_service()?;
    expect_eq!(groups::value(&container.id, "pids", "pids.max", "pids.max")?, "1");
    Ok(())
}

pub(crate) fn shares_of_processors() -> Result<()> {
    let found = limit("cpu/shares", 512, ["cpu", "cpu.shares", "cpu.weight"])?;
    // 512 of 1024 is a weight of 20 in the conversion of runc and crun, 59 in the newer one.
    let expected: &[&str] = if groups::only_v2() { &["20", "59"] } else { &["512"] };
    ensure!(expected.contains(&&*found), "{found}");
    let bandwidth = json!({ "quota": 25_000, "period": 50_000 });
    if groups::only_v2() {
        expect_eq!(limit("cpu", bandwidth, ["cpu", "", "cpu.max"])?, "25000 50000");
        expect_eq!(limit("cpu/idle", 1, ["cpu", "", "cpu.idle"])?, "1");
    } else {
        let at = |file| ["cpu", file, ""];
        expect_eq!(limit("cpu", bandwidth.clone(), at("cpu.cfs_quota_us"))?, "25000");
        expect_eq!(limit("cpu", bandwidth, at("cpu.cfs_period_us"))?, "50000");
    }
    Ok(())
}

pub(crate) fn bursts_of_processors() -> Result<()> {
    let burst = json!({ "quota": 50_000, "period": 100_000, "burst": 20_000 });
    let files = ["cpu", "cpu.cfs_burst_us", "cpu.max.burst"];
    expect_eq!(limit("cpu", burst, files)?, "20000");
    Ok(())
}

pub(crate) fn sets_of_processors() -> Result<()> {
    let cpus = json!({ "cpus": "0", "mems": "0" });
    expect_eq!(limit("cpu", cpus.clone(), ["cpuset", "cpuset.cpus", "cpuset.cpus"])?, "0");
    expect_eq!(limit("cpu", cpus.clone(), ["cpuset", "cpuset.mems", "cpuset.mems"])?, "0");
    let script = "grep -E '^(Cpus|Mems)_allowed_list' /proc/self/status";
    let bundle = Bundle::script(script)?.set("/linux/resources/cpu", cpus);
    let said = Container::new(bundle)?.output()?;
    expect_eq!(said, "Cpus_allowed_list:\t0\nMems_allowed_list:\t0\n");
    Ok(())
}

pub(crate) fn what_the_kernel_knows_by_no_other_name() -> Result<()> {
    if !groups::only_v2() {
        harness::skip("`unified` is for cgroup v2")?;
    }
    let unified = json!({ "memory.high": "50000000", "pids.max": "55" });
    expect_eq!(limit("unified", unified.clone(), ["memory", "", "memory.high"])?, "49999872");
    expect_eq!(limit("unified", unified, ["pids", "", "pids.max"])?, "55");
    Ok(())
}

pub(crate) fn more_than_the_kernel_takes_is_an_error() -> Result<()> {
    groups::folder("x", "cpuset")?;
    let bundle = Bundle::script("true")?.set("/linux/resources/cpu/cpus", "1000");
    let container = Container::new(bundle)?;
    let finished = container.run()?;
    ensure!(finished.code()? != 0, "processor 1000 was found");
    finished.expect_stderr("cpuset.cpus")?;
    container.expect_gone()
}

pub(crate) fn too_many_processes_are_refused() -> Result<()> {
    groups::folder("x", "pids")?;
    let script = "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo all";
    let bundle = Bundle::script(script)?.set("/linux/resources/pids/limit", 4);
    let finished = Container::new(bundle)?.run()?;
    ensure!(!finished.stdout.contains("all"), "8 processes under a limit of 4");
    finished.expect_stderr("fork")?;
    Ok(())
}

pub(crate) fn too_much_memory_kills() -> Result<()> {
    groups::folder("x", "memory")?;
    let script = "a=$(head -c 40000000 /dev/zero | tr '\\0' x); echo survived";
    let limits = json!({ "limit": 20 << 20, "swap": 20 << 20 });
    let mut bundle = Bundle::script(script)?.set("/linux/resources/memory", limits);
    if !groups::only_v2()
        && !groups::folder("", "memory")?.join("memory.memsw.limit_in_bytes").exists()
    {
        bundle = bundle.remove("/linux/resources/memory/swap");
    }
    let finished = Container::new(bundle)?.run()?;
    ensure!(!finished.stdout.contains("survived"), "40 MB under a limit of 20");
    ensure!(finished.code()? != 0, "it ended well");
    Ok(())
}

pub(crate) fn the_group_is_where_it_was_asked_for() -> Result<()> {
    let name = format!("e2e-{}-path", std::process::id());
    let bundle = Bundle::service()?.set("/linux/cgroupsPath", format!("/{name}/below/it"));
    let container = Container::new(bundle)?;
    container.start_service()?;
    let groups_of = std::fs::read_to_string(format!("/proc/{}/cgroup", container.pid()?))?;
    let end = format!(":/{name}/below/it");
    let count = groups_of.lines().filter(|line| line.ends_with(&end)).count();
    container.kill()?;
    container.delete()?;
    let left = groups::existing(&format!("{name}/below/it"));
    for folder in ["below", ""] {
        groups::remove(format!("{name}/{folder}").trim_end_matches('/'));
    }
    ensure!(count >= 1, "its groups are\n{groups_of}");
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}

/// Processes that two containers share a group with must not be ended with one of them.
pub(crate) fn a_group_with_other_processes_is_refused_or_spared() -> Result<()> {
    let first = Container::new(Bundle::service()?)?;
    first.start_service()?;
    let path = format!("/{}", first.id);
    let second = Container::new(Bundle::service()?.set("/linux/cgroupsPath", path))?;
    let finished = second.launch_new("create", &[]).finish()?;
    ensure!(finished.code()? != 0, "a second container was put into the group of the first");
    finished.expect_stderr("container's cgroup is not empty")?;
    expect_eq!(first.status()?, "running");
    Ok(())
}

pub(crate) fn update_changes_limits_of_a_running_container() -> Result<()> {
    groups::folder("x", "pids")?;
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let value = |at: [&str; 3]| groups::value(&container.id, at[0], at[1], at[2]);
    container.tell_with("update", &["--pids-limit", "88"], &[])?.expect_code(0)?;
    expect_eq!(value(["pids", "pids.max", "pids.max"])?, "88");
    if groups::folder("x", "memory").is_ok() {
        // A suffix as people write it, or plain bytes.
        container.tell_with("update", &["--memory", "64M"], &[])?.expect_code(0)?;
        expect_eq!(value(MEMORY)?, (64 << 20).to_string());
        container.tell_with("update", &["--memory", "134217728"], &[])?.expect_code(0)?;
        expect_eq!(value(MEMORY)?, (128 << 20).to_string());
    }
    if groups::folder("x", "cpu").is_ok() {
        let flags = ["--cpu-quota", "30000", "--cpu-period", "60000", "--cpu-share", "2048"];
        container.tell_with("update", &flags, &[])?.expect_code(0)?;
        let (quota, expected) = if groups::only_v2() {
            ("cpu.max", "30000 60000")
        } else {
            ("cpu.cfs_quota_us", "30000")
        };
        expect_eq!(value(["cpu", quota, quota])?, expected);
    }
    if groups::folder("x", "cpuset").is_ok() {
        container.tell_with("update", &["--cpuset-cpus", "0"], &[])?.expect_code(0)?;
        expect_eq!(value(["cpuset", "cpuset.cpus", "cpuset.cpus"])?, "0");
    }
    // What was not named stays.
    expect_eq!(value(["pids", "pids.max", "pids.max"])?, "88");
    Ok(())
}

pub(crate) fn update_takes_a_file_or_standard_input() -> Result<()> {
    groups::folder("x", "pids")?;
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let value = || groups::value(&container.id, "pids", "pids.max", "pids.max");
    let file = crate::support::scratch("resources.json");
    std::fs::write(&file, json!({ "pids": { "limit": 91 } }).to_string())?;
    let flags = ["--resources", &file.to_string_lossy()];
    container.tell_with("update", &flags, &[])?.expect_code(0)?;
    expect_eq!(value()?, "91");
    std::fs::write(&file, json!({ "pids": { "limit": 92 } }).to_string())?;
    for flag in ["--resources", "-r"] {
        let launch = container.launch(&["update", flag, "-", &container.id]);
        launch.pass(std::fs::File::open(&file)?.into(), 0).finish()?.expect_code(0)?;
        expect_eq!(value()?, "92");
    }
    Ok(())
}

/// On v1 and on v2, where it is a new program for the group.
pub(crate) fn update_changes_the_rules_for_devices() -> Result<()> {
    let script = "echo ready; while :; do sleep 0.05; done";
    let bundle = Bundle::script(script)?.capabilities(&["CAP_MKNOD", "CAP_KILL"]);
    let container = Container::new(bundle.mount("/nodes", "tmpfs", "tmpfs", "dev"))?;
    container.start_service()?;
    // /dev/net/tun, which may be missing in the kernel: that is another error.
    container.exec("mknod /nodes/it c 10 200")?.expect_code(0)?;
    let opens = || -> Result<bool> {
        let finished = container.exec("exec 3<> /nodes/it")?;
        Ok(!finished.stderr.contains("Operation not permitted"))
    };
    ensure!(!opens()?, "a device that no rule allows was opened");
    let file = crate::support::scratch("rules.json");
    let update = |rules: Value| -> Result<()> {
        std::fs::write(&file, json!({ "devices": rules }).to_string())?;
        let flags = ["--resources", &file.to_string_lossy()];
        container.tell_with("update", &flags, &[])?.expect_code(0)?;
        Ok(())
    };
    let deny = json!({ "allow": false, "access": "rwm" });
    let allow = json!({ "allow": true, "type": "c", "major": 10, "minor": 200, "access": "rwm" });
    update(json!([deny, allow]))?;
    ensure!(opens()?, "a device that was allowed is refused");
    container.tell_with("update", &["--pids-limit", "50"], &[])?.expect_code(0)?;
    ensure!(opens()?, "an update of something else took the rules back");
    update(json!([deny]))?;
    ensure!(!opens()?, "a device that was taken away was opened");
    container.exec("exec 3<> /dev/null")?.expect_code(0)?;
    Ok(())
}

/// A flag counts before the file; what one update has set the next one keeps.
pub(crate) fn updates_add_up() -> Result<()> {
    groups::folder("x", "pids")?;
    groups::folder("x", "memory")?;
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let file = crate::support::scratch("resources.json");
    let limits = json!({ "pids": { "limit": 91 }, "memory": { "limit": 64 << 20 } });
    std::fs::write(&file, limits.to_string())?;
    let flags = ["-r", &file.to_string_lossy(), "--pids-limit", "17"];
    container.tell_with("update", &flags, &[])?.expect_code(0)?;
    let value = |at: [&str; 3]| groups::value(&container.id, at[0], at[1], at[2]);
    expect_eq!(value(["pids", "pids.max", "pids.max"])?, "17");
    expect_eq!(value(MEMORY)?, (64 << 20).to_string());
    // Both ways, whatever of memory and swap must be written first.
    let mb = 1 << 20;
    for (memory, swap) in [(200, 300), (20, 30), (400, 400), (-1, -1)] {
        let size = |number: i64| if number < 0 { "-1".to_owned() } else { format!("{number}m") };
        let mut flags = vec!["--memory".to_owned(), size(memory)];
        if groups::only_v2()
            || groups::value(&container.id, "memory", "memory.memsw.limit_in_bytes", "x").is_ok()
        {
            flags.extend(["--memory-swap".to_owned(), size(swap)]);
        }
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        container.tell_with("update", &flags, &[])?.expect_code(0)?;
        let found = value(MEMORY)?;
        ensure!(memory < 0 && found.len() != 8 || found == (memory * mb).to_string(), "{found}");
    }
    expect_eq!(value(["pids", "pids.max", "pids.max"])?, "17");
    Ok(())
}

pub(crate) fn an_update_that_cannot_be_is_an_error() -> Result<()> {
    groups::folder("x", "cpuset")?;
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let finished = container.tell_with("update", &["--cpuset-cpus", "1000"], &[])?;
    ensure!(finished.code()? != 0, "processor 1000 was found");
    expect_eq!(container.status()?, "running");
    let finished = container.tell_with("update", &["--memory", "lots"], &[])?;
    ensure!(finished.code()? != 0, "`lots` of memory was found");
    for (flags, text) in [
        (["--memory", "-2"], "--memory: \"-2\" is no size"),
        (["--cpu-idle", "2"], "cpu.idle"),
        (["--blkio-weight", "5"], "10 to 1000"),
        (["--pids-limit", "few"], "--pids-limit: \"few\" is not a number"),
        (["--cpuset-cpus", "0-"], "is not a list of numbers"),
        (["--l3-cache-schema", "L3:0=f"], "resctrl is not mounted"),
        (["--resources", "/no/such/file"], "/no/such/file: No such file"),
    ] {
        let finished = container.tell_with("update", &flags, &[])?;
        ensure!(finished.code()? != 0, "{flags:?} was taken");
        finished.expect_stderr(text)?;
    }
    container.kill()?;
    let finished = container.tell_with("update", &["--pids-limit", "5"], &[])?;
    ensure!(finished.code()? != 0, "a container that has ended was updated");
    Ok(())
}

pub(crate) fn events_tell_statistics() -> Result<()> {
    groups::folder("x", "pids")?;
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let finished = container.tell_with("events", &["--stats"], &[])?;
    finished.expect_code(0)?;
    let event: Value = serde_json::from_str(&finished.stdout)?;
    expect_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!(container.id)));
    let data = &event["data"];
    ensure!(data["pids"]["current"].as_u64().is_some_and(|count| count >= 1), "{data}");
    if groups::folder("x", "memory").is_ok() {
        ensure!(data["memory"]["usage"]["usage"].as_u64().is_some_and(|used| used > 0), "{data}");
    }
    ensure!(data["cpu"]["usage"]["total"].as_u64().is_some_and(|used| used > 0), "{data}");
    for place in [
        "/cpu/throttling",
        "/cpuset/cpu_exclusive",
        "/memory/kernelTCP/limit",
        "/memory/swap/failcnt",
        "/blkio",
        "/hugetlb",
        "/intel_rdt",
        "/network_interfaces",
    ] {
        ensure!(data.pointer(place).is_some(), "{place} is missing: {data}");
    }
    if groups::only_v2() {
        ensure!(data.pointer("/memory/psi/some/avg10").is_some(), "{data}");
    }
    let finished = container.tell_with("events", &["--interval", "0s"], &[])?;
    ensure!(finished.code()? != 0, "an interval of nothing was taken");
    container.kill()?;
    let finished = container.tell_with("events", &["--stats"], &[])?;
    ensure!(finished.code()? != 0, "a container that has ended uses something");
    finished.expect_stderr("not running")?;
    Ok(())
}

/// A line each interval until the container is gone; then it ends too.
pub(crate) fn events_go_on_until_the_end() -> Result<()> {
    let container = Container::new(Bundle::service()?)?;
    container.start_service()?;
    let running = container.launch(&["events", "--interval", "100ms", &container.id]).start()?;
    crate::support::until("there are three lines", || running.stdout().lines().count() >= 3)?;
    container.kill()?;
    container.delete()?;
    let finished = running.finish()?;
    finished.expect_code(0)?;
    for line in finished.stdout.lines() {
        let event: Value = serde_json::from_str(line)?;
        ensure!(event["type"] == "stats" || event["type"] == "oom", "{line}");
    }
    Ok(())
}

pub(crate) fn events_tell_when_memory_ran_out() -> Result<()> {
    groups::folder("x", "memory")?;
    // A child is killed; the first process goes on, and is the last that the kernel would choose if the
    // child's memory is not free at once.
    let script = "echo ready; read line < /work/go; \
        sh -c 'echo 1000 > /proc/self/oom_score_adj; a=$(head -c 40000000 /dev/zero | tr \"\\0\" x)'; echo over; sleep 1000";
    let bundle = Bundle::script(script)?.set("/linux/resources/memory/limit", 20 << 20);
    let fifo = bundle.rootfs().join("work/go");
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o666));
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0)?;
    let container = Container::new(bundle)?;
    let output = container.start_service()?;
    let running = container.launch(&["events", "--interval", "1h", &container.id]).start()?;
    // The listener must be in place first: it waits, and has what tells it of events.
    until("it listens", || {
        let listens = |name: &std::path::Path| {
            ["eventfd", "memory.events"].iter().any(|it| name.to_string_lossy().contains(it))
        };
        let open = processes::descriptors(running.pid).unwrap_or_default();
        open.iter().any(|(_, name)| listens(name))
            && processes::stat(running.pid).is_some_and(|it| it.state == 'S')
    })?;
    std::fs::write(fifo, "go\n")?;
    output.wait_line("over")?;
    crate::support::until("the event came", || running.stdout().contains("\"oom\""))?;
    container.kill()?;
    container.delete()?;
    running.finish()?.expect_code(0)?;
    Ok(())
}
