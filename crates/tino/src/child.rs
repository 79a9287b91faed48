//! From fork to execve: what the child is before it is somebody else's program.

use crate::Tino;
use crate::flags::Id;
use crate::log::Level;
use crate::options::Isolation;
use crate::packed::write;
use crate::signals::signal;
use crate::sys::{self, Buffer, Errno, Text};
use crate::terminal;
use crate::texts::Message;
use crate::words::variable;

impl Tino {
    /// Starts the child and returns its pid.
    pub fn spawn(&mut self) -> Result<i32, Errno> {
        // Asked before the fork: afterwards either side may have moved the child already.
        let group = sys::getpgid();
        let pid = sys::fork()?;
        if pid == 0 {
            self.become_program(group);
        }
        if self.isolation == Isolation::ProcessGroup {
            // The child does it too. Here it makes sure that a signal for the group finds it;
            // it fails when the child has already gone on to execve, and so has a group.
            let _done_by_child = sys::setpgid(pid);
        }
        Ok(pid)
    }

    /// `parents` is the process group of `tino`.
    fn become_program(&mut self, parents: i32) -> ! {
        match self.isolation {
            Isolation::None => {}
            Isolation::ProcessGroup => {
                self.require(Message::SETPGID, sys::setpgid(0));
                // After the group exists, and before anything that could read from the terminal.
                terminal::hand_over(parents, sys::getpid());
            }
            Isolation::Session => {
                self.require(Message::SETSID, sys::setsid());
                // Fails when standard input is no terminal: then there is nothing to take.
                let _no_terminal = sys::take_terminal();
            }
        }
        if self.number(Id::ParentDeathSignal) == signal::KILL.cast_unsigned() {
            self.die_with_parent();
        }
        self.rewrite_listen_pid();
        if self.ruleset != sys::NONE {
            self.require(Message::SET_NO_NEW_PRIVS, sys::set_no_new_privs());
            self.require(Message::RESTRICT_SELF, sys::landlock_restrict_self(self.ruleset));
        }
        sys::exchange_child_signal(&mut self.child_signal);
        // Signals last: with them unblocked, one may end the child at any moment.
        sys::set_mask(self.mask);
        sys::exit(self.exec())
    }

    /// Ends the child if something failed without which it must not be the program.
    #[inline(never)]
    fn require(&self, message: Message, result: Result<(), Errno>) {
        if !self.log.check(Level::Fatal, message, result) {
            sys::exit(1);
        }
    }

    /// `tino` cannot pass KILL on, so the child has it sent by the kernel when `tino` dies.
    fn die_with_parent(&self) {
        self.require(Message::SET_PDEATHSIG, sys::parent_death_signal(signal::KILL));
        if sys::getppid() != self.log.pid {
            sys::exit(128 + signal::KILL);
        }
    }

    /// Socket activation names the process that the sockets are for. When that was `tino`, it is
    /// the child; the name of its pidfd's inode would be wrong then, and none means unchecked
    /// (sd_listen_fds(3)).
    fn rewrite_listen_pid(&self) {
        let Some(entry) = variable(self.environment, Text::of(c"LISTEN_PID")) else { return };
        let pid = entry.get(0).and_then(|pid| pid.behind(b'='));
        if pid.and_then(|pid| pid.number(u32::MAX)) != Some(self.log.pid.cast_unsigned()) {
            return;
        }
        if let Some(room) = sys::pages::<LONGEST>() {
            let mut renewed = Buffer::over(room);
            write(&mut renewed, Message::LISTEN_PID, Text::NONE, sys::getpid());
            entry.set(0, Some(renewed.into_word()));
        }
        if let Some(entry) = variable(self.environment, Text::of(c"LISTEN_PIDFDID")) {
            entry.remove_first();
        }
    }
}

/// Room for `LISTEN_PID` with any number.
const LONGEST: usize = 32;
