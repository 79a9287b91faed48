//! What all tests use: starting programs in every circumstance, and watching them.

pub(crate) mod launch;
pub(crate) mod processes;
pub(crate) mod programs;
pub(crate) mod pty;
pub(crate) mod running;
pub(crate) mod seccomp;
pub(crate) mod sys;
pub(crate) mod tinyo;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

pub(crate) use launch::{Launch, Place};
pub(crate) use running::{Finished, Running};

/// Waits until `condition` holds, and fails when it does not come to hold.
///
/// The limit is no measure of speed: it only turns a hang into a message that says what was
/// awaited, before the harness ends the trial.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !condition() {
        if Instant::now() > deadline {
            bail!("waited in vain until {what}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The command that makes this executable act out `steps` (see `helper`).
pub(crate) fn act(steps: &[&str]) -> Vec<OsString> {
    let mut command = vec![own_program().into_os_string(), "--helper".into()];
    command.extend(steps.iter().map(OsString::from));
    command
}

/// This executable.
pub(crate) fn own_program() -> PathBuf {
    std::fs::read_link("/proc/self/exe").expect("/proc is mounted and knows this process")
}

/// A path in the folder that is removed after the trial.
pub(crate) fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(name)
}

/// Writes an executable file.
pub(crate) fn script(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Fails with both values when they differ.
#[macro_export]
macro_rules! expect_eq {
    ($found:expr, $wanted:expr) => {
        $crate::expect_eq!($found, $wanted, "{}", stringify!($found))
    };
    ($found:expr, $wanted:expr, $($context:tt)+) => {
        match (&$found, &$wanted) {
            (found, wanted) => if *found != *wanted {
                anyhow::bail!(
                    "{}: found {:?}, expected {:?} ({}:{})",
                    format_args!($($context)+), found, wanted, file!(), line!()
                );
            },
        }
    };
}
