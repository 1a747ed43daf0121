//! One file a subcommand: `Args`, and `run(args, &Context) -> Result<Exit>`.

pub mod init;
pub mod site;
pub mod lab;
