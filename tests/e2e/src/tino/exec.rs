//! Finding the command, and what happens when it cannot be run.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::expect_eq;
use crate::support::{Launch, own_program, scratch, script};

/// Runs `command` and expects `code` and the command's name in the message.
fn fails_with(command: &str, code: i32) -> Result<()> {
    let finished = Launch::tino(&["--", command]).finish()?;
    finished.expect_code(code)?.expect_stderr("[FATAL tino (")?;
    let named = &command[..command.len().min(100)];
    finished.expect_stderr(named)?;
    Ok(())
}

pub(crate) fn a_missing_command_is_127() -> Result<()> {
    let looped = scratch("loop");
    std::os::unix::fs::symlink(&looped, &looped)?;
    fails_with("/no/such/program", 127)?;
    fails_with("no-such-program-in-the-path", 127)?;
    fails_with("/proc/self/status/below-a-file", 127)?;
    fails_with(&looped.to_string_lossy(), 127)?;
    fails_with(&format!("/{}", "x".repeat(300)), 127)
}

pub(crate) fn a_command_that_may_not_run_is_126() -> Result<()> {
    let plain = scratch("plain");
    fs::write(&plain, "exit 0\n")?;
    fails_with(&plain.to_string_lossy(), 126)?;
    fails_with("/proc", 126)
}

pub(crate) fn an_interpreter_that_is_missing_is_127() -> Result<()> {
    let path = scratch("strange-script");
    script(&path, "#!/no/such/interpreter\n")?;
    fails_with(&path.to_string_lossy(), 127)
}

pub(crate) fn an_empty_command_is_127() -> Result<()> {
    Launch::tino(&["--", ""]).finish()?.expect_code(127)?;
    Ok(())
}

pub(crate) fn a_script_without_shebang_is_run_by_sh() -> Result<()> {
    if !PathBuf::from("/bin/sh").exists() {
        return harness::skip("no /bin/sh");
    }
    let path = scratch("script");
    script(&path, "echo \"$0|$1|$2|$#\"\nexit 9\n")?;
    let finished = Launch::tino(&["--"]).words(&[path.as_os_str()]).words(&["a b", ""]).finish()?;
    finished.expect_code(9)?;
    expect_eq!(finished.stdout, format!("{}|a b||2\n", path.display()));
    let in_path = Launch::tino(&["--", "script", "1"]).no_env().env(path_variable(&["."]));
    in_path.folder(std::env::temp_dir()).finish()?.expect_code(9)?.expect_stdout("|1||1\n")?;
    Ok(())
}

/// `PATH=` and the folders, those that begin with `+` being in the scratch folder.
fn path_variable(folders: &[&str]) -> String {
    let full = |folder: &&str| match folder.strip_prefix('+') {
        Some(name) => scratch(name).display().to_string(),
        None => (*folder).to_owned(),
    };
    format!("PATH={}", folders.iter().map(full).collect::<Vec<_>>().join(":"))
}

/// Folders `none` (empty), `refused` (a plain file of the command's name), `good`.
fn make_folders() -> Result<()> {
    for name in ["none", "refused", "good"] {
        fs::create_dir(scratch(name))?;
    }
    fs::write(scratch("refused/command"), "not executable")?;
    std::os::unix::fs::symlink(own_program(), scratch("good/command"))?;
    Ok(())
}

fn run_in_path(folders: &[&str], cwd: &str) -> Launch {
    Launch::tino(&["--", "command", "--helper", "exit=11"])
        .no_env()
        .env(path_variable(folders))
        .folder(scratch(cwd))
}

pub(crate) fn the_path_is_searched_in_order() -> Result<()> {
    make_folders()?;
    for folders in [
        &["+good"][..],
        &["+none", "+good"],
        &["+refused", "+good"],
        &["/no/such/folder", "+good"],
        &["/proc/self/status", "+good"],
        &["+none", "../good"],
    ] {
        let finished = run_in_path(folders, "none").finish()?;
        expect_eq!(finished.code()?, 11, "{folders:?}: {}", finished.stderr);
    }
    Ok(())
}

pub(crate) fn an_empty_element_of_the_path_is_the_current_folder() -> Result<()> {
    make_folders()?;
    for folders in [&[""][..], &["", "+none"], &["+none", ""], &["+none", "", "+none"]] {
        run_in_path(folders, "good").finish()?.expect_code(11)?;
        run_in_path(folders, "none").finish()?.expect_code(127)?;
    }
    Ok(())
}

pub(crate) fn a_refusal_on_the_path_is_remembered() -> Result<()> {
    make_folders()?;
    for folders in [&["+refused"][..], &["+refused", "+none"], &["+none", "+refused"]] {
        run_in_path(folders, "none").finish()?.expect_code(126)?;
    }
    run_in_path(&["+none"], "refused").finish()?.expect_code(127)?;
    Ok(())
}

pub(crate) fn a_command_with_a_slash_is_not_searched_for() -> Result<()> {
    make_folders()?;
    let finished = Launch::tino(&["--", "good/command", "--helper", "exit=11"])
        .no_env()
        .env(path_variable(&["+none"]))
        .folder(std::env::temp_dir())
        .finish()?;
    finished.expect_code(11)?;
    Ok(())
}

pub(crate) fn without_a_path_bin_and_usr_bin_are_searched() -> Result<()> {
    if !PathBuf::from("/bin/sh").exists() && !PathBuf::from("/usr/bin/sh").exists() {
        return harness::skip("no /bin/sh and no /usr/bin/sh");
    }
    Launch::tino(&["--", "sh", "-c", "exit 12"]).no_env().finish()?.expect_code(12)?;
    Launch::tino(&["--", "command-in-no-folder"]).no_env().finish()?.expect_code(127)?;
    Ok(())
}
