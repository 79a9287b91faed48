//! `--format '{{.Id}}'`: the part of Go's templates that the users of Docker and Podman write.
//!
//! Fields, variables, pipelines, `if`, `with`, `range`, and the functions of [`functions`]. What
//! is no part of it is an error that says so, before anything is printed.

mod evaluate;
mod functions;
mod parse;
mod printf;
mod text;

#[cfg(test)]
mod tests;

use serde_json::Value;
use std::str::FromStr;

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateError(String);

impl std::fmt::Display for TemplateError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "template: {}", self.0)
    }
}

impl std::error::Error for TemplateError {}

fn error<T>(text: impl Into<String>) -> Result<T, TemplateError> {
    Err(TemplateError(text.into()))
}

/// A template that is well-formed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    nodes: Vec<Node>,
    text: String,
}

impl Template {
    /// Whether it may show a field: one that takes long to find out is only asked for then.
    pub(crate) fn mentions(&self, field: &str) -> bool {
        self.text.contains(field)
    }

    /// The text for a value.
    pub(crate) fn render(&self, value: &Value) -> Result<String, TemplateError> {
        evaluate::render(&self.nodes, value)
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    /// As Docker does it, `\t` and `\n` outside of the braces are a tab and a new line.
    fn from_str(text: &str) -> Result<Template, TemplateError> {
        Ok(Template { nodes: parse::parse(text)?, text: text.to_owned() })
    }
}

/// How it goes on within `{{range}}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// With what follows.
    On,
    /// With the next item.
    Continue,
    /// Behind the end.
    Break,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// As it is.
    Text(String),
    /// What a pipeline gives.
    Show(Pipeline),
    /// `{{$name := pipeline}}`.
    Set(String, Pipeline),
    /// `{{$name = pipeline}}`, of a variable that is there.
    Change(String, Pipeline),
    /// `{{break}}` and `{{continue}}`.
    Leave(Flow),
    /// `{{if}}`: the first part if the value says something, or else the second.
    If(Pipeline, Vec<Node>, Vec<Node>),
    /// `{{with}}`: the same, with the value as the dot.
    With(Pipeline, Vec<Node>, Vec<Node>),
    /// `{{range}}`.
    Range(Range),
}

/// `{{range $key, $value := pipeline}}`.
#[derive(Clone, Debug, PartialEq)]
struct Range {
    key: Option<String>,
    value: Option<String>,
    over: Pipeline,
    body: Vec<Node>,
    otherwise: Vec<Node>,
}

/// Commands, each of which gets what the one before gives as its last argument.
type Pipeline = Vec<Command>;

/// A function with its arguments, or one value.
#[derive(Clone, Debug, PartialEq)]
struct Command {
    function: Option<String>,
    operands: Vec<Operand>,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
struct Operand {
    base: Base,
    fields: Vec<String>,
}

impl Operand {
    /// `.Label`, which is asked for one: `.Label "name"`.
    fn is_label(&self) -> bool {
        self.fields.last().is_some_and(|name| name == "Label")
    }
}

/// Where fields begin.
#[derive(Clone, Debug, PartialEq)]
enum Base {
    /// `.`
    Dot,
    /// `$` or `$name`; the former has an empty name.
    Variable(String),
    /// `"text"`, `12`, `true`.
    Literal(Value),
    /// `(index . 0)`.
    Pipeline(Pipeline),
}
