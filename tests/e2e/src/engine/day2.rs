//! Another day with what Docker's users type: lists, answers and exit codes.

use anyhow::{Result, ensure};
use std::io::Write as _;
use std::process::Stdio;

use super::support::Engine;
use crate::expect_eq;
use crate::support::until;

/// What `ps` finds and shows.
pub(crate) fn lists_of_containers() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&[
        "create",
        "--name",
        "web",
        "-v",
        "data:/data",
        "--label",
        "a.b=c,d",
        "box",
        "true",
    ])?;
    engine.ok(&["create", "--name", "webs", "box", "sh", "-c", "sleep 100"])?;
    let names = |filter: &str| {
        let words = ["ps", "-a", "--sort=names", "--format={{.Names}}", "--filter", filter];
        engine.ok(&words).map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>().join(" "))
    };
    let id = engine.ok(&["images", "-q"])?;
    for (filter, expected) in [
        ("name=web", "web webs"),
        ("name=^web$", "web"),
        ("name=^/webs", "webs"),
        ("name=e.s$", "webs"),
        ("name=^eb", ""),
        ("ancestor=box", "web webs"),
        ("ancestor=box:latest", "web webs"),
        ("ancestor=docker.io/library/box:latest", "web webs"),
        (&format!("ancestor={id}"), "web webs"),
        ("ancestor=box:other", ""),
    ] {
        expect_eq!(names(filter)?, expected, "{filter}");
    }
    engine.fails(&["ps", "--filter", "status=foo"], 125, "only created running paused")?;
    let show = |name: &str, format: &str| {
        engine.ok(&["ps", "-a", "--format", format, "--filter", &format!("name=^{name}$")])
    };
    let format = "{{.Label \"a.b\"}}|{{.Label \"none\"}}|{{.LocalVolumes}}|{{.Size}}";
    ensure!(show("web", format)?.starts_with("c,d||1|0 B (virtual "), "{}", show("web", format)?);
    expect_eq!(show("webs", "{{.Command}}")?, "\"sh -c 'sleep 100'\"");
    let table = show("web", "table{{.Names}}\t{{.Label \"org.my-label\"}}")?;
    expect_eq!(table, "NAMES   my label\nweb");
    ensure!(show("web", "")?.starts_with("CONTAINER ID"), "no table");
    expect_eq!(show("web", "{{$x := 1}}{{$x = .Names}}{{printf \"%.2s\" $x}}")?, "we");
    engine.ok(&["rm", "web", "webs"])?;
    engine.ok(&["volume", "rm", "data"])?;
    engine.is_clean()
}

/// A pipe may answer, and who says nothing is asked in vain.
pub(crate) fn answers_come_from_pipes() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["volume", "create", "--name", "kept"])?;
    let answer = |text: &str| -> Result<Option<i32>> {
        let mut command = engine.command(&["volume", "prune", "-a"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        child.stdin.take().map(|mut pipe| pipe.write_all(text.as_bytes())).transpose()?;
        Ok(child.wait()?.code())
    };
    for text in ["n\n", "\n", ""] {
        expect_eq!(answer(text)?, Some(1), "{text:?}");
        expect_eq!(engine.ok(&["volume", "ls", "-q"])?, "kept", "{text:?}");
    }
    expect_eq!(answer("y\n")?, Some(0));
    expect_eq!(engine.ok(&["volume", "ls", "-q"])?, "");
    ensure!(engine.ok(&["help", "ps"])?.contains("Usage: tinyo ps"), "no help");
    Ok(())
}

/// As Docker ends.
pub(crate) fn exit_codes_are_dockers() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("one", &[], "exec sleep 100")?;
    engine.fails(&["exec", "-w", "/none", "one", "true"], 126, "/none")?;
    engine.fails(&["exec", "-u", "nobody1", "one", "true"], 126, "nobody1")?;
    engine.fails(&["exec", "one", "/none"], 127, "/none")?;
    engine.fails(&["exec", "none", "true"], 1, "no such container")?;
    engine.fails(&["run", "-it", "box", "true"], 1, "the input device is not a TTY")?;
    engine.fails(&["run"], 1, "required")?;
    engine.fails(&["run", "--nothing", "box"], 125, "--nothing")?;
    engine.fails(&["update", "one"], 1, "what is to change")?;
    engine.ok(&["update", "--restart", "no", "one"])?;
    engine.ok(&["rm", "-f", "one"])?;
    engine.is_clean()
}

/// Lists of images, and what becomes of one that is in use.
pub(crate) fn images_in_use() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["tag", "box", "other:1.2"])?;
    let list = |pattern: &str| engine.ok(&["images", "--format={{.Repository}}:{{.Tag}}", pattern]);
    for (pattern, expected) in
        [("o*", "other:1.2"), ("other:1.*", "other:1.2"), ("other:1.2", "other:1.2"), ("b*z", "")]
    {
        expect_eq!(list(pattern)?, expected, "{pattern}");
    }
    let size =
        engine.ok(&["history", "-H=false", "--format={{.Size}} {{.CreatedSince}}", "box"])?;
    let is_plain = |text: &str| {
        let (size, time) = text.split_once(' ').unwrap_or_default();
        size.parse::<u64>().is_ok() && time.contains('T')
    };
    ensure!(size.lines().all(is_plain), "{size}");
    let room = engine.ok(&["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}}"])?;
    expect_eq!(room, "Images 1 0\nContainers 0 0\nVolumes 0 0\nDownloads  ");
    engine.ok(&["create", "--name", "idle", "box", "echo", "still"])?;
    engine.fails(&["rmi", "other:1.2", "box"], 1, "is used by")?;
    // Names go, and the container stays what it was.
    ensure!(engine.ok(&["rmi", "-f", "box"])?.contains("Untagged: "), "no name is gone");
    expect_eq!(engine.ok(&["images", "--format={{.Repository}}"])?, "<none>");
    expect_eq!(engine.ok(&["start", "-a", "idle"])?, "still");
    let flags = ["-c", "CMD [\"a\"]", "-c", "ENTRYPOINT [\"echo\"]"];
    engine.ok(&[&["commit"], &flags[..], &["idle", "new"]].concat())?;
    expect_eq!(engine.ok(&["run", "--rm", "new"])?, "a");
    engine.ok(&["rm", "idle"])?;
    engine.is_clean()
}

/// What happens to networks, volumes and in containers is told, and labels find it.
pub(crate) fn events_of_all_kinds() -> Result<()> {
    let engine = Engine::new()?;
    engine.ok(&["network", "create", "net1"])?;
    engine.start("one", &["--label", "x=1", "-v", "vol1:/data"], "exec sleep 100")?;
    engine.ok(&["network", "connect", "net1", "one"])?;
    engine.ok(&["exec", "one", "sh", "-c", "exit 0"])?;
    engine.ok(&["network", "disconnect", "net1", "one"])?;
    engine.ok(&["stop", "-t", "0", "one"])?;
    engine.ok(&["rm", "one"])?;
    engine.ok(&["volume", "rm", "vol1"])?;
    engine.ok(&["network", "rm", "net1"])?;
    let found = |filter: &str| {
        let words =
            ["events", "--since=1h", "--stream=false", "--format={{.Action}}", "-f", filter];
        engine.ok(&words).map(|text| text.replace('\n', ","))
    };
    expect_eq!(found("volume=vol1")?, "create,destroy");
    expect_eq!(found("network=net1")?, "create,connect,disconnect,destroy");
    let of_label = found("label=x=1")?;
    let begin = "create,start,exec_create: sh -c exit 0,exec_start: sh -c exit 0,exec_die,kill,";
    ensure!(of_label.starts_with(begin) && of_label.ends_with("destroy"), "{of_label}");
    expect_eq!(found("label=x=2")?, "");
    expect_eq!(found("event=exec_start")?, "exec_start: sh -c exit 0");
    engine.is_clean()
}

/// A free port of a range, and new volumes that are described where they are used.
pub(crate) fn ranges_of_ports_and_new_volumes() -> Result<()> {
    let engine = Engine::new()?;
    for (name, port) in [("one", 8000), ("two", 8001)] {
        engine.start(name, &["-p", "127.0.0.1:8000-8001:80"], "exec sleep 100")?;
        expect_eq!(engine.ok(&["port", name])?, format!("80/tcp -> 127.0.0.1:{port}"));
    }
    let words = ["run", "--rm", "-p", "127.0.0.1:8000-8001:80", "box", "true"];
    engine.fails(&words, 125, "8000-8001:80")?;
    engine.ok(&["rm", "-f", "one", "two"])?;
    let mount = "type=volume,src=vol1,dst=/data,volume-label=a=b,volume-opt=type=tmpfs,\
                 volume-opt=device=tmpfs,\"volume-opt=o=size=64k,mode=700\"";
    let seen =
        engine.shell(&["--mount", mount], "stat -c %a /data; grep ' /data ' /proc/mounts")?;
    ensure!(seen.starts_with("700\n") && seen.contains("size=64k"), "{seen}");
    let format = "--format={{.Labels.a}} {{.Options.type}}";
    expect_eq!(engine.ok(&["volume", "inspect", format, "vol1"])?, "b tmpfs");
    engine.ok(&["volume", "rm", "vol1"])?;
    engine.start("one", &[], "echo x; exec sleep 100")?;
    let is_logged = || engine.ok(&["logs", "--details", "one"]).is_ok_and(|text| text == "x");
    until("it is logged", is_logged)?;
    let id = engine.ok(&["stats", "--no-stream", "--no-trunc", "--format={{.ID}}"])?;
    expect_eq!(id.len(), 64);
    engine.ok(&["rm", "-f", "one"])?;
    engine.is_clean()
}
