//! The Rust side of `wit/`: the only `bindgen!` of the host. Nothing made here leaves the plugin room.
//!
//! All worlds import the same interfaces. They are bound once, through a world of the host's own that
//! only imports; the worlds of the contract then add their exports to it.

mod imports {
    wasmtime::component::bindgen!({
        path: "../wit",
        inline: "
            package windlass:host;
            world imports {
                import windlass:plugin/nodes@0.1.1;
                import windlass:plugin/files@0.1.1;
                import windlass:plugin/cluster@0.1.1;
                import windlass:plugin/crypto@0.1.1;
                import windlass:plugin/keyring@0.1.1;
                import windlass:plugin/secrets@0.1.1;
                import windlass:plugin/operator@0.1.1;
                import windlass:plugin/state@0.1.1;
                import windlass:plugin/clock@0.1.1;
                import windlass:plugin/events@0.1.1;
            }
        ",
        world: "windlass:host/imports",
        imports: { default: async | trappable },
    });
}

/// A world of the contract: its exports, over the imports above. The rest names where interfaces are bound that not
/// every world has.
macro_rules! world {
    ($module:ident, $world:literal $(, $($only:tt)+)?) => {
        mod $module {
            wasmtime::component::bindgen!({
                path: "../wit",
                world: $world,
                imports: { default: async | trappable },
                exports: { default: async },
                with: {
                    "windlass:plugin/types": crate::plugin::bindings::types,
                    "windlass:plugin/nodes": crate::plugin::bindings::nodes,
                    "windlass:plugin/files": crate::plugin::bindings::files,
                    "windlass:plugin/cluster": crate::plugin::bindings::cluster,
                    "windlass:plugin/crypto": crate::plugin::bindings::crypto,
                    "windlass:plugin/keyring": crate::plugin::bindings::keyring,
                    "windlass:plugin/secrets": crate::plugin::bindings::secrets,
                    "windlass:plugin/operator": crate::plugin::bindings::operator,
                    "windlass:plugin/state": crate::plugin::bindings::state,
                    "windlass:plugin/clock": crate::plugin::bindings::clock,
                    $($($only)+)?
                },
            });
        }
    };
}

world!(procedure_world, "windlass:plugin/procedure");
world!(hook_world, "windlass:plugin/hook", "windlass:plugin/events": crate::plugin::bindings::events);
world!(script_world, "windlass:plugin/script", "windlass:plugin/events": crate::plugin::bindings::events);

pub use hook_world::exports::windlass::plugin::hook_api;
pub use hook_world::{Hook, HookPre};
pub use imports::Imports;
pub use imports::windlass::plugin::{
    clock, cluster, crypto, events, files, keyring, nodes, operator, secrets, state, types,
};
pub use procedure_world::exports::windlass::plugin::procedure_api;
pub use procedure_world::{Procedure, ProcedurePre};
pub use script_world::exports::windlass::plugin::script_api;
pub use script_world::{Script, ScriptPre};
