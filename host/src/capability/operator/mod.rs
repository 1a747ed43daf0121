//! The person at the controller, as capabilities see them. The command line stands behind it.

use crate::capability::secrets::Secret;

/// Questions to the operator. None: there is nobody to ask.
pub trait Operator: Send + Sync {
    /// Asks a yes-or-no question with its impact in view; answered without asking where the operator said so
    /// on the command line.
    fn confirm(&self, question: &str, impact: &str) -> Option<bool>;

    /// Asks for a line that is not shown.
    fn secret(&self, prompt: &str) -> Option<std::io::Result<Secret>>;

    /// Shows an instruction, waits, and returns whether the operator says it is done.
    fn instruct(&self, instruction: &str) -> Option<bool>;
}
