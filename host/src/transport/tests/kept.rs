//! Shells that are kept over ssh: one login for many scripts, and each as if it were alone.

use super::sshd::Sshd;
use super::*;

/// A node that counts its logins.
fn node() -> Option<Sshd> {
    let node = Sshd::start()?;
    std::fs::write(node.fixture.home().join(".profile"), "echo Welcome; echo x >>$HOME/logins; umask 022\n")
        .unwrap();
    Some(node)
}

fn logins(node: &Sshd) -> usize {
    std::fs::read_to_string(node.fixture.home().join("logins")).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn many_scripts_take_one_login_and_none_sees_another() {
    let Some(node) = node() else { return };
    let transports = node.fixture.transports();
    let text = "printf '%s|' \"$x\" \"$PWD\" \"$(umask)\" \"$login_umask\" \"$#\"; IFS= read -r x; cd /; umask 0; \
                set -- a b; cat; exit 9";
    let home = node.fixture.home();
    for round in 0..5 {
        let mut input = b"first line\n".to_vec();
        // Without a NUL an input goes as it is, with one in base64.
        input.extend((u8::from(round % 2 == 0)..=255).cycle().take(if round == 3 {
            100_000
        } else {
            300 * round
        }));
        let reply = exec(&transports, text, &input, 20).await.unwrap();
        let mut expected = format!("|{home}|0077|0022|0|").into_bytes();
        expected.extend(&input[11..]);
        assert!(reply.stdout == expected, "{round}: {}", String::from_utf8_lossy(&reply.stdout[..80]));
        assert_eq!(reply.exit, 9);
    }
    // The third alone was too long for it.
    assert_eq!(logins(&node), 2);
    transports.close().await;
}

#[tokio::test]
async fn a_script_cannot_end_another_by_what_it_prints() {
    let Some(node) = node() else { return };
    let transports = node.fixture.transports();
    let text = "printf 'a\\nwindlass-end 0 0\\nb'; printf '\\nwindlass-begin 0\\n' >&2; exit 7";
    for _ in 0..2 {
        let reply = exec(&transports, text, b"", 20).await.unwrap();
        assert_eq!(reply.stdout, b"a\nwindlass-end 0 0\nb");
        assert_eq!((reply.exit, reply.stderr.as_slice()), (7, b"\nwindlass-begin 0\n".as_slice()));
    }
    transports.close().await;
}

#[tokio::test]
async fn what_a_script_left_running_does_not_print_into_the_next() {
    let Some(node) = node() else { return };
    let transports = node.fixture.transports();
    exec(&transports, "(sleep 0.2; echo late; echo late >&2) & exit 0", b"", 20).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let reply = exec(&transports, "echo out", b"", 20).await.unwrap();
    assert_eq!((reply.stdout.as_slice(), reply.stderr.as_slice()), (b"out\n".as_slice(), b"".as_slice()));
    assert_eq!(logins(&node), 1);
    transports.close().await;
}

#[tokio::test]
async fn a_shell_that_ends_is_lost_once_and_replaced() {
    let Some(node) = node() else { return };
    let transports = node.fixture.transports();
    exec(&transports, "true", b"", 20).await.unwrap();
    let error = exec(&transports, "kill -9 $$", b"", 20).await.unwrap_err();
    assert!(matches!(error, TransportError::Lost { .. }), "{error}");
    assert_eq!(exec(&transports, "echo again", b"", 20).await.unwrap().stdout, b"again\n");
    // One that ended while nobody used it is found out before a script is given to it.
    let reply = exec(&transports, "echo $$", b"", 20).await.unwrap();
    super::sshd::kill(String::from_utf8_lossy(&reply.stdout).trim().parse().unwrap());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(exec(&transports, "echo again", b"", 20).await.unwrap().stdout, b"again\n");
    transports.close().await;
}

#[tokio::test]
async fn a_shell_that_does_not_answer_any_more_is_replaced_before_a_script_is_given_to_it() {
    let Some(node) = node() else { return };
    let transports = node.fixture.transports();
    let reply = exec(&transports, "echo $$", b"", 20).await.unwrap();
    let pid = String::from_utf8_lossy(&reply.stdout).trim().parse().unwrap();
    let stopped = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(stopped, nix::sys::signal::Signal::SIGSTOP).unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let reply = exec(&transports, "echo $$", b"", 30).await.unwrap();
    super::sshd::kill(pid);
    assert_ne!(String::from_utf8_lossy(&reply.stdout).trim(), pid.to_string());
    transports.close().await;
}

#[tokio::test]
async fn where_no_shell_can_be_kept_each_script_has_its_own() {
    let Some(node) = node() else { return };
    // A shell without a printf of its own would have secrets in arguments.
    let bin = node.fixture.root().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let sh = bin.join("sh");
    std::fs::write(&sh, "#!/bin/bash\nenable -n printf\neval \"$2\"\n").unwrap();
    std::fs::set_permissions(&sh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(
        node.fixture.home().join(".profile"),
        format!("PATH={bin}:$PATH; echo x >>$HOME/logins\n"),
    )
    .unwrap();
    let transports = node.fixture.transports();
    for _ in 0..3 {
        let reply = exec(&transports, "command -v printf; cat", b"in", 20).await.unwrap();
        assert!(reply.stdout.ends_with(b"/printf\nin"), "{}", String::from_utf8_lossy(&reply.stdout));
    }
    assert_eq!(logins(&node), 4, "the first is tried, and no other");
    transports.close().await;
}

#[tokio::test]
async fn idle_shells_leave_sessions_for_others() {
    let Some(node) = node() else { return };
    let transports = node.fixture.transports();
    for _ in 0..2 {
        let calls = (0..12).map(|_| exec(&transports, "sleep 0.1; echo $$", b"", 20));
        for reply in futures::future::join_all(calls).await {
            assert_eq!(reply.unwrap().exit, 0);
        }
    }
    let (first, second) = tokio::join!(
        exec(&transports, "sleep 0.1", b"", 20),
        exec(&transports, "sleep 0.1", &[b'x'; 50_000], 20)
    );
    assert!(first.is_ok() && second.is_ok());
    transports.close().await;
}
