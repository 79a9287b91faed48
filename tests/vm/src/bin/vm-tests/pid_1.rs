//! `tino` as the real PID 1 of a machine: what no container can show.

use crate::machine_with_busybox;
use anyhow::{Result, ensure};
use vm::{Ending, Job, Machine, Outcome, Status};

/// Boots `tino WORDS... /bin/sh /script`.
fn boot(words: &[&str], script: &str) -> Result<Outcome> {
    machine(script)?.run_as_pid_1("/tino", &command_line(words), None)
}

fn machine(script: &str) -> Result<Machine> {
    let machine = machine_with_busybox()?.program("/tino", &harness::tino())?;
    let mounts = "mkdir -p /proc; mount -t proc proc /proc; mount -t devtmpfs dev /dev\n";
    Ok(machine.file("/script", 0o755, format!("{mounts}{script}\n").as_bytes()))
}

fn command_line<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words.iter().copied().chain(["/bin/sh", "/script"]).collect()
}

/// The console has kernel messages as well; this is whether a line of ours is there.
fn ensure_line(outcome: &Outcome, line: &str) -> Result<()> {
    let found = outcome.console.lines().any(|found| found.ends_with(line));
    ensure!(found, "no line {line:?} in:\n{}", outcome.console);
    Ok(())
}

fn ensure_powered_off(outcome: &Outcome) -> Result<()> {
    ensure!(outcome.ending == Ending::PowerOff, "{:?}:\n{}", outcome.ending, outcome.console);
    let quiet = !outcome.console.contains("Kernel panic");
    ensure!(quiet, "the kernel panicked:\n{}", outcome.console);
    Ok(())
}

pub(crate) fn powers_off_when_the_command_ends() -> Result<()> {
    let script = "echo PID 1 is $(cat /proc/1/comm), parent $PPID; exit 3";
    let outcome = boot(&["--poweroff"], script)?;
    ensure_line(&outcome, "PID 1 is tino, parent 1")?;
    ensure_powered_off(&outcome)
}

pub(crate) fn powers_off_when_the_command_cannot_start() -> Result<()> {
    let outcome = machine("")?.run_as_pid_1("/tino", &["--poweroff", "/no/such/program"], None)?;
    ensure!(outcome.console.contains("/no/such/program"), "{}", outcome.console);
    ensure_powered_off(&outcome)
}

pub(crate) fn reaps_orphans() -> Result<()> {
    // Each inner shell ends at once, and its `sleep` becomes an orphan, which is ended later. What each
    // loop waits for comes at once on a machine that is not busy, and the last look is what counts.
    let script = "for i in 1 2 3 4 5 6 7 8; do (sleep 1000 & echo $! >>/orphans); done
        count() { grep -l \"$1\" /proc/[0-9]*/status | grep -c .; }
        first() { echo sleeping $(count '^Name:.sleep$'), adopted $(($(count '^PPid:.1$') - 1)); }
        for i in $(seq 100); do [ \"$(first)\" = 'sleeping 8, adopted 8' ] && break; sleep 0.1; done
        first
        while read pid; do kill $pid; done </orphans
        last() { echo sleeping $(count '^Name:.sleep$'), zombies $(count '^State:.Z'); }
        for i in $(seq 100); do [ \"$(last)\" = 'sleeping 0, zombies 0' ] && break; sleep 0.1; done
        last";
    let outcome = boot(&["--poweroff"], script)?;
    ensure_line(&outcome, "sleeping 8, adopted 8")?;
    ensure_line(&outcome, "sleeping 0, zombies 0")?;
    ensure_powered_off(&outcome)
}

pub(crate) fn passes_signals_on() -> Result<()> {
    // The kernel shields PID 1 from signals without a handler; these must get through.
    let script = "trap 'echo got USR1' USR1; trap 'echo got TERM; exit 0' TERM
        kill -USR1 1; sleep 1; kill -TERM 1; for i in $(seq 60); do sleep 1; done; echo not reached";
    let outcome = boot(&["--poweroff"], script)?;
    ensure_line(&outcome, "got USR1")?;
    ensure_line(&outcome, "got TERM")?;
    ensure!(!outcome.console.contains("not reached"), "{}", outcome.console);
    ensure_powered_off(&outcome)
}

pub(crate) fn passes_ctrl_alt_delete_on_as_int() -> Result<()> {
    // By default the keys reset the machine; with this they send SIGINT to PID 1.
    let script = "trap 'echo got INT; exit 0' INT; echo 0 >/proc/sys/kernel/ctrl-alt-del
        echo ready for the keys; for i in $(seq 200); do sleep 1; done";
    let machine = machine(script)?.ctrl_alt_delete_after("ready for the keys");
    let outcome = machine.run_as_pid_1("/tino", &command_line(&["--poweroff"]), None)?;
    ensure_line(&outcome, "got INT")?;
    ensure_powered_off(&outcome)
}

pub(crate) fn ends_what_is_left_before_it_powers_off() -> Result<()> {
    // A daemon that needs a moment to save its work; without --all it would be cut off.
    let script = "sh -c 'trap \"sleep 0.2; echo saved; exit\" TERM; touch /ready
        while :; do sleep 0.05; done' &
        for i in $(seq 1000); do [ -e /ready ] && exit; sleep 0.1; done";
    let outcome = boot(&["--poweroff", "--all", "--grace-ms=20000"], script)?;
    ensure_line(&outcome, "saved")?;
    ensure_powered_off(&outcome)
}

pub(crate) fn runs_without_proc() -> Result<()> {
    let outcome = boot(&["--poweroff"], "umount /proc; echo exists: /proc/*")?;
    ensure_line(&outcome, "exists: /proc/*")?;
    ensure_powered_off(&outcome)
}

pub(crate) fn without_poweroff_its_end_is_a_panic() -> Result<()> {
    let outcome = boot(&[], "echo ending; exit 5")?;
    ensure_line(&outcome, "ending")?;
    ensure!(outcome.ending == Ending::Reset, "{:?}", outcome.ending);
    let expected = "Attempted to kill init! exitcode=0x00000500";
    ensure!(outcome.console.contains(expected), "{}", outcome.console);
    Ok(())
}

pub(crate) fn runs_a_job_with_everything_mounted() -> Result<()> {
    let machine = machine("")?;
    let job = Job::new(["/bin/sh", "-c", "cat /proc/1/comm; exit 9"]);
    let words = ["--poweroff", Machine::JOB_RUNNER];
    let outcome = machine.run_as_pid_1("/tino", &words, Some(job))?;
    ensure!(outcome.status == Some(Status::Exited(9)), "{outcome:?}");
    ensure!(outcome.stdout == b"tino\n", "{outcome:?}");
    ensure_powered_off(&outcome)
}
