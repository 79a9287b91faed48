//! What works on this build and this kernel.

use kernel::{credentials, mount, seccomp};
use spec::json::Text;
use spec::runtime::{
    CgroupFeatures, Enabled, Features, Hooks, IntelRdtFeatures, LinuxFeatures,
    MemoryPolicyFeatures, MemoryPolicyFlag, MemoryPolicyMode, MountExtensions, NamespaceKind,
    SeccompFeatures, VERSION,
};

/// The features document of the specification.
#[must_use]
pub fn features() -> Features<'static> {
    let mut options: Vec<_> = mount::option_names().collect();
    options.sort_unstable();
    Features {
        oci_version_min: "1.0.0".into(),
        oci_version_max: VERSION.into(),
        hooks: names(Hooks::NAMES),
        mount_options: names(&options),
        linux: Some(linux()),
        annotations: [
            ("org.tinyo.tinyort.checkpoint.enabled", "true".into()),
            ("org.tinyo.tinyort.version", env!("CARGO_PKG_VERSION").into()),
        ]
        .into_iter()
        .collect(),
        unsafe_annotations: names(&[
            "org.criu.config",
            "org.systemd.property.",
            "org.tinyo.",
            "run.oci.keep_original_groups",
        ]),
    }
}

fn linux() -> LinuxFeatures<'static> {
    let yes = Some(true);
    let enabled = Some(Enabled { enabled: yes });
    LinuxFeatures {
        namespaces: names(NamespaceKind::NAMES),
        capabilities: names(credentials::capability_names()),
        cgroup: Some(CgroupFeatures {
            v1: yes,
            v2: yes,
            systemd: yes,
            systemd_user: yes,
            rdma: yes,
        }),
        seccomp: Some(SeccompFeatures {
            enabled: yes,
            actions: names(&seccomp::supported_actions()),
            operators: names(seccomp::OPERATORS),
            archs: names(seccomp::ARCHITECTURES),
            known_flags: names(seccomp::FLAGS),
            supported_flags: names(&seccomp::supported_flags()),
        }),
        apparmor: enabled,
        selinux: enabled,
        intel_rdt: Some(IntelRdtFeatures { enabled: yes, schemata: yes, monitoring: yes }),
        memory_policy: Some(MemoryPolicyFeatures {
            modes: names(MemoryPolicyMode::NAMES),
            flags: names(MemoryPolicyFlag::NAMES),
        }),
        mount_extensions: Some(MountExtensions { idmap: enabled }),
        net_devices: enabled,
    }
}

fn names(names: &[&'static str]) -> Option<Vec<Text<'static>>> {
    Some(names.iter().map(|name| (*name).into()).collect())
}
