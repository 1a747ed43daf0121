//! What `wit-bindgen` makes of the contract. Nothing here is for a plugin's author: the rest of the crate
//! gives these types better names and these functions a mock host.

pub mod procedure {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "procedure",
        pub_export_macro: true,
        additional_derives: [PartialEq, Eq],
    });
}

pub mod hook {
    // The imports are those of the other world, so that there is one `Fault` and one `Entry`.
    wit_bindgen::generate!({
        path: "../../wit",
        world: "hook",
        pub_export_macro: true,
        additional_derives: [PartialEq, Eq],
        with: {
            "windlass:plugin/types@0.1.1": crate::bindings::procedure::windlass::plugin::types,
            "windlass:plugin/nodes@0.1.1": crate::bindings::procedure::windlass::plugin::nodes,
            "windlass:plugin/files@0.1.1": crate::bindings::procedure::windlass::plugin::files,
            "windlass:plugin/cluster@0.1.1": crate::bindings::procedure::windlass::plugin::cluster,
            "windlass:plugin/crypto@0.1.1": crate::bindings::procedure::windlass::plugin::crypto,
            "windlass:plugin/keyring@0.1.1": crate::bindings::procedure::windlass::plugin::keyring,
            "windlass:plugin/secrets@0.1.1": crate::bindings::procedure::windlass::plugin::secrets,
            "windlass:plugin/operator@0.1.1": crate::bindings::procedure::windlass::plugin::operator,
            "windlass:plugin/state@0.1.1": crate::bindings::procedure::windlass::plugin::state,
            "windlass:plugin/clock@0.1.1": crate::bindings::procedure::windlass::plugin::clock,
        },
    });
}
