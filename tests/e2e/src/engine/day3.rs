//! What somebody met who knows Podman.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use rustix::termios::{Winsize, tcsetwinsize};

use super::support::{Engine, json};
use crate::expect_eq;
use crate::support::pty::Pty;
use crate::support::{scratch, until};

/// Podman's names of what `ps` shows, and its flags.
pub(crate) fn lists_with_podmans_fields() -> Result<()> {
    let engine = Engine::new()?;
    // Docker demands two letters.
    engine.ok(&["run", "--name", "a", "box", "sh", "-c", "exit 3"]).err().context("3")?;
    let id = engine.start("b", &["--rm"], "exec sleep 100")?;
    let fields = "--format={{.Names}} {{.Exited}} {{.ExitCode}} {{.AutoRemove}} {{.Restarts}}";
    expect_eq!(
        engine.ok(&["ps", "-a", "--sort=names", fields])?,
        "a true 3 false 0\nb false 0 true 0"
    );
    let times = engine.ok(&["ps", "--format={{.StartedAt}} {{.CreatedHuman}} {{.Created}}"])?;
    let started = times.split(' ').next().unwrap_or_default();
    ensure!(started.parse::<u64>().is_ok_and(|it| it > 1_700_000_000), "{times}");
    let image = engine.ok(&["image", "inspect", "--format={{.ID}}", "box"])?;
    expect_eq!(engine.ok(&["ps", "--format={{.ImageID}}"])?, image);

    let table = engine.ok(&["ps", "--ns"])?;
    let mut lines = table.lines();
    let headings: Vec<_> = lines.next().unwrap_or_default().split("  ").collect();
    ensure!(headings.concat().contains("PIDNS"), "{table}");
    let pid = engine.field("b", "Pid")?;
    for (field, name) in [("NET", "net"), ("PIDNS", "pid"), ("MNT", "mnt"), ("USERNS", "user")] {
        let link = fs::read_link(format!("/proc/{pid}/ns/{name}"))?;
        let number = engine.field("b", field)?;
        expect_eq!(format!("{name}:[{number}]"), link.to_string_lossy());
        ensure!(lines.clone().any(|line| line.contains(&number)), "{table}");
    }

    let mut watching = engine.command(&["ps", "--watch", "1", "-q", "--no-trunc"]);
    let mut watching = watching.stdout(Stdio::piped()).spawn()?;
    let mut seen = vec![0; 2 * 65];
    let output = watching.stdout.as_mut().context("no output")?;
    let read = output.read_exact(&mut seen);
    watching.kill()?;
    watching.wait()?;
    read?;
    expect_eq!(String::from_utf8(seen)?, format!("{id}\n{id}\n"));
    for (flag, hint) in [("--sync", "always what is"), ("--external", "other programs")] {
        engine.fails(&["ps", flag], 125, hint)?;
    }
    engine.ok(&["rm", "-f", "-t", "0", "a", "b"])?;
    engine.is_clean()
}

/// `-l` is the newest container wherever Podman knows it.
pub(crate) fn the_newest_one() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("old", &[], "exec sleep 100")?;
    let id = engine.start("new", &["-p", "127.0.0.1:8000:80"], "echo >/made; exec sleep 100")?;
    expect_eq!(engine.ok(&["inspect", "-l", "--format={{.ID}}"])?, id);
    expect_eq!(engine.ok(&["inspect", "--type", "all", "-f", "{{.Id}}", "new"])?, id);
    expect_eq!(engine.ok(&["port", "-l"])?, "80/tcp -> 127.0.0.1:8000");
    expect_eq!(engine.ok(&["port", "-l", "80"])?, "127.0.0.1:8000");
    expect_eq!(engine.ok(&["port", "-a"])?, format!("{}\t80/tcp -> 127.0.0.1:8000", &id[..12]));
    engine.fails(&["port", "-a", "new"], 125, "cannot be used with")?;
    expect_eq!(engine.ok(&["port", "old"])?, "");
    let name = "--format={{.Name}} {{.PIDS}}";
    let stats = ["stats", "-l", "--no-stream", "--no-reset", "--interval", "2", name];
    expect_eq!(engine.ok(&stats)?, "new 2");
    ensure!(engine.ok(&["top", "-l"])?.contains("sleep 100"), "not the newest one");
    engine.fails(&["top", "new", "pid,hpid,seccomp"], 1, "no field seccomp, only pid")?;
    until("it is made", || engine.ok(&["diff", "-l"]).is_ok_and(|text| text.contains("A /made")))?;
    let changes = json(&engine.ok(&["diff", "--format", "json", "new"])?)?;
    ensure!(
        changes["added"].as_array().is_some_and(|all| all.contains(&"/made".into())),
        "{changes}"
    );
    expect_eq!(changes.get("deleted"), None);
    engine.ok(&["rm", "-f", "-t", "0", "old", "new"])?;
    engine.is_clean()
}

/// Who runs is started again, who does not is left alone; an interval is no error.
pub(crate) fn restarts_and_waits() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["run", "--name", "ended", "box", "true"])?;
    engine.start("one", &[], "exec sleep 100")?;
    expect_eq!(engine.ok(&["restart", "--running", "-t", "0"])?, "one");
    engine.fails(&["restart"], 1, "required")?;
    expect_eq!(engine.ok(&["wait", "-i", "250ms", "ended"])?, "0");
    let paused = ["wait", "--interval", "20", "--condition", "paused", "one"];
    let mut waiting = engine.command(&paused);
    let waiting = waiting.stdout(Stdio::piped()).spawn()?;
    engine.ok(&["pause", "one"])?;
    expect_eq!(waiting.wait_with_output()?.stdout, b"-1\n");
    engine.fails(&["wait", "--interval", "often", "ended"], 125, "often")?;
    engine.ok(&["rm", "-f", "-t", "0", "ended", "one"])?;
    engine.is_clean()
}

/// Fields of `inspect` that Podman's users ask for.
pub(crate) fn inspected_as_podman_does() -> Result<()> {
    let engine = Engine::new()?;
    let flags = ["-v", "/tmp:/data:ro", "-v", "vol1:/vol", "--umask", "027"];
    engine.start("one", &flags, "echo x >/written; exec sleep 100")?;
    let show = |format: &str| engine.ok(&["inspect", "one", "--format", format]);
    let mounts = "{{range .Mounts}}{{.Type}} {{.Name}} {{.Driver}} {{.RW}};{{end}}";
    expect_eq!(show(mounts)?, "bind   false;volume vol1 local true;");
    expect_eq!(show("{{.ImageName}} {{.Config.Umask}} {{.GraphDriver.Name}}")?, "box 0027 overlay");
    let digest = engine.ok(&["image", "inspect", "box", "--format={{.Digest}}"])?;
    expect_eq!(show("{{.ImageDigest}}")?, digest);
    let upper = show("{{.GraphDriver.Data.UpperDir}}")?;
    until("it is written", || {
        fs::read_to_string(format!("{upper}/written")).is_ok_and(|text| text == "x\n")
    })?;
    let sizes = "--format={{eq .Size .VirtualSize}}";
    expect_eq!(engine.ok(&["image", "inspect", "box", sizes])?, "true");
    engine.ok(&["rm", "-f", "-t", "0", "one"])?;
    engine.ok(&["volume", "rm", "vol1"])?;
    engine.is_clean()
}

/// A check is made when somebody asks for it, and what it finds is remembered.
pub(crate) fn health_on_demand() -> Result<()> {
    let engine = Engine::new()?;
    let flags =
        ["--health-cmd", "test -e /fine", "--health-interval", "1h", "--health-retries", "2"];
    engine.start("one", &flags, "exec sleep 100")?;
    let check = || engine.run(&["healthcheck", "run", "one"]);
    let is = |status: &str, failures: &str| -> Result<()> {
        let format = "--format={{.State.Health.Status}} {{.State.Health.FailingStreak}}";
        let found = engine.ok(&["inspect", "one", format])?;
        ensure!(found == format!("{status} {failures}"), "{found}");
        Ok(())
    };
    for _ in 0..2 {
        let done = check()?;
        ensure!(done.code == Some(1) && done.stdout == "unhealthy\n", "{done:?}");
    }
    // What is answered is written down by then.
    is("unhealthy", "2")?;
    engine.ok(&["exec", "one", "touch", "/fine"])?;
    let done = check()?;
    ensure!(done.code == Some(0) && done.stdout.is_empty(), "{done:?}");
    is("healthy", "0")?;
    engine.ok(&["pause", "one"])?;
    engine.fails(&["healthcheck", "run", "one"], 125, "is paused")?;
    engine.ok(&["unpause", "one"])?;
    engine.ok(&["stop", "-t", "0", "one"])?;
    engine.fails(&["healthcheck", "run", "one"], 125, "not running")?;
    engine.start("two", &[], "exec sleep 100")?;
    engine.fails(&["healthcheck", "run", "two"], 125, "has no health check")?;
    engine.fails(&["healthcheck", "run", "none"], 125, "no such container")?;
    // Who waits while it ends is told, of the check's own end or of the container's.
    let slow = ["--health-cmd", "sleep 100", "--health-interval", "1h", "--health-timeout", "1h"];
    engine.start("slow", &slow, "exec sleep 100")?;
    let mut waiting = engine.command(&["healthcheck", "run", "slow"]);
    let waiting = waiting.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    until("it is checked", || {
        engine.ok(&["top", "slow"]).is_ok_and(|it| it.matches("sleep").count() > 2)
    })?;
    engine.ok(&["kill", "slow"])?;
    let told = waiting.wait_with_output()?;
    ensure!(matches!(told.status.code(), Some(1 | 125)), "{told:?}");
    engine.ok(&["rm", "-f", "-t", "0", "one", "two", "slow"])?;
    engine.is_clean()
}

/// Volumes, networks, pods and the machine, with Podman's flags and words.
pub(crate) fn podmans_words_for_the_rest() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["volume", "create", "--ignore", "-l", "x=y", "v"])?;
    expect_eq!(engine.ok(&["volume", "create", "--ignore", "v"])?, "v");
    engine.ok(&["volume", "create", "w"])?;
    expect_eq!(engine.ok(&["volume", "ls", "-n"])?, "local   v\nlocal   w");
    expect_eq!(engine.ok(&["volume", "inspect", "-a", "--format={{.Name}}"])?, "v\nw");
    expect_eq!(engine.ok(&["volume", "rm", "-a"])?, "v\nw");
    engine.fails(&["volume", "export", "v"], 125, "tinyo cp CONTAINER:FOLDER -")?;
    let id = engine.ok(&["network", "create", "net1"])?;
    engine.fails(&["network", "create", "net1"], 1, "exists already")?;
    expect_eq!(engine.ok(&["network", "create", "--ignore", "net1"])?, id);
    ensure!(!engine.ok(&["network", "ls", "-n"])?.contains("NETWORK ID"), "a heading");
    engine.fails(&["network", "create", "--disable-dns", "x"], 125, "in every network")?;
    for (name, hint) in [("podman", "called bridge"), ("pasta", "without a flag")] {
        engine.fails(&["run", "--rm", "--network", name, "box", "true"], 125, hint)?;
    }
    engine.ok(&["network", "rm", "net1"])?;
    engine.ok(&["pod", "create", "--name", "p"])?;
    engine.start("c", &["--pod", "p"], "exec sleep 100")?;
    let top = engine.ok(&["pod", "top", "-l", "pid,args"])?;
    ensure!(top.contains("sleep 100") && top.contains("tino"), "{top}");
    engine.fails(&["pod", "create", "--device", "/dev/null"], 125, "tinyo run --pod")?;
    engine.fails(&["pod", "top", "none"], 125, "no such pod")?;
    engine.ok(&["pod", "rm", "-f", "-t", "0", "p"])?;
    expect_eq!(engine.ok(&["pod", "rm", "-f", "p"])?, "");
    engine.fails(&["pod", "rm", "p"], 1, "no such pod")?;
    let root = engine.store.to_string_lossy().into_owned();
    let format = "{{.Host.Arch}} {{.Host.OS}} {{.Host.Security.Rootless}} {{.Store.GraphRoot}}";
    expect_eq!(engine.ok(&["info", "--format", format])?, format!("amd64 linux false {root}"));
    let rooms = engine.ok(&["system", "df", "--format={{.Type}} {{.Total}}"])?;
    ensure!(rooms.starts_with("Images 1\n"), "{rooms}");
    engine.fails(&[], 125, "no command")?;
    engine.is_clean()
}

/// A program that asks at once knows how large its terminal is.
pub(crate) fn a_terminal_has_its_size_from_the_beginning() -> Result<()> {
    let engine = Engine::new()?;
    let size = Winsize { ws_row: 31, ws_col: 91, ws_xpixel: 0, ws_ypixel: 0 };
    for number in 0..5 {
        let (mut terminal, peer) = Pty::open()?;
        tcsetwinsize(&peer, size)?;
        let name = format!("c{number}");
        let launch = engine.launch(&["run", "-it", "--name", &name, "box", "stty", "size"]);
        let running = launch.terminal(peer).start()?;
        terminal.see("31 91")?;
        running.finish()?.expect_code(0)?;
    }
    // Whoever starts it again has another one.
    let (mut terminal, peer) = Pty::open()?;
    tcsetwinsize(&peer, Winsize { ws_row: 32, ws_col: 92, ..size })?;
    let running = engine.launch(&["start", "-ai", "c0"]).terminal(peer).start()?;
    terminal.see("32 92")?;
    running.finish()?.expect_code(0)?;
    engine.ok(&["rm", "-a"])?;
    engine.is_clean()
}

/// Images that are made, listed, and read only in part.
pub(crate) fn images_as_podman_has_them() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["create", "--name", "one", "box", "true"])?;
    let file = scratch("id");
    let file = file.to_str().context("UTF-8")?;
    let change = ["-c", "CMD=echo changed", "-c", "ENV=A=b"];
    let flags = [&["commit", "-q", "--iidfile", file], &change[..], &["one", "z/new:1"]].concat();
    expect_eq!(engine.ok(&flags)?, fs::read_to_string(file)?);
    expect_eq!(engine.ok(&["run", "--rm", "z/new:1"])?, "changed");
    engine.fails(&["commit", "--squash", "one"], 125, "tinyo import -")?;
    engine.fails(&["commit", "-f", "docker", "one"], 125, "tinyo save")?;
    let archive = scratch("files.tar");
    let archive = archive.to_str().context("UTF-8")?;
    engine.ok(&["export", "-o", archive, "one"])?;
    let machine = ["--os", "linux", "--arch", "arm64", "--variant", "v8"];
    engine.ok(&[&["import"], &machine[..], &[archive, "other"]].concat())?;
    let of_other = "--format={{.Os}} {{.Architecture}} {{.Variant}}";
    expect_eq!(engine.ok(&["image", "inspect", "other", of_other])?, "linux arm64 v8");
    let list = |sort: &str| {
        engine
            .ok(&["images", "--sort", sort, "--format={{.Repository}}"])
            .map(|it| it.replace('\n', " "))
    };
    expect_eq!(list("repository")?, "box other z/new");
    engine.fails(&["images", "--sort", "age"], 125, "repository")?;
    engine.ok(&["save", "-m", "-o", archive, "box", "z/new:1"])?;
    for words in [&["export", "one"][..], &["export", "box"], &["save", "box"]] {
        let mut command = engine.command(words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut some = [0; 100];
        child.stdout.take().context("no output")?.read_exact(&mut some)?;
        let done = child.wait_with_output()?;
        // A small one is written whole before that is seen.
        let is_quiet = matches!(done.status.code(), Some(0 | 141)) && done.stderr.is_empty();
        ensure!(is_quiet, "{words:?}: {done:?}");
    }
    engine.fails(&["cp", archive, "one:/none/x"], 1, "the folder above it is not there")?;
    engine.fails(&["--tmpdir", "/x", "ps"], 125, "--runroot")?;
    engine.fails(&["export", "none"], 1, "there is no container and no image \"none\"")?;
    engine.fails(&["push", "box", "oci-archive:/x.tar"], 1, "tinyo save --output")?;
    engine.fails(&["manifest", "create", "x"], 125, "buildah manifest")?;
    engine.fails(&["pull", "--creds=a:b", "box"], 125, "tinyo login")?;
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}
