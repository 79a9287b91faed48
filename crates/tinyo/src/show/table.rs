//! Columns for people.

use super::print_line;
use anyhow::Result;

/// Prints rows under a heading. Each column is as wide as its widest text; the last one is not
/// filled up.
pub(crate) fn print_table(heading: &[&str], rows: &[Vec<String>]) -> Result<()> {
    lines(heading, rows).iter().try_for_each(|line| print_line(line))
}

fn lines(heading: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let heading: Vec<_> = heading.iter().map(|text| (*text).to_owned()).collect();
    let all = || std::iter::once(&heading).chain(rows);
    let width = |column: usize| {
        all().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..heading.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    all().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(lines(&["ONE", "TWO"], &rows), ["ONE    TWO", "a      b", "long"]);
    }
}
