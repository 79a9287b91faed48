//! What the kernel says of a process in `/proc`.

use std::fs;

use anyhow::{Context as _, Result};
use nix::unistd::Pid;

/// Memory of a process, in kB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Resident pages.
    pub rss: u64,
    /// Resident pages, shared ones divided by the number of processes that share them.
    pub pss: u64,
    /// Resident pages that no other process has.
    pub private: u64,
}

/// Reads `smaps_rollup` (Linux 4.14).
pub fn memory(pid: Pid) -> Result<Memory> {
    let text = read(pid, "smaps_rollup")?;
    let private = field(&text, "Private_Clean:")? + field(&text, "Private_Dirty:")?;
    Ok(Memory { rss: field(&text, "Rss:")?, pss: field(&text, "Pss:")?, private })
}

/// The most resident memory that the process has had since it executed its program, in kB.
pub fn peak_memory(pid: Pid) -> Result<u64> {
    field(&read(pid, "status")?, "VmHWM:")
}

/// Whether this is the id of a thread beside the first of its process.
#[must_use]
pub fn is_thread(id: Pid) -> bool {
    let leader = read(id, "status").and_then(|text| field(&text, "Tgid:"));
    leader.is_ok_and(|leader| leader != u64::from(id.as_raw().cast_unsigned()))
}

/// How often the process was given a processor so far, which for an idle one is how often
/// something woke it.
pub fn context_switches(pid: Pid) -> Result<u64> {
    let text = read(pid, "status")?;
    Ok(field(&text, "voluntary_ctxt_switches:")? + field(&text, "nonvoluntary_ctxt_switches:")?)
}

/// The children of the first thread of the process (`CONFIG_PROC_CHILDREN`).
pub fn children(pid: Pid) -> Result<Vec<Pid>> {
    let pids = read(pid, &format!("task/{pid}/children"))?;
    Ok(pids.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect())
}

/// All processes that this one can see.
pub fn all() -> Result<Vec<Pid>> {
    let names =
        fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.parse().ok()).map(Pid::from_raw).collect())
}

/// The name of the program that the process runs.
pub fn name(pid: Pid) -> Result<String> {
    Ok(read(pid, "comm")?.trim_end().to_owned())
}

fn read(pid: Pid, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).context(path)
}

/// The number behind `label` at the start of a line.
fn field(text: &str, label: &str) -> Result<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(label));
    let number = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("no {label} in /proc"))
}
