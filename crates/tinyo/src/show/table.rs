//! Columns for people.

use super::{print_line, visible};
use anyhow::Result;

/// Prints rows under a heading. Each column is as wide as its widest text; the last one is not
/// filled up.
pub(crate) fn print_table(heading: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let heading: Vec<_> = heading.iter().map(|text| (*text).to_owned()).collect();
    print_rows(&[&[heading], rows].concat())
}

/// The same without a heading.
pub(crate) fn print_rows(rows: &[Vec<String>]) -> Result<()> {
    lines(rows).iter().try_for_each(|line| print_line(line))
}

fn lines(rows: &[Vec<String>]) -> Vec<String> {
    let shown = |text: &String| visible(text, || true).replace('\n', "\\n").replace('\t', "\\t");
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|text| text.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows =
            [["ONE", "TWO"], ["a", "b"], ["long", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(lines(&rows), ["ONE    TWO", "a      b", "long"]);
    }

    #[test]
    fn a_cell_is_one_line_and_commands_no_terminal() {
        let row = vec!["\u{1b}[2J\r".to_owned(), "two\nlines\u{9b}m".to_owned()];
        assert_eq!(lines(&[row]), ["\\u{1b}[2J\\r   two\\nlines\\u{9b}m"]);
    }
}
