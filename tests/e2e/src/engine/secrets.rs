//! Secrets: who gets them, and where they are not.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use super::rootless::User;
use super::support::{Engine, json};
use crate::expect_eq;
use crate::support::scratch;

const TEXT: &str = "correct horse battery staple";

fn with_secret(name: &str) -> Result<Engine> {
    let engine = Engine::new()?;
    let file = scratch("secret");
    fs::write(&file, TEXT)?;
    engine.ok(&["secret", "create", name, file.to_str().unwrap_or_default()])?;
    Ok(engine)
}

pub(crate) fn a_secret_is_given_and_nowhere_else() -> Result<()> {
    let engine = with_secret("key")?;
    let words = ["-d", "--name", "one", "--secret", "key", "--secret", "key,type=env,target=PW"];
    let more = ["--secret", "key,target=/etc/key,uid=33,gid=34,mode=400"];
    let script = "cat /run/secrets/key; exec sleep 100";
    engine.ok(&[&["run"], &words[..], &more, &["box", "sh", "-c", script]].concat())?;
    let inside = |script: &str| engine.ok(&["exec", "one", "sh", "-c", script]);
    expect_eq!(inside("cat /run/secrets/key /etc/key; echo $PW")?, format!("{TEXT}{TEXT}{TEXT}"));
    let look = "stat -c '%u %g %a' /run/secrets/key /etc/key; stat -f -c %T /run/secrets";
    expect_eq!(inside(look)?, "0 0 444\n33 34 400\ntmpfs");
    // Not even its root changes it.
    ensure!(inside("echo x > /run/secrets/key").is_err(), "it was written to");
    // It is known of it, and not what it is.
    let all = engine.ok(&["inspect", "one"])?;
    expect_eq!(json(&all)?[0]["Config"]["Secrets"][0]["Name"], "key");
    ensure!(!all.contains(TEXT), "inspect shows it");
    let id = engine.ok(&["ps", "-q", "--no-trunc"])?;
    let command = fs::read(format!("/proc/{}/cmdline", engine.monitor(&id)?))?;
    ensure!(!String::from_utf8_lossy(&command).contains(TEXT), "the monitor's words have it");
    ensure!(!engine.ok(&["events", "--since=1h", "--stream=false"])?.contains(TEXT), "an event");
    ensure!(!engine.ok(&["secret", "inspect", "key"])?.contains(TEXT), "secret inspect");
    ensure!(!engine.ok(&["diff", "one"])?.contains("secrets/key"), "diff has its place");
    let tar = engine.command(&["container", "export", "one"]).output()?.stdout;
    ensure!(tar.len() > 10_000 && !contains(&tar, TEXT), "the archive has it");
    engine.ok(&["commit", "one", "after"])?;
    let look = "ls /run/secrets; cat /etc/key; echo \"-$PW-\"";
    expect_eq!(engine.ok(&["run", "--rm", "after", "sh", "-c", look])?, "--");
    // All that is on the disk its owner alone can read.
    for path in files_with(&engine.store, TEXT)? {
        let mode = fs::metadata(&path)?.permissions().mode() & 0o777;
        let is_in_memory = path.starts_with(engine.store.join("run"));
        let is_log = path.ends_with("log");
        ensure!(mode == 0o600 || is_in_memory || is_log, "{path:?}: {mode:o}");
    }
    engine.ok(&["rm", "-f", "one"])?;
    engine.ok(&["secret", "rm", "key"])?;
    expect_eq!(files_with(&engine.store, TEXT)?, Vec::<std::path::PathBuf>::new());
    engine.is_clean()
}

/// As with Podman: a container keeps what it was made with, whatever becomes of the secret.
pub(crate) fn a_secret_outlives_its_removal_in_containers() -> Result<()> {
    let engine = with_secret("key")?;
    let flags = ["--secret", "key", "--secret", "key,type=env"];
    engine.start("one", &flags, "cat /run/secrets/key; echo $key")?;
    engine.ok(&["wait", "one"])?;
    engine.fails(&["secret", "create", "key", "/dev/null"], 125, "has 1 to 511999 bytes")?;
    engine.fails(&["secret", "create", "key", "/etc/passwd"], 125, "--replace")?;
    let before = engine.ok(&["secret", "ls", "-q"])?;
    engine.ok(&["secret", "create", "--replace", "--label", "a=b", "key", "/etc/hostname"])?;
    expect_eq!(engine.ok(&["secret", "ls", "-q", "--filter", "label=a"])?, before);
    engine.ok(&["start", "-a", "one"])?;
    engine.ok(&["secret", "rm", &before[..8]])?;
    engine.ok(&["start", "-a", "one"])?;
    expect_eq!(engine.ok(&["logs", "one"])?, vec![format!("{TEXT}{TEXT}"); 3].join("\n"));
    engine.fails(&["run", "--secret", "key", "box", "true"], 125, "no such secret: key")?;
    engine.fails(&["secret", "rm", "key"], 125, "no such secret")?;
    expect_eq!(engine.run(&["secret", "exists", "key"])?.code, Some(1));
    engine.ok(&["rm", "one"])?;
    engine.is_clean()
}

pub(crate) fn secrets_from_anywhere() -> Result<()> {
    let engine = Engine::new()?;
    let mut child = engine.command(&["secret", "create", "piped", "-"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    child.stdin.take().context("a pipe")?.write_all(b"\0\xff\n")?;
    ensure!(child.wait()?.success(), "it was not taken");
    let mut command = engine.command(&["secret", "create", "--env=true", "said", "MINE"]);
    let done = super::support::end_of(command.env("MINE", TEXT))?;
    ensure!(done.code == Some(0), "{done:#?}");
    let format = "--format={{.Spec.Name}} {{.SecretData}}";
    let shown = engine.ok(&["secret", "inspect", "--showsecret", format, "said"])?;
    expect_eq!(shown, format!("said {TEXT}"));
    expect_eq!(
        engine.ok(&["secret", "ls", "--format={{.Name}} {{.Driver}}"])?,
        "piped file\nsaid file"
    );
    ensure!(engine.ok(&["secret", "inspect", "--pretty", "said"])?.contains("said"), "pretty");
    // What is no text is a file alone.
    let look = ["--secret", "piped,mode=400,uid=33", "-u", "33"];
    expect_eq!(engine.shell(&look, "stat -c '%s %a %u' /run/secrets/piped")?, "3 400 33");
    engine.fails(&["run", "--secret", "piped,type=env", "box", "true"], 125, "no text")?;
    for (words, said) in [
        (&["--secret", "said,color=red"][..], "--secret"),
        (&["--secret", "said,uid=x"], "uid is a number"),
        (&["--secret", "said", "--secret", "said"], "something else is /run/secrets/said"),
        (&["--secret", "../../x"], "no such secret"),
    ] {
        engine.fails(&[&["run", "--rm"], words, &["box", "true"]].concat(), 125, said)?;
    }
    for name in ["../x", "a/b", "a,b", ".new", ""] {
        engine.fails(&["secret", "create", name, "/etc/hostname"], 125, "invalid name")?;
    }
    // With ids of its own, and below what is in memory already.
    let ids = "--uidmap=0:100000:1000";
    let flags = ["--secret", "said,uid=33", ids, "--tmpfs", "/run", "--read-only"];
    let script = "cat /run/secrets/said; stat -c ' %u' /run/secrets/said";
    expect_eq!(engine.shell(&flags, script)?, format!("{TEXT} 33"));
    engine.ok(&["secret", "rm", "--all"])?;
    expect_eq!(engine.ok(&["secret", "ls", "-q"])?, "");
    engine.is_clean()
}

/// Of a user without rights, too, whose containers have few ids.
pub(crate) fn secrets_of_a_user() -> Result<()> {
    let user = User::new()?;
    let file = user.home.join("secret");
    fs::write(&file, TEXT)?;
    user.ok(&["secret", "create", "key", file.to_str().unwrap_or_default()])?;
    let run = |flags: &[&str]| {
        let secrets = ["--secret", "key,mode=400", "--secret", "key,type=env,target=PW"];
        let script = "cat /run/secrets/key; stat -c ' %u %a' /run/secrets/key; echo $PW";
        let run = ["run", "--rm", "--network=none"];
        user.ok(&[&run, &secrets[..], flags, &["box", "sh", "-c", script]].concat())
    };
    expect_eq!(run(&[])?, format!("{TEXT} 0 400\n{TEXT}"));
    let words = ["run", "--rm", "--network=none", "--secret", "key,uid=4000000", "box", "true"];
    user.fails(&words, "--secret key,uid=4000000")?;
    user.ok(&["secret", "rm", "key"])?;
    expect_eq!(user.ok(&["ps", "-aq"])?, "");
    Ok(())
}

/// Of many that want one name one gets it, and all who replace it leave one whole.
pub(crate) fn secrets_of_many_at_once() -> Result<()> {
    let engine = Engine::new()?;
    let all: Vec<_> = (0..12)
        .map(|number: usize| {
            let file = scratch(&format!("secret{number}"));
            let text = number.to_string().repeat(50_000);
            fs::write(&file, text).map(|()| file.to_string_lossy().into_owned())
        })
        .collect::<Result<_, _>>()?;
    let at_once = |flags: &[&str]| -> Result<usize> {
        let start = |file: &String| {
            let words = [&["secret", "create"], flags, &["key", file.as_str()]].concat();
            engine.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        };
        let children = all.iter().map(start).collect::<Result<Vec<_>, _>>()?;
        let mut successes = 0;
        for mut child in children {
            successes += usize::from(child.wait()?.success());
        }
        Ok(successes)
    };
    expect_eq!(at_once(&[])?, 1);
    expect_eq!(at_once(&["--replace"])?, 12);
    let format = "--format={{.SecretData}}";
    let text = engine.ok(&["secret", "inspect", "--showsecret", format, "key"])?;
    let is_whole = (0..12).any(|number: usize| text == number.to_string().repeat(50_000));
    ensure!(is_whole, "it is none of those, or a part: {} bytes", text.len());
    engine.ok(&["secret", "rm", "key"])?;
    engine.is_clean()
}

/// The files below a folder that have a text in them.
fn files_with(folder: &std::path::Path, text: &str) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(files_with(&entry.path(), text)?);
        } else if kind.is_file() && contains(&fs::read(entry.path())?, text) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
