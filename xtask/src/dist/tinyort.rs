//! The man page and completions of `tinyort`, from the table that also drives its parser.

use super::roff::{bold, escape, italic};
use std::fmt::Write;
use tinyort::command::{COMMANDS, Command, GLOBAL};
use tinyort::flag::{Flag, Kind};
use tinyort::help::capitalized;

/// What the page has beside commands and flags, in roff.
const TEMPLATE: &str = include_str!("tinyort.1.in");

/// The whole page.
pub(super) fn page() -> String {
    TEMPLATE
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@FLAGS@\n", &flags(GLOBAL))
        .replace("@COMMANDS@\n", &COMMANDS.iter().map(command).collect::<String>())
}

/// A subsection for each command.
fn command(command: &Command) -> String {
    let flags_word = if command.flags.is_empty() { "" } else { " [FLAG...]" };
    let usage = format!("{flags_word} {}", command.words);
    let usage = if usage.trim().is_empty() { String::new() } else { escape(usage.trim_end()) };
    let mut text = format!(".SS {}{usage}\n", escape(command.name));
    writeln!(text, "{}.", escape(&capitalized(command.about))).expect("a string takes everything");
    if !command.text.is_empty() {
        let sentences = command.text.replace('\n', " ");
        let sentences = sentences.split(". ").map(escape).collect::<Vec<_>>().join(".\n");
        writeln!(text, "{sentences}").expect("a string takes everything");
    }
    text + &flags(command.flags)
}

/// A paragraph for each flag.
fn flags(flags: &[Flag]) -> String {
    let mut text = String::new();
    for flag in flags {
        let short = flag.short.map(|letter| bold(&format!("-{letter}")) + ", ");
        let value = flag.value_name();
        let value = if value.is_empty() { value } else { format!(" {}", italic(&value)) };
        let (short, long) = (short.unwrap_or_default(), bold(&format!("--{}", flag.long)));
        let help = escape(&capitalized(flag.help));
        writeln!(text, ".TP\n{short}{long}{value}\n{help}.").expect("a string takes everything");
    }
    text
}

/// `-x` and `--long`, or only the latter.
fn spellings(flag: &Flag) -> Vec<String> {
    let long = format!("--{}", flag.long);
    flag.short.map(|letter| format!("-{letter}")).into_iter().chain([long]).collect()
}

/// The words that a flag's value can be.
fn values(flag: &Flag) -> String {
    match flag.kind {
        Kind::Choice(words) => words.join(" "),
        Kind::Switch | Kind::Text(_) | Kind::Path(_) => String::new(),
    }
}

/// For bash. Containers are asked of the program itself.
pub(super) fn bash() -> String {
    let mut cases = String::new();
    let mut taking = Vec::new();
    let all = COMMANDS.iter().flat_map(|command| command.flags).chain(GLOBAL);
    for flag in all.clone().filter(|flag| flag.kind != Kind::Switch) {
        for spelling in spellings(flag) {
            // One spelling may mean other things elsewhere (`-f`): the word before decides nothing
            // then.
            let same = |other: &&Flag| spellings(other).contains(&spelling) && *other != flag;
            if taking.contains(&spelling) || all.clone().any(|other| same(&other)) {
                continue;
            }
            let action = match flag.kind {
                Kind::Path(_) => "compgen -f -- \"$current\"".to_owned(),
                _ => format!("compgen -W '{}' -- \"$current\"", values(flag)),
            };
            writeln!(cases, "    {spelling}) mapfile -t COMPREPLY < <({action}); return ;;")
                .expect("a string takes everything");
            taking.push(spelling);
        }
    }
    let mut commands = String::new();
    for command in COMMANDS {
        let flags = command.flags.iter().chain(GLOBAL).flat_map(spellings).collect::<Vec<_>>();
        let words = if command.words.starts_with("ID") { "$(_tinyort_ids)" } else { "" };
        let (name, flags) = (command.name, flags.join(" "));
        writeln!(commands, "    {name}) flags='{flags}'; words=\"{words}\" ;;")
            .expect("a string takes everything");
    }
    let names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
    let global: Vec<_> = GLOBAL.iter().flat_map(spellings).collect();
    BASH.replace("@CASES@\n", &cases)
        .replace("@COMMANDS@\n", &commands)
        .replace("@TAKING@", &taking.join("|"))
        .replace("@NAMES@", &names.join(" "))
        .replace("@GLOBAL@", &global.join(" "))
}

const BASH: &str = r#"# bash completion for tinyort
_tinyort_ids() {
    tinyort list --quiet 2>/dev/null
}
_tinyort() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local index command='' given=0 flags words
    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in
        @TAKING@) ((index++)) ;;
        -*) ;;
        *) if [[ -z $command ]]; then command=${COMP_WORDS[index]}; else ((given++)); fi ;;
        esac
    done
    case $previous in
@CASES@
    esac
    flags='@GLOBAL@'
    words='@NAMES@'
    case $command in
@COMMANDS@
    esac
    ((given == 0)) || words=''
    if [[ $current == -* ]]; then words=$flags; fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F _tinyort tinyort
"#;

/// For zsh.
pub(super) fn zsh() -> String {
    let mut text = String::from("#compdef tinyort\n_arguments -C \\\n");
    text.push_str(&zsh_flags(GLOBAL));
    text.push_str("  '1: :->command' '*:: :->words'\ncase $state in\ncommand)\n  local names=(\n");
    for command in COMMANDS {
        writeln!(text, "    '{}:{}'", command.name, quoted(command.about))
            .expect("a string takes everything");
    }
    text.push_str("  )\n  _describe command names ;;\nwords)\n  case $words[1] in\n");
    for command in COMMANDS {
        let words = match command.words.split(' ').next() {
            Some("ID") => "  '1:container:($(tinyort list --quiet 2>/dev/null))' '*: :_default'",
            _ => "  '*: :_default'",
        };
        let all: Vec<Flag> = command.flags.iter().chain(GLOBAL).copied().collect();
        let flags = zsh_flags(&all);
        writeln!(text, "  {}) _arguments \\\n{flags}{words} ;;", command.name)
            .expect("a string takes everything");
    }
    text + "  esac ;;\nesac\n"
}

fn zsh_flags(flags: &[Flag]) -> String {
    let mut text = String::new();
    let mut known: Vec<String> = Vec::new();
    for flag in flags {
        let value = match flag.kind {
            Kind::Switch => String::new(),
            Kind::Path(name) => format!(":{name}:_files"),
            Kind::Text(name) => format!(":{}: ", quoted(name)),
            Kind::Choice(words) => format!(":value:({})", words.join(" ")),
        };
        let suffix = if flag.kind == Kind::Switch { "" } else { "=" };
        for spelling in spellings(flag) {
            if known.contains(&spelling) {
                continue;
            }
            let suffix = if spelling.starts_with("--") { suffix } else { "" };
            writeln!(text, "  '*{spelling}{suffix}[{}]{value}' \\", quoted(flag.help))
                .expect("a string takes everything");
            known.push(spelling);
        }
    }
    text
}

/// Brackets and colons mean something to `_arguments`, a quote ends the word.
fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}

/// For fish.
pub(super) fn fish() -> String {
    let mut text = String::from("complete -c tinyort -f\n");
    GLOBAL.iter().for_each(|flag| text.push_str(&fish_flag("", flag)));
    for command in COMMANDS {
        let (name, about) = (command.name, command.about.replace('\'', "\\'"));
        writeln!(text, "complete -c tinyort -n __fish_use_subcommand -a {name} -d '{about}'")
            .expect("a string takes everything");
        let condition = format!(" -n '__fish_seen_subcommand_from {name}'");
        if command.words.starts_with("ID") {
            let ids = "(tinyort list --quiet 2>/dev/null)";
            writeln!(text, "complete -c tinyort{condition} -a '{ids}'")
                .expect("a string takes everything");
        }
        command.flags.iter().for_each(|flag| text.push_str(&fish_flag(&condition, flag)));
    }
    text
}

fn fish_flag(condition: &str, flag: &Flag) -> String {
    let short = flag.short.map(|letter| format!(" -s {letter}")).unwrap_or_default();
    let value = match flag.kind {
        Kind::Switch => String::new(),
        Kind::Path(_) => " -r -F".to_owned(),
        Kind::Text(_) => " -x".to_owned(),
        Kind::Choice(words) => format!(" -x -a '{}'", words.join(" ")),
    };
    let help = flag.help.replace('\\', "\\\\").replace('\'', "\\'");
    format!("complete -c tinyort{condition}{short} -l {}{value} -d '{help}'\n", flag.long)
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, bash, fish, page, zsh};
    use crate::dist::roff::escape;
    use std::process::Command;

    #[test]
    fn every_command_and_flag_is_everywhere() {
        for command in COMMANDS {
            assert!(page().contains(&format!(".SS {}", escape(command.name))), "{}", command.name);
            assert!(zsh().contains(&format!("  {}) ", command.name)), "zsh: {}", command.name);
            for flag in command.flags {
                let long = format!("--{}", flag.long);
                assert!(page().contains(&escape(&long)), "{long}");
                assert!(bash().contains(&long), "bash: {long}");
                assert!(zsh().contains(&long), "zsh: {long}");
                assert!(fish().contains(&format!(" -l {} ", flag.long)), "fish: {long}");
            }
        }
        assert!(!page().contains('@'));
    }

    #[test]
    fn bash_completes_commands_flags_and_values() {
        let completed = |words: &[&str]| -> String {
            let script = format!(
                "{}\ntinyort() {{ echo one; }}\nCOMP_WORDS=(\"$@\")\nCOMP_CWORD=$(($# - 1))\n\
                 _tinyort\necho \"${{COMPREPLY[@]}}\"",
                bash()
            );
            let mut bash = Command::new("bash");
            let output = bash.args(["--norc", "-c", &script, "bash"]).args(words).output();
            let output = output.expect("bash is installed");
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        assert_eq!(completed(&["tinyort", "che"]), "checkpoint");
        assert_eq!(completed(&["tinyort", "--log-f"]), "--log-format");
        assert_eq!(completed(&["tinyort", "--log-format", "j"]), "json");
        assert_eq!(completed(&["tinyort", "--root", "x", "run", "--no-p"]), "--no-pivot");
        assert_eq!(completed(&["tinyort", "kill", "o"]), "one");
        assert_eq!(completed(&["tinyort", "kill", "one", "o"]), "");
    }

    #[test]
    fn zsh_and_fish_can_read_theirs() {
        for (shell, text) in [("zsh", zsh()), ("fish", fish())] {
            let path = std::env::temp_dir().join(format!("tinyort-{}.{shell}", std::process::id()));
            std::fs::write(&path, text).expect("the temporary folder is writable");
            let output = Command::new(shell).arg("-n").arg(&path).output();
            std::fs::remove_file(&path).expect("it was just written");
            // A shell that is not installed reads nothing.
            if let Ok(output) = output {
                assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}");
            }
        }
    }
}
