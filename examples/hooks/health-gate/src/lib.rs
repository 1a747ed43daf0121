//! Lets a run go on only while every manager says that all is normal. Bind it before what must not begin on a pair
//! that is not well:
//!
//! ```toml
//! [[hooks]]
//! plugin = "health-gate"
//! before = "ha-cert/run"
//! params = { wait = 120 }
//! ```
//!
//! `wait`: for how many seconds what is settling may still do so; default 0.

use windlass_sdk::hook::{Answer, Description, Event};
use windlass_sdk::{Fault, Hook, host};

/// Between two looks, in milliseconds.
const PAUSE: u32 = 5_000;

/// Characters of a reason; the contract takes no more than 4,096.
const LONGEST: usize = 4_000;

/// The hook `health-gate`.
pub struct HealthGate;

impl Hook for HealthGate {
    fn describe() -> Description {
        Description { title: "Let a run go on only while every manager is well".into() }
    }

    fn handle(event: Event) -> Result<Answer, Fault> {
        if !event.code.starts_with("before-") {
            return Ok(Answer::GoOn);
        }
        let mut left = wait(&event)?;
        loop {
            let problems = problems()?;
            if problems.is_empty() {
                return Ok(Answer::GoOn);
            }
            if left == 0 {
                return Ok(Answer::Veto(shortened(&problems)));
            }
            host::clock::sleep(PAUSE.min(left))?;
            left = left.saturating_sub(PAUSE);
        }
    }
}

/// In milliseconds.
fn wait(event: &Event) -> Result<u32, Fault> {
    let given = event.parameter("wait").unwrap_or("0");
    let seconds: Option<u32> = given.parse().ok();
    seconds.and_then(|seconds| seconds.checked_mul(1_000)).ok_or_else(|| {
        Fault::new("invalid", format!("the parameter wait is {given:?}, not a number of seconds"))
    })
}

fn problems() -> Result<Vec<String>, Fault> {
    let records = host::cluster::health()?;
    if records.is_empty() {
        return Ok(vec!["no manager says how it is".into()]);
    }
    let is_well = |state: &str| state == "normal";
    let told = |record: &windlass_sdk::HealthRecord| {
        format!("{} says of {} that it is {}", record.reporter, record.node, record.state)
    };
    Ok(records.iter().filter(|record| !is_well(&record.state)).map(told).collect())
}

/// What is wrong, in one text. A node may claim whatever it likes: only what a reason has room for is passed on.
fn shortened(problems: &[String]) -> String {
    problems.join("; ").chars().take(LONGEST).collect()
}

windlass_sdk::export_hook!(HealthGate);
