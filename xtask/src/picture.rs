//! `cargo xtask picture`: the README's picture of a terminal session, drawn from a real one.

use crate::build;
use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

/// What is typed.
const COMMANDS: &[&str] = &[
    "stat -c '%s bytes' $(which tino)",
    "tino -v -- sh -c 'echo hello; exit 3'",
    "tino --landlock-writable /tmp -- sh -c 'echo no > /etc/tino-was-here'",
    "tino -g -t 300 --landlock-writable /tmp --explain -- sh -c 'exit 0'",
];

const PICTURE: &str = "docs/session.svg";

pub(crate) fn run(_: Vec<OsString>) -> Result<ExitCode> {
    let programs = build::release(&["tino"])?;
    let mut session = Vec::new();
    for command in COMMANDS {
        session.push((*command, output(command, &programs)?));
    }
    let picture = build::root().join(PICTURE);
    fs::create_dir_all(picture.parent().context("docs")?)?;
    fs::write(&picture, draw(&session))?;
    println!("{PICTURE}");
    Ok(ExitCode::SUCCESS)
}

/// What a terminal shows of a command's output: script(1) gives it one.
fn output(command: &str, programs: &Path) -> Result<String> {
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let output = Command::new("script")
        .args(["-qec", command, "/dev/null"])
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

fn draw(session: &[(&str, String)]) -> String {
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
         <title>tino in a terminal</title>\n\
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
    use super::{PICTURE, draw};
    use crate::build;

    #[test]
    fn each_line_is_text_whatever_is_in_it() {
        let svg = draw(&[("echo '<&>'", "<&>\nsecond\n".to_owned())]);
        assert_eq!(svg.matches("<text ").count(), 3);
        assert!(svg.contains("echo '&lt;&amp;&gt;'") && svg.ends_with("</svg>\n"), "{svg}");
    }

    #[test]
    fn the_readme_shows_it() {
        let readme = std::fs::read_to_string(build::root().join("README.md")).expect("a README");
        assert!(readme.contains(&format!("({PICTURE})")) && build::root().join(PICTURE).exists());
    }
}
