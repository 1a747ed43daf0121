//! Takes a version of the root key out of the cluster's key sets, for good: what is sealed under it opens nowhere
//! from then on. Refused as long as anything that can be asked says that it needs the version.
//!
//! One file a phase: [`preflight`] looks for what needs it, [`apply`] takes it out, [`verify`] proves that it is gone.

mod apply;
mod preflight;
mod verify;

use windlass_sdk::procedure::{Check, Description, Parameter, Step};
use windlass_sdk::{Fault, Parameters, Procedure};

/// The procedure `retire-key`.
pub struct RetireKey;

/// The steps.
const ACKNOWLEDGE: &str = "acknowledge";
const RETIRE: &str = "retire";
/// Where the version is kept that was primary when the run began.
const PRIMARY: &str = "primary";

impl Procedure for RetireKey {
    fn describe() -> Description {
        Description {
            title: "Take a version of the root key out of the cluster's key sets".into(),
            impact: "What is sealed under the version cannot be opened any more, by anybody, once the run is closed. \
                     Services go on with the key set that they have loaded, and load the new one when they start."
                .into(),
            parameters: declared(),
        }
    }

    fn steps() -> Result<Vec<Step>, Fault> {
        preflight::steps(version()?)
    }

    fn apply(step: &str) -> Result<(), Fault> {
        match step {
            ACKNOWLEDGE => apply::acknowledge(),
            RETIRE => apply::retire(version()?),
            other => Err(Fault::new("unknown", format!("retire-key has no step {other:?}"))),
        }
    }

    fn undo(step: &str) -> Result<(), Fault> {
        match step {
            RETIRE => apply::undo(),
            _ => Ok(()),
        }
    }

    fn verify() -> Result<Vec<Check>, Fault> {
        verify::verify(version()?)
    }
}

fn declared() -> Vec<Parameter> {
    vec![
        Parameter::new("version", "", "The number of the version, as `windlass keyring info` shows it")
            .required(),
    ]
}

fn version() -> Result<u32, Fault> {
    let mut reader = Parameters::of("retire-key", declared());
    let text = reader.text("version")?;
    text.trim().parse().map_err(|_| {
        Fault::new("invalid", format!("the parameter version is {text:?}, not the number of a version"))
            .hint("windlass keyring info shows the versions; give one with -p version=NUMBER")
    })
}

windlass_sdk::export_procedure!(RetireKey);
