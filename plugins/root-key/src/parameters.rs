//! The parameters: declared once, read and checked together.

use windlass_sdk::procedure::Parameter;
use windlass_sdk::{Fault, Parameters as Reader};

/// What the run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Update,
    /// Brings nodes that were away to the key set that the cluster has.
    CatchUp,
}

/// Who makes the new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// The product's script, which also sends it to every node.
    Product,
    /// Windlass, in the key set on the nodes.
    Native,
}

#[derive(Debug, Clone)]
pub struct Parameters {
    pub mode: Mode,
    pub update: Update,
    /// Seal the site's own values anew when the cluster runs again.
    pub rewrap: bool,
    /// The product reads a key set that Windlass made.
    pub product_reads: bool,
    /// How long services may take to stop, and to start, in milliseconds.
    pub patience: u32,
}

/// Returns what `describe` says of the parameters.
pub fn declared() -> Vec<Parameter> {
    vec![
        Parameter::new(
            "mode",
            "update",
            "update: the documented procedure; catch-up: bring nodes that were away to the cluster's key set",
        )
        .choices(&["update", "catch-up"]),
        Parameter::new(
            "update",
            "product",
            "Who makes the new key: the product's script, or Windlass in the key set on the nodes",
        )
        .choices(&["product", "native"]),
        Parameter::new("rewrap", "no", "Seal the site's own values anew under the new key")
            .choices(&["no", "yes"]),
        Parameter::new(
            "product_reads_keyset",
            "no",
            "Whether the product reads a key set that Windlass made; the profile says so",
        )
        .choices(&["no", "yes"]),
        Parameter::new("patience", "600", "Seconds that the services may take to stop, and to start"),
    ]
}

impl Parameters {
    /// Reads the parameters. Faults: `invalid`, naming everything that is wrong.
    pub fn read() -> Result<Parameters, Fault> {
        let mut reader = Reader::of("root-key", declared());
        let parameters = Parameters {
            mode: if reader.text("mode")? == "catch-up" { Mode::CatchUp } else { Mode::Update },
            update: if reader.text("update")? == "native" { Update::Native } else { Update::Product },
            rewrap: reader.text("rewrap")? == "yes",
            product_reads: reader.text("product_reads_keyset")? == "yes",
            // An hour and a half, so that it fits in milliseconds with room to spare.
            patience: reader.number("patience", 5_400)?.saturating_mul(1_000),
        };
        reader.problems.into_result("invalid")?;
        Ok(parameters)
    }
}
