//! `--pause`: no child, only orphans, until INT or TERM. What holds a pod's namespaces.

use crate::Tino;
use crate::log::Level;
use crate::personality::Personality;
use crate::signals::signal;
use crate::supervise::blocked;
use crate::sys;
use crate::texts::Message;

impl Tino {
    /// Waits for the end, and returns its exit code.
    #[inline(never)]
    pub fn pause(&mut self) -> i32 {
        sys::exchange_child_signal(&mut self.child_signal);
        sys::chdir_to_root();
        sys::close_from(3);
        if self.log.personality == Personality::Pause && self.log.pid != 1 {
            self.log.note(Level::Warn, Message::PAUSE_NOT_FIRST, 0);
        }
        self.start_up.forget();
        loop {
            match sys::wait_signal(blocked(0), sys::FOREVER).signal {
                signal::CHLD => while sys::wait().pid > 0 {},
                signal::INT | signal::TERM => {
                    self.log.note(Level::Info, Message::SHUTTING_DOWN, 0);
                    return 0;
                }
                _ => {}
            }
        }
    }
}
