//! From nodes and a value to text.

use super::text::text_of;
use super::{Base, Command, Flow, Node, Operand, Pipeline, Range, TemplateError};
use super::{error, functions};
use serde_json::Value;

pub(super) fn render(nodes: &[Node], value: &Value) -> Result<String, TemplateError> {
    let mut scope = Scope {
        variables: vec![(String::new(), value.clone())],
        dot: value.clone(),
        output: String::new(),
    };
    match scope.all(nodes)? {
        Flow::On => Ok(scope.output),
        _ => error("{{break}} and {{continue}} are for {{range}}"),
    }
}

/// What names mean at some place.
struct Scope {
    /// The last one of a name counts. The whole value is that without a name.
    variables: Vec<(String, Value)>,
    dot: Value,
    output: String,
}

impl Scope {
    fn all(&mut self, nodes: &[Node]) -> Result<Flow, TemplateError> {
        for node in nodes {
            let flow = self.node(node)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node) -> Result<Flow, TemplateError> {
        match node {
            Node::Text(text) => self.output.push_str(text),
            Node::Show(pipeline) => {
                let value = self.pipeline(pipeline)?;
                self.output.push_str(&text_of(&value));
            }
            Node::Set(name, pipeline) => {
                let value = self.pipeline(pipeline)?;
                self.variables.push((name.clone(), value));
            }
            Node::Change(name, pipeline) => {
                let value = self.pipeline(pipeline)?;
                let mut variables = self.variables.iter_mut().rev();
                match variables.find(|(known, _)| known == name) {
                    Some((_, known)) => *known = value,
                    None => return error(format!("${name} is not set")),
                }
            }
            Node::Leave(flow) => return Ok(*flow),
            Node::If(condition, body, otherwise) => {
                let is_true = is_true(&self.pipeline(condition)?);
                return self.inside(None, None, if is_true { body } else { otherwise });
            }
            Node::With(value, body, otherwise) => {
                let value = self.pipeline(value)?;
                return if is_true(&value) {
                    self.inside(Some(value), None, body)
                } else {
                    self.inside(None, None, otherwise)
                };
            }
            Node::Range(range) => return self.range(range),
        }
        Ok(Flow::On)
    }

    /// Renders a block, with a dot and variables of its own.
    fn inside(
        &mut self,
        dot: Option<Value>,
        variables: impl IntoIterator<Item = (String, Value)>,
        nodes: &[Node],
    ) -> Result<Flow, TemplateError> {
        let before = self.variables.len();
        self.variables.extend(variables);
        let outer = dot.map(|dot| std::mem::replace(&mut self.dot, dot));
        let result = self.all(nodes);
        if let Some(outer) = outer {
            self.dot = outer;
        }
        self.variables.truncate(before);
        result
    }

    fn range(&mut self, range: &Range) -> Result<Flow, TemplateError> {
        let items: Vec<(Value, Value)> = match self.pipeline(&range.over)? {
            Value::Array(items) => {
                items.into_iter().enumerate().map(|(index, item)| (index.into(), item)).collect()
            }
            Value::Object(fields) => {
                fields.into_iter().map(|(name, value)| (name.into(), value)).collect()
            }
            Value::Null => Vec::new(),
            other => return error(format!("range cannot go over {other}")),
        };
        if items.is_empty() {
            return self.inside(None, None, &range.otherwise);
        }
        for (key, value) in items {
            let key = range.key.clone().map(|name| (name, key));
            let named = range.value.clone().map(|name| (name, value.clone()));
            if self.inside(Some(value), key.into_iter().chain(named), &range.body)? == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn pipeline(&self, pipeline: &Pipeline) -> Result<Value, TemplateError> {
        let mut last = None;
        for command in pipeline {
            last = Some(self.command(command, last)?);
        }
        Ok(last.unwrap_or_default())
    }

    fn command(&self, command: &Command, last: Option<Value>) -> Result<Value, TemplateError> {
        let operands = command.operands.iter().map(|operand| self.operand(operand));
        let mut values = operands.collect::<Result<Vec<_>, _>>()?;
        values.extend(last);
        match &command.function {
            Some(name) => functions::call(name, &values),
            None => Ok(values.pop().unwrap_or_default()),
        }
    }

    fn operand(&self, operand: &Operand) -> Result<Value, TemplateError> {
        let mut value = match &operand.base {
            Base::Dot => self.dot.clone(),
            Base::Variable(name) => {
                let mut variables = self.variables.iter().rev();
                let found = variables.find(|(known, _)| known == name);
                let Some((_, value)) = found else { return error(format!("${name} is not set")) };
                value.clone()
            }
            Base::Literal(value) => value.clone(),
            Base::Pipeline(pipeline) => self.pipeline(pipeline)?,
        };
        for name in &operand.fields {
            value = field(value, name)?;
        }
        Ok(value)
    }
}

/// What a value has under a name. What users name themselves, labels for instance, begins with a
/// small letter, and may be missing; fields of ours do not.
fn field(value: Value, name: &str) -> Result<Value, TemplateError> {
    let is_ours = name.starts_with(char::is_uppercase);
    match value {
        Value::Object(mut fields) => match fields.remove(name) {
            Some(value) => Ok(value),
            None if is_ours => {
                let known: Vec<_> = fields.keys().map(String::as_str).collect();
                error(format!("there is no field {name:?}; there are {}", known.join(" ")))
            }
            None => Ok(Value::Null),
        },
        Value::Null => Ok(Value::Null),
        other => error(format!("{other} has no field {name:?}")),
    }
}

/// Everything but nothing.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}
