//! Steps of an attacker in a container, who waits for a process of the runtime to come in.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use super::say;
use crate::support::sys;

/// False when the word is not one of these. They go on until the file exists that they are given.
pub(super) fn step(verb: &str, value: &str) -> bool {
    match verb {
        "overwrite-executables" => overwrite_executables(Path::new(value)),
        "watch-processes" => watch_processes(Path::new(value)),
        // This one goes on until it is killed.
        "leave-group" => leave_group(),
        _ => return false,
    }
    true
}

/// Goes to the process group of a child, where nobody looks for it who has started it.
fn leave_group() {
    let idle = || loop {
        std::thread::park();
    };
    let child = sys::fork(0, idle).expect("a child");
    let child = rustix::process::Pid::from_raw(child);
    rustix::process::setpgid(child, child).expect("a group of the child's");
    rustix::process::setpgid(None, child).expect("to be in it, too");
    idle();
}

/// All processes but this one.
fn others() -> Vec<u32> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != own).collect()
}

/// Opens the executable of every process as long as it runs, and writes to it when that is no
/// longer forbidden (`ETXTBSY`), by way of the descriptor.
fn overwrite_executables(stop: &Path) {
    const MOST: usize = 500;
    let mut held: Vec<File> = Vec::new();
    say("ready");
    while !stop.exists() {
        for pid in others() {
            // An O_PATH descriptor would do as well, and read-only is what even fewer forbid.
            if let Ok(file) = File::open(format!("/proc/{pid}/exe")) {
                held.push(file);
            }
        }
        held.retain(|file| !overwrite(file));
        let surplus = held.len().saturating_sub(MOST);
        held.drain(..surplus);
    }
    // The last of them may have ended only now.
    for _ in 0..100 {
        held.retain(|file| !overwrite(file));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// True when it was written to.
fn overwrite(file: &File) -> bool {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let name = fs::read_link(&path).unwrap_or_default();
    // The programs of the container itself are needed on, but for the one made for this.
    let is_own = [Path::new("/bin/busybox"), Path::new("/e2e")].contains(&name.as_path());
    if is_own {
        return true;
    }
    let written = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .and_then(|mut file| file.write_all(b"overwritten\n"));
    if written.is_ok() {
        say(&format!("overwritten {}", name.display()));
    }
    written.is_ok()
}

/// Says each link of other processes once: executable, root, working folder, descriptors.
fn watch_processes(stop: &Path) {
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    say("ready");
    while !stop.exists() {
        for pid in others() {
            let folder = PathBuf::from(format!("/proc/{pid}"));
            let descriptors = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
            let links = ["exe", "root", "cwd"].map(|name| folder.join(name));
            for link in links.into_iter().chain(descriptors.map(|entry| entry.path())) {
                let Ok(target) = fs::read_link(&link) else { continue };
                if seen.insert(target.clone()) {
                    say(&format!("{} {}", link.display(), target.display()));
                }
            }
            let command_line = fs::read_to_string(folder.join("cmdline")).unwrap_or_default();
            let words = command_line.replace('\0', " ");
            if !words.trim().is_empty() && seen.insert(PathBuf::from(&words)) {
                say(&format!("{}/cmdline {words}", folder.display()));
            }
            for file in ["mountinfo", "net/unix"] {
                let other = fs::read(folder.join(file)).unwrap_or_default();
                let own = fs::read(Path::new("/proc/self").join(file)).unwrap_or_default();
                if !other.is_empty() && other != own && seen.insert(file.into()) {
                    say(&format!("{}/{file} differs", folder.display()));
                }
            }
        }
    }
}
