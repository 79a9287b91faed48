//! `tinyo system`, as far as it is about what runs: check, reset, prune, df, service.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use crate::engine::support::{Engine, end_of, json};
use crate::expect_eq;
use crate::support::{processes, scratch, until};

/// Runs a program of the machine that must succeed.
fn run(words: &str) -> Result<String> {
    let words: Vec<&str> = words.split(' ').collect();
    let done = end_of(Command::new(words[0]).args(&words[1..]))?;
    ensure!(done.code == Some(0), "{words:?}: {done:#?}");
    Ok(done.stdout)
}

pub(crate) fn check_finds_and_repairs() -> Result<()> {
    let engine = Engine::new()?;
    let bare = engine.ok(&["create", "--name", "bare", "--network", "none", "box", "true"])?;
    engine.ok(&["volume", "create", "files"])?;
    let id = engine.start("one", &["-p", "28080:80"], "sleep 1000")?;
    engine.ok(&["system", "check"])?;
    engine.ok(&["stop", "-t0", "one"])?;
    engine.ok(&["system", "check"])?;
    // A socket that nobody listens at.
    drop(UnixListener::bind(engine.store.join("run").join(&id))?);
    fs::remove_dir_all(engine.store.join("containers").join(bare))?;
    fs::remove_dir_all(engine.store.join("volumes/files/_data"))?;
    run("ip link add veabcdef0120 type veth")?;
    let bridge = engine.bridge("bridge")?;
    run(&format!("ip link set veabcdef0120 master {bridge}"))?;
    let names = engine.store.join("run/networks/bridge");
    fs::write(&names, "10.1.2.3 gone 0123456789ab gone.bridge\n")?;
    let done = engine.run(&["system", "check"])?;
    ensure!(done.code == Some(1), "{done:#?}");
    for text in [
        "container one: it does not run, and something of it is left",
        "container bare: its folder is missing",
        "volume files: ",
        "network bridge: the device veabcdef0120 is left",
        "network bridge: the names of 0123456789ab are left",
    ] {
        ensure!(done.stdout.contains(text), "{text}: {done:#?}");
    }
    ensure!(done.stderr.contains("5 things are wrong"), "{done:#?}");
    let text = engine.ok(&["system", "check", "--repair"])?;
    expect_eq!(text.matches("; repaired").count(), 5, "{text}");
    expect_eq!(engine.ok(&["system", "check"])?, "");
    expect_eq!(fs::read_to_string(names)?, "");
    ensure!(!run("ip link")?.contains("veabcdef0120"));
    engine.ok(&["start", "one"])?;
    Ok(())
}

pub(crate) fn reset_leaves_nothing() -> Result<()> {
    let engine = Engine::new()?;
    let (links, tables) = ("ip -o link", "nft list tables");
    let before = (run(links)?, run(tables)?);
    engine.ok(&["network", "create", "own"])?;
    let first = engine.start("one", &["-p", "28081:80", "-v", "data:/data"], "sleep 1000")?;
    engine.start("two", &["--network", "own", "--restart", "always"], "sleep 1000")?;
    engine.start("three", &["--network", "none"], "true")?;
    let monitor = engine.monitor(&first)?;
    ensure!(run(links)?.contains("tinyo-") && run(tables)?.contains("tinyo"));
    engine.fails(&["system", "reset"], 1, "standard input is no terminal")?;
    engine.ok(&["system", "reset", "-f"])?;
    ensure!(!engine.store.exists(), "{:?}", fs::read_dir(&engine.store)?.collect::<Vec<_>>());
    until("the monitor has ended", || !processes::alive(monitor))?;
    // A container's device goes with its network namespace, which the kernel clears away when it likes.
    until("the devices are gone", || run(links).is_ok_and(|it| it == before.0))?;
    expect_eq!(run(tables)?, before.1);
    // What is not ours stays.
    fs::create_dir_all(&engine.store)?;
    engine.ok(&["volume", "create", "files"])?;
    fs::write(engine.store.join("letter"), "dear")?;
    engine.ok(&["system", "reset", "-f"])?;
    let left: Vec<_> = fs::read_dir(&engine.store)?.flatten().map(|it| it.file_name()).collect();
    expect_eq!(left, ["letter"]);
    Ok(())
}

pub(crate) fn prune_and_df() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["network", "create", "own"])?;
    engine.start("runs", &["-v", "/anonymous", "-v", "named:/n"], "sleep 1000")?;
    let script = "dd if=/dev/zero of=/data/large bs=1024 count=200 2>/dev/null";
    let id = engine.start("ended", &["-v", "/lost"], script)?;
    engine.ok(&["wait", "ended"])?;
    let df = json(&engine.ok(&["system", "df", "--format=json"])?)?;
    expect_eq!([&df["Containers"]["Count"], &df["Containers"]["Active"]], [2, 1]);
    ensure!(df["Containers"]["Reclaimable"].as_u64() >= Some(200 << 10), "{df}");
    expect_eq!([&df["Volumes"]["Count"], &df["Volumes"]["Active"]], [3, 3]);
    let table = engine.ok(&["system", "df"])?;
    ensure!(table.contains("\nContainers ") && table.contains("\nVolumes "), "{table}");
    engine.fails(&["system", "prune"], 1, "standard input is no terminal")?;
    let done = json(&engine.ok(&["system", "prune", "-f", "--format=json"])?)?;
    expect_eq!(done["Containers"], serde_json::json!([id]));
    expect_eq!(done["Networks"], serde_json::json!(["own"]));
    expect_eq!(done["Volumes"], serde_json::json!([]));
    ensure!(done["SpaceReclaimed"].as_u64() >= Some(200 << 10), "{done}");
    // Of volumes only those without a name go, and only if it is said.
    expect_eq!(engine.ok(&["volume", "ls", "-q"])?.lines().count(), 3);
    let text = engine.ok(&["system", "prune", "-f", "--volumes"])?;
    expect_eq!(text.matches("Volume: ").count(), 1, "{text}");
    expect_eq!(engine.status("runs")?, "running");
    Ok(())
}

/// Gives what the runtime remembers of a container another first process.
fn replace_process(folder: &Path, pid: u32) -> Result<()> {
    let path = folder.join("state.jsonl");
    let text = fs::read_to_string(&path)?;
    let mut record = json(text.lines().last().context("a record")?)?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(") ").context("the fields of a process")?.1;
    let start: u64 = fields.split(' ').nth(19).context("its start")?.parse()?;
    record["process"] = serde_json::json!({"pid": pid, "start": start});
    Ok(fs::write(path, format!("{text}{record}\n"))?)
}

pub(crate) fn what_is_left_of_a_former_boot() -> Result<()> {
    let engine = Engine::new()?;
    let mut stranger = Command::new("sleep").arg("1000").spawn()?;
    for (name, policy) in [("always", "always"), ("failing", "on-failure"), ("once", "no")] {
        let id = engine.start(name, &["--restart", policy, "--network=bridge"], "sleep 1000")?;
        let first: i32 = engine.field(name, "Pid")?.parse()?;
        let guard = if policy == "no" { None } else { Some(super::guard::stop(&engine)?) };
        super::kill(engine.monitor(&id)?)?;
        until("it has ended", || !processes::alive(first))?;
        guard.map_or(Ok(()), super::kill)?;
        // As if the machine had been started anew since, and somebody else had its process id.
        let launch = engine.store.join("run/started").join(&id).join("launch.json");
        let text = fs::read_to_string(&launch)?;
        let own = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        ensure!(text.contains(own.trim()), "{text}");
        fs::write(&launch, text.replace(own.trim(), "4711"))?;
        replace_process(&engine.store.join("run/runtime").join(&id), stranger.id())?;
    }
    expect_eq!(engine.status("always")?, "running");
    for name in ["failing", "once"] {
        expect_eq!(engine.status(name)?, "exited");
        let error = engine.ok(&["inspect", "-f", "{{.State.Error}}", name])?;
        expect_eq!(error, "the machine ended");
    }
    ensure!(stranger.try_wait()?.is_none(), "a stranger was killed");
    stranger.kill()?;
    stranger.wait()?;
    // Only that the cgroups are still there is not as it would be.
    let text = engine.ok(&["system", "check", "--repair"])?;
    expect_eq!(text.matches("its cgroup is left; repaired").count(), 2, "{text}");
    engine.ok(&["system", "check"])?;
    engine.ok(&["start", "once"])?;
    engine.ok(&["rm", "-f", "-a"])?;
    engine.is_clean()
}

pub(crate) fn start_and_stop_with_the_machine() -> Result<()> {
    let engine = Engine::new()?;
    let ends_well = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    let policies = [
        ("always", "always"),
        ("unless", "unless-stopped"),
        ("stopped", "unless-stopped"),
        ("no", "no"),
    ];
    for (name, policy) in policies {
        engine.start(name, &["--restart", policy, "--network=none"], ends_well)?;
        until("it is ready", || engine.ok(&["logs", name]).is_ok_and(|text| text == "ready"))?;
    }
    let flags = ["--name", "new", "--restart", "always", "--network=none"];
    engine.ok(&[&["create"], &flags[..], &["box", "true"]].concat())?;
    engine.ok(&["pause", "unless"])?;
    engine.ok(&["stop", "stopped"])?;
    engine.ok(&["system", "service", "stop"])?;
    for (name, _) in policies {
        expect_eq!(engine.status(name)?, "exited", "{name}");
        expect_eq!(engine.field(name, "ExitCode")?, "3", "{name}");
    }
    expect_eq!(engine.ok(&["system", "service", "start"])?, "always\nunless");
    expect_eq!(engine.ok(&["ps", "--format={{.Names}}"])?, "unless\nalways");
    expect_eq!(engine.status("new")?, "created");
    // Nothing is left to do.
    expect_eq!(engine.ok(&["system", "service", "start"])?, "");
    // One that cannot be started keeps none from it.
    engine.ok(&["system", "service", "stop"])?;
    let id = engine.ok(&["ps", "-aq", "--no-trunc", "--filter=name=always"])?;
    fs::remove_dir_all(engine.store.join("containers").join(id).join("upper"))?;
    let done = engine.run(&["system", "service", "start"])?;
    ensure!(done.code == Some(1) && done.stderr.contains("container always: "), "{done:#?}");
    expect_eq!(done.stdout.trim(), "unless");
    Ok(())
}

/// The power is cut with several containers (`TINYO_CROWD` says how many: 20), a pod and a project; the
/// command of the unit brings all of it back.
pub(crate) fn much_that_ran_before_a_power_cut() -> Result<()> {
    let engine = Engine::new()?;
    let always = ["--restart", "always"];
    engine.ok(&["network", "create", "own"])?;
    let count = std::env::var("TINYO_CROWD").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    for number in 0..count {
        let (name, port) = (format!("c{number}"), format!("{}:80", 27_300 + number));
        let network = ["--network=none", "--network=bridge", "--network=own"][number % 3];
        let ports: &[&str] = if number % 3 == 0 { &[] } else { &["-p", &port] };
        engine.start(&name, &[&always[..], &[network], ports].concat(), "sleep 1000")?;
    }
    engine.ok(&["pod", "create", "--name", "pod", "-p", "27330:80"])?;
    for name in ["first", "second"] {
        engine.start(name, &["--pod", "pod", "--restart", "always"], "sleep 1000")?;
    }
    let file = scratch("state.yaml");
    let service = "{ image: box, command: sleep 1000, restart: always }";
    fs::write(&file, format!("name: shop\nservices:\n  web: {service}\n  store: {service}\n"))?;
    engine.ok(&["up", "-d", "-f", file.to_str().context("UTF-8")?])?;
    let running = || engine.ok(&["ps", "-q", "--no-trunc", "--filter=status=running"]);
    let ids = |text: String| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let all = ids(engine.ok(&["ps", "-q", "--no-trunc"])?);
    // With the infra container.
    expect_eq!(all.len(), count + 5);
    // All ends at once, and the guard sees nothing of it.
    let guard = super::guard::stop(&engine)?;
    for id in &all {
        super::kill(engine.monitor(id)?)?;
    }
    super::kill(guard)?;
    fs::remove_dir_all(engine.store.join("run"))?;
    engine.ok(&["system", "service", "start"])?;
    expect_eq!(ids(running()?), all);
    expect_eq!(engine.ok(&["pod", "inspect", "-f", "{{.State}}", "pod"])?, "Running");
    engine.ok(&["system", "check"])?;
    engine.ok(&["down", "-f", file.to_str().context("UTF-8")?])?;
    engine.ok(&["pod", "rm", "-f", "-t", "0", "pod"])?;
    engine.ok(&["rm", "-f", "-a"])?;
    engine.is_clean()
}

pub(crate) fn the_unit() -> Result<()> {
    let engine = Engine::new()?;
    // The machine's own services are none of a test's business.
    sys::process::unshare_namespaces(libc::CLONE_NEWNS as u64).context("unshare")?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    for folder in ["/etc/systemd/system", "/run/systemd"] {
        if Path::new(folder).exists() {
            mount("none", folder, "tmpfs", MountFlags::empty(), c"")?;
        } else if folder.starts_with("/etc") {
            harness::skip(format!("there is no {folder}"))?;
        }
    }
    let file = Path::new("/etc/systemd/system/tinyo.service");
    engine.fails(&["system", "service", "status"], 1, "not installed")?;
    engine.fails(&["system", "service", "uninstall"], 1, "there is no unit")?;
    let unit = engine.ok(&["system", "service", "install", "--print"])?;
    ensure!(!file.exists());
    engine.ok(&["system", "service", "install"])?;
    engine.ok(&["system", "service", "install"])?;
    expect_eq!(fs::read_to_string(file)?.trim_end(), unit);
    let start = format!("--root {} system service start\n", engine.store.display());
    ensure!(unit.contains(&start), "{unit}");
    ensure!(engine.ok(&["system", "service", "status"])?.starts_with("installed: "));
    if let Ok(done) = Command::new("systemd-analyze").arg("verify").arg(file).output() {
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let about_us: Vec<&str> = said.lines().filter(|it| it.contains("tinyo")).collect();
        ensure!(about_us.is_empty(), "{said}");
    }
    let link = Path::new("/etc/systemd/system/multi-user.target.wants/tinyo.service");
    expect_eq!(fs::canonicalize(link)?, file);
    engine.ok(&["system", "service", "uninstall"])?;
    ensure!(!file.exists() && link.symlink_metadata().is_err());
    // A reset takes it with it, but not that of another store.
    let mut other = Command::new(harness::tinyo());
    let done = end_of(other.args(["--root", "/nowhere", "system", "service", "install"]))?;
    ensure!(done.code == Some(0), "{done:#?}");
    engine.ok(&["system", "reset", "-f"])?;
    ensure!(file.exists());
    engine.ok(&["system", "service", "install"])?;
    engine.ok(&["system", "reset", "-f"])?;
    ensure!(!file.exists());
    Ok(())
}
