//! The suite: one binary, one module a subject.

mod architecture;
mod contract;
mod lab;
mod run;
mod twins;
