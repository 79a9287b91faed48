//! What `tino` exits with.

use anyhow::Result;

use crate::expect_eq;
use crate::support::Launch;
use crate::support::launch::PLACES;

/// Signals that end a process by default, KILL included.
const DEADLY: [i32; 32] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31, 32, 33, 34,
    35, 40, 50, 62, 63, 64,
];

pub(crate) fn every_exit_code_is_passed_on() -> Result<()> {
    for code in 0..=255 {
        let place = PLACES[usize::from(code % 2 == 0)];
        let finished = Launch::tino(&[]).act(&[&format!("exit={code}")]).place(place).finish()?;
        finished.expect_code(code)?.expect_quiet()?;
    }
    Ok(())
}

pub(crate) fn death_by_a_signal_is_128_and_its_number() -> Result<()> {
    for place in PLACES {
        for signal in DEADLY {
            let finished =
                Launch::tino(&[]).act(&[&format!("die={signal}")]).place(place).finish()?;
            expect_eq!(finished.code()?, 128 + signal, "signal {signal}, {place:?}");
        }
    }
    Ok(())
}

pub(crate) fn remapped_codes_become_0() -> Result<()> {
    let cases = [
        (&["-e", "3"][..], "exit=3", 0),
        (&["-e3"], "exit=3", 0),
        (&["--remap-exit=3", "-e", "255"], "exit=255", 0),
        (&["-e", "3", "-e", "4"], "exit=3", 0),
        (&["-e", "3"], "exit=4", 4),
        (&["-e", "143"], "die=15", 0),
        (&["-e", "137"], "die=9", 0),
        (&["-e", "0"], "exit=0", 0),
        (&[], "exit=3", 3),
    ];
    for (options, step, code) in cases {
        Launch::tino(options).act(&[step]).finish()?.expect_code(code)?;
    }
    Launch::tino(&[]).act(&["exit=7"]).env("TINO_REMAP_EXIT=6,7").finish()?.expect_code(0)?;
    Launch::tino(&[]).act(&["exit=8"]).env("TINO_REMAP_EXIT=6,7").finish()?.expect_code(8)?;
    for bad in ["256", "-1", "x", ""] {
        Launch::tino(&["-e", bad]).act(&["exit=9"]).finish()?.expect_code(2)?;
    }
    Ok(())
}

/// Starts a child that plays `steps`, sends TERM to the init, and expects `code`.
fn terminated(options: &[&str], steps: &[&str], code: i32) -> Result<()> {
    for place in PLACES {
        let running = Launch::tino(options).act(steps).place(place).start()?;
        running.wait_line("ready")?;
        running.send(libc::SIGTERM)?;
        running.finish()?.expect_code(code)?;
    }
    Ok(())
}

pub(crate) fn term_success_makes_an_ordered_end_0() -> Result<()> {
    let obeys = ["say=ready", "pause"];
    terminated(&["--term-success"], &obeys, 0)?;
    terminated(&[], &obeys, 143)?;
    terminated(&["--term-success"], &["record=15", "exit=143"], 0)?;
    terminated(&["--term-success"], &["record=15", "exit=5"], 5)?;
    terminated(&["--term-success", "-r", "TERM:INT"], &obeys, 0)?;
    terminated(&["--term-success", "-r", "15:12"], &["record=12", "die=11"], 139)?;
    // Nobody sent TERM to tino: the death is the child's own affair.
    Launch::tino(&["--term-success"]).act(&["die=15"]).finish()?.expect_code(143)?;
    Launch::tino(&["--term-success"]).act(&["exit=143"]).finish()?.expect_code(143)?;
    Ok(())
}
