//! One file a subcommand: `Args`, and `run(args, &Context) -> Result<Exit>`.

pub mod approve;
pub mod audit;
pub mod certify;
pub mod completions;
pub mod demo;
pub mod gen_cert;
pub mod init;
pub mod keyring;
pub mod lab;
pub mod man;
pub mod plan;
pub mod plugin;
pub mod resume;
pub mod rollback;
pub mod run;
pub mod runs;
pub mod secret;
pub mod site;
pub mod status;
