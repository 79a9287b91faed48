//! What those expect who come from Docker or Podman.

use anyhow::{Result, ensure};

use super::support::Engine;
use crate::expect_eq;

pub(crate) fn a_flag_that_is_none_is_not_taken_for_an_image() -> Result<()> {
    let engine = Engine::new()?;
    engine.fails(&["run", "--detatch", "box"], 125, "'--detach'")?;
    engine.fails(&["run", "--link", "a:b", "box"], 125, "hint: containers of one network")?;
    engine.fails(&["build", "."], 125, "there is no command build")?;
    engine.fails(&["--log-level=debug", "ps"], 125, "there is no flag --log-level")?;
    expect_eq!(engine.ok(&["run", "--rm", "box", "echo", "--link", "-x"])?, "--link -x");
    engine.is_clean()
}

/// A database in an image finds its folder as the image has made it, owner and all.
pub(crate) fn a_new_volume_gets_what_the_image_has_there() -> Result<()> {
    let engine = Engine::new()?;
    engine.start(
        "maker",
        &[],
        "mkdir -p /var/db; chmod 750 /var/db; echo 1 > /var/db/a; chown -R 33 /var/db",
    )?;
    engine.ok(&["wait", "maker"])?;
    engine.ok(&["commit", "maker", "with-data"])?;
    let with = |flags: &[&str], script: &str| {
        engine.ok(&[&["run", "--rm"], flags, &["with-data", "sh", "-c", script]].concat())
    };
    let look = "stat -c '%u %a' /var/db /var/db/a; echo 2 > /var/db/a";
    expect_eq!(with(&["-v", "data:/var/db"], look)?, "33 750\n33 644");
    // What is there by now stays, and what is to be empty is.
    expect_eq!(with(&["-v", "data:/var/db"], "cat /var/db/a")?, "2");
    engine.ok(&["volume", "create", "empty"])?;
    expect_eq!(with(&["-v", "empty:/var/db:nocopy"], "ls /var/db")?, "");
    expect_eq!(with(&["-v", "empty:/var/db"], "cat /var/db/a")?, "1");
    expect_eq!(with(&["-v", "other:/no/such/folder"], "ls /no/such/folder")?, "");
    engine.ok(&["rm", "maker"])?;
    engine.is_clean()
}

/// What is mounted on `/etc` does not hide what the container is called, and who answers about
/// names.
pub(crate) fn a_volume_on_etc_keeps_hosts() -> Result<()> {
    let engine = Engine::new()?;
    let text = engine.shell(&["-v", "etc:/etc", "-h", "here"], "cat /etc/hostname /etc/passwd")?;
    ensure!(text.starts_with("here\nroot:"), "{text}");
    engine.is_clean()
}
