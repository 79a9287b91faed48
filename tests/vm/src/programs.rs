//! Puts a program into an initramfs together with all that it needs to start: the shared
//! libraries of a dynamic one, the interpreter of a script.

use crate::archive::Archive;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Adds the host's `source` as `path`, its interpreter and its libraries.
pub(crate) fn add(archive: &mut Archive, path: &str, source: &Path) -> Result<()> {
    let content = fs::read(source).with_context(|| source.display().to_string())?;
    let mode = fs::metadata(source)?.permissions().mode() & 0o7777;
    archive.file(path, mode, &content);
    for needed in needed_files(source, &content)? {
        let name = needed.to_str().with_context(|| format!("{} is not UTF-8", needed.display()))?;
        if !archive.contains(name) {
            add(archive, name, &needed)?;
        }
    }
    Ok(())
}

/// Where a command is: itself if it has a slash, otherwise looked for in `$PATH`.
pub(crate) fn find(command: &Path) -> Result<PathBuf> {
    if command.components().count() > 1 {
        return std::path::absolute(command).context("no working directory");
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search)
        .map(|folder| folder.join(command))
        .find(|path| path.is_file())
        .with_context(|| format!("{} is not in $PATH", command.display()))
}

fn needed_files(source: &Path, content: &[u8]) -> Result<Vec<PathBuf>> {
    if let Some(rest) = content.strip_prefix(b"#!") {
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        return Ok(line.split_whitespace().next().map(PathBuf::from).into_iter().collect());
    }
    if content.starts_with(b"\x7fELF") { libraries(source) } else { Ok(Vec::new()) }
}

/// Asks the dynamic loader, which alone knows where it looks.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("ldd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || text.contains("statically linked") {
        return Ok(Vec::new());
    }
    parse_ldd(&text).with_context(|| format!("ldd {}", program.display()))
}

/// Lines are `NAME => PATH (ADDRESS)`, `PATH (ADDRESS)`, or a name without file for the vDSO.
fn parse_ldd(text: &str) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for line in text.lines() {
        let place = line.split_once(" => ").map_or(line, |(_, place)| place).trim();
        if place.starts_with("not found") {
            bail!("{}", line.trim());
        }
        if let Some(path) = place.split_whitespace().next().filter(|path| path.starts_with('/')) {
            paths.push(PathBuf::from(path));
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::parse_ldd;
    use std::path::PathBuf;

    #[test]
    fn every_kind_of_line_of_ldd() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f4f)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f4f)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(parse_ldd(text).expect("valid"), expected.map(PathBuf::from));
        assert!(parse_ldd("\tlibx.so => not found\n").is_err());
    }
}
