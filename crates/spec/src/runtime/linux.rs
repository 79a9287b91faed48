//! All that only Linux has, but for resources and seccomp.

use super::{Device, NetDevice, Propagation, Resources, Seccomp, repeated};
use crate::json::{Map, Problem, Text, names, object};

object! {
    /// The section `linux`.
    #[derive(Default)]
    pub struct Linux<'a>, check check_linux {
        /// Namespaces that the container has for itself or joins, each kind at most once.
        optional namespaces: Vec<Namespace<'a>> = "namespaces",
        /// User ids of the user namespace.
        optional uid_mappings: Vec<IdMapping> = "uidMappings",
        /// Group ids of the user namespace.
        optional gid_mappings: Vec<IdMapping> = "gidMappings",
        /// How the clocks of the time namespace differ: `boottime` and `monotonic`.
        optional time_offsets: Map<'a, TimeOffset> = "timeOffsets",
        /// Device files.
        optional devices: Vec<Device<'a>> = "devices",
        /// Network devices that move in, by their names on the host.
        optional net_devices: Map<'a, NetDevice<'a>> = "netDevices",
        /// The cgroup; for the systemd driver `SLICE:PREFIX:NAME`.
        optional cgroups_path: Text<'a> = "cgroupsPath",
        /// Limits.
        optional resources: Option<Resources<'a>> = "resources",
        /// How mounts of the root spread.
        optional rootfs_propagation: Option<Propagation> = "rootfsPropagation",
        /// The filter of system calls.
        optional seccomp: Option<Seccomp<'a>> = "seccomp",
        /// Kernel parameters, by name with dots.
        optional sysctl: Map<'a, Text<'a>> = "sysctl",
        /// Paths that the container cannot read.
        optional masked_paths: Vec<Text<'a>> = "maskedPaths",
        /// Paths that the container cannot write.
        optional readonly_paths: Vec<Text<'a>> = "readonlyPaths",
        /// The SELinux context of mounts.
        optional mount_label: Text<'a> = "mountLabel",
        /// The execution domain.
        optional personality: Option<Personality<'a>> = "personality",
        /// Shares of caches and memory bandwidth.
        optional intel_rdt: Option<IntelRdt<'a>> = "intelRdt",
        /// Where memory is taken from.
        optional memory_policy: Option<MemoryPolicy<'a>> = "memoryPolicy",
    }
}

fn check_linux(linux: &Linux<'_>) -> Result<(), Problem> {
    let kinds = linux.namespaces.iter().map(|namespace| namespace.kind);
    if let Some((index, kind)) = repeated(kinds) {
        let field = format_args!("namespaces[{index}].type");
        return Err(Problem::at(field, format_args!("{kind} is there twice")));
    }
    for (clock, _) in linux.time_offsets.iter() {
        if clock != "boottime" && clock != "monotonic" {
            let what = format_args!("{clock:?} is neither boottime nor monotonic");
            return Err(Problem::at("timeOffsets", what));
        }
    }
    Ok(())
}

object! {
    /// A namespace of the container.
    pub struct Namespace<'a> {
        /// The kind.
        required kind: NamespaceKind = "type",
        /// The file of the namespace to join; without one, a new namespace.
        optional path: Text<'a> = "path",
    }
}

names! {
    /// Kinds of namespaces. See namespaces(7).
    pub enum NamespaceKind {
        /// The cgroup tree.
        Cgroup = "cgroup",
        /// System V IPC and POSIX message queues.
        Ipc = "ipc",
        /// Mounts.
        Mount = "mount",
        /// Network devices, addresses, ports.
        Network = "network",
        /// Process ids.
        Pid = "pid",
        /// Clocks.
        Time = "time",
        /// User and group ids.
        User = "user",
        /// Host and domain name.
        Uts = "uts",
    }
}

object! {
    /// A range of ids.
    #[derive(Copy, Default)]
    pub struct IdMapping, check check_id_mapping {
        /// The first id in the container.
        required container_id: u32 = "containerID",
        /// The first id on the host.
        required host_id: u32 = "hostID",
        /// How many ids; at least 1.
        required size: u32 = "size",
    }
}

fn check_id_mapping(mapping: &IdMapping) -> Result<(), Problem> {
    // The largest number is no id: it means "no change" to the kernel.
    let too_far = |first: u32| first.checked_add(mapping.size).is_none();
    if mapping.size == 0 || too_far(mapping.container_id) || too_far(mapping.host_id) {
        let what =
            format_args!("{} does not fit: ids are from 0 to {}", mapping.size, u32::MAX - 1);
        return Err(Problem::at("size", what));
    }
    Ok(())
}

object! {
    /// How a clock of the container differs.
    #[derive(Copy, Default)]
    pub struct TimeOffset, check check_time_offset {
        /// Seconds.
        optional secs: i64 = "secs",
        /// Nanoseconds that come on top; less than a second.
        optional nanosecs: u32 = "nanosecs",
    }
}

fn check_time_offset(offset: &TimeOffset) -> Result<(), Problem> {
    match offset.nanosecs {
        0..1_000_000_000 => Ok(()),
        nanosecs => Err(super::out_of_range("nanosecs", nanosecs, 0, 999_999_999)),
    }
}

object! {
    /// The execution domain. See personality(2).
    pub struct Personality<'a>, check check_personality {
        /// The domain.
        required domain: PersonalityDomain = "domain",
        /// None is defined yet.
        optional flags: Vec<Text<'a>> = "flags",
    }
}

fn check_personality(personality: &Personality<'_>) -> Result<(), Problem> {
    match personality.flags.first() {
        Some(flag) => {
            Err(Problem::at("flags[0]", format_args!("{flag:?}, but no flag is defined")))
        }
        None => Ok(()),
    }
}

names! {
    /// Domains of personality(2).
    pub enum PersonalityDomain {
        /// That of the kernel.
        Linux = "LINUX",
        /// What uname(2) says is a 32-bit machine.
        Linux32 = "LINUX32",
    }
}

object! {
    /// The container's class of service in resctrl, and what it gets.
    #[derive(Default)]
    pub struct IntelRdt<'a>, check check_intel_rdt {
        /// The class; the container's id without one, `/` for that of all who are in no other.
        optional clos_id: Text<'a> = "closID",
        /// Lines for the class's `schemata` file, written after the two below.
        optional schemata: Vec<Text<'a>> = "schemata",
        /// The line about the L3 cache. A chosen class that is there must have it already.
        optional l3_cache_schema: Text<'a> = "l3CacheSchema",
        /// The line about memory bandwidth. A chosen class that is there must have it already.
        optional mem_bw_schema: Text<'a> = "memBwSchema",
        /// Whether the container gets a monitoring group of its own.
        optional enable_monitoring: bool = "enableMonitoring",
    }
}

fn check_intel_rdt(section: &IntelRdt<'_>) -> Result<(), Problem> {
    let line = &section.mem_bw_schema;
    if !line.is_empty() && (!line.starts_with("MB:") || line.contains('\n')) {
        let what = format_args!("{line:?} is not one line that begins with MB:");
        return Err(Problem::at("memBwSchema", what));
    }
    match section.schemata.iter().position(|line| line.trim().is_empty() || line.contains('\n')) {
        Some(index) => Err(Problem::at(format_args!("schemata[{index}]"), "not one line")),
        None => Ok(()),
    }
}

object! {
    /// The arguments of set_mempolicy(2).
    pub struct MemoryPolicy<'a>, check check_memory_policy {
        /// The policy.
        required mode: MemoryPolicyMode = "mode",
        /// A list of nodes such as `0-3,7`.
        optional nodes: Text<'a> = "nodes",
        /// Flags.
        optional flags: Vec<MemoryPolicyFlag> = "flags",
    }
}

fn check_memory_policy(policy: &MemoryPolicy<'_>) -> Result<(), Problem> {
    use MemoryPolicyMode::{Default, Local, Preferred};
    let MemoryPolicy { mode, nodes, .. } = policy;
    match (mode, nodes.is_empty()) {
        (Default | Local, false) => {
            Err(Problem::at("nodes", format_args!("{mode} is not about certain nodes")))
        }
        (Default | Local | Preferred, true) | (_, false) => Ok(()),
        _ => Err(Problem::at("nodes", format_args!("missing, but {mode} needs them"))),
    }
}

names! {
    /// A policy of set_mempolicy(2).
    pub enum MemoryPolicyMode {
        /// Where the process runs.
        Default = "MPOL_DEFAULT",
        /// From these nodes only.
        Bind = "MPOL_BIND",
        /// From these nodes in turn.
        Interleave = "MPOL_INTERLEAVE",
        /// From these nodes in turn, by their weights.
        WeightedInterleave = "MPOL_WEIGHTED_INTERLEAVE",
        /// From this node first.
        Preferred = "MPOL_PREFERRED",
        /// From these nodes first.
        PreferredMany = "MPOL_PREFERRED_MANY",
        /// Where the process runs, whatever its node set.
        Local = "MPOL_LOCAL",
    }
}

names! {
    /// A flag of set_mempolicy(2).
    pub enum MemoryPolicyFlag {
        /// The kernel may move pages to where they are used.
        NumaBalancing = "MPOL_F_NUMA_BALANCING",
        /// Nodes count within those that the process may use.
        RelativeNodes = "MPOL_F_RELATIVE_NODES",
        /// Nodes stay when those that the process may use change.
        StaticNodes = "MPOL_F_STATIC_NODES",
    }
}
