//! The kill matrix of root-key, its catch-up and retire-key: a controller killed at every place that a run passes, then resumed or taken back.
//!
//! Whatever is killed where, there is one new version or none, the cluster is never started with key sets that
//! differ, and what was sealed before opens: a service whose password does not open does not start.

use super::{
    CATCH_UP, Held, NATIVE, NODES, PRODUCT, RETIRE, Run, Taste, agree_where_they_run, as_before, held,
    keyset, sealed_under, up, versions,
};
use crate::run::crash::Dice;
use crate::run::e2e::{Ended, Pair};
use crate::run::matrix::{
    Place, Then, Work, chosen, go_through, killed, one_of_each, read, recorded, states, thin,
};
use std::collections::BTreeMap;
use windlass::lab::Transport;

struct Case {
    transport: Transport,
    taste: &'static Taste,
    place: Place,
    then: Then,
}

/// A site value that was sealed before the run, to be sealed anew.
const VALUE: &str = "kept-through-it-all";

impl Work for Case {
    fn title(&self) -> String {
        format!("{}, killed at {}, then {:?}", self.taste.procedure.join(" "), self.place, self.then)
    }

    fn up(&self) -> Option<Pair> {
        let pair = up(self.transport)?;
        put(&pair);
        Some(pair)
    }

    fn goes_with(&self, other: &Self) -> bool {
        self.taste.procedure == other.taste.procedure
    }

    fn check(&self, pair: &Pair) -> bool {
        (self.taste.prepare)(pair);
        let before = held(pair);
        let run = Run::of(pair, self.taste.procedure);
        let there = killed(pair, &run.arguments(), self.place.at);
        self.agree(pair);
        match self.then {
            _ if !there => (self.taste.done)(pair, &before, &NODES),
            Then::Resume => self.resumed(pair, &run, &before),
            Then::RollBack | Then::RollBackKilledAt(_) => {
                let id = pair.last_run();
                if let Then::RollBackKilledAt(at) = self.then {
                    killed(pair, &["rollback"], at);
                    self.agree(pair);
                }
                let back = pair.windlass(&["rollback", &id]);
                match back.code {
                    // Started with the new key: only the way forward is left.
                    Some(5) if back.err.contains("no-way-back") => self.resumed(pair, &run, &before),
                    // Killed after it was over, forward or back.
                    Some(2) if back.err.contains("nothing left to do") => match is_new(pair, &before) {
                        true => (self.taste.done)(pair, &before, &NODES),
                        false => as_before(pair, &before),
                    },
                    _ => {
                        back.expect(1);
                        as_before(pair, &before);
                    }
                }
            }
        }
        value_opens(pair, self.taste.procedure == NATIVE.procedure && is_new(pair, &before));
        // What a run that is not closed has saved is no business of the next one's, but of what retires a key.
        if self.taste.procedure == RETIRE.procedure {
            pair.windlass(&["runs", "close", &pair.last_run()]);
        }
        true
    }
}

impl Case {
    fn agree(&self, pair: &Pair) {
        if self.taste.stops {
            agree_where_they_run(pair);
        }
    }

    #[track_caller]
    fn resumed(&self, pair: &Pair, run: &Run, before: &BTreeMap<String, Held>) {
        let resumed = pair.windlass(&run.resume());
        // Killed after it was over: there is nothing left to do.
        if !(resumed.code == Some(2) && resumed.err.contains("no unfinished run")) {
            resumed.expect(0);
        }
        (self.taste.done)(pair, before, &NODES);
    }
}

/// Whether a node has another key set than before.
fn is_new(pair: &Pair, before: &BTreeMap<String, Held>) -> bool {
    NODES.iter().any(|node| std::fs::read(keyset(pair, node)).unwrap() != super::bytes(before, node))
}

fn put(pair: &Pair) {
    let mut command = pair.command(&["secret", "put", "kept"]);
    crate::run::e2e::feed(&mut command, VALUE.as_bytes()).expect(0);
}

/// The site's own value opens; sealed `anew` under the primary, where that was asked for.
#[track_caller]
fn value_opens(pair: &Pair, anew: bool) {
    let ended: Ended = pair.windlass(&["secret", "get", "kept"]).expect(0);
    assert_eq!(ended.out.trim_end(), VALUE);
    if anew {
        let (_, primary) = versions(&std::fs::read(keyset(pair, "master1")).unwrap());
        let listed = pair.windlass(&["--json", "secret", "list"]).expect(0).out;
        assert!(listed.contains(&primary.to_string()), "{listed} is not under {primary}");
        assert_eq!(sealed_under(pair, "member2"), primary);
    }
}

fn cases(transport: Transport, taste: &'static Taste, quick: bool, dice: &mut Dice) -> Option<Vec<Case>> {
    let pair = up(transport)?;
    put(&pair);
    (taste.prepare)(&pair);
    let before = held(&pair);
    let run = Run::of(&pair, taste.procedure);
    let places = recorded(&pair, &run.arguments(), 0);
    (taste.done)(&pair, &before, &NODES);
    let mut cases = Vec::new();
    for place in chosen(&places, dice) {
        cases.push(Case { transport, taste, place: place.clone(), then: Then::Resume });
        if place.class == "Change" {
            cases.push(Case { transport, taste, place, then: Then::RollBack });
        }
    }
    let mut states = states(&places);
    if quick {
        states = vec![states.swap_remove(dice.below(states.len()))];
    }
    for place in states {
        pair.windlass(&["runs", "close", &pair.last_run()]);
        (taste.prepare)(&pair);
        let before = held(&pair);
        let run = Run::of(&pair, taste.procedure);
        if !killed(&pair, &run.arguments(), place.at) {
            continue;
        }
        let file = pair.controller.join("places");
        let _ = std::fs::remove_file(&file);
        let back =
            pair.command(&["rollback"]).env("WINDLASS_FUSE", format!("record:{file}")).output().unwrap();
        if back.status.code() != Some(1) {
            // There is no way back from here: nothing to cut short.
            pair.windlass(&run.resume()).expect(0);
            (taste.done)(&pair, &before, &NODES);
            continue;
        }
        for place_back in one_of_each(&read(&file), dice) {
            let then = Then::RollBackKilledAt(place_back.at);
            cases.push(Case { transport, taste, place: place.clone(), then });
        }
    }
    Some(cases)
}

fn matrix(transport: Transport, tastes: &[&'static Taste], few: usize) {
    let mut dice = Dice::roll();
    let quick = std::env::var_os("WINDLASS_MATRIX").is_none();
    let mut all = Vec::new();
    for taste in tastes {
        let Some(cases) = cases(transport, taste, quick, &mut dice) else { return };
        println!("{} cases of {}", cases.len(), taste.procedure.join(" "));
        all.push(cases);
    }
    if quick {
        thin(&mut all, few, &mut dice);
    }
    go_through(
        &format!("kills of root-key over {transport:?}"),
        &all.into_iter().flatten().collect::<Vec<_>>(),
    );
}

#[test]
fn killed_anywhere_a_run_makes_one_change_of_the_key_sets_or_none() {
    matrix(Transport::Local, &[&PRODUCT, &NATIVE, &CATCH_UP, &RETIRE], 20);
}

#[test]
fn killed_anywhere_over_ssh_a_run_makes_one_change_of_the_key_sets_or_none() {
    if std::env::var_os("WINDLASS_MATRIX").is_some() {
        println!("skipped: the whole matrix is gone through on local nodes");
        return;
    }
    matrix(Transport::Ssh, &[&NATIVE], 4);
}
