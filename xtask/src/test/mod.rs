//! `cargo xtask test`: every tier of tests behind one command.

mod packages;
mod report;
mod tiers;

use anyhow::{Result, bail};
use lexopt::Arg::{Long, Value};
use lexopt::{Parser, ValueExt};
use report::Report;
use std::ffi::OsString;
use std::process::ExitCode;
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
    for (tier, missing) in packages::provide(&options.tiers)? {
        println!("\n== {}: {}", tier.name, tier.about);
        if tier.needs_packages && !missing.is_empty() {
            report.skip(tier.name, &format!("needs root on Debian, or: {}", missing.join(" ")));
        } else if let Err(error) = (tier.run)(&options.choice, &mut report) {
            report.fail(tier.name, &format!("{error:#}"));
        }
    }
    report.print();
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
