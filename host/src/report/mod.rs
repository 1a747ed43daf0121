//! Views of a run's events and journal, and of plans: lines for people. JSON is the events themselves.

pub mod audit;
mod difference;
mod plan;
mod scenario;
mod status;
mod text;
mod transcript;

pub use difference::difference;
pub(crate) use plan::harmless;
pub use plan::plan_lines;
pub use scenario::{SiteFacts, scenario};
pub use status::{
    Attention, CertificateStatus, EndpointStatus, HealthStatus, KeyStatus, Keys, KeysetStatus, NodeStatus,
    RunStatus, Status, Thresholds,
};
pub(crate) use text::{ALONE, glass, names, on, state_word};
pub use text::{event_line, moment, report, row_lines};
pub use transcript::{told, transcript};
