//! The command line: help, version, mistakes, verbosity, the arguments' expansion.

use anyhow::Result;
use tino::flags::{FLAGS, Kind};

use crate::expect_eq;
use crate::support::launch::PLACES;
use crate::support::{Launch, Place};

pub(crate) fn help_names_every_option() -> Result<()> {
    for option in ["-h", "--help"] {
        let finished = Launch::tino(&[option]).finish()?;
        finished.expect_code(0)?.expect_quiet()?;
        for flag in FLAGS.iter().filter(|flag| !flag.help.is_empty()) {
            finished.expect_stdout(&format!("--{}", flag.long))?.expect_stdout(flag.help)?;
            if flag.short != 0 {
                finished.expect_stdout(&format!("-{}", char::from(flag.short)))?;
            }
        }
        let widest = finished.stdout.lines().map(str::len).max().unwrap_or(0);
        anyhow::ensure!(widest <= 80, "a line of {widest} columns");
    }
    Ok(())
}

pub(crate) fn version_and_licence_are_told() -> Result<()> {
    let version = format!("tino {}\n", env!("CARGO_PKG_VERSION"));
    for option in ["-V", "--version"] {
        expect_eq!(Launch::tino(&[option]).finish()?.expect_code(0)?.stdout, version);
    }
    for option in ["-l", "--license"] {
        Launch::tino(&[option]).finish()?.expect_code(0)?.expect_stdout("MIT")?;
    }
    Ok(())
}

pub(crate) fn mistakes_are_2_and_no_command_is_1() -> Result<()> {
    for words in [
        &["--no-such-option"][..],
        &["--grace=5"],
        &["-Z"],
        &["-sZ"],
        &["--grace-ms"],
        &["-t"],
        &["-t", "soon"],
        &["--grace-ms=-1"],
        &["--grace-ms=4294967296"],
        &["--subreaper=perhaps"],
        &["--restart=sometimes"],
        &["--restart", "on-failure:"],
        &["-p", "NOSUCH"],
        &["-p", "65"],
        &["--verbose=much"],
        &["--write-preset="],
        &["--landlock-writable="],
    ] {
        let finished = Launch::tino(words).act(&["say=ran"]).finish()?;
        expect_eq!(finished.code()?, 2, "{words:?}: {}", finished.stderr);
        expect_eq!(finished.stdout.as_str(), "", "{words:?}");
        finished.expect_stderr("tino --help")?;
    }
    for words in [&[][..], &["-s"], &["--"], &["-g", "--"]] {
        let finished = Launch::tino(words).finish()?;
        finished.expect_code(1)?.expect_stderr("[FATAL tino (")?;
    }
    Ok(())
}

pub(crate) fn letters_may_share_a_dash_and_values_be_attached() -> Result<()> {
    for words in [&["-sgv"][..], &["-sge7"], &["-se", "7"], &["-ve7", "-g"]] {
        let code = if words.concat().contains('7') { 0 } else { 7 };
        Launch::tino(words).act(&["exit=7"]).finish()?.expect_code(code)?;
    }
    Ok(())
}

pub(crate) fn verbosity_rises_step_by_step() -> Result<()> {
    let levels = [
        (&[][..], [false, false, false]),
        (&["-v"], [true, false, false]),
        (&["-vv"], [true, true, false]),
        (&["-vvv"], [true, true, true]),
        (&["-v", "-v", "-v"], [true, true, true]),
        (&["--verbose=4"], [true, true, true]),
        (&["--verbose=0"], [false, false, false]),
    ];
    // An orphan is reaped, a signal is passed on, and the child ends.
    let script = ["(", "(", "wait-orphaned", ")", "exit=0", ")", "wait", "record=15"];
    for (words, wanted) in levels {
        let running = Launch::tino(words).act(&script).start()?;
        running.wait_value("parent ")?;
        running.wait_line("ready")?;
        crate::support::until("it is reaped", || {
            crate::support::processes::children(running.pid).len() == 1
        })?;
        running.send(libc::SIGTERM)?;
        let finished = running.finish()?;
        finished.expect_code(0)?;
        let found = ["[INFO  tino (", "[DEBUG tino (", "[TRACE tino ("]
            .map(|level| finished.stderr.contains(level));
        expect_eq!(found, wanted, "{words:?}: {}", finished.stderr);
    }
    Ok(())
}

pub(crate) fn nothing_is_said_when_all_is_well() -> Result<()> {
    for place in PLACES {
        let finished = Launch::tino(&["-s", "-g"]).act(&["exit=3"]).place(place).finish()?;
        finished.expect_code(3)?.expect_quiet()?;
        expect_eq!(finished.stdout.as_str(), "");
    }
    Ok(())
}

pub(crate) fn arguments_are_expanded_on_demand() -> Result<()> {
    let cases = [
        ("say=${NAME}", "value"),
        ("say=<${NAME}${NAME}>", "<valuevalue>"),
        ("say=${UNSET}.", "."),
        ("say=${UNSET:-text}", "text"),
        ("say=${EMPTY:-text}", "text"),
        ("say=${EMPTY}.", "."),
        ("say=${NAME:-text}", "value"),
        ("say=${UNSET:-a ${NAME} b}", "a value b"),
        ("say=${UNSET:-${EMPTY:-deep}}", "deep"),
        ("say=$$", "$"),
        ("say=$${NAME}", "${NAME}"),
        ("say=$NAME", "$NAME"),
        ("say=a$", "a$"),
        ("say=`id` $(id) \\ '\"", "`id` $(id) \\ '\""),
    ];
    for (word, wanted) in cases {
        for (options, wanted) in [(&["--expand-env"][..], wanted), (&[], &word["say=".len()..])] {
            let launch = Launch::tino(options).act(&[word]).env("NAME=value").env("EMPTY=");
            expect_eq!(launch.finish()?.stdout, format!("{wanted}\n"), "{options:?} {word}");
        }
    }
    Ok(())
}

pub(crate) fn an_expanded_word_stays_one_word() -> Result<()> {
    let finished = Launch::tino(&["--expand-env"])
        .act(&["arguments", "exit=0", "${MANY}", "${UNSET}"])
        .env("MANY=a b * c")
        .finish()?;
    let hex = crate::helper::hex(b"a b * c");
    finished.expect_stdout(&format!("argument {hex}\nargument \narguments end 6\n"))?;
    Ok(())
}

pub(crate) fn pause_waits_for_int_or_term_and_reaps() -> Result<()> {
    for place in PLACES {
        for signal in [libc::SIGTERM, libc::SIGINT] {
            for option in ["-P", "--pause"] {
                let running = Launch::tino(&[option]).place(place).start()?;
                crate::support::until("it waits", || {
                    crate::support::processes::stat(running.pid).is_some_and(|it| it.state == 'S')
                })?;
                for other in [libc::SIGHUP, libc::SIGUSR1, libc::SIGCHLD, libc::SIGWINCH, 40] {
                    running.send(other)?;
                }
                running.send(signal)?;
                running.finish()?.expect_code(0)?;
            }
        }
    }
    Ok(())
}

pub(crate) fn poweroff_is_refused_where_it_would_hit_a_machine() -> Result<()> {
    let finished = Launch::tino(&["--poweroff"]).act(&["exit=5"]).finish()?;
    finished.expect_code(5)?.expect_stderr("[WARN  tino (")?;
    Ok(())
}

pub(crate) fn poweroff_ends_a_pid_namespace() -> Result<()> {
    // For PID 1 of a namespace the kernel turns it into the death of that namespace's init, by
    // INT; of a machine it is left out here, and is tried in the virtual machine.
    let running = Launch::tino(&["--poweroff"]).act(&["exit=5"]).place(Place::PidOne);
    let finished = running.finish()?;
    expect_eq!(finished.change, crate::support::sys::Change::Killed(libc::SIGINT), "{finished:?}");
    Ok(())
}

pub(crate) fn every_option_is_taken_in_each_of_its_spellings() -> Result<()> {
    for flag in FLAGS.iter().filter(|flag| flag.kind == Kind::Switch) {
        for value in ["=off", "=0", "=no", "=false"] {
            let option = format!("--{}{value}", flag.long);
            let finished = Launch::tino(&[&option]).act(&["exit=7"]).finish()?;
            expect_eq!(finished.code()?, 7, "{option}: {}", finished.stderr);
        }
    }
    Ok(())
}
