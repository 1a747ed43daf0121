//! Rehearsals that take a course of their own. Where it is measured what of a plugin's code runs, these are played again.
//!
//! Reading the marks of a rehearsal takes longer than the rehearsal, and most run the same code as one before. So it is
//! measured in those in which a call was made that was in none before, or ended as it did in none before.

use crate::journal::{Row, StoredRow};
use std::collections::{BTreeMap, BTreeSet};

/// Most of a scenario, the plain one apart.
const MOST: usize = 100;

/// How the calls of a rehearsal ended, each of them in one way or more.
#[derive(Debug, Clone, Default)]
pub(super) struct Courses(BTreeMap<String, BTreeSet<String>>);

impl Courses {
    /// Takes in the rows of a rehearsal, behind those of earlier lives.
    pub fn take(&mut self, rows: &[StoredRow], earlier: usize) {
        for stored in rows.iter().skip(earlier) {
            let Row::CallEnded { call, result } = &stored.row else { continue };
            let end = match result {
                Ok(()) => String::new(),
                // Of two messages that differ in a number the code is the same.
                Err(fault) => {
                    let message = fault.message.chars().filter(|c| !c.is_ascii_digit());
                    format!("{}: {}", fault.code, message.collect::<String>())
                }
            };
            self.0.entry(call.in_envelope()).or_default().insert(end);
        }
    }

    fn add(&mut self, other: &Self) {
        for (call, ends) in &other.0 {
            self.0.entry(call.clone()).or_default().extend(ends.iter().cloned());
        }
    }

    fn has_call_that_is_not_in(&self, known: &Self) -> bool {
        self.0.keys().any(|call| !known.0.contains_key(call))
    }

    fn has_end_that_is_not_in(&self, known: &Self) -> bool {
        self.0.iter().any(|(call, ends)| known.0.get(call).is_none_or(|known| !ends.is_subset(known)))
    }
}

/// Chooses from numbered rehearsals; `plain`: how the calls end where nothing is done. In the order of their numbers.
pub(super) fn of_their_own(plain: Courses, of: &[(u32, Courses)]) -> Vec<u32> {
    let mut known = plain;
    let mut chosen = BTreeSet::new();
    // Other calls first, for other code is in them.
    for is_new in [Courses::has_call_that_is_not_in, Courses::has_end_that_is_not_in] {
        for (number, courses) in of {
            if chosen.len() < MOST && is_new(courses, &known) {
                chosen.insert(*number);
                known.add(courses);
            }
        }
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::CallName;
    use crate::model::{Fault, StepId};

    fn ended(call: CallName, result: Result<(), Fault>) -> StoredRow {
        StoredRow { sequence: 1, at: 0, row: Row::CallEnded { call, result } }
    }

    fn courses(rows: &[StoredRow]) -> Courses {
        let mut courses = Courses::default();
        courses.take(rows, 0);
        courses
    }

    #[test]
    fn those_are_chosen_in_which_a_call_is_made_or_ends_as_in_none_before() {
        let step = StepId::new("stop@first").unwrap();
        let well = || ended(CallName::Steps, Ok(()));
        let fails = |message: &str| ended(CallName::Steps, Err(Fault::new("failed", message)));
        let undone = || ended(CallName::Undo(step.clone()), Ok(()));
        let of = [
            (1, courses(&[well()])),
            (2, courses(&[fails("3 nodes are down")])),
            (3, courses(&[fails("4 nodes are down")])),
            (4, courses(&[well(), fails("one is away"), undone()])),
            (5, courses(&[undone(), fails("one is away")])),
        ];
        assert_eq!(of_their_own(courses(&[well()]), &of), [2, 4]);
        assert_eq!(of_their_own(courses(&[well(), undone()]), &of), [2, 4]);
        // Of an earlier life.
        let mut later = Courses::default();
        later.take(&[fails("new"), well()], 1);
        assert_eq!(of_their_own(courses(&[well()]), &[(9, later)]), [] as [u32; 0]);
    }

    #[test]
    fn as_many_are_chosen_as_there_is_time_for_and_other_calls_before_other_ends() {
        let fails = |word: &str| ended(CallName::Verify, Err(Fault::new("failed", word)));
        let word = |number: usize| "x".repeat(number + 1);
        let mut of: Vec<_> = (0..).zip(0..500).map(|(id, n)| (id, courses(&[fails(&word(n))]))).collect();
        of.push((777, courses(&[ended(CallName::Steps, Ok(()))])));
        let chosen = of_their_own(Courses::default(), &of);
        assert_eq!((chosen.len(), chosen[0], chosen.last()), (MOST, 0, Some(&777)));
    }
}
