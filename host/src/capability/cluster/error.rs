//! Why a probe of the cluster has no answer.

use crate::model::code;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error("the health table is larger than {limit} bytes; run the status command on the node by hand")]
    TableTooLong { limit: usize },
    #[error("there is no health table in what the status command printed; run it on the node by hand")]
    NoTable,
    #[error(
        "line {line} of the health table cannot be read: {why}; run the status command on the node by hand"
    )]
    Table { line: usize, why: String },

    #[error("{host}:{port} cannot be reached: {why}; does the service run, and is the port open?")]
    Unreachable { host: String, port: u16, why: String },
    #[error("{host}:{port} did not finish a TLS handshake within {timeout:?}")]
    TimedOut { host: String, port: u16, timeout: Duration },
    #[error("{host}:{port} presented no certificate in a TLS handshake: {why}")]
    Handshake { host: String, port: u16, why: String },
    #[error(
        "{host}:{port} presented a certificate and did not prove that it has its key: {why}; something else \
         may answer there, or certificate and key on the node are not a pair"
    )]
    NotProven { host: String, port: u16, why: String },

    #[error("the manager's address {url:?} cannot be used: {why}; check [manager] in site.toml")]
    ManagerAddress { url: String, why: String },
    #[error("the CA that the site pins for the manager cannot be used: {why}; check `ca` of [manager]")]
    ManagerCa { why: String },
    #[error("the manager's page {url} cannot be accessed: {why}")]
    Manager { url: String, why: String },
    #[error(
        "the manager's page {url} answers {status}, and the site expects {expected}; open it in a browser, or \
         add the status to `expect` of [manager]"
    )]
    ManagerStatus { url: String, status: u16, expected: String },
}

impl ClusterError {
    /// Returns the code of `fault` in the contract that tells a plugin the same.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Handshake { .. } | Self::Manager { .. } => code::UNREACHABLE,
            Self::TimedOut { .. } => code::TIMEOUT,
            Self::ManagerAddress { .. } | Self::ManagerCa { .. } => code::INVALID,
            Self::TableTooLong { .. }
            | Self::NoTable
            | Self::Table { .. }
            | Self::NotProven { .. }
            | Self::ManagerStatus { .. } => code::FAILED,
        }
    }
}
