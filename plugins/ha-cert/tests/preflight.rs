//! Preflight: every reason not to begin, all at once, with nothing changed.

use crate::pair::{Cluster, SECOND, Switch};

#[test]
fn each_reason_not_to_begin_is_a_preflight_fault_that_names_it() {
    for (switch, says) in [
        (Switch::StandbyDown, "master2 does not answer when asked for its health"),
        (Switch::SecondUnreachable, "master2 does not answer"),
        (Switch::TwoActive, "master1 and master2 are active at once, as master1 and master2 see it"),
        (Switch::NoneActive, "no node is active"),
        (Switch::RolesUnbound, "bound are none as first and none as second"),
        (Switch::RolesSwitched, "master2 is active, not master1, which was bound first"),
        (Switch::Abnormal, "HAAllResOK of master2 is abnormal (standby Deactived)"),
        (Switch::ClockOff, "the clock of master2 is 25 s behind this machine's"),
        (Switch::ClocksApart, "the clocks of master1 and master2 differ by 25 s"),
        (Switch::Full, "master2 has 4 KiB free where ha-root-cert lies"),
        (Switch::RootKeyMissing, "ha-root-key does not exist on master1"),
        (Switch::NotServing, "nothing answers at ha of master2"),
        (Switch::ManagerDown, "the manager's page answers 503"),
        (Switch::WeakPassword, "the password ha-key does not meet the policy: no digit, shorter than 8"),
        (Switch::NobodyToAsk, "the secret ha-key has no source"),
    ] {
        let cluster = Cluster::new(&[]).with(switch);
        let fault = cluster.plan().expect_err(&format!("{switch:?}"));
        assert_eq!(fault.code, "preflight", "{switch:?}");
        assert!(fault.message.contains(says), "{switch:?}: {fault:?}");
        assert!(changes(&cluster).is_empty(), "{switch:?}: {:?}", changes(&cluster));
    }
}

#[test]
fn all_problems_are_reported_at_once_with_what_to_do_about_each() {
    let cluster = Cluster::new(&[]).with(Switch::Full).with(Switch::WeakPassword).with(Switch::ClockOff);
    let fault = cluster.plan().unwrap_err();
    assert!(fault.message.starts_with("4 problems: (1) master2 has 4 KiB free"), "{fault:?}");
    assert!(
        fault.message.contains("(2) the clock of master2") && fault.message.contains("(3) the clocks of")
    );
    assert!(fault.message.contains("(4) the password"), "{fault:?}");
    assert!(fault.hint.contains("(1) make room") && fault.hint.contains("(4) choose another"), "{fault:?}");
}

#[test]
fn a_node_out_of_reach_is_not_reported_once_for_every_look_at_it() {
    let fault = Cluster::new(&[]).with(Switch::SecondUnreachable).plan().unwrap_err();
    assert!(fault.message.starts_with("2 problems: "), "{fault:?}");
}

#[test]
fn a_missing_certificate_is_named_with_its_node() {
    let cluster = Cluster::new(&[]);
    cluster.change().nodes.get_mut(SECOND).unwrap().files.remove("ha-leaf-cert");
    let fault = cluster.plan().unwrap_err();
    assert!(fault.message.contains("ha-leaf-cert does not exist on master2"), "{fault:?}");
}

#[test]
fn a_file_that_is_no_certificate_is_named_with_its_node() {
    let cluster = Cluster::new(&[]);
    cluster.change().nodes.get_mut(SECOND).unwrap().files.insert("ha-root-cert".into(), "garbage".into());
    let fault = cluster.plan().unwrap_err();
    assert_eq!(fault.message, "ha-root-cert on master2: not a certificate");
}

#[test]
fn a_site_without_a_manager_is_noted_and_no_problem() {
    let cluster = Cluster::new(&[]).with(Switch::NoManager);
    assert_eq!(cluster.plan().unwrap().len(), 8);
    assert!(cluster.effects().contains("names no manager's page"));
}

#[test]
fn a_denial_is_passed_on_as_it_is() {
    let fault = Cluster::new(&[]).with(Switch::Denied).plan().unwrap_err();
    assert_eq!((fault.code.as_str(), fault.hint.as_str()), ("denied", "general = [\"nodes\"]"));
}

#[test]
fn a_refused_supplied_ca_ends_it() {
    let fault = Cluster::new(&[("ca", "supplied")]).with(Switch::SuppliedRefused).plan().unwrap_err();
    assert_eq!((fault.code.as_str(), fault.message.as_str()), ("preflight", "the supplied CA expired"));
}

#[test]
fn a_supplied_root_that_is_already_served_leaves_nothing_to_do() {
    let cluster = Cluster::new(&[("ca", "supplied")]);
    cluster.change().supplied = "root 1".into();
    assert!(cluster.plan().unwrap().is_empty());
    assert!(cluster.effects().contains("Nothing to do"));
}

#[test]
fn a_supplied_root_that_is_on_disk_but_not_served_is_worked_on() {
    let cluster = Cluster::new(&[("ca", "supplied")]);
    cluster.change().supplied = "root 1".into();
    let newer = "leaf 9 of 1".to_owned();
    cluster.change().nodes.get_mut(SECOND).unwrap().files.insert("ha-leaf-cert".into(), newer);
    assert_eq!(cluster.plan().unwrap().len(), 8);
    assert!(cluster.effects().contains("it was replaced earlier and the service not restarted"));
}

#[test]
fn host_leaves_need_a_profile_that_says_how_the_service_learns_the_password() {
    let fault = Cluster::new(&[("leaf", "host")]).with(Switch::NoKeyPassword).plan().unwrap_err();
    assert!(fault.message.contains("declares no file ha-key-password"), "{fault:?}");
}

#[test]
fn parameters_that_are_wrong_are_named_together_before_anything_is_asked() {
    let cluster = Cluster::new(&[
        ("ca", "mine"),
        ("country", "de"),
        ("ca_days", "0"),
        ("patience", "soon"),
        ("strategy", "x"),
    ]);
    let fault = cluster.plan().unwrap_err();
    assert_eq!(fault.code, "invalid");
    for says in [
        "strategy is \"x\"",
        "ca is \"mine\"",
        "country is \"de\"",
        "ca_days is \"0\"",
        "patience is \"soon\"",
    ] {
        assert!(fault.message.contains(says), "{says}: {fault:?}");
    }
    assert!(fault.hint.contains("choose one of: host, product, supplied"), "{fault:?}");
    assert_eq!(cluster.effects(), "");
}

#[test]
fn parameters_that_do_not_go_together_are_refused() {
    for (parameters, says) in [
        (&[("common_name", "")][..], "common_name is needed with ca = \"host\""),
        (&[("ca", "product")], "country is needed with ca = \"product\""),
        (&[("ca", "product"), ("leaf", "host")], "Windlass cannot issue the leaves"),
        (&[("leaf", "host"), ("ca_days", "30")], "leaves of 825 days would outlive their root of 30 days"),
    ] {
        let fault = Cluster::new(parameters).plan().unwrap_err();
        assert!(fault.is("invalid") && fault.message.contains(says), "{fault:?}");
    }
}

fn changes(cluster: &Cluster) -> Vec<String> {
    let changing = ["run", "stage", "swap", "restore", "discard"];
    let effects = &cluster.look().effects;
    effects
        .iter()
        .filter(|effect| changing.contains(&effect.split(' ').next().unwrap_or("")))
        .cloned()
        .collect()
}
