//! The practice cluster's commands only; the whole tree of commands is dispatched in `cli`.

use clap::Parser;
use std::process::ExitCode;
use windlass::cli::commands::lab;
use windlass::cli::ui::{Format, Loudness, Ui};

#[derive(Parser)]
enum Command {
    Lab(lab::Args),
    #[command(hide = true)]
    LabService(lab::ServiceArgs),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Lab(args) => {
            let ui = Ui::new(Format::Text, Loudness::Normal, false);
            let context = windlass::cli::Context { ui, site_dir: ".".into(), state_dir: ".".into() };
            lab::run(&args, &context)
        }
        Command::LabService(args) => match tokio::runtime::Builder::new_current_thread().enable_all().build()
        {
            Ok(runtime) => runtime.block_on(lab::run_service(&args)),
            Err(error) => {
                eprintln!("start the runtime: {error}");
                return ExitCode::from(70);
            }
        },
    };
    match done {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => {
            eprintln!("{}", error.render());
            ExitCode::from(error.exit as u8)
        }
    }
}
