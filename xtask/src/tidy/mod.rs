//! `cargo xtask tidy`: the rules of the house that no compiler checks.

mod code;
mod direction;
mod length;
mod places;

use crate::build;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// One thing found. A remark is printed; only an error makes the task fail.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    Remark(String),
    Error(String),
}

pub(crate) fn run(_: Vec<OsString>) -> Result<ExitCode> {
    let mut findings = direction::check()?;
    let mut files = Vec::new();
    collect(build::root(), &mut files)?;
    files.sort();
    for path in &files {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let name = path.strip_prefix(build::root())?.to_str().context("names are UTF-8")?;
        findings.extend(length::check(name, &text));
        findings.extend(places::check(name, &text));
    }
    let mut errors = 0;
    for finding in &findings {
        match finding {
            Finding::Remark(text) => println!("remark: {text}"),
            Finding::Error(text) => {
                println!("error: {text}");
                errors += 1;
            }
        }
    }
    println!("{} files, {errors} errors, {} remarks", files.len(), findings.len() - errors);
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All Rust files below a folder, but not what was built or what is hidden.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && name != "target" {
                collect(&path, files)?;
            }
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(())
}
