//! A day with what Docker's and Podman's users type, where they stumbled.

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;
use crate::support::{scratch, until};

/// Whoever says nothing about groups is in those of the files, and always in his own.
pub(crate) fn groups() -> Result<()> {
    let engine = Engine::new()?;
    let files = "echo 'joe:x:1000:1000::/:/bin/sh' >> /etc/passwd; \
                 printf 'root:x:0:\\njoe:x:1000:\\nwheel:x:10:root,joe\\ntape:x:26:\\n' > /etc/group";
    engine.start("maker", &[], files)?;
    engine.ok(&["wait", "maker"])?;
    engine.ok(&["commit", "maker", "named"])?;
    let groups = |flags: &[&str]| -> Result<Vec<u32>> {
        let words = [&["run", "--rm"], flags, &["named", "sh", "-c"]].concat();
        let script = "grep Groups: /proc/self/status";
        let text = engine.ok(&[&words[..], &[script]].concat())?;
        Ok(text.split_whitespace().filter_map(|word| word.parse().ok()).collect())
    };
    for (flags, expected) in [
        (&[][..], &[0, 10][..]),
        (&["-u", "joe"], &[10, 1000]),
        (&["-u", "joe:tape"], &[26]),
        (&["-u", ":7"], &[7]),
        (&["--group-add", "tape", "--group-add", "99"], &[0, 10, 26, 99]),
        (&["-u", "joe", "--group-add", "tape"], &[10, 26, 1000]),
    ] {
        expect_eq!(groups(flags)?, expected, "{flags:?}");
    }
    engine.ok(&["rm", "maker"])?;
    engine.is_clean()
}

/// What it is called, in its own network, the machine's, and another container's.
pub(crate) fn host_names() -> Result<()> {
    let engine = Engine::new()?;
    let name = engine.shell(&["-h", "foo", "--domainname", "bar.org"], "hostname -f")?;
    expect_eq!(name, "foo.bar.org");
    let hosts = engine.shell(&["-h", "foo.bar", "--name", "it"], "cat /etc/hosts")?;
    ensure!(hosts.contains("\tfoo.bar foo it\n"), "{hosts}");
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    for flags in [&["--network", "host"][..], &["--uts", "host"]] {
        let said = engine.shell(flags, "hostname; echo $HOSTNAME")?;
        expect_eq!(said, format!("{0}\n{0}", machine.trim()), "{flags:?}");
    }
    expect_eq!(engine.shell(&["--network", "host", "-h", "own"], "hostname")?, "own");
    let hosts = engine.shell(&["--network", "host"], "cat /etc/hosts")?;
    expect_eq!(hosts.trim(), std::fs::read_to_string("/etc/hosts")?.trim());
    engine.start("first", &["-h", "called"], "exec sleep 100")?;
    let shared = ["--network", "container:first"];
    expect_eq!(engine.shell(&shared, "hostname; echo $HOSTNAME")?, "called\ncalled");
    for flags in [["--uts", "host"], ["--uts", "container:first"], shared] {
        let words = [&["run", "--rm", "-h", "x"], &flags[..], &["box", "true"]].concat();
        engine.fails(&words, 125, "--hostname: not together with")?;
    }
    engine.ok(&["rm", "-f", "/first"])?;
    engine.is_clean()
}

/// What is said is what is mounted.
pub(crate) fn mounts_as_they_are_said() -> Result<()> {
    let engine = Engine::new()?;
    let options = |tmpfs: &str| {
        engine.shell(&["--tmpfs", tmpfs], "grep ' /t ' /proc/mounts").map(|line| {
            let line = line.split(' ').nth(3).unwrap_or_default().to_owned();
            ["nosuid", "nodev", "noexec"].map(|it| line.split(',').any(|option| option == it))
        })
    };
    expect_eq!(options("/t")?, [true, true, true]);
    expect_eq!(options("/t:exec,suid,dev")?, [false, false, false]);
    // A container that cannot be changed cannot change who is called what either.
    let refused = engine.shell(&["--read-only"], "echo x > /etc/hosts || echo refused")?;
    expect_eq!(refused, "refused");
    // All devices of a folder.
    let found = engine.shell(&["--device", "/dev/net"], "stat -c %F /dev/net/tun")?;
    expect_eq!(found, "character special file");
    engine.fails(&["run", "--rm", "--device", "/etc", "box", "true"], 125, "is no device")?;
    engine.is_clean()
}

/// Links are followed, and what is mounted in a container that does not run is reached, too.
pub(crate) fn copies() -> Result<()> {
    let engine = Engine::new()?;
    let here = scratch("here");
    std::fs::create_dir_all(&here)?;
    let path = |name: &str| here.join(name).to_string_lossy().into_owned();
    std::fs::write(path("h"), "hi\n")?;
    std::os::unix::fs::symlink("h", path("l"))?;
    let bind = format!("{}:/bind", path(""));
    let script = "mkdir -p /d/sub; echo 1 > /d/f; ln -s f /d/l; ln -s /d/sub /dl; sleep 100";
    engine.start("one", &["-v", "kept:/vol", "-v", &bind], script)?;
    until("it is ready", || {
        engine.run(&["exec", "one", "test", "-e", "/dl"]).is_ok_and(|it| it.code == Some(0))
    })?;
    engine.ok(&["cp", "-L", "one:/d/l", &path("file")])?;
    expect_eq!(std::fs::read_to_string(path("file"))?, "1\n");
    // What it leads to is written, and the link stays; so do its name and that of a link here.
    engine.ok(&["cp", &path("h"), "one:/d/l"])?;
    engine.ok(&["cp", &path("h"), "one:/dl"])?;
    engine.ok(&["cp", "-L", &path("l"), "one:/d/sub"])?;
    let look = "stat -c %F /d/l; cat /d/f /d/sub/h /d/sub/l";
    expect_eq!(engine.ok(&["exec", "one", "sh", "-c", look])?, "symbolic link\nhi\nhi\nhi");
    let mut command = engine.command(&["cp", "-", "one:/none"]);
    let done = super::support::end_of(command.stdin(std::fs::File::open(path("h"))?))?;
    ensure!(done.code == Some(1) && done.stderr.contains("no such folder"), "{done:#?}");
    engine.ok(&["stop", "-t", "0", "one"])?;
    engine.ok(&["cp", &path("h"), "one:/vol/stopped"])?;
    engine.ok(&["cp", "one:/vol/stopped", &path("back")])?;
    expect_eq!(std::fs::read_to_string(path("back"))?, "hi\n");
    engine.ok(&["cp", &path("h"), "one:/bind/new"])?;
    expect_eq!(std::fs::read_to_string(path("new"))?, "hi\n");
    expect_eq!(engine.shell(&["-v", "kept:/v"], "cat /v/stopped")?, "hi");
    let flags = ["--read-only", "--tmpfs", "/t", "-v", "kept:/vol:ro"];
    engine.ok(&[&["create", "--name", "two"], &flags[..], &["box", "true"]].concat())?;
    for (to, why) in [
        ("two:/x", "the container is read-only"),
        ("two:/vol/x", "what is mounted there is read-only"),
        ("two:/t/x", "only while the container runs"),
    ] {
        engine.fails(&["cp", &path("h"), to], 1, why)?;
    }
    engine.ok(&["rm", "-v", "one", "two"])?;
    engine.is_clean()
}
