//! `config.json`: what is read is what is written again, and what another implementation reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use spec::json;
use spec::runtime::Spec;

fuzz_target!(|input: &[u8]| {
    let Ok(ours) = json::parse::<Spec<'_>>(input) else { return };
    let text = json::to_line(&ours).expect("any configuration can be written");
    let again: Spec<'_> = json::parse(text.as_bytes()).expect(&text);
    assert_eq!(again, ours);
    let Ok(theirs) = serde_json::from_slice::<oci_spec::runtime::Spec>(input) else { return };
    assert_eq!(comparable(&ours), comparable(&theirs));
});

/// What all programs should agree on. The other one keeps capabilities in a set, in any order, and
/// knows mappings beside those of `linux`, of which the specification knows nothing.
fn comparable(spec: &impl serde::Serialize) -> Value {
    let mut value = serde_json::to_value(spec).expect("any configuration can be written");
    for differing in ["/process/capabilities", "/uidMappings", "/gidMappings"] {
        value.pointer_mut(differing).map(Value::take);
    }
    without_defaults(value)
}

/// Leaves out what stands for itself when it is absent: programs differ in what they write.
fn without_defaults(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, without_defaults(value)));
            fields.filter(|(_, value)| !is_default(value)).collect()
        }
        Value::Array(items) => items.into_iter().map(without_defaults).collect(),
        other => other,
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_u64() == Some(0),
        Value::String(value) => value.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}
