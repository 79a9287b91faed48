//! What all tiers together found, read from the lines that the test programs print.

/// Counts, and a line for everything that did not pass.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    passed: usize,
    failed: usize,
    skipped: usize,
    failures: Vec<String>,
    reasons: Vec<String>,
}

impl Report {
    pub(super) fn pass(&mut self) {
        self.passed += 1;
    }

    pub(super) fn fail(&mut self, name: &str, reason: &str) {
        println!("{name}: FAILED: {reason}");
        self.failed += 1;
        self.failures.push(format!("{name}: {reason}"));
    }

    pub(super) fn skip(&mut self, name: &str, reason: &str) {
        println!("{name}: skipped: {reason}");
        self.skipped += 1;
        self.reasons.push(format!("{name}: {reason}"));
    }

    /// Takes what another one has.
    pub(super) fn add(&mut self, other: Report) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
        self.reasons.extend(other.reasons);
    }

    pub(super) fn is_success(&self) -> bool {
        self.failed == 0
    }

    /// Takes what a program with our own test harness printed. Its exit status counts too: a
    /// program that died half-way has not passed.
    pub(super) fn add_harness(&mut self, tier: &str, output: &str, success: bool) {
        let before = self.failed;
        for (name, verdict) in verdicts(output) {
            match verdict.split_once(": ") {
                _ if verdict == "ok" => self.passed += 1,
                Some(("skipped", reason)) => {
                    self.skipped += 1;
                    self.reasons.push(format!("{tier}: {name}: {reason}"));
                }
                _ => {
                    self.failed += 1;
                    self.failures.push(format!("{tier}: {name}"));
                }
            }
        }
        if !success && self.failed == before {
            self.fail(tier, "the test program failed without naming a test");
        }
        let summary = output.lines().next_back().unwrap_or_default();
        if success && !(summary.contains(" passed, ") && summary.ends_with(" skipped")) {
            self.fail(tier, "the test program ended without a summary");
        }
    }

    /// Takes what `cargo test` printed.
    pub(super) fn add_libtest(&mut self, tier: &str, output: &str, success: bool) {
        let before = self.failed;
        for line in output.lines().filter(|line| line.starts_with("test result: ")) {
            self.passed += number_before(line, " passed");
            self.failed += number_before(line, " failed");
            self.skipped += number_before(line, " ignored");
        }
        for (name, verdict) in verdicts(output) {
            if let Some(rest) = verdict.strip_prefix("ignored") {
                let reason = rest.strip_prefix(", ").unwrap_or("no reason given");
                self.reasons.push(format!("{tier}: {name}: {reason}"));
            } else if verdict != "ok" {
                self.failures.push(format!("{tier}: {name}"));
            }
        }
        if !success && self.failed == before {
            self.fail(tier, "cargo test failed, but no test did: see above");
        }
    }

    /// Reasons, failures, and the counts as the last line.
    pub(super) fn print(&self) {
        for (title, lines) in [("skipped", &self.reasons), ("failed", &self.failures)] {
            if !lines.is_empty() {
                println!("\n{title}:");
                lines.iter().for_each(|line| println!("  {line}"));
            }
        }
        println!("\n{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
    }
}

/// Lines `test NAME ... VERDICT`.
fn verdicts(output: &str) -> impl Iterator<Item = (&str, &str)> {
    output.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "))
}

fn number_before(line: &str, word: &str) -> usize {
    let before = line.split_once(word).map_or("", |(before, _)| before);
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn harness_lines_are_counted_and_named() {
        let output = "test a::b ... ok\ntest a::c ... skipped: no: pty\nnoise\n\
            test a::d ... FAILED\n1 passed, 1 failed, 1 skipped\n";
        let mut report = Report::default();
        report.add_harness("e2e", output, false);
        assert_eq!((report.passed, report.failed, report.skipped), (1, 1, 1));
        assert_eq!(report.reasons, ["e2e: a::c: no: pty"]);
        assert_eq!(report.failures, ["e2e: a::d"]);
    }

    #[test]
    fn a_program_that_dies_is_a_failure() {
        for (output, success) in [("test a ... ok\n", true), ("", false), ("0 passed, 0", true)] {
            let mut report = Report::default();
            report.add_harness("e2e", output, success);
            assert_eq!(report.failed, 1, "{output:?}");
        }
    }

    #[test]
    fn results_of_cargo_test_add_up() {
        let output = "test x ... ok\ntest y ... FAILED\ntest z ... ignored, slow\n\
            test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n\
            test result: ok. 20 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let mut report = Report::default();
        report.add_libtest("unit", output, false);
        assert_eq!((report.passed, report.failed, report.skipped), (21, 1, 1));
        assert_eq!(report.reasons, ["unit: z: slow"]);
        assert_eq!(report.failures, ["unit: y"]);
    }

    #[test]
    fn a_build_error_is_a_failure() {
        let mut report = Report::default();
        report.add_libtest("unit", "", false);
        assert_eq!(report.failed, 1);
    }
}
