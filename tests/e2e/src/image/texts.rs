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
    for (shell, expected) in
        [("bash", "complete -F"), ("zsh", "#compdef tinyo"), ("fish", "-a \"images\"")]
    {
        let script = engine.ok(&["completion", shell])?;
        ensure!(script.contains(expected), "{shell}: {script}");
        ensure!(!script.contains("map-ids"), "{shell}: what is hidden is completed");
    }
    fs::write(scratch("script"), engine.ok(&["completion", "bash"])?)?;
    let done = end_of(Command::new("bash").arg("-n").arg(scratch("script")))?;
    expect_eq!(done.code, Some(0), "{done:?}");
    for (words, expected) in [
        ("tinyo run --netw", "--network"),
        ("tinyo volume cre", "create"),
        ("tinyo stop we", "web"),
        ("tinyo container logs we", "web"),
        ("tinyo run we", "web"),
    ] {
        let last = words.rsplit(' ').next().unwrap_or_default();
        let script = format!(
            "source {}; tinyo() {{ echo web; }}; COMP_WORDS=({words}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _tinyo_with_names tinyo {last} ${{COMP_WORDS[COMP_CWORD-1]}}; echo \"${{COMPREPLY[*]}}\"",
            scratch("script").display()
        );
        let done = end_of(Command::new("bash").arg("-c").arg(&script))?;
        ensure!(done.stdout.split_whitespace().any(|it| it == expected), "{words}: {done:?}");
    }
    // No store is made for that.
    ensure!(!engine.store.exists());
    Ok(())
}
