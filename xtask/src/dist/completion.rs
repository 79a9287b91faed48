//! Completions for the three common shells, from the table that also drives the parser.

use std::fmt::Write;
use tino::flags::{FLAGS, Flag, Kind, VALUES};

/// The words that a value can be, where these can be listed.
fn values(flag: &Flag) -> &'static str {
    match VALUES[flag.kind as usize] {
        "SIG" => "HUP INT QUIT KILL USR1 USR2 TERM CONT STOP",
        "POLICY" => "no always on-failure",
        "NAME" => "tmp runtime",
        _ => "",
    }
}

fn needs_value(flag: &Flag) -> bool {
    !matches!(flag.kind, Kind::Switch | Kind::Count)
}

fn is_path(flag: &Flag) -> bool {
    flag.kind == Kind::Paths
}

/// `-x` and `--long`, or only the latter.
fn spellings(flag: &Flag) -> Vec<String> {
    let long = format!("--{}", flag.long);
    match flag.short {
        0 => vec![long],
        short => vec![format!("-{}", char::from(short)), long],
    }
}

/// For bash, with or without the bash-completion package. Values come as a word of their own.
pub(super) fn bash() -> String {
    let mut cases = String::new();
    let mut taking = Vec::new();
    for flag in FLAGS.iter().filter(|flag| needs_value(flag)) {
        let action = match (is_path(flag), values(flag)) {
            (true, _) => "compgen -f -- \"$current\"".to_owned(),
            (false, words) => format!("compgen -W '{words}' -- \"$current\""),
        };
        let pattern = spellings(flag).join("|");
        writeln!(cases, "        {pattern}) mapfile -t COMPREPLY < <({action}); return ;;")
            .expect("a string takes everything");
        taking.push(pattern);
    }
    let options: Vec<_> = FLAGS.iter().flat_map(spellings).collect();
    BASH.replace("@CASES@\n", &cases)
        .replace("@TAKING@", &taking.join("|"))
        .replace("@OPTIONS@", &options.join(" "))
}

const BASH: &str = r#"# bash completion for tino
_tino() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} index
    # Where the command begins, complete as for the command.
    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in
        --) ((index++)); break ;;
        @TAKING@) ((index++)) ;;
        -*) ;;
        *) break ;;
        esac
    done
    if ((index < COMP_CWORD)) && declare -F _command_offset >/dev/null; then
        _command_offset "$index"
        return
    elif ((index < COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    fi
    case $previous in
@CASES@
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '@OPTIONS@' -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -c -- "$current")
    fi
}
complete -o default -F _tino tino
"#;

/// For zsh.
pub(super) fn zsh() -> String {
    let mut text = String::from("#compdef tino\n_arguments -s -S \\\n");
    for flag in FLAGS {
        let action = match (is_path(flag), values(flag)) {
            (true, _) => "_files".to_owned(),
            (false, "") => " ".to_owned(),
            (false, words) => format!("({words})"),
        };
        let value = if needs_value(flag) {
            format!(":{}:{action}", VALUES[flag.kind as usize])
        } else {
            String::new()
        };
        let help = zsh_text(help(flag));
        for spelling in spellings(flag) {
            let suffix = if needs_value(flag) && spelling.starts_with("--") { "=" } else { "" };
            writeln!(text, "  '*{spelling}{suffix}[{help}]{value}' \\")
                .expect("a string takes everything");
        }
    }
    text.push_str("  '(-)1: :_command_names -e' \\\n  '*:: :_normal'\n");
    text
}

/// Brackets and colons mean something to `_arguments`, a quote ends the word.
fn zsh_text(text: &str) -> String {
    text.replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}

/// For fish.
pub(super) fn fish() -> String {
    let mut text = String::from("complete -c tino -x -a '(__fish_complete_subcommand)'\n");
    for flag in FLAGS {
        text.push_str("complete -c tino");
        if flag.short != 0 {
            write!(text, " -s {}", char::from(flag.short)).expect("a string takes everything");
        }
        write!(text, " -l {}", flag.long).expect("a string takes everything");
        match (is_path(flag), values(flag)) {
            (true, _) => text.push_str(" -r -F"),
            (false, "") if needs_value(flag) => text.push_str(" -x"),
            (false, "") => {}
            (false, words) => {
                write!(text, " -x -a '{words}'").expect("a string takes everything");
            }
        }
        let help = help(flag).replace('\\', "\\\\").replace('\'', "\\'");
        writeln!(text, " -d '{help}'").expect("a string takes everything");
    }
    text
}

/// A second spelling has the help of the first.
fn help(flag: &Flag) -> &'static str {
    let first = FLAGS.iter().find(|other| other.id == flag.id && !other.help.is_empty());
    first.map_or("", |first| first.help)
}

#[cfg(test)]
mod tests {
    use super::{FLAGS, bash, fish, zsh};
    use std::process::Command;

    #[test]
    fn every_option_is_in_every_shell() {
        for flag in FLAGS {
            assert!(bash().contains(&format!("--{}", flag.long)), "bash: {}", flag.long);
            assert!(zsh().contains(&format!("--{}", flag.long)), "zsh: {}", flag.long);
            assert!(fish().contains(&format!(" -l {} ", flag.long)), "fish: {}", flag.long);
        }
    }

    /// What bash itself offers for a command line whose last word is being typed.
    fn completed(words: &[&str]) -> Vec<String> {
        let script = format!(
            "{}\nCOMP_WORDS=(\"$@\")\nCOMP_CWORD=$(($# - 1))\n_tino\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
            bash()
        );
        let output = Command::new("bash")
            .args(["--norc", "-c", &script, "bash"])
            .args(words)
            .output()
            .expect("bash is installed");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_completes_options_values_and_not_the_options_of_the_command() {
        assert_eq!(completed(&["tino", "--gra"]), ["--grace-ms"]);
        assert_eq!(completed(&["tino", "--restart", "on"]), ["on-failure"]);
        assert_eq!(completed(&["tino", "-p", "T"]), ["TERM"]);
        assert_eq!(completed(&["tino", "-t", "5", "server", "--gra"]), [""]);
        assert_eq!(completed(&["tino", "--", "server", "--gra"]), [""]);
    }
}
