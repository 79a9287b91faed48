//! A process in a container: its first one, or one that `exec` adds.

use super::init::c_string;
use super::{Invalid, annotations, seccomp};
use crate::hooks::Hooks;
use crate::plan::AllHooks;
use crate::readiness;
use crate::request::ListenFds;
use kernel::credentials::{
    Capabilities, CapabilitySet, Identity, Limit, MemoryPolicy, Scheduling, parse_list,
};
use kernel::label::{AppArmorProfile, SelinuxLabel};
use kernel::landlock;
use spec::json::Text;
use spec::runtime::{self as oci, Spec};
use std::collections::BTreeSet;
use std::ffi::CString;
use sys::process::Words;
use sys::schedule::SchedulerAttributes;

/// Sets of processors: before a process joins the cgroup, and after.
type Affinity = (Option<Vec<u64>>, Option<Vec<u64>>);

/// All that the child needs to become the process.
pub(crate) struct ProcessPlan {
    /// The word that names the program.
    pub(crate) program: String,
    pub(crate) arguments: Words,
    pub(crate) environment: Vec<CString>,
    /// The container's `$PATH`, if there is one.
    pub(crate) path: Option<String>,
    /// Whether `$HOME` is to be looked up in the container's `/etc/passwd`.
    pub(crate) needs_home: bool,
    pub(crate) working_folder: CString,
    pub(crate) terminal: bool,
    /// Rows and columns.
    pub(crate) console_size: Option<(u16, u16)>,
    pub(crate) identity: Identity,
    pub(crate) umask: Option<u32>,
    pub(crate) capabilities: Capabilities,
    /// What is not as it was asked for.
    pub(crate) warnings: Vec<String>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) no_new_privileges: bool,
    pub(crate) oom_score: Option<i32>,
    pub(crate) scheduling: Scheduling,
    /// Whether only the container's own processes share a core with each other.
    pub(crate) own_cores: bool,
    pub(crate) apparmor_profile: Option<AppArmorProfile>,
    pub(crate) selinux_label: Option<SelinuxLabel>,
    /// Of a process that is added.
    pub(crate) affinity: Affinity,
    pub(crate) landlock: Option<landlock::Rules>,
    /// Whether there is a filter of system calls: the one below, or one that the parent sends.
    pub(crate) is_filtered: bool,
    pub(crate) seccomp: Option<kernel::seccomp::Program>,
    /// How many descriptors, from 3 on, it inherits.
    pub(crate) preserved_descriptors: u32,
    pub(crate) start_hooks: Hooks,
    /// The signals that this runtime was started with ignored, see [`sys::process::reset_signals`].
    pub(crate) ignored_signals: u64,
    /// What the program is to execute in turn, and must be there.
    pub(crate) launched: Option<String>,
    /// It is killed when its parent ends.
    pub(crate) ends_with_parent: bool,
}

/// The filter of the program, if there is to be one.
pub(super) fn compile_filter(spec: &Spec<'_>) -> Result<Option<kernel::seccomp::Program>, Invalid> {
    spec.linux.seccomp.as_ref().map(seccomp::program).transpose()
}

impl ProcessPlan {
    /// `field` is the JSON path of this section, for errors. What a process that is added does not
    /// say of capabilities, limits and labels is as for the container's first one.
    pub(crate) fn new(
        field: &str,
        process: &oci::Process<'_>,
        spec: &Spec<'_>,
    ) -> Result<ProcessPlan, Invalid> {
        let at = |name: &str| format!("{field}{}{name}", if field.is_empty() { "" } else { "." });
        let variable = |name: &str| {
            let found = process
                .env
                .iter()
                .rev()
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.map(str::to_owned)
        };
        let own = spec.process.as_ref().unwrap_or(process);
        let rights = process.capabilities.as_ref().or(own.capabilities.as_ref());
        let mut warnings = Vec::new();
        let limited = if process.rlimits.is_empty() { &own.rlimits } else { &process.rlimits };
        Ok(ProcessPlan {
            program: process.args.first().map(ToString::to_string).unwrap_or_default(),
            arguments: Words::new(c_strings(&at("args"), &process.args)?),
            environment: variables(&at("env"), &process.env)?,
            path: variable("PATH"),
            needs_home: variable("HOME").is_none_or(|home| home.is_empty()),
            working_folder: c_string(&at("cwd"), &process.cwd)?,
            terminal: process.terminal,
            console_size: process.console_size.map(|size| (size.height, size.width)),
            identity: Identity {
                user: process.user.uid,
                group: process.user.gid,
                groups: groups(process, spec),
            },
            umask: process.user.umask,
            capabilities: capabilities(&at("capabilities"), rights, &mut warnings),
            warnings,
            limits: limits(&at("rlimits"), limited)?,
            no_new_privileges: process.no_new_privileges,
            oom_score: process.oom_score_adj,
            scheduling: scheduling(&at(""), process, &spec.linux)?,
            own_cores: annotations::own_cores(spec)?,
            apparmor_profile: text(&process.apparmor_profile)
                .or_else(|| text(&own.apparmor_profile))
                .map(|profile| AppArmorProfile::parse(&profile))
                .transpose()
                .map_err(|error| Invalid::new(at("apparmorProfile"), error))?,
            selinux_label: text(&process.selinux_label)
                .or_else(|| text(&own.selinux_label))
                .map(|label| SelinuxLabel::parse(&label))
                .transpose()
                .map_err(|error| Invalid::new(at("selinuxLabel"), error))?,
            affinity: affinity(&at("execCPUAffinity"), process.exec_cpu_affinity.as_ref())?,
            landlock: landlock_rules(spec)?,
            is_filtered: spec.linux.seccomp.is_some(),
            seccomp: None,
            preserved_descriptors: 0,
            start_hooks: Hooks::default(),
            ignored_signals: 0,
            launched: None,
            ends_with_parent: false,
        })
    }

    /// Whether it needs a procfs that nobody can have tampered with.
    pub(crate) fn needs_procfs(&self) -> bool {
        self.terminal || self.apparmor_profile.is_some() || self.selinux_label.is_some()
    }

    /// Whether it restricts itself in a way for which it needs CAP_SYS_ADMIN.
    pub(crate) fn restricts_without_no_new_privileges(&self) -> bool {
        !self.no_new_privileges && (self.is_filtered || self.landlock.is_some())
    }

    /// With its filter, if there is to be one.
    pub(crate) fn with_filter(self, spec: &Spec<'_>) -> Result<ProcessPlan, Invalid> {
        Ok(ProcessPlan { seccomp: compile_filter(spec)?, ..self })
    }

    /// For a container's first process, which may be an init that executes another program.
    pub(crate) fn with_launched(
        self,
        process: &oci::Process<'_>,
        spec: &Spec<'_>,
    ) -> Result<ProcessPlan, Invalid> {
        let Some(text) = spec.annotations.get(annotations::LAUNCHER) else { return Ok(self) };
        let number: Option<usize> = text.parse().ok();
        let launched = number.and_then(|number| process.args.get(number)).ok_or_else(|| {
            let what = format!("{text:?} is not the number of a word of process.args");
            Invalid::new(format!("annotations.{}", annotations::LAUNCHER), what)
        })?;
        Ok(ProcessPlan { launched: Some(launched.to_string()), ..self })
    }

    /// For a container's first process: it runs the hooks before its program.
    pub(crate) fn with_start_hooks(self, hooks: &oci::Hooks<'_>) -> ProcessPlan {
        ProcessPlan { start_hooks: AllHooks::new(hooks).start_container, ..self }
    }

    /// With the variable for sd_notify(3), if there is a service manager to hear it.
    pub(crate) fn with_notify_socket(mut self, there_is: bool) -> ProcessPlan {
        let (folder, socket) = (readiness::FOLDER_INSIDE, readiness::SOCKET);
        let text = format!("{}={folder}/{socket}", readiness::VARIABLE);
        self.environment.extend(CString::new(text).ok().filter(|_| there_is));
        self
    }

    /// With descriptors that are passed on: `count`, and those of socket activation.
    pub(crate) fn with_descriptors(
        mut self,
        count: u32,
        listen: Option<&ListenFds<'_>>,
    ) -> Result<ProcessPlan, Invalid> {
        self.preserved_descriptors = count;
        if let Some(listen) = listen {
            self.preserved_descriptors = count.saturating_add(listen.count);
            // The container's first process is number 1 where it has a PID namespace; who else
            // gets these replaces it, as `tino` does.
            let mut set = |name: &str, value: &str| -> Result<(), Invalid> {
                self.environment.push(c_string("env", &format!("{name}={value}"))?);
                Ok(())
            };
            set("LISTEN_FDS", &listen.count.to_string())?;
            set("LISTEN_PID", "1")?;
            if let Some(names) = listen.names {
                set("LISTEN_FDNAMES", names)?;
            }
        }
        Ok(self)
    }
}

/// What the annotations say, as far as this kernel can do it.
fn landlock_rules(spec: &Spec<'_>) -> Result<Option<landlock::Rules>, Invalid> {
    let annotations = spec.annotations.iter().map(|(name, value)| (&**name, &**value));
    let rules = landlock::parse(annotations).map_err(|error| Invalid::new("annotations", error))?;
    let Some(rules) = rules else { return Ok(None) };
    match rules.for_this_kernel() {
        Ok((rules, _)) => Ok(Some(rules)),
        Err(lacking) => {
            let lacking: Vec<_> = lacking.iter().map(ToString::to_string).collect();
            let prefix = format!("annotations.{}*", landlock::PREFIX);
            Err(Invalid::new(prefix, lacking.join("; ")))
        }
    }
}

/// Of a process that is added. `field` is the JSON path, for errors.
fn affinity(field: &str, affinity: Option<&oci::CpuAffinity<'_>>) -> Result<Affinity, Invalid> {
    let processors = |name: &str, list: Option<&Text<'_>>| match list {
        Some(list) if !list.is_empty() => parse_list(list)
            .map(Some)
            .map_err(|error| Invalid::new(format!("{field}.{name}"), error)),
        _ => Ok(None),
    };
    Ok((
        processors("initial", affinity.map(|it| &it.initial))?,
        processors("final", affinity.map(|it| &it.r#final))?,
    ))
}

fn text(text: &Text<'_>) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

fn c_strings(field: &str, texts: &[Text<'_>]) -> Result<Vec<CString>, Invalid> {
    let convert = |(index, text): (usize, &Text<'_>)| c_string(&format!("{field}[{index}]"), text);
    texts.iter().enumerate().map(convert).collect()
}

/// The last one of each name: a program would find the first, and what was added later counts.
fn variables(field: &str, texts: &[Text<'_>]) -> Result<Vec<CString>, Invalid> {
    if let Some(index) = texts.iter().position(|text| text.find('=').unwrap_or(0) == 0) {
        let what = format!("{:?} is not NAME=VALUE", texts[index]);
        return Err(Invalid::new(format!("{field}[{index}]"), what));
    }
    let mut words = c_strings(field, texts)?;
    let mut names = BTreeSet::new();
    let mut counts: Vec<bool> = texts
        .iter()
        .rev()
        .map(|text| names.insert(text.split('=').next()) && &**text != "HOME=")
        .collect();
    words.retain(|_| counts.pop().unwrap_or(true));
    Ok(words)
}

/// Without this section, none. A name that no capability has is passed over with a warning: it is
/// one of a newer kernel, which the specification does not want to be an error.
fn capabilities(
    field: &str,
    capabilities: Option<&oci::Capabilities<'_>>,
    warnings: &mut Vec<String>,
) -> Capabilities {
    let Some(capabilities) = capabilities else { return Capabilities::default() };
    let mut set = |name: &str, names: &[Text<'_>]| {
        let known = names.iter().enumerate().filter_map(|(index, text)| {
            let known = CapabilitySet::named(text);
            let unknown = known.as_ref().err();
            warnings.extend(unknown.map(|error| format!("{field}.{name}[{index}]: {error}")));
            known.ok()
        });
        known.fold(CapabilitySet::default(), CapabilitySet::with)
    };
    Capabilities {
        bounding: set("bounding", &capabilities.bounding),
        effective: set("effective", &capabilities.effective),
        inheritable: set("inheritable", &capabilities.inheritable),
        permitted: set("permitted", &capabilities.permitted),
        ambient: set("ambient", &capabilities.ambient),
    }
}

fn limits(field: &str, rlimits: &[oci::Rlimit<'_>]) -> Result<Vec<Limit>, Invalid> {
    let limit = |(index, rlimit): (usize, &oci::Rlimit<'_>)| {
        if rlimit.soft > rlimit.hard {
            let what = format!("{} is above the hard limit, {}", rlimit.soft, rlimit.hard);
            return Err(Invalid::new(format!("{field}[{index}].soft"), what));
        }
        Limit::new(&rlimit.kind, rlimit.soft, rlimit.hard)
            .map_err(|error| Invalid::new(format!("{field}[{index}].type"), error))
    };
    rlimits.iter().enumerate().map(limit).collect()
}

fn scheduling(
    prefix: &str,
    process: &oci::Process<'_>,
    linux: &oci::Linux<'_>,
) -> Result<Scheduling, Invalid> {
    let scheduler = process.scheduler.as_ref();
    Ok(Scheduling {
        scheduler: scheduler.map(|it| scheduler_attributes(prefix, it)).transpose()?,
        io_priority: process.io_priority.map(|it| {
            let class = match it.class {
                oci::IoPriorityClass::RealTime => 1,
                oci::IoPriorityClass::BestEffort => 2,
                oci::IoPriorityClass::Idle => 3,
            };
            (class, u16::try_from(it.priority).unwrap_or_default())
        }),
        memory_policy: linux.memory_policy.as_ref().map(memory_policy).transpose()?,
        personality: linux.personality.as_ref().map(|it| match it.domain {
            oci::PersonalityDomain::Linux => 0,
            oci::PersonalityDomain::Linux32 => 8,
        }),
    })
}

/// Each group once: Docker gives the user's own one, and that again which `/etc/group` says he is in.
fn groups(process: &oci::Process<'_>, spec: &Spec<'_>) -> Option<Vec<u32>> {
    let mut groups = process.user.additional_gids.clone();
    groups.sort_unstable();
    groups.dedup();
    (!annotations::keeps_groups(spec)).then_some(groups)
}

fn scheduler_attributes(
    prefix: &str,
    scheduler: &oci::Scheduler,
) -> Result<SchedulerAttributes, Invalid> {
    use oci::{SchedulerFlag as Flag, SchedulerPolicy as Policy};
    let flag = |flag: &Flag| match flag {
        Flag::ResetOnFork => 0x01,
        Flag::Reclaim => 0x02,
        Flag::DeadlineOverrun => 0x04,
        Flag::KeepPolicy => 0x08,
        Flag::KeepParams => 0x10,
        Flag::UtilizationClampMin => 0x20,
        Flag::UtilizationClampMax => 0x40,
    };
    let policy = match scheduler.policy {
        Policy::Other => 0,
        Policy::Fifo => 1,
        Policy::RoundRobin => 2,
        Policy::Batch => 3,
        Policy::Iso => 4,
        Policy::Idle => 5,
        Policy::Deadline => 6,
    };
    let priority = u32::try_from(scheduler.priority).map_err(|_| {
        let what = format!("{} is not from 0 to 99", scheduler.priority);
        Invalid::new(format!("{prefix}scheduler.priority"), what)
    })?;
    Ok(SchedulerAttributes {
        policy,
        flags: scheduler.flags.iter().map(flag).fold(0, |all, one| all | one),
        nice: scheduler.nice,
        priority,
        runtime: scheduler.runtime,
        deadline: scheduler.deadline,
        period: scheduler.period,
        ..SchedulerAttributes::default()
    })
}

fn memory_policy(policy: &oci::MemoryPolicy<'_>) -> Result<MemoryPolicy, Invalid> {
    use oci::{MemoryPolicyFlag as Flag, MemoryPolicyMode as Mode};
    let mode = match policy.mode {
        Mode::Default => 0,
        Mode::Preferred => 1,
        Mode::Bind => 2,
        Mode::Interleave => 3,
        Mode::Local => 4,
        Mode::PreferredMany => 5,
        Mode::WeightedInterleave => 6,
    };
    let flag = |flag: &Flag| match flag {
        Flag::NumaBalancing => 1 << 13,
        Flag::RelativeNodes => 1 << 14,
        Flag::StaticNodes => 1 << 15,
    };
    let nodes = if policy.nodes.is_empty() {
        Vec::new()
    } else {
        parse_list(&policy.nodes)
            .map_err(|error| Invalid::new("linux.memoryPolicy.nodes", error))?
    };
    Ok(MemoryPolicy { mode: policy.flags.iter().map(flag).fold(mode, |all, one| all | one), nodes })
}
