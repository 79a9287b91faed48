//! What goes on when the command has returned.

use crate::context::Context;
use anyhow::Result;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// Has what was removed freed by a process of its own, which nobody waits for.
pub(crate) fn empty_trash(context: &Context) -> Result<()> {
    let store = context.store()?;
    if !store.has_trash()? {
        return Ok(());
    }
    let mut command = Command::new("/proc/self/exe");
    command.arg0("tinyo").arg("--root").arg(context.root_argument()?);
    command.args(["system", "empty-trash"]);
    // Of a group of its own, so that Ctrl-C does not reach it, and with nothing of the caller's.
    command.process_group(0).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if command.spawn().is_err() {
        // No /proc, or no process more: then it takes as long as it takes.
        store.empty_trash()?;
    }
    Ok(())
}
