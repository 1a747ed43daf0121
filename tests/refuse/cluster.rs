//! A cluster that is not fit for a run: preflight says so, and leaves it as it is.

use super::*;

#[test]
fn a_pair_that_is_not_one_active_and_one_standby_with_right_clocks_is_refused() {
    let Some(practice) = local() else { return };
    for (switch, says) in [
        (Switch::StandbyDown, &["HAAllResOK of master2 is NULL", "as master2 sees it"][..]),
        (Switch::TwoActive, &["master1 and master2 are active at once, as master1 and master2 see it"]),
        (Switch::NoneActive, &["no node is active, as master1 and master2 see it"]),
        (Switch::ClockOff, &["clock", "master2", "25 s", "NTP"]),
    ] {
        practice.set(switch);
        practice.refuses(&[], 4, says);
        practice.heal(switch);
        wait_normal(&practice);
    }
    practice.runs_well();
}

fn wait_normal(practice: &Practice) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(15);
    while !practice.lab.status().unwrap().iter().all(|node| node.all_normal == Some(true)) {
        assert!(std::time::Instant::now() < deadline, "the pair did not become normal again");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_node_that_is_unreachable_changed_its_key_or_has_no_room_is_refused() {
    let Some(practice) = ssh() else { return };
    for (switch, says) in [
        (Switch::HostKeyChanged, &["master2", "host key"][..]),
        (Switch::DiskFull, &["master2", "KiB free", "make room"]),
        (Switch::LinkDown, &["master2", "10.77.1.2"]),
    ] {
        practice.set(switch);
        practice.refuses(&[], 4, says);
        practice.heal(switch);
        wait_normal(&practice);
    }
    let host = "ssh = \"admin@10.77.1.2\"";
    practice.with("site.toml", host, "ssh = \"admin@10.77.1.77\"", || {
        drop(practice.refuses(&[], 4, &["master2", "10.77.1.77"]));
    });
    practice.with("site.toml", host, "ssh = \"nobody@10.77.1.2\"", || {
        drop(practice.refuses(&[], 4, &["master2", "nobody@10.77.1.2"]));
    });
    practice.runs_well();
}

#[test]
fn a_node_that_is_no_longer_a_node_of_the_site_is_not_touched() {
    let Some(practice) = local() else { return };
    let text = practice.read("site.toml");
    let begin = text.find("[nodes.master2]").unwrap();
    let end = begin + text[begin..].find("\n\n").unwrap() + 2;
    let master2 = text[begin..end].to_owned();
    practice.with("site.toml", &master2, "", || drop(practice.refuses(&[], 4, &["standby"])));
    // The site names a folder that is none.
    practice.with("site.toml", "local = \"nodes/master2\"", "local = \"nodes/nosuch\"", || {
        drop(practice.refuses(&[], 4, &["master2", "nodes/nosuch"]));
    });
    practice.is_free();
}
