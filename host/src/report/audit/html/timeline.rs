//! The plain rehearsal of a scenario, drawn: a lane for each node, effects in the order of the simulated clock. A dot is
//! a look, a square a change, a cross one that failed; the table beside it says the same in words.

use super::super::{counted_in, harmless};
use crate::model::audit::{RehearsedScenario, SeenEffect};
use indexmap::{IndexMap, IndexSet};
use maud::{Markup, html};

/// Where lanes begin: names of nodes stand left of it.
const LEFT: usize = 170;
/// What the longest name of a node is cut to, to fit there.
const NAME: usize = 20;
const WIDE: i64 = 700;
/// So that no mark covers the one before.
const STEP: usize = 14;
const TOP: usize = 34;
const LANE: usize = 30;
/// What a browser still draws at once; the table has them all.
const MOST: usize = 400;
/// Effects that are on no node.
const CONTROLLER: &str = "windlass";

pub(super) fn timeline(scenario: &RehearsedScenario) -> Markup {
    let effects: Vec<&SeenEffect> = scenario.effects.iter().take(MOST).collect();
    let left_out = scenario.effects.len().saturating_sub(MOST);
    let mut lanes: IndexSet<&str> = effects.iter().flat_map(|effect| lanes_of(effect)).collect();
    // Roles first, as a person looks for them.
    lanes.sort_by_key(|lane| {
        (["first", "second"].iter().position(|role| role == lane).unwrap_or(2), *lane == CONTROLLER)
    });
    let places = places(&effects);
    let mut calls: IndexMap<&str, (usize, i64)> = IndexMap::new();
    for (effect, x) in effects.iter().zip(&places) {
        calls.entry(effect.call.as_str()).or_insert((*x, effect.at));
    }
    let width = places.last().copied().unwrap_or(LEFT) + 40;
    let height = TOP + lanes.len() * LANE + 8;
    let label = format!(
        "Timeline of {}: {} on {}",
        harmless(&scenario.name),
        counted_in(effects.len(), "effect"),
        counted_in(lanes.len(), "lane")
    );
    html! {
        @if effects.is_empty() { p { "It had no effects." } }
        @else {
            div.wide tabindex="0" role="region" aria-label=(label) {
                svg role="img" aria-label=(label) width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } {
                    @for (at, lane) in lanes.iter().enumerate() {
                        @let y = TOP + at * LANE + LANE / 2;
                        line.lane x1=(LEFT) x2=(width - 10) y1=(y) y2=(y) {}
                        text x="4" y=(y + 5) { (harmless(&lane.chars().take(NAME).collect::<String>())) }
                    }
                    @for (at, (x, _)) in calls.values().enumerate() {
                        line.call x1=(x - 7) x2=(x - 7) y1="20" y2=(height - 8) {}
                        text x=(x - 10) y="14" { (at + 1) }
                    }
                    @for (effect, x) in effects.iter().zip(&places) {
                        @for lane in lanes_of(effect) {
                            @let y = TOP + lanes.get_index_of(lane).unwrap_or_default() * LANE + LANE / 2;
                            g { title { (told(effect)) } (mark(effect, *x, y)) }
                        }
                    }
                }
            }
            p.soft { "A dot is a look, a square a change, a cross what failed." @if left_out > 0 { " " (counted_in(left_out, "effect")) " more in the table." } }
            ol { @for (call, (_, at)) in &calls { li { (harmless(call)) ", from " (seconds(*at)) } } }
        }
    }
}

fn lanes_of(effect: &SeenEffect) -> Vec<&str> {
    match effect.nodes.as_slice() {
        [] => vec![CONTROLLER],
        nodes => nodes.iter().map(String::as_str).collect(),
    }
}

/// Where each stands: by its time, and never on or before the one ahead of it.
fn places(effects: &[&SeenEffect]) -> Vec<usize> {
    let last = effects.iter().map(|effect| effect.at).max().unwrap_or_default().max(1);
    let mut least = LEFT + STEP;
    let place = |effect: &&SeenEffect| {
        let by_time = i128::from(effect.at.max(0)) * i128::from(WIDE) / i128::from(last);
        let x = least.max(LEFT + STEP + usize::try_from(by_time).unwrap_or_default());
        least = x + STEP;
        x
    };
    effects.iter().map(place).collect()
}

fn mark(effect: &SeenEffect, x: usize, y: usize) -> Markup {
    html! {
        @if !effect.fault.is_empty() {
            path.fault d={ "M" (x - 5) " " (y - 5) "L" (x + 5) " " (y + 5) "M" (x - 5) " " (y + 5) "L" (x + 5) " " (y - 5) } {}
        } @else if effect.is_change {
            rect.change x=(x - 5) y=(y - 5) width="10" height="10" {}
        } @else {
            circle.look cx=(x) cy=(y) r="4" {}
        }
    }
}

fn told(effect: &SeenEffect) -> String {
    let SeenEffect { call, effect, at, fault, .. } = effect;
    let fault = if fault.is_empty() { String::new() } else { format!(": {}", harmless(fault)) };
    format!("{}, {}: {}{fault}", seconds(*at), harmless(call), harmless(effect))
}

fn seconds(milliseconds: i64) -> String {
    format!("{}.{} s", milliseconds / 1_000, milliseconds.unsigned_abs() % 1_000 / 100)
}
