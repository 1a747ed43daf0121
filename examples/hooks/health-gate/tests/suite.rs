//! Against a cluster that says what a test wants.

use health_gate::HealthGate;
use std::cell::RefCell;
use std::rc::Rc;
use windlass_sdk::hook::{Answer, Event};
use windlass_sdk::mock::{self, MockHost};
use windlass_sdk::{Entry, Fault, HealthRecord, Hook as _};

/// Is well after so many looks.
#[derive(Default)]
struct Cluster {
    sick_for: u32,
    looks: u32,
    slept: Vec<u32>,
}

impl MockHost for Cluster {
    fn health(&mut self) -> Result<Vec<HealthRecord>, Fault> {
        self.looks += 1;
        let state = if self.looks > self.sick_for { "normal" } else { "abnormal" };
        Ok(vec![HealthRecord {
            reporter: "master1".into(),
            node: "master2".into(),
            role: "standby".into(),
            state: state.into(),
            phase: "Started".into(),
        }])
    }
    fn sleep(&mut self, milliseconds: u32) -> Result<(), Fault> {
        self.slept.push(milliseconds);
        Ok(())
    }
}

fn handle(code: &str, sick_for: u32, wait: &str) -> (Result<Answer, Fault>, Rc<RefCell<Cluster>>) {
    let cluster = Rc::new(RefCell::new(Cluster { sick_for, ..Cluster::default() }));
    let _installed = mock::install(cluster.clone());
    let event = Event { code: code.into(), details: Vec::new(), parameters: vec![Entry::new("wait", wait)] };
    (HealthGate::handle(event), cluster)
}

#[test]
fn a_pair_that_is_well_goes_on_and_one_that_is_not_is_told_of() {
    assert!(matches!(handle("before-run", 0, "0").0, Ok(Answer::GoOn)));
    let (Ok(Answer::Veto(why)), _) = handle("before-run", 9, "0") else { panic!("it went on") };
    assert_eq!(why, "master1 says of master2 that it is abnormal");
}

#[test]
fn what_is_settling_is_waited_for_and_no_longer_than_said() {
    let (answer, cluster) = handle("before-step", 2, "12");
    assert!(matches!(answer, Ok(Answer::GoOn)));
    assert_eq!(cluster.borrow().slept, [5_000, 5_000]);
    let (answer, cluster) = handle("before-step", 9, "12");
    assert!(matches!(answer, Ok(Answer::Veto(_))));
    assert_eq!(cluster.borrow().slept, [5_000, 5_000, 2_000]);
}

#[test]
fn an_event_that_is_none_of_its_business_is_not_looked_at() {
    let (answer, cluster) = handle("after-step", 9, "0");
    assert!(matches!(answer, Ok(Answer::GoOn)));
    assert_eq!(cluster.borrow().looks, 0);
}

#[test]
fn a_wait_that_is_no_number_is_an_error_that_says_so() {
    for wait in ["soon", "-1", "5000000", ""] {
        let fault = handle("before-run", 0, wait).0.unwrap_err();
        assert!(fault.is("invalid") && fault.message.contains("wait"), "{wait}: {fault:?}");
    }
}
