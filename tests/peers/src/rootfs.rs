//! The root file system that all containers of these tests run on: a static busybox and a few
//! scripts.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::commands::{find, text_of};

/// Runs until told to stop; says which signals arrived, on stdout and in `/told`. TERM ends it
/// with 7, PWR with 9.
const SERVICE: &str = "\
#!/bin/sh
tell() { echo $1; echo $1 >> /told; }
trap 'tell usr1' USR1
trap 'tell term; exit 7' TERM
trap 'tell pwr; exit 9' PWR
tell ready
while :; do sleep 0.05; done
";

/// Leaves three orphans that end soon, and prints the states of all processes once they have. What
/// has ended may not have been reaped at once, and is looked at again; but not for ever.
const ORPHANS: &str = "\
#!/bin/sh
for number in 1 2 3; do ( (sleep 0.1; : > /tmp/$$.$number) & ); done
for number in 1 2 3; do until [ -e /tmp/$$.$number ]; do sleep 0.1; done; done
look() {
    for process in /proc/[0-9]*; do
        while read name value rest; do
            case $name in Name:) command=$value ;; State:) state=$value ;; esac
        done < $process/status
        echo $state $command
    done
}
for number in $(seq 300); do
    states=$(look)
    echo \"$states\" | grep -q ^Z || break
    sleep 0.1
done
echo \"$states\"
";

/// Fills `folder` with the root file system, `tino` among it as `/bin/tino`.
pub(crate) fn build(folder: &Path) -> Result<()> {
    let busybox = static_busybox()?;
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        fs::create_dir_all(folder.join(name))?;
    }
    fs::copy(&busybox, folder.join("bin/busybox"))?;
    for applet in text_of(Command::new(&busybox).arg("--list"))?.lines() {
        if applet != "busybox" {
            symlink("busybox", folder.join("bin").join(applet))?;
        }
    }
    copy_tino(&folder.join("bin/tino"))?;
    fs::write(folder.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
    write_script(&folder.join("bin/service"), SERVICE)?;
    write_script(&folder.join("bin/orphans"), ORPHANS)
}

/// The same as one tar file, for `docker import` and `podman import`.
pub(crate) fn build_tar(scratch: &Path) -> Result<PathBuf> {
    let (folder, tar) = (scratch.join("rootfs"), scratch.join("rootfs.tar"));
    build(&folder)?;
    text_of(Command::new("tar").arg("-C").arg(&folder).arg("-cf").arg(&tar).arg("."))?;
    Ok(tar)
}

/// Copies the program under test to `target`, whose name chooses its personality.
pub(crate) fn copy_tino(target: &Path) -> Result<()> {
    let tino = harness::tino();
    fs::copy(&tino, target).with_context(|| format!("copy {}", tino.display()))?;
    Ok(())
}

/// True when the output of the script `orphans` lists its own processes and no zombie.
pub(crate) fn has_no_zombie(states: &str) -> bool {
    states.contains("orphans") && !states.lines().any(|line| line.starts_with('Z'))
}

fn write_script(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// A busybox that needs no library: it names no program interpreter.
fn static_busybox() -> Result<PathBuf> {
    let busybox = find("busybox")?;
    let bytes = fs::read(&busybox)?;
    if bytes.windows(4).any(|window| window == b"/ld-") {
        harness::skip("busybox is not the static one (package busybox-static)")?;
    }
    Ok(busybox)
}
