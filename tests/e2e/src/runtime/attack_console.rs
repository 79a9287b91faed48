//! Terminals that are not what they look like.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::{Context as _, Result, ensure};

use super::attack_races::{Swapper, decoy};
use super::stdio::ConsoleSocket;
use super::support::{Bundle, Container};
use crate::expect_eq;

fn with_terminal(script: &str) -> Result<Bundle> {
    Ok(Bundle::script(script)?.set("/process/terminal", true))
}

/// Root in the container has put something else where `exec` finds terminals. A naive runtime opens it,
/// and its caller is handed a file of the attacker's, or a terminal that he has the other side of.
pub(crate) fn exec_opens_terminals_of_devpts_alone() -> Result<()> {
    for replace in [
        "mount -t tmpfs none /dev/pts && mknod /dev/pts/ptmx c 5 2",
        "mount -t tmpfs none /dev/pts && mknod /dev/pts/ptmx c 1 3",
        "mount -t tmpfs none /dev/pts && echo mine > /dev/pts/ptmx",
        "mount -t tmpfs none /dev/pts && ln -s /dev/null /dev/pts/ptmx",
        "mount -t tmpfs none /dev/pts && ln -s /proc/self/fd/0 /dev/pts/ptmx",
        // The other side of one that the attacker has.
        "exec 3<> /dev/ptmx && mount -o bind /dev/pts/0 /dev/pts/ptmx",
        "mount -o bind /dev/zero /dev/pts/ptmx",
        "mv /dev/pts /dev/other 2> /dev/null; umount -l /dev/pts && rmdir /dev/pts && ln -s shm /dev/pts",
    ] {
        let script = format!("{replace} && echo ready; while :; do sleep 0.05; done");
        let bundle = Bundle::script(&script)?
            .capabilities(&["CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_KILL"])
            .set("/linux/seccomp", serde_json::Value::Null);
        let container = Container::new(bundle)?;
        container.start()?.wait_line("ready").with_context(|| replace.to_owned())?;
        let socket = ConsoleSocket::open()?;
        let flags = ["--tty", "--detach", &socket.flag()];
        let finished = container.tell_with("exec", &flags, &["/bin/true"])?;
        ensure!(finished.code()? != 0, "{replace}: there was a terminal");
        socket.expect_nothing().with_context(|| replace.to_owned())?;
        container.kill()?;
        container.delete()?;
    }
    Ok(())
}

/// Who falls for it does so in one of the first few.
const ROUNDS: usize = 20;

/// The mounts of devpts as `mountinfo` shows one of its terminals.
const TERMINALS: &str = "grep -c ' /0 .* - devpts ' /proc/self/mountinfo; true";

/// CVE-2025-52565 with a volume as `/dev`: `console` is an empty file and a link out in turn. A naive
/// runtime makes the file that the link leads to, and binds the terminal there.
pub(crate) fn a_console_that_changes_places() -> Result<()> {
    let decoy = decoy()?;
    let bundle = with_terminal(TERMINALS)?;
    let dev = crate::support::scratch("dev");
    fs::create_dir_all(dev.join("pts"))?;
    fs::write(dev.join("console"), "")?;
    symlink(decoy.join("made"), dev.join("swapped"))?;
    let bundle = ["/dev/pts", "/dev/shm", "/dev/mqueue", "/dev"]
        .iter()
        .fold(bundle, |bundle, target| bundle.without_mount(target))
        .mount("/dev", "bind", &dev, "bind")
        .mount("/dev/pts", "devpts", "devpts", "newinstance,ptmxmode=0666,mode=0620");
    let container = Container::new(bundle)?;
    let _swapper = Swapper::start(&dev.join("console"), &dev.join("swapped"))?;
    let mut ran = 0;
    for round in 0..ROUNDS {
        let finished = container.run()?;
        let is_empty = fs::read_dir(&decoy)?.next().is_none();
        ensure!(is_empty, "round {round}: on the machine a file has appeared");
        if finished.code()? == 0 {
            ran += 1;
            expect_eq!(finished.stdout.trim(), "1", "terminals that are mounted");
        }
        container.expect_gone()?;
    }
    ensure!(ran > 0, "no container ran in {ROUNDS} rounds");
    Ok(())
}
