//! What processes are doing, for the report about a trial that does not end.

use std::fs;
use std::path::Path;

/// Tells of every thread of this process's descendants: where in the kernel it is.
pub(crate) fn describe_descendants() -> String {
    let processes: Vec<(u32, u32)> =
        entries("/proc".as_ref()).filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut family = vec![std::process::id()];
    let mut text = String::new();
    // It grows while it is walked along.
    let mut next = 0;
    while let Some(one) = family.get(next).copied() {
        for (child, _) in processes.iter().filter(|(_, parent)| *parent == one) {
            family.push(*child);
            text.push_str(&describe(*child));
        }
        next += 1;
    }
    text
}

fn describe(pid: u32) -> String {
    let folder = format!("/proc/{pid}");
    let words = read(&format!("{folder}/cmdline")).replace('\0', " ");
    let mut text = format!("process {pid}, child of {}: {words}\n", parent(pid).unwrap_or(0));
    for thread in entries(format!("{folder}/task").as_ref()) {
        let file = |name: &str| read(&format!("{folder}/task/{thread}/{name}"));
        let (status, stack) = (file("status"), file("stack"));
        let state = status.lines().find(|line| line.starts_with("State:")).unwrap_or("State: none");
        let call = file("syscall");
        text.push_str(&format!("  {thread} {}: {state}, system call {call}", file("comm").trim()));
        text.push('\n');
        // For root alone, and not on every kernel.
        stack.lines().for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    text
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// The numbers among the names in a folder.
fn entries(folder: &Path) -> impl Iterator<Item = u32> {
    let names = fs::read_dir(folder).into_iter().flatten();
    names.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Nothing, where it has gone or may not be read.
fn read(path: &str) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}
