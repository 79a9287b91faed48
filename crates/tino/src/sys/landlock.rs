//! Landlock, landlock(7), Linux 5.13.

use super::call::{Errno, act, call3, number};
use super::file::Descriptor;

/// What a ruleset takes away: `struct landlock_ruleset_attr`.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Ruleset {
    /// `LANDLOCK_ACCESS_FS_*`.
    pub filesystem: u64,
    /// `LANDLOCK_ACCESS_NET_*`, ABI 4.
    pub network: u64,
    /// `LANDLOCK_SCOPE_*`, ABI 6.
    pub scope: u64,
}

/// The rule of a path: `allowed` below the descriptor in the second word.
pub const RULE_PATH_BENEATH: usize = 1;
/// The rule of a port: `allowed` on the port in the second word.
pub const RULE_NET_PORT: usize = 2;

/// The kernel's Landlock ABI version; `ENOSYS` or `EOPNOTSUPP` when there is none.
pub fn landlock_abi() -> Result<u32, Errno> {
    const VERSION: usize = 1;
    // SAFETY: a null attribute of size 0 is how the version is asked for.
    unsafe { call3(0, 0, VERSION, number::LANDLOCK_CREATE_RULESET) }
}

/// landlock_create_ruleset(2). The kernel takes the longer structure from older programs and, as
/// long as the fields it does not know are 0, from newer ones.
pub fn landlock_create_ruleset(ruleset: &Ruleset) -> Result<Descriptor, Errno> {
    let address = core::ptr::from_ref(ruleset) as usize;
    // SAFETY: points to an attribute of the size that is passed.
    unsafe { call3(address, size_of::<Ruleset>(), 0, number::LANDLOCK_CREATE_RULESET) }
}

/// landlock_add_rule(2): allows `allowed` on `object`, a descriptor or a port as `kind` says.
pub fn landlock_add_rule(
    ruleset: Descriptor,
    kind: usize,
    allowed: u64,
    object: u64,
) -> Result<(), Errno> {
    // Both rule structures begin with the access and go on with the object; the descriptor is an
    // int, the lower half of the word on this little-endian machine.
    let rule = [allowed, object];
    // SAFETY: points to at least as many bytes as either rule structure has.
    unsafe { act(ruleset as usize, kind, rule.as_ptr() as usize, number::LANDLOCK_ADD_RULE) }
}

/// landlock_restrict_self(2).
#[inline(never)]
pub fn landlock_restrict_self(ruleset: Descriptor) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { act(ruleset as usize, 0, 0, number::LANDLOCK_RESTRICT_SELF) }
}
