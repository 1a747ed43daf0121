//! The fault matrix of root-key, its catch-up and retire-key: at each effect something happens to a node. What comes of it is the old key set on
//! every node, the new one on every node that is there, or a pause; and once the node is well again, `resume` or
//! `rollback` ends it. A node that was left out is brought level by catch-up.

use super::{
    CATCH_UP, Held, NATIVE, NODES, RETIRE, Run, Taste, agree_where_they_run, as_before, held, same_keys,
    services, up,
};
use crate::run::crash::Dice;
use crate::run::e2e::{Ended, Pair};
use crate::run::faults::{FAULTS, Fault, exposed, strike};
use crate::run::matrix::{Place, Work, go_through, recorded};
use std::collections::BTreeMap;
use windlass::lab::Transport;

#[derive(Clone)]
struct Case {
    taste: &'static Taste,
    fault: Fault,
    node: &'static str,
    place: Place,
    back: bool,
}

impl Work for Case {
    fn title(&self) -> String {
        let Case { taste, fault, node, place, back } = self;
        let then = if *back { "rollback" } else { "resume" };
        format!("{}: {fault:?} of {node} at {place}, then {then}", taste.procedure.join(" "))
    }

    fn up(&self) -> Option<Pair> {
        let pair = up(Transport::Ssh)?;
        pair.impatient();
        Some(pair)
    }

    fn check(&self, pair: &Pair) -> bool {
        (self.taste.prepare)(pair);
        let before = held(pair);
        let run = Run::of(pair, self.taste.procedure);
        let ended = strike(pair, &run.arguments(), &self.place, || self.fault.strikes(pair, self.node));
        self.fault.is_repaired(pair, self.node);
        pair.wait_normal();
        if self.taste.stops {
            agree_where_they_run(pair);
        }
        match ended {
            None => (self.taste.done)(pair, &before, &NODES),
            Some(ended) => self.ended(pair, &run, &before, ended),
        }
        // What a run that is not closed has saved is no business of the next one's, but of what retires a key.
        for run in pair.runs() {
            pair.windlass(&["runs", "close", &run]);
        }
        true
    }
}

impl Case {
    fn ended(&self, pair: &Pair, run: &Run, before: &BTreeMap<String, Held>, ended: Ended) {
        match ended.code {
            Some(0) => self.level(pair, before),
            // Nothing was changed, or all of it taken back by itself. A lease that could not be given back is named
            // to the next run, which takes it.
            Some(1 | 4) => {
                for node in NODES {
                    services(pair, node, "start").expect(0);
                }
                same_keys(pair, before);
                let mut again = run.arguments();
                again.push("--take-over");
                pair.windlass(&again).expect(0);
                self.level(pair, before);
            }
            Some(5) => {
                let id = pair.last_run();
                assert!(ended.err.contains(&format!("windlass resume {id}")), "{ended:?}");
                if !self.back {
                    let resumed = pair.windlass(&run.resume());
                    match resumed.code {
                        Some(0) => return self.level(pair, before),
                        Some(5) => {
                            println!(
                                "{}: resume pauses again: {}",
                                self.title(),
                                resumed.err.replace('\n', " | ")
                            );
                        }
                        _ => panic!("{resumed:?}"),
                    }
                }
                let back = pair.windlass(&["rollback", &id]);
                match back.code {
                    Some(5) if back.err.contains("no-way-back") => {
                        pair.windlass(&run.resume()).expect(0);
                        self.level(pair, before);
                    }
                    _ => {
                        back.expect(1);
                        has_before(pair, before);
                    }
                }
            }
            _ => panic!("{ended:?}"),
        }
    }

    /// Brings level what was left out, starts it, and sees that all have one new version.
    #[track_caller]
    fn level(&self, pair: &Pair, before: &BTreeMap<String, Held>) {
        if self.taste.stops {
            agree_where_they_run(pair);
            pair.windlass(&["run", "root-key", "-p", "mode=catch-up", "--yes"]).expect(0);
        }
        for node in NODES {
            services(pair, node, "stop").expect(0);
            services(pair, node, "start").expect(0);
        }
        (self.taste.done)(pair, before, &NODES);
    }
}

/// Every node has the key set of before; a node that was struck may have to be told to start.
#[track_caller]
fn has_before(pair: &Pair, before: &BTreeMap<String, Held>) {
    for node in NODES {
        services(pair, node, "start").expect(0);
    }
    as_before(pair, before);
}

#[test]
fn whatever_happens_to_a_node_no_cluster_starts_with_two_key_sets() {
    let mut dice = Dice::roll();
    let whole = std::env::var_os("WINDLASS_MATRIX").is_some();
    let mut cases: Vec<Case> = Vec::new();
    for taste in [&NATIVE, &CATCH_UP, &RETIRE] {
        // An ordinary run has a few of the first alone.
        if !whole && !cases.is_empty() {
            break;
        }
        let places = {
            let Some(pair) = up(Transport::Ssh) else { return };
            (taste.prepare)(&pair);
            recorded(&pair, &Run::of(&pair, taste.procedure).arguments(), 0)
        };
        let before = cases.len();
        for fault in FAULTS {
            for place in exposed(&places) {
                let own = NODES.into_iter().find(|node| place.words.contains(node));
                let node = own.unwrap_or(NODES[dice.below(NODES.len())]);
                cases.push(Case { taste, fault, node, place, back: dice.below(2) == 0 });
            }
        }
        println!("{} cases of {}", cases.len() - before, taste.procedure.join(" "));
    }
    if !whole {
        // One of each, at changes.
        let mut few = Vec::new();
        for fault in FAULTS {
            let of_it: Vec<_> =
                cases.iter().filter(|case| case.fault == fault && case.place.class == "Change").collect();
            few.push(of_it[dice.below(of_it.len())].clone());
        }
        cases = few;
    }
    go_through("faults of root-key over ssh", &cases);
}
