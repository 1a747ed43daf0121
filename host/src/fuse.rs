//! Where a debug build can be made to die: the kill matrix of the tests goes through every one of these places.
//!
//! `WINDLASS_FUSE=record:FILE` writes a line for each place that this process passes; `WINDLASS_FUSE=N` kills it,
//! as SIGKILL does, at the N-th; `WINDLASS_FUSE=stop:N` stops it there, as SIGSTOP does, so that something can happen to
//! a node meanwhile. So the matrix is made from what a run really passes, not from a list by hand. In
//! a release nothing of it is there.

/// A place within an effect, or between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Permitted, and not yet in the journal.
    BeforeIntent,
    /// In the journal, and not yet acted on.
    BeforeAct,
    /// A node has been sent a script with all that it reads; the script may be under way.
    Sent,
    /// A job has been started, and goes on by itself.
    Running,
    /// Acted on, and not yet in the journal.
    BeforeOutcome,
    /// In the journal, and the plugin does not know it yet.
    BeforeAnswer,
}

#[cfg(debug_assertions)]
pub use armed::{begin, pass};
#[cfg(not(debug_assertions))]
pub use unarmed::{begin, pass};

#[cfg(not(debug_assertions))]
mod unarmed {
    use super::Place;
    use crate::model::{Effect, EffectClass};
    use std::fmt::Display;

    pub fn begin(_: &dyn Display, _: &Effect, _: EffectClass) {}
    pub fn pass(_: Place) {}
}

#[cfg(debug_assertions)]
mod armed {
    use super::Place;
    use crate::model::{Effect, EffectClass};
    use nix::sys::signal::{Signal, raise};
    use std::fmt::Display;
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::{LazyLock, Mutex, PoisonError};

    enum Fuse {
        Absent,
        Record { file: File },
        Raise { signal: Signal, at: u64 },
    }

    impl Fuse {
        fn raising(signal: Signal, at: &str) -> Self {
            at.parse().map_or(Fuse::Absent, |at| Fuse::Raise { signal, at })
        }
    }

    struct State {
        fuse: Fuse,
        passed: u64,
        /// How many effects have begun; 0: before the first.
        effect: u64,
        /// The call, the class and the words of the last; behind its last place, that it is over.
        words: [String; 3],
    }

    static STATE: LazyLock<Mutex<State>> = LazyLock::new(|| {
        let fuse = match std::env::var("WINDLASS_FUSE") {
            Err(_) => Fuse::Absent,
            Ok(asked) => match asked.split_once(':') {
                Some(("record", file)) => {
                    File::create(file).map_or(Fuse::Absent, |file| Fuse::Record { file })
                }
                Some(("stop", at)) => Fuse::raising(Signal::SIGSTOP, at),
                _ => Fuse::raising(Signal::SIGKILL, &asked),
            },
        };
        Mutex::new(State {
            fuse,
            passed: 0,
            effect: 0,
            words: ["-", "Between", "the beginning"].map(String::from),
        })
    });

    /// An effect begins: what is passed from here on is told as its places.
    pub fn begin(call: &dyn Display, effect: &Effect, class: EffectClass) {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Fuse::Absent = state.fuse {
            return;
        }
        state.effect += 1;
        let call = call.to_string().replace(' ', "-");
        state.words = [call, format!("{class:?}"), effect.to_string()];
    }

    /// Passes a place, or dies there.
    pub fn pass(place: Place) {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Fuse::Absent = state.fuse {
            return;
        }
        state.passed += 1;
        let State { fuse, passed, effect, words: [call, class, words] } = &mut *state;
        match fuse {
            // What cannot be written is missed by the test that asked for it.
            Fuse::Record { file } => {
                drop(writeln!(file, "{passed} {effect} {call} {class} {place:?} {words}"))
            }
            Fuse::Raise { signal, at } if at == passed => drop(raise(*signal)),
            Fuse::Raise { .. } | Fuse::Absent => {}
        }
        if place == Place::BeforeAnswer {
            *words = format!("after: {words}");
            *class = "Between".into();
        }
    }
}
