//! The steps by their public ids.

use std::fmt;
use std::str::FromStr;
use windlass_sdk::{Fault, procedure};

/// A step of this procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Acknowledge,
    Applications,
    Backup,
    Stop,
    Update,
    Compare,
    Start,
    Rewrap,
    /// Of `catch-up`.
    Level,
    Join,
}

impl Step {
    const ALL: [Step; 10] = [
        Step::Acknowledge,
        Step::Applications,
        Step::Backup,
        Step::Stop,
        Step::Update,
        Step::Compare,
        Step::Start,
        Step::Rewrap,
        Step::Level,
        Step::Join,
    ];

    pub fn id(self) -> &'static str {
        match self {
            Step::Acknowledge => "acknowledge",
            Step::Applications => "applications",
            Step::Backup => "backup",
            Step::Stop => "stop",
            Step::Update => "update",
            Step::Compare => "compare",
            Step::Start => "start",
            Step::Rewrap => "rewrap",
            Step::Level => "level",
            Step::Join => "join",
        }
    }

    /// The step as the host shows it. `nodes` are those that it changes.
    pub fn planned(self, title: impl Into<String>, nodes: &[String]) -> procedure::Step {
        procedure::Step {
            id: self.id().into(),
            title: title.into(),
            nodes: nodes.to_vec(),
            impact: match self {
                Step::Stop => {
                    "The cluster is stopped and cannot be accessed until it is started again.".into()
                }
                _ => String::new(),
            },
            guards: match self {
                Step::Acknowledge | Step::Applications => Vec::new(),
                _ => vec!["roles".into()],
            },
            undoable: !matches!(self, Step::Start | Step::Rewrap),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Step {
    type Err = Fault;

    fn from_str(id: &str) -> Result<Step, Fault> {
        Step::ALL
            .into_iter()
            .find(|step| step.id() == id)
            .ok_or_else(|| Fault::new("unknown", format!("root-key has no step {id:?}")))
    }
}
