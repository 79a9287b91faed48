//! firewalld's own word that a bridge may pass, where it keeps its chains for itself.

use super::Firewall;
use super::foreign::Chain;
use crate::Error;
use kernel::helper::find;
use std::process::{Command, Stdio};

impl Firewall {
    /// Has other programs' firewalls let bridges pass: see [`Firewall::open_foreign_chains`], and
    /// where that is not possible, by adding them to the zone of firewalld from which and to which
    /// all may pass. What may is said by our own table.
    ///
    /// # Errors
    /// What the kernel answers; a chain that only its owner can change, and that is not
    /// firewalld's, or firewalld refuses.
    pub fn admit<'a>(&mut self, bridges: impl Iterator<Item = &'a str>) -> Result<(), Error> {
        let closed = self.open_foreign_chains()?;
        if closed.is_empty() {
            return Ok(());
        }
        for bridge in bridges {
            // Asking for what is so already takes firewalld a third of a second.
            if !self.is_named(&closed, bridge)? {
                trust(bridge, &closed)?;
            }
        }
        Ok(())
    }
}

/// firewalld forgets it when it reads its files again, which is seen as a change of the firewall.
fn trust(bridge: &str, chains: &[Chain]) -> Result<(), Error> {
    let closed = |reason: String| Error::Closed {
        chains: chains.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        bridge: bridge.to_owned(),
        reason,
    };
    let Some(program) = find("firewall-cmd") else {
        return Err(closed("there is no firewall-cmd".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(["--zone=trusted", &format!("--add-interface={bridge}")]);
    let output = command.stdin(Stdio::null()).output().map_err(|it| closed(it.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(closed(format!("firewall-cmd: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
