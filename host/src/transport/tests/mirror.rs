use super::*;
use crate::model::{PluginName, RunId};
use crate::transport::lease::{self, LeaseRecord};
use crate::transport::mirror::{self, Added, Addition, MirrorError};

fn run() -> RunId {
    RunId::new("a").unwrap()
}

async fn hold(transports: &Transports, run: &str) -> u64 {
    let record = LeaseRecord {
        run: RunId::new(run).unwrap(),
        controller: "alice".into(),
        procedure: PluginName::new("ha-cert").unwrap(),
        since: 0,
    };
    lease::acquire(transports, &n1(), "omm", &record).await.unwrap()
}

async fn add(transports: &Transports, token: Option<u64>, from: i64, to: i64) -> Result<Added, MirrorError> {
    let (hash, line) = (format!("h{to}"), format!("{from} {to} h{to} c2VhbGVk"));
    let piece = Addition { from, to, hash: &hash, line: &line };
    mirror::append(transports, &n1(), "omm", &run(), token, piece).await
}

fn shells() -> Vec<Fixture> {
    [Some(Fixture::local()), Fixture::busybox()].into_iter().flatten().collect()
}

#[tokio::test]
async fn a_mirror_grows_piece_behind_piece_and_is_fetched_whole() {
    for fixture in shells() {
        let (transports, node) = (fixture.transports(), n1());
        assert_eq!(mirror::head(&transports, &node, "omm", &run()).await.unwrap(), None);
        assert_eq!(mirror::fetch(&transports, &node, "omm", &run()).await.unwrap(), None);
        let token = Some(hold(&transports, "a").await);
        assert_eq!(add(&transports, token, 1, 4).await.unwrap(), Added::Ok);
        // Its answer was lost, and it is sent again; or one is left out.
        for (from, to) in [(1, 4), (6, 7), (4, 9)] {
            assert_eq!(
                add(&transports, token, from, to).await.unwrap(),
                Added::Elsewhere(Some("4 h4".into()))
            );
        }
        assert_eq!(add(&transports, token, 5, 5).await.unwrap(), Added::Ok);
        assert_eq!(mirror::head(&transports, &node, "omm", &run()).await.unwrap().unwrap(), "5 h5");
        let (head, rows) = mirror::fetch(&transports, &node, "omm", &run()).await.unwrap().unwrap();
        assert_eq!(head, "5 h5");
        let rows = String::from_utf8(rows).unwrap();
        let lines: Vec<_> = rows.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, ["1 4 h4 c2VhbGVk", "5 5 h5 c2VhbGVk"]);
        use std::os::unix::fs::MetadataExt as _;
        let folder = fixture.home().join(".windlass/runs/a/mirror");
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(folder.join("rows").metadata().unwrap().mode() & 0o777, 0o600);
        // A long one goes as any other.
        let line = format!("6 6 h6 {}", "x".repeat(200_000));
        let piece = Addition { from: 6, to: 6, hash: "h6", line: &line };
        mirror::append(&transports, &node, "omm", &run(), token, piece).await.unwrap();
        let (_, rows) = mirror::fetch(&transports, &node, "omm", &run()).await.unwrap().unwrap();
        assert!(rows.len() > 200_000);
    }
}

#[tokio::test]
async fn only_the_holder_of_the_lease_adds_to_it_until_the_run_is_over() {
    for fixture in shells() {
        let (transports, node) = (fixture.transports(), n1());
        let token = hold(&transports, "a").await;
        add(&transports, Some(token), 1, 1).await.unwrap();
        for other in [token + 1, 0] {
            let error = add(&transports, Some(other), 2, 2).await.unwrap_err();
            assert!(matches!(error, MirrorError::Fenced { theirs: Some(theirs), .. } if theirs == token));
        }
        lease::release(&transports, &node, "omm", &run(), token).await.unwrap();
        let error = add(&transports, Some(token), 2, 2).await.unwrap_err();
        assert!(matches!(error, MirrorError::Fenced { theirs: None, .. }), "{error}");
        hold(&transports, "b").await;
        let error = add(&transports, Some(token), 2, 2).await.unwrap_err();
        assert!(matches!(error, MirrorError::Fenced { theirs: Some(2), .. }), "{error}");
        assert_eq!(mirror::head(&transports, &node, "omm", &run()).await.unwrap().unwrap(), "1 h1");
        // How the run ended, which is known only when the lease was given back.
        assert_eq!(add(&transports, None, 2, 2).await.unwrap(), Added::Ok);
    }
}

#[tokio::test]
async fn a_piece_that_found_no_room_is_no_part_of_it_and_is_said_so() {
    for fixture in shells() {
        let transports = fixture.transports();
        let token = Some(hold(&transports, "a").await);
        add(&transports, token, 1, 1).await.unwrap();
        let folder = fixture.home().join(".windlass/runs/a/mirror");
        let rows = folder.join("rows");
        std::fs::rename(&rows, folder.join("kept")).unwrap();
        std::os::unix::fs::symlink("/dev/full", &rows).unwrap();
        let error = add(&transports, token, 2, 3).await.unwrap_err();
        assert!(
            matches!(&error, MirrorError::NotKept { why, .. } if why.contains("No space left")),
            "{error}"
        );
        std::fs::remove_file(&rows).unwrap();
        // Half of it had found room.
        let half = [std::fs::read(folder.join("kept")).unwrap(), b"\n2 3 h3 c2Vh".to_vec()].concat();
        std::fs::write(&rows, half).unwrap();
        assert_eq!(add(&transports, token, 2, 3).await.unwrap(), Added::Ok);
        let (head, rows) = mirror::fetch(&transports, &n1(), "omm", &run()).await.unwrap().unwrap();
        assert_eq!(head, "3 h3");
        assert!(String::from_utf8(rows).unwrap().ends_with("\n2 3 h3 c2Vh\n2 3 h3 c2VhbGVk\n"));
    }
}

#[tokio::test]
async fn jobs_are_listed_with_what_became_of_each() {
    for fixture in shells() {
        let transports = fixture.transports();
        assert!(mirror::jobs(&transports, &n1(), "omm", &run()).await.unwrap().is_empty());
        let jobs = fixture.home().join(".windlass/runs/a/jobs");
        std::fs::create_dir_all(jobs.join("e7")).unwrap();
        std::fs::create_dir_all(jobs.join("e9")).unwrap();
        std::fs::write(jobs.join("e7/status"), "exit 0 1 0\n").unwrap();
        let seen = mirror::jobs(&transports, &n1(), "omm", &run()).await.unwrap();
        let seen: Vec<_> =
            seen.iter().map(|job| (job.id.as_str(), job.state.as_str(), job.lives())).collect();
        assert_eq!(seen, [("e7", "exit 0 1 0", false), ("e9", "vanished", false)]);
    }
}
