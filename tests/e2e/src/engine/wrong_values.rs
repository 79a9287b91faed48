//! Values that are wrong: what is said of them names the flag and what is wrong, never a system call,
//! and nothing is left.

use std::os::unix::ffi::OsStrExt as _;

use anyhow::{Result, ensure};

use super::support::{Done, Engine, end_of};
use crate::expect_eq;

/// Flags with a value, and what is said besides the flag.
// tidy: table
const WRONG: &[(&str, &str)] = &[
    ("--name=a/b", "invalid name \"a/b\""),
    ("--platform=/", "is not OS/ARCHITECTURE"),
    ("--retry=-1", "-1 is not in 0.."),
    ("--pod-id-file=/etc/passwd", "there is no id in it"),
    ("--env==x", "has no name"),
    ("--env-file=/bin/busybox", "UTF-8"),
    ("--unsetenv=A=B", "no name of a variable"),
    ("--unsetenv=", "no name of a variable"),
    ("--umask=8", "is not octal"),
    ("--workdir=x", "is not absolute"),
    ("--workdir=/etc/passwd", "\"/etc/passwd\" cannot be where it starts: Not a directory"),
    ("--workdir=/proc/1/root", "cannot be where it starts: Too many levels"),
    ("--hostname=a b", "is no name of a host"),
    ("--domainname=a\nb", "is no name of a host"),
    ("--label-file=/none", "No such file"),
    ("--volume=/etc:/", "/ is the container's root"),
    ("--volume=/etc:/etc/passwd", "one is a folder, and the other a file"),
    ("--volume=/etc/passwd:/tmp", "one is a folder, and the other a file"),
    ("--volume=/etc/passwd/x:/x", "Not a directory"),
    ("--mount=type=tmpfs,dst=/", "/ is the container's root"),
    ("--mount=type=tmpfs,dst=/x,size=x", "is no size"),
    ("--mount=type=tmpfs,dst=/x,tmpfs-mode=9", "\"9\" is no mode of a tmpfs"),
    ("--mount=type=bind,src=/etc,dst=/x,idmap=foo", "is not uids="),
    ("--tmpfs=/x:size=x", "\"x\" is no size of a tmpfs"),
    ("--tmpfs=/x:size=99999999999999999999", "is no size of a tmpfs"),
    ("--tmpfs=/x:size=101%", "is no size of a tmpfs"),
    ("--tmpfs=/x:mode=99999", "is no mode of a tmpfs"),
    ("--tmpfs=/x:uid=-1", "is no uid of a tmpfs"),
    ("--tmpfs=/x:nr_inodes=x", "is no nr_inodes of a tmpfs"),
    ("--tmpfs=/x:huge=x", "is no huge of a tmpfs"),
    ("--secret=a,uid=x", "uid is a number"),
    ("--device=/dev/none", "No such file"),
    ("--device=", "\"\" is none"),
    ("--device=/dev/null:/", "is no place for a device"),
    ("--device=/etc/passwd", "is no device"),
    ("--network=:", "no name before the colon"),
    ("--network=container:", "has no name after it"),
    ("--network=bridge:ip=1", "is no address"),
    ("--network-alias=a b", "is no name of a host"),
    ("--network-alias=a\nb", "is no name of a host"),
    ("--publish=0", "is no port to publish"),
    ("--publish=65536", "is no port to publish"),
    ("--mac-address=ff:ff:ff:ff:ff:ff", "no Ethernet address of a device"),
    ("--dns=1.2.3", "is no address"),
    ("--dns-search=a\nnameserver 6.6.6.6", "is no domain"),
    ("--dns-option=a b", "is no option"),
    ("--add-host=a b:1.2.3.4", "is no name of a host"),
    ("--add-host=:1.2.3.4", "is no name of a host"),
    ("--add-host=a:b", "has no address"),
    ("--memory=9223372036854775808", "is more than there can be"),
    ("--memory=99999999999.5t", "is more than there can be"),
    ("--memory=1", "less than 1m"),
    ("--memory-swap=1g", "needs --memory"),
    ("--shm-size=99999999999999999999", "is more than there can be"),
    ("--cpus=0.001", "from 0.01 on"),
    ("--cpu-period=1", "1000 to 1000000"),
    ("--cpu-period=1000001", "1000 to 1000000"),
    ("--cpu-quota=999", "neither -1 for any nor 1000"),
    ("--cpu-quota=-2", "neither -1 for any nor 1000"),
    ("--cpu-quota=9223372036854775807", "neither -1 for any nor 1000"),
    ("--cpuset-cpus=0,4095", "has 4095, and this machine has 0"),
    ("--cpuset-cpus=1-0", "\"1-0\" is no list of numbers"),
    ("--cpuset-mems=a", "\"a\" is no list of numbers"),
    ("--pids-limit=-2", "-2 is not in -1.."),
    ("--pids-limit=9223372036854775807", "is more than the"),
    ("--blkio-weight=9", "9 is not in 10..=1000"),
    ("--memory-swappiness=101", "101 is not in 0..=100"),
    ("--oom-score-adj=1001", "1001 is not in -1000..=1000"),
    ("--device-read-bps=/dev/null:1", "is no block device"),
    ("--ulimit=nofile=99999999999", "is above what this machine"),
    ("--sysctl=net.x=1", "net.x: the kernel has no such parameter"),
    ("--sysctl=net.ipv4.ip_forward=", "is not like net.ipv4.ip_forward=1"),
    ("--sysctl=kernel.shmmax=x", "kernel.shmmax cannot be \"x\""),
    ("--sysctl=vm.swappiness=1", "is the machine's"),
    ("--sysctl=user.max_user_namespaces=1", "needs a user namespace of the container's own"),
    ("--sysctl=kernel.hostname=x", "kernel.hostname is set by --hostname"),
    ("--cap-add=CHOWN,nope", "\"nope\" is no capability"),
    ("--security-opt=landlock", "there is no option"),
    ("--pid=x", "is not host, private or"),
    ("--uts=none", "is not host, private or"),
    ("--stop-signal=65", "is no signal"),
    ("--stop-timeout=-1", "-1 is not in 0.."),
    ("--restart=on-failure:-1", "is no number of times"),
    ("--health-interval=1ns", "is less than 1ms"),
    ("--health-start-period=-1s", "is no time"),
    ("--health-on-failure=x", "none, kill, restart or stop"),
    ("--log-opt=max-file=99999999999", "it is a number from 1 on"),
];

/// What only the start finds out, as it is the kernel or the image that knows.
const AT_START: [&str; 7] = [
    "--workdir=/etc/passwd",
    "--workdir=/proc/1/root",
    "--volume=/etc:/etc/passwd",
    "--volume=/etc/passwd:/tmp",
    "--sysctl=net.x",
    "--sysctl=kernel.shmmax",
    "--ulimit=nofile=99999999999",
];

pub(crate) fn a_wrong_value_is_said_to_be_so() -> Result<()> {
    let engine = Engine::new()?;
    for (word, said) in WRONG {
        let (flag, value) = word.split_once('=').unwrap_or((word, ""));
        for command in ["run", "create"] {
            let done = engine.run(&[command, word, "box", "true"])?;
            if command == "create" && AT_START.iter().any(|it| word.starts_with(it)) {
                continue;
            }
            expect_eq!(done.code, Some(125), "{command} {flag} {value:?}: {done:#?}");
            let text = &done.stderr;
            ensure!(text.contains(flag) && text.contains(said), "{command} {word:?}: {text}");
            let is_raw = text.contains("(errno") || text.contains("unable to start container");
            ensure!(!is_raw, "{command} {word:?}: {text}");
        }
    }
    let left = engine.ok(&["ps", "-aq", "--filter", "status=created"])?;
    ensure!(left.lines().count() <= 2 * AT_START.len(), "{left}");
    engine.ok(&["rm", "-f", "-a", "-v"])?;
    engine.is_clean()
}

/// Whatever is no text, too, in each flag there is.
pub(crate) fn what_is_no_text_is_said_to_be_so() -> Result<()> {
    let engine = Engine::new()?;
    let help = engine.ok(&["run", "--help"])?;
    let flags = help.lines().filter_map(|line| {
        let rest = &line[line.find("--")?..];
        let (name, value) = rest.split_once([' ', '['])?;
        value.starts_with(['<', '=']).then_some(name)
    });
    let mut count = 0;
    for flag in flags.filter(|it| !matches!(*it, "--root" | "--runroot" | "--cidfile")) {
        let word = [flag.as_bytes(), b"=\xff"].concat();
        let words = ["run".as_ref(), std::ffi::OsStr::from_bytes(&word), "box".as_ref()];
        let mut command = engine.command(&words);
        let Done { code, stderr, .. } = end_of(command.arg("true"))?;
        // Files may be called so.
        let is_file = ["--authfile", "--cert-dir"].contains(&flag);
        ensure!(is_file || code == Some(125) && stderr.contains(flag), "{flag}: {code:?} {stderr}");
        count += 1;
    }
    ensure!(count > 80, "only {count} flags were found");
    let word = std::ffi::OsStr::from_bytes(b"\xff");
    let done = end_of(engine.command(&["run", "box"]).arg(word))?;
    ensure!(done.code == Some(125) && done.stderr.contains("is not UTF-8"), "{done:?}");
    engine.ok(&["rm", "-f", "-a"])?;
    engine.is_clean()
}

/// Who says 0 says nothing, and -1 is any amount, as Docker's users know it.
pub(crate) fn no_limit_is_a_limit_that_can_be_said() -> Result<()> {
    let engine = Engine::new()?;
    for flags in [
        &["-m", "0"][..],
        &["-m", "-1"],
        &["--cpus=0", "--cpu-period=0", "--cpu-quota=0", "--cpu-shares=0"],
        &["-m=64m", "--memory-swap=0"],
        &["--memory-swap=-1", "--pids-limit=-1", "--cpu-quota=-1"],
        &["--cap-drop=CHOWN,KILL", "--cap-add=net_admin,sys_time"],
        &["--entrypoint=[\"echo\", \"hi\"]"],
    ] {
        expect_eq!(
            engine.ok(&[&["run", "--rm"], flags, &["box", "echo", "hi"]].concat())?.contains("hi"),
            true
        );
    }
    let shown = engine.ok(&["run", "--rm", "--entrypoint=[\"echo\", \"a b\"]", "box", "c"])?;
    expect_eq!(shown, "a b c");
    engine.is_clean()
}
