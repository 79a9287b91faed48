//! The machine's control connection (QMP): how it ended, and the keyboard.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// Why the machine is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The guest powered it off.
    PowerOff,
    /// The guest reset it; with `panic=-1` that is what a kernel panic does.
    Reset,
    /// The time limit was over; it was killed.
    TimedOut,
    /// Its command said nothing for too long; it was killed.
    Silent,
    /// The power was cut, as [`Machine::power_cut_after`](crate::Machine::power_cut_after) asks.
    PowerCut,
    /// QEMU ended without the guest asking for it.
    Crashed,
}

/// One end of the control connection.
pub(crate) struct Control {
    stream: UnixStream,
}

impl Control {
    /// Takes the connection, and reports through the channel how the machine ended once QEMU has
    /// closed the other end, which it does when it exits.
    pub(crate) fn start(mut stream: UnixStream) -> std::io::Result<(Self, Receiver<Ending>)> {
        // QEMU answers nothing and tells nothing before this.
        writeln!(stream, "{}", json!({"execute": "qmp_capabilities"}))?;
        let lines = BufReader::new(stream.try_clone()?);
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut ending = Ending::Crashed;
            for line in lines.lines().map_while(Result::ok) {
                ending = shutdown_reason(&line).unwrap_or(ending);
            }
            // Nobody listens any more after a time-out, and then nobody needs to know.
            sender.send(ending).ok();
        });
        Ok((Self { stream }, receiver))
    }

    /// A second hand on the same connection.
    pub(crate) fn try_clone(&self) -> std::io::Result<Self> {
        Ok(Self { stream: self.stream.try_clone()? })
    }

    /// Presses Ctrl-Alt-Delete, which the kernel hands to PID 1 as SIGINT if it has been told to
    /// (`reboot(RB_DISABLE_CAD)`), and takes as a reset otherwise.
    pub(crate) fn press_ctrl_alt_delete(&mut self) -> std::io::Result<()> {
        let keys = ["ctrl", "alt", "delete"].map(|key| json!({"type": "qcode", "data": key}));
        writeln!(self.stream, "{}", json!({"execute": "send-key", "arguments": {"keys": keys}}))
    }

    /// Sends a break on the serial line of this name.
    pub(crate) fn send_break(&mut self, port: &str) -> std::io::Result<()> {
        let arguments = json!({"id": port});
        let request = json!({"execute": "chardev-send-break", "arguments": arguments});
        writeln!(self.stream, "{request}")
    }
}

fn shutdown_reason(line: &str) -> Option<Ending> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["event"] != "SHUTDOWN" {
        return None;
    }
    match message["data"]["reason"].as_str()? {
        "guest-shutdown" => Some(Ending::PowerOff),
        "guest-reset" | "guest-panic" => Some(Ending::Reset),
        _ => Some(Ending::Crashed),
    }
}

#[cfg(test)]
mod tests {
    use super::{Ending, shutdown_reason};

    #[test]
    fn only_a_shutdown_event_says_how_it_ended() {
        let event = |reason: &str| {
            format!(r#"{{"event":"SHUTDOWN","data":{{"guest":true,"reason":"{reason}"}}}}"#)
        };
        assert_eq!(shutdown_reason(&event("guest-shutdown")), Some(Ending::PowerOff));
        assert_eq!(shutdown_reason(&event("guest-reset")), Some(Ending::Reset));
        assert_eq!(shutdown_reason(&event("host-signal")), Some(Ending::Crashed));
        assert_eq!(shutdown_reason(r#"{"return": {}}"#), None);
    }
}
