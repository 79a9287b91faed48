//! What the runner prints: a line for each trial, then those that took longest, the failures and
//! skips, then the counts.

use std::process::ExitCode;
use std::time::Duration;

/// How many of those that took longest are named.
const SLOWEST: usize = 10;

/// How a skipped trial hands its reason to the runner: a line of its output begins like this.
pub(crate) const SKIP_MARK: &str = "skipped: ";

/// The fate of one trial.
pub(crate) enum Verdict {
    Passed,
    /// With everything that the trial printed.
    Failed(String),
    /// With the reason.
    Skipped(String),
}

/// The fates so far.
#[derive(Default)]
pub(crate) struct Report {
    passed: usize,
    failures: Vec<&'static str>,
    skips: Vec<(&'static str, String)>,
    times: Vec<(Duration, &'static str)>,
}

impl Report {
    pub(crate) fn add(&mut self, name: &'static str, took: Duration, verdict: Verdict) {
        self.times.push((took, name));
        match verdict {
            Verdict::Passed => {
                println!("test {name} ... ok");
                self.passed += 1;
            }
            Verdict::Failed(output) => {
                println!("test {name} ... FAILED");
                output.lines().for_each(|line| println!("    {line}"));
                self.failures.push(name);
            }
            Verdict::Skipped(reason) => {
                println!("test {name} ... skipped: {reason}");
                self.skips.push((name, reason));
            }
        }
    }

    /// Prints the lists; the last line is the one that other programs read.
    pub(crate) fn finish(mut self) -> ExitCode {
        self.times.sort_unstable();
        println!("\nslowest:");
        for (took, name) in self.times.iter().rev().take(SLOWEST) {
            println!("    {name}: {:.1} s", took.as_secs_f64());
        }
        if !self.failures.is_empty() {
            println!("\nfailures:");
            self.failures.iter().for_each(|name| println!("    {name}"));
        }
        if !self.skips.is_empty() {
            println!("\nskipped:");
            self.skips.iter().for_each(|(name, reason)| println!("    {name}: {reason}"));
        }
        let failed = self.failures.len();
        println!("\n{} passed, {failed} failed, {} skipped", self.passed, self.skips.len());
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
