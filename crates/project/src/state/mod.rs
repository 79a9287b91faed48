//! `state.yaml`: one service in its smallest form, or several with names.
//!
//! ```yaml
//! container: alpine            services:
//! port: 8080                     web: {image: nginx, port: "8080:80", depends-on: [db]}
//! mounts:                        db:  {image: postgres, mounts: [{source: data, target: /data}]}
//!   - {source: ., target: /srv}
//! ```

mod given;
mod health;
mod limits;
mod mounts;
mod needs;
mod service;

use crate::error::{FileError, Position};
use crate::fields::{Fields, Item};
use crate::model::{self, Project, ProjectError, Service};
use crate::yaml::{self, Node, Value};
use given::Given;
pub(crate) use service::pairs;
use std::path::Path;

/// What a file does not say.
#[derive(Clone, Copy, Debug)]
pub struct Defaults<'a> {
    /// The project's name, whatever the file says.
    pub name: Option<&'a str>,
    /// The last part of the folder, of which a name is made where there is none.
    pub folder_name: &'a str,
    /// Where relative paths begin; absolute.
    pub folder: &'a Path,
    /// The caller's variables.
    pub environment: fn(&str) -> Option<String>,
}

const EXPECTED: &str = "a mapping such as \"container: IMAGE\", or one with \"services:\"";

/// Reads a `state.yaml`.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse(bytes: &[u8], defaults: Defaults<'_>) -> Result<Project, FileError> {
    let top = yaml::parse(bytes)?.ok_or_else(|| FileError {
        position: Position { line: 1, column: 1 },
        field: String::new(),
        message: format!("found nothing, expected {EXPECTED}"),
    })?;
    read(&top, defaults, false)
}

/// What a tree says; whether it was a Compose file.
pub(crate) fn read(
    top: &Node,
    defaults: Defaults<'_>,
    is_compose: bool,
) -> Result<Project, FileError> {
    let top = Item::top(top);
    let mut fields = top.fields(EXPECTED)?;
    let named = fields.take("name");
    let in_file = named.as_ref().map(|item| item.text("the project's name")).transpose()?;
    let name = defaults.name.or(in_file).map(str::to_owned);
    let name = name.unwrap_or_else(|| project_name(defaults.folder_name));
    let services = fields.take("services");
    let all = match &services {
        Some(services) => {
            let given = Given::read(&mut fields, &name, defaults, is_compose)?;
            fields.finish()?;
            several(services, &given)?
        }
        None => {
            let given = Given::nothing(&name, defaults);
            let service = service::read(&mut fields, &top, &name, &given)?;
            fields.finish()?;
            vec![service]
        }
    };
    let places = |error: &ProjectError| place_of(error, services.as_ref(), named.as_ref(), &top);
    Project::new(name, all).map_err(|error| {
        let (position, field) = places(&error);
        let missing = "; say which with \"name: NAME\"";
        let advice = match &error {
            ProjectError::Name(_) if named.is_none() && services.is_none() => missing,
            _ => "",
        };
        FileError { position, field, message: format!("{error}{advice}") }
    })
}

/// What a folder's name makes of the name of a project.
fn project_name(folder: &str) -> String {
    let letters = folder.chars().map(|it| it.to_ascii_lowercase());
    let kept: String =
        letters.filter(|it| it.is_ascii_alphanumeric() || "_-".contains(*it)).collect();
    kept.trim_start_matches(['_', '-']).chars().take(63).collect()
}

fn several(services: &Item<'_>, given: &Given<'_>) -> Result<Vec<Service>, FileError> {
    const EXPECTED: &str = "services by their names, such as \"web: {image: IMAGE}\"";
    let entries = services.map(EXPECTED)?;
    if entries.is_empty() {
        return Err(services.expected(EXPECTED));
    }
    let mut all = Vec::new();
    for (key, item) in entries {
        let mut fields: Fields<'_> = item.fields("a mapping with \"image: IMAGE\"")?;
        if !model::is_name(&key.text) {
            let message = ProjectError::Name(key.text.clone()).to_string();
            return Err(FileError {
                position: key.position,
                field: services.path.clone(),
                message,
            });
        }
        let service = service::read(&mut fields, &item, &key.text, given)?;
        fields.finish()?;
        all.push(service);
    }
    Ok(all)
}

/// Where the file says what is wrong.
fn place_of(
    error: &ProjectError,
    services: Option<&Item<'_>>,
    named: Option<&Item<'_>>,
    top: &Item<'_>,
) -> (Position, String) {
    let (service, need) = match error {
        ProjectError::Unknown { service, need } => (service, need),
        ProjectError::Circle(circle) => (&circle[0], &circle[1]),
        ProjectError::Twice(_) | ProjectError::Name(_) | ProjectError::Many(_) => {
            let item = named.unwrap_or(top);
            return (item.position(), item.path.clone());
        }
    };
    let entries = services.map(|it| it.map("").unwrap_or_default()).unwrap_or_default();
    let item = match entries.into_iter().find(|(key, _)| key.text == *service) {
        Some((_, item)) => item,
        // The only one, which has no name.
        None => top.clone(),
    };
    let needs = item.fields("").ok().and_then(|mut fields| fields.take("depends-on"));
    needs.map_or((item.position(), item.path.clone()), |needs| place_of_need(&needs, need))
}

fn place_of_need(needs: &Item<'_>, need: &str) -> (Position, String) {
    match &needs.node.value {
        Value::List(items) => {
            let is_it = |text: &Value| matches!(text, Value::Text(text) if text == need);
            let found = items.iter().find(|it| is_it(&it.value));
            (found.map_or(needs.position(), |it| it.position), needs.path.clone())
        }
        Value::Map(entries) => {
            let found = entries.iter().find(|(key, _)| key.text == need);
            (found.map_or(needs.position(), |(key, _)| key.position), needs.path.clone())
        }
        _ => (needs.position(), needs.path.clone()),
    }
}

#[cfg(test)]
mod tests;
