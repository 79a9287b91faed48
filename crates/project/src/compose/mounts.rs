//! `volumes` of a service as the `mounts` of a `state.yaml`.

use super::tree::{self, Entries, add, at, entries, take, text};
use super::variables::Lookup;
use crate::error::Position;
use crate::yaml::{Node, Value};

/// Those in memory are told apart.
pub(super) fn read(node: &mut Node, value: Lookup<'_>, memory: &mut Vec<Node>) {
    let Value::List(items) = &mut node.value else { return };
    items.retain_mut(|item| {
        let position = item.position;
        let at_home = |text: &mut String| {
            if let (Some(rest), Some(home)) = (text.strip_prefix("~/"), value("HOME")) {
                *text = format!("{home}/{rest}");
            }
        };
        match &mut item.value {
            Value::Text(text) => {
                at_home(text);
                true
            }
            Value::Map(fields) => {
                tree::rename(fields);
                let kind = take(fields, "type");
                fields.retain(|(key, _)| key.text != "consistency");
                options_of_mount(fields, position);
                if let Some((_, Node { value: Value::Text(text), .. })) =
                    fields.iter_mut().find(|(key, _)| key.text == "source")
                {
                    at_home(text);
                }
                if kind.as_ref().and_then(text) != Some("tmpfs") {
                    return true;
                }
                memory.extend(in_memory(fields).map(|it| Node { position, ..it }));
                // What nobody knows is told of as in any mount.
                fields.len() > 1
            }
            Value::Nothing | Value::List(_) => true,
        }
    });
}

/// What only a bind mount or a volume has, as the options of any mount.
fn options_of_mount(fields: &mut Entries, position: Position) {
    let mut options = Vec::new();
    for part in ["bind", "volume"] {
        let mut own = take(fields, part);
        let Some(own) = own.as_mut().and_then(entries) else { continue };
        tree::rename(own);
        options.extend(take(own, "propagation"));
        if let Some(node) = take(own, "nocopy").filter(|it| text(it) != Some("false")) {
            options.push(at(&node, "nocopy"));
        }
        // Labels of SELinux, which is not at work here.
        take(own, "selinux");
        // A folder that is missing is made.
        own.retain(|(key, node)| key.text != "create-host-path" || text(node) == Some("false"));
        // A part of a volume, and what nobody knows.
        fields.append(own);
    }
    if !options.is_empty() {
        add(fields, "options", Node { position, value: Value::List(options) });
    }
}

/// `TARGET[:OPTIONS]` of a tmpfs, of which only the target and what is not understood is left.
fn in_memory(fields: &mut Entries) -> Option<Node> {
    let target = fields.iter().find(|(key, _)| key.text == "target")?.1.clone();
    let mut words = Vec::new();
    if let Some(own) = take(fields, "tmpfs").as_mut().and_then(entries) {
        for name in ["size", "mode"] {
            words.extend(take(own, name).as_ref().and_then(text).map(|it| format!("{name}={it}")));
        }
        fields.append(own);
    }
    if take(fields, "read-only").is_some_and(|it| text(&it) == Some("true")) {
        words.push("ro".to_owned());
    }
    let folder = text(&target)?.to_owned();
    Some(if words.is_empty() {
        target
    } else {
        at(&target, format!("{folder}:{}", words.join(",")))
    })
}
