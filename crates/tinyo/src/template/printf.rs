//! `printf`, as Go has it.

use super::text::text_of;
use super::{TemplateError, error};
use serde_json::Value;

/// More blanks than this nobody asks for but by mistake.
pub(super) const MOST_PADDED: u64 = 1000;

/// What is between `%` and the verb: `-8.3`.
#[derive(Clone, Copy, Default)]
struct Form {
    /// Filled up on the right.
    is_left: bool,
    /// Numbers are filled up with zeros.
    has_zeros: bool,
    /// Numbers have a sign, whatever they are.
    has_sign: bool,
    width: usize,
    precision: Option<usize>,
}

impl Form {
    /// With what comes behind it.
    fn read(text: &str) -> (Form, &str) {
        let mut form = Form::default();
        let flags = text.len() - text.trim_start_matches(['-', '0', '+', '#', ' ']).len();
        let (flags, rest) = text.split_at(flags);
        form.is_left = flags.contains('-');
        form.has_zeros = flags.contains('0') && !form.is_left;
        form.has_sign = flags.contains('+');
        let (width, rest) = number(rest);
        form.width = width;
        let Some(rest) = rest.strip_prefix('.') else { return (form, rest) };
        let (precision, rest) = number(rest);
        form.precision = Some(precision);
        (form, rest)
    }

    fn fill(self, text: &str, is_number: bool) -> String {
        let width = self.width;
        match text.strip_prefix(['-', '+']) {
            _ if self.is_left => format!("{text:<width$}"),
            Some(digits) if self.has_zeros && is_number => {
                format!("{}{digits:0>1$}", &text[..1], width.saturating_sub(1))
            }
            None if self.has_zeros && is_number => format!("{text:0>width$}"),
            _ => format!("{text:>width$}"),
        }
    }
}

/// The digits that a text begins with.
fn number(text: &str) -> (usize, &str) {
    let end = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    let most = MOST_PADDED as usize;
    let number =
        text[..end].parse().map_or(if end == 0 { 0 } else { most }, |it: usize| it.min(most));
    (number, &text[end..])
}

/// `%s %v %d %q %x %X %f %t %%`, with flags, a width and a precision.
pub(super) fn printf(format: &str, values: &[Value]) -> Result<String, TemplateError> {
    let mut values = values.iter();
    let mut text = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let (form, after) = Form::read(after);
        let verb = after.chars().next().unwrap_or_default();
        rest = &after[verb.len_utf8().min(after.len())..];
        if verb == '%' {
            text.push('%');
            continue;
        }
        let Some(value) = values.next() else {
            return error(format!("printf: nothing is left for %{verb}"));
        };
        text.push_str(&shown(form, verb, value)?);
    }
    text.push_str(rest);
    if values.next().is_some() {
        error("printf: more values than its text shows")
    } else {
        Ok(text)
    }
}

fn shown(form: Form, verb: char, value: &Value) -> Result<String, TemplateError> {
    let part = || {
        let most = form.precision.unwrap_or(usize::MAX);
        text_of(value).chars().take(most).collect::<String>()
    };
    let text = match (verb, value) {
        ('s' | 'v', _) => part(),
        ('t', Value::Bool(_)) => text_of(value),
        ('d', Value::Number(number)) if !number.is_f64() => text_of(value),
        ('q', _) => Value::from(part()).to_string(),
        ('f', Value::Number(number)) => {
            format!("{:.*}", form.precision.unwrap_or(6), number.as_f64().unwrap_or_default())
        }
        ('x' | 'X', Value::Number(number)) if number.is_i64() || number.is_u64() => {
            let number =
                number.as_i64().map_or(i128::from(number.as_u64().unwrap_or(0)), i128::from);
            let sign = if number < 0 { "-" } else { "" };
            let digits = format!("{sign}{:x}", number.unsigned_abs());
            if verb == 'X' { digits.to_uppercase() } else { digits }
        }
        ('x', Value::String(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        _ => return error(format!("printf: %{verb} is not for {value}")),
    };
    let is_number = value.is_number();
    let sign = if form.has_sign && is_number && !text.starts_with('-') { "+" } else { "" };
    Ok(form.fill(&format!("{sign}{text}"), is_number))
}
