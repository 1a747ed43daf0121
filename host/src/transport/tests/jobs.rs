use super::sshd::{Sshd, kill};
use super::*;
use crate::model::RunId;
use crate::transport::jobs::{self, JobEnd, JobError, JobName, JobSpec, JobState};

/// A password with everything that a layer of quoting could eat.
const PASSWORD: &str = r#" p'a"s`s$w\o%rd$(id)\n*?[!]~#;&|<> "#;

fn run() -> RunId {
    RunId::new("ha-cert-20260102-030405-abcd").unwrap()
}

fn spec(id: &str, argv: &[&str]) -> JobSpec {
    JobSpec {
        id: id.into(),
        run: run(),
        token: None,
        user: "omm".into(),
        cwd: None,
        env: Vec::new(),
        argv: argv.iter().map(|word| Zeroizing::new((*word).to_owned())).collect(),
        prompts: Vec::new(),
        timeout: Duration::from_secs(20),
        terminal: false,
    }
}

fn sh(id: &str, script: &str) -> JobSpec {
    spec(id, &["sh", "-c", script])
}

fn prompt(expect: &str, reply: &str) -> (String, Zeroizing<Vec<u8>>) {
    (expect.into(), Zeroizing::new(reply.as_bytes().to_vec()))
}

async fn start(transports: &Transports, spec: &JobSpec) -> Result<JobEnd, JobError> {
    jobs::start_and_follow(transports, &n1(), spec, &mut |_| {}).await
}

async fn probe(transports: &Transports, id: &str) -> JobState {
    let (node, run) = (n1(), run());
    jobs::probe(transports, JobName { node: &node, user: "omm", run: &run, id }).await.unwrap()
}

async fn follow(transports: &Transports, id: &str, from_offset: u64) -> Result<JobEnd, JobError> {
    let (node, run) = (n1(), run());
    let name = JobName { node: &node, user: "omm", run: &run, id };
    jobs::follow(transports, name, from_offset, Duration::from_secs(20), &mut |_| {}).await
}

fn text(end: &JobEnd) -> String {
    String::from_utf8_lossy(&end.output).into_owned()
}

/// Local nodes with dash (or whatever `/bin/sh` is) and with busybox.
fn shells() -> Vec<Fixture> {
    [Some(Fixture::local()), Fixture::busybox()].into_iter().flatten().collect()
}

#[tokio::test]
async fn arguments_variables_folder_and_output_are_exact() {
    for fixture in shells() {
        let transports = fixture.transports();
        let folder = fixture.home().join("a 'folder'");
        std::fs::create_dir(&folder).unwrap();
        let mut spec =
            spec("exact", &["sh", "-c", r#"printf '%s|' "$@" "$A" "$PWD" "$TMOUT" "$#"; umask; exit 7"#]);
        spec.argv
            .extend(["x", "", PASSWORD, "-n", "line\nbreak\n", "ä\u{1}"].map(|w| Zeroizing::new(w.into())));
        spec.env = vec![("A".into(), format!("{PASSWORD}\n"))];
        spec.cwd = Some(folder.to_string());
        let mut seen = Vec::new();
        let mut see = |bytes: &[u8]| seen.extend_from_slice(bytes);
        let end = jobs::start_and_follow(&transports, &n1(), &spec, &mut see).await.unwrap();
        let umask = std::process::Command::new("sh").args(["-c", "umask"]).output().unwrap().stdout;
        let expected = format!(
            "|{PASSWORD}|-n|line\nbreak\n|ä\u{1}|{PASSWORD}\n|{folder}|0|5|{}",
            String::from_utf8(umask).unwrap()
        );
        assert_eq!((text(&end), end.exit), (expected, 7));
        assert_eq!(seen, end.output);
        assert!(!end.output_truncated && !end.timed_out);
    }
}

#[tokio::test]
async fn replies_arrive_byte_exact_each_at_its_prompt() {
    for fixture in shells() {
        let transports = fixture.transports();
        // The first prompt's text is printed again later: it must not be answered twice.
        let script = r#"head -c 5000 /dev/zero; printf 'Please input [pass*word\]:'; IFS= read -r a
            printf 'again (Please input [pass*word\]:) '; sleep 0.2; printf 'sure?(y/n):'; IFS= read -r b
            cat; printf '\n<%s|%s>' "$a" "$b""#;
        let mut spec = sh("prompts", script);
        spec.prompts = vec![prompt(r"Please input [pass*word\]:", PASSWORD), prompt("sure?(y/n):", "y")];
        let end = start(&transports, &spec).await.unwrap();
        assert!(text(&end).ends_with(&format!("\n<{PASSWORD}|y>")), "{}", text(&end));
        assert_eq!((end.exit, end.prompts_answered), (0, 2));
    }
}

#[tokio::test]
async fn a_prompt_that_never_comes_is_recorded() {
    for fixture in shells() {
        let mut spec = sh("silent", "printf 'first:'; IFS= read -r a; echo done");
        spec.prompts = vec![prompt("first:", "1"), prompt("second:", "2")];
        let end = start(&fixture.transports(), &spec).await.unwrap();
        assert_eq!((end.exit, end.prompts_answered), (0, 1));
    }
}

#[tokio::test]
async fn a_job_runs_once_however_often_it_is_started() {
    for fixture in shells() {
        let transports = fixture.transports();
        let spec = sh("once", "echo ran >>count; sleep 0.5; echo out");
        let (a, b) = tokio::join!(start(&transports, &spec), start(&transports, &spec));
        // And from a task of its own: the future can go to another thread.
        let spec = std::sync::Arc::new(spec);
        let c = tokio::spawn(async move { start(&transports, &spec).await }).await.unwrap().unwrap();
        assert_eq!((a.unwrap(), b.unwrap()), (c.clone(), c));
        assert_eq!(std::fs::read_to_string(fixture.home().join("count")).unwrap(), "ran\n");
    }
}

#[tokio::test]
async fn states_are_told_apart() {
    for fixture in shells() {
        let transports = fixture.transports();
        assert_eq!(probe(&transports, "state").await, JobState::NeverStarted);
        let missing = follow(&transports, "state", 0).await;
        assert!(matches!(missing, Err(JobError::NeverStarted { .. })));
        let spec =
            sh("state", "echo begun; while [ -e $PWD ] && [ ! -e go-on ]; do sleep 0.05; done; exit 3");
        let home = fixture.home();
        let (end, ()) = tokio::join!(start(&transports, &spec), async {
            let job = home.join(format!(".windlass/runs/{}/jobs/state", run()));
            until("the command begins", || job.join("command").exists()).await;
            let JobState::Running { pid, since } = probe(&transports, "state").await else { panic!() };
            assert!(std::fs::exists(format!("/proc/{pid}")).unwrap());
            assert!(since > 1_700_000_000);
            let refused = jobs::purge(&transports, &n1(), "omm", &run(), None).await;
            assert!(matches!(refused, Err(JobError::Living { .. })));
            std::fs::write(home.join("go-on"), "").unwrap();
        });
        let end = end.unwrap();
        assert_eq!(end.exit, 3);
        assert_eq!(probe(&transports, "state").await, JobState::Ended(end.clone()));
        let rest = follow(&transports, "state", 2).await.unwrap();
        assert_eq!((text(&rest).as_str(), rest.output_truncated), ("gun\n", true));
        jobs::purge(&transports, &n1(), "omm", &run(), None).await.unwrap();
        assert_eq!(probe(&transports, "state").await, JobState::NeverStarted);
        assert!(!home.join(".windlass/runs").join(run().as_str()).exists());
    }
}

#[tokio::test]
async fn a_killed_runner_or_another_boot_is_vanished_and_a_living_command_runs() {
    for fixture in shells() {
        let transports = fixture.transports();
        let spec = sh("gone", "while [ -e $PWD ] && [ ! -e stop ]; do sleep 0.05; done");
        let job = fixture.home().join(format!(".windlass/runs/{}/jobs/gone", run()));
        let (end, ()) = tokio::join!(start(&transports, &spec), async {
            until("the command begins", || job.join("command").exists()).await;
            let runner = std::fs::read_to_string(job.join("runner")).unwrap();
            let pid = |record: &str| record.split(' ').next().unwrap().parse::<i32>().unwrap();
            kill(pid(&runner));
            let command = pid(&std::fs::read_to_string(job.join("command")).unwrap());
            let JobState::Running { pid, .. } = probe(&transports, "gone").await else { panic!() };
            assert_eq!(pid as i32, command);
            std::fs::write(fixture.home().join("stop"), "").unwrap();
        });
        assert!(matches!(end, Err(JobError::Vanished { .. })), "{end:?}");
        assert_eq!(probe(&transports, "gone").await, JobState::Vanished);
        // The pid lives, and is another boot's.
        let me = std::process::id();
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let start = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap();
        std::fs::write(job.join("runner"), format!("{me} {start} another-boot 1\n")).unwrap();
        assert_eq!(probe(&transports, "gone").await, JobState::Vanished);
        // A start neither runs it again.
        assert!(matches!(super::jobs::start(&transports, &spec).await, Err(JobError::Vanished { .. })));
    }
}

#[tokio::test]
async fn what_was_sent_half_never_runs_and_can_be_sent_again() {
    for fixture in shells() {
        let transports = fixture.transports();
        let job = fixture.home().join(format!(".windlass/runs/{}/jobs/half", run()));
        std::fs::create_dir_all(&job).unwrap();
        assert_eq!(probe(&transports, "half").await, JobState::NeverStarted);
        assert!(!job.exists());
        assert_eq!(start(&transports, &sh("half", "echo whole")).await.unwrap().output, b"whole\n");
    }
}

#[tokio::test]
async fn a_timeout_kills_all_that_the_command_started() {
    for fixture in shells() {
        let mut spec = sh("slow", "trap '' TERM; sleep 600 & echo $! $$ >pids; echo begun; wait; sleep 600");
        spec.timeout = Duration::from_secs(1);
        let end = start(&fixture.transports(), &spec).await.unwrap();
        assert!(end.timed_out && end.exit != 0);
        assert_eq!(end.output, b"begun\n");
        for pid in std::fs::read_to_string(fixture.home().join("pids")).unwrap().split_whitespace() {
            super::local::wait_until_gone(pid.parse().unwrap());
        }
    }
}

#[tokio::test]
async fn a_service_that_the_command_leaves_behind_does_not_hold_the_job_and_keeps_its_signals() {
    for fixture in shells() {
        let mut spec = sh("daemon", "printf 'ok?'; read -r a; sleep 60 & echo $! >pid; echo started");
        spec.prompts = vec![prompt("ok?", "y")];
        let begun = std::time::Instant::now();
        let end = start(&fixture.transports(), &spec).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert_eq!((end.exit, text(&end).as_str()), (0, "ok?started\n"));
        let pid = std::fs::read_to_string(fixture.home().join("pid")).unwrap().trim().parse().unwrap();
        assert!(std::fs::exists(format!("/proc/{pid}")).unwrap());
        kill(pid);
        let end =
            start(&fixture.transports(), &sh("signals", "grep SigIgn /proc/self/status")).await.unwrap();
        println!("signals ignored: {}", text(&end));
        let ignored = |line: &str| {
            line.split_whitespace().nth(1).map(|hex| u64::from_str_radix(hex, 16).unwrap()).unwrap()
        };
        // SIGHUP 1 and SIGTERM 15, by which a product ends its own services; but what this process was started
        // to ignore (nohup) every shell below it ignores.
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        let own = ignored(own.lines().find(|line| line.starts_with("SigIgn")).unwrap());
        assert_eq!(ignored(&text(&end)) & !own & (1 | 1 << 14), 0);
    }
}

#[tokio::test]
async fn a_command_that_cannot_be_started_says_why() {
    for fixture in shells() {
        let transports = fixture.transports();
        let end = start(&transports, &spec("absent", &["no-such-program", PASSWORD])).await.unwrap();
        assert_eq!(end.exit, 127);
        assert!(text(&end).contains("no-such-program") && !text(&end).contains(PASSWORD), "{}", text(&end));
        let mut spec = sh("folder", "echo ran");
        spec.cwd = Some("/no/such/folder".into());
        let end = start(&transports, &spec).await.unwrap();
        assert_eq!(end.exit, 126);
        assert!(text(&end).contains("/no/such/folder"), "{}", text(&end));
    }
}

#[tokio::test]
async fn output_that_is_long_or_cut_back_arrives_as_far_as_it_can() {
    for fixture in shells() {
        let transports = fixture.transports();
        let end = start(&transports, &sh("long", "head -c 3000000 /dev/zero; echo end")).await.unwrap();
        assert_eq!((end.output.len(), end.output_truncated), (jobs::OUTPUT_KEPT, true));
        assert!(end.output.ends_with(b"end\n"));
        let script =
            "echo long enough; sleep 0.5; echo cut >/dev/stdout; sleep 0.5; printf 'p:'; read -r a; echo $a";
        let mut spec = sh("cut", script);
        spec.prompts = vec![prompt("p:", "reply")];
        let end = start(&transports, &spec).await.unwrap();
        assert!(end.output_truncated);
        assert!(text(&end).ends_with("cut\np:reply\n"), "{}", text(&end));
    }
}

#[tokio::test]
async fn a_terminal_is_one_without_echo_and_takes_replies_and_arguments_exact() {
    let fixture = Fixture::local();
    let transports = fixture.transports();
    let script = r#"[ -t 0 ] && [ -t 1 ] && echo terminal; printf 'pass:'; stty -echo; IFS= read -r a; stty echo
        printf '\n<%s>' "$a" "$1"; exit 5"#;
    let mut spec = spec("terminal", &["sh", "-c", script, "x", PASSWORD]);
    spec.prompts = vec![prompt("pass:", PASSWORD)];
    spec.terminal = true;
    let end = start(&transports, &spec).await.unwrap();
    assert_eq!(text(&end), format!("terminal\npass:\n<{PASSWORD}>\n<{PASSWORD}>"));
    assert_eq!((end.exit, end.prompts_answered), (5, 1));
    // busybox has a script of its own, which is not enough.
    let Some(fixture) = Fixture::busybox() else { return };
    let mut spec = sh("terminal", "true");
    spec.terminal = true;
    let error = start(&fixture.transports(), &spec).await.unwrap_err();
    assert!(matches!(error, JobError::Unable { .. }), "{error}");
    assert_eq!(probe(&fixture.transports(), "terminal").await, JobState::NeverStarted);
}

#[tokio::test]
async fn a_job_of_another_token_is_fenced_and_leaves_nothing() {
    for fixture in shells() {
        let transports = fixture.transports();
        let base = fixture.home().join(".windlass");
        let check = async |id: &str, token: Option<u64>, theirs: Option<Option<u64>>| {
            let mut spec = sh(id, "echo ran");
            spec.token = token;
            match (start(&transports, &spec).await, theirs) {
                (Ok(end), None) => assert_eq!(end.output, b"ran\n"),
                (Err(JobError::Fenced { ours, theirs, .. }), Some(expected)) => {
                    assert_eq!((ours, theirs), (token, expected));
                    assert_eq!(probe(&transports, id).await, JobState::NeverStarted);
                }
                (other, _) => panic!("{id}: {other:?}"),
            }
        };
        // A node that carries no lease.
        check("a", None, None).await;
        check("b", Some(1), None).await;
        std::fs::create_dir_all(base.join("lease")).unwrap();
        std::fs::write(base.join("token"), "7\n").unwrap();
        // Being taken over just now.
        check("c", Some(7), Some(None)).await;
        std::fs::write(base.join("lease/token"), "7\n").unwrap();
        check("d", Some(7), None).await;
        check("e", Some(6), Some(Some(7))).await;
        check("f", None, Some(Some(7))).await;
        // Released: whoever held it has nothing to do here any more.
        std::fs::remove_dir_all(base.join("lease")).unwrap();
        check("g", Some(6), Some(None)).await;
        check("h", Some(7), Some(None)).await;
    }
}

/// Every place of a job where its secrets must not be, while it runs.
fn places_with(fixture: &Fixture, secret: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            let path = entry.path().join(file);
            // Of this test itself, which holds the secret as a constant, too: a constant is in neither.
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    let grep = std::process::Command::new("grep")
        .args(["-rlaF", "-D", "skip", "--", secret, fixture.root().as_str()])
        .output()
        .unwrap();
    found.extend(String::from_utf8(grep.stdout).unwrap().lines().map(str::to_owned));
    found
}

#[tokio::test]
async fn a_reply_is_in_no_argument_no_environment_and_no_file() {
    let secret = "Zx9!unlikely'to\"exist$elsewhere";
    for terminal in [false, true] {
        let fixture = Fixture::local();
        let transports = fixture.transports();
        let mut spec = sh(
            "secret",
            "printf 'p:'; IFS= read -r a; : >got; while [ -e $PWD ] && [ ! -e stop ]; do sleep 0.05; done; echo ${#a}",
        );
        spec.prompts = vec![prompt("p:", secret), prompt("never:", secret)];
        spec.terminal = terminal;
        let (end, ()) = tokio::join!(start(&transports, &spec), async {
            until("the reply", || fixture.home().join("got").exists()).await;
            assert_eq!(places_with(&fixture, secret), Vec::<String>::new());
            std::fs::write(fixture.home().join("stop"), "").unwrap();
        });
        assert!(text(&end.unwrap()).ends_with(&format!("p:{}\n", secret.len())));
        assert_eq!(places_with(&fixture, secret), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_secret_argument_is_in_the_commands_arguments_and_in_no_file() {
    let secret = "--password=Qy8!likewise'not\"elsewhere";
    let fixture = Fixture::local();
    let transports = fixture.transports();
    let spec = spec(
        "argv",
        &["sh", "-c", ": >got; while [ -e $PWD ] && [ ! -e stop ]; do sleep 0.05; done", "x", secret],
    );
    let (end, ()) = tokio::join!(start(&transports, &spec), async {
        until("the command", || fixture.home().join("got").exists()).await;
        let places = places_with(&fixture, secret);
        let job = fixture.home().join(format!(".windlass/runs/{}/jobs/argv/command", run()));
        let record = std::fs::read_to_string(job).unwrap();
        assert_eq!(places, [format!("/proc/{}/cmdline", record.split(' ').next().unwrap())]);
        std::fs::write(fixture.home().join("stop"), "").unwrap();
    });
    assert_eq!(end.unwrap().exit, 0);
}

#[tokio::test]
async fn specs_that_cannot_be_run_are_refused_without_a_word_of_their_secrets() {
    let fixture = Fixture::local();
    let transports = fixture.transports();
    let check = async |what: &str, change: &dyn Fn(&mut JobSpec)| {
        let mut spec = sh("bad", "true");
        change(&mut spec);
        let error = start(&transports, &spec).await.unwrap_err();
        assert!(matches!(error, JobError::Invalid { .. }), "{what}: {error}");
        assert!(!format!("{error} {error:?} {spec:?}").contains("s3cret"), "{what}");
    };
    check("id", &|spec| spec.id = "../x".into()).await;
    check("argv", &|spec| spec.argv.clear()).await;
    check("option", &|spec| spec.argv[0] = Zeroizing::new("-c".into())).await;
    check("assignment", &|spec| spec.argv[0] = Zeroizing::new("A=s3cret".into())).await;
    check("nul", &|spec| spec.argv[2] = Zeroizing::new("s3cret\0".into())).await;
    check("variable", &|spec| spec.env = vec![("A B".into(), "s3cret".into())]).await;
    check("expect", &|spec| spec.prompts = vec![prompt("", "s3cret")]).await;
    check("newline", &|spec| spec.prompts = vec![prompt("p", "s3cret\n")]).await;
    check("reply", &|spec| spec.prompts = vec![prompt("p", &"s3cret".repeat(1000))]).await;
    check("timeout", &|spec| spec.timeout = Duration::from_millis(900)).await;
    check("size", &|spec| spec.argv.push(Zeroizing::new("s3cret".repeat(100_000)))).await;
}

#[tokio::test]
async fn a_job_over_ssh_survives_cuts_and_killed_masters_and_runs_once() {
    let Some(node) = Sshd::start() else { return };
    std::fs::write(node.fixture.home().join(".profile"), "echo noise; readonly TMOUT=1; export TMOUT\n")
        .unwrap();
    let transports = node.fixture.transports();
    let script =
        "echo ran >>count; printf 'p:'; IFS= read -r a; echo one; while [ -e $PWD ] && [ ! -e go-1 ]; do sleep 0.05; done
        echo two; while [ -e $PWD ] && [ ! -e go-2 ]; do sleep 0.05; done; printf '<%s>' \"$a\"";
    let mut spec = sh("survivor", script);
    spec.prompts = vec![prompt("p:", PASSWORD)];
    let home = node.fixture.home();
    let out = home.join(format!(".windlass/runs/{}/jobs/survivor/out", run()));
    let printed = |text: &str| std::fs::read_to_string(&out).is_ok_and(|out| out.contains(text));
    let n1 = n1();
    let mut seen = Vec::new();
    let mut see = |bytes: &[u8]| seen.extend_from_slice(bytes);
    let (end, ()) = tokio::join!(jobs::start_and_follow(&transports, &n1, &spec, &mut see), async {
        until("the first line", || printed("one")).await;
        node.cut();
        std::fs::write(home.join("go-1"), "").unwrap();
        until("the second line", || printed("two")).await;
        // The connection is made again before it is taken away again.
        until("a new master", || !node.masters().is_empty()).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        for master in node.masters() {
            kill(master);
        }
        std::fs::write(home.join("go-2"), "").unwrap();
    });
    let end = end.unwrap();
    assert_eq!(text(&end), format!("p:one\ntwo\n<{PASSWORD}>"));
    assert_eq!(seen, end.output);
    assert_eq!(std::fs::read_to_string(home.join("count")).unwrap(), "ran\n");
    assert_eq!(end.prompts_answered, 1);
    transports.close().await;
}

#[tokio::test]
async fn a_job_goes_on_when_nobody_follows_and_another_controller_finds_its_end() {
    let Some(node) = Sshd::start() else { return };
    let first = node.fixture.transports();
    let home = node.fixture.home();
    let spec =
        sh("orphan", "echo ran >>count; while [ -e $PWD ] && [ ! -e go-on ]; do sleep 0.05; done; echo end");
    tokio::select! {
        end = start(&first, &spec) => panic!("{end:?}"),
        () = until("the command", || home.join("count").exists()) => {}
    }
    drop(first);
    node.cut();
    let second = node.fixture.transports();
    assert!(matches!(probe(&second, "orphan").await, JobState::Running { .. }));
    std::fs::write(home.join("go-on"), "").unwrap();
    assert_eq!(follow(&second, "orphan", 0).await.unwrap().output, b"end\n");
    assert_eq!(std::fs::read_to_string(home.join("count")).unwrap(), "ran\n");
    second.close().await;
}

/// The runner's record comes while the follower looks for it: the looks before it came say nothing of it.
#[test]
fn a_runner_that_arrives_between_two_looks_is_not_gone() {
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(
        include_str!("../scripts/job-common.sh"),
        include_str!("../scripts/job-follow-common.sh"),
        r#"
looks=0
lives() {
    looks=$((looks + 1))
    [ $looks -ne 10 ] || : >"$job/runner"
    [ $looks -ne 12 ] || echo 'exit 0 0 0' >"$job/status"
    [ $looks -gt 10 ]
}
offset=0
mkdir "$job/go"
follow wait
"#
    );
    let mut sh = std::process::Command::new("sh");
    let out = sh.args(["-c", script]).env("HOME", folder.path()).env("job", folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "e exit 0 0 0\n", "{out:?}");
}
