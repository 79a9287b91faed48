//! From text to nodes.

use super::functions;
use super::{Base, Command, Flow, Node, Operand, Pipeline, Range, TemplateError, error};
use serde_json::Value;

/// Templates in templates in templates end somewhere.
const MOST_NESTED: usize = 50;

pub(super) fn parse(text: &str) -> Result<Vec<Node>, TemplateError> {
    let mut pieces = pieces(text)?.into_iter();
    let (nodes, end) = block(&mut pieces, 0)?;
    match end {
        None => Ok(nodes),
        Some(End::End) => error("{{end}} ends nothing"),
        Some(End::Else(_)) => error("{{else}} belongs to nothing"),
    }
}

/// Text, or what is between braces.
enum Piece {
    Text(String),
    Action(String),
}

/// Cuts a template at its braces. `{{-` and `-}}` take away the white space beside them.
fn pieces(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let (mut rest, mut trims) = (text, false);
    loop {
        let (before, after) = rest.split_once("{{").map_or((rest, None), |(a, b)| (a, Some(b)));
        let trims_end = after.is_some_and(|it| it.starts_with("- "));
        let before = if trims { before.trim_start() } else { before };
        let before = if trims_end { before.trim_end() } else { before };
        pieces.push(Piece::Text(before.replace("\\t", "\t").replace("\\n", "\n")));
        let Some(after) = after else { return Ok(pieces) };
        let after = if trims_end { &after[1..] } else { after };
        let Some(end) = end_of_action(after) else {
            return error(format!("{{{{{after} is not ended by }}}}"));
        };
        let action = &after[..end];
        trims = action.ends_with(" -");
        let action = if trims { &action[..action.len() - 1] } else { action };
        let action = action.trim();
        if !(action.starts_with("/*") && action.ends_with("*/")) {
            pieces.push(Piece::Action(action.to_owned()));
        }
        rest = &after[end + 2..];
    }
}

/// Where the braces end that are not within quotes.
fn end_of_action(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (index, character) in text.char_indices() {
        match (character, quote) {
            _ if escaped => escaped = false,
            ('\\', Some('"')) => escaped = true,
            (_, Some(end)) if character == end => quote = None,
            ('"' | '`', None) => quote = Some(character),
            ('}', None) if text[index..].starts_with("}}") => return Some(index),
            _ => {}
        }
    }
    None
}

/// What ends a block.
enum End {
    End,
    /// With what follows the word: `if .X`.
    Else(String),
}

fn block(
    pieces: &mut std::vec::IntoIter<Piece>,
    depth: usize,
) -> Result<(Vec<Node>, Option<End>), TemplateError> {
    if depth > MOST_NESTED {
        return error("too many blocks within each other");
    }
    let mut nodes = Vec::new();
    while let Some(piece) = pieces.next() {
        let action = match piece {
            Piece::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Piece::Action(action) => action,
        };
        let (word, rest) = action.split_once(char::is_whitespace).unwrap_or((&action, ""));
        match word {
            "end" => return Ok((nodes, Some(End::End))),
            "else" => return Ok((nodes, Some(End::Else(rest.trim().to_owned())))),
            "if" | "with" | "range" => nodes.push(opened(word, rest, pieces, depth)?),
            "break" | "continue" if rest.trim().is_empty() => {
                nodes.push(Node::Leave(if word == "break" { Flow::Break } else { Flow::Continue }));
            }
            "define" | "template" | "block" => {
                return error(format!("{{{{{word}}}}} is not supported"));
            }
            _ => nodes.push(action_node(&action)?),
        }
    }
    Ok((nodes, None))
}

/// `if`, `with` or `range`, with all to its end.
fn opened(
    word: &str,
    head: &str,
    pieces: &mut std::vec::IntoIter<Piece>,
    depth: usize,
) -> Result<Node, TemplateError> {
    let (body, end) = block(pieces, depth + 1)?;
    let otherwise = match end {
        None => return error(format!("{{{{{word}}}}} has no {{{{end}}}}")),
        Some(End::End) => Vec::new(),
        Some(End::Else(next)) if next.is_empty() => match block(pieces, depth + 1)? {
            (nodes, Some(End::End)) => nodes,
            _ => return error("{{else}} has no {{end}}"),
        },
        Some(End::Else(next)) => match next.split_once(char::is_whitespace) {
            Some((next, head)) if matches!(next, "if" | "with") => {
                vec![opened(next, head, pieces, depth + 1)?]
            }
            _ => return error(format!("{{{{else {next}}}}} is not supported")),
        },
    };
    let mut parser = Parser::new(head);
    let names = parser.names()?;
    let over = parser.whole()?;
    match (word, names.as_slice()) {
        ("range", [] | [_] | [_, _]) => {
            let mut names = names.into_iter().rev();
            let (value, key) = (names.next(), names.next());
            Ok(Node::Range(Range { key, value, over, body, otherwise }))
        }
        ("if", []) => Ok(Node::If(over, body, otherwise)),
        ("with", []) => Ok(Node::With(over, body, otherwise)),
        _ => error(format!("{{{{{word} {head}}}}}: no variables can be set here")),
    }
}

fn action_node(action: &str) -> Result<Node, TemplateError> {
    let mut parser = Parser::new(action);
    if let Some(name) = parser.changed() {
        return Ok(Node::Change(name, parser.whole()?));
    }
    let mut names = parser.names()?;
    let pipeline = parser.whole()?;
    match (names.pop(), names.is_empty()) {
        (None, _) => Ok(Node::Show(pipeline)),
        (Some(name), true) => Ok(Node::Set(name, pipeline)),
        _ => error(format!("{{{{{action}}}}}: only range sets two variables")),
    }
}

/// Reads what is between braces.
struct Parser<'a> {
    all: &'a str,
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parser<'a> {
        Parser { all: text, rest: text.trim_start(), depth: 0 }
    }

    fn bad<T>(&self, why: &str) -> Result<T, TemplateError> {
        error(format!("{{{{{}}}}}: {why}", self.all))
    }

    /// The variables before `:=`, if there are any.
    fn names(&mut self) -> Result<Vec<String>, TemplateError> {
        let Some((names, rest)) = self.rest.split_once(":=") else { return Ok(Vec::new()) };
        if names.contains(['"', '`']) {
            return Ok(Vec::new());
        }
        self.rest = rest.trim_start();
        let name = |text: &str| match text.trim().strip_prefix('$') {
            Some(name) if is_word(name) => Ok(name.to_owned()),
            _ => self.bad("a variable is $ and a word"),
        };
        names.split(',').map(name).collect()
    }

    /// The variable before `=`, if there is one.
    fn changed(&mut self) -> Option<String> {
        let (name, rest) = self.rest.strip_prefix('$')?.split_once('=')?;
        let name = name.trim_end();
        is_word(name).then(|| {
            self.rest = rest.trim_start();
            name.to_owned()
        })
    }

    fn whole(&mut self) -> Result<Pipeline, TemplateError> {
        let pipeline = self.pipeline()?;
        if self.rest.is_empty() { Ok(pipeline) } else { self.bad("a bracket too many") }
    }

    fn pipeline(&mut self) -> Result<Pipeline, TemplateError> {
        let mut commands = vec![self.command()?];
        while let Some(rest) = self.rest.strip_prefix('|') {
            self.rest = rest.trim_start();
            let command = self.command()?;
            if command.function.is_none() {
                return self.bad("a function must follow |");
            }
            commands.push(command);
        }
        Ok(commands)
    }

    fn command(&mut self) -> Result<Command, TemplateError> {
        let function = self.function()?;
        let mut operands = Vec::new();
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            operands.push(self.operand()?);
            self.rest = self.rest.trim_start();
        }
        if function.is_none() && operands.len() == 2 && operands[0].is_label() {
            return Ok(Command { function: Some(functions::LABEL.to_owned()), operands });
        }
        match (&function, operands.len()) {
            (None, 0) => self.bad("a value is missing"),
            (None, 2..) => self.bad("only a function has arguments"),
            _ => Ok(Command { function, operands }),
        }
    }

    fn function(&mut self) -> Result<Option<String>, TemplateError> {
        let word = self.word();
        if word.is_empty() || matches!(word, "true" | "false" | "nil") {
            return Ok(None);
        }
        if !functions::NAMES.contains(&word) {
            let known = functions::NAMES.join(" ");
            return self.bad(&format!("there is no function {word:?}; there are {known}"));
        }
        self.rest = self.rest[word.len()..].trim_start();
        Ok(Some(word.to_owned()))
    }

    /// The word that comes next, which stays.
    fn word(&self) -> &'a str {
        let is_part = |character: char| character.is_alphanumeric() || character == '_';
        let end = self.rest.find(|it| !is_part(it)).unwrap_or(self.rest.len());
        let word = &self.rest[..end];
        if word.starts_with(|it: char| it.is_ascii_digit()) { "" } else { word }
    }

    fn operand(&mut self) -> Result<Operand, TemplateError> {
        let base = self.base()?;
        let mut fields = Vec::new();
        while let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            let name = self.word();
            if name.is_empty() {
                return self.bad("the name of a field must follow the dot");
            }
            fields.push(name.to_owned());
            self.rest = &self.rest[name.len()..];
        }
        if self.rest.starts_with(|it: char| !it.is_whitespace() && !matches!(it, '|' | ')')) {
            let rest = self.rest;
            return self.bad(&format!("{rest:?} is not understood"));
        }
        Ok(Operand { base, fields })
    }

    fn base(&mut self) -> Result<Base, TemplateError> {
        let mut characters = self.rest.chars();
        let first = characters.next().unwrap_or(' ');
        let after = characters.as_str();
        match first {
            '.' => {
                // `.A` has its dot again as that of the first field.
                if !after.starts_with(|it: char| it.is_alphabetic() || it == '_') {
                    self.rest = after;
                }
                Ok(Base::Dot)
            }
            '$' => {
                self.rest = after;
                let name = self.word();
                self.rest = &self.rest[name.len()..];
                Ok(Base::Variable(name.to_owned()))
            }
            '(' => {
                self.depth += 1;
                if self.depth > MOST_NESTED {
                    return self.bad("too many brackets within each other");
                }
                self.rest = after.trim_start();
                let pipeline = self.pipeline()?;
                let Some(rest) = self.rest.strip_prefix(')') else {
                    return self.bad("a bracket is not closed");
                };
                self.rest = rest;
                self.depth -= 1;
                Ok(Base::Pipeline(pipeline))
            }
            '`' => match after.split_once('`') {
                Some((text, rest)) => {
                    self.rest = rest;
                    Ok(Base::Literal(text.into()))
                }
                None => self.bad("a quote is not closed"),
            },
            _ => self.literal(),
        }
    }

    /// `"text"`, `-12`, `true`: what JSON has too.
    fn literal(&mut self) -> Result<Base, TemplateError> {
        let (text, rest) = self.rest.split_at(self.end_of_literal());
        let value = match text {
            "nil" => Some(Value::Null),
            "null" => None,
            _ if text.starts_with(['[', '{']) => None,
            _ => serde_json::from_str(text).ok(),
        };
        let Some(value) = value else { return self.bad(&format!("{text:?} is not understood")) };
        self.rest = rest;
        Ok(Base::Literal(value))
    }

    fn end_of_literal(&self) -> usize {
        let mut escaped = false;
        let is_quoted = self.rest.starts_with('"');
        let is_last = |(index, character): &(usize, char)| {
            let is_last = if is_quoted {
                *index > 0 && *character == '"' && !escaped
            } else {
                character.is_whitespace() || "|)".contains(*character)
            };
            escaped = *character == '\\' && !escaped;
            is_last
        };
        let end = self.rest.char_indices().find(is_last).map(|(index, _)| index);
        end.map_or(self.rest.len(), |end| end + usize::from(is_quoted))
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|it| it.is_alphanumeric() || it == '_')
}

#[cfg(test)]
#[test]
fn nothing_makes_it_panic() {
    let alphabet = [
        "{{", "}}", ".", "$", "a", "\"", "`", "|", "(", ")", " ", "-", "if", "end", ":=", "1", "é",
    ];
    for first in alphabet {
        for second in alphabet {
            for third in alphabet {
                let text = format!("{{{{{first}{second}{third}}}}}");
                let _ = text.parse::<super::Template>();
                let _ = format!("{first}{second}{third}").parse::<super::Template>();
            }
        }
    }
}
