//! A serial port as a plain stream of bytes.

use anyhow::{Context, Result};
use rustix::termios::{OptionalActions, tcdrain, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::Write;

/// Opens a port for writing and turns all processing of the terminal layer off.
pub(crate) fn open(path: &str) -> Result<File> {
    let port = File::options().write(true).open(path).with_context(|| path.to_owned())?;
    let mut settings = tcgetattr(&port).with_context(|| path.to_owned())?;
    settings.make_raw();
    tcsetattr(&port, OptionalActions::Now, &settings).with_context(|| path.to_owned())?;
    Ok(port)
}

/// Writes and waits until all of it has left the machine, which may be switched off next.
pub(crate) fn write_all(port: &mut File, bytes: &[u8]) -> Result<()> {
    port.write_all(bytes)?;
    Ok(tcdrain(port)?)
}
