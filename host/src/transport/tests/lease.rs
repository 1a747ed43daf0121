use super::*;
use crate::model::{PluginName, RunId};
use crate::transport::jobs::{self, JobSpec};
use crate::transport::lease::{self, Holder, LeaseError, LeaseRecord};

fn record(run: &str, controller: &str) -> LeaseRecord {
    LeaseRecord {
        run: RunId::new(run).unwrap(),
        controller: controller.into(),
        procedure: PluginName::new("ha-cert").unwrap(),
        since: 1_767_323_045,
    }
}

fn shells() -> Vec<Fixture> {
    [Some(Fixture::local()), Fixture::busybox()].into_iter().flatten().collect()
}

fn held_by<T: std::fmt::Debug>(result: Result<T, LeaseError>) -> Holder {
    match result {
        Err(LeaseError::Held { by, .. }) => by,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lease_is_one_runs_alone_and_its_token_rises() {
    for fixture in shells() {
        let (transports, node) = (fixture.transports(), n1());
        let (a, b) = (record("a", "alice's\nlaptop \u{1b}[2J"), record("b", "bob"));
        assert_eq!(lease::holder(&transports, &node, "omm").await.unwrap(), None);
        assert!(matches!(
            lease::check(&transports, &node, "omm", &a.run, 1).await,
            Err(LeaseError::NotHeld { .. })
        ));
        assert_eq!(lease::acquire(&transports, &node, "omm", &a).await.unwrap(), 1);
        // The answer was lost.
        assert_eq!(lease::acquire(&transports, &node, "omm", &a).await.unwrap(), 1);
        let by = held_by(lease::acquire(&transports, &node, "omm", &b).await);
        assert_eq!(by, Holder { record: Some(a.clone()), token: 1 });
        assert!(!by.to_string().contains('\u{1b}'));
        // The same run from elsewhere is another holder.
        held_by(lease::acquire(&transports, &node, "omm", &record("a", "carol")).await);
        lease::check(&transports, &node, "omm", &a.run, 1).await.unwrap();
        held_by(lease::check(&transports, &node, "omm", &b.run, 1).await);
        held_by(lease::release(&transports, &node, "omm", &a.run, 2).await);
        lease::release(&transports, &node, "omm", &a.run, 1).await.unwrap();
        lease::release(&transports, &node, "omm", &a.run, 1).await.unwrap();
        assert_eq!(lease::acquire(&transports, &node, "omm", &b).await.unwrap(), 2);
        held_by(lease::release(&transports, &node, "omm", &a.run, 1).await);
        let folder = fixture.home().join(".windlass");
        for folder in [folder.clone(), folder.join("lease")] {
            use std::os::unix::fs::MetadataExt as _;
            assert_eq!(std::fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        }
    }
}

#[tokio::test]
async fn of_many_at_once_one_gets_it() {
    for fixture in shells() {
        let (transports, node) = (fixture.transports(), n1());
        let records: Vec<_> = (0..8).map(|n| record(&format!("r{n}"), "c")).collect();
        let results = records.iter().map(|record| lease::acquire(&transports, &node, "omm", record));
        let results = futures::future::join_all(results).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        // And of many take-overs, too; the others are told who was faster.
        let results = records.iter().map(|record| lease::take_over(&transports, &node, "omm", record, 1));
        let results = futures::future::join_all(results).await;
        let won: Vec<u64> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
        // The holder itself is told its own token, where it asked before anybody took it.
        assert_eq!(won.iter().filter(|token| **token == 2).count(), 1, "{results:?}");
        assert!(won.iter().all(|token| *token <= 2), "{results:?}");
    }
}

#[tokio::test]
async fn a_take_over_is_from_whom_was_shown_and_fences_them() {
    for fixture in shells() {
        let (transports, node) = (fixture.transports(), n1());
        let (a, b) = (record("a", "alice"), record("b", "bob"));
        lease::acquire(&transports, &node, "omm", &a).await.unwrap();
        let by = held_by(lease::take_over(&transports, &node, "omm", &b, 7).await);
        assert_eq!((by.token, by.record.as_ref()), (1, Some(&a)));
        assert_eq!(lease::take_over(&transports, &node, "omm", &b, 1).await.unwrap(), 2);
        held_by(lease::check(&transports, &node, "omm", &a.run, 1).await);
        lease::check(&transports, &node, "omm", &b.run, 2).await.unwrap();
        // The same run, adopted by another controller: the first one is fenced, too.
        assert_eq!(lease::take_over(&transports, &node, "omm", &record("b", "carol"), 2).await.unwrap(), 3);
        held_by(lease::check(&transports, &node, "omm", &b.run, 2).await);
        let left = std::fs::read_dir(fixture.home().join(".windlass/lease")).unwrap().count();
        assert_eq!(left, 2, "token and record");
    }
}

#[tokio::test]
async fn a_living_job_keeps_the_lease_where_it_is() {
    for fixture in shells() {
        let (transports, node) = (fixture.transports(), n1());
        let (a, b) = (record("a", "alice"), record("b", "bob"));
        let token = lease::acquire(&transports, &node, "omm", &a).await.unwrap();
        let words = ["sh", "-c", ": >begun; while [ -e $PWD ] && [ ! -e stop ]; do sleep 0.05; done"];
        let spec = JobSpec {
            id: "long".into(),
            run: a.run.clone(),
            token: Some(token),
            user: "omm".into(),
            cwd: None,
            env: Vec::new(),
            argv: words.map(|word| Zeroizing::new(word.to_owned())).to_vec(),
            prompts: Vec::new(),
            timeout: Duration::from_secs(20),
            terminal: false,
        };
        let home = fixture.home();
        let mut ignore = |_: &[u8]| {};
        let (end, ()) = tokio::join!(jobs::start_and_follow(&transports, &node, &spec, &mut ignore), async {
            until("the job", || home.join("begun").exists()).await;
            for result in [
                lease::take_over(&transports, &node, "omm", &b, token).await.map(drop),
                lease::release(&transports, &node, "omm", &a.run, token).await,
            ] {
                assert!(
                    matches!(&result, Err(LeaseError::Living { jobs, .. }) if jobs == "long"),
                    "{result:?}"
                );
            }
            lease::check(&transports, &node, "omm", &a.run, token).await.unwrap();
            std::fs::write(home.join("stop"), "").unwrap();
        });
        assert_eq!(end.unwrap().exit, 0);
        assert_eq!(lease::take_over(&transports, &node, "omm", &b, token).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_taker_that_died_in_the_middle_leaves_a_lease_that_can_be_had() {
    for fixture in shells() {
        let (transports, node) = (fixture.transports(), n1());
        let (a, b) = (record("a", "alice"), record("b", "bob"));
        let folder = fixture.home().join(".windlass/lease");
        // Killed right after making the folder: nobody is known, so an operator must say so.
        std::fs::create_dir_all(&folder).unwrap();
        let by = held_by(lease::acquire(&transports, &node, "omm", &a).await);
        assert_eq!(by, Holder { record: None, token: 0 });
        assert_eq!(lease::take_over(&transports, &node, "omm", &a, 0).await.unwrap(), 1);
        // Killed in a take-over, with the token moved away: it is the old holder's again.
        std::fs::rename(folder.join("token"), folder.join("was.1")).unwrap();
        lease::check(&transports, &node, "omm", &a.run, 1).await.unwrap();
        assert_eq!(lease::take_over(&transports, &node, "omm", &b, 1).await.unwrap(), 2);
        // Killed in taking it, with its record written: the same run has it, with a token of its own.
        std::fs::remove_file(folder.join("token")).unwrap();
        assert_eq!(lease::acquire(&transports, &node, "omm", &b).await.unwrap(), 3);
        lease::check(&transports, &node, "omm", &b.run, 3).await.unwrap();
    }
}
