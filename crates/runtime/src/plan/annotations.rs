//! Annotations that change how a process is made: our own, and one that Podman has for crun.

use spec::runtime::Spec;

use super::Invalid;

/// How many of the first words of `process.args` are an init's. What comes then is looked for, too,
/// so that a program that is missing is told at once.
pub(super) const LAUNCHER: &str = "org.tinyo.launcher";

/// For core scheduling, `true` or `false`.
const OWN_CORES: &str = "org.tinyo.core-scheduling";

/// What `podman run --group-add keep-groups` asks for, with whatever value.
const KEEP_GROUPS: &str = "run.oci.keep_original_groups";

pub(super) fn own_cores(spec: &Spec<'_>) -> Result<bool, Invalid> {
    match spec.annotations.get(OWN_CORES).map(|value| &**value) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => {
            let what = format!("{other:?} is neither \"true\" nor \"false\"");
            Err(Invalid::new(format!("annotations.{OWN_CORES}"), what))
        }
    }
}

/// Whether a process has its caller's groups instead of those of the configuration.
pub(super) fn keeps_groups(spec: &Spec<'_>) -> bool {
    spec.annotations.get(KEEP_GROUPS).is_some()
}
