//! What is typed and was not taken by the program yet.

use super::program::Program;
use sys::rustix::io::{Errno, write};

/// Bytes for the program.
#[derive(Debug, Default)]
pub(super) struct Input {
    waiting: Vec<u8>,
    /// Nothing comes after them.
    ends: bool,
}

impl Input {
    /// While it is not empty, nobody is asked for more.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    pub(super) fn end(&mut self) {
        self.ends = true;
    }

    /// Gives the program what it takes.
    pub(super) fn pass(&mut self, program: &mut Program) {
        while let (false, Some(end)) = (self.waiting.is_empty(), program.input()) {
            match write(end, &self.waiting) {
                Ok(length) => drop(self.waiting.drain(..length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => program.lose_input(),
            }
        }
        if program.input().is_none() {
            self.waiting.clear();
        }
        if self.ends {
            self.ends = false;
            program.close_input();
        }
    }
}
