//! `cargo xtask bench init`: `tino` against the inits that Debian has.

mod measure;

use anyhow::{Result, ensure};

use crate::contestant::Contestant;
use crate::gate::Role;
use crate::options::Options;
use crate::report::Report;
use crate::rounds::{alternate, median};

pub use measure::{idle_memory, idle_wake_ups, instructions, reap, start_time, syscalls};

/// Counts that hardly vary need no more turns than this.
const FEW_ROUNDS: usize = 5;

/// Orphans per contestant, spread over the rounds.
const ORPHANS: u64 = 100_000;

/// Measures all, prints the table on standard output and writes the JSON.
pub fn init(options: &Options) -> Result<()> {
    let actor = options.actor();
    ensure!(actor.is_file(), "{} is missing: cargo build --release -p benches", actor.display());
    let ours = Contestant::at("tino", options.release.join("tino"));
    ensure!(ours.path.is_some(), "tino is missing: cargo build --release -p tino");
    let report = measured(options, contestants(ours, options));
    print!("{}", report.table());
    report.write_json(&options.json)?;
    println!("JSON: {}", options.json.display());
    Ok(())
}

fn contestants(ours: Contestant, options: &Options) -> Vec<Contestant> {
    let peers = ["tini", "tini-static", "dumb-init", "catatonit"].map(Contestant::installed);
    let also = options.also.iter().map(|(name, path)| Contestant::at(name, path.clone()));
    [ours].into_iter().chain(peers).chain(also).collect()
}

fn measured(options: &Options, contestants: Vec<Contestant>) -> Report {
    let (actor, rounds) = (options.actor(), options.rounds);
    let few = rounds.min(FEW_ROUNDS);
    let all = contestants.clone();
    let mut report =
        Report { name: "init", rounds, contestants, measures: Vec::new(), notes: notes(rounds) };

    let bytes = alternate(&all, 1, |init| Ok(std::fs::metadata(init)?.len() as f64));
    report.add("bytes on disk", 0, bytes);
    let rss = alternate(&all, few, |init| Ok(idle_memory(&actor, init)?.rss as f64));
    report.add("RSS, kB", 0, rss);
    let pss = alternate(&all, few, |init| Ok(idle_memory(&actor, init)?.pss as f64));
    report.add("PSS, kB", 0, pss);
    for (name, role) in [
        ("system calls to execve, PID 1", Role::First),
        ("system calls to execve, not PID 1", Role::Ordinary),
    ] {
        report.add(name, 0, alternate(&all, few, |init| Ok(syscalls(&actor, init, role)? as f64)));
    }
    report.add("wake-ups in 5 s", 0, idle_wake_ups(&actor, &all));
    let steps = alternate(&all, few.min(3), |init| Ok(instructions(&actor, init)? as f64));
    report.add("instructions, user", 0, steps);
    report.add("start to end, us", 1, alternate(&all, rounds, start_time));
    add_reaping(&mut report, options, &all);
    report
}

fn add_reaping(report: &mut Report, options: &Options, all: &[Contestant]) {
    let count = ORPHANS.div_ceil(options.rounds as u64);
    let mut processor: Vec<(std::path::PathBuf, f64)> = Vec::new();
    let rate = alternate(all, options.rounds, |init| {
        let reaped = reap(&options.actor(), init, count)?;
        processor.push((init.to_owned(), reaped.processor_ns as f64 / count as f64));
        Ok(count as f64 / (reaped.wall_ns as f64 / 1e9))
    });
    let time = all.iter().zip(&rate).map(|(contestant, rate)| {
        let own = processor.iter().filter(|(init, _)| Some(init) == contestant.path.as_ref());
        rate.clone().map(|_| median(own.map(|(_, sample)| *sample).collect()))
    });
    let time = time.collect();
    report.add("orphans reaped a second", 0, rate);
    report.add("own time for each, ns", 0, time);
}

fn notes(rounds: usize) -> Vec<String> {
    vec![
        format!(
            "Medians of {rounds} rounds, turn by turn (counts: {FEW_ROUNDS}); in brackets the ratio to tino."
        ),
        "Memory and wake-ups: PID 1 of a PID namespace, supervising `sleep`.".to_owned(),
        "System calls: from the init's first instruction to the child's execve, on the way there."
            .to_owned(),
        "Instructions: single steps of the init itself from start to end, supervising `true`."
            .to_owned(),
        "Start to end: spawn, `true`, exit; not PID 1.".to_owned(),
        format!(
            "Orphans: {ORPHANS} in all, as PID 1; the rate is bounded by the process that makes them."
        ),
    ]
}
