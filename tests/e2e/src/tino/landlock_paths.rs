//! `--landlock` and its kin: paths.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::expect_eq;
use crate::support::sys::landlock_abi;
use crate::support::{Finished, Launch, own_program, scratch, script, until};

/// The oldest ABI that can enforce the restriction of writes with truncation.
pub(super) const WRITES: u32 = 3;

/// Runs `body` if the kernel can enforce it, or skips.
pub(super) fn with_abi(needed: u32, body: impl FnOnce() -> Result<()>) -> Result<()> {
    match landlock_abi() {
        found if found < needed => {
            harness::skip(format!("this kernel's Landlock ABI is {found}, {needed} is needed"))
        }
        _ => body(),
    }
}

/// Fails unless the actor's steps ended as written: `WORD PATH` with `ok` or an errno.
pub(super) fn expect_steps(finished: &Finished, steps: &[(String, i32)]) -> Result<()> {
    for (step, errno) in steps {
        let result = if *errno == 0 { "ok".to_owned() } else { format!("errno {errno}") };
        let what = step.replacen('=', " ", 1);
        finished.expect_stdout(&format!("{what}: {result}\n"))?;
    }
    finished.expect_code(0)?;
    Ok(())
}

/// Runs the steps under `tino` with the options and expects how each ends.
pub(super) fn check(options: &[String], steps: &[(String, i32)]) -> Result<()> {
    let script: Vec<&str> = steps.iter().map(|(step, _)| step.as_str()).collect();
    let finished = Launch::tino(&[]).words(options).act(&script).finish()?;
    expect_steps(&finished, steps).with_context(|| format!("{options:?}, {steps:?}"))
}

/// Folders `in` and `out`, each with the files `a`, `b` and `c`.
fn make_folders() -> Result<(String, String)> {
    for folder in ["in", "out"] {
        fs::create_dir_all(scratch(folder))?;
        for name in ["a", "b", "c"] {
            fs::write(scratch(folder).join(name), "text")?;
        }
    }
    Ok((scratch("in").display().to_string(), scratch("out").display().to_string()))
}

fn steps(list: &[(&str, &str, i32)]) -> Vec<(String, i32)> {
    list.iter().map(|(verb, path, errno)| (format!("{verb}={path}"), *errno)).collect()
}

/// Everything that changes something below `inside` succeeds, and below `outside` does not.
fn changes(inside: &str, outside: &str) -> Vec<(String, i32)> {
    let verbs = [
        ("create", "new"),
        ("write", "a"),
        ("truncate", "a"),
        ("shorten", "a"),
        ("mkdir", "folder"),
        ("symlink", "link"),
        ("unlink", "b"),
    ];
    let mut all = Vec::new();
    for (folder, errno) in [(inside, 0), (outside, libc::EACCES)] {
        all.extend(verbs.map(|(verb, name)| (format!("{verb}={folder}/{name}"), errno)));
        all.push((format!("rename={folder}/c:{folder}/d"), errno));
    }
    all.extend(steps(&[("read", &format!("{outside}/a"), 0), ("list", outside, 0)]));
    all
}

pub(crate) fn writing_works_nowhere_but_below_the_path() -> Result<()> {
    with_abi(WRITES, || {
        let (inside, outside) = make_folders()?;
        check(&["--landlock-writable".into(), inside.clone()], &changes(&inside, &outside))?;
        expect_eq!(fs::read_to_string(scratch("out/a"))?, "text");
        expect_eq!(fs::read_to_string(scratch("in/a"))?, "");
        Ok(())
    })
}

pub(crate) fn every_spelling_restricts() -> Result<()> {
    with_abi(WRITES, || {
        let (inside, outside) = make_folders()?;
        let profile = scratch("profile");
        fs::write(&profile, format!("# a comment\n\n  {inside}  \n#/\n"))?;
        let no_newline = scratch("profile-2");
        fs::write(&no_newline, &inside)?;
        for option in [
            format!("--write-allow={inside}"),
            format!("--landlock-profile={}", profile.display()),
            format!("--landlock-profile={}", no_newline.display()),
        ] {
            let refused = format!("{outside}/new");
            let allowed = format!("{inside}/a");
            check(
                &[option],
                &steps(&[("write", &allowed, 0), ("create", &refused, libc::EACCES)]),
            )?;
        }
        for option in ["--landlock", "--write-restrict"] {
            let refused = format!("{inside}/a");
            check(&[option.into()], &steps(&[("write", &refused, libc::EACCES)]))?;
        }
        let both = [format!("--write-allow={inside}"), format!("--write-allow={outside}/a")];
        let list = [
            ("create", format!("{inside}/both"), 0),
            ("write", format!("{outside}/a"), 0),
            ("write", format!("{outside}/b"), libc::EACCES),
        ];
        let list: Vec<_> =
            list.iter().map(|(verb, path, errno)| (*verb, path.as_str(), *errno)).collect();
        check(&both, &steps(&list))
    })
}

pub(crate) fn devices_stay_writable_unless_refused() -> Result<()> {
    with_abi(WRITES, || {
        check(
            &["--landlock".into()],
            &steps(&[("write", "/dev/null", 0), ("create", "/dev/new", libc::EACCES)]),
        )?;
        for option in ["--landlock-no-dev", "--write-no-dev"] {
            let options = ["--landlock".to_owned(), option.into()];
            check(&options, &steps(&[("write", "/dev/null", libc::EACCES)]))?;
        }
        Ok(())
    })
}

pub(crate) fn presets_name_the_usual_folders() -> Result<()> {
    with_abi(WRITES, || {
        let (_, outside) = make_folders()?;
        if !Path::new(&outside).starts_with("/tmp") {
            return harness::skip("the scratch folder is not in /tmp");
        }
        let file = format!("{outside}/a");
        check(
            &["--write-preset=tmp".into()],
            &steps(&[("write", &file, 0), ("create", "/run/tino-new", libc::EACCES)]),
        )?;
        let new = format!("/run/tino-test-{}", std::process::id());
        if Path::new("/run").is_dir() {
            let list = [
                ("write", file.as_str(), 0),
                ("mkdir", &new, 0),
                ("rmdir", &new, 0),
                ("mkdir", "/tino-test", libc::EACCES),
            ];
            check(&["--write-preset=runtime".into()], &steps(&list))?;
        }
        let finished = Launch::tino(&["--write-preset=everything"]).act(&["say=ran"]).finish()?;
        expect_eq!(finished.expect_code(2)?.stdout.as_str(), "");
        Ok(())
    })
}

/// `tino` refuses to start anything, and names what is lacking.
fn refused(options: &[&str], named: &str) -> Result<()> {
    let finished = Launch::tino(options).act(&["say=ran"]).finish()?;
    finished.expect_code(1)?.expect_stderr("[FATAL tino (")?.expect_stderr(named)?;
    expect_eq!(finished.stdout.as_str(), "", "the child must not have run, {options:?}");
    Ok(())
}

pub(crate) fn a_missing_path_is_fatal_unless_warn_only() -> Result<()> {
    with_abi(WRITES, || {
        let (inside, outside) = make_folders()?;
        let profile = scratch("profile");
        fs::write(&profile, format!("{inside}\n/no/such/line\n"))?;
        let profile = profile.display().to_string();
        refused(&["--landlock-writable", "/no/such/path"], "/no/such/path")?;
        refused(&["--landlock-profile", "/no/such/profile"], "/no/such/profile")?;
        refused(&["--landlock-profile", &inside], &inside)?;
        refused(&["--landlock-profile", &profile], "/no/such/line")?;
        refused(&["--read-allow", "/no/such/path"], "/no/such/path")?;
        refused(&["--exec-allow", "/no/such/path"], "/no/such/path")?;
        for warn_only in ["--landlock-warn-only", "--write-warn-only"] {
            let file = format!("{outside}/a");
            let finished = Launch::tino(&[warn_only, "--landlock-profile", &profile])
                .act(&[&format!("write={file}"), &format!("write={inside}/a")])
                .finish()?;
            finished.expect_stderr("[WARN  tino (")?.expect_stderr("/no/such/line")?;
            let wanted =
                [("write", file.as_str(), libc::EACCES), ("write", &format!("{inside}/a"), 0)];
            expect_steps(&finished, &steps(&wanted))?;
        }
        Ok(())
    })
}

pub(crate) fn a_profile_that_is_too_large_is_fatal() -> Result<()> {
    with_abi(WRITES, || {
        let profile = scratch("profile");
        fs::write(&profile, "/tmp\n".repeat(1 << 18))?;
        let profile = profile.display().to_string();
        refused(&["--landlock-profile", &profile], &profile)
    })
}

pub(crate) fn an_unreadable_profile_is_fatal() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    with_abi(WRITES, || {
        let profile = scratch("profile");
        fs::write(&profile, "/tmp\n")?;
        fs::set_permissions(&profile, fs::Permissions::from_mode(0o000))?;
        let tino = scratch("reachable");
        fs::copy(harness::tino(), &tino)?;
        let finished = Launch::new(&tino)
            .words(&["--landlock-profile"])
            .words(&[&profile])
            .words(&["--"])
            .words(&[&tino])
            .user(54_321)
            .finish()?;
        finished.expect_code(1)?.expect_stderr(&profile.display().to_string())?;
        Ok(())
    })
}

pub(crate) fn reading_works_nowhere_but_below_the_path() -> Result<()> {
    with_abi(WRITES, || {
        let (inside, outside) = make_folders()?;
        let mut options = vec![format!("--read-allow={inside}"), "--read-allow=/proc".into()];
        // The actor's libraries.
        for folder in ["/lib", "/lib64", "/usr/lib", "/etc/ld.so.cache"] {
            if Path::new(folder).exists() {
                options.push(format!("--read-allow={folder}"));
            }
        }
        let list = [
            ("read", format!("{inside}/a"), 0),
            ("list", inside.clone(), 0),
            ("read", format!("{outside}/a"), libc::EACCES),
            ("list", outside.clone(), libc::EACCES),
            ("create", format!("{outside}/new"), 0),
        ];
        let list: Vec<_> =
            list.iter().map(|(verb, path, errno)| (*verb, path.as_str(), *errno)).collect();
        check(&options, &steps(&list))
    })
}

pub(crate) fn execution_is_for_the_command_and_the_named() -> Result<()> {
    with_abi(1, || {
        for name in ["named", "other"] {
            fs::copy(own_program(), scratch(name))?;
        }
        let (named, other) =
            (scratch("named").display().to_string(), scratch("other").display().to_string());
        let list = [("run", named.as_str(), 0), ("run", &other, libc::EACCES)];
        check(&[format!("--exec-allow={named}")], &steps(&list))?;
        // A word without a slash is looked for in $PATH.
        let finished = Launch::tino(&["--exec-allow=named"])
            .act(&[&format!("run={named}"), &format!("run={other}")])
            .no_env()
            .env(format!("PATH=/no/such/folder:{}", std::env::temp_dir().display()))
            .finish()?;
        expect_steps(&finished, &steps(&list))
    })
}

pub(crate) fn a_script_as_command_needs_no_named_interpreter() -> Result<()> {
    if !Path::new("/bin/sh").exists() {
        return harness::skip("no /bin/sh");
    }
    with_abi(1, || {
        let named = scratch("named");
        fs::copy(own_program(), &named)?;
        let path = scratch("script");
        script(&path, "#!/bin/sh\n/bin/cat /dev/null 2>/dev/null || echo refused\nexit 8\n")?;
        let option = format!("--exec-allow={}", named.display());
        let finished = Launch::tino(&[&option, "--"]).words(&[&path]).finish()?;
        finished.expect_code(8)?.expect_stdout("refused\n")?;
        Ok(())
    })
}

pub(crate) fn tino_itself_is_not_restricted() -> Result<()> {
    with_abi(WRITES, || {
        let options = ["--landlock", "--landlock-no-dev", "--all", "-t", "100"];
        let running = Launch::tino(&options)
            .act(&["(", "setsid", "ignore=15", "say=up", "pause", ")", "record=10", "exit=5"])
            .start()?;
        running.wait_line("up")?;
        running.wait_line("ready")?;
        running.send(libc::SIGUSR1)?;
        running.finish()?.expect_code(5)?;
        let running =
            Launch::tino(&options).act(&["status=NoNewPrivs", "say=up", "pause"]).start()?;
        running.wait_line("up")?;
        expect_eq!(running.wait_value("NoNewPrivs ")?.trim(), "1");
        let own = crate::support::processes::status(running.pid, "NoNewPrivs")?;
        expect_eq!(own, "0");
        until("it runs", || running.still_runs())
    })
}
