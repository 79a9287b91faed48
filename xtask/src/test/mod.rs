//! `cargo xtask test`: every tier of tests behind one command.

mod machine;
mod packages;
mod report;
mod tiers;

use anyhow::{Result, bail};
use lexopt::Arg::{Long, Value};
use lexopt::{Parser, ValueExt};
use report::Report;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;
use tiers::{TIERS, Tier};

const USAGE: &str = "\
cargo xtask test [TIER...] [--filter TEXT] [--fuzz-seconds N]

Runs the tests whose names contain TEXT, in these tiers (all by default):
";

struct Options {
    tiers: Vec<&'static Tier>,
    choice: tiers::Choice,
}

pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let Some(options) = parse(arguments)? else {
        print!("{USAGE}");
        TIERS.iter().for_each(|tier| println!("  {:7} {}", tier.name, tier.about));
        return Ok(ExitCode::SUCCESS);
    };
    let mut report = Report::default();
    let tiers = packages::provide(&options.tiers)?;
    for together in tiers.chunk_by(|_, (tier, _)| tier.beside) {
        let run = |it: &(&Tier, Vec<&str>)| run_tier(it.0, &it.1, &options.choice);
        std::thread::scope(|scope| {
            let running: Vec<_> = together.iter().map(|it| scope.spawn(move || run(it))).collect();
            running.into_iter().for_each(|tier| report.add(tier.join().expect("no panic")));
        });
    }
    report.print();
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_tier(tier: &Tier, missing: &[&str], choice: &tiers::Choice) -> Report {
    println!("\n== {}: {}", tier.name, tier.about);
    let (mut report, begun) = (Report::default(), Instant::now());
    if tier.needs_packages && !missing.is_empty() {
        report.skip(tier.name, &format!("needs root on Debian, or: {}", missing.join(" ")));
    } else if let Err(error) = (tier.run)(choice, &mut report) {
        report.fail(tier.name, &format!("{error:#}"));
    }
    println!("== {}: {} s", tier.name, begun.elapsed().as_secs());
    report
}

/// `None` when help was asked for.
fn parse(arguments: Vec<OsString>) -> Result<Option<Options>> {
    let mut tiers = Vec::new();
    let mut choice = tiers::Choice { filter: None, fuzz_seconds: 10 };
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") => return Ok(None),
            Long("filter") => choice.filter = Some(parser.value()?.string()?),
            Long("fuzz-seconds") => choice.fuzz_seconds = parser.value()?.parse()?,
            Value(word) => match TIERS.iter().find(|tier| word == tier.name) {
                Some(tier) => tiers.push(tier),
                None => bail!("{} is not a tier; see cargo xtask test --help", word.display()),
            },
            other => return Err(other.unexpected().into()),
        }
    }
    if tiers.is_empty() {
        tiers = TIERS.iter().collect();
    }
    Ok(Some(Options { tiers, choice }))
}
