//! Programs of others in a container that was given no flags, on the machine's own files: the
//! filter of system calls, the few rights, what is masked and what is read-only, all together.

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::support::programs::{JAVA, NGINX, NODE, PATH, POSTGRESQL, PYTHON, REDIS, SHELL, Work};

fn run(work: &Work) -> Result<()> {
    work.is_possible()?;
    let engine = Engine::new()?;
    // An empty folder that any user may enter.
    let script = format!("umask 022; mkdir /tmp/work; cd /tmp/work\n{}", work.script);
    let path = format!("PATH={PATH}");
    let done = engine.run(&["run", "--rm", "-e", &path, "host:", "/bin/sh", "-euc", &script])?;
    let is_done = done.code == Some(0) && done.stdout.lines().last() == Some(work.last_line);
    ensure!(is_done, "{done:#?}");
    engine.is_clean()
}

pub(crate) fn a_shell() -> Result<()> {
    run(&SHELL)
}

pub(crate) fn python() -> Result<()> {
    run(&PYTHON)
}

pub(crate) fn node() -> Result<()> {
    run(&NODE)
}

pub(crate) fn java() -> Result<()> {
    run(&JAVA)
}

pub(crate) fn postgresql() -> Result<()> {
    run(&POSTGRESQL)
}

pub(crate) fn nginx() -> Result<()> {
    run(&NGINX)
}

pub(crate) fn redis() -> Result<()> {
    run(&REDIS)
}
