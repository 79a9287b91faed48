//! Ends what a trial left behind. The guard is a child subreaper, so all of it becomes the
//! guard's children, one generation after the other.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, wait, waitpid};

/// Kills and reaps until the guard has no child, and returns how many were still alive.
pub(crate) fn kill_all() -> usize {
    // Only a process that the kernel cannot end (or a bomb that outruns us) takes this long.
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut killed = HashSet::new();
    while Instant::now() < deadline {
        for child in living_children() {
            if kill_process(child, Signal::KILL).is_ok() {
                killed.insert(child);
            }
        }
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {},
            Ok(None) => std::thread::sleep(Duration::from_millis(2)),
            Err(_) => return killed.len(),
        }
    }
    killed.len()
}

/// Reaps the children of this process that have ended, but for one.
pub(crate) fn reap_all_but(one: Pid) {
    let path = format!("/proc/self/task/{}/children", getpid().as_raw_nonzero());
    // Without it all are reaped at the end.
    let children = std::fs::read_to_string(path).unwrap_or_default();
    let pids = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
    for pid in pids.filter(|pid| *pid != one) {
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

/// The children of this process that are not zombies.
fn living_children() -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = getpid().as_raw_nonzero().get().to_string();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| is_living_child(*pid, &own))
        .filter_map(Pid::from_raw)
        .collect()
}

/// `/proc/PID/stat` is `PID (NAME) STATE PARENT ...`, and the name may hold anything.
fn is_living_child(pid: i32, parent: &str) -> bool {
    let Ok(bytes) = std::fs::read(format!("/proc/{pid}/stat")) else { return false };
    let stat = String::from_utf8_lossy(&bytes);
    let Some((_, after_name)) = stat.rsplit_once(") ") else { return false };
    let mut fields = after_name.split(' ');
    fields.next() != Some("Z") && fields.next() == Some(parent)
}
