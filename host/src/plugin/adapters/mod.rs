//! One thin file for each interface of the contract: convert, ask, convert back.
//!
//! Nothing is decided here. Names become typed names (one that does not parse is the fault `invalid`, and
//! no effect), text that will be shown is made safe to show, and the answer goes back as it came.

mod clock;
mod cluster;
mod crypto;
mod files;
mod keyring;
mod nodes;
mod operator;
mod secrets;
mod state;

use super::bindings::{events, types};
use super::call::{Guest, WrongAnswer};
use super::inspect::{plain, shown};
use crate::model::{Answer, Effect, Entry, Fault, MemberAnswer, NameError, code};
use wasmtime::component::HasSelf;

pub(super) type HasGuest = HasSelf<Guest>;

/// What an imported function returns: a trap only where the host itself is at fault.
type Imported<T> = wasmtime::Result<Result<T, types::Fault>>;

/// Longest text shown to an operator, in characters.
const TEXT: usize = 4096;
/// Longest key of a parameter or kept value, in characters.
const KEY: usize = 200;

impl types::Host for Guest {}
impl events::Host for Guest {}

impl Guest {
    /// Asks for the effect that `make` makes and reads its answer with `read`, which gives back an answer
    /// of another shape.
    async fn perform<T>(
        &mut self,
        make: impl FnOnce() -> Result<Effect, Fault>,
        read: impl FnOnce(Answer) -> Result<T, Answer>,
    ) -> Imported<T> {
        let effect = match make() {
            Ok(effect) => effect,
            Err(fault) => return Ok(Err(fault.into())),
        };
        let function = effect.function();
        match self.ask(effect).await {
            Err(fault) => Ok(Err(fault.into())),
            Ok(answer) => match read(answer) {
                Ok(value) => Ok(Ok(value)),
                Err(other) => Err(WrongAnswer { function, answer: shape(&other) }.into()),
            },
        }
    }
}

/// Makes the reader of one shape of answer.
macro_rules! answer {
    ($pattern:pat => $value:expr) => {
        |answer| match answer {
            $pattern => Ok($value),
            other => Err(other),
        }
    };
}
use answer;

/// Reads the answers of an effect that was done on each of its nodes.
fn each<T>(
    answer: Answer,
    read: impl Fn(String, Result<Answer, Fault>) -> Result<T, Answer>,
) -> Result<Vec<T>, Answer> {
    match answer {
        Answer::Each(members) => {
            members.into_iter().map(|MemberAnswer { node, answer }| read(node.into(), answer)).collect()
        }
        other => Err(other),
    }
}

/// Names the shape of an answer; its content may be long and is nobody's business in an error.
fn shape(answer: &Answer) -> String {
    let text = format!("{answer:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// Parses a name that a guest gave.
fn name<N: TryFrom<String, Error = NameError>>(value: String) -> Result<N, Fault> {
    N::try_from(value).map_err(|error| Fault::new(code::INVALID, error.to_string()))
}

/// Checks what is a key without a type of its own.
fn key(what: &str, value: String) -> Result<String, Fault> {
    if plain(&value, KEY) {
        Ok(value)
    } else {
        Err(Fault::new(
            code::INVALID,
            format!("{what} {:?} is empty, too long, or holds control characters", shown(&value, 60)),
        ))
    }
}

fn text(value: &str) -> String {
    shown(value, TEXT)
}

impl From<Fault> for types::Fault {
    fn from(fault: Fault) -> Self {
        Self { code: fault.code, message: fault.message, hint: fault.hint }
    }
}

impl From<types::Entry> for Entry {
    fn from(entry: types::Entry) -> Self {
        Self { name: entry.name, value: entry.value }
    }
}

fn entries(entries: Vec<types::Entry>) -> Vec<Entry> {
    entries.into_iter().map(Into::into).collect()
}
