use super::{Cli, one_line};
use clap::{Command, CommandFactory};
use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

#[test]
fn flags_fit_together() {
    Cli::command().debug_assert();
}

#[test]
fn one_command_is_understood_without_the_others() {
    let parse_one = |line: &str| {
        let words: Vec<_> = line.split(' ').map(Into::into).collect();
        super::line::parse_one(&words)
    };
    let folders = |cli: Cli| (cli.common.root, cli.common.runroot);
    let expected = (Some("/a".into()), Some("/b".into()));
    for line in [
        "tinyo --root /a --runroot=/b version",
        "tinyo run --root=/a --rm --runroot /b image true --root /c",
        "tinyo --root /a volume --runroot /b ls",
        "tinyo --runroot /b system df --root /a",
        "tinyo --root=/a ls --runroot=/b",
    ] {
        assert_eq!(parse_one(line).map(folders), Some(expected.clone()), "{line}");
    }
    for line in ["tinyo", "tinyo nothing", "tinyo --root", "tinyo ps --help", "tinyo ps --no-flag"]
    {
        assert!(parse_one(line).is_none(), "{line}");
    }
}

#[test]
fn help_is_asked_for_in_two_ways() {
    for (line, expected) in [
        ("tinyo help", "tinyo --help"),
        ("tinyo help run", "tinyo run --help"),
        ("tinyo --root help help volume create", "tinyo --root help volume create --help"),
        ("tinyo run help", "tinyo run help"),
    ] {
        let words = super::words_of(line.split(' ').map(Into::into));
        assert_eq!(words.join(" ".as_ref()), expected, "{line}");
    }
}

#[test]
fn who_says_too_little_is_told_so_and_who_says_nothing_is_helped() {
    for (line, code) in [
        ("tinyo", 0),
        ("tinyo volume", 0),
        ("tinyo run --help", 0),
        ("tinyo run", 1),
        ("tinyo rm", 1),
        ("tinyo run --nothing image", 125),
        ("tinyo nothing", 125),
    ] {
        let error = super::line::parse(line.split(' ').map(Into::into).collect()).err().unwrap();
        assert_eq!(super::code_of(&error), code, "{line}");
    }
}

#[test]
fn switches_are_said_as_docker_says_them() {
    let parse = |line: &str| super::line::parse(line.split(' ').map(Into::into).collect());
    for line in [
        "tinyo run --rm=true --privileged=false image echo --rm=false",
        "tinyo ps --all=true --no-trunc=true",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
    for line in ["tinyo run --rm=maybe image", "tinyo run --nothing=true image"] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn a_number_that_is_none_is_said_so() {
    let words = ["tinyo", "run", "--cpu-shares", "many", "image"];
    let error = super::line::parse(words.map(Into::into).to_vec()).err().unwrap();
    let expected = "tinyo: --cpu-shares: \"many\" is no whole number";
    assert_eq!(super::peers::instead(&error).as_deref(), Some(expected));
}

#[test]
fn an_error_is_said_once() {
    let error = anyhow::anyhow!("cannot read: no such file").context("cannot pull");
    assert_eq!(one_line(&error), "cannot pull: cannot read: no such file");
    let error = anyhow::anyhow!("no such file").context("cannot read: no such file");
    assert_eq!(one_line(&error), "cannot read: no such file");
}

/// What `--help` says is in `help/`, a file for each command, so that a change of it is seen.
/// `BLESS=1 cargo test -p tinyo help` writes it anew.
#[test]
fn help_is_what_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("help");
    let mut texts = BTreeMap::new();
    collect(Cli::command().term_width(100), "tinyo", &mut texts);
    if env::var_os("BLESS").is_some() {
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        texts.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
    }
    let names = fs::read_dir(&folder).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let advice = "if it is meant: BLESS=1 cargo test -p tinyo help";
    assert!(names.iter().eq(texts.keys()), "{names:?}: {advice}");
    for (name, text) in texts {
        let known = fs::read_to_string(folder.join(&name)).unwrap();
        assert_eq!(known, text, "{name}: {advice}");
    }
}

fn collect(mut command: Command, name: &str, texts: &mut BTreeMap<String, String>) {
    command = command.bin_name(name.replace('-', " "));
    texts.insert(format!("{name}.txt"), command.render_help().to_string());
    for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        let below = below.clone().term_width(100);
        let name = format!("{name}-{}", below.get_name());
        collect(below, &name, texts);
    }
}
