//! `contrib/docker`: the script that lets Landlock through a seccomp profile, and the profile that
//! comes with it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::expect_eq;
use crate::support::scratch;

const CALLS: [&str; 3] = ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"];

fn contrib(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/docker").join(name)
}

/// The script's output for a profile; `None` without a Python to run it.
fn derive(profile: &Path, options: &[&Path]) -> Result<Option<Output>> {
    let mut command = Command::new("python3");
    command.arg(contrib("allow-landlock.py")).arg(profile).args(options);
    match command.output() {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("python3"),
    }
}

pub(crate) fn a_profile_gets_what_it_lacks_and_keeps_the_rest() -> Result<()> {
    let given = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {"names": ["read", "landlock_add_rule"], "action": "SCMP_ACT_ALLOW", "args": []},
            // These allow it to some, or not at all.
            {"names": ["landlock_restrict_self"], "action": "SCMP_ACT_ALLOW",
             "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["landlock_create_ruleset"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        ],
    });
    let profile = scratch("given.json");
    fs::write(&profile, given.to_string())?;
    let Some(output) = derive(&profile, &[])? else { return harness::skip("no python3") };
    ensure!(output.status.success(), "{output:?}");
    let mut wanted = given;
    let rule = json!({
        "names": ["landlock_create_ruleset", "landlock_restrict_self"],
        "action": "SCMP_ACT_ALLOW",
        "comment": "Landlock",
    });
    wanted["syscalls"].as_array_mut().context("a list")?.push(rule);
    expect_eq!(serde_json::from_slice::<Value>(&output.stdout)?, wanted);

    // What has it all stays as it is, and is written where that is wanted.
    let (derived, again) = (scratch("derived.json"), scratch("again.json"));
    fs::write(&derived, &output.stdout)?;
    let options = [Path::new("-o"), &again];
    ensure!(derive(&derived, &options)?.is_some_and(|output| output.status.success()));
    expect_eq!(fs::read(&again)?, output.stdout);
    Ok(())
}

pub(crate) fn what_is_no_profile_is_refused() -> Result<()> {
    let (profile, old) = (scratch("given.json"), scratch("old.json"));
    fs::write(&old, "old")?;
    for text in ["", "{", "[]", "{}", r#"{"syscalls": {}}"#, r#"{"syscalls": ["read"]}"#] {
        fs::write(&profile, text)?;
        let options = [Path::new("-o"), &old];
        let Some(output) = derive(&profile, &options)? else { return harness::skip("no python3") };
        ensure!(!output.status.success(), "{text}: {output:?}");
        let message = String::from_utf8_lossy(&output.stderr);
        ensure!(
            message.starts_with("allow-landlock: /") && message.lines().count() == 1,
            "{message}"
        );
        expect_eq!(fs::read_to_string(&old)?, "old", "{text}");
    }
    Ok(())
}

pub(crate) fn our_own_profile_allows_landlock() -> Result<()> {
    let profile = contrib("seccomp-landlock.json");
    let Some(output) = derive(&profile, &[])? else { return harness::skip("no python3") };
    let text = fs::read_to_string(&profile)?;
    expect_eq!(String::from_utf8_lossy(&output.stdout), text, "nothing is lacking");
    let rules: Value = serde_json::from_str(&text)?;
    let rules = rules["syscalls"].as_array().context("a list")?;
    let names = |rule: &Value| rule["names"].as_array().cloned().unwrap_or_default();
    let allowed: Vec<_> =
        rules.iter().filter(|rule| rule["args"].is_null()).flat_map(names).collect();
    for call in CALLS {
        ensure!(allowed.contains(&json!(call)), "{call}");
    }
    Ok(())
}
