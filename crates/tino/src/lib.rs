//! `tino`: PID 1 for any container, pod or tiny virtual machine.
//!
//! Starts one program, passes signals on to it, reaps what is orphaned, and ends as the program
//! ends. Kernel calls only: no libc, no heap, no mutable statics; all state is on the stack of
//! [`run`]. It mounts nothing, configures nothing and reads no file but a Landlock profile.
//! `#[inline(never)]` stands where leaving it out makes the program larger; each was measured.
//!
//! The path of a start: [`words`] and [`options`] turn the command line and the environment into
//! [`options::Options`]; [`landlock`] prepares the child's restrictions; [`child`] forks and
//! executes; [`supervise`] waits for signals until the child has ended; [`sweep`] ends what is
//! left.

#![cfg_attr(not(test), no_std)]

pub mod child;
pub mod exec;
pub mod expand;
pub mod explain;
pub mod flags;
pub mod interpreter;
pub mod job;
pub mod landlock;
pub mod log;
pub mod manual;
pub mod options;
pub mod packed;
pub mod pause;
pub mod personality;
pub mod rules;
pub mod signals;
pub mod supervise;
pub mod sweep;
pub mod sys;
pub mod terminal;
pub mod value;
pub mod words;

use child::Command;
use flags::Id;
use log::{Level, Log};
use options::Options;
use personality::Personality;
use signals::FAULTS;
use sys::{Text, Texts};
use value::Value;
use words::Words;

/// What `--license` prints. The whole texts, which come along in every package, would be a tenth of
/// the program.
const LICENCE: &[u8] = b"Copyright (c) 2026 The tinyo authors\n\
License: MIT OR Apache-2.0, as you like; the texts are in LICENSE-MIT and LICENSE-APACHE.\n\
There is no warranty of any kind.\n";

/// Runs the program from its arguments and environment to its exit code.
#[must_use]
pub fn run(arguments: Texts, environment: Texts) -> i32 {
    // First of all: whatever arrives from here on waits until it can be passed on.
    let mask = sys::set_mask(supervise::blocked(0));
    let personality = Personality::of(arguments.get(0).unwrap_or(Text::of(c"")));
    if answer_to_the_only_word(personality, arguments) {
        return 0;
    }
    let mut log = Log { personality, verbosity: 1, pid: sys::getpid() };
    let mut options = Options::new(personality);
    let Some(index) = options.take_words(Words { log: &log, words: arguments }) else {
        sys::write(2, personality.usage());
        return personality.usage_code();
    };
    log.verbosity = options.verbosity;
    options.take_variables(environment, &mut |variable| {
        log.say(Level::Warn, c"ignored, as it cannot have this value: %s", Value::all(variable), 0);
    });
    log.verbosity = options.verbosity;
    options.settle();
    if print_what_was_asked(&options) {
        return 0;
    }
    let command = Command { words: arguments.from(index), environment, mask };
    if personality == Personality::Tini && !separated(arguments, index) {
        drop_separator(command.words);
    }
    let code = start(&options, &command, Words { log: &log, words: arguments });
    if options.on(Id::Poweroff) && !options.on(Id::Explain) {
        power_off(&log);
    }
    code
}

/// Whether a `--` ended the options before the command at `index`.
fn separated(arguments: Texts, index: usize) -> bool {
    arguments.get(index - 1).is_some_and(|word| word.is(Text::of(c"--")))
}

/// tini knows `--version`, and pause `-v`, as the first word alone.
fn answer_to_the_only_word(personality: Personality, arguments: Texts) -> bool {
    let Some(first) = arguments.get(usize::from(arguments.get(0).is_some())) else { return false };
    let asked = match personality {
        Personality::Tini => first.is(Text::of(c"--version")) && arguments.get(2).is_none(),
        Personality::Pause => first.is(Text::of(c"-v")),
        _ => false,
    };
    if asked {
        sys::write(1, personality.version());
    }
    asked
}

/// Options that print something and do nothing else; whether there was one.
#[inline(never)]
fn print_what_was_asked(options: &Options) -> bool {
    let personality = options.personality;
    // dumb-init prints everything on standard error, catatonit its help.
    let dumb = personality == Personality::DumbInit;
    let help_fd = if dumb || personality == Personality::Catatonit { 2 } else { 1 };
    if options.on(Id::Help) {
        if personality == Personality::Tino {
            packed::print_help();
        } else {
            sys::write(help_fd, personality.usage());
        }
    } else if options.on(Id::License) {
        sys::write(1, LICENCE);
    } else if options.on(Id::Version) {
        sys::write(if dumb { 2 } else { 1 }, personality.version());
    } else {
        return false;
    }
    true
}

#[inline(never)]
fn start(options: &Options, command: &Command, words: Words<'_>) -> i32 {
    let log = words.log;
    let pause = options.on(Id::Pause);
    if command.words.get(0).is_none() && !pause && !options.on(Id::Explain) {
        log.note(Level::Fatal, c"no program to run", 0);
        sys::write(2, options.personality.usage());
        return 1;
    }
    if options.on(Id::ExpandEnv)
        && let Err(argument) = expand::expand_all(command.words, command.environment)
    {
        log.say(Level::Fatal, c"cannot expand: %s", Value::all(argument), 0);
        return 1;
    }
    if options.on(Id::Explain) {
        explain::explain(options, command, words);
        return 0;
    }
    if pause {
        adopt_orphans(options, log);
        return pause::pause(options, log);
    }
    let Ok(ruleset) = landlock::prepare(options, command, words) else { return 1 };
    adopt_orphans(options, log);
    if options.parent_death_signal != 0 && !follow_parent(options, log) {
        return 1;
    }
    if options.ruled & FAULTS != 0 {
        sys::set_mask(supervise::blocked(options.ruled));
    }
    supervise::supervise(options, log, command, ruleset)
}

/// tini's usage has `PROGRAM -- ARGS`: the first `--` among the words after the program is
/// dropped, if only plain words stand before it.
fn drop_separator(command: Texts) {
    let mut index = usize::from(command.get(0).is_some());
    while let Some(word) = command.get(index) {
        if word.is(Text::of(c"--")) {
            return command.remove(index);
        }
        if word.first() == b'-' && word.rest().first() != 0 {
            return;
        }
        index += 1;
    }
}

/// Makes orphans children of this process, where that is not so by itself as it is for PID 1.
fn adopt_orphans(options: &Options, log: &Log) {
    let asked = options.on(Id::Subreaper);
    let refused = options.was_given(Id::Subreaper) && !asked;
    let tini = options.personality == Personality::Tini;
    if asked || (log.pid != 1 && !refused && !tini) {
        if let Err(errno) = sys::set_subreaper() {
            log.note(Level::Warn, c"prctl(PR_SET_CHILD_SUBREAPER): %e", errno.number());
        }
    } else if log.pid != 1 && tini {
        const WARNING: &core::ffi::CStr =
            c"neither PID 1 nor a child subreaper, so zombie reaping won't work. \
            Use -s, set TINI_SUBREAPER or be PID 1.";
        log.note(Level::Warn, WARNING, 0);
    }
}

/// Asks the kernel for a signal when the parent dies.
fn follow_parent(options: &Options, log: &Log) -> bool {
    let parent = sys::getppid();
    if let Err(errno) = sys::parent_death_signal(options.parent_death_signal) {
        log.note(Level::Fatal, c"prctl(PR_SET_PDEATHSIG): %e", errno.number());
        return false;
    }
    // It may have died before it was asked for.
    if sys::getppid() != parent {
        let _nobody_else_could = sys::kill(log.pid, options.parent_death_signal);
    }
    true
}

fn power_off(log: &Log) {
    if log.pid != 1 {
        log.note(Level::Warn, c"--poweroff is for PID 1", 0);
        return;
    }
    let errno = sys::power_off();
    log.note(Level::Fatal, c"reboot(POWER_OFF): %e", errno.number());
}
