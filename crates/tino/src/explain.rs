//! `--explain`: what would be done, and why.

use crate::Tino;
use crate::log::{LONGEST, end, print};
use crate::packed::{Known, write, write_plain};
use crate::sys::{self, Buffer, Text};
use crate::texts::Message;

impl Tino {
    /// Prints each option that was given, where and with which value, the kernel's Landlock ABI
    /// and the command.
    #[inline(never)]
    pub fn explain(&mut self) {
        let _said_before =
            self.each_word(|_, option, value| explain_option(option, value, Message::EXPLAIN_WORD));
        self.each_variable(|tino, option, value| {
            !tino.was_given(option.id) || explain_option(option, value, Message::EXPLAIN_VARIABLE)
        });
        let abi = sys::landlock_abi().unwrap_or(0);
        print(1, Message::EXPLAIN_KERNEL, Text::NONE, abi.cast_signed());
        for word in self.command {
            print(1, Message::EXPLAIN_COMMAND, *word, 0);
        }
    }
}

#[inline(never)]
fn explain_option(option: &Known, value: Text<'_>, source: Message) -> bool {
    let mut room = sys::room::<LONGEST>();
    let mut line = Buffer::over(&mut room);
    write_plain(&mut line, option.long);
    write(&mut line, source, value, 0);
    end(&mut line, 1);
    true
}
