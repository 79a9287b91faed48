//! What a runtime says about itself. A list or flag that is absent says nothing; an empty list,
//! that nothing of the kind is supported.

use crate::json::{Map, Text, object};

object! {
    /// What `features` prints.
    pub struct Features<'a> {
        /// The oldest version of the specification that is understood.
        required oci_version_min: Text<'a> = "ociVersionMin",
        /// The newest version of the specification that is understood.
        required oci_version_max: Text<'a> = "ociVersionMax",
        /// Kinds of hooks.
        optional hooks: Option<Vec<Text<'a>>> = "hooks",
        /// Options of mounts.
        optional mount_options: Option<Vec<Text<'a>>> = "mountOptions",
        /// What only Linux has.
        optional linux: Option<LinuxFeatures<'a>> = "linux",
        /// More about the runtime.
        optional annotations: Map<'a, Text<'a>> = "annotations",
        /// Annotations of `config.json` that change what the runtime does; `org.example.` at the
        /// end of a name is for all that begin with it.
        optional unsafe_annotations: Option<Vec<Text<'a>>> = "potentiallyUnsafeConfigAnnotations",
    }
}

object! {
    /// What only Linux has.
    #[derive(Default)]
    pub struct LinuxFeatures<'a> {
        /// Kinds of namespaces.
        optional namespaces: Option<Vec<Text<'a>>> = "namespaces",
        /// Capabilities.
        optional capabilities: Option<Vec<Text<'a>>> = "capabilities",
        /// Cgroups.
        optional cgroup: Option<CgroupFeatures> = "cgroup",
        /// Seccomp.
        optional seccomp: Option<SeccompFeatures<'a>> = "seccomp",
        /// AppArmor.
        optional apparmor: Option<Enabled> = "apparmor",
        /// SELinux.
        optional selinux: Option<Enabled> = "selinux",
        /// Shares of caches and memory bandwidth.
        optional intel_rdt: Option<IntelRdtFeatures> = "intelRdt",
        /// Memory policies.
        optional memory_policy: Option<MemoryPolicyFeatures<'a>> = "memoryPolicy",
        /// More about mounts.
        optional mount_extensions: Option<MountExtensions> = "mountExtensions",
        /// Network devices that move in.
        optional net_devices: Option<Enabled> = "netDevices",
    }
}

object! {
    /// Whether something is supported.
    #[derive(Copy, Default)]
    pub struct Enabled {
        /// Whether it is.
        optional enabled: Option<bool> = "enabled",
    }
}

object! {
    /// Cgroups.
    #[derive(Copy, Default)]
    pub struct CgroupFeatures {
        /// Version 1.
        optional v1: Option<bool> = "v1",
        /// Version 2.
        optional v2: Option<bool> = "v2",
        /// By way of systemd.
        optional systemd: Option<bool> = "systemd",
        /// By way of a user's systemd.
        optional systemd_user: Option<bool> = "systemdUser",
        /// The RDMA controller.
        optional rdma: Option<bool> = "rdma",
    }
}

object! {
    /// Seccomp.
    #[derive(Default)]
    pub struct SeccompFeatures<'a> {
        /// Whether it is supported.
        optional enabled: Option<bool> = "enabled",
        /// Actions.
        optional actions: Option<Vec<Text<'a>>> = "actions",
        /// Operators.
        optional operators: Option<Vec<Text<'a>>> = "operators",
        /// Architectures.
        optional archs: Option<Vec<Text<'a>>> = "archs",
        /// Flags that are understood.
        optional known_flags: Option<Vec<Text<'a>>> = "knownFlags",
        /// Flags that the kernel takes, too.
        optional supported_flags: Option<Vec<Text<'a>>> = "supportedFlags",
    }
}

object! {
    /// Shares of caches and memory bandwidth.
    #[derive(Copy, Default)]
    pub struct IntelRdtFeatures {
        /// Whether they are supported.
        optional enabled: Option<bool> = "enabled",
        /// Whether `schemata` is.
        optional schemata: Option<bool> = "schemata",
        /// Whether `enableMonitoring` is.
        optional monitoring: Option<bool> = "monitoring",
    }
}

object! {
    /// Memory policies.
    #[derive(Default)]
    pub struct MemoryPolicyFeatures<'a> {
        /// Policies.
        optional modes: Option<Vec<Text<'a>>> = "modes",
        /// Flags.
        optional flags: Option<Vec<Text<'a>>> = "flags",
    }
}

object! {
    /// More about mounts.
    #[derive(Copy, Default)]
    pub struct MountExtensions {
        /// Mappings of ids on a mount.
        optional idmap: Option<Enabled> = "idmap",
    }
}
