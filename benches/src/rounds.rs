//! Turn by turn: what disturbs the machine for a while disturbs all contestants alike.

use std::path::Path;

use anyhow::{Result, anyhow};

use crate::contestant::Contestant;

/// What one contestant achieved: the median of its turns, or why there is none.
pub type Outcome = Result<f64, String>;

/// Gives every contestant one turn a round, in each order that there is, so that each follows each of
/// the others as often: what one leaves to the kernel to clean up delays whoever comes next. A
/// contestant whose turn fails takes no further part.
pub fn alternate(
    contestants: &[Contestant],
    rounds: usize,
    mut turn: impl FnMut(&Path) -> Result<f64>,
) -> Vec<Outcome> {
    let mut all: Vec<Result<Vec<f64>>> = contestants
        .iter()
        .map(|it| if it.path.is_some() { Ok(Vec::new()) } else { Err(anyhow!("not installed")) })
        .collect();
    for round in 0..rounds {
        for place in order(contestants.len(), round) {
            let (Ok(samples), Some(path)) = (&mut all[place], &contestants[place].path) else {
                continue;
            };
            match turn(path) {
                Ok(sample) => samples.push(sample),
                Err(error) => all[place] = Err(error),
            }
        }
    }
    let outcome = |samples: Result<Vec<f64>>| match samples {
        Ok(samples) => Ok(median(samples)),
        Err(error) => Err(format!("{error:#}")),
    };
    all.into_iter().map(outcome).collect()
}

/// One of the orders of so many, all of which come in as many rounds as there are.
fn order(count: usize, round: usize) -> Vec<usize> {
    let all: usize = (1..=count).product();
    // The digits of this, the first one to the base `count`, say which of those left comes next.
    let mut number = (all - round % all) % all;
    let mut left: Vec<usize> = (0..count).collect();
    let mut order = Vec::with_capacity(count);
    for base in (1..=count).rev() {
        let weight: usize = (1..base).product();
        order.push(left.remove(number / weight));
        number %= weight;
    }
    order
}

/// The middle value, or the mean of the two in the middle. NaN for none.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn every_order_comes_once() {
        let all: std::collections::BTreeSet<_> = (0..24).map(|round| order(4, round)).collect();
        assert_eq!(all.len(), 24);
        assert!(all.iter().all(|order| (0..4).all(|place| order.contains(&place))));
        assert_eq!(order(3, 0), [0, 1, 2]);
    }

    #[test]
    fn turns_alternate_and_an_error_ends_them() {
        let here = |name: &str| Contestant { name: name.into(), path: Some(name.into()) };
        let contestants = [here("a"), here("b"), Contestant { name: "c".into(), path: None }];
        let mut order = String::new();
        let outcomes = alternate(&contestants, 3, |path| {
            order += path.to_str().unwrap_or_default();
            if order == "ab" { Err(anyhow!("broken")) } else { Ok(1.0) }
        });
        assert_eq!(order, "abaa");
        assert_eq!(outcomes[0], Ok(1.0));
        assert_eq!(outcomes[1], Err("broken".into()));
        assert_eq!(outcomes[2], Err("not installed".into()));
    }
}
