//! What a list of devices means, said in the plainest way, for tests to compare with.

use super::super::resources::{DeviceAccess, DeviceKind, DeviceRule};

/// Somebody wants to use a device.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Question {
    pub(in super::super) kind: DeviceKind,
    pub(in super::super) major: u32,
    pub(in super::super) minor: u32,
    pub(in super::super) access: DeviceAccess,
}

/// What the list says, each access on its own.
pub(in super::super) fn allowed(rules: &[DeviceRule], question: Question) -> bool {
    let about = |rule: &&DeviceRule| {
        (rule.kind == DeviceKind::All || rule.kind == question.kind)
            && rule.major.is_none_or(|major| major == question.major)
            && rule.minor.is_none_or(|minor| minor == question.minor)
    };
    let last = |has: fn(&DeviceAccess) -> bool| {
        let mut relevant = rules.iter().filter(about).filter(|rule| has(&rule.access));
        !has(&question.access) || relevant.next_back().is_some_and(|rule| rule.allow)
    };
    last(|access| access.read) && last(|access| access.write) && last(|access| access.mknod)
}

/// The questions that the kernel asks: for making a node, and for opening in three ways; about
/// devices that rules of [`Numbers`] mention, and others.
pub(in super::super) fn questions() -> impl Iterator<Item = Question> {
    let open = |read, write| DeviceAccess { read, write, mknod: false };
    let accesses = [DeviceAccess::MKNOD, open(true, false), open(false, true), open(true, true)];
    accesses.into_iter().flat_map(|access| {
        [DeviceKind::Block, DeviceKind::Character].into_iter().flat_map(move |kind| {
            [1, 2, 5, 136].into_iter().flat_map(move |major| {
                [0, 1, 3, 5].into_iter().map(move |minor| Question { kind, major, minor, access })
            })
        })
    })
}

/// Rules from numbers, which come from a fuzzer or a generator.
pub(in super::super) struct Numbers<Source>(pub(in super::super) Source);

impl<Source: Iterator<Item = u8>> Numbers<Source> {
    /// The next rule; `None` when there are no more numbers.
    pub(in super::super) fn rule(&mut self) -> Option<DeviceRule> {
        let [flags, major, minor] = [self.0.next()?, self.0.next()?, self.0.next()?];
        let kinds = [DeviceKind::All, DeviceKind::Block, DeviceKind::Character];
        let number = |of: [u32; 3], byte: u8| of.get(usize::from(byte % 4)).copied();
        Some(DeviceRule {
            allow: flags & 1 > 0,
            kind: kinds[usize::from(flags >> 4) % 3],
            major: number([1, 2, 5], major),
            minor: number([0, 1, 3], minor),
            access: DeviceAccess {
                read: flags & 2 > 0,
                write: flags & 4 > 0,
                mknod: flags & 8 > 0,
            },
        })
    }

    /// As many rules as there are numbers for, at most 12.
    #[cfg(any(fuzzing, test))]
    pub(in super::super) fn rules(&mut self) -> Vec<DeviceRule> {
        (0..12).map_while(|_| self.rule()).collect()
    }
}

/// Numbers that are the same each time.
#[cfg(test)]
pub(in super::super) fn numbers(mut seed: u64) -> impl Iterator<Item = u8> {
    std::iter::repeat_with(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[0]
    })
}
