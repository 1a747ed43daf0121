use super::sshd::Sshd;
use super::*;

#[tokio::test]
async fn input_arrives_byte_exact_through_a_noisy_login_shell() {
    let Some(node) = Sshd::start() else { return };
    let profile = "echo Welcome; echo; printf 'no newline'; echo oops >&2; stty erase x; readonly TMOUT=300; \
                   export TMOUT; umask 022; export BIGDATA_HOME='/opt/Big data'\n";
    std::fs::write(node.fixture.home().join(".profile"), profile).unwrap();
    let transports = node.fixture.transports();
    let text =
        "printf '%s|' \"$BIGDATA_HOME\" \"$(umask)\" \"$login_umask\" \"$TMOUT\"; cat; echo e >&2; exit 127";
    let input: Vec<u8> = (0..=255u8).cycle().take(300_000).collect();
    let reply = exec(&transports, text, &input, 20).await.unwrap();
    let mut expected = b"/opt/Big data|0077|0022|0|".to_vec();
    expected.extend(&input);
    assert!(reply.stdout == expected, "{}", String::from_utf8_lossy(&reply.stdout[..60]));
    assert_eq!((reply.exit, reply.stderr.as_slice()), (127, b"e\n".as_slice()));
    transports.close().await;
}

#[tokio::test]
async fn one_master_serves_many_calls_and_close_ends_it() {
    let Some(node) = Sshd::start() else { return };
    let transports = node.fixture.transports();
    let calls = (0..12).map(|_| exec(&transports, "sleep 0.2; echo $PPID", b"", 20));
    for reply in futures::future::join_all(calls).await {
        assert_eq!(reply.unwrap().exit, 0);
    }
    assert_eq!(node.masters().len(), 1);
    transports.close().await;
    until("the master ends", || node.masters().is_empty()).await;
}

#[tokio::test]
async fn a_changed_host_key_is_an_error_of_its_own_and_an_unknown_one_too() {
    let Some(mut node) = Sshd::start() else { return };
    node.change_host_key();
    let transports = node.fixture.transports();
    let error = exec(&transports, "true", b"", 20).await.unwrap_err();
    assert!(matches!(error, TransportError::HostKey { .. }), "{error}");
    assert!(error.to_string().contains("known_hosts:1"), "{error}");
    std::fs::write(node.fixture.root().join("known_hosts"), "").unwrap();
    let error = exec(&transports, "true", b"", 20).await.unwrap_err();
    assert!(matches!(error, TransportError::HostKey { .. }), "{error}");
    assert!(error.to_string().contains("none is known"), "{error}");
    node.know_host_key();
    assert_eq!(exec(&transports, "true", b"", 20).await.unwrap().exit, 0);
}

#[tokio::test]
async fn a_cut_in_the_middle_is_lost_and_the_next_call_connects_anew() {
    let Some(node) = Sshd::start() else { return };
    let transports = node.fixture.transports();
    let mark = node.fixture.home().join("mark");
    let text = "echo $$ >mark.new; mv mark.new mark; echo out; exec sleep 600";
    let (result, ()) = tokio::join!(exec(&transports, text, b"", 20), async {
        until("the script begins", || mark.exists()).await;
        node.cut();
    });
    let error = result.unwrap_err();
    assert!(matches!(error, TransportError::Lost { .. }), "{error}");
    let pid = std::fs::read_to_string(&mark).unwrap().trim().parse().unwrap();
    super::sshd::kill(pid);
    assert_eq!(exec(&transports, "true", b"", 20).await.unwrap().exit, 0);
    transports.close().await;
}

#[tokio::test]
async fn a_master_that_died_between_calls_is_replaced() {
    let Some(node) = Sshd::start() else { return };
    let transports = node.fixture.transports();
    exec(&transports, "true", b"", 20).await.unwrap();
    for master in node.masters() {
        super::sshd::kill(master);
    }
    until("the master is gone", || node.masters().is_empty()).await;
    // Its arguments go before its ends of our pipes do.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(exec(&transports, "echo again", b"", 20).await.unwrap().stdout, b"again\n");
    transports.close().await;
}

#[tokio::test]
async fn no_server_and_no_login_are_unreachable_and_say_why() {
    let Some(mut node) = Sshd::start() else { return };
    let transports = node.fixture.transports();
    std::fs::write(node.fixture.root().join("authorized_keys"), "").unwrap();
    let error = exec(&transports, "true", b"", 20).await.unwrap_err();
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("Permission denied"), "{error}");
    node.kill();
    let error = exec(&transports, "true", b"", 20).await.unwrap_err();
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_destination_cannot_be_an_option() {
    let Some(mut node) = Sshd::start() else { return };
    for destination in ["-oProxyCommand=true", "ssh://-oProxyCommand=true", "root@", "ssh://root@-x:22"] {
        node.fixture.site.nodes[0].address = Address::Ssh(destination.into());
        let error = exec(&node.fixture.transports(), "true", b"", 5).await.unwrap_err();
        assert!(error.to_string().contains("not an ssh destination"), "{error}");
    }
}

#[tokio::test]
async fn a_user_who_cannot_be_become_is_an_error_of_its_own() {
    let Some(mut node) = Sshd::start() else { return };
    let user = &mut node.fixture.site.become_users["omm"];
    user.argv = ["sudo", "-n", "su", "-", "no-such-user"].map(String::from).to_vec();
    let error = exec(&node.fixture.transports(), "true", b"", 20).await.unwrap_err();
    assert!(matches!(error, TransportError::Become { .. }), "{error}");
    // Without a way, only the login user can be had.
    node.fixture.site.become_users.clear();
    let transports = node.fixture.transports();
    let error = exec(&transports, "true", b"", 20).await.unwrap_err();
    assert!(error.to_string().contains("logs in as root"), "{error}");
    assert!(error.to_string().contains("[become.omm]"), "{error}");
    transports.close().await;
}

#[tokio::test]
async fn real_sudo_and_su_reach_another_user() {
    let Some(mut node) = Sshd::start() else { return };
    if !Utf8Path::new("/usr/bin/sudo").exists() {
        println!("skipped: no sudo");
        return;
    }
    node.fixture.site.become_users["omm"].argv =
        ["sudo", "-n", "su", "-s", "/bin/sh", "-", "nobody"].map(String::from).to_vec();
    let transports = node.fixture.transports();
    let reply = exec(&transports, "id -un; cat", b"in 'put' $x\n", 20).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&reply.stdout), "nobody\nin 'put' $x\n");
    transports.close().await;
}

#[tokio::test]
async fn a_timeout_is_one_and_before_a_session_it_is_unreachable() {
    let Some(mut node) = Sshd::start() else { return };
    let transports = node.fixture.transports();
    let error = exec(&transports, "exec sleep 5", b"", 1).await.unwrap_err();
    assert!(matches!(error, TransportError::TimedOut { .. }), "{error}");
    transports.close().await;
    // A listener that never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    node.fixture.site.nodes[0].address = Address::Ssh(format!("ssh://root@127.0.0.1:{port}"));
    node.fixture.site.ssh.connect_timeout = Duration::from_secs(2);
    let error = exec(&node.fixture.transports(), "true", b"", 1).await.unwrap_err();
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_login_that_would_ask_goes_over_the_connection_that_the_operator_has_open_and_leaves_it() {
    let Some(node) = Sshd::start() else { return };
    let root = node.fixture.root();
    let client = root.join("client");
    let mut config = std::fs::read_to_string(&client).unwrap();
    config += &format!("  ControlPath {root}/own-%p\n");
    std::fs::write(&client, config).unwrap();
    let ssh = |words: &[&str]| {
        let mut command = std::process::Command::new("ssh");
        command.args(["-F", client.as_str()]).args(words).arg("test-node");
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status().unwrap()
    };
    assert!(ssh(&["-M", "-f", "-N"]).success());
    std::fs::write(root.join("authorized_keys"), "").unwrap();
    let transports = node.fixture.transports();
    let reply = exec(&transports, "echo over", b"", 20).await.unwrap();
    assert_eq!(reply.stdout, b"over\n");
    transports.close().await;
    assert!(ssh(&["-O", "check"]).success());
    assert!(ssh(&["-O", "exit"]).success());
}

/// Not a claim: the process that the next test kills.
#[tokio::test]
#[ignore = "run by reaping_ends_the_master_of_a_killed_process_and_not_a_living_ones"]
async fn connects_and_waits() {
    let Ok(root) = std::env::var("WINDLASS_TEST_ROOT") else { return };
    let root = Utf8Path::new(&root);
    let mut site = site(root, Address::Ssh("test-node".into()));
    site.ssh.config = Some(root.join("client"));
    site.become_users["omm"].argv = vec!["sh".into()];
    let transports = Transports::new(&site, root).unwrap();
    exec(&transports, "true", b"", 20).await.unwrap();
    std::fs::write(root.join("connected"), "").unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn reaping_ends_the_master_of_a_killed_process_and_not_a_living_ones() {
    use crate::transport::ssh::control::reap_in;
    let Some(node) = Sshd::start() else { return };
    let root = node.fixture.root();
    let base = root.join("windlass");
    let mut other = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "transport::tests::ssh::connects_and_waits"])
        .env("WINDLASS_TEST_ROOT", &root)
        .env("XDG_RUNTIME_DIR", &root)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("the other process connects", || root.join("connected").exists()).await;
    assert_eq!(reap_in(&base).await, 0);
    assert_eq!(node.masters().len(), 1);
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(node.masters().len(), 1);
    assert_eq!(reap_in(&base).await, 1);
    until("the master ends", || node.masters().is_empty()).await;
    assert_eq!(std::fs::read_dir(&base).unwrap().count(), 1, "the lock alone");
}
