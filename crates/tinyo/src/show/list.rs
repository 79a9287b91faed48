//! `--format` of lists: a table, JSON, or a template for each line.

use super::{print_line, print_table};
use crate::template::{Template, TemplateError};
use anyhow::{Result, bail};
use serde_json::{Map, Value};
use std::str::FromStr;

/// How a list is printed.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) enum ListFormat {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// A line for each thing.
    Lines(Template),
    /// The same in columns, which tabs are between, and a heading.
    Columns(Template),
}

impl ListFormat {
    /// Whether a template may show this: what takes its time is only found out then, and what only
    /// templates show is in no JSON.
    pub(crate) fn mentions(&self, field: &str) -> bool {
        match self {
            ListFormat::Lines(template) | ListFormat::Columns(template) => template.mentions(field),
            ListFormat::Table | ListFormat::Json => false,
        }
    }
}

impl FromStr for ListFormat {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<ListFormat, TemplateError> {
        let columns = text.strip_prefix("table").map(str::trim_start);
        match (text, columns) {
            ("" | "table" | "text", _) => Ok(ListFormat::Table),
            ("json", _) => Ok(ListFormat::Json),
            (_, Some(template)) if text.starts_with("table ") || template.starts_with("{{") => {
                Ok(ListFormat::Columns(template.parse()?))
            }
            _ => Ok(ListFormat::Lines(text.parse()?)),
        }
    }
}

/// Prints records by a template. `headings` says of each field what stands above its column.
pub(crate) fn print_lines(template: &Template, records: &[Value]) -> Result<()> {
    for record in records {
        print_line(&template.render(record)?)?;
    }
    Ok(())
}

/// What `inspect` has found: as a whole in JSON, in a line where a program has asked for it, or by
/// a template.
pub(crate) fn print_details(format: Option<&ListFormat>, found: &[Value]) -> Result<()> {
    match format {
        // As in Docker and Podman, where the field has both names.
        Some(ListFormat::Lines(template)) if template.mentions(".ID") => {
            let mut found = found.to_vec();
            for record in &mut found {
                if record.get("ID").is_none() {
                    record["ID"] = record["Id"].clone();
                }
            }
            print_lines(template, &found)
        }
        Some(ListFormat::Lines(template)) => print_lines(template, found),
        Some(ListFormat::Columns(_)) => bail!("--format: there are no columns here"),
        Some(ListFormat::Json) => print_line(&serde_json::to_string(found)?),
        _ => print_line(&serde_json::to_string_pretty(found)?),
    }
}

/// The same in columns, with what stands above each field.
pub(crate) fn print_columns(
    template: &Template,
    headings: &[(&str, &str)],
    records: &[Value],
) -> Result<()> {
    let headings: Map<_, _> =
        headings.iter().map(|(field, text)| ((*field).to_owned(), Value::from(*text))).collect();
    let cells = |record: &Value| -> Result<Vec<String>> {
        Ok(template.render(record)?.split('\t').map(str::to_owned).collect())
    };
    let heading = cells(&Value::Object(headings))?;
    let rows = records.iter().map(cells).collect::<Result<Vec<_>>>()?;
    print_table(&heading.iter().map(String::as_str).collect::<Vec<_>>(), &rows)
}

#[cfg(test)]
#[test]
fn formats_are_told_apart() {
    let columns = ListFormat::Columns("{{.ID}}".parse().unwrap());
    for text in ["table {{.ID}}", "table{{.ID}}", "table  {{.ID}}"] {
        assert_eq!(text.parse(), Ok(columns.clone()), "{text}");
    }
    for text in ["", "table", "text"] {
        assert_eq!(text.parse(), Ok(ListFormat::Table), "{text}");
    }
    assert!(matches!("tables".parse(), Ok(ListFormat::Lines(_))));
}
