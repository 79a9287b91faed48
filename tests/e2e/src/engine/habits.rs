//! What those expect who come from Docker or Podman.

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;

pub(crate) fn a_flag_that_is_none_is_not_taken_for_an_image() -> Result<()> {
    let engine = Engine::new()?;
    engine.fails(&["run", "--detatch", "box"], 125, "'--detach'")?;
    engine.fails(&["run", "--isolation", "a", "box"], 125, "hint: that is for Windows")?;
    engine.fails(&["build", "."], 125, "there is no command build")?;
    engine.fails(&["--log-level=debug", "ps"], 125, "there is no flag --log-level")?;
    expect_eq!(engine.ok(&["run", "--rm", "box", "echo", "--link", "-x"])?, "--link -x");
    engine.is_clean()
}

/// A database in an image finds its folder as the image has made it, owner and all.
pub(crate) fn a_new_volume_gets_what_the_image_has_there() -> Result<()> {
    let engine = Engine::new()?;
    engine.start(
        "maker",
        &[],
        "mkdir -p /var/db; chmod 750 /var/db; echo 1 > /var/db/a; chown -R 33 /var/db",
    )?;
    engine.ok(&["wait", "maker"])?;
    engine.ok(&["commit", "maker", "with-data"])?;
    let with = |flags: &[&str], script: &str| {
        engine.ok(&[&["run", "--rm"], flags, &["with-data", "sh", "-c", script]].concat())
    };
    let look = "stat -c '%u %a' /var/db /var/db/a; echo 2 > /var/db/a";
    expect_eq!(with(&["-v", "data:/var/db"], look)?, "33 750\n33 644");
    // What is there by now stays, and what is to be empty is.
    expect_eq!(with(&["-v", "data:/var/db"], "cat /var/db/a")?, "2");
    engine.ok(&["volume", "create", "empty"])?;
    expect_eq!(with(&["-v", "empty:/var/db:nocopy"], "ls /var/db")?, "");
    expect_eq!(with(&["-v", "empty:/var/db"], "cat /var/db/a")?, "1");
    expect_eq!(with(&["-v", "other:/no/such/folder"], "ls /no/such/folder")?, "");
    engine.ok(&["rm", "maker"])?;
    engine.is_clean()
}

/// What is mounted on `/etc` does not hide what the container is called, and who answers about
/// names.
pub(crate) fn a_volume_on_etc_keeps_hosts() -> Result<()> {
    let engine = Engine::new()?;
    let text = engine.shell(&["-v", "etc:/etc", "-h", "here"], "cat /etc/hostname /etc/passwd")?;
    ensure!(text.starts_with("here\nroot:"), "{text}");
    engine.is_clean()
}

/// The groups' spellings of commands, and templates where Docker has them.
pub(crate) fn spellings() -> Result<()> {
    let engine = Engine::new()?;
    let id = engine.start("one", &["--label", "k=v", "--expose", "80"], "exec sleep 100")?;
    expect_eq!(engine.ok(&["container", "inspect", "-f", "{{.Id}}", "one"])?, id);
    expect_eq!(engine.ok(&["container", "port", "one"])?, "");
    let tar = engine.command(&["container", "export", "one"]).output()?.stdout;
    ensure!(tar.len() > 10_000, "no archive");
    for (words, code) in [
        (&["container", "exists", "one"][..], 0),
        (&["container", "exists", "two"], 1),
        (&["volume", "exists", "two"], 1),
        (&["network", "exists", "bridge"], 0),
    ] {
        expect_eq!(engine.run(words)?.code, Some(code), "{words:?}");
    }
    ensure!(engine.ok(&["version", "-f", "{{.Server.Version}}"])?.starts_with("0."), "version");
    expect_eq!(engine.ok(&["system", "info", "-f", "{{.ContainersRunning}}"])?, "1");
    let words = ["system", "events", "--since=1h", "--stream=false", "--filter=event=start"];
    let format = "--format={{.ID}} {{.Status}} {{.Actor.Attributes.name}}";
    expect_eq!(engine.ok(&[&words[..], &[format]].concat())?, format!("{id} start one"));
    for (filter, is_found) in [
        ("label!=k", false),
        ("expose=70-90/tcp", true),
        ("publish=80", false),
        ("restart-policy=no", true),
        ("until=1h", false),
    ] {
        let found = engine.ok(&["ps", "-q", "--filter", filter])?;
        expect_eq!(!found.is_empty(), is_found, "{filter}");
    }
    ensure!(engine.ok(&["ps", "--size"])?.contains("(virtual "), "no size");
    let top = engine.ok(&["top", "one", "-eo", "pid,comm"])?;
    ensure!(top.contains("sleep") && !top.contains("e2e"), "{top}");
    expect_eq!(engine.ok(&["wait", "--condition", "running", "one"])?, "-1");
    expect_eq!(engine.ok(&["container", "prune", "-f", "--filter", "label!=k"])?, "");
    expect_eq!(engine.ok(&["rm", "-f", "-t", "0", "one"])?, "one");
    engine.fails(&["inspect", "one"], 1, "there is no container, image, volume")?;
    engine.is_clean()
}

pub(crate) fn volumes_that_are_other_file_systems() -> Result<()> {
    let engine = Engine::new()?;
    let folder = crate::support::scratch("folder");
    std::fs::create_dir(&folder)?;
    let device = format!("device={}", folder.display());
    let create = ["volume", "create", "--driver", "local", "--opt"];
    let tmpfs = ["type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=1m,uid=33", "memory"];
    engine.ok(&[&create[..], &tmpfs].concat())?;
    engine
        .ok(&[&create[..], &["type=none", "--opt", "o=bind", "--opt", &device, "bound"]].concat())?;
    let script = "stat -c %u /m; grep -c 'size=1024k' /proc/mounts; echo 1 > /b/x";
    expect_eq!(engine.shell(&["-v", "memory:/m", "-v", "bound:/b"], script)?, "33\n1");
    expect_eq!(std::fs::read_to_string(folder.join("x"))?, "1\n");
    engine.fails(&[&create[..], &["nonsense=1", "x"]].concat(), 1, "there is no such option")?;
    expect_eq!(engine.ok(&["volume", "ls", "-q", "--filter", "name=bou"])?, "bound");
    engine.ok(&["volume", "rm", "memory", "bound"])?;
    ensure!(folder.join("x").exists(), "somebody's own folder was removed");
    engine.is_clean()
}

/// `cp` of archives, between containers, and with the times that files have.
pub(crate) fn copies() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("one", &[], "mkdir /d; echo 1 > /d/x; touch -d @1000 /d/x; exec sleep 100")?;
    engine.start("two", &[], "exec sleep 100")?;
    crate::support::until("it is there", || {
        engine.run(&["exec", "one", "test", "-e", "/d/x"]).is_ok_and(|it| it.code == Some(0))
    })?;
    let mut tar = engine.command(&["cp", "one:/d", "-"]).output()?.stdout;
    let file = crate::support::scratch("d.tar");
    std::fs::write(&file, &tar)?;
    let mut command = engine.command(&["cp", "-", "two:/tmp"]);
    let done = super::support::end_of(command.stdin(std::fs::File::open(&file)?))?;
    ensure!(done.code == Some(0), "{done:#?}");
    let look = ["exec", "two", "stat", "-c", "%Y"];
    expect_eq!(engine.ok(&[&look[..], &["/tmp/d/x"]].concat())?, "1000");
    // The folder that it came into is as it was.
    expect_eq!(engine.ok(&["exec", "two", "stat", "-c", "%a", "/tmp"])?, "755");
    engine.ok(&["cp", "one:/d/x", "two:/tmp/y"])?;
    expect_eq!(engine.ok(&["exec", "two", "cat", "/tmp/y"])?, "1");
    // What is no archive changes nothing.
    tar.truncate(700);
    std::fs::write(&file, &tar)?;
    let mut command = engine.command(&["cp", "-", "two:/data"]);
    let done = super::support::end_of(command.stdin(std::fs::File::open(&file)?))?;
    ensure!(done.code == Some(1) && done.stderr.contains("the archive"), "{done:#?}");
    expect_eq!(engine.ok(&["exec", "two", "ls", "/data"])?, "given");
    engine.ok(&["rm", "-f", "one", "two"])?;
    engine.is_clean()
}

pub(crate) fn what_is_wrong_with_mounts_and_variables() -> Result<()> {
    let engine = Engine::new()?;
    let file = crate::support::scratch("env");
    std::fs::write(&file, "A=1\nexport B=2\n")?;
    let file = file.to_str().unwrap_or_default();
    for (words, said) in [
        (&["-v", "/tmp:/x:foo"][..], "there is no option \"foo\""),
        (&["--mount", "type=bind,src=/no/such/x,dst=/x"], "there is no such file"),
        (&["--mount", "type=volume,src=aa,dst=/x,volume-subpath=b"], "there is no b in it"),
        (&["--tmpfs", "/x:sise=1m"], "there is no option \"sise=1m\""),
        (&["-v", "a b:/x"], "is no name of a volume"),
        (&["-v", "a:/x", "-v", "b:/x"], "two mounts are to be at /x"),
        (&["--env-file", file], "line 2: \"export B=2\""),
        (&["-e", "=x"], "has no name"),
    ] {
        let words = [&["run", "--rm"], words, &["box", "true"]].concat();
        engine.fails(&words, 125, said)?;
    }
    engine.is_clean()
}

pub(crate) fn flags_of_podman() -> Result<()> {
    let engine = Engine::new()?;
    let done = engine.run(&["run", "--rm", "--timeout=1", "box", "sleep", "100"])?;
    expect_eq!(done.code, Some(137));
    expect_eq!(engine.shell(&["--umask", "027"], "umask")?, "0027");
    let flags = ["-e", "A=1", "-e", "B=2", "--unsetenv", "A"];
    expect_eq!(engine.shell(&flags, "echo ${A-none} $B")?, "none 2");
    let old = engine.start("one", &[], "exec sleep 100")?;
    engine.fails(&["run", "-d", "--name=one", "box", "true"], 125, "already in use")?;
    let new = engine.start("one", &["--replace"], "exec sleep 100")?;
    ensure!(old != new && engine.ok(&["ps", "-q", "--no-trunc"])? == new, "not replaced");
    let file = crate::support::scratch("env");
    std::fs::write(&file, "C=3\n")?;
    let file = file.to_str().unwrap_or_default();
    let words = ["exec", "--env-file", file, "one", "sh", "-c", "echo $C"];
    expect_eq!(engine.ok(&words)?, "3");
    let script = "touch /tmp/x && ! touch /data/x";
    engine.shell(&["--read-only", "--read-only-tmpfs"], script)?;
    let hosts = engine.shell(&["--add-host", "me:host-gateway"], "grep me /etc/hosts")?;
    ensure!(hosts.starts_with("10."), "{hosts}");
    engine.shell(&["--log-driver=json-file", "--log-opt=max-size=1m"], "true")?;
    engine.fails(&["run", "--platform=linux/arm64", "box", "true"], 125, "--pull always")?;
    engine.shell(&["--platform=linux/amd64"], "true")?;
    engine.fails(&["run", "--log-driver=journald", "box", "true"], 125, "LogPath")?;
    engine.ok(&["rm", "-f", "one"])?;
    engine.is_clean()
}

/// Containers that are chosen otherwise than by their names.
pub(crate) fn chosen_by_what_they_are() -> Result<()> {
    let engine = Engine::new()?;
    for (name, label) in [("aa", "x=1"), ("bb", "x=2"), ("cc", "x=1")] {
        let file = crate::support::scratch(name);
        let file = file.to_string_lossy();
        engine.start(name, &["-l", label, "--cidfile", &file], "echo I am $0; exec sleep 100")?;
    }
    let file_of_b = crate::support::scratch("bb").to_string_lossy().into_owned();
    expect_eq!(engine.ok(&["stop", "-t", "0", "--filter", "label=x=1"])?, "cc\naa");
    expect_eq!(engine.ok(&["kill", "--filter", "label=x=1"])?, "");
    expect_eq!(engine.ok(&["start", "--filter", "name=aa"])?, "aa");
    expect_eq!(engine.ok(&["start", "--all"])?, "cc");
    expect_eq!(engine.ok(&["pause", "--latest"])?, "cc");
    expect_eq!(engine.ok(&["restart", "-t", "0", "--running", "--filter", "label=x=2"])?, "bb");
    expect_eq!(engine.ok(&["unpause", "--all"])?, "cc");
    expect_eq!(engine.ok(&["exec", "-l", "echo", "x"])?, "x");
    engine.fails(&["exec", "cc"], 1, "what is to be run")?;
    let id = engine.ok(&["ps", "-q", "--no-trunc", "--filter", "name=bb"])?;
    expect_eq!(engine.ok(&["kill", "--cidfile", &file_of_b])?, id);
    engine.until_status("bb", "exited")?;
    expect_eq!(engine.ok(&["wait", "bb"])?, "137");
    expect_eq!(engine.ok(&["rm", "--cidfile", &file_of_b])?, id);
    engine.fails(&["rm", "--cidfile", &file_of_b], 1, "no such container")?;
    expect_eq!(engine.ok(&["rm", "--ignore", "--cidfile", &file_of_b, "--cidfile", "/none"])?, "");
    engine.fails(&["rm", "--cidfile", "/none"], 1, "--cidfile /none")?;
    engine.fails(&["rm"], 1, "required")?;
    engine.fails(&["rm", "--all", "aa"], 125, "cannot be used with")?;
    engine.fails(&["stop", "--filter", "color=red"], 125, "there is no filter")?;
    expect_eq!(engine.ok(&["rm", "-f", "-t", "0", "--filter", "label=x=1"])?, "cc\naa");
    engine.is_clean()
}

/// Errors are about flags, and not about a configuration that nobody has written.
pub(crate) fn what_was_written_is_blamed() -> Result<()> {
    let engine = Engine::new()?;
    for (flag, expected) in [
        ("--ulimit=foo=1", "there is no limit \"foo\", only as core"),
        ("--ulimit=nofile=5:2", "5 is above the hard limit, 2"),
        ("--sysctl=foo=1", "is not like net.ipv4.ip_forward=1"),
        ("--sysctl=kernel.shmmax", "is not like net.ipv4.ip_forward=1"),
        ("--sysctl=kernel.hostname=x", "tinyo: --sysctl: kernel.hostname is set by"),
        ("--cpuset-cpus=x", "tinyo: --cpuset-cpus: \"x\" is no list of numbers"),
        ("--cpu-shares=many", "tinyo: --cpu-shares: \"many\" is no whole number"),
        ("--blkio-weight=many", "tinyo: --blkio-weight: \"many\" is no whole number"),
        ("--device-cgroup-rule=x", "--device-cgroup-rule: \"x\" is not like c 1:3 rwm"),
        ("--device-read-bps=/dev/null", "--device-read-bps: \"/dev/null\" is not like"),
        ("--device-write-iops=/dev/none:1", "--device-write-iops: /dev/none: No such"),
        ("--device=/dev/null:rel", "tinyo: --device: \"rel\" is not absolute\n"),
        ("--memory=1", "tinyo: --memory: no program starts with less than 1m"),
        ("--security-opt=x", "there is no option \"x\", only seccomp="),
        ("--security-opt=seccomp=/none", "--security-opt seccomp=/none: No such"),
        ("--log-opt=max-size=x", "--log-opt max-size=x: \"x\" is no size"),
        ("--env-file=/none", "--env-file /none: No such"),
        ("--cidfile=/none/x", "--cidfile /none/x: No such"),
        ("--ip=x", "\"x\" is not like 172.17.0.9"),
        ("--mac-address=01:00", "is not like 02:42"),
        ("--expose=80/xyz", "\"80/xyz\" is not like 80"),
        ("--read-only=maybe", "unexpected value 'maybe'"),
    ] {
        engine.fails(&["run", "--rm", flag, "box", "true"], 125, expected)?;
    }
    let switches = ["run", "--rm=true", "--privileged=false", "--read-only=true", "box"];
    let words = [&switches[..], &["sh", "-c", "touch /x || echo no"]].concat();
    expect_eq!(engine.ok(&words)?, "no");
    engine.is_clean()
}

/// What the machine has, and files that stay the image's; files of others for `up`.
pub(crate) fn small_flags() -> Result<()> {
    let engine = Engine::new()?;
    let words = ["run", "--rm", "--env-host", "-e", "B=2", "box", "sh", "-c", "echo $A,$B"];
    let mut command = engine.command(&words);
    expect_eq!(super::support::end_of(command.env("A", "1").env("B", "1"))?.stdout, "1,2\n");
    let text =
        engine.shell(&["--no-hosts", "--no-hostname"], "cat /etc/hosts /etc/hostname; true")?;
    expect_eq!(text, "");
    if std::path::Path::new("/usr/share/zoneinfo/Asia/Tokyo").exists() {
        let text = engine.shell(&["--tz", "Asia/Tokyo"], "grep -c JST /etc/localtime")?;
        ensure!(text == "1" || text == "2", "{text:?}");
    }
    for zone in ["Nowhere/None", "../../../etc/passwd", ""] {
        engine.fails(&["run", "--rm", "--tz", zone, "box", "true"], 125, "--tz")?;
    }
    let folder = crate::support::scratch("project");
    std::fs::create_dir(&folder)?;
    let up = |words: &[&str]| {
        super::support::end_of(engine.command(&[&["up"], words].concat()).current_dir(&folder))
    };
    ensure!(
        up(&[])?.stderr.contains("there is no state.yaml or compose.yaml here: write one"),
        "nothing"
    );
    std::fs::write(folder.join("kube.yaml"), "apiVersion: v1\nkind: Pod\n")?;
    let is_told = |words: &[&str], text: &str| -> Result<()> {
        let done = up(words)?;
        ensure!(done.code == Some(1) && done.stderr.contains(text), "{done:#?}");
        Ok(())
    };
    is_told(&[], "kube.yaml is a Kubernetes manifest")?;
    is_told(&["-f", "kube.yaml"], "kube.yaml is a Kubernetes manifest")?;
    std::fs::write(folder.join("compose.yaml"), "services:\n  web:\n    build: .\n")?;
    is_told(
        &[],
        "compose.yaml:3:12: build: found build, expected image: images are built elsewhere",
    )?;
    engine.is_clean()
}
