//! Ids that nobody has yet: those of subuid(5) and subgid(5) without those that were given.

use crate::error::{Error, Result};
use crate::settings::IdRange;
use crate::small_file;

/// Ids of users that may be given away.
pub(super) const USERS: &str = "/etc/subuid";

/// Ids of groups.
pub(super) const GROUPS: &str = "/etc/subgid";

/// Ids that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: u32,
    pub(super) count: u32,
}

impl Span {
    fn end(self) -> u64 {
        u64::from(self.first) + u64::from(self.count)
    }
}

/// What a file gives to somebody.
pub(super) fn of_file(path: &str, name: &str) -> Result<Vec<Span>> {
    let text = small_file::read(path.as_ref()).map_err(Error::file(path))?;
    Ok(parse(&text.unwrap_or_default(), name))
}

/// A line that is damaged gives nothing, as with newuidmap(1).
fn parse(text: &str, name: &str) -> Vec<Span> {
    let span = |line: &str| {
        let [owner, first, count] = line.split(':').collect::<Vec<_>>()[..] else { return None };
        let (first, count) = (first.trim().parse().ok()?, count.trim().parse::<u32>().ok()?);
        // The last number is no id.
        let fits = u32::checked_add(first, count).is_some();
        (owner == name && count > 0 && fits).then_some(Span { first, count })
    };
    text.lines().filter_map(span).collect()
}

/// The line to be added.
pub(super) fn advice(name: &str) -> String {
    format!(
        "add the line {name}:2147483647:2147483648 to both {USERS} and {GROUPS}, or other ids that \
         nobody has"
    )
}

/// Ids for the container's own from 0 to `size`, but for those that are `fixed`, from `available`
/// ones that are not `used`: the first that are free. `None` if there are too few.
pub(super) fn find(
    available: &[Span],
    used: &[Span],
    size: u32,
    fixed: &[IdRange],
) -> Option<Vec<IdRange>> {
    let mut taken: Vec<Span> = used.to_vec();
    taken.extend(fixed.iter().map(|it| Span { first: it.outside, count: it.length }));
    // Whoever is root on the machine, whatever the files say.
    taken.push(Span { first: 0, count: 1 });
    let mut free = without(available, &taken).into_iter();
    let inside: Vec<Span> =
        fixed.iter().map(|it| Span { first: it.inside, count: it.length }).collect();
    let mut found = fixed.to_vec();
    let mut current: Option<Span> = None;
    for wanted in without(&[Span { first: 0, count: size }], &inside) {
        let Span { mut first, count: mut missing } = wanted;
        while missing > 0 {
            let span = match current.take() {
                Some(span) => span,
                None => free.next()?,
            };
            let length = span.count.min(missing);
            found.push(IdRange { inside: first, outside: span.first, length });
            (first, missing) = (first + length, missing - length);
            let rest = Span { first: span.first + length, count: span.count - length };
            current = Some(rest).filter(|rest| rest.count > 0);
        }
    }
    found.sort_unstable_by_key(|range| range.inside);
    Some(found)
}

/// What is in some spans and not in others, in order.
fn without(spans: &[Span], taken: &[Span]) -> Vec<Span> {
    let (mut spans, mut taken) = (spans.to_vec(), taken.to_vec());
    spans.sort_unstable_by_key(|span| span.first);
    taken.sort_unstable_by_key(|span| span.first);
    let mut left = Vec::new();
    // Of two that overlap, each id once.
    let mut next = 0_u64;
    for span in spans {
        next = next.max(u64::from(span.first));
        for hole in taken.iter().filter(|hole| hole.end() > u64::from(span.first)) {
            push(&mut left, next, span.end().min(u64::from(hole.first)));
            next = next.max(hole.end().min(span.end()));
        }
        push(&mut left, next, span.end());
        next = next.max(span.end());
    }
    left
}

fn push(left: &mut Vec<Span>, from: u64, to: u64) {
    // Both are below the end of a span, whose numbers are ids.
    if let (true, Ok(first), Ok(count)) =
        (to > from, from.try_into(), to.saturating_sub(from).try_into())
    {
        left.push(Span { first, count });
    }
}

#[cfg(test)]
mod tests {
    use super::{Span, find, parse, without};
    use crate::settings::IdRange;

    fn span(first: u32, count: u32) -> Span {
        Span { first, count }
    }

    fn range(inside: u32, outside: u32, length: u32) -> IdRange {
        IdRange { inside, outside, length }
    }

    #[test]
    fn lines_of_one_owner() {
        let text = "a:100:10\ncontainers:500:50\n# x\ncontainers:1:0\ncontainers:x:1\ncontainers:9\n\
                    containers:4294967290:9\ncontainers:700:7\n";
        assert_eq!(parse(text, "containers"), [span(500, 50), span(700, 7)]);
    }

    #[test]
    fn what_is_left() {
        let all = [span(100, 100)];
        assert_eq!(without(&all, &[]), all);
        assert_eq!(without(&all, &[span(0, 4_000_000_000)]), []);
        assert_eq!(without(&all, &[span(90, 20), span(150, 1)]), [span(110, 40), span(151, 49)]);
        // In any order, with others inside.
        assert_eq!(without(&all, &[span(180, 40), span(100, 50), span(110, 5)]), [span(150, 30)]);
        assert_eq!(without(&[span(100, 10), span(105, 10)], &[]), [span(100, 10), span(110, 5)]);
    }

    #[test]
    fn the_first_that_are_free() {
        let all = [span(1000, 100), span(5000, 100)];
        assert_eq!(find(&all, &[], 60, &[]), Some(vec![range(0, 1000, 60)]));
        let used = [span(1000, 60)];
        let expected = vec![range(0, 1060, 40), range(40, 5000, 20)];
        assert_eq!(find(&all, &used, 60, &[]), Some(expected));
        assert_eq!(find(&all, &used, 140, &[]).map(|it| it.len()), Some(2));
        assert_eq!(find(&all, &used, 141, &[]), None);
        assert_eq!(find(&[], &[], 1, &[]), None);
    }

    #[test]
    fn what_the_user_fixes_is_kept() {
        let fixed = [range(5, 1002, 2)];
        let expected =
            vec![range(0, 1000, 2), range(2, 1004, 3), range(5, 1002, 2), range(7, 1007, 3)];
        assert_eq!(find(&[span(1000, 100)], &[], 10, &fixed), Some(expected));
    }

    #[test]
    fn the_machines_root_is_never_given() {
        assert_eq!(find(&[span(0, 10)], &[], 9, &[]), Some(vec![range(0, 1, 9)]));
        assert_eq!(find(&[span(0, 10)], &[], 10, &[]), None);
    }

    #[test]
    fn no_id_is_given_twice() {
        // Whatever sizes are asked for and given back in between.
        let all = [span(100, 1000)];
        let mut used: Vec<Vec<Span>> = Vec::new();
        for step in 0_u32..200 {
            if step % 3 == 2 && !used.is_empty() {
                used.remove(usize::try_from(step).unwrap() % used.len());
            }
            let flat = used.concat();
            let Some(found) = find(&all, &flat, 1 + step * 7 % 90, &[]) else { continue };
            let found: Vec<Span> = found.iter().map(|it| span(it.outside, it.length)).collect();
            let disjoint = |one: &Span, other: &Span| {
                one.end() <= u64::from(other.first) || other.end() <= u64::from(one.first)
            };
            assert!(found.iter().all(|one| flat.iter().all(|other| disjoint(one, other))));
            used.push(found);
        }
        assert!(used.len() > 5);
    }
}
