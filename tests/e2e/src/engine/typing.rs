//! What TAB completes, typed in real shells.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::support::Engine;
use crate::expect_eq;
use crate::support::pty::Pty;
use crate::support::{Launch, scratch, until};

/// What is typed, and what `tinyo` is then called with. Of `halted` and `hasty` one runs; `box` has
/// two tags; a colon and an equals sign end words of bash.
const TYPED: &[(&str, &str)] = &[
    ("volume cre\tnew", "volume create new"),
    ("run --pull=al\tbox:t\t", "run --pull=always box:two"),
    ("start ha\t", "start halted"),
    ("exec ha\t", "exec hasty"),
    ("rm hasty ha\t", "rm hasty halted"),
    ("stop -s HU\tha\t", "stop -s HUP hasty"),
    ("cp hal\t/etc .", "cp halted:/etc ."),
    ("volume rm da\t", "volume rm data"),
    ("network rm ba\t", "network rm back"),
    ("secret inspect pass\t", "secret inspect password"),
    ("run --network ba\tbox:t\t", "run --network back box:two"),
    ("load -i arch\t", "load -i archive.tar"),
];

pub(super) fn bash() -> Result<()> {
    complete("bash", &["--norc", "--noprofile", "-i"], "source <(tinyo completion bash)")
}

pub(super) fn zsh() -> Result<()> {
    let load = "autoload -U compinit && compinit -u -D && source <(tinyo completion zsh)";
    complete("zsh", &["-f", "-i"], load)
}

pub(super) fn fish() -> Result<()> {
    complete("fish", &["--no-config", "-i"], "tinyo completion fish | source")
}

fn complete(shell: &str, words: &[&str], load: &str) -> Result<()> {
    let program = Path::new("/usr/bin").join(shell);
    if !program.exists() {
        return harness::skip(format!("{shell} is not installed"));
    }
    let engine = Engine::new()?;
    engine.start("hasty", &[], "sleep 1000")?;
    engine.ok(&["create", "--name", "halted", "box", "true"])?;
    engine.ok(&["tag", "box", "box:two"])?;
    engine.ok(&["volume", "create", "data"])?;
    engine.ok(&["network", "create", "back"])?;
    engine.ok(&["secret", "create", "password", "/etc/hostname"])?;

    let folder = scratch("typing");
    fs::create_dir(&folder)?;
    fs::write(folder.join("archive.tar"), "")?;
    let calls = folder.join("calls");
    write_program(&folder.join("tinyo"), &engine, &calls)?;
    let path = format!("PATH={}:/usr/bin:/bin", folder.display());
    let (mut terminal, peer) = Pty::open()?;
    let launch = Launch::new(&program).words(words).folder(&folder).terminal(peer).no_env();
    let home = format!("HOME={}", folder.display());
    let running = launch.env(path).env(home).env("TERM=xterm").start()?;
    terminal.type_text(&format!("{load}; tinyo is there\n"))?;
    until_called(&calls, "is there", &mut terminal)?;
    for (typed, expected) in TYPED {
        fs::remove_file(&calls)?;
        terminal.type_text(&format!("tinyo {typed}\n"))?;
        until_called(&calls, expected, &mut terminal)
            .with_context(|| format!("{typed:?} in {shell}"))?;
    }
    terminal.type_text("exit\n")?;
    running.finish()?;
    engine.ok(&["rm", "-f", "-t", "0", "-a"])?;
    engine.is_clean()
}

/// Writes down what it is called with, but where a shell asks it.
fn write_program(path: &Path, engine: &Engine, calls: &Path) -> Result<()> {
    let script = format!(
        "#!/bin/sh\ncase $1 in comp*) exec {} --root {} \"$@\" ;; esac\necho \"$*\" >>{}\n",
        harness::tinyo().display(),
        engine.store.display(),
        calls.display()
    );
    fs::write(path, script)?;
    Ok(fs::set_permissions(path, Permissions::from_mode(0o755))?)
}

fn until_called(calls: &Path, expected: &str, terminal: &mut Pty) -> Result<()> {
    until("it is called", || fs::read_to_string(calls).is_ok_and(|text| text.ends_with('\n')))
        .with_context(|| format!("the screen shows {:?}", terminal.screen()))?;
    expect_eq!(fs::read_to_string(calls)?.trim_end(), expected, "{:?}", terminal.screen());
    Ok(())
}
