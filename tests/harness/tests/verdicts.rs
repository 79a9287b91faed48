//! What the runner makes of trials that pass, fail, hang, skip, die and leave processes behind.

#![allow(missing_docs)]

use std::process::{Command, ExitCode, Output};

/// Says to this program that it is to be the test program.
const SAMPLE: &str = "HARNESS_SAMPLE";

fn passes() -> anyhow::Result<()> {
    println!("this is not shown");
    Ok(())
}

fn fails() -> anyhow::Result<()> {
    println!("this is shown");
    Err(anyhow::anyhow!("wrong").context("something"))
}

fn panics() -> anyhow::Result<()> {
    panic!("out of luck");
}

fn skips() -> anyhow::Result<()> {
    harness::skip("no such device")
}

fn hangs() -> anyhow::Result<()> {
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1000));
    }
}

/// Leaves a process in a session of its own, which holds the output open.
fn leaves_a_process() -> anyhow::Result<()> {
    let path = std::env::var_os("HARNESS_SAMPLE").unwrap_or_default();
    let script = format!("setsid sleep 1000 & echo $! > {}", path.display());
    Command::new("sh").args(["-c", &script]).status()?;
    Ok(())
}

fn uses_its_folder() -> anyhow::Result<()> {
    let folder = std::env::temp_dir();
    anyhow::ensure!(std::fs::read_dir(&folder)?.count() == 0, "not empty");
    std::fs::write(folder.join("file"), "text")?;
    println!("folder {}", folder.display());
    anyhow::bail!("shown")
}

fn main() -> ExitCode {
    if std::env::var_os(SAMPLE).is_some() {
        return harness::main(harness::trials![
            passes,
            fails,
            panics,
            skips,
            hangs,
            leaves_a_process,
            uses_its_folder,
        ]);
    }
    verdicts_are_told_and_counted();
    a_hanging_trial_is_killed();
    processes_that_are_left_are_killed();
    the_folder_is_removed();
    names_are_listed();
    ExitCode::SUCCESS
}

fn run(arguments: &[&str], sample: &str) -> (String, Output) {
    let own = std::env::current_exe().expect("/proc is mounted");
    let output = Command::new(own).args(arguments).env(SAMPLE, sample).output();
    let output = output.expect("this program can be started");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output)
}

fn verdicts_are_told_and_counted() {
    let (text, output) = run(&["--exact", "passes", "fails", "panics", "skips"], "1");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("test passes ... ok\n"), "{text}");
    assert!(
        text.contains("test fails ... FAILED\n    this is shown\n    something: wrong\n"),
        "{text}"
    );
    assert!(text.contains("test panics ... FAILED\n") && text.contains("out of luck"), "{text}");
    assert!(text.contains("test skips ... skipped: no such device\n"), "{text}");
    assert!(text.contains("\nskipped:\n    skips: no such device\n"), "{text}");
    assert!(!text.contains("this is not shown"), "{text}");
    assert_eq!(text.lines().last(), Some("1 passed, 2 failed, 1 skipped"));
    let (text, output) = run(&["pass"], "1");
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text.lines().last(), Some("1 passed, 0 failed, 0 skipped"));
}

fn a_hanging_trial_is_killed() {
    let (text, output) = run(&["hangs", "--time-limit", "1"], "1");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("test hangs ... FAILED\n    timed out after 1 s\n"), "{text}");
    // What it was doing is told, and its name is known from the beginning on.
    assert!(text.contains("--exact hangs --in-process") && text.contains("State:\tS"), "{text}");
    let note = std::env::temp_dir().join(format!("harness-begun-{}", std::process::id()));
    run(&["passes", "--begun", &note.display().to_string()], "1");
    let begun = std::fs::read_to_string(&note).expect("the runner has written it");
    std::fs::remove_file(&note).expect("it is there");
    assert_eq!(begun, "begun: passes\n");
}

fn processes_that_are_left_are_killed() {
    let note = std::env::temp_dir().join(format!("harness-pid-{}", std::process::id()));
    let (text, output) = run(&["leaves_a_process"], &note.display().to_string());
    assert_eq!(output.status.code(), Some(0), "{text}");
    let pid = std::fs::read_to_string(&note).expect("the trial has written it");
    std::fs::remove_file(&note).expect("it is there");
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists(), "{pid} is alive");
}

fn the_folder_is_removed() {
    let (text, _) = run(&["uses_its_folder"], "1");
    let folder = text.lines().find_map(|line| line.trim().strip_prefix("folder "));
    assert!(!std::path::Path::new(folder.expect("it is told")).exists(), "{text}");
}

fn names_are_listed() {
    assert_eq!(run(&["--list", "fail", "skip"], "1").0, "fails\nskips\n");
}
