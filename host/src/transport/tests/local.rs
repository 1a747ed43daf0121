use super::*;

const ECHO: &str = "IFS= read -r a; printf '%s|' \"$a\" \"$0\" \"$#\"; cat; echo err >&2; exit 3";

async fn input_arrives_byte_exact(fixture: &Fixture) {
    let transports = fixture.transports();
    let mut input = b" first 'line' with \\ \"quotes\"\n".to_vec();
    input.extend(0..=255u8);
    let reply = exec(&transports, ECHO, &input, 10).await.unwrap();
    let mut expected = b" first 'line' with \\ \"quotes\"|sh|0|".to_vec();
    expected.extend(0..=255u8);
    assert_eq!(reply.stdout, expected);
    assert_eq!((reply.exit, reply.stderr.as_slice()), (3, b"err\n".as_slice()));
}

#[tokio::test]
async fn input_arrives_byte_exact_in_dash_and_busybox() {
    input_arrives_byte_exact(&Fixture::local()).await;
    if let Some(fixture) = Fixture::busybox() {
        input_arrives_byte_exact(&fixture).await;
    }
}

#[tokio::test]
async fn a_script_sees_the_login_environment_and_nothing_of_the_controller() {
    let fixture = Fixture::local();
    let text = r#"echo "$(umask) $login_umask $LC_ALL $TMOUT $BIGDATA_HOME $PWD"; env | cut -d= -f1 | sort | tr '\n' ' '"#;
    let reply = exec(&fixture.transports(), text, b"", 10).await.unwrap();
    let text = String::from_utf8(reply.stdout).unwrap();
    let (first, names) = text.split_once('\n').unwrap();
    assert!(first.starts_with("0077 0"), "{first}");
    assert!(first.ends_with(&format!("C 0 /opt/Big data {}", fixture.home())), "{first}");
    assert_eq!(names, "BIGDATA_HOME HOME LC_ALL OLDPWD PATH PWD TMOUT USER ");
}

#[tokio::test]
async fn a_large_input_that_is_not_read_and_a_large_output_do_not_hang() {
    let transports = Fixture::local();
    let input = vec![b'x'; 4 << 20];
    let reply = exec(&transports.transports(), "head -c 3000000 /dev/zero", &input, 20).await.unwrap();
    assert_eq!((reply.stdout.len(), reply.truncated), (1 << 20, true));
}

#[tokio::test]
async fn a_timeout_kills_the_shell_and_what_it_started() {
    let fixture = Fixture::local();
    let text = "sleep 600 & echo $! $$ >pids; wait";
    let error = exec(&fixture.transports(), text, b"", 1).await.unwrap_err();
    assert!(matches!(error, TransportError::TimedOut { .. }), "{error}");
    let pids = std::fs::read_to_string(fixture.home().join("pids")).unwrap();
    for pid in pids.split_whitespace() {
        wait_until_gone(pid.parse().unwrap());
    }
}

pub(super) fn wait_until_gone(pid: i32) {
    for _ in 0..100 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{pid} still runs");
}

#[tokio::test]
async fn a_script_left_behind_that_holds_the_output_does_not_hold_the_call() {
    let fixture = Fixture::local();
    let started = std::time::Instant::now();
    let reply = exec(&fixture.transports(), "sleep 3 & echo done", b"", 20).await.unwrap();
    assert_eq!(reply.stdout, b"done\n");
    assert!(started.elapsed() < Duration::from_millis(2500));
}

#[tokio::test]
async fn mistakes_in_the_node_folder_name_file_and_line() {
    let fixture = Fixture::local();
    let file = fixture.node().join("login-env");
    for (text, expected) in [("HOME=/tmp\nA B\n", "login-env:2"), ("PATH=/bin\n", "HOME=/"), ("", "HOME=/")] {
        std::fs::write(&file, text).unwrap();
        let error = exec(&fixture.transports(), "true", b"", 5).await.unwrap_err();
        assert!(matches!(error, TransportError::Unreachable { .. }));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_shell_that_cannot_begin_the_script_is_no_reply() {
    let fixture = Fixture::local();
    fixture.login_env("/nonexistent", "");
    let error = exec(&fixture.transports(), "true", b"", 5).await.unwrap_err();
    assert!(matches!(error, TransportError::Become { .. }), "{error}");
    assert!(error.to_string().contains("not found"), "{error}");
}
