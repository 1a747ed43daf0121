//! Reads a procedure's parameters as it has declared them, and gathers what is wrong with them.

use crate::problems::Problems;
use crate::procedure::Parameter;
use crate::{Fault, host};

/// The parameters of one procedure, while they are read. Everything that is wrong with them is gathered in
/// [`problems`](Self::problems), so that the operator hears all of it at once.
#[derive(Debug)]
pub struct Parameters {
    procedure: &'static str,
    declared: Vec<Parameter>,
    pub problems: Problems,
}

impl Parameters {
    /// Begins to read what a procedure of this name has declared.
    pub fn of(procedure: &'static str, declared: Vec<Parameter>) -> Self {
        Self { procedure, declared, problems: Problems::default() }
    }

    /// Returns the value given, or the declared default. A value that is none of the choices is a problem.
    pub fn text(&mut self, name: &str) -> Result<String, Fault> {
        let given = host::operator::parameter(name)?;
        let Some(declared) = self.declared.iter().find(|parameter| parameter.name == name) else {
            return Ok(given.unwrap_or_default());
        };
        let value = given.or_else(|| declared.default.clone()).unwrap_or_default();
        if !declared.choices.is_empty() && !declared.choices.contains(&value) {
            self.problems.add(
                format!("the parameter {name} is {value:?}, which is none of its choices"),
                format!("choose one of: {}", declared.choices.join(", ")),
            );
        }
        Ok(value)
    }

    /// Returns a number from 1 to `most`; any other value is a problem, and `most` goes on for it.
    pub fn number(&mut self, name: &str, most: u32) -> Result<u32, Fault> {
        let text = self.text(name)?;
        match text.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => {
                self.problems.add(
                    format!("the parameter {name} is {text:?}, not a number from 1 to {most}"),
                    format!("set {name} in [procedures.{}.params] or with -p {name}=…", self.procedure),
                );
                Ok(most)
            }
        }
    }
}
