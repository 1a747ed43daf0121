//! The processes a practice cluster consists of, as hidden commands: `windlass lab-service …`.

use super::error::Result;
use super::{ha, namespace, services, supervisor};
use camino::Utf8PathBuf;

/// A process of a practice cluster; nobody types these.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Service {
    /// The supervisor of the practice cluster in DIR
    Supervisor { dir: Utf8PathBuf },
    /// The first process of a node; reads what it is from standard input
    Node,
    /// The HA service of the node with this state folder
    Ha { state: Utf8PathBuf },
    /// Starts that service as a daemon and returns when it listens
    HaStart { state: Utf8PathBuf },
    /// Stops it
    HaStop { state: Utf8PathBuf },
    /// Starts the services of the node with this state folder, where its key set opens what they need
    ServicesStart { state: Utf8PathBuf },
    /// Stops them
    ServicesStop { state: Utf8PathBuf },
    /// Seals what they need anew, under the key of now
    ServicesRenew { state: Utf8PathBuf },
}

impl Service {
    /// Runs the process; its standard error is a log. Needs a tokio runtime with I/O and time.
    pub async fn run(&self) -> Result<()> {
        match self {
            Self::Supervisor { dir } => supervisor::supervise(dir).await,
            Self::Node => namespace::become_node(),
            Self::Ha { state } => ha::serve(state).await,
            Self::HaStart { state } => ha::start(state),
            Self::HaStop { state } => ha::stop(state),
            Self::ServicesStart { state } => services::start(state, None).map(drop),
            Self::ServicesStop { state } => services::stop(state),
            Self::ServicesRenew { state } => services::renew(state),
        }
    }
}
