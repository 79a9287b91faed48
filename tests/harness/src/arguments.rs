//! The command line of a test program.

use std::path::PathBuf;
use std::time::Duration;

/// Shown after a mistake on the command line.
pub(crate) const USAGE: &str =
    "usage: [FILTER...] [--exact] [--list] [--jobs N] [--time-limit SECONDS] [--begun FILE]";

/// Which of the three processes this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    List,
    Runner,
    Guard,
    Trial,
}

/// The parsed command line.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) part: Part,
    pub(crate) filters: Vec<String>,
    pub(crate) exact: bool,
    pub(crate) jobs: usize,
    pub(crate) time_limit: Duration,
    /// Gets the name of each trial as it begins: if the whole machine stops, it knows with what.
    pub(crate) begun: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self {
            part: Part::Runner,
            filters: Vec::new(),
            exact: false,
            jobs: 2,
            time_limit: Duration::from_secs(300),
            begun: None,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--list" => arguments.part = Part::List,
                "--guarded" => arguments.part = Part::Guard,
                "--in-process" => arguments.part = Part::Trial,
                "--exact" => arguments.exact = true,
                "--begun" => {
                    let file = words.next().ok_or_else(|| format!("{word} needs a file"))?;
                    arguments.begun = Some(file.into());
                }
                "--jobs" => arguments.jobs = positive(&word, words.next())?,
                "--time-limit" => {
                    let seconds = positive(&word, words.next())?;
                    arguments.time_limit = Duration::from_secs(seconds as u64);
                }
                _ if word.starts_with('-') => return Err(format!("unknown option {word}")),
                _ => arguments.filters.push(word),
            }
        }
        Ok(arguments)
    }

    /// Without a filter every trial is wanted; with some, one of them must fit.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let fits =
            |filter: &String| if self.exact { name == filter } else { name.contains(filter) };
        self.filters.is_empty() || self.filters.iter().any(fits)
    }
}

fn positive(option: &str, value: Option<String>) -> Result<usize, String> {
    let value = value.ok_or_else(|| format!("{option} needs a number"))?;
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{option} {value}: not a number above 0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, String> {
        Arguments::parse(words.iter().map(ToString::to_string))
    }

    #[test]
    fn filters_select_by_part_of_the_name_or_exactly() {
        let part = parse(&["signals"]).unwrap();
        assert!(part.wants("tino::signals::all") && !part.wants("tino::exec::all"));
        let exact = parse(&["--exact", "signals"]).unwrap();
        assert!(exact.wants("signals") && !exact.wants("signals::all"));
        assert!(parse(&[]).unwrap().wants("anything"));
    }

    #[test]
    fn mistakes_name_the_option() {
        assert_eq!(parse(&["--jobs", "0"]).unwrap_err(), "--jobs 0: not a number above 0");
        assert_eq!(parse(&["--time-limit"]).unwrap_err(), "--time-limit needs a number");
        assert_eq!(parse(&["--fast"]).unwrap_err(), "unknown option --fast");
    }
}
