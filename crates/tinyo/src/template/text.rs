//! How Go writes values.

use serde_json::Value;

/// `text`, `12`, `[a b]`, `map[a:1 b:2]`.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "<no value>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(text_of).collect::<Vec<_>>().join(" "))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}:{}", text_of(value)));
            format!("map[{}]", fields.collect::<Vec<_>>().join(" "))
        }
    }
}
