//! The cluster's services need the cluster's key; the manager stops and starts them over HTTPS, on all nodes at
//! once, and says where it could not.

use super::*;

const SUCCEEDED: &str = "finished: Operation succeeded\n";
const SERVICES: &str = r#"sh "$BIGDATA_HOME/om-0.0.1/sbin/services.sh""#;

impl Fixture {
    /// What a verb of `services.sh` says on a node, and how it exits.
    fn verb(&self, node: &str, verb: &str) -> (i32, String) {
        let output = self.as_omm(node, &format!("{SERVICES} {verb}"), "");
        let said = text(&output) + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), said)
    }
}

fn every(names: &[&str], state: &str) -> String {
    names.iter().map(|name| format!("{name} DBService {state}\n")).collect()
}

fn the_manager_stops_and_starts(fixture: &Fixture) {
    let names = ["master1", "master2", "member1"];
    assert_eq!(fixture.services(), every(&names, "running"), "they run in a new cluster");
    assert_eq!(fixture.ask("GET", "operation", "").0, 404, "nothing was begun");
    let session = |node: &str| std::fs::read(fixture.product_home(node, "service/session.sealed")).unwrap();
    let before = session("member1");

    assert_eq!(fixture.operate("stop-cluster"), SUCCEEDED);
    assert_eq!(fixture.services(), every(&names, "stopped"));
    for node in names {
        assert_eq!(fixture.verb(node, "stopped"), (0, "DBService stopped\n".to_owned()));
        assert_eq!(fixture.verb(node, "started"), (1, "DBService stopped\n".to_owned()));
    }
    assert_eq!(fixture.operate("stop-cluster"), SUCCEEDED, "what is stopped is stopped");

    assert_eq!(fixture.operate("start-cluster"), SUCCEEDED);
    assert_eq!(fixture.services(), every(&names, "running"));
    assert_eq!(fixture.verb("member1", "started"), (0, "DBService running\n".to_owned()));
    assert_eq!(fixture.verb("member1", "stopped"), (1, "DBService running\n".to_owned()));
    let after = session("member1");
    assert_ne!(after, before, "a start seals a new secret");
    assert_eq!(after[..5], before[..5], "under the same key");
    fixture.check(
        "member1",
        r#"read -r pid rest < "$BIGDATA_HOME/.windlass-lab/db-service.pid"; ps -o user= -p $pid"#,
        "",
        if fixture.lab.transport() == Transport::Ssh { "omm\n" } else { "" },
    );
}

#[test]
fn the_manager_stops_and_starts_the_services_of_folders() {
    the_manager_stops_and_starts(&up(Transport::Local, 1));
}

#[test]
fn the_manager_stops_and_starts_the_services_of_nodes() {
    let Some(fixture) = ssh(1) else { return };
    the_manager_stops_and_starts(&fixture);
}

#[test]
fn services_of_3_x_lie_where_3_x_has_them() {
    let fixture = up_as(Product::Mrs3, Transport::Local, 0);
    assert_eq!(fixture.operate("stop-cluster"), SUCCEEDED);
    assert_eq!(fixture.verb("master2", "stopped"), (0, "DBService stopped\n".to_owned()));
    assert_eq!(fixture.operate("start-cluster"), SUCCEEDED);
}

#[test]
fn one_operation_is_under_way_at_a_time_and_the_same_one_is_joined() {
    let fixture = up(Transport::Local, 0);
    fixture.lab.break_with(Switch::Hang, Some("master2"), false, &[Double::Services]).unwrap();
    assert_eq!(fixture.ask("POST", "stop-cluster", ""), (202, "stop-cluster is under way\n".to_owned()));
    assert_eq!(fixture.ask("POST", "stop-cluster", "").0, 202);
    assert_eq!(fixture.ask("POST", "start-cluster", ""), (409, "stop-cluster is under way\n".to_owned()));
    assert_eq!(fixture.ask("GET", "operation", ""), (200, "running\n".to_owned()));
    wait("the stop of the other node", || fixture.verb("master1", "stopped").0 == 0);
    assert_eq!(fixture.verb("master2", "stopped").0, 1);
    fixture.heal(Switch::Hang);
    assert_eq!(fixture.operated(), SUCCEEDED);
    assert_eq!(fixture.operate("start-cluster"), SUCCEEDED);
}

#[test]
fn what_does_not_stop_is_named() {
    let fixture = up(Transport::Local, 1);
    assert_eq!(fixture.set(Switch::StuckService), ["master2"]);
    assert_eq!(fixture.verb("master2", "stop"), (1, "DBService: it does not stop\n".to_owned()));
    let failed = "finished: Operation failed\nmaster2 DBService running\n";
    assert_eq!(fixture.operate("stop-cluster"), failed);
    assert_eq!(
        fixture.services(),
        "master1 DBService stopped\nmaster2 DBService running\nmember1 DBService stopped\n"
    );
    fixture.heal(Switch::StuckService);
    assert_eq!(fixture.operate("stop-cluster"), SUCCEEDED);

    // A script that lies is believed by the manager, and not by the observation.
    assert_eq!(fixture.operate("start-cluster"), SUCCEEDED);
    fixture.lab.break_with(Switch::LyingSuccess, None, false, &[Double::Services]).unwrap();
    assert_eq!(fixture.operate("stop-cluster"), SUCCEEDED);
    assert_eq!(fixture.verb("master1", "stopped").0, 1);
}

#[test]
fn an_isolated_node_is_left_out() {
    let fixture = up(Transport::Local, 1);
    assert_eq!(fixture.ask("POST", "isolate-node", "member9").0, 404);
    assert_eq!(fixture.ask("POST", "isolate-node", "member1\n"), (200, "member1 is isolated\n".to_owned()));
    assert_eq!(fixture.operate("stop-cluster"), SUCCEEDED);
    assert!(fixture.services().ends_with("member1 DBService running\n"));
    assert_eq!(fixture.verb("member1", "stop").0, 0);
    assert_eq!(fixture.operate("start-cluster"), SUCCEEDED);
    assert!(fixture.services().ends_with("member1 DBService stopped\n"));
    assert_eq!(fixture.ask("POST", "join-node", "member1").0, 200);
    assert_eq!(fixture.operate("start-cluster"), SUCCEEDED);
    assert!(fixture.services().ends_with("member1 DBService running\n"));
    assert_eq!(fixture.ask("GET", "stop-cluster", "").0, 404);
}

#[test]
fn a_node_with_another_key_set_does_not_start_and_the_others_do() {
    let fixture = up(Transport::Local, 1);
    let other = up(Transport::Local, 0);
    let set = fixture.om("member1", "security/keyset.json");
    let right = std::fs::read(&set).unwrap();
    assert_eq!(fixture.operate("stop-cluster"), SUCCEEDED);
    std::fs::write(&set, std::fs::read(other.om("master1", "security/keyset.json")).unwrap()).unwrap();
    let failed = "finished: Operation failed\nmember1 DBService stopped\n";
    assert_eq!(fixture.operate("start-cluster"), failed);
    let (code, said) = fixture.verb("member1", "start");
    assert!(code == 1 && said.starts_with("DBService: open "), "{said}");
    assert!(said.contains("no key of the set opens it") && said.lines().count() == 1, "{said}");
    for (broken, why) in [("{}", "is no key set"), ("", "is no key set")] {
        std::fs::write(&set, broken).unwrap();
        let (code, said) = fixture.verb("member1", "start");
        assert!(code == 1 && said.contains(why), "{said}");
    }
    std::fs::write(&set, right).unwrap();
    assert_eq!(fixture.operate("start-cluster"), SUCCEEDED);
}

#[test]
fn a_node_that_cannot_be_reached_is_unknown_and_named_unless_it_is_isolated() {
    let Some(fixture) = ssh(1) else { return };
    fixture.lab.break_with(Switch::LinkDown, Some("member1"), false, &[]).unwrap();
    assert!(fixture.services().ends_with("member1 DBService unknown\n"));
    let failed = "finished: Operation failed\nmember1 DBService unknown\n";
    assert_eq!(fixture.operate("stop-cluster"), failed);
    assert_eq!(fixture.ask("POST", "isolate-node", "member1").0, 200);
    assert_eq!(fixture.operate("stop-cluster"), SUCCEEDED);
    fixture.heal(Switch::LinkDown);
    assert!(fixture.services().ends_with("member1 DBService running\n"), "nobody could have stopped it");

    // A node that loses its power comes up as it was, and starts nothing where it is isolated.
    for node in ["master2", "member1"] {
        fixture.lab.break_with(Switch::NodeDown, Some(node), false, &[]).unwrap();
    }
    assert_eq!(
        fixture.services(),
        "master1 DBService stopped\nmaster2 DBService unknown\nmember1 DBService unknown\n"
    );
    assert_eq!(fixture.operate("start-cluster"), "finished: Operation failed\nmaster2 DBService unknown\n");
    fixture.heal(Switch::NodeDown);
    assert_eq!(
        fixture.services(),
        "master1 DBService running\nmaster2 DBService stopped\nmember1 DBService stopped\n"
    );
    assert_eq!(fixture.ask("POST", "join-node", "member1").0, 200);
    assert_eq!(fixture.operate("start-cluster"), SUCCEEDED);

    fixture.set(Switch::NoneActive);
    assert_eq!(fixture.ask("GET", "services", "").0, 503);
    assert_eq!(fixture.ask("POST", "stop-cluster", "").0, 503);
    fixture.heal(Switch::NoneActive);
    assert_eq!(fixture.services(), every(&["master1", "master2", "member1"], "running"));
}
