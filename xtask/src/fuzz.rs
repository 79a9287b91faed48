//! `cargo xtask fuzz`: libFuzzer over the parsers of untrusted input, on the stable toolchain.
//!
//! What `cargo fuzz` needs a nightly compiler for, the sanitizer flags, is replaced by asking
//! LLVM for coverage counters directly.

use crate::build;
use anyhow::{Context, Result, bail, ensure};
use lexopt::Arg::{Long, Value};
use lexopt::{Parser, ValueExt};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

const USAGE: &str = "\
cargo xtask fuzz [TARGET...] [--seconds N]

Runs each TARGET (all by default) for N seconds (60). New inputs that reach new code are added to
fuzz/corpus/TARGET; an input that fails is left in fuzz/artifacts/TARGET.
";

/// Edge counters in memory, the table of their addresses, and the operands of comparisons.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions=on",
    "--cfg=fuzzing",
];

pub(crate) fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let mut chosen = Vec::new();
    let mut seconds = 60;
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") => {
                print!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            Long("seconds") => seconds = parser.value()?.parse()?,
            Value(word) => chosen.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let known = targets()?;
    if let Some(unknown) = chosen.iter().find(|name| !known.contains(name)) {
        bail!("{unknown} is not a target; there are: {}", known.join(" "));
    }
    let targets = if chosen.is_empty() { known } else { chosen };
    build_targets(&targets)?;
    for target in targets {
        println!("fuzz {target} for {seconds} s");
        build::check(&mut fuzzer(&target, seconds, &[&folder("corpus", &target)?])?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of all targets: a file each in `fuzz/fuzz_targets`.
pub(crate) fn targets() -> Result<Vec<String>> {
    let folder = build::root().join("fuzz/fuzz_targets");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().and_then(|name| name.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}

/// Runs that start from the corpus but leave it alone: each target and what came of it.
pub(crate) fn run_briefly(targets: Vec<String>, seconds: u64) -> Result<Vec<(String, Result<()>)>> {
    build_targets(&targets)?;
    Ok(targets.into_iter().map(|it| (it.clone(), run_one_briefly(&it, seconds))).collect())
}

fn run_one_briefly(target: &str, seconds: u64) -> Result<()> {
    let found = build::target().join("fuzz-found").join(target);
    fs::create_dir_all(&found).with_context(|| found.display().to_string())?;
    let mut command = fuzzer(target, seconds, &[&found, &folder("corpus", target)?])?;
    let output = command.output().with_context(|| format!("{command:?}"))?;
    fs::remove_dir_all(&found).with_context(|| found.display().to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    Ok(())
}

/// libFuzzer reads all the folders, and writes into the first one.
fn fuzzer(target: &str, seconds: u64, corpora: &[&Path]) -> Result<Command> {
    let artifacts = folder("artifacts", target)?;
    let mut command =
        Command::new(target_folder().join(build::TARGET).join("release").join(target));
    command.args(corpora).stdin(Stdio::null());
    command.arg(format!("-max_total_time={seconds}"));
    // One input that takes 10 s, or 2 GiB, is a bug of its own.
    command.args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"]);
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    Ok(command)
}

fn build_targets(targets: &[String]) -> Result<()> {
    let mut command = build::cargo();
    command.args(["build", "--quiet", "--release", "--locked", "--target", build::TARGET]);
    targets.iter().for_each(|target| {
        command.args(["--bin", target]);
    });
    command.arg("--manifest-path").arg(build::root().join("fuzz/Cargo.toml"));
    command.arg("--target-dir").arg(target_folder());
    command.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    build::check(&mut command)
}

/// Apart from that of the workspace, as the flags are.
fn target_folder() -> PathBuf {
    build::root().join("fuzz/target")
}

fn folder(kind: &str, target: &str) -> Result<PathBuf> {
    let folder = build::root().join("fuzz").join(kind).join(target);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}
