//! The seam between capabilities and `transport`: run one constant script on a node.
//!
//! `transport::Transports` is what stands behind it in a run. Capabilities are written against this
//! trait so that their scripts can be tested under several shells with nothing else in the way.

use crate::transport::{Reply, Request, TransportError, Transports};
use std::future::Future;

/// Runs a script on a node and returns what it printed.
pub trait Remote: Sync {
    fn exec(&self, request: Request<'_>) -> impl Future<Output = Result<Reply, TransportError>> + Send;
}

impl Remote for Transports {
    fn exec(&self, request: Request<'_>) -> impl Future<Output = Result<Reply, TransportError>> + Send {
        Transports::exec(self, request)
    }
}
