//! One file a subcommand: `Args`, and `run(args, &Context) -> Result<Exit>`.

pub mod gen_cert;
