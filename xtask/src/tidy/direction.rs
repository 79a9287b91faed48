//! Who may use whom: data flows one way, and nothing lower knows anything above it.

use super::Finding;
use crate::build;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Each crate of the workspace and those that it may name in its manifest. What is in no row is
/// an error: a new crate gets its place here and in ARCHITECTURE.md.
// tidy: table
const MAY_USE: &[(&str, &[&str])] = &[
    ("sys", &[]),
    ("tino", &["sys"]),
    ("spec", &[]),
    ("kernel", &["sys"]),
    ("runtime", &["spec", "kernel", "sys"]),
    ("tinyort", &["runtime", "spec", "sys"]),
    ("hello", &[]),
    ("image", &["hello", "spec", "kernel", "sys"]),
    ("net", &["kernel", "sys"]),
    ("engine", &["runtime", "image", "net", "spec", "kernel", "sys"]),
    ("project", &["engine", "image", "net", "spec"]),
    ("cri", &["engine"]),
    ("tinyo", &["engine", "project", "cri", "image", "net", "kernel", "spec", "sys"]),
    // Tests and tasks drive the programs from outside.
    ("harness", &[]),
    ("e2e", &["harness", "kernel", "net", "spec", "sys", "tino"]),
    ("peers", &["harness"]),
    ("vm", &["harness"]),
    ("benches", &["harness"]),
    ("xtask", &["benches", "tino", "tinyort", "vm"]),
];

pub(super) fn check() -> Result<Vec<Finding>> {
    let output = build::cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("cargo metadata has packages")?;
    Ok(packages.iter().flat_map(check_package).collect())
}

fn check_package(package: &Value) -> Vec<Finding> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
        return vec![Finding::Error(format!("crate {name} has no place in the direction table"))];
    };
    // Dependencies with a path are those inside the workspace.
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    dependencies
        .filter(|dependency| dependency["path"].is_string())
        .filter_map(|dependency| dependency["name"].as_str())
        .filter(|used| !allowed.contains(used))
        .map(|used| Finding::Error(format!("crate {name} must not use {used}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{MAY_USE, check_package};
    use serde_json::json;

    #[test]
    fn an_arrow_upwards_is_an_error() {
        let package = |name: &str, used: &str| json!({"name": name, "dependencies": [{"name": used, "path": "/x"}, {"name": "serde"}]});
        assert_eq!(check_package(&package("engine", "runtime")), []);
        assert_eq!(check_package(&package("runtime", "engine")).len(), 1);
        assert_eq!(check_package(&package("newcomer", "sys")).len(), 1);
    }

    #[test]
    fn the_table_has_no_circle() {
        // Each row of a program's crates names only rows above it.
        for (index, (name, used)) in MAY_USE.iter().enumerate() {
            for lower in *used {
                let place = MAY_USE.iter().position(|(known, _)| known == lower);
                assert!(place.is_some_and(|place| place < index), "{name} -> {lower}");
            }
        }
    }
}
