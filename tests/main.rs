//! The suite: one binary, one module a subject.

mod approval;
mod architecture;
mod audit;
mod carry;
mod certified;
mod contract;
mod documented;
mod envelope;
mod hooks;
mod keyring;
mod lab;
mod plugin_project;
mod promise;
mod reference;
mod refuse;
mod run;
mod scripts;
mod signed;
mod status;
mod twins;
