//! The switches that break a practice cluster do what they say.

use super::*;

#[test]
fn switches_of_the_scripts_do_what_they_say() {
    let fixture = up(Transport::Local, 0);
    let reply = format!("{PASSWORD}\n");
    fixture.generate_root("master1", PASSWORD);

    assert_eq!(fixture.set(Switch::LyingSuccess), ["master1", "master2"]);
    let before = content(&fixture.cert_ha("master1"));
    fixture.check("master1", REPLACE, &reply, REPLACED);
    fixture.check("master1", RESTART, "", RESTARTED);
    assert_eq!(content(&fixture.cert_ha("master1")), before, "success text without effect");
    assert!(!fixture.served_verifies("master1", "master1"), "it still shows the old leaf");
    fixture.heal(Switch::LyingSuccess);

    fixture.set(Switch::PromptMissing);
    assert_eq!(text(&fixture.as_omm("master1", REPLACE, &reply)), format!("\n{REPLACED}\n"));
    fixture.heal(Switch::PromptMissing);
    assert_ne!(content(&fixture.cert_ha("master1")), before);

    fixture.set(Switch::PromptDifferent);
    let output = text(&fixture.as_omm("master1", REPLACE, &reply));
    assert!(!output.contains(PROMPT) && output.contains("pass phrase"), "{output}");
    fixture.heal(Switch::PromptDifferent);

    // Only in the script that is named.
    fixture.lab.break_with(Switch::WrongExit, Some("master1"), false, &[Double::ReplaceHaSslCert]).unwrap();
    let output = fixture.as_omm("master1", REPLACE, &reply);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output).contains(REPLACED));
    fixture.check("master1", RESTART, "", RESTARTED);
    fixture.heal(Switch::WrongExit);

    fixture.set(Switch::Slow);
    let started = Instant::now();
    fixture.check("master1", REPLACE, &reply, REPLACED);
    assert!(started.elapsed() >= Duration::from_secs(2));
    fixture.heal(Switch::Slow);

    fixture.set(Switch::Hang);
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| fixture.as_omm("master1", REPLACE, &reply));
        std::thread::sleep(Duration::from_millis(1500));
        assert!(!hanging.is_finished());
        fixture.heal(Switch::Hang);
        assert!(hanging.join().unwrap().status.success());
    });
    assert!(fixture.lab.status().unwrap().iter().all(|node| node.switches.is_empty()));
}

#[test]
fn switches_of_the_roles_do_what_they_say() {
    use Role::{Active, Standby};
    let fixture = up(Transport::Local, 0);
    fixture.set(Switch::RolesSwitched);
    assert_eq!(fixture.roles(), [Some(Standby), Some(Active)]);
    fixture.heal(Switch::RolesSwitched);
    assert_eq!(fixture.roles(), [Some(Active), Some(Standby)]);

    fixture.set(Switch::TwoActive);
    assert_eq!(fixture.roles(), [Some(Active), Some(Active)]);
    fixture.heal(Switch::TwoActive);
    fixture.set(Switch::NoneActive);
    assert_eq!(fixture.roles(), [Some(Standby), Some(Standby)]);
    assert_eq!(fixture.page(), "503");
    fixture.heal(Switch::NoneActive);
    assert_eq!(fixture.roles(), [Some(Active), Some(Standby)]);

    fixture.check("master1", RESTART, "", RESTARTED);
    assert_eq!(fixture.roles(), [Some(Active), Some(Standby)], "a restart does not move the role by itself");
    fixture.set(Switch::RoleMoves);
    fixture.check("master2", RESTART, "", RESTARTED);
    assert_eq!(fixture.roles(), [Some(Active), Some(Standby)], "the standby has none to give");
    fixture.check("master1", RESTART, "", RESTARTED);
    wait("the hand-over", || fixture.roles() == [Some(Standby), Some(Active)]);
    fixture.heal(Switch::RoleMoves);

    // The standby is master1 by now.
    assert_eq!(fixture.set(Switch::StandbyDown), ["master1"]);
    assert_eq!(fixture.roles(), [None, Some(Active)]);
    let output = text(&fixture.as_omm("master1", STATUS, ""));
    assert_eq!(output.matches("NULL").count(), 10, "{output}");
    wait("the loss of the link", || fixture.lab.seen_by("master2", "master1").is_none());
    assert_eq!(fixture.as_omm("master1", RESTART, "").status.code(), Some(1));
    fixture.heal(Switch::StandbyDown);
    fixture.wait_all_normal(true);
    assert_eq!(fixture.roles(), [Some(Standby), Some(Active)]);
}

#[test]
fn the_role_moves_at_a_restart_also_while_the_link_is_lost() {
    let fixture = up(Transport::Local, 0);
    fixture.generate_root("master2", PASSWORD);
    fixture.check("master2", REPLACE, &format!("{PASSWORD}\n"), REPLACED);
    fixture.check("master2", RESTART, "", RESTARTED);
    fixture.wait_all_normal(false);
    fixture.set(Switch::RoleMoves);
    fixture.check("master1", RESTART, "", RESTARTED);
    wait("the hand-over", || fixture.roles() == [Some(Role::Standby), Some(Role::Active)]);
}

#[test]
fn a_clock_that_is_off_is_off_for_the_service_user() {
    let fixture = up(Transport::Local, 0);
    let ahead = || {
        let output = text(&fixture.as_omm("master2", "date +%s%N", ""));
        let there: i128 = output.trim().parse().unwrap();
        let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        (there - here.as_nanos() as i128) / 1_000_000_000
    };
    assert_eq!(ahead(), 0);
    assert_eq!(fixture.set(Switch::ClockOff), ["master2"]);
    assert!((24..=25).contains(&ahead()), "{}", ahead());
    fixture.heal(Switch::ClockOff);
    assert_eq!(ahead(), 0);
}

#[test]
fn switches_that_need_nodes_of_their_own_do_what_they_say() {
    let Some(fixture) = ssh(0) else { return };
    // A node that loses its power keeps what is on its disk, and no process; its services start with it.
    fixture.check(
        "master2",
        "echo kept > ~/kept; (setsid sleep 1000 </dev/null >/dev/null 2>&1 &) ; cat ~/kept",
        "",
        "kept",
    );
    fixture.lab.break_with(Switch::NodeDown, Some("master2"), false, &[]).unwrap();
    let soon = &["-o", "ConnectTimeout=2"];
    assert_eq!(feed(&mut fixture.ssh("master2", soon, "true"), "").status.code(), Some(255));
    wait("the loss of the node", || fixture.lab.seen_by("master1", "master2").is_none());
    fixture.heal(Switch::NodeDown);
    fixture.check("master2", "cat ~/kept; pgrep -x sleep || echo none", "", "kept\nnone");
    fixture.wait_all_normal(true);

    // A full disk: the script fails, and what was there is whole.
    fixture.generate_root("master2", PASSWORD);
    let before = content(&fixture.cert_ha("master2"));
    assert_eq!(fixture.set(Switch::DiskFull), ["master2"]);
    let output = fixture.as_omm("master2", REPLACE, &format!("{PASSWORD}\n"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let served = |all: Vec<(String, Vec<u8>)>| -> Vec<_> {
        all.into_iter()
            .filter(|(name, _)| ["server.crt", "server.pem", ".ha_pass"].contains(&name.as_str()))
            .collect()
    };
    assert_eq!(served(content(&fixture.cert_ha("master2"))), served(before));
    fixture.heal(Switch::DiskFull);
    fixture.check("master2", REPLACE, &format!("{PASSWORD}\n"), REPLACED);

    // Another host key: ssh refuses, and the known one is taken again.
    assert_eq!(fixture.set(Switch::HostKeyChanged), ["master2"]);
    let output = fixture.as_omm("master2", "true", "");
    assert_eq!(output.status.code(), Some(255));
    assert!(String::from_utf8_lossy(&output.stderr).contains("IDENTIFICATION HAS CHANGED"), "{output:?}");
    fixture.heal(Switch::HostKeyChanged);
    fixture.check("master2", "echo in", "", "in");

    // A node whose link is down: the peer sees nothing of it, and the page is gone with the active.
    fixture.lab.break_with(Switch::LinkDown, Some("master1"), false, &[]).unwrap();
    wait("the loss of the link", || fixture.lab.seen_by("master2", "master1").is_none());
    assert_eq!(fixture.page(), "503");
    assert_eq!(fixture.roles(), [Some(Role::Active), Some(Role::Standby)]);
    fixture.heal(Switch::LinkDown);
    fixture.wait_all_normal(true);
    wait("the page", || fixture.page() == "200");

    // A service that was stopped starts again as the service user.
    assert_eq!(fixture.set(Switch::StandbyDown), ["master2"]);
    assert_eq!(fixture.roles(), [Some(Role::Active), None]);
    fixture.heal(Switch::StandbyDown);
    fixture.check("master2", "ps -o user= -C windlass-lab", "", "omm");
}

#[test]
fn a_switch_that_makes_no_sense_is_refused_and_says_why() {
    let fixture = up(Transport::Local, 1);
    let refused = |switch, node, scripts: &[Double]| {
        fixture.lab.break_with(switch, node, false, scripts).unwrap_err().to_string()
    };
    assert!(refused(Switch::DiskFull, None, &[]).contains("no filesystem of its own"));
    assert!(refused(Switch::Hang, Some("master9"), &[]).contains("master1, master2, member1"));
    assert!(refused(Switch::Hang, Some("member1"), &[]).contains("no manager"));
    assert!(refused(Switch::TwoActive, Some("master1"), &[]).contains("leave --node out"));
    assert!(refused(Switch::PromptMissing, None, &[Double::RestartOms]).contains("does not look"));
}
