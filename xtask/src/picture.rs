//! `cargo xtask picture`: the README's pictures of terminal sessions, drawn from real ones.

use crate::build;
use anyhow::{Context, Result, bail, ensure};
use lexopt::Arg::{Long, Value};
use lexopt::{Parser, ValueExt};
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
cargo xtask picture [tino|tinyo]... [--programs FOLDER]

Draws each picture (all by default) anew. The sessions are real ones, of release builds or of the
programs in FOLDER; that of tinyo is root's, and uses port 8080.
";

/// A session, and where its picture goes.
struct Picture {
    program: &'static str,
    file: &'static str,
    title: &'static str,
    /// Whether it begins in a folder with what the README's first service needs.
    has_service: bool,
    /// What is typed.
    commands: &'static [&'static str],
}

const PICTURES: [Picture; 2] = [
    Picture {
        program: "tino",
        file: "docs/session.svg",
        title: "tino in a terminal",
        has_service: false,
        commands: &[
            "stat -c '%s bytes' $(which tino)",
            "tino -v -- sh -c 'echo hello; exit 3'",
            "tino --landlock-writable /tmp -- sh -c 'echo no > /etc/tino-was-here'",
            "tino -g -t 300 --landlock-writable /tmp --explain -- sh -c 'exit 0'",
        ],
    },
    Picture {
        program: "tinyo",
        file: "docs/tinyo.svg",
        title: "tinyo in a terminal",
        has_service: true,
        commands: &[
            "tinyo run --rm hello | head -9",
            "tinyo run --rm host: sh -c 'id -un; hostname'",
            "cat state.yaml",
            "tinyo up -d --timings",
            "tinyo compose ps --format '{{.Names}}: {{.Status}}, {{.Ports}}'",
            "tinyo down",
        ],
    },
];

pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let (mut chosen, mut programs) = (Vec::new(), None);
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") => {
                print!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            Long("programs") => programs = Some(PathBuf::from(parser.value()?)),
            Value(word) => chosen.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if let Some(unknown) = chosen.iter().find(|it| !PICTURES.iter().any(|p| p.program == *it)) {
        bail!("there is no picture of {unknown}");
    }
    let is_meant =
        |it: &&Picture| chosen.is_empty() || chosen.iter().any(|name| name == it.program);
    for picture in PICTURES.iter().filter(is_meant) {
        let programs = match &programs {
            Some(folder) => std::path::absolute(folder)?,
            None => build::release(&[picture.program])?,
        };
        record(picture, &programs)?;
        println!("{}", picture.file);
    }
    Ok(ExitCode::SUCCESS)
}

fn record(picture: &Picture, programs: &Path) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("picture-{}", std::process::id()));
    fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
    let session = play(picture, programs, &folder);
    fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let path = build::root().join(picture.file);
    fs::create_dir_all(path.parent().context("docs")?)?;
    Ok(fs::write(&path, draw(picture.title, &session?))?)
}

fn play<'a>(
    picture: &'a Picture,
    programs: &Path,
    folder: &Path,
) -> Result<Vec<(&'a str, String)>> {
    let folder = folder.join("site");
    fs::create_dir_all(folder.join("site"))?;
    if picture.has_service {
        let readme = fs::read_to_string(build::root().join("README.md"))?;
        let block = readme.split("```yaml\n").nth(1).and_then(|it| it.split("```").next());
        fs::write(folder.join("state.yaml"), block.context("the README has a state.yaml")?)?;
    }
    let output = |command: &&'a str| Ok((*command, output(command, programs, &folder)?));
    picture.commands.iter().map(output).collect()
}

/// What a terminal shows of a command's output: script(1) gives it one.
fn output(command: &str, programs: &Path, folder: &Path) -> Result<String> {
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display());
    let output = Command::new("script")
        .args(["-qec", command, "/dev/null"])
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .output()
        .context("script (of util-linux)")?;
    let text = String::from_utf8(output.stdout)?.replace('\r', "");
    ensure!(!text.is_empty(), "{command}: no output");
    Ok(text)
}

/// Font size, width of a character and height of a line, in pixels.
const SIZE: usize = 14;
const WIDTH: f32 = 8.43;
const HEIGHT: usize = 20;

fn draw(title: &str, session: &[(&str, String)]) -> String {
    let mut lines = Vec::new();
    for (command, output) in session {
        lines.push(format!("<tspan class=\"prompt\">$</tspan> {}", escape(command)));
        lines.extend(
            output.lines().map(|line| format!("<tspan class=\"output\">{}</tspan>", escape(line))),
        );
        lines.push(String::new());
    }
    lines.pop();
    let texts = session
        .iter()
        .flat_map(|(command, output)| std::iter::once(*command).chain(output.lines()));
    let columns = texts.map(|line| line.chars().count() + 2).max().unwrap_or(0);
    let (width, height) =
        ((columns as f32 * WIDTH) as usize + 2 * HEIGHT, (lines.len() + 2) * HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"{SIZE}\">\n\
         <title>{title}</title>\n\
         <style>text {{ fill: #e6e6e6; white-space: pre }} .prompt {{ fill: #8ec07c }} .output {{ fill: #a8b4c0 }}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1d2024\"/>\n"
    );
    for (line, y) in lines.iter().zip((0..).map(|index| (index + 2) * HEIGHT - HEIGHT / 4)) {
        if !line.is_empty() {
            writeln!(svg, "<text x=\"{HEIGHT}\" y=\"{y}\">{line}</text>")
                .expect("a string takes everything");
        }
    }
    svg + "</svg>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{PICTURES, draw};
    use crate::build;

    #[test]
    fn each_line_is_text_whatever_is_in_it() {
        let svg = draw("title", &[("echo '<&>'", "<&>\nsecond\n".to_owned())]);
        assert_eq!(svg.matches("<text ").count(), 3);
        assert!(svg.contains("echo '&lt;&amp;&gt;'") && svg.ends_with("</svg>\n"), "{svg}");
    }

    #[test]
    fn the_readme_shows_them() {
        let readme = std::fs::read_to_string(build::root().join("README.md")).expect("a README");
        for file in PICTURES.map(|picture| picture.file) {
            assert!(readme.contains(&format!("({file})")) && build::root().join(file).exists());
        }
    }
}
