use super::*;

fn shells() -> Vec<Fixture> {
    [Some(Fixture::local()), Fixture::busybox()].into_iter().flatten().collect()
}

#[tokio::test]
async fn the_clock_of_this_machine_is_not_off_and_a_wrong_one_is() {
    for fixture in shells() {
        let offset = fixture.transports().clock_offset(&n1(), "omm").await.unwrap();
        assert!(offset.abs() < 2_000, "{offset}");
    }
    let fixture = Fixture::local();
    let bin = fixture.node().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let date = bin.join("date");
    std::fs::write(&date, "#!/bin/sh\nexec /bin/date -d '-25 seconds' \"$@\"\n").unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&date, std::fs::Permissions::from_mode(0o755)).unwrap();
    fixture.login_env(&format!("{bin}:/usr/bin:/bin"), "");
    let offset = fixture.transports().clock_offset(&n1(), "omm").await.unwrap();
    assert!((-27_000..-23_000).contains(&offset), "{offset}");
}

#[tokio::test]
async fn a_login_environment_is_read_exactly_and_unset_is_left_out() {
    for fixture in shells() {
        fixture.login_env(
            &std::fs::read_to_string(fixture.node().join("login-env")).unwrap().lines().nth(1).unwrap()[5..],
            "ODD=a='b' \"c\" $(id) \\n *\nEMPTY=\n",
        );
        let transports = fixture.transports();
        let names = ["BIGDATA_HOME", "UNSET", "EMPTY", "ODD"];
        let found = transports.login_env(&n1(), "omm", &names).await.unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        let odd = "a='b' \"c\" $(id) \\n *";
        assert_eq!(found, [("BIGDATA_HOME", "/opt/Big data"), ("EMPTY", ""), ("ODD", odd)]);
        let error = transports.login_env(&n1(), "omm", &["A;id"]).await.unwrap_err();
        assert!(error.to_string().contains("not the name of a variable"), "{error}");
    }
}
