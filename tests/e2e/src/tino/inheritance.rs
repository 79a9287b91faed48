//! What the child inherits, and what `tino` itself lets go.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use anyhow::Result;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::expect_eq;
use crate::support::launch::PLACES;
use crate::support::sys::bit;
use crate::support::{Launch, Place, act, processes, until};

/// KILL and STOP can be neither blocked nor ignored.
const UNMASKABLE: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);

pub(crate) fn the_signal_mask_is_as_tino_got_it() -> Result<()> {
    let some = bit(libc::SIGUSR1) | bit(libc::SIGTERM) | bit(libc::SIGTTOU) | bit(33) | bit(64);
    for mask in [0, some, bit(libc::SIGCHLD), !UNMASKABLE] {
        for place in PLACES {
            let launch = Launch::tino(&[]).act(&["status=SigBlk"]).mask(mask).place(place);
            let wanted = format!("SigBlk {mask:016x}\n");
            expect_eq!(launch.finish()?.stdout, wanted, "{place:?}");
        }
    }
    Ok(())
}

pub(crate) fn ignored_signals_are_as_tino_got_them() -> Result<()> {
    let some = [
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGPIPE,
        libc::SIGCHLD,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        32,
        64,
    ];
    for ignored in [&[][..], &[libc::SIGPIPE], &some] {
        for place in PLACES {
            let mut launch = Launch::tino(&[]).act(&["status=SigIgn"]).place(place);
            for signal in ignored {
                launch = launch.ignore(*signal);
            }
            let mask = ignored.iter().fold(0, |mask, signal| mask | bit(*signal));
            expect_eq!(launch.finish()?.stdout, format!("SigIgn {mask:016x}\n"), "{place:?}");
        }
    }
    Ok(())
}

pub(crate) fn the_mask_is_restored_at_every_restart() -> Result<()> {
    let mask = bit(libc::SIGUSR1);
    let running = Launch::tino(&["--restart=always"])
        .act(&["status=SigBlk", "status=SigIgn"])
        .mask(mask)
        .ignore(libc::SIGCHLD)
        .start()?;
    let ignored = bit(libc::SIGCHLD);
    let once = format!("SigBlk {mask:016x}\nSigIgn {ignored:016x}\n");
    until("it ran three times", || running.stdout().starts_with(&once.repeat(3)))
}

fn file(name: &str) -> Result<OwnedFd> {
    Ok(memfd_create(name, MemfdFlags::CLOEXEC)?)
}

pub(crate) fn the_child_has_the_inherited_descriptors_and_no_others() -> Result<()> {
    for options in [&[][..], &["--restart=on-failure"], &["-vvv", "-s", "-g"], &["--exec-allow=/"]]
    {
        let finished = Launch::tino(options)
            .act(&["descriptors"])
            .pass(file("seven")?, 7)
            .pass(file("hundred")?, 100)
            .finish()?;
        let lines: Vec<&str> =
            finished.stdout.lines().filter_map(|line| line.strip_prefix("descriptor ")).collect();
        let numbers: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
        expect_eq!(numbers, ["0", "1", "2", "7", "100"], "{options:?}: {lines:?}");
        anyhow::ensure!(lines[3].contains("seven") && lines[4].contains("hundred"), "{lines:?}");
    }
    Ok(())
}

pub(crate) fn tino_itself_pins_no_descriptor_and_no_folder() -> Result<()> {
    for place in PLACES {
        let running = Launch::tino(&[])
            .act(&["folder", "record=15"])
            .pass(file("seven")?, 7)
            .pass(file("hundred")?, 100)
            .folder("/dev")
            .place(place)
            .start()?;
        running.wait_line("folder /dev")?;
        let numbers = || -> Vec<i32> {
            let open = processes::descriptors(running.pid).unwrap_or_default();
            open.into_iter().map(|(number, _)| number).collect()
        };
        until("its descriptors are closed", || numbers() == [0, 1, 2])?;
        let folder = || std::fs::read_link(format!("/proc/{}/cwd", running.pid)).ok();
        until("its folder is /", || folder() == Some(PathBuf::from("/")))?;
    }
    Ok(())
}

pub(crate) fn with_restart_descriptors_stay_for_the_next_child() -> Result<()> {
    let running = Launch::tino(&["--restart=always"])
        .act(&["folder", "descriptors"])
        .pass(file("seven")?, 7)
        .folder("/dev")
        .start()?;
    until("the third child has it", || {
        let text = running.stdout();
        text.matches("descriptor 7 ").count() >= 3 && text.matches("folder /dev\n").count() >= 3
    })
}

pub(crate) fn words_that_are_not_utf8_pass_unchanged() -> Result<()> {
    let strange = OsStr::from_bytes(b"\xff\xfe=\x80 \x01\n\t'\"$");
    let empty = OsStr::new("");
    let mut variable = b"STRANGE_\xc3=".to_vec();
    variable.extend_from_slice(strange.as_bytes());
    let finished = Launch::tino(&[])
        .act(&["arguments", "environment=STRANGE", "exit=0"])
        .words(&[strange, empty, OsStr::new("--"), OsStr::new("-v")])
        .env(OsStr::from_bytes(&variable))
        .finish()?;
    let hex = crate::helper::hex(strange.as_bytes());
    finished
        .expect_stdout(&format!("argument {hex}\nargument \nargument 2d2d\nargument 2d76\n"))?;
    let name = crate::helper::hex(b"STRANGE_\xc3");
    finished.expect_stdout(&format!("variable {name}={hex}\nvariables end\n"))?;
    finished.expect_code(0)?;
    Ok(())
}

pub(crate) fn two_megabytes_of_arguments_pass_unchanged() -> Result<()> {
    let words: Vec<String> =
        (0..20).map(|index| format!("{index:03}{}", "x".repeat(100 * 1024))).collect();
    let finished = Launch::tino(&[])
        .act(&["arguments", "exit=0"])
        .words(&words)
        .limit(rustix::process::Resource::Stack, 64 << 20)
        .finish()?;
    finished.expect_code(0)?;
    let shown: Vec<&str> =
        finished.stdout.lines().filter_map(|line| line.strip_prefix("argument ")).collect();
    let wanted: Vec<String> =
        words.iter().map(|word| crate::helper::hex(word.as_bytes())).collect();
    expect_eq!(shown[shown.len() - 20..], wanted[..], "the arguments differ");
    Ok(())
}

pub(crate) fn the_environment_is_not_changed() -> Result<()> {
    let finished = Launch::tino(&[])
        .act(&["environment="])
        .no_env()
        .env("TWO=2")
        .env("TINO_VERBOSE=1")
        .env("TWO=again")
        .env("NOT A VARIABLE=")
        .finish()?;
    let hex = |text: &str| crate::helper::hex(text.as_bytes());
    let line = |name, value| format!("variable {}={}\n", hex(name), hex(value));
    let wanted = line("TWO", "2")
        + &line("TINO_VERBOSE", "1")
        + &line("TWO", "again")
        + &line("NOT A VARIABLE", "");
    expect_eq!(finished.stdout, wanted + "variables end\n");
    Ok(())
}

/// What the child finds in `LISTEN_PID`, and its own pid.
fn listen_pid(launch: Launch) -> Result<(String, String)> {
    let finished = launch.act(&["environment=LISTEN_PID", "ids=child", "exit=0"]).finish()?;
    let ids = finished.stdout.lines().find_map(|line| line.strip_prefix("child pid "));
    let pid = ids.and_then(|ids| ids.split(' ').next()).unwrap_or_default().to_owned();
    let variable = finished.stdout.lines().find_map(|line| line.strip_prefix("variable "));
    let hex = variable.and_then(|variable| variable.split_once('=')).map_or("", |(_, hex)| hex);
    let digits = (0..hex.len() / 2).map(|index| {
        char::from(u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap_or(b'?'))
    });
    Ok((digits.collect(), pid))
}

pub(crate) fn socket_activation_names_the_child() -> Result<()> {
    for place in PLACES {
        let launch = Launch::tino(&[]).env("LISTEN_FDS=1").env_own_pid("LISTEN_PID");
        let (found, child) = listen_pid(launch.place(place))?;
        expect_eq!(found, child, "{place:?}");
    }
    let (found, _) = listen_pid(Launch::tino(&[]).env("LISTEN_FDS=1").env("LISTEN_PID=999999"))?;
    expect_eq!(found, "999999", "another's pid stays");
    Ok(())
}

pub(crate) fn socket_activation_has_room_for_a_longer_pid() -> Result<()> {
    let far = || std::fs::write("/proc/sys/kernel/ns_last_pid", "12345");
    let launch = Launch::tino(&[]).env_own_pid("LISTEN_PID").place(Place::PidOne).before_exec(far);
    let (found, child) = listen_pid(launch)?;
    expect_eq!(child.len(), 5, "the kernel lets a namespace choose its next pid");
    expect_eq!(found, child);
    Ok(())
}

pub(crate) fn standard_descriptors_may_be_closed() -> Result<()> {
    for closed in [&[0][..], &[1], &[2], &[0, 1], &[1, 2], &[0, 1, 2]] {
        for place in PLACES {
            // Standard output may be closed: it is a file that tells when the child is ready.
            let name = format!("ready-{closed:?}-{place:?}").replace(['[', ']', ',', ' '], "-");
            let ready = crate::support::scratch(&name);
            let create = format!("create={}", ready.display());
            let mut launch =
                Launch::tino(&[]).act(&["block-all", &create, "say=up", "record=15", "exit=6"]);
            for descriptor in closed {
                launch = launch.close(*descriptor);
            }
            let running = launch.place(place).start()?;
            until("the child is ready", || ready.exists())?;
            let child = running.child()?;
            let open = processes::descriptors(child)?;
            for descriptor in closed {
                let found = open.iter().any(|(number, _)| number == descriptor);
                expect_eq!(found, false, "closed {closed:?}, the child has {open:?}");
            }
            running.send(libc::SIGTERM)?;
            running.finish()?.expect_code(6)?;
        }
    }
    Ok(())
}

pub(crate) fn the_command_is_found_after_the_options_end() -> Result<()> {
    let own = act(&["arguments", "exit=0"]);
    for separator in [&[][..], &["--"]] {
        let finished =
            Launch::tino(&["-s"]).words(separator).words(&own).words(&["-g"]).finish()?;
        finished.expect_stdout("argument 2d67\narguments end 5\n")?;
        finished.expect_code(0)?;
    }
    Ok(())
}
