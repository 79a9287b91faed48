//! The words of the actor's script.

use std::time::Duration;

use crate::support::sys::{self, Change, Disposition};

use super::{files, intruder, say, sockets, state};

/// Carries out the steps; the result is the exit code.
pub(super) fn play(words: &[String]) -> i32 {
    play_as_child_of(0, words)
}

fn play_as_child_of(parent: i32, words: &[String]) -> i32 {
    let mut position = 0;
    while let Some(word) = words.get(position) {
        position += 1;
        let (verb, value) = word.split_once('=').unwrap_or((word, ""));
        if verb == "(" {
            let end = position + matching_bracket(&words[position..]);
            let own = std::process::id().cast_signed();
            let inner = &words[position..end];
            if sys::fork(0, || play_as_child_of(own, inner)).is_err() {
                say("fork failed");
            }
            position = end + 1;
            continue;
        }
        if let Some(code) = step(parent, verb, value) {
            return code;
        }
    }
    0
}

fn matching_bracket(words: &[String]) -> usize {
    let mut depth = 0;
    for (index, word) in words.iter().enumerate() {
        match word.as_str() {
            "(" => depth += 1,
            ")" if depth == 0 => return index,
            ")" => depth -= 1,
            _ => {}
        }
    }
    words.len()
}

/// One step; Some(code) ends the actor.
fn step(born_of: i32, verb: &str, value: &str) -> Option<i32> {
    let number = || value.parse::<i32>().unwrap_or_else(|_| panic!("{verb}={value}: a number"));
    match verb {
        // Prints the text.
        "say" => say(value),
        "exit" => return Some(number()),
        // Dies by the signal.
        "die" => die(number()),
        // Waits for ever, with the default reaction to every signal.
        "pause" => loop {
            std::thread::sleep(Duration::from_secs(1000));
        },
        "sleep-ms" => std::thread::sleep(Duration::from_millis(number().unsigned_abs().into())),
        "ignore" => drop(sys::set_disposition(number(), Disposition::Ignore)),
        // Says `got N from PID value V` of every signal, until N comes (0: never).
        "record" => record(number()),
        "block-all" => drop(sys::set_mask(!0)),
        "unblock" => drop(sys::set_mask(0)),
        "read-line" => read_line(),
        "setsid" => drop(rustix::process::setsid()),
        "setpgid" => drop(rustix::process::setpgid(None, None)),
        // Waits for all children.
        "wait" => while !matches!(sys::wait(-1, 0), Err(_) | Ok(None)) {},
        // Waits until it has another parent than the one that forked it, and tells which.
        "wait-orphaned" => wait_orphaned(born_of),
        // Orphans that exit at once, so many thousand.
        "orphans" => state::make_orphans(number()),
        "bomb" => state::bomb(),
        "status" => state::status(value),
        "ids" => state::ids(value),
        "descriptors" => state::descriptors(),
        "arguments" => state::arguments(),
        "environment" => state::environment(value),
        "folder" => {
            say(&format!("folder {}", std::env::current_dir().unwrap_or_default().display()));
        }
        "send" => send(value),
        "stop" => drop(sys::send(std::process::id().cast_signed(), libc::SIGSTOP)),
        _ => {
            if !files::step(verb, value)
                && !sockets::step(verb, value)
                && !intruder::step(verb, value)
            {
                say(&format!("unknown step {verb}={value}"));
                return Some(99);
            }
        }
    }
    None
}

fn die(signal: i32) {
    let no_core = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, no_core);
    // KILL and STOP cannot be set, and need not be.
    let _ = sys::set_disposition(signal, Disposition::Default);
    let _ = sys::set_mask(0);
    let _ = sys::send(std::process::id().cast_signed(), signal);
    std::thread::sleep(Duration::from_secs(1000));
}

/// Blocked signals stay pending even if their default is to be ignored, and so all are seen.
fn record(last: i32) {
    let _ = sys::set_mask(!0);
    say("ready");
    loop {
        let Ok(taken) = sys::wait_signal(!0, None) else { continue };
        say(&format!("got {} from {} value {}", taken.signal, taken.pid, taken.value));
        if taken.signal == last {
            return;
        }
    }
}

/// Tells the line that it reads.
fn read_line() {
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(_) => say(&format!("read {}", line.trim_end())),
        Err(error) => say(&format!("reading failed: {error}")),
    }
}

fn wait_orphaned(former: i32) {
    let parent = || rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    while parent() == former {
        std::thread::sleep(Duration::from_millis(1));
    }
    say(&format!("parent {}", parent()));
}

/// `send=PID:SIGNAL`; PID 0 is the parent.
fn send(value: &str) {
    let (pid, signal) = value.split_once(':').expect("send=PID:SIGNAL");
    let pid = match pid.parse().expect("a pid") {
        0 => rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get()),
        pid => pid,
    };
    super::say_result("send", sys::send(pid, signal.parse().expect("a signal")));
}

/// Runs a step for its change of a child's state.
pub(super) fn reap(pid: i32) -> Option<Change> {
    sys::wait(pid, 0).ok().flatten().map(|(_, change)| change)
}
