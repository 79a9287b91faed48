//! `env_file` and `environment` of a service.

use super::dotenv;
use super::tree::{Entries, add, at, take};
use super::variables::Lookup;
use crate::error::FileError;
use crate::fields::Item;
use crate::yaml::{Node, Value};
use std::io::ErrorKind;
use std::path::Path;

/// Adds the variables of files, before which those of the service itself count.
pub(super) fn with_files(
    fields: &mut Entries,
    folder: &Path,
    value: Lookup<'_>,
) -> Result<(), FileError> {
    let Some(files) = take(fields, "env-file") else { return Ok(()) };
    add_all(fields, &variables_of(&files, folder, value)?);
    Ok(())
}

/// What is in files of variables, one in each node.
fn variables_of(files: &Node, folder: &Path, value: Lookup<'_>) -> Result<Vec<Node>, FileError> {
    const EXPECTED: &str = "a file with a variable a line, or a list of them";
    let mut all = Vec::new();
    let files = Item { node: files, path: "env_file".to_owned() };
    for item in files.list(EXPECTED)? {
        let (mut path, mut is_required, mut is_raw) = (item.clone(), true, false);
        if item.is_map() {
            let mut fields = item.fields(EXPECTED)?;
            path = fields.take("path").ok_or_else(|| item.expected("\"path: FILE\""))?;
            is_required = fields.take("required").map_or(Ok(true), |item| item.boolean())?;
            if let Some(item) = fields.take("format") {
                is_raw = item.parsed("raw", |text| (text == "raw").then_some(true))?;
            }
            fields.finish()?;
        }
        let path = folder.join(path.text(EXPECTED)?);
        let wrong = |what: String| item.wrong(format!("{}: {what}", path.display()));
        let text = match std::fs::read_to_string(&path) {
            Err(error) if !is_required && error.kind() == ErrorKind::NotFound => continue,
            text => text.map_err(|error| wrong(error.to_string()))?,
        };
        let lines = match is_raw {
            true => engine::value::env_lines(&text),
            false => dotenv::read(&text, value),
        };
        all.extend(lines.map_err(wrong)?.into_iter().map(|line| at(item.node, line)));
    }
    Ok(all)
}

fn add_all(fields: &mut Entries, of_files: &[Node]) {
    let own = take(fields, "environment");
    let position = own.as_ref().or(of_files.first()).map(|it| it.position);
    let mut all = of_files.to_vec();
    match own.map(|node| node.value) {
        Some(Value::List(items)) => all.extend(items),
        Some(Value::Map(entries)) => all.extend(entries.into_iter().map(|(key, node)| {
            match &node.value {
                Value::Nothing => at(&node, key.text),
                Value::Text(text) => at(&node, format!("{}={text}", key.text)),
                // What is wrong there is said by who reads it.
                Value::List(_) | Value::Map(_) => node,
            }
        })),
        Some(value @ (Value::Nothing | Value::Text(_))) => {
            all.extend(position.map(|position| Node { position, value }));
        }
        None => {}
    }
    if let Some(position) = position {
        add(fields, "environment", Node { position, value: Value::List(all) });
    }
}
