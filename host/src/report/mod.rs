//! Views of a run's events and journal, and of plans: lines for people. JSON is the events themselves.

mod plan;
mod text;

pub use plan::plan_lines;
pub use text::{event_line, moment, report, row_lines};
pub(crate) use text::{on, state_word};
