//! The configuration of an image.

use super::{Digest, Platform, null};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a container of the image is like, and what the layers unpack to (image-spec, config.md,
/// with what Docker adds).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When it was made, as in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What machine it is for.
    #[serde(flatten)]
    pub platform: Platform,
    /// What to run, and how.
    #[serde(default, deserialize_with = "null::is_default")]
    pub config: ContainerConfig,
    /// The layers, uncompressed.
    pub rootfs: RootFs,
    /// How each layer came to be.
    #[serde(default, deserialize_with = "null::is_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
}

/// The layers of an image as they are when nothing compresses them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Of each uncompressed layer, lowest first.
    #[serde(default, deserialize_with = "null::is_default")]
    pub diff_ids: Vec<Digest>,
}

/// One step of the building of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When, as in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether it made no layer.
    #[serde(
        default,
        deserialize_with = "null::is_default",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub empty_layer: bool,
}

/// Defaults for a container of the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerConfig {
    /// `USER[:GROUP]`, names or numbers.
    #[serde(deserialize_with = "null::is_default", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The keys are `PORT/PROTOCOL`; the values say nothing.
    #[serde(deserialize_with = "null::is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Value>,
    /// `NAME=VALUE`.
    #[serde(deserialize_with = "null::is_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// What is always run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Its arguments, or the whole command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// The keys are folders that hold data of the container; the values say nothing.
    #[serde(deserialize_with = "null::is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Value>,
    /// Where it starts.
    #[serde(deserialize_with = "null::is_default", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Anything about it.
    #[serde(deserialize_with = "null::is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What ends it: `SIGTERM`, `15`.
    #[serde(deserialize_with = "null::is_default", skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// Docker: how to find out whether it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthCheck>,
    /// Docker: the shell of `RUN` and of commands in shell form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// Docker: instructions for an image that is built on this one.
    #[serde(deserialize_with = "null::is_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
}

/// Docker: a command that tells whether the container works. Times are in nanoseconds; 0 and
/// absence mean the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthCheck {
    /// `["NONE"]`, `["CMD", ...]` or `["CMD-SHELL", COMMAND]`; empty means what the base says.
    #[serde(deserialize_with = "null::is_default", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// Between two checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
    /// Of one check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    /// While failures do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_period: Option<i64>,
    /// Between two checks while starting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<i64>,
    /// How many failures make it unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::ImageConfig;

    #[test]
    fn as_docker_writes_it() {
        let text = r#"{
            "architecture": "arm", "variant": "v7", "os": "linux", "container": "abc", "docker_version": "20",
            "config": {"Hostname": "", "User": "", "Env": ["A=b"], "Cmd": ["sh"], "Entrypoint": null,
                "Volumes": null, "Labels": null, "OnBuild": null, "ExposedPorts": {"80/tcp": {}}},
            "created": "2024-01-01T00:00:00Z",
            "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "CMD", "empty_layer": true}],
            "rootfs": {"type": "layers", "diff_ids": null}}"#;
        let config: ImageConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.platform.variant, "v7");
        assert_eq!(config.config.cmd.as_deref(), Some(&["sh".to_owned()][..]));
        assert_eq!(config.config.entrypoint, None);
        assert!(config.history[0].empty_layer);
        assert!(config.config.exposed_ports.contains_key("80/tcp"));
        let again = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ImageConfig>(&again).unwrap(), config);
        assert!(!again.contains("Volumes") && again.contains(r#""variant":"v7""#), "{again}");
    }

    #[test]
    fn a_configuration_may_be_null_but_not_lack_its_layers() {
        let text = r#"{"config": null, "rootfs": {}}"#;
        assert!(serde_json::from_str::<ImageConfig>(text).is_ok());
        assert!(serde_json::from_str::<ImageConfig>("{}").is_err());
    }
}
