//! The JSON of a key set, as Tink's clear-text key set writers and readers have it.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The one type of key that is used here.
pub const AES_GCM: &str = "type.googleapis.com/google.crypto.tink.AesGcmKey";
/// What a key of it is: as opposed to a public one, or one that is elsewhere.
pub const SYMMETRIC: &str = "SYMMETRIC";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Set {
    pub primary_key_id: u32,
    pub key: Vec<Key>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_data: Option<KeyData>,
    pub status: String,
    pub key_id: u32,
    pub output_prefix_type: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyData {
    pub type_url: String,
    /// Base64 of the key's protocol buffer.
    pub value: Zeroizing<String>,
    pub key_material_type: String,
}
