//! What the ground of a run looks at: places, roles, clocks. The same for a run and for a plan.

use super::ground::{GroundError, GroundErrorKind};
use crate::backend::{Look, unfit};
use crate::model::{Fault, Health, NodeName, Roles, code};
use crate::transport::TransportError;
use futures::future::{join_all, try_join_all};

/// Clocks this far apart, in milliseconds, are what the product itself raises an alarm for.
pub(super) const CLOCKS_APART: i64 = 20_000;

/// Asks every manager, side by side, where the profile's files lie: every file must have its place on every
/// manager that is not `dead` before anything is asked of one, or a variable that is not set would be found
/// halfway.
pub(super) async fn places(look: Look<'_>, dead: &[NodeName]) -> Result<(), GroundError> {
    let living = look.managers().into_iter().filter(|manager| !dead.contains(manager));
    let asking = living.map(|manager| async move {
        let fault = match look.context(manager).await {
            Err(fault) => Some(fault),
            Ok(context) => unfit(look.transports, look.site, manager, &context).await,
        };
        fault.map(|fault| (manager, fault))
    });
    match join_all(asking).await.into_iter().flatten().next() {
        None => Ok(()),
        Some((manager, fault)) => {
            let hint = match fault.hint.as_str() {
                "" => super::lease::out_of_reach(manager),
                hint => hint.to_string(),
            };
            Err(GroundError::new(ground_kind(&fault), fault.message).hint(hint))
        }
    }
}

pub(super) async fn roles_now(look: Look<'_>) -> Result<Option<Roles>, GroundError> {
    if look.site.profile.health.is_none() {
        return Ok(None);
    }
    let rows = look.health().await.map_err(health_error)?;
    roles_of(&rows).map(Some)
}

/// A pair in an order that is the same each time, where nobody can say who is active; else why it is `unclear`.
pub(super) async fn pair_in_order(
    look: Look<'_>,
    unclear: GroundError,
) -> Result<(Roles, String), GroundError> {
    // A manager out of reach is a row that says so; the lease was taken on both before.
    let rows = look.health().await.map_err(health_error)?;
    ordered(&look.managers(), &rows).ok_or(unclear)
}

pub(super) async fn clocks_apart(look: Look<'_>, nodes: &[NodeName]) -> Result<Option<String>, GroundError> {
    for (node, offset) in nodes.iter().zip(offsets(look, nodes).await?) {
        if offset.abs() >= CLOCKS_APART {
            return Ok(Some(apart(node, offset)));
        }
    }
    Ok(None)
}

/// What is said of a clock that is off by so many milliseconds.
pub(super) fn apart(node: &NodeName, offset: i64) -> String {
    let seconds = offset as f64 / 1000.0;
    format!("the clock of {node} is {seconds:+.1} s off the controller's; the product wants less than 20 s")
}

pub(super) async fn reached(look: Look<'_>, nodes: &[NodeName]) -> Result<(), GroundError> {
    offsets(look, nodes).await.map(drop)
}

async fn offsets(look: Look<'_>, nodes: &[NodeName]) -> Result<Vec<i64>, GroundError> {
    let user = &look.site.profile.service_user;
    try_join_all(nodes.iter().map(|node| look.transports.clock_offset(node, user))).await.map_err(unreachable)
}

pub(super) fn may_switch_roles(look: Look<'_>, command: &str) -> bool {
    look.site
        .profile
        .commands
        .iter()
        .any(|(name, declared)| name.as_str() == command && declared.consequences.may_switch_roles)
}

fn unreachable(error: TransportError) -> GroundError {
    GroundError::new(GroundErrorKind::Unreachable, error.to_string())
        .hint("windlass site check --connect tries each node on its own")
}

fn ground_kind(fault: &Fault) -> GroundErrorKind {
    match fault.code.as_str() {
        code::UNREACHABLE => GroundErrorKind::Unreachable,
        code::INVALID => GroundErrorKind::Invalid,
        _ => GroundErrorKind::Health,
    }
}

fn health_error(fault: Fault) -> GroundError {
    GroundError { kind: ground_kind(&fault), message: fault.message, hint: fault.hint }
}

/// The pair as each manager describes itself: exactly one active and one standby.
pub(super) fn roles_of(rows: &[Health]) -> Result<Roles, GroundError> {
    if let Some(away) = rows.iter().find(|row| row.state == "unreachable") {
        return Err(GroundError::new(
            GroundErrorKind::Unreachable,
            format!("{} does not say how it is: {}", away.reporter, away.phase),
        )
        .hint("windlass site check --connect tries each node on its own"));
    }
    let of_itself = |role: &str| -> Vec<&NodeName> {
        rows.iter()
            .filter(|row| row.node == row.reporter.as_str() && row.role == role)
            .map(|row| &row.reporter)
            .collect()
    };
    match (of_itself("active").as_slice(), of_itself("standby").as_slice()) {
        ([first], [second]) => Ok(Roles { first: (*first).clone(), second: (*second).clone() }),
        (active, standby) => {
            let said: Vec<_> = rows
                .iter()
                .filter(|row| row.node == row.reporter.as_str())
                .map(|row| format!("{} says it is {}", row.reporter, row.role))
                .collect();
            let said = if said.is_empty() {
                "no manager's table has a row for itself (is `alias` right under its node in site.toml?)"
                    .to_string()
            } else {
                said.join(", ")
            };
            Err(GroundError::new(
                GroundErrorKind::Health,
                format!("a pair of one active and one standby is needed; there are {} active and {} standby: {said}", active.len(), standby.len()),
            )
            .hint("bring the pair to one active and one standby, then run this again"))
        }
    }
}

/// A pair in an order that is the same each time: the one that is, or may be, active goes first, then the name
/// decides. None: there are not two managers.
pub(super) fn ordered(managers: &[&NodeName], rows: &[Health]) -> Option<(Roles, String)> {
    let [one, other] = managers else { return None };
    let of_itself = |node: &NodeName| {
        rows.iter()
            .find(|row| row.reporter == *node && row.node == node.as_str() && row.state != "unreachable")
            .map_or("null", |row| row.role.as_str())
    };
    let said = |node: &NodeName| match of_itself(node) {
        "null" => format!("{node} does not say what it is"),
        role => format!("{node} says it is {role}"),
    };
    let rank = |node: &NodeName| match of_itself(node) {
        "active" => 0,
        "standby" => 2,
        _ => 1,
    };
    let mut pair = [*one, *other];
    pair.sort_by_key(|node| (rank(node), (*node).clone()));
    let [first, second] = pair;
    let why = match (rank(first), rank(second)) {
        (same, other) if same == other => "its name comes first".to_owned(),
        (0, _) => "it alone says that it is active".to_owned(),
        _ => format!("{second} is standby, so it may be active"),
    };
    let how = format!("{} and {}; {first} is first because {why}", said(one), said(other));
    Some((Roles { first: first.clone(), second: second.clone() }, how))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(reporter: &str, about: &str, role: &str) -> Health {
        Health {
            reporter: NodeName::new(reporter).unwrap(),
            node: about.into(),
            role: role.into(),
            state: "normal".into(),
            phase: String::new(),
        }
    }

    #[test]
    fn roles_are_what_each_manager_says_of_itself() {
        // Each side's view of the other is not asked: a split pair is full of opinions.
        let rows = [
            row("a", "a", "standby"),
            row("a", "b", "null"),
            row("b", "b", "active"),
            row("b", "a", "active"),
        ];
        let roles = roles_of(&rows).unwrap();
        assert_eq!((roles.first.as_str(), roles.second.as_str()), ("b", "a"));
    }

    #[test]
    fn a_pair_is_ordered_in_one_way_whatever_the_two_say_and_in_whichever_order_they_are_asked() {
        let (a, b) = (NodeName::new("a").unwrap(), NodeName::new("b").unwrap());
        let may_be_active = |role: &str| role != "standby";
        let roles = ["active", "standby", "null"];
        for (of_a, of_b) in roles.iter().flat_map(|of_a| roles.iter().map(move |of_b| (*of_a, *of_b))) {
            let rows =
                [row("a", "a", of_a), row("b", "b", of_b), row("a", "b", "active"), row("b", "a", "active")];
            let (bound, how) = ordered(&[&a, &b], &rows).unwrap();
            assert_eq!(ordered(&[&b, &a], &rows).unwrap().0, bound);
            // b is first only where it has more of a claim to be active.
            let b_claims_more =
                (of_b == "active" && of_a != "active") || (may_be_active(of_b) && of_a == "standby");
            assert_eq!(bound.first == b, b_claims_more, "{of_a} {of_b}: {how}");
            assert!(how.contains(&format!("{} is first because", bound.first)), "{how}");
        }
        let mut away = row("b", "b", "null");
        away.state = "unreachable".into();
        let (bound, how) = ordered(&[&a, &b], &[row("a", "a", "standby"), away]).unwrap();
        assert_eq!((bound.first, how.contains("b does not say what it is")), (b, true));
        assert_eq!(ordered(&[&a], &[]), None);
    }

    #[test]
    fn two_actives_none_and_strangers_are_refused_with_what_was_said() {
        for (rows, words) in [
            (vec![row("a", "a", "active"), row("b", "b", "active")], "2 active"),
            (vec![row("a", "a", "standby"), row("b", "b", "standby")], "0 active"),
            (vec![row("a", "", "active")], "alias"),
        ] {
            let error = roles_of(&rows).unwrap_err();
            assert!(error.message.contains(words), "{}", error.message);
            assert_eq!(error.kind, GroundErrorKind::Health);
        }
    }
}
