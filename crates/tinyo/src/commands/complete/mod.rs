//! `tinyo complete`, which shells ask what may stand at the cursor. What is a flag or a command
//! follows from the definitions that the parser has; what there is, is asked of the store.

mod names;
mod place;

use crate::context::Context;
use anyhow::Result;
use clap::Args;
use names::Names;
use place::Place;
use std::io::{self, Write as _};

#[derive(Args)]
pub(crate) struct Arguments {
    /// What was typed behind the program's name, up to the cursor
    #[arg(last = true, value_name = "WORD")]
    words: Vec<String>,
}

/// What may stand there, and what it is.
#[derive(Clone)]
struct Candidate {
    word: String,
    about: String,
}

/// Prints a line for each candidate, with a tab before what it is. Where files are wanted, or
/// nothing is known, there are none, and the shell does as it is used to.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> Result<()> {
    let Some((word, before)) = arguments.words.split_last() else { return Ok(()) };
    let mut text = String::new();
    for Candidate { word, about } in candidates(Names::of_store(context)?, before, word)? {
        text.push_str(&word);
        if !about.is_empty() {
            text.push('\t');
            text.push_str(&about);
        }
        text.push('\n');
    }
    Ok(io::stdout().write_all(text.as_bytes())?)
}

fn candidates(names: Names, before: &[String], word: &str) -> Result<Vec<Candidate>> {
    let place = Place::of(names, before);
    let mut found = match word.split_once('=') {
        _ if place.is_value() => place.values("", before)?,
        Some((flag, _)) if flag.starts_with("--") => {
            place.of_flag(flag).values(&format!("{flag}="), before)?
        }
        _ if word.starts_with('-') && place.takes_flags() => place.flags(before),
        _ => place.values("", before)?,
    };
    found.retain(|candidate| candidate.word.starts_with(word));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Names, candidates};

    /// What is offered for the last word.
    fn offered(line: &str) -> Vec<String> {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let word = words.pop().unwrap_or_default();
        // No store: names are tried by the end-to-end tests.
        words.splice(0..0, ["--root", "/nowhere"].map(str::to_owned));
        let found = candidates(Names::default(), &words, &word);
        found.unwrap().into_iter().map(|it| it.word).collect()
    }

    #[test]
    fn commands_and_flags() {
        assert_eq!(offered("volu"), ["volume"]);
        assert_eq!(offered("volume cre"), ["create"]);
        assert_eq!(offered("run --netw"), ["--network", "--network-alias"]);
        assert_eq!(offered("container run --detach-k"), ["--detach-keys"]);
        assert_eq!(offered("--runr"), ["--runroot"]);
        assert_eq!(offered("ps --runr"), ["--runroot"]);
        // What is hidden, what was said already, and what may be said again.
        assert_eq!(offered("manu"), [""; 0]);
        assert_eq!(offered("run --detach --detac"), ["--detach-keys"]);
        assert_eq!(
            offered("run --env A=b --en"),
            ["--env", "--env-file", "--env-host", "--entrypoint", "--env-merge"]
        );
    }

    #[test]
    fn values() {
        assert_eq!(offered("completion "), ["bash", "zsh", "fish"]);
        assert_eq!(offered("run --pull al"), ["always"]);
        assert_eq!(offered("run --pull=al"), ["--pull=always"]);
        assert_eq!(offered("wait --condition heal"), ["healthy"]);
        assert_eq!(offered("stop -s HU"), ["HUP"]);
        assert_eq!(offered("network create -d mac"), ["macvlan"]);
        // The value of a flag is none of the words that follow.
        assert_eq!(offered("--root volume volu"), ["volume"]);
        assert_eq!(offered("create --name run --netw"), ["--network", "--network-alias"]);
    }

    #[test]
    fn words_of_the_container_are_not_ours() {
        assert_eq!(offered("run box --netw"), [""; 0]);
        assert_eq!(offered("exec -it web --us"), [""; 0]);
        assert_eq!(offered("exec -- web --us"), [""; 0]);
        assert_eq!(offered("rm -- --for"), [""; 0]);
    }
}
