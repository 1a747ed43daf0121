//! Scripts of the product that do not do as they say: the run stands, says why and how to go on, and does
//! go on when they are healed.

use super::*;
use windlass::lab::Double;

/// Lets the commands of the product end sooner than its own profile does.
fn hurry(practice: &Practice, timeout: &str) {
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/src/site/profiles/mrs-2.toml");
    let bundled: toml::Table = std::fs::read_to_string(bundled).unwrap().parse().unwrap();
    let mut commands = toml::Table::new();
    for name in ["replace-ha-cert", "restart-ha"] {
        let mut command = bundled["commands"][name].as_table().unwrap().clone();
        command.insert("timeout".into(), timeout.into());
        command.insert("override".into(), true.into());
        commands.insert(name.into(), command.into());
    }
    let mut profile = toml::Table::new();
    profile.insert("extends".into(), "mrs-2".into());
    profile.insert("commands".into(), commands.into());
    practice.write("profiles/hurried.toml", toml::to_string(&profile).unwrap());
    let site = practice.read("site.toml").replace("profile = \"practice\"", "profile = \"hurried\"");
    practice.write("site.toml", site);
}

/// The run stands with exit 5, names the command and the reason, prints how to go on, and goes on once healed.
fn check(switch: Switch, double: Double, says: &[&str]) {
    let Some(practice) = local() else { return };
    hurry(&practice, "8s");
    practice.lab.break_with(switch, None, false, &[double]).unwrap();
    // The algorithm is not the subject here, and this one takes no time.
    let said = practice.run(&["-p", "patience=3", "-p", "algorithm=ecdsa-p256"]);
    said.check(5, &["paused", "master1", "windlass resume ha-cert-", "windlass rollback ha-cert-"]);
    said.check(5, says);
    practice.windlass(&["runs", "list"]).check(0, &["paused"]);
    practice.heal(switch);
    practice.windlass(&["resume"]).check(0, &["done and verified"]);
}

macro_rules! switches {
    ($($name:ident: $switch:ident $double:ident, $($says:literal),+;)+) => {
        $(#[test]
        fn $name() {
            check(Switch::$switch, Double::$double, &[$($says),+]);
        })+
    };
}

switches! {
    success_text_of_the_replacement_without_a_new_certificate_pauses_and_is_done_anew:
        LyingSuccess ReplaceHaSslCert, "replace-ha-cert", "without its effect";
    success_text_of_the_restart_without_a_restart_pauses_and_is_done_anew:
        LyingSuccess RestartOms, "restart@first";
    a_wrong_exit_of_the_replacement_pauses_and_is_done_anew:
        WrongExit ReplaceHaSslCert, "replace-ha-cert", "3";
    a_wrong_exit_of_the_restart_pauses_and_is_done_anew:
        WrongExit RestartOms, "restart-ha", "3";
    a_missing_prompt_pauses_and_the_script_is_run_anew:
        PromptMissing ReplaceHaSslCert, "replace-ha-cert", "Please input ha ssl cert password:";
    another_prompt_is_never_given_the_password:
        PromptDifferent ReplaceHaSslCert, "replace-ha-cert", "Please input ha ssl cert password:";
    a_replacement_that_hangs_is_given_up_in_its_time:
        Hang ReplaceHaSslCert, "replace-ha-cert", "8s";
    a_restart_that_hangs_is_given_up_in_its_time:
        Hang RestartOms, "restart-ha", "8s";
}

#[test]
fn what_was_done_before_a_lie_is_taken_back_on_request() {
    let Some(practice) = local() else { return };
    let before = practice.nodes();
    practice.set(Switch::LyingSuccess);
    practice.run(&[]).check(5, &["windlass rollback"]);
    practice.windlass(&["rollback"]).check(1, &["rolled back", "as it was"]);
    for node in MANAGERS {
        for file in ["root-ca.crt", "root-ca.pem", "server.crt", "server.pem", ".ha_pass"] {
            let path = practice.cert_ha(node).join(file);
            assert_eq!(before.content(&path), std::fs::read(&path).unwrap(), "{path} is not what it was");
        }
    }
    practice.heal(Switch::LyingSuccess);
    practice.runs_well();
}

#[test]
fn slow_scripts_are_waited_for() {
    let Some(practice) = local() else { return };
    practice.set(Switch::Slow);
    practice.runs_well();
}

#[test]
fn the_active_node_is_the_first_whichever_it_is() {
    let Some(practice) = local() else { return };
    practice.set(Switch::RolesSwitched);
    let said = practice.run(&[]);
    said.check(0, &["first (active) is master2", "second (standby) is master1", "done and verified"]);
}

#[test]
fn a_restart_that_moves_the_role_still_ends_with_both_nodes_on_one_root() {
    let Some(practice) = local() else { return };
    practice.set(Switch::RoleMoves);
    practice.runs_well();
    let root = |node| std::fs::read(practice.cert_ha(node).join("root-ca.crt")).unwrap();
    assert_eq!(root("master1"), root("master2"));
}
