//! `tinyo run`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::support::pty::Pty;
use crate::support::scratch;

pub(crate) fn hello() -> Result<()> {
    let engine = Engine::new()?;
    let text = engine.ok(&["run", "--rm", "hello"])?;
    ensure!(text.contains("no new rights  yes"), "{text}");
    ensure!(text.contains("seccomp        filtered"), "{text}");
    engine.is_clean()
}

pub(crate) fn exit_codes() -> Result<()> {
    let engine = Engine::new()?;
    for (words, code) in [
        (&["box", "sh", "-c", "exit 7"][..], 7),
        (&["box", "sh", "-c", "kill -9 $$"], 137),
        (&["box", "no-such-program"], 127),
        (&["--init=false", "box", "no-such-program"], 127),
        (&["--init=false", "box", "/etc/passwd"], 126),
        (&["--no-such-flag", "box", "true"], 125),
        (&["--pull=never", "no-such-image"], 125),
        (&["--cap-add=nonsense", "box", "true"], 125),
        (&["--workdir=relative", "box", "true"], 125),
    ] {
        let done = engine.run(&[&["run", "--rm"], words].concat())?;
        ensure!(done.code == Some(code), "{words:?}: {done:#?}");
    }
    // It is told at once, and not by a container that ends unseen.
    for (word, code, why) in [
        ("no-such-program", 127, "executable file not found in $PATH"),
        ("/no/such", 127, "no such file or directory"),
        ("/etc/passwd", 126, "permission denied"),
    ] {
        engine.fails(&["run", "--rm", "-d", "box", word], code, why)?;
    }
    engine.is_clean()
}

pub(crate) fn variables_folder_and_user() -> Result<()> {
    let engine = Engine::new()?;
    let file = scratch("env");
    fs::write(&file, "# a comment\nFROM_FILE=1\n\n")?;
    let flags = ["-e", "A=b c", "--env-file", file.to_str().context("UTF-8")?, "-w", "/data"];
    let text = engine.shell(&flags, "echo $A,$FROM_FILE,$PWD,$HOME,$PATH")?;
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    expect_eq!(text, format!("b c,1,/data,/root,{path}"));
    expect_eq!(
        engine.shell(&["-u", "web"], "id")?,
        "uid=33(web) gid=34(web) groups=4(log),34(web)"
    );
    expect_eq!(engine.shell(&["-u", "7:8", "--group-add", "log"], "id -G")?, "8 4");
    let done = engine.run(&["run", "--rm", "-u", "nobody", "box", "id"])?;
    ensure!(done.code == Some(125) && done.stderr.contains("/etc/passwd"), "{done:#?}");
    expect_eq!(engine.shell(&["-h", "here"], "hostname; echo $HOSTNAME")?, "here\nhere");
    let text = engine.ok(&["run", "--rm", "--entrypoint", "echo", "box", "a", "--rm"])?;
    expect_eq!(text, "a --rm");
    Ok(())
}

pub(crate) fn is_isolated() -> Result<()> {
    let engine = Engine::new()?;
    // The shell is not the first process, and sees nobody else's.
    let text = engine.shell(&[], "echo /proc/[0-9]*; cat /proc/1/cmdline")?;
    ensure!(text.starts_with("/proc/1 /proc/2") && text.contains("/dev/tino"), "{text}");
    expect_eq!(engine.shell(&["--network", "none"], "ls /sys/class/net")?, "lo");
    for refused in [
        "echo 1 > /proc/sysrq-trigger",
        "mount -t tmpfs x /tmp",
        "echo 1 > /proc/sys/kernel/panic",
        "echo x > /sys/fs/cgroup/cgroup.procs",
        "head -c 1 /proc/kcore | grep .",
        "hostname other",
    ] {
        let done = engine.run(&["run", "--rm", "box", "sh", "-c", refused])?;
        ensure!(done.code != Some(0), "{refused}: {done:#?}");
    }
    let capabilities = engine.shell(&[], "grep CapBnd /proc/self/status")?;
    ensure!(capabilities.ends_with("00000000800405fb"), "{capabilities}");
    let user = engine.shell(&["-u", "33"], "grep CapEff /proc/self/status")?;
    ensure!(user.ends_with("0000000000000000"), "{user}");
    Ok(())
}

pub(crate) fn input_output_and_much_of_it() -> Result<()> {
    let engine = Engine::new()?;
    let file = scratch("input");
    let text: String = (0..200_000).map(|number| format!("line {number}\n")).collect();
    fs::write(&file, &text)?;
    let mut command = engine.command(&["run", "-i", "--rm", "box", "cat"]);
    command.stdin(fs::File::open(&file)?);
    let done = super::support::end_of(&mut command)?;
    ensure!(done.code == Some(0) && done.stdout == text, "{:?} {}", done.code, done.stdout.len());
    let done = engine.run(&["run", "--rm", "box", "sh", "-c", "echo out; echo err >&2"])?;
    expect_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out\n", "err\n"));
    // Without -i there is nothing to read.
    expect_eq!(engine.shell(&[], "cat | head -c 10")?, "");
    engine.is_clean()
}

pub(crate) fn a_terminal() -> Result<()> {
    let engine = Engine::new()?;
    let (mut terminal, peer) = Pty::open()?;
    let launch =
        engine.launch(&["run", "-it", "--rm", "box", "sh", "-c", "stty size; read a; echo got $a"]);
    let running = launch.terminal(peer).start()?;
    terminal.type_text("xyz\n")?;
    terminal.see("got xyz")?;
    running.finish()?.expect_code(0)?;
    engine.fails(&["run", "-it", "--rm", "box", "true"], 1, "not a TTY")?;
    engine.is_clean()
}

pub(crate) fn mounts() -> Result<()> {
    let engine = Engine::new()?;
    let folder = scratch("shared");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("here"), "of the machine")?;
    let bind = format!("{}:/mnt", folder.display());
    expect_eq!(
        engine.shell(&["-v", &bind], "cat /mnt/here; echo new > /mnt/new")?,
        "of the machine"
    );
    expect_eq!(fs::read_to_string(folder.join("new"))?, "new\n");
    let read_only = format!("{bind}:ro");
    let done = engine.run(&["run", "--rm", "-v", &read_only, "box", "touch", "/mnt/x"])?;
    ensure!(done.code == Some(1) && done.stderr.contains("Read-only"), "{done:#?}");
    let long = format!("type=bind,source={},target=/mnt,readonly", folder.display());
    expect_eq!(engine.shell(&["--mount", &long], "cat /mnt/here")?, "of the machine");
    let tmpfs = engine.shell(&["--tmpfs", "/t:size=1m"], "mount | grep ' /t '")?;
    ensure!(tmpfs.contains("size=1024k") && tmpfs.contains("noexec"), "{tmpfs}");
    let done = engine.run(&["run", "--rm", "--read-only", "box", "touch", "/x"])?;
    ensure!(done.code == Some(1) && done.stderr.contains("Read-only"), "{done:#?}");
    let missing = "type=bind,source=/no/such/place,target=/mnt";
    engine.fails(&["run", "--rm", "--mount", missing, "box", "true"], 125, "/no/such/place")?;
    // The layers of the image stay as they are.
    engine.shell(&[], "rm -rf /data; rm /bin/true")?;
    expect_eq!(engine.shell(&[], "cat /data/given")?, "by the image");
    engine.is_clean()
}

pub(crate) fn volumes() -> Result<()> {
    let engine = Engine::new()?;
    engine.shell(&["-v", "data:/var/data"], "echo kept > /var/data/file")?;
    expect_eq!(engine.shell(&["-v", "data:/x"], "cat /x/file")?, "kept");
    expect_eq!(engine.ok(&["volume", "ls", "-q"])?, "data");
    engine.ok(&["create", "--name", "user", "-v", "data:/x", "-v", "/anonymous", "box", "true"])?;
    engine.fails(&["volume", "rm", "data"], 1, "is used by")?;
    expect_eq!(engine.ok(&["volume", "ls", "-q"])?.lines().count(), 2);
    let shared =
        engine.shell(&["--volumes-from", "user:ro"], "cat /x/file; touch /x/y || echo no")?;
    ensure!(shared.starts_with("kept") && shared.ends_with("no"), "{shared}");
    engine.ok(&["rm", "-v", "user"])?;
    expect_eq!(engine.ok(&["volume", "ls", "-q"])?, "data");
    engine.ok(&["volume", "rm", "data"])?;
    engine.fails(&["volume", "rm", "data"], 1, "no such volume")
}

pub(crate) fn limits() -> Result<()> {
    let engine = Engine::new()?;
    let flags = ["-m", "64m", "--cpus", "0.5", "--pids-limit", "20", "--cpuset-cpus", "0"];
    let script = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; \
                  cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; true";
    expect_eq!(engine.shell(&flags, script)?, "67108864\n20");
    let text = engine.shell(&["--ulimit", "nofile=100:200"], "ulimit -n; ulimit -Hn")?;
    expect_eq!(text, "100\n200");
    let text = engine.shell(&["--shm-size", "1m"], "mount | grep /dev/shm")?;
    ensure!(text.contains("size=1024k"), "{text}");
    let text = engine
        .shell(&["--sysctl", "net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward")?;
    expect_eq!(text, "1");
    // Memory that is not there kills, and that is told.
    engine.ok(&[
        "create",
        "--name",
        "hungry",
        "-m",
        "16m",
        "--memory-swap",
        "16m",
        "box",
        "sh",
        "-c",
        "dd if=/dev/zero of=/dev/shm/x bs=1M count=40",
    ])?;
    let code = engine.run(&["start", "-a", "hungry"])?.code;
    ensure!(code == Some(137), "{code:?}");
    let state = fs::read_to_string(
        engine
            .store
            .join("containers")
            .join(engine.ok(&["ps", "-aq", "--no-trunc"])?)
            .join("state"),
    )?;
    ensure!(state.contains("oom true"), "{state}");
    Ok(())
}

pub(crate) fn rights() -> Result<()> {
    let engine = Engine::new()?;
    let bounding = |flags: &[&str]| engine.shell(flags, "grep CapBnd /proc/self/status");
    ensure!(bounding(&["--cap-drop", "all"])?.ends_with("0000000000000000"));
    ensure!(bounding(&["--cap-drop=all", "--cap-add=net_admin"])?.ends_with("0000000000001000"));
    let status =
        |flags: &[&str]| engine.shell(flags, "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status");
    expect_eq!(status(&[])?, "NoNewPrivs:\t1\nSeccomp:\t2");
    let loose =
        ["--security-opt", "no-new-privileges=false", "--security-opt", "seccomp=unconfined"];
    expect_eq!(status(&loose)?, "NoNewPrivs:\t0\nSeccomp:\t0");
    expect_eq!(engine.shell(&["--privileged"], "mount -t tmpfs x /tmp && echo done")?, "done");
    let hidden = |option: &str| {
        let words = ["--security-opt", option];
        engine
            .shell(&words, "cat /etc/passwd | head -c 1; grep -cE ' /proc/(bus|fs) ' /proc/mounts")
    };
    expect_eq!(hidden("mask=/etc/passwd:/tmp")?, "2");
    ensure!(hidden("unmask=/proc/bus")?.ends_with('1'));
    ensure!(
        engine
            .run(&[
                "run",
                "--rm",
                "--security-opt=unmask=/proc/*",
                "box",
                "test",
                "-w",
                "/proc/bus"
            ])?
            .code
            == Some(0)
    );
    let proc =
        engine.shell(&["--security-opt", "proc-opts=hidepid=2"], "grep ' /proc ' /proc/mounts")?;
    ensure!(proc.contains("hidepid="), "{proc}");
    engine.fails(
        &["create", "--security-opt=mask=x", "box", "true"],
        125,
        "begins with a slash",
    )?;
    engine.fails(&["run", "--rm", "--security-opt", "nonsense", "box", "true"], 125, "nonsense")?;
    let done = engine.run(&[
        "run",
        "--rm",
        "--device",
        "/dev/kmsg:/dev/log:r",
        "box",
        "test",
        "-c",
        "/dev/log",
    ])?;
    ensure!(done.code == Some(0), "{done:#?}");
    Ok(())
}

pub(crate) fn files_of_etc() -> Result<()> {
    let engine = Engine::new()?;
    let flags = [
        "--network",
        "none",
        "--add-host",
        "db:10.1.2.3",
        "--dns",
        "10.9.9.9",
        "--dns-search",
        "example.org",
        "-h",
        "me",
    ];
    let text = engine.shell(&flags, "cat /etc/hosts /etc/resolv.conf /etc/hostname")?;
    for expected in
        ["127.0.0.1\tlocalhost", "10.1.2.3\tdb", "nameserver 10.9.9.9", "search example.org", "me"]
    {
        ensure!(text.lines().any(|line| line.starts_with(expected)), "{expected}: {text}");
    }
    engine.fails(&["run", "--rm", "--dns", "x", "box", "true"], 125, "--dns")?;
    engine.fails(&["run", "--rm", "--add-host", "x", "box", "true"], 125, "--add-host")
}

pub(crate) fn shared_namespaces() -> Result<()> {
    let engine = Engine::new()?;
    engine.start("first", &[], "echo x > /dev/shm/x; sleep 100")?;
    let own = |flags: &[&str], kind: &str| {
        engine.shell(flags, &format!("ls -l /proc/self/ns/{kind} | grep -o '{kind}:.*'"))
    };
    for (flag, kind) in [("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts"), ("--network", "net")]
    {
        let of_first = engine.ok(&[
            "exec",
            "first",
            "sh",
            "-c",
            &format!("ls -l /proc/self/ns/{kind} | grep -o '{kind}:.*'"),
        ])?;
        expect_eq!(own(&[flag, "container:first"], kind)?, of_first, "{flag}");
        ensure!(own(&[], kind)? != of_first, "{flag}");
        let of_host = fs::read_link(format!("/proc/self/ns/{kind}"))?;
        expect_eq!(own(&[flag, "host"], kind)?, of_host.to_string_lossy(), "{flag}");
    }
    engine.fails(
        &["run", "--rm", "--pid", "container:none", "box", "true"],
        125,
        "no such container",
    )
}

pub(crate) fn what_is_wrong_is_said() -> Result<()> {
    let engine = Engine::new()?;
    for (words, expected) in [
        (&["--network", "nonsense", "box", "true"][..], "--network"),
        (&["--rm", "--restart", "always", "box"], "--restart"),
        (&["--gpus", "all", "box"], "--gpus"),
        (&["--userns", "0:1000:10", "box", "true"], "--userns"),
        (&["--name=-x", "box"], "name"),
        (&["-v", "a:b", "box"], "absolute"),
        (&["--memory-swap", "1m", "-m", "2m", "box", "true"], "--memory-swap"),
        (&["box"], "no command"),
        (&["--device", "/etc/passwd", "box", "true"], "no device"),
    ] {
        let words = [&["run"], words].concat();
        let done = engine.run(&words)?;
        let is_said = done.code.is_some_and(|code| code != 0) && done.stderr.contains(expected);
        ensure!(is_said, "{words:?}: {done:#?}");
    }
    Ok(())
}

pub(crate) fn nothing_is_left() -> Result<()> {
    let engine = Engine::new()?;
    let descriptors = || fs::read_dir("/proc/self/fd").map(Iterator::count).unwrap_or(0);
    let before = descriptors();
    for _ in 0..5 {
        engine.shell(&["-v", "/anonymous"], "echo x > /anonymous/x")?;
        let id = engine.ok(&["run", "-d", "box", "sleep", "100"])?;
        engine.ok(&["rm", "-f", &id])?;
        let id = engine.ok(&["run", "-d", "--rm", "box", "true"])?;
        let wait = engine.run(&["wait", &id])?;
        ensure!(wait.code == Some(0) || wait.stderr.contains("no such"), "{wait:#?}");
    }
    crate::support::until("the containers are gone", || {
        engine.ok(&["ps", "-aq"]).is_ok_and(|it| it.is_empty())
    })?;
    expect_eq!(engine.ok(&["volume", "ls", "-q"])?, "");
    expect_eq!(descriptors(), before);
    engine.is_clean()
}

pub(crate) fn a_user_without_rights() -> Result<()> {
    const USER: u32 = 23_456;
    let engine = Engine::new()?;
    let program = scratch("tinyo");
    fs::copy(harness::tinyo(), &program)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let home = scratch("user");
    fs::create_dir_all(&home)?;
    for folder in [std::env::temp_dir(), home.clone()] {
        std::os::unix::fs::chown(folder, Some(USER), Some(USER))?;
    }
    let user = |words: &[&str]| -> Result<String> {
        let mut command = std::process::Command::new(&program);
        command.arg("--root").arg(home.join("store")).args(words).env_clear().uid(USER).gid(USER);
        command.env("HOME", &home).env("PATH", "/usr/bin:/bin").stdin(std::process::Stdio::null());
        let done = super::support::end_of(&mut command)?;
        ensure!(done.code == Some(0), "{words:?}: {done:#?}");
        Ok(done.stdout.trim_end().to_owned())
    };
    let text = user(&["run", "--rm", "hello"])?;
    ensure!(text.contains("user, group    0, 0"), "{text}");
    let archive = scratch("box.tar");
    user(&["import", archive.to_str().context("UTF-8")?, "box"])?;
    user(&["run", "-d", "--name", "one", "box", "sh", "-c", "echo ready; sleep 100"])?;
    expect_eq!(user(&["exec", "one", "id", "-u"])?, "0");
    expect_eq!(user(&["ps", "--format={{.Names}} {{.State}}"])?, "one running");
    crate::support::until("it is ready", || user(&["logs", "one"]).is_ok_and(|it| it == "ready"))?;
    user(&["stop", "-t", "0", "one"])?;
    expect_eq!(user(&["logs", "one"])?, "ready");
    user(&["rm", "one"])?;
    expect_eq!(user(&["ps", "-aq"])?, "");
    drop(engine);
    Ok(())
}
