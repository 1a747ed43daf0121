//! The suite: one binary, one module a subject.

mod approval;
mod architecture;
mod contract;
mod documented;
mod hooks;
mod keyring;
mod lab;
mod promise;
mod reference;
mod refuse;
mod run;
mod scripts;
mod status;
mod twins;
