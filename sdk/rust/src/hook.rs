//! What a hook exports.

use crate::Fault;
pub use crate::bindings::hook::exports::windlass::plugin::hook_api::{Answer, Description, Event, Guest};

/// A hook. Every call runs in a fresh instance.
pub trait Hook {
    fn describe() -> Description;

    /// Answers an event. The set of codes is open: go on at one that is not known.
    fn handle(event: Event) -> Result<Answer, Fault>;
}

impl<H: Hook> Guest for H {
    fn describe() -> Description {
        H::describe()
    }
    fn handle(event: Event) -> Result<Answer, Fault> {
        H::handle(event)
    }
}

impl Event {
    /// Returns a detail of the event, where it has one of this name.
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.details.iter().find(|entry| entry.name == name).map(|entry| entry.value.as_str())
    }

    /// Returns what the site gives this hook under a name, in `[hooks.params]`.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|entry| entry.name == name).map(|entry| entry.value.as_str())
    }

    /// As [`Event::parameter`]; a fault that says what to write where the site gives none.
    pub fn required(&self, name: &str) -> Result<&str, Fault> {
        self.parameter(name).ok_or_else(|| {
            Fault::new("invalid", format!("the hook needs the parameter {name}"))
                .hint(format!("under its [[hooks]] in site.toml: [hooks.params] {name} = \"…\""))
        })
    }
}

/// Exports a type that implements [`Hook`](crate::Hook) as the plugin. Once, in `lib.rs`.
#[macro_export]
macro_rules! export_hook {
    ($type:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::hook::export!($type with_types_in $crate::bindings::hook);
    };
}
