//! Steps that tell the actor's own state, and those that make many processes.

use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use crate::support::{processes, sys};

use super::say;
use super::steps::reap;

/// `FIELD VALUE` from `/proc/self/status`.
pub(super) fn status(field: &str) {
    let own = std::process::id().cast_signed();
    say(&format!("{field} {}", processes::status(own, field).unwrap_or_default()));
}

/// `NAME pid P parent Q group G session S foreground F`.
pub(super) fn ids(name: &str) {
    let own = std::process::id().cast_signed();
    let Some(stat) = processes::stat(own) else { return say("no /proc") };
    say(&format!(
        "{name} pid {own} parent {} group {} session {} foreground {}",
        stat.parent, stat.group, stat.session, stat.foreground
    ));
}

/// `descriptor N TARGET` for each open one, and `descriptors end`.
pub(super) fn descriptors() {
    let own = std::process::id().cast_signed();
    for (number, target) in processes::descriptors(own).unwrap_or_default() {
        // The one through which the folder itself was just read.
        if !target.starts_with("/proc") {
            say(&format!("descriptor {number} {}", target.display()));
        }
    }
    say("descriptors end");
}

/// `argument HEX` for each, the script included, and `arguments end` with their count.
pub(super) fn arguments() {
    let words: Vec<_> = std::env::args_os().collect();
    words.iter().for_each(|word| say(&format!("argument {}", hex(word.as_bytes()))));
    say(&format!("arguments end {}", words.len()));
}

/// `NAME=VALUE` in hex for the variables whose names begin with `prefix`.
pub(super) fn environment(prefix: &str) {
    for (name, value) in std::env::vars_os() {
        if name.as_bytes().starts_with(prefix.as_bytes()) {
            say(&format!("variable {}={}", hex(name.as_bytes()), hex(value.as_bytes())));
        }
    }
    say("variables end");
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes up to `count` orphans, by parents of a hundred each that exit without waiting; after 30 s
/// 1,000 are enough, on a machine so slow that the trial would not end. Tells how many.
pub(super) fn make_orphans(count: i32) {
    let start = Instant::now();
    let mut made = 0;
    while made < count.min(1_000) || made < count && start.elapsed() < Duration::from_secs(30) {
        let parent = sys::fork(0, || {
            let made = (0..100).filter(|_| sys::fork(0, || 0).is_ok()).count();
            i32::from(made != 100)
        });
        match parent.ok().and_then(reap) {
            Some(sys::Change::Exited(0)) => made += 100,
            end => return say(&format!("a parent of orphans ended with {end:?}")),
        }
    }
    say(&format!("orphans {made}"));
}

/// A fork bomb whose processes ignore TERM, leave for sessions of their own, and fork again
/// whenever the limit lets them.
pub(crate) fn bomb() {
    let _ = sys::set_disposition(libc::SIGTERM, sys::Disposition::Ignore);
    let _ = sys::set_disposition(libc::SIGCHLD, sys::Disposition::Ignore);
    loop {
        let child = sys::fork(0, || {
            let _ = rustix::process::setsid();
            bomb();
            0
        });
        if child.is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
