//! Changing a tree before anybody reads it.

use crate::yaml::{Key, Node, Value};

/// What is in a mapping.
pub(super) type Entries = Vec<(Key, Node)>;

/// The entries of a mapping; none if it is something else.
pub(super) fn entries(node: &mut Node) -> Option<&mut Entries> {
    match &mut node.value {
        Value::Map(entries) => Some(entries),
        _ => None,
    }
}

pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// What is said in a place where something else was.
pub(super) fn at(node: &Node, text: impl Into<String>) -> Node {
    Node { position: node.position, value: Value::Text(text.into()) }
}

pub(super) fn take(entries: &mut Entries, name: &str) -> Option<Node> {
    let place = entries.iter().position(|(key, _)| key.text == name)?;
    Some(entries.remove(place).1)
}

/// Adds what nothing is said of yet.
pub(super) fn add(entries: &mut Entries, name: &str, node: Node) {
    if entries.iter().all(|(key, _)| key.text != name) {
        entries.push((Key { position: node.position, text: name.to_owned() }, node));
    }
}

/// Names as a `state.yaml` has them.
pub(super) fn rename(entries: &mut Entries) {
    for (key, _) in entries {
        key.text = key.text.replace('_', "-");
    }
}

/// What stands alone where a list may be, as a list.
pub(super) fn make_list(node: &mut Node) {
    if let Value::Text(_) = node.value {
        node.value = Value::List(vec![node.clone()]);
    }
}

/// `<<: *other`: what is in the other mapping, or in several.
pub(super) fn merge(node: &mut Node) {
    match &mut node.value {
        Value::Nothing | Value::Text(_) => {}
        Value::List(items) => items.iter_mut().for_each(merge),
        Value::Map(entries) => {
            if let Some(others) = take(entries, "<<") {
                let others = match others.value {
                    Value::List(items) => items,
                    _ => vec![others],
                };
                for other in others {
                    if let Value::Map(more) = other.value {
                        more.into_iter().for_each(|(key, node)| add(entries, &key.text, node));
                    }
                }
            }
            entries.iter_mut().for_each(|(_, node)| merge(node));
        }
    }
}

/// `own` on top of another one: mappings are merged, lists joined.
pub(super) fn extend(own: &mut Node, other: Node) {
    match (&mut own.value, other.value) {
        (Value::Map(own), Value::Map(other)) => {
            for (key, node) in other {
                match own.iter_mut().find(|(it, _)| it.text == key.text) {
                    // Each of these is said as a whole.
                    Some((key, _)) if matches!(&*key.text, "command" | "entrypoint" | "test") => {}
                    Some((_, own)) => extend(own, node),
                    None => own.push((key, node)),
                }
            }
        }
        (Value::List(own), Value::List(mut other)) => {
            other.append(own);
            *own = other;
        }
        _ => {}
    }
}
