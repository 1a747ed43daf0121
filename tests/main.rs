//! The suite: one binary, one module a subject.

mod lab;
mod architecture;
mod contract;
