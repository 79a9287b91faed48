//! `--pause`: no child, only orphans, until INT or TERM. What holds a pod's namespaces.

use crate::log::{Level, Log};
use crate::options::Options;
use crate::personality::Personality;
use crate::signals::signal;
use crate::supervise;
use crate::sys::{self, Text, Waited};

/// Waits for the end, and returns its exit code.
pub fn pause(options: &Options, log: &Log) -> i32 {
    let _was = sys::take_child_signal();
    let _stays_where_it_is = sys::chdir(Text::of(c"/"));
    sys::close_from(3);
    if options.personality == Personality::Pause && log.pid != 1 {
        log.note(Level::Warn, c"pause should be the first process", 0);
    }
    loop {
        match sys::wait_signal(supervise::blocked(0), None).map(|arrived| arrived.signal) {
            Ok(signal::CHLD) => while matches!(sys::wait(), Waited::Process(..)) {},
            Ok(signal::INT | signal::TERM) => {
                log.note(Level::Info, c"Shutting down", 0);
                return 0;
            }
            _ => {}
        }
    }
}
