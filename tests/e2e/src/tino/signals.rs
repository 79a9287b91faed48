//! Which signals reach whom.

use anyhow::Result;
use rustix::process::Resource;

use crate::expect_eq;
use crate::support::launch::PLACES;
use crate::support::sys::{self, Change};
use crate::support::{Launch, Place, Running, processes, until};

/// Not passed on unless a rule names them: a fault of `tino` itself must stay visible.
const FAULTS: [i32; 7] = [
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGSYS,
];

fn forwarded(signal: &i32) -> bool {
    let never = [libc::SIGKILL, libc::SIGSTOP, libc::SIGCHLD];
    !never.contains(signal) && !FAULTS.contains(signal)
}

/// Starts a child that records signals until USR2 comes, and waits until it is ready.
fn recorder(options: &[&str], place: Place) -> Result<Running> {
    let running = Launch::tino(options).act(&["record=12"]).place(place).start()?;
    running.wait_line("ready")?;
    Ok(running)
}

/// The numbers of the signals recorded so far, without those of ended children.
fn recorded(running: &Running) -> Vec<i32> {
    let text = running.stdout();
    let number = |line: &str| line.strip_prefix("got ")?.split(' ').next()?.parse().ok();
    text.lines().filter_map(number).filter(|signal| *signal != libc::SIGCHLD).collect()
}

pub(crate) fn all_64_are_passed_on_or_treated_as_documented() -> Result<()> {
    for place in PLACES {
        let running = Launch::tino(&[]).act(&["record=0"]).place(place).start()?;
        running.wait_line("ready")?;
        let sender = if place == Place::PidOne { 1 } else { running.pid };
        for signal in (1..=64).filter(forwarded) {
            running.send(signal)?;
            until(&format!("signal {signal} is passed on, {place:?}"), || {
                let line = format!("got {signal} from {sender} value");
                running.stdout().contains(&line)
            })?;
            if JOB_STOPS.contains(&signal) && place == Place::Ordinary {
                continue_it(&running)?;
            }
        }
        let mut found = recorded(&running);
        found.dedup();
        found.retain(|signal| *signal != libc::SIGCONT);
        let wanted = (1..=64).filter(|it| *it != libc::SIGCONT).filter(forwarded);
        expect_eq!(found, wanted.collect::<Vec<_>>(), "{place:?}");
    }
    Ok(())
}

/// Signals with which `tino`, after passing them on, stops itself too.
const JOB_STOPS: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// Waits until the init has stopped itself, and continues it.
fn continue_it(running: &Running) -> Result<()> {
    until("it stops with its child", || {
        processes::stat(running.pid).is_some_and(|stat| stat.state == 'T')
    })?;
    let times = || recorded(running).iter().filter(|it| **it == libc::SIGCONT).count();
    let before = times();
    running.send(libc::SIGCONT)?;
    until("CONT is passed on", || times() == before + 1)
}

pub(crate) fn the_end_of_a_child_is_never_passed_on() -> Result<()> {
    for place in PLACES {
        let running = recorder(&[], place)?;
        running.send(libc::SIGCHLD)?;
        running.send(libc::SIGUSR2)?;
        let finished = running.finish()?;
        finished.expect_code(0)?;
        expect_eq!(finished.stdout.contains("got 17"), false);
    }
    Ok(())
}

pub(crate) fn a_fault_signal_ends_an_ordinary_init() -> Result<()> {
    for signal in FAULTS {
        let running = Launch::tino(&[]).act(&["record=0"]).limit(Resource::Core, 0).start()?;
        running.wait_line("ready")?;
        running.send(signal)?;
        let finished = running.finish()?;
        expect_eq!(finished.change, Change::Killed(signal), "signal {signal}");
        expect_eq!(finished.stdout.contains("got"), false);
    }
    Ok(())
}

pub(crate) fn a_fault_signal_from_outside_does_not_harm_pid_one() -> Result<()> {
    for signal in FAULTS {
        let running = recorder(&[], Place::PidOne)?;
        running.send(signal)?;
        running.send(libc::SIGUSR2)?;
        let finished = running.finish()?;
        expect_eq!(finished.expect_code(0)?.stdout.matches("got").count(), 1);
    }
    Ok(())
}

pub(crate) fn a_rule_makes_a_fault_signal_pass() -> Result<()> {
    for signal in FAULTS {
        let running = recorder(&["-r", &format!("{signal}:{signal}")], Place::Ordinary)?;
        running.send(signal)?;
        running.wait_value(&format!("got {signal} "))?;
    }
    Ok(())
}

pub(crate) fn queued_real_time_signals_all_arrive() -> Result<()> {
    for place in PLACES {
        let running = recorder(&[], place)?;
        for value in 0..30 {
            sys::queue(running.pid, 40, value)?;
        }
        until("thirty have come", || recorded(&running).len() == 30)?;
        running.send(libc::SIGUSR2)?;
        running.finish()?.expect_code(0)?;
    }
    Ok(())
}

/// A child with a child of its own in the same group, both recording.
fn family(options: &[&str]) -> Result<(Running, i32, i32)> {
    let running = Launch::tino(options).act(&["(", "record=12", ")", "record=12"]).start()?;
    until("both are ready", || running.stdout().matches("ready").count() == 2)?;
    let child = running.child()?;
    let grandchild = processes::children(child)[0];
    Ok((running, child, grandchild))
}

pub(crate) fn signals_go_to_the_child_alone() -> Result<()> {
    for options in [&[][..], &["-c"], &["-g", "-c"], &["--pgroup-kill=off"]] {
        let (running, _, grandchild) = family(options)?;
        running.send(libc::SIGUSR1)?;
        until("the child has it", || recorded(&running) == [10])?;
        // USR1 would be taken first if it were there too: it has the lower number.
        sys::send(grandchild, libc::SIGUSR2)?;
        until("the grandchild has ended", || !processes::alive(grandchild))?;
        expect_eq!(recorded(&running), [10, 12], "{options:?}");
    }
    Ok(())
}

pub(crate) fn with_g_signals_go_to_the_group() -> Result<()> {
    let long = ["--pgroup-kill"];
    for options in [&["-g"][..], &long, &["-c", "-g"], &["-sg"]] {
        let (running, ..) = family(options)?;
        running.send(libc::SIGUSR1)?;
        until("both have it", || recorded(&running) == [10, 10])?;
        running.send(libc::SIGUSR2)?;
        running.finish()?.expect_code(0)?;
    }
    Ok(())
}

pub(crate) fn the_child_leads_a_group_unless_c_is_given() -> Result<()> {
    for (options, own) in [(&[][..], true), (&["-g"], true), (&["-c"], false)] {
        let running = Launch::tino(options).act(&["say=up", "pause"]).own_group().start()?;
        running.wait_line("up")?;
        let child = running.child()?;
        let group = processes::stat(child).map(|stat| stat.group);
        expect_eq!(group, Some(if own { child } else { running.pid }), "{options:?}");
    }
    Ok(())
}

pub(crate) fn rewriting_takes_names_numbers_and_real_time_signals() -> Result<()> {
    let rules = [
        ("TERM:INT", 15, 2),
        ("SIGTERM:SIGINT", 15, 2),
        ("term:sigint", 15, 2),
        ("15:2", 15, 2),
        ("HUP:QUIT", 1, 3),
        ("RTMIN+1:RTMAX-2", 35, 62),
        ("RTMIN:RTMAX", 34, 64),
        ("40:USR1", 40, 10),
        ("TSTP:TERM", 20, 15),
        ("32:33", 32, 33),
        ("USR1:64", 10, 64),
    ];
    for (rule, sent, received) in rules {
        for place in PLACES {
            let running = recorder(&["-r", rule], place)?;
            running.send(sent)?;
            until(&format!("{rule}: {received} comes"), || recorded(&running) == [received])?;
        }
    }
    Ok(())
}

pub(crate) fn rewriting_to_0_drops_the_signal() -> Result<()> {
    for options in [&["-r", "USR1:0"][..], &["--rewrite=10:0"], &["-r", "1:0", "-r", "10:0"]] {
        let running = recorder(options, Place::Ordinary)?;
        running.send(libc::SIGUSR1)?;
        running.send(libc::SIGUSR2)?;
        let finished = running.finish()?;
        finished.expect_code(0)?;
        expect_eq!(finished.stdout.matches("got").count(), 1, "{options:?}: {}", finished.stdout);
    }
    Ok(())
}

pub(crate) fn bad_rewrite_rules_are_refused() -> Result<()> {
    for rule in ["TERM", "TERM:", ":INT", "65:1", "0:1", "NONE:INT", "TERM:65", "RTMIN+31:1", ""] {
        let finished = Launch::tino(&["-r", rule]).act(&["say=ran"]).finish()?;
        finished.expect_code(2)?;
        expect_eq!(finished.stdout.as_str(), "", "rule {rule:?}");
    }
    Ok(())
}
