//! The source page's steps by hand, with the doubles.

use super::coming_up::pair_comes_up_normal;
use super::*;

#[test]
fn a_pair_of_3_x_comes_up_normal_and_its_roots_are_made_behind_a_prompt() {
    for transport in [Transport::Local, Transport::Ssh] {
        if transport == Transport::Ssh && !nix::unistd::geteuid().is_root() {
            println!("skipped: a practice cluster over ssh needs root");
            continue;
        }
        let fixture = up_as(Product::Mrs3, transport, 0);
        pair_comes_up_normal(&fixture);
        replace_by_hand(&fixture);
        let refused = fixture.as_omm(
            "master1",
            r#"sh "$OMS_RUN_PATH/workspace/ha/module/hacom/script/gen-cert.sh" --root-ca --password=x"#,
            "",
        );
        assert_eq!(refused.status.code(), Some(1), "3.x takes no password as an argument");
    }
}

#[test]
fn after_a_restart_the_table_shows_null_for_as_long_as_the_switch_says() {
    let fixture = up(Transport::Local, 0);
    let set = fixture.lab.break_for(Switch::NullAfterRestart, Some("master1"), false, &[], 2).unwrap();
    assert_eq!(set, ["master1"]);
    fixture.check("master1", RESTART, "", RESTARTED);
    let started = Instant::now();
    let output = text(&fixture.as_omm("master1", STATUS, ""));
    assert_eq!(output.matches("NULL").count(), 10, "{output}");
    let status = &fixture.lab.status().unwrap()[0];
    assert_eq!((status.running, status.role), (true, None), "it runs, and shows nothing of itself");
    assert!(fixture.served_verifies("master1", "master1"), "the link does not wait for the table");
    fixture.wait_all_normal(true);
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

/// The source page, step by step.
fn replace_by_hand(fixture: &Fixture) {
    let old = std::fs::read(fixture.cert_ha("master1").join("root-ca.crt")).unwrap();
    fixture.generate_root("master1", PASSWORD);
    fixture.copy_root();
    let reply = format!("{PASSWORD}\n");

    let output = text(&fixture.as_omm("master1", REPLACE, &reply));
    assert_eq!(output, format!("{PROMPT}\n{REPLACED}\n"));
    assert_eq!(std::fs::read_to_string(fixture.cert_ha("master1").join(".ha_pass")).unwrap(), PASSWORD);
    fixture.check("master1", RESTART, "", RESTARTED);
    fixture.wait_all_normal(false);
    assert_eq!(fixture.lab.seen_by("master1", "master2"), None, "of a peer without a link nothing is known");
    assert_eq!(fixture.roles(), [Some(Role::Active), Some(Role::Standby)], "a lost link moves no role");

    fixture.check("master2", REPLACE, &reply, REPLACED);
    fixture.check("master2", RESTART, "", RESTARTED);
    fixture.wait_all_normal(true);
    for node in ["master1", "master2"] {
        let root = std::fs::read(fixture.cert_ha(node).join("root-ca.crt")).unwrap();
        assert_ne!(root, old);
        assert!(fixture.served_verifies(node, "master1"));
        assert_eq!(fixture.executions(node, Double::ReplaceHaSslCert), 1);
        assert_eq!(fixture.executions(node, Double::RestartOms), 1);
    }
    assert_eq!(fixture.page(), "200");
    key_opens_with(&fixture.cert_ha("master2").join("server.pem"), PASSWORD);
}

fn key_opens_with(key: &Utf8Path, password: &str) {
    let mut command = Command::new("openssl");
    command.args(["pkey", "-noout", "-passin", "stdin", "-in"]).arg(key);
    assert!(feed(&mut command, &format!("{password}\n")).status.success());
    assert!(!feed(&mut command, "another\n").status.success());
}

#[test]
fn replacing_by_hand_over_ssh_ends_with_a_new_root_on_both_and_normal() {
    let Some(fixture) = ssh(0) else { return };
    replace_by_hand(&fixture);
    // On a terminal the script asks too, and does not show what is typed.
    let output = feed(&mut fixture.ssh("master1", &["-tt"], REPLACE), &format!("{PASSWORD}\n"));
    let said = text(&output);
    assert!(output.status.success() && said.contains(PROMPT) && said.contains(REPLACED), "{said}");
}

#[test]
fn replacing_by_hand_in_folders_ends_with_a_new_root_on_both_and_normal() {
    replace_by_hand(&up(Transport::Local, 0));
}

#[test]
fn a_wrong_password_changes_nothing() {
    let fixture = up(Transport::Local, 0);
    let before = content(&fixture.cert_ha("master1"));
    for wrong in ["wrong\n", "\n", ""] {
        let output = fixture.as_omm("master1", REPLACE, wrong);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("[ERROR]"), "{output:?}");
    }
    assert_eq!(content(&fixture.cert_ha("master1")), before);
}
