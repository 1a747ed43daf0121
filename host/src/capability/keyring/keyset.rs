//! A set of keys of which one, the primary, seals, and all enabled ones open.

use super::error::KeyringError;
use super::material::{self, LENGTH, Material};
use super::tink;
use crate::capability::secrets::Secret;
use crate::model::hex;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;
use zeroize::Zeroizing;

/// Longest value that is sealed, in bytes.
pub const LONGEST_VALUE: usize = 64 * 1024;
/// Largest key set that is read, in bytes, and most versions in one: a set that was rotated every week for ten
/// years holds fewer.
const LARGEST: usize = 256 * 1024;
const MOST: usize = 600;
const TAG: usize = 16;
/// Tink writes this, and the number of the key, before what it seals.
const TINK: u8 = 1;
const LEGACY: u8 = 0;
const PREFIX: usize = 5;
/// No value of a site has this name: a slash is refused in one.
const CANARY: &str = "windlass/canary";
/// A sealed value of no bytes.
const LEAST: usize = PREFIX + NONCE_LEN + TAG;

/// Whether a version is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Enabled,
    /// It opens nothing until it is enabled again.
    Disabled,
    /// Its key is gone; the number stays taken.
    Destroyed,
}

/// What stands before a value that a version sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prefix {
    Tink,
    /// Before Tink; written for keys that came from there.
    Legacy,
    Crunchy,
    /// Nothing: which key it was has to be tried.
    Raw,
}

/// A version of the root key, without its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Tink's key id: drawn at random, unique within the set.
    pub number: u32,
    pub status: Status,
    pub primary: bool,
}

struct Entry {
    number: u32,
    status: Status,
    prefix: Prefix,
    /// None of a destroyed one.
    key: Option<(Material, LessSafeKey)>,
}

/// A key set. Shows its versions and nothing else; its keys are wiped when it is dropped.
pub struct Keyset {
    primary: u32,
    /// In the order in which they were added.
    entries: Vec<Entry>,
}

impl Keyset {
    /// Makes a set of one version.
    pub fn generate() -> Result<Self, KeyringError> {
        let first = Entry::generate(&[])?;
        Ok(Self { primary: first.number, entries: vec![first] })
    }

    /// Reads a set as Tink writes it in clear text.
    pub fn parse(json: &[u8]) -> Result<Self, KeyringError> {
        if json.len() > LARGEST {
            return Err(unreadable(format!("it is larger than {} KiB", LARGEST / 1024)));
        }
        let set: tink::Set = serde_json::from_slice(json).map_err(|error| {
            // Its own words can quote what it found.
            let (line, column) = (error.line(), error.column());
            let what = match error.classify() {
                serde_json::error::Category::Eof => "it ends too soon",
                serde_json::error::Category::Data => "it is not a Tink key set",
                _ => "it is no JSON",
            };
            unreadable(format!("{what} (line {line}, column {column})"))
        })?;
        if set.key.len() > MOST {
            return Err(KeyringError::TooMany(set.key.len()));
        }
        let entries = set.key.into_iter().map(Entry::read).collect::<Result<Vec<_>, _>>()?;
        for (at, entry) in entries.iter().enumerate() {
            if entries[..at].iter().any(|before| before.number == entry.number) {
                return Err(unreadable(format!("two of its keys have the number {}", entry.number)));
            }
        }
        let set = Self { primary: set.primary_key_id, entries };
        match set.find(set.primary) {
            Some(Entry { status: Status::Enabled, .. }) => Ok(set),
            Some(_) => Err(unreadable(format!("its primary, {}, is not enabled", set.primary))),
            None => Err(unreadable(format!("its primary, {}, is not in it", set.primary))),
        }
    }

    /// Writes the set as Tink reads it.
    pub fn to_json(&self) -> Secret {
        let set = tink::Set {
            primary_key_id: self.primary,
            key: self.entries.iter().map(Entry::written).collect(),
        };
        // Large enough from the start: a buffer that grows leaves copies.
        let mut json = Vec::with_capacity(128 + 320 * self.entries.len());
        // It has no map and no float, and a Vec takes all: writing it cannot fail.
        if serde_json::to_writer(&mut json, &set).is_err() {
            json.clear();
        }
        Secret::new(json)
    }

    /// Returns the set with one more version, which is its primary.
    pub fn with_new_primary(&self) -> Result<Self, KeyringError> {
        if self.entries.len() >= MOST {
            return Err(KeyringError::TooMany(self.entries.len()));
        }
        let mut entries = self.copies()?;
        let new = Entry::generate(&entries)?;
        let primary = new.number;
        entries.push(new);
        Ok(Self { primary, entries })
    }

    /// Makes a set of one version, of a number and a key that are given: for rehearsals, whose keys are known to all.
    pub fn given(number: u32, key: [u8; LENGTH]) -> Result<Self, KeyringError> {
        Ok(Self { primary: number, entries: vec![Entry::given(number, key)?] })
    }

    /// As [`Self::with_new_primary`], with a number and a key that are given.
    pub fn with_given_primary(&self, number: u32, key: [u8; LENGTH]) -> Result<Self, KeyringError> {
        let mut entries = self.copies()?;
        entries.push(Entry::given(number, key)?);
        Ok(Self { primary: number, entries })
    }

    /// Returns the set without a version that is not its primary.
    pub fn without(&self, number: u32) -> Result<Self, KeyringError> {
        if self.find(number).is_none() {
            return Err(KeyringError::NoVersion { number, there: self.there() });
        }
        if number == self.primary {
            return Err(KeyringError::Primary { number });
        }
        let mut entries = self.copies()?;
        entries.retain(|entry| entry.number != number);
        Ok(Self { primary: self.primary, entries })
    }

    /// The version that new values are sealed under.
    pub fn primary(&self) -> u32 {
        self.primary
    }

    /// The versions in the order in which they were added.
    pub fn versions(&self) -> Vec<Version> {
        let version = |entry: &Entry| Version {
            number: entry.number,
            status: entry.status,
            primary: entry.number == self.primary,
        };
        self.entries.iter().map(version).collect()
    }

    /// SHA-256 over all that decides what the set seals and opens, in lower-case hex. Two files that differ only in
    /// how they are written, or in the order of the keys, have one fingerprint. The keys are random and 256 bits
    /// long, so it gives nothing away.
    pub fn fingerprint(&self) -> String {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|entry| entry.number);
        let mut hash = Context::new(&SHA256);
        hash.update(b"windlass key set 1\n");
        hash.update(&self.primary.to_be_bytes());
        for entry in entries {
            hash.update(&entry.number.to_be_bytes());
            hash.update(&[entry.status as u8, entry.prefix as u8, u8::from(entry.key.is_some())]);
            if let Some((material, _)) = &entry.key {
                hash.update(&material[..]);
            }
        }
        hex(hash.finish().as_ref())
    }

    /// Seals a value under the primary, for a name: it opens under that name alone.
    pub fn seal(&self, value: &Secret, name: &str) -> Result<Vec<u8>, KeyringError> {
        const FAILED: KeyringError = KeyringError::Library { what: "seal a value" };
        let plain = value.expose();
        if plain.is_empty() {
            return Err(KeyringError::Value { why: "empty" });
        }
        if plain.len() > LONGEST_VALUE {
            return Err(KeyringError::Value { why: "longer than 64 KiB" });
        }
        let (prefix, key) = self
            .find(self.primary)
            .and_then(|entry| Some((entry.prefix_bytes(), &entry.key.as_ref()?.1)))
            .ok_or(FAILED)?;
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| FAILED)?;
        // Large enough for the tag too, so that the value is in one place only, which becomes cipher text.
        let mut sealed = Vec::with_capacity(PREFIX + NONCE_LEN + plain.len() + TAG);
        sealed.extend_from_slice(&prefix);
        sealed.extend_from_slice(&nonce);
        let begin = sealed.len();
        sealed.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(name), &mut sealed[begin..])
            .map_err(|_| FAILED)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens a value that was sealed for a name; says which version it was sealed under.
    pub fn open(&self, sealed: &[u8], name: &str) -> Result<(Secret, u32), KeyringError> {
        let numbered = version_of(sealed).and_then(|number| self.find(number)).filter(|entry| {
            let prefix = entry.prefix_bytes();
            !prefix.is_empty() && sealed.starts_with(&prefix)
        });
        if let Some(entry) = numbered {
            if entry.status != Status::Enabled {
                return Err(KeyringError::Disabled { number: entry.number });
            }
            if let Some(value) = entry.open(&sealed[PREFIX..], name)? {
                return Ok((value, entry.number));
            }
        }
        // As Tink does: bytes without a prefix may happen to look like one.
        for entry in &self.entries {
            if entry.prefix == Prefix::Raw
                && entry.status == Status::Enabled
                && let Some(value) = entry.open(sealed, name)?
            {
                return Ok((value, entry.number));
            }
        }
        Err(match version_of(sealed) {
            _ if sealed.len() < LEAST => KeyringError::Truncated { length: sealed.len(), least: LEAST },
            Some(number) if numbered.is_none() => {
                KeyringError::UnknownVersion { number, there: self.there() }
            }
            _ => KeyringError::Damaged,
        })
    }

    /// Seals random bytes: what opens them has the primary's key.
    pub fn canary(&self) -> Result<Vec<u8>, KeyringError> {
        let mut random = Zeroizing::new(vec![0; 32]);
        aws_lc_rs::rand::fill(&mut random).map_err(|_| KeyringError::Library { what: "draw a canary" })?;
        self.seal(&Secret::new(std::mem::take(&mut random)), CANARY)
    }

    /// Opens what [`Self::canary`] has sealed; says which version it was sealed under.
    pub fn opens_canary(&self, sealed: &[u8]) -> Result<u32, KeyringError> {
        self.open(sealed, CANARY).map(|(_, version)| version)
    }

    /// What stands before every value that the primary seals; empty where it writes none.
    pub fn primary_prefix(&self) -> Vec<u8> {
        self.find(self.primary).map_or_else(Vec::new, Entry::prefix_bytes)
    }

    fn find(&self, number: u32) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.number == number)
    }

    fn copies(&self) -> Result<Vec<Entry>, KeyringError> {
        self.entries.iter().map(Entry::copy).collect()
    }

    fn there(&self) -> String {
        let numbers: Vec<_> = self.entries.iter().map(|entry| entry.number.to_string()).collect();
        numbers.join(", ")
    }
}

/// The number of the version that a value says it was sealed under; none where it says none.
pub fn version_of(sealed: &[u8]) -> Option<u32> {
    match sealed {
        [TINK | LEGACY, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

impl Entry {
    fn generate(beside: &[Entry]) -> Result<Self, KeyringError> {
        const FAILED: KeyringError = KeyringError::Library { what: "draw a key" };
        let mut material = Zeroizing::new([0; LENGTH]);
        aws_lc_rs::rand::fill(&mut material[..]).map_err(|_| FAILED)?;
        let mut bytes = [0; 4];
        let number = loop {
            aws_lc_rs::rand::fill(&mut bytes).map_err(|_| FAILED)?;
            let number = u32::from_be_bytes(bytes);
            if number != 0 && beside.iter().all(|entry| entry.number != number) {
                break number;
            }
        };
        let key = Some(ready(material)?);
        Ok(Self { number, status: Status::Enabled, prefix: Prefix::Tink, key })
    }

    fn given(number: u32, key: [u8; LENGTH]) -> Result<Self, KeyringError> {
        let key = Some(ready(Zeroizing::new(key))?);
        Ok(Self { number, status: Status::Enabled, prefix: Prefix::Tink, key })
    }

    fn read(key: tink::Key) -> Result<Self, KeyringError> {
        let number = key.key_id;
        let of = |why: String| unreadable(format!("version {number}: {why}"));
        let status = match key.status.as_str() {
            "ENABLED" => Status::Enabled,
            "DISABLED" => Status::Disabled,
            "DESTROYED" => Status::Destroyed,
            _ => return Err(of("its status is none of ENABLED, DISABLED and DESTROYED".into())),
        };
        let prefix = match key.output_prefix_type.as_str() {
            "TINK" => Prefix::Tink,
            "LEGACY" => Prefix::Legacy,
            "CRUNCHY" => Prefix::Crunchy,
            "RAW" => Prefix::Raw,
            _ => return Err(of("its output prefix is none of TINK, LEGACY, CRUNCHY and RAW".into())),
        };
        let key = match key.key_data {
            _ if status == Status::Destroyed => None,
            None => return Err(of("it has no key".into())),
            Some(data) => {
                if data.type_url != tink::AES_GCM || data.key_material_type != tink::SYMMETRIC {
                    return Err(of("its key is of another type than AES-GCM".into()));
                }
                let bytes = BASE64.decode(data.value.as_bytes()).map(Zeroizing::new);
                let bytes = bytes.map_err(|_| of("its key is not Base64".into()))?;
                Some(ready(material::decode(&bytes).map_err(of)?)?)
            }
        };
        Ok(Self { number, status, prefix, key })
    }

    fn written(&self) -> tink::Key {
        let data = |(material, _): &(Material, LessSafeKey)| tink::KeyData {
            type_url: tink::AES_GCM.into(),
            value: Zeroizing::new(BASE64.encode(&material::encode(material)[..])),
            key_material_type: tink::SYMMETRIC.into(),
        };
        tink::Key {
            key_data: self.key.as_ref().map(data),
            status: match self.status {
                Status::Enabled => "ENABLED",
                Status::Disabled => "DISABLED",
                Status::Destroyed => "DESTROYED",
            }
            .into(),
            key_id: self.number,
            output_prefix_type: match self.prefix {
                Prefix::Tink => "TINK",
                Prefix::Legacy => "LEGACY",
                Prefix::Crunchy => "CRUNCHY",
                Prefix::Raw => "RAW",
            }
            .into(),
        }
    }

    fn copy(&self) -> Result<Self, KeyringError> {
        let key = self.key.as_ref().map(|(material, _)| ready(material.clone())).transpose()?;
        Ok(Self { number: self.number, status: self.status, prefix: self.prefix, key })
    }

    fn prefix_bytes(&self) -> Vec<u8> {
        let begin = match self.prefix {
            Prefix::Tink => TINK,
            Prefix::Legacy | Prefix::Crunchy => LEGACY,
            Prefix::Raw => return Vec::new(),
        };
        let mut bytes = vec![begin];
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// Opens what stands behind the prefix; none where it is not this key's.
    fn open(&self, body: &[u8], name: &str) -> Result<Option<Secret>, KeyringError> {
        let (Some((_, key)), Some((nonce, sealed))) = (&self.key, body.split_at_checked(NONCE_LEN)) else {
            return Ok(None);
        };
        let nonce = Nonce::try_assume_unique_for_key(nonce)
            .map_err(|_| KeyringError::Library { what: "open a value" })?;
        let Some(length) = sealed.len().checked_sub(TAG) else { return Ok(None) };
        let mut value = Zeroizing::new(sealed.to_vec());
        if key.open_in_place(nonce, Aad::from(name), &mut value).is_err() {
            return Ok(None);
        }
        value.truncate(length);
        Ok(Some(Secret::new(std::mem::take(&mut value))))
    }
}

fn ready(material: Material) -> Result<(Material, LessSafeKey), KeyringError> {
    let key = UnboundKey::new(&AES_256_GCM, &material[..])
        .map_err(|_| KeyringError::Library { what: "use a key" })?;
    Ok((material, LessSafeKey::new(key)))
}

fn unreadable(why: String) -> KeyringError {
    KeyringError::Unreadable { why }
}

impl fmt::Debug for Keyset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyset").field("versions", &self.versions()).finish_non_exhaustive()
    }
}
