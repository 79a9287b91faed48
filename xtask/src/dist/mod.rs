//! `cargo xtask dist`: all that a release consists of, in `dist/`.

mod completion;
mod man;
mod roff;
mod tinyort;

use crate::build;
use crate::size::BUDGETS;
use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

pub(crate) fn run(_: Vec<OsString>) -> Result<ExitCode> {
    let folder = build::root().join("dist");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    for part in ["bin", "man/man1", "completions/bash", "completions/zsh", "completions/fish"] {
        fs::create_dir_all(folder.join(part)).with_context(|| part.to_owned())?;
    }
    copy_programs(&folder)?;
    let texts = [
        ("man/man1/tino.1", man::page()),
        ("completions/bash/tino", completion::bash()),
        ("completions/zsh/_tino", completion::zsh()),
        ("completions/fish/tino.fish", completion::fish()),
        ("man/man1/tinyort.1", tinyort::page()),
        ("completions/bash/tinyort", tinyort::bash()),
        ("completions/zsh/_tinyort", tinyort::zsh()),
        ("completions/fish/tinyort.fish", tinyort::fish()),
    ];
    for (name, text) in &texts {
        fs::write(folder.join(name), text).with_context(|| (*name).to_owned())?;
    }
    write_texts_of_tinyo(&folder)?;
    for page in fs::read_dir(folder.join("man/man1"))? {
        check_man_page(&page?.path())?;
    }
    for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(build::root().join(name), folder.join(name)).with_context(|| name.to_owned())?;
    }
    let sums = checksums(&folder)?;
    fs::write(folder.join("SHA256SUMS"), &sums).context("SHA256SUMS")?;
    print!("{sums}");
    Ok(ExitCode::SUCCESS)
}

fn copy_programs(folder: &Path) -> Result<()> {
    let programs: Vec<_> = BUDGETS.iter().map(|budget| budget.program).collect();
    let built = build::release(&programs)?;
    for program in programs {
        fs::copy(built.join(program), folder.join("bin").join(program))
            .with_context(|| program.to_owned())?;
    }
    Ok(())
}

/// The engine has its definitions itself, and writes what follows from them.
fn write_texts_of_tinyo(folder: &Path) -> Result<()> {
    let tinyo = |words: &[&str]| -> Result<Vec<u8>> {
        let output =
            Command::new(folder.join("bin/tinyo")).args(words).output().context("tinyo")?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tinyo {}: {stderr}", words.join(" "));
        Ok(output.stdout)
    };
    tinyo(&["manual", folder.join("man/man1").to_str().context("a folder in UTF-8")?])?;
    for (shell, name) in [("bash", "tinyo"), ("zsh", "_tinyo"), ("fish", "tinyo.fish")] {
        let path = folder.join("completions").join(shell).join(name);
        fs::write(&path, tinyo(&["completion", shell])?)
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Formats the page as a reader would, and takes any warning for an error.
fn check_man_page(page: &Path) -> Result<()> {
    let output = Command::new("man")
        .args(["--warnings=w", "--encoding=UTF-8", "--local-file"])
        .arg(page)
        .env("MANROFFSEQ", "")
        .env("MANWIDTH", "80")
        .env("LC_ALL", "C.UTF-8")
        .output();
    let Ok(output) = output else {
        println!("man is not installed: the page is not checked (package man-db)");
        return Ok(());
    };
    let warnings = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && warnings.is_empty(), "{}: {warnings}", page.display());
    Ok(())
}

/// A line for each file, in the format of sha256sum.
fn checksums(folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(folder, Path::new(""), &mut files)?;
    files.sort();
    let output =
        Command::new("sha256sum").current_dir(folder).args(&files).output().context("sha256sum")?;
    ensure!(output.status.success(), "sha256sum: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn collect(root: &Path, below: &Path, files: &mut Vec<OsString>) -> Result<()> {
    for entry in fs::read_dir(root.join(below)).with_context(|| below.display().to_string())? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            collect(root, &path, files)?;
        } else {
            files.push(path.into_os_string());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_man_page, man, tinyort};

    #[test]
    fn the_man_pages_are_formatted_without_a_warning() {
        for (name, text) in [("tino", man::page()), ("tinyort", tinyort::page())] {
            let path = std::env::temp_dir().join(format!("{name}-{}.1", std::process::id()));
            std::fs::write(&path, text).expect("the temporary folder is writable");
            let result = check_man_page(&path);
            std::fs::remove_file(&path).expect("it was just written");
            result.expect("no warning");
        }
    }
}
