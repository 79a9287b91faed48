//! The results as a table for people and as JSON for programs.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use crate::contestant::Contestant;
use crate::rounds::Outcome;

/// One line of the table.
#[derive(Debug)]
pub struct Measure {
    /// What was measured, unit included.
    pub name: &'static str,
    /// Digits after the point.
    pub digits: usize,
    /// In the order of the contestants.
    pub outcomes: Vec<Outcome>,
}

/// The results of one benchmark. The first contestant is ours: ratios are to it.
#[derive(Debug)]
pub struct Report {
    /// The benchmark.
    pub name: &'static str,
    /// How often each contestant had its turn.
    pub rounds: usize,
    /// The columns.
    pub contestants: Vec<Contestant>,
    /// The lines.
    pub measures: Vec<Measure>,
    /// Printed below: how it was measured.
    pub notes: Vec<String>,
}

impl Report {
    /// Prints a line as soon as it is known: some take minutes.
    pub fn add(&mut self, name: &'static str, digits: usize, outcomes: Vec<Outcome>) {
        eprintln!("bench {}: {name}", self.name);
        self.measures.push(Measure { name, digits, outcomes });
    }

    /// The table, with the ratio to the first contestant behind each number of the others.
    #[must_use]
    pub fn table(&self) -> String {
        let mut lines = vec![vec![String::new()]];
        lines[0].extend(self.contestants.iter().map(|it| it.name.clone()));
        for measure in &self.measures {
            let mut line = vec![measure.name.to_owned()];
            line.extend((0..measure.outcomes.len()).map(|column| cell(measure, column)));
            lines.push(line);
        }
        let mut text = align(&lines);
        text.extend(self.failures().iter().chain(&self.notes).map(|note| format!("{note}\n")));
        text
    }

    /// Writes the JSON and makes its folder.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(&self.json())? + "\n";
        fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }

    fn json(&self) -> Value {
        let measure = |measure: &Measure| {
            let values = self.contestants.iter().enumerate().map(|(column, contestant)| {
                let value = match &measure.outcomes[column] {
                    Ok(median) => json!({ "median": median, "ratio": ratio(measure, column) }),
                    Err(reason) => json!({ "skipped": reason }),
                };
                (contestant.name.clone(), value)
            });
            json!({ "measure": measure.name, "results": values.collect::<Map<_, _>>() })
        };
        json!({
            "benchmark": self.name,
            "rounds": self.rounds,
            "ratio_to": self.contestants.first().map(|it| &it.name),
            "measures": self.measures.iter().map(measure).collect::<Vec<_>>(),
        })
    }

    /// Why cells of the table are empty: each reason once, with all that it holds for.
    fn failures(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (column, contestant) in self.contestants.iter().enumerate() {
            let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
            for measure in &self.measures {
                let Err(reason) = &measure.outcomes[column] else { continue };
                match reasons.iter_mut().find(|(known, _)| known == reason) {
                    Some((_, measures)) => measures.push(measure.name),
                    None => reasons.push((reason, vec![measure.name])),
                }
            }
            lines.extend(reasons.into_iter().map(|(reason, measures)| {
                let of_all = measures.len() == self.measures.len();
                let what = if of_all { "all".to_owned() } else { measures.join("; ") };
                format!("{}, {what}: {reason}", contestant.name)
            }));
        }
        lines
    }
}

fn ratio(measure: &Measure, column: usize) -> Option<f64> {
    match (measure.outcomes.first(), &measure.outcomes[column]) {
        (Some(Ok(ours)), Ok(theirs)) if *ours > 0.0 => Some(theirs / ours),
        _ => None,
    }
}

fn cell(measure: &Measure, column: usize) -> String {
    let Ok(value) = &measure.outcomes[column] else { return "-".to_owned() };
    let number = with_separators(&format!("{value:.*}", measure.digits));
    match ratio(measure, column) {
        Some(ratio) if column > 0 => format!("{number} ({ratio:.2}x)"),
        _ => number,
    }
}

/// `1234567.8` as `1,234,567.8`.
fn with_separators(number: &str) -> String {
    let (whole, fraction) = number.split_at(number.find('.').unwrap_or(number.len()));
    let mut text = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

/// The first column to the left, the others to the right.
fn align(lines: &[Vec<String>]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        text += &format!("{:<1$}", line[0], widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            text += &format!("  {cell:>width$}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let at = |name: &str, path: Option<&str>| Contestant {
            name: name.into(),
            path: path.map(Into::into),
        };
        Report {
            name: "test",
            rounds: 1,
            contestants: vec![at("ours", Some("/a")), at("theirs", Some("/b")), at("absent", None)],
            measures: vec![Measure {
                name: "bytes",
                digits: 0,
                outcomes: vec![Ok(1000.0), Ok(2500.0), Err("not installed".into())],
            }],
            notes: vec!["a note".into()],
        }
    }

    #[test]
    fn the_table_is_aligned_and_says_what_is_absent() {
        let expected = "        ours         theirs  absent\n\
                        bytes  1,000  2,500 (2.50x)       -\n\
                        absent, all: not installed\na note\n";
        assert_eq!(report().table(), expected);
    }

    #[test]
    fn the_json_has_medians_and_ratios() {
        let results = &report().json()["measures"][0]["results"];
        assert_eq!(results["theirs"], json!({ "median": 2500.0, "ratio": 2.5 }));
        assert_eq!(results["absent"], json!({ "skipped": "not installed" }));
    }

    #[test]
    fn separators() {
        assert_eq!(with_separators("1234567.8"), "1,234,567.8");
        assert_eq!(with_separators("123"), "123");
    }
}
