//! Man pages and completions, which follow from the definitions of the flags.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};

use super::support::{Engine, end_of};
use crate::expect_eq;
use crate::support::scratch;

pub(crate) fn man_pages_and_completions() -> Result<()> {
    let engine = Engine::new();
    let folder = scratch("man");
    fs::create_dir(&folder)?;
    engine.ok(&["manual", &folder.display().to_string()])?;
    let mut pages = 0;
    for page in fs::read_dir(&folder)? {
        let mut man = Command::new("man");
        man.args(["--warnings=w", "--encoding=UTF-8", "--local-file"]).arg(page?.path());
        man.env("MANROFFSEQ", "").env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8");
        let Ok(done) = end_of(&mut man) else { return harness::skip("man is not installed") };
        ensure!(done.code == Some(0) && done.stderr.is_empty(), "{man:?}: {done:?}");
        pages += 1;
    }
    ensure!(pages > 20, "{pages} pages");
    let first = fs::read_to_string(folder.join("tinyo.1"))?;
    ensure!(first.contains(".SH EXIT STATUS") && first.contains(".SH EXAMPLES"), "{first}");
    // That they do what they should is tried in the shells themselves: engine::typing.
    for (shell, expected) in
        [("bash", "complete -F"), ("zsh", "#compdef tinyo"), ("fish", "complete -c tinyo")]
    {
        let script = engine.ok(&["completion", shell])?;
        ensure!(script.contains(expected), "{shell}: {script}");
    }
    let offered = engine.ok(&["complete", "--", "volume", ""])?;
    ensure!(offered.contains("create\tMake a volume\n"), "{offered}");
    expect_eq!(engine.ok(&["complete", "--", "start", ""])?, "");
    // No store is made for that.
    ensure!(!engine.store.exists());
    Ok(())
}
