//! `--explain`: what would be done, and why.

use core::ffi::CStr;

use crate::child::Command;
use crate::log::{LONGEST, print, write};
use crate::options::Options;
use crate::packed::Known;
use crate::sys::{self, Buffer, Text};
use crate::value::Value;
use crate::words::{Words, variables};

/// Prints each option that was given, where and with which value, the kernel's Landlock ABI and
/// the command.
pub fn explain(options: &Options, command: &Command, words: Words<'_>) {
    let _said_before = words.options(&mut |option, value| {
        explain_option(option, value, c" (command line)");
        true
    });
    let visit = &mut |option: Known, value| {
        if !options.overruled(option.id()) {
            explain_option(option, value, c" (variable)");
        }
        true
    };
    variables(command.environment, visit, &mut |_| {});
    let abi = sys::landlock_abi().unwrap_or(0);
    print(c"kernel: Landlock ABI %d", Value::NONE, abi.cast_signed());
    for word in command.words {
        print(c"command: %s", Value::all(word), 0);
    }
}

#[inline(never)]
fn explain_option(option: Known, value: Option<Value<'static>>, source: &'static CStr) {
    let mut memory = [0; LONGEST];
    let mut line = Buffer::over(&mut memory);
    write(&mut line, c"%s: ", option.long(), 0);
    let on = Value::all(Text::of(c"on"));
    write(&mut line, c"%s", value.unwrap_or(on), 0);
    write(&mut line, source, Value::NONE, 0);
    line.end_line();
    sys::write(1, line.bytes());
}
