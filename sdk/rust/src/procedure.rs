//! What a procedure exports.

pub use crate::bindings::procedure::exports::windlass::plugin::procedure_api::{
    Check, Description, Guest, Parameter, Step,
};
use crate::{Entry, Fault};

/// A procedure. Every call runs in a fresh instance: what must last is kept with [`crate::host::state`] or in
/// objects of the run.
pub trait Procedure {
    fn describe() -> Description;

    /// Preflight and plan: observes, checks, and returns the steps in order. None: nothing to do.
    fn steps() -> Result<Vec<Step>, Fault>;

    /// Does one step.
    fn apply(step: &str) -> Result<(), Fault>;

    /// Takes one step back, as far as it got; called in reverse order, and again after an interruption.
    /// A procedure without this must say of every step that it cannot be undone.
    fn undo(step: &str) -> Result<(), Fault> {
        Err(Fault::new("refused", format!("the step {step} cannot be taken back by this procedure")))
    }

    /// Proves the result on the live cluster. Without this nothing is proved, and the run says so.
    fn verify() -> Result<Vec<Check>, Fault> {
        Ok(Vec::new())
    }
}

impl<P: Procedure> Guest for P {
    fn describe() -> Description {
        P::describe()
    }
    fn steps() -> Result<Vec<Step>, Fault> {
        P::steps()
    }
    fn apply(step: String) -> Result<(), Fault> {
        P::apply(&step)
    }
    fn undo(step: String) -> Result<(), Fault> {
        P::undo(&step)
    }
    fn verify() -> Result<Vec<Check>, Fault> {
        P::verify()
    }
}

impl Step {
    /// Returns a step that has no impact and, as [`Procedure::undo`] is by default, cannot be taken back.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            nodes: Vec::new(),
            impact: String::new(),
            guards: Vec::new(),
            undoable: false,
        }
    }

    /// Names a node that it touches.
    #[must_use]
    pub fn on(mut self, node: impl Into<String>) -> Self {
        self.nodes.push(node.into());
        self
    }

    /// Says what people notice of it.
    #[must_use]
    pub fn impact(mut self, impact: impl Into<String>) -> Self {
        self.impact = impact.into();
        self
    }

    /// Adds what must still be true before it: `roles`, `clocks`, `reachable`.
    #[must_use]
    pub fn guards(mut self, guards: &[&str]) -> Self {
        self.guards.extend(guards.iter().map(|guard| (*guard).to_owned()));
        self
    }

    /// Says that [`Procedure::undo`] takes it back.
    #[must_use]
    pub fn undoable(mut self) -> Self {
        self.undoable = true;
        self
    }
}

impl Parameter {
    /// Returns a parameter that has a default and takes any text.
    pub fn new(name: &str, default: &str, summary: &str) -> Self {
        Self {
            name: name.into(),
            summary: summary.into(),
            default: Some(default.into()),
            choices: Vec::new(),
        }
    }

    /// Allows only these values.
    #[must_use]
    pub fn choices(mut self, choices: &[&str]) -> Self {
        self.choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
        self
    }

    /// Takes the default away: a value must be given.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.default = None;
        self
    }
}

impl Check {
    pub fn new(title: impl Into<String>, passed: bool) -> Self {
        Self { title: title.into(), passed, evidence: Vec::new() }
    }

    /// Adds something that was seen, as long as there is room: a node may answer with any number of rows, and a host
    /// takes 100 pieces of evidence.
    #[must_use]
    pub fn evidence(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        const ROOM: usize = 100;
        match self.evidence.len() + 1 {
            here if here < ROOM => self.evidence.push(Entry::new(name, value)),
            ROOM => self.evidence.push(Entry::new("and more", "there is no room for all that was seen")),
            _ => {}
        }
        self
    }
}

/// Exports a type that implements [`Procedure`](crate::Procedure) as the plugin. Once, in `lib.rs`.
#[macro_export]
macro_rules! export_procedure {
    ($type:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::procedure::export!($type with_types_in $crate::bindings::procedure);
    };
}

#[cfg(test)]
mod tests {
    use super::{Check, Description, Procedure, Step};
    use crate::Fault;

    struct Short;

    impl Procedure for Short {
        fn describe() -> Description {
            Description { title: "Do it".into(), impact: String::new(), parameters: Vec::new() }
        }
        fn steps() -> Result<Vec<Step>, Fault> {
            Ok(vec![Step::new("do", "Do it").on("a").on("b").impact("none").guards(&["roles"])])
        }
        fn apply(_: &str) -> Result<(), Fault> {
            Ok(())
        }
    }

    #[test]
    fn what_a_procedure_leaves_out_is_not_taken_for_done() {
        let step = Short::steps().unwrap().remove(0);
        assert!(!step.undoable && step.clone().undoable().undoable);
        assert_eq!((step.nodes.len(), step.guards.len(), step.impact.as_str()), (2, 1, "none"));
        let fault = Short::undo(&step.id).unwrap_err();
        assert!(
            fault.is("refused") && fault.message.contains("the step do cannot be taken back"),
            "{fault:?}"
        );
        assert!(Short::verify().unwrap().is_empty());
    }

    #[test]
    fn a_check_has_as_much_evidence_as_a_host_takes_and_says_that_there_is_more() {
        for (seen, told) in [(0, 0), (99, 99), (100, 100), (2_000, 100)] {
            let rows = (0..seen).map(|row| row.to_string());
            let check = rows.fold(Check::new("all are well", true), |check, row| check.evidence(row, "well"));
            assert_eq!(check.evidence.len(), told, "{seen}");
            assert_eq!(
                check.evidence.last().is_some_and(|last| last.name == "and more"),
                seen > 99,
                "{seen}"
            );
        }
    }
}
