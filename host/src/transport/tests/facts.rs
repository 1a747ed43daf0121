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

/// What a node with systemd-logind says; `cat` is what the session's scope is read by.
fn with_logind(fixture: &Fixture, scope: &str, kill: &str, exclude: &str, only: &str) {
    // Not among busybox's: its programs are links to it.
    let bin = fixture.node().join("logind");
    std::fs::create_dir_all(&bin).unwrap();
    let program = |name: &str, text: String| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(bin.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("cat", format!("echo 0::{scope}"));
    program("id", "[ \"$2\" = 1000 ] && echo admin".into());
    program(
        "busctl",
        format!(
            "case $5 in KillUserProcesses) echo 'b {kill}' ;; KillExcludeUsers) echo 'as {exclude}' ;; \
             KillOnlyUsers) echo 'as {only}' ;; *) exit 1 ;; esac"
        ),
    );
    let path = std::fs::read_to_string(fixture.node().join("login-env")).unwrap();
    let path = path.lines().find_map(|line| line.strip_prefix("PATH=")).unwrap().to_owned();
    let path = path.strip_prefix(&format!("{bin}:")).unwrap_or(&path);
    fixture.login_env(&format!("{bin}:{path}"), "");
}

#[tokio::test]
async fn a_node_that_ends_jobs_with_their_connection_is_found_by_what_its_logind_says() {
    const SESSION: &str = "/user.slice/user-1000.slice/session-7.scope";
    const SERVICE: &str = "/system.slice/ssh.service";
    for fixture in shells() {
        for (scope, kill, exclude, only, ends) in [
            (SESSION, "true", "1 \"root\"", "0", true),
            (SESSION, "true", "0", "1 \"admin\"", true),
            (SESSION, "true", "2 \"root\" \"admin\"", "0", false),
            (SESSION, "true", "0", "1 \"other\"", false),
            (SESSION, "false", "0", "0", false),
            (SERVICE, "true", "0", "0", false),
        ] {
            with_logind(&fixture, scope, kill, exclude, only);
            let whose = fixture.transports().ends_jobs_of(&n1(), "omm").await.unwrap();
            let expected = ends.then(|| "admin".to_owned());
            assert_eq!(whose, expected, "{scope}, {kill}, {exclude}, {only}");
        }
    }
    // This machine's own answer, whatever it is, is one.
    Fixture::local().transports().ends_jobs_of(&n1(), "omm").await.unwrap();
}
