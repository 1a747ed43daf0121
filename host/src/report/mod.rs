//! Views of a run's events and journal: lines for people. JSON is the events themselves.

mod text;

pub use text::{event_line, moment, report, row_lines};
pub(crate) use text::{on, state_word};
