//! Filters of system calls as users write them: the section `linux.seccomp` of the OCI, or Docker's
//! form of it, whose rules say for which capabilities, machines and kernels they are meant.
//!
//! It becomes the section when the container is made, as then it is known what the container may do.

use crate::error::{Error, Result};
use serde_json::{Map, Value};

/// How Docker calls the machine that this is built for, and how libseccomp does.
const MACHINE: (&str, &str) = ("amd64", "SCMP_ARCH_X86_64");

/// The text of the section, for a container with these capabilities on this kernel.
pub(crate) fn section(text: &str, capabilities: &[&str], kernel: &str) -> Result<String> {
    let parsed: Value = serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
    let Value::Object(mut profile) = parsed else { return Err(wrong("it is no JSON object")) };
    if let Some(map) = profile.remove("archMap") {
        if profile
            .get("architectures")
            .is_some_and(|it| it.as_array().is_none_or(|it| !it.is_empty()))
        {
            return Err(wrong("architectures: there is archMap, too"));
        }
        profile.insert("architectures".to_owned(), architectures(&map)?.into());
    }
    if let Some(rules) = profile.remove("syscalls").filter(|it| !it.is_null()) {
        let Value::Array(rules) = rules else { return Err(wrong("syscalls: it is no list")) };
        let mut kept = Vec::new();
        for (place, rule) in rules.into_iter().enumerate() {
            let wrong = |what: &str| wrong(&format!("syscalls[{place}]{what}"));
            let Value::Object(mut rule) = rule else { return Err(wrong(": it is no object")) };
            let includes = Condition::take(&mut rule, "includes").map_err(|it| wrong(&it))?;
            let excludes = Condition::take(&mut rule, "excludes").map_err(|it| wrong(&it))?;
            let is_included = includes.is_met_by_all(capabilities, kernel);
            if is_included && !excludes.is_met_by_any(capabilities, kernel) {
                name_to_names(&mut rule).map_err(|it| wrong(&it))?;
                kept.push(Value::Object(rule));
            }
        }
        profile.insert("syscalls".to_owned(), kept.into());
    }
    let text = Value::Object(profile).to_string();
    let checked: std::result::Result<spec::runtime::Seccomp<'_>, _> =
        spec::json::parse(text.as_bytes());
    checked.map_err(|error| wrong(&error.to_string()))?;
    Ok(text)
}

fn wrong(what: &str) -> Error {
    Error::invalid(format!("--security-opt seccomp: {what}"))
}

/// Docker's list of machines and of the others whose programs they can run.
fn architectures(map: &Value) -> Result<Vec<Value>> {
    let wrong = |what: &str| wrong(&format!("archMap{what}"));
    let mut found = Vec::new();
    for (place, entry) in map.as_array().ok_or_else(|| wrong(": it is no list"))?.iter().enumerate()
    {
        let name = entry.get("architecture").and_then(Value::as_str);
        let name = name.ok_or_else(|| wrong(&format!("[{place}].architecture: it is no text")))?;
        if name == MACHINE.1 {
            found.push(name.into());
            let others = entry.get("subArchitectures").and_then(Value::as_array);
            found.extend(others.into_iter().flatten().cloned());
        }
    }
    Ok(found)
}

/// Old profiles have one name a rule.
fn name_to_names(rule: &mut Map<String, Value>) -> Result<(), String> {
    let Some(name) = rule.remove("name").filter(|it| it != "") else { return Ok(()) };
    let has_names = rule.get("names").and_then(Value::as_array).is_some_and(|it| !it.is_empty());
    if has_names {
        return Err(": it has name and names".to_owned());
    }
    rule.insert("names".to_owned(), vec![name].into());
    Ok(())
}

/// When a rule is meant.
#[derive(Default)]
struct Condition {
    capabilities: Vec<String>,
    machines: Vec<String>,
    kernel: Option<(u32, u32)>,
}

impl Condition {
    fn take(rule: &mut Map<String, Value>, key: &str) -> Result<Condition, String> {
        let Some(value) = rule.remove(key).filter(|it| !it.is_null()) else {
            return Ok(Condition::default());
        };
        let Value::Object(fields) = value else { return Err(format!(".{key}: it is no object")) };
        let mut condition = Condition::default();
        for (name, value) in fields {
            let wrong = |what: &str| format!(".{key}.{name}: {what}");
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                ("caps", value) => {
                    condition.capabilities = texts(&value).map_err(|it| wrong(&it))?;
                }
                ("arches", value) => condition.machines = texts(&value).map_err(|it| wrong(&it))?,
                ("minKernel", Value::String(text)) => {
                    let version = version(&text).filter(|_| text.split('.').count() == 2);
                    let version = version.ok_or_else(|| wrong("it is no version such as 4.8"))?;
                    condition.kernel = Some(version);
                }
                // One that is not known may be there to keep something off.
                _ => return Err(wrong("it is not caps, arches or minKernel")),
            }
        }
        Ok(condition)
    }

    /// All that is asked for is there.
    fn is_met_by_all(&self, capabilities: &[&str], kernel: &str) -> bool {
        self.capabilities.iter().all(|it| capabilities.contains(&it.as_str()))
            && (self.machines.is_empty() || self.is_machine())
            && self.kernel.is_none_or(|least| version(kernel).is_some_and(|it| it >= least))
    }

    /// Something of it is there.
    fn is_met_by_any(&self, capabilities: &[&str], kernel: &str) -> bool {
        self.capabilities.iter().any(|it| capabilities.contains(&it.as_str()))
            || self.is_machine()
            || self.kernel.is_some_and(|least| version(kernel).is_none_or(|it| it >= least))
    }

    fn is_machine(&self) -> bool {
        self.machines.iter().any(|it| it == MACHINE.0)
    }
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    let all = value.as_array().ok_or("it is no list")?;
    let text = |it: &Value| {
        it.as_str().map(str::to_owned).ok_or_else(|| "it is no list of texts".to_owned())
    };
    all.iter().map(text).collect()
}

/// The first two numbers of `6.1.0-18-amd64`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|it: char| !it.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::section;
    use serde_json::{Value, json};

    /// Every feature of Docker's form.
    fn profile() -> Value {
        json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 38,
            "archMap": [
                {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
                {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
            ],
            "syscalls": [
                {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "x",
                 "includes": {}, "excludes": {}},
                {"name": "ptrace", "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
                {"names": ["future"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "7.0"}},
                {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
                {"names": ["both"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_CHOWN", "CAP_SYS_ADMIN"]}},
                {"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_CHOWN"]}},
                {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_CHOWN"], "arches": ["s390"]},
                 "args": [{"index": 0, "value": 2_114_060_288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
                {"names": ["unshare"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
                {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
                {"names": ["breakpoint"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm", "arm64"]}},
                {"names": ["old"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "5.0"}},
            ],
        })
    }

    fn names(text: &str) -> Vec<String> {
        let section: Value = serde_json::from_str(text).unwrap();
        let rules = section["syscalls"].as_array().unwrap().clone();
        rules.iter().map(|rule| rule["names"][0].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn rules_are_for_capabilities_machines_and_kernels() {
        let text = section(&profile().to_string(), &["CAP_CHOWN"], "6.1.0-18-amd64").unwrap();
        assert_eq!(names(&text), ["read", "ptrace", "chroot", "unshare", "arch_prctl"]);
        let text = section(&profile().to_string(), &["CAP_SYS_ADMIN"], "4.4.0").unwrap();
        assert_eq!(names(&text), ["read", "mount", "arch_prctl", "old"]);
        let section: Value = serde_json::from_str(&text).unwrap();
        let expected = json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
        assert_eq!(section["architectures"], expected);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let why = |change: &dyn Fn(&mut Value)| {
            let mut profile = profile();
            change(&mut profile);
            section(&profile.to_string(), &[], "6.1").unwrap_err().to_string()
        };
        let text = why(&|it| it["architectures"] = json!(["SCMP_ARCH_X86"]));
        assert!(text.contains("archMap, too"), "{text}");
        let text = why(&|it| it["syscalls"][1]["names"] = json!(["read"]));
        assert!(text.contains("syscalls[1]: it has name and names"), "{text}");
        let text = why(&|it| it["syscalls"][0]["includes"] = json!({"users": ["x"]}));
        assert!(text.contains("syscalls[0].includes.users"), "{text}");
        let text = why(&|it| it["syscalls"][1]["includes"]["minKernel"] = json!("4"));
        assert!(text.contains("no version such as 4.8"), "{text}");
        let text = why(&|it| it["defaultAction"] = json!("SCMP_ACT_PERHAPS"));
        assert!(text.contains("defaultAction"), "{text}");
        assert!(section("[]", &[], "6.1").is_err());
    }
}
