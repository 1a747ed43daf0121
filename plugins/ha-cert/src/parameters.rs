//! The parameters: declared once, read and checked together.

use windlass_sdk::procedure::Parameter;
use windlass_sdk::{Entry, Fault, Parameters as Reader};

/// The order of the work, and what must be true before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// The documented one, on a pair that is well.
    Sequential,
    /// As much of it as a pair that is not well needs.
    Repair,
}

/// Where the new root comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ca {
    /// Windlass makes it.
    Host,
    /// The product's generator makes it, on the first node.
    Product,
    /// The site brings it.
    Supplied,
}

/// Who issues the new leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf {
    /// The product's replacement script, on each node.
    Product,
    /// Windlass.
    Host,
}

#[derive(Debug, Clone)]
pub struct Parameters {
    pub strategy: Strategy,
    pub ca: Ca,
    pub leaf: Leaf,
    /// The subject's attributes that have a value, in the contract's order.
    pub subject: Vec<Entry>,
    pub ca_days: u32,
    pub leaf_days: u32,
    /// Names in a leaf besides its node's.
    pub leaf_names: Vec<String>,
    pub algorithm: String,
    /// How long a restarted service may take to present its certificate and report `normal`, in milliseconds.
    pub patience: u32,
}

/// The subject's attributes: the parameter's name, the contract's name, what it is.
const SUBJECT: [(&str, &str, &str); 7] = [
    ("country", "country", "Country of the root's subject, two capital letters"),
    ("state", "state", "State or province of the root's subject"),
    ("city", "city", "City of the root's subject"),
    ("company", "company", "Company of the root's subject"),
    ("organize", "organize", "Department of the root's subject"),
    ("common_name", "common-name", "Common name of the root's subject; needed unless ca is \"supplied\""),
    ("email", "email", "Administrator's e-mail address in the root's subject"),
];

const ALGORITHMS: [&str; 4] = ["rsa-3072", "rsa-4096", "ecdsa-p256", "ecdsa-p384"];

/// A hundred years; a later end does not fit the dates that some products parse.
const LONGEST_DAYS: u32 = 36_500;

/// Returns what `describe` says of the parameters.
pub fn declared() -> Vec<Parameter> {
    let mut declared = vec![
        Parameter::new(
            "strategy",
            "sequential",
            "sequential: the documented order, on a pair that is well; repair: a pair that is split, half rotated or expired",
        )
        .choices(&["sequential", "repair"]),
        Parameter::new(
            "ca",
            "host",
            "Who makes the new root: Windlass, the product's generator, or the site, which supplies it",
        )
        .choices(&["host", "product", "supplied"]),
        Parameter::new("leaf", "product", "Who issues the new leaves: the product's script, or Windlass")
            .choices(&["product", "host"]),
    ];
    declared.extend(SUBJECT.iter().map(|(name, _, summary)| Parameter::new(name, "", summary)));
    declared.extend([
        Parameter::new("ca_days", "3650", "Days that a root made by Windlass is valid"),
        Parameter::new("leaf_days", "825", "Days that a leaf issued by Windlass is valid"),
        Parameter::new(
            "leaf_names",
            "",
            "Further DNS names or addresses in a leaf issued by Windlass, with commas",
        ),
        Parameter::new("algorithm", "rsa-3072", "Key algorithm of what Windlass makes").choices(&ALGORITHMS),
        Parameter::new(
            "patience",
            // The product shows NULL for a minute after a restart; as long again for a slow machine.
            "120",
            "Seconds that a restarted service may take to present its certificate and to report normal",
        ),
    ]);
    declared
}

impl Parameters {
    /// Reads the parameters. Faults: `invalid`, naming everything that is wrong.
    pub fn read() -> Result<Parameters, Fault> {
        let mut reader = Reader::of("ha-cert", declared());
        let strategy =
            if reader.text("strategy")? == "repair" { Strategy::Repair } else { Strategy::Sequential };
        let ca = match reader.text("ca")?.as_str() {
            "product" => Ca::Product,
            "supplied" => Ca::Supplied,
            _ => Ca::Host,
        };
        let leaf = if reader.text("leaf")? == "host" { Leaf::Host } else { Leaf::Product };
        let mut subject = Vec::new();
        for (name, attribute, _) in SUBJECT {
            let value = reader.text(name)?;
            if value.is_empty() {
                // The product's generator is documented with all of them, the host needs a common name.
                if ca == Ca::Product || (ca == Ca::Host && name == "common_name") {
                    reader.problems.add(
                        format!("the parameter {name} is needed with ca = \"{}\"", ca.name()),
                        format!("set {name} in [procedures.ha-cert.params] or with -p {name}=…"),
                    );
                }
                continue;
            }
            if name == "country" && !(value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_uppercase()))
            {
                reader.problems.add(
                    format!("the parameter country is {value:?}, not two capital letters"),
                    "give the ISO 3166 code, as DE",
                );
            }
            subject.push(Entry::new(attribute, value));
        }
        let parameters = Parameters {
            strategy,
            ca,
            leaf,
            subject,
            ca_days: reader.number("ca_days", LONGEST_DAYS)?,
            leaf_days: reader.number("leaf_days", LONGEST_DAYS)?,
            leaf_names: reader
                .text("leaf_names")?
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            algorithm: reader.text("algorithm")?,
            // An hour, so that it fits in milliseconds with room to spare.
            patience: reader.number("patience", 3_600)?.saturating_mul(1_000),
        };
        if ca == Ca::Product && leaf == Leaf::Host {
            reader.problems.add(
                "with ca = \"product\" the root's key stays on the nodes, so Windlass cannot issue the leaves",
                "use leaf = \"product\", or ca = \"host\"",
            );
        }
        if ca == Ca::Host && leaf == Leaf::Host && parameters.leaf_days > parameters.ca_days {
            reader.problems.add(
                format!(
                    "leaves of {} days would outlive their root of {} days",
                    parameters.leaf_days, parameters.ca_days
                ),
                "lower leaf_days or raise ca_days",
            );
        }
        reader.problems.into_result("invalid")?;
        Ok(parameters)
    }

    /// Returns the subject under the names of the generator's placeholders, which are those of the parameters.
    pub fn command_arguments(&self) -> Vec<(&'static str, &str)> {
        SUBJECT
            .iter()
            .filter_map(|(name, attribute, _)| {
                self.subject
                    .iter()
                    .find(|entry| entry.name == *attribute)
                    .map(|entry| (*name, entry.value.as_str()))
            })
            .collect()
    }
}

impl Ca {
    pub fn name(self) -> &'static str {
        match self {
            Ca::Host => "host",
            Ca::Product => "product",
            Ca::Supplied => "supplied",
        }
    }
}
