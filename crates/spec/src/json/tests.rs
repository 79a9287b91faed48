#![expect(unreachable_pub, reason = "the macros make what they define public")]

use super::{Map, Text, names, object, parse, to_line, to_lines};
use std::borrow::Cow;

names! {
    /// A colour.
    pub enum Colour {
        /// Red.
        Red = "red",
        /// Green.
        Green = "green",
    }
}

object! {
    /// A thing.
    pub struct Thing<'a>, check check_thing {
        /// Required.
        required name: Text<'a> = "name",
        /// Required, without default.
        required colour: Colour = "colour",
        /// Written even when 0.
        always size: u16 = "size",
        /// Things in it.
        optional parts: Vec<Thing<'a>> = "parts",
        /// More.
        optional labels: Map<'a, Text<'a>> = "labels",
        /// Perhaps a colour.
        optional second: Option<Colour> = "second",
        /// Perhaps a number.
        optional depth: Option<i64> = "depth",
    }
}

fn check_thing(thing: &Thing<'_>) -> Result<(), super::Problem> {
    if thing.size == 13 {
        return Err(super::Problem::at("size", "13 brings bad luck"));
    }
    Ok(())
}

fn thing(text: &str) -> Result<Thing<'_>, String> {
    parse(text.as_bytes()).map_err(|error| error.to_string())
}

fn error(text: &str) -> String {
    thing(text).expect_err(text)
}

#[test]
fn texts_borrow_unless_they_have_escapes() {
    let thing = thing(r#"{"name":"a","colour":"red","labels":{"k":"v","e\u0073c":"\n"}}"#).unwrap();
    assert!(matches!(thing.name, Cow::Borrowed("a")));
    let labels: Vec<_> = thing.labels.iter().collect();
    assert!(matches!(labels[0], (Cow::Owned(name), Cow::Owned(_)) if name == "esc"));
    assert!(matches!(labels[1], (Cow::Borrowed("k"), Cow::Borrowed("v"))));
}

#[test]
fn null_and_absence_are_the_default() {
    let small = thing(r#"{"name":"a","colour":"red"}"#).unwrap();
    assert_eq!((small.size, small.second, small.depth), (0, None, None));
    let nulls = r#"{"name":"a","colour":"red","size":null,"parts":null,"labels":null,"second":null,"depth":null}"#;
    assert_eq!(thing(nulls).unwrap(), small);
    let empty = r#"{"name":"a","colour":"red","second":""}"#;
    assert_eq!(thing(empty).unwrap(), small);
}

#[test]
fn unknown_fields_are_ignored_and_the_last_of_one_name_counts() {
    let text = r#"{"name":"a","colour":"red","more":[{"x":{}}],"depth":1,"depth":-2}"#;
    let thing = thing(text).unwrap();
    assert_eq!(thing.depth, Some(-2));
    let map: Map<'_, u32> = parse(br#"{"b":1,"a":2,"b":3,"c":null}"#).unwrap();
    let items: Vec<_> = map.iter().map(|(name, value)| (&**name, *value)).collect();
    assert_eq!(items, [("a", 2), ("b", 3)]);
}

#[test]
fn errors_name_the_path_and_what_would_be_right() {
    let inner = |field: &str| {
        let inner = format!(r#"{{"name":"b","colour":"green",{field}}}"#);
        error(&format!(r#"{{"name":"a","colour":"red","parts":[{inner}]}}"#))
    };
    let cases = [
        (r#""size":-1"#, "parts[0].size: expected a whole number from 0 to 65535, found -1"),
        (r#""size":65536"#, "parts[0].size: expected a whole number from 0 to 65535, found 65536"),
        (r#""size":1.0"#, "parts[0].size: expected a whole number from 0 to 65535, found 1"),
        (r#""size":"1""#, r#"parts[0].size: expected a whole number from 0 to 65535, found "1""#),
        (r#""size":[1]"#, "parts[0].size: expected a whole number, found a list"),
        (r#""size":{"a":1}"#, "parts[0].size: expected a whole number, found an object"),
        (r#""size":13"#, "parts[0].size: 13 brings bad luck"),
        (r#""second":"blue""#, r#"parts[0].second: "blue" is not one of red, green"#),
        (r#""labels":{"x.y":1}"#, "parts[0].labels.x.y: expected a text without NUL, found 1"),
        (r#""name":"a\u0000""#, r#"parts[0].name: expected a text without NUL, found "a\0""#),
        (
            "\"name\":\"a\0\"",
            "parts[0].name: control character (\\u0000-\\u001F) found while parsing a string",
        ),
        (r#""name":null"#, "parts[0].name: missing, but required"),
        (r#""colour":"""#, "parts[0].colour: missing, but required"),
        (r#""parts":[1]"#, "parts[0].parts[0]: invalid type: integer `1`, expected an object"),
    ];
    for (field, expected) in cases {
        let found = inner(field);
        assert!(found.starts_with(expected), "{field}: {found}");
        assert!(found.contains(" at line 1 column "), "{field}: {found}");
    }
    assert_eq!(Colour::from_name("green"), Some(Colour::Green));
    assert_eq!(Colour::from_name("GREEN"), None);
}

#[test]
fn broken_json_is_an_error_with_its_path() {
    assert!(error("").starts_with("EOF while parsing a value"));
    assert!(error("[]").starts_with("invalid type: sequence, expected an object"));
    assert!(error(r#"{"name":"a","colour":"red"} x"#).starts_with("trailing characters"));
    assert!(error(r#"{"labels":{"a" 1}}"#).starts_with("labels.a: expected `:`"));
    assert_eq!(
        parse::<Text<'_>>(b"\"\xff\"").unwrap_err().to_string(),
        "not UTF-8: invalid utf-8 sequence of 1 bytes from index 1"
    );
}

#[test]
fn what_is_written_is_read_again() {
    let text = r#"{"name":"a","colour":"red","size":0,"parts":[{"name":"b\n","colour":"green","size":7}],"labels":{"x":"y"},"second":"green","depth":-3}"#;
    let whole = thing(text).unwrap();
    assert_eq!(to_line(&whole).unwrap(), text);
    let lines = to_lines(&whole, "\t").unwrap();
    assert!(lines.starts_with("{\n\t\"name\": \"a\",\n"), "{lines}");
    assert_eq!(thing(&lines).unwrap(), whole);
}
