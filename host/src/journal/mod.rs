//! What a run keeps on disk.

pub mod sealed;
