//! The suite: one binary, one module a subject.

mod architecture;
mod contract;
mod lab;
mod refuse;
mod twins;
