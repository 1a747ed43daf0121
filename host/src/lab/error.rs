//! What can go wrong with the practice cluster.

use camino::Utf8PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("{doing} {path}")]
    File { doing: &'static str, path: Utf8PathBuf, source: std::io::Error },
    #[error("{doing}")]
    System { doing: String, source: std::io::Error },
    #[error("{doing}: {why}")]
    Failed { doing: String, why: String },
    #[error("{dir} holds no practice cluster; `windlass lab up {dir}` makes one")]
    NotALab { dir: Utf8PathBuf },
    #[error("a practice cluster already runs in {dir}; `windlass lab down {dir}` ends it")]
    AlreadyUp { dir: Utf8PathBuf },
    #[error("{path} is there and was not written by `windlass lab up`; choose another folder")]
    Occupied { path: Utf8PathBuf },
    #[error(
        "the practice cluster of {pid_file} no longer runs; `windlass lab up` with its folder starts it again"
    )]
    Gone { pid_file: Utf8PathBuf },
    #[error("{what} needs root; without it use `--transport local`, or sudo")]
    NeedsRoot { what: &'static str },
    #[error("the practice cluster needs {tool} on this machine: {why}")]
    Missing { tool: &'static str, why: &'static str },
    #[error("{what} did not start: {why} (log: {log})")]
    Start { what: String, why: String, log: Utf8PathBuf },
    #[error("there is no node {node} in this practice cluster; its nodes are {known}")]
    UnknownNode { node: String, known: String },
    #[error("{switch} cannot be set on {node}: {why}")]
    Switch { switch: &'static str, node: String, why: String },
}

pub type Result<T> = std::result::Result<T, LabError>;

impl LabError {
    pub(super) fn file(
        doing: &'static str,
        path: impl Into<Utf8PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }

    pub(super) fn system<E: Into<std::io::Error>>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        let doing = doing.into();
        move |source| Self::System { doing, source: source.into() }
    }

    pub(super) fn failed(doing: impl Into<String>, why: impl ToString) -> Self {
        Self::Failed { doing: doing.into(), why: why.to_string() }
    }
}
