//! The run's keys, certificates, secrets, staged sets and small values, by name.
//!
//! An object belongs to the plugin that made it. What is here is also in the journal (keys and secrets
//! sealed), so a resumed run fills it again.

use crate::capability::crypto::PrivateKey;
use crate::capability::files::Staged;
use crate::capability::secrets::Secret;
use crate::model::{Fault, NodeName, ObjectName, PluginName, code};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

#[derive(Debug, Clone)]
pub enum Object {
    Key(Arc<PrivateKey>),
    /// DER.
    Certificate(Arc<Vec<u8>>),
    Secret(Arc<Secret>),
    /// Sealed.
    Canary(Arc<Vec<u8>>),
}

impl Object {
    fn word(&self) -> &'static str {
        match self {
            Self::Key(_) => "a key",
            Self::Certificate(_) => "a certificate",
            Self::Secret(_) => "a secret",
            Self::Canary(_) => "a canary",
        }
    }
}

/// Values a plugin may keep, and bytes each may have.
const MOST_VALUES: usize = 256;
const LONGEST_VALUE: usize = 64 * 1024;
/// Objects a plugin may make.
const MOST_OBJECTS: usize = 256;

#[derive(Clone, Default)]
struct Inner {
    objects: HashMap<(PluginName, ObjectName), Object>,
    /// By key and passphrase: encrypting takes long on purpose, and both nodes are given the same file.
    key_files: HashMap<(PluginName, ObjectName, ObjectName), Arc<Zeroizing<String>>>,
    values: HashMap<(PluginName, String), String>,
    sets: BTreeMap<(ObjectName, NodeName), Vec<Staged>>,
}

/// Every object of one run.
#[derive(Default)]
pub struct Objects(Mutex<Inner>);

/// Shows how many there are, and nothing of any.
impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{} objects>", self.lock().objects.len())
    }
}

impl Objects {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is one insertion: a panic elsewhere cannot leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same objects once more, each for itself from now on.
    pub fn copy(&self) -> Self {
        Self(Mutex::new(self.lock().clone()))
    }

    /// Takes an object in. A name that is taken is refused: an object is never replaced under its users.
    pub fn add(&self, plugin: &PluginName, name: &ObjectName, object: Object) -> Result<(), Fault> {
        let mut inner = self.lock();
        let key = (plugin.clone(), name.clone());
        if inner.objects.contains_key(&key) {
            return Err(Fault::new(
                code::INVALID,
                format!("{plugin} already has an object {name} in this run"),
            )
            .hint("give the new one another name"));
        }
        if inner.objects.keys().filter(|(owner, _)| owner == plugin).count() >= MOST_OBJECTS {
            return Err(Fault::new(code::REFUSED, format!("{plugin} has its {MOST_OBJECTS} objects")));
        }
        inner.objects.insert(key, object);
        Ok(())
    }

    pub fn has(&self, plugin: &PluginName, name: &ObjectName) -> bool {
        self.lock().objects.contains_key(&(plugin.clone(), name.clone()))
    }

    pub fn key(&self, plugin: &PluginName, name: &ObjectName) -> Result<Arc<PrivateKey>, Fault> {
        match self.find(plugin, name)? {
            Object::Key(key) => Ok(key),
            other => Err(wrong_kind(name, "a key", &other)),
        }
    }

    /// Returns a key as the PEM file that its passphrase opens.
    pub fn key_file(
        &self,
        plugin: &PluginName,
        key: &ObjectName,
        passphrase: &ObjectName,
    ) -> Result<Arc<Zeroizing<String>>, Fault> {
        // An object is never replaced, so its name stands for it.
        let name = (plugin.clone(), key.clone(), passphrase.clone());
        if let Some(made) = self.lock().key_files.get(&name) {
            return Ok(made.clone());
        }
        let pem = self
            .key(plugin, key)?
            .to_encrypted_pem(&*self.secret(plugin, passphrase)?)
            .map_err(|error| Fault::new(code::FAILED, format!("{key} under {passphrase}: {error}")))?;
        let pem = Arc::new(pem);
        self.lock().key_files.insert(name, pem.clone());
        Ok(pem)
    }

    /// Returns the certificate's DER.
    pub fn certificate(&self, plugin: &PluginName, name: &ObjectName) -> Result<Arc<Vec<u8>>, Fault> {
        match self.find(plugin, name)? {
            Object::Certificate(der) => Ok(der),
            other => Err(wrong_kind(name, "a certificate", &other)),
        }
    }

    pub fn secret(&self, plugin: &PluginName, name: &ObjectName) -> Result<Arc<Secret>, Fault> {
        match self.find(plugin, name)? {
            Object::Secret(secret) => Ok(secret),
            other => Err(wrong_kind(name, "a secret", &other)),
        }
    }

    /// Returns a canary as it was sealed.
    pub fn canary(&self, plugin: &PluginName, name: &ObjectName) -> Result<Arc<Vec<u8>>, Fault> {
        match self.find(plugin, name)? {
            Object::Canary(sealed) => Ok(sealed),
            other => Err(wrong_kind(name, "a canary", &other)),
        }
    }

    fn find(&self, plugin: &PluginName, name: &ObjectName) -> Result<Object, Fault> {
        self.lock()
            .objects
            .get(&(plugin.clone(), name.clone()))
            .cloned()
            .ok_or_else(|| Fault::new(code::UNKNOWN, format!("{plugin} has no object {name} in this run")))
    }

    pub fn value(&self, plugin: &PluginName, name: &str) -> Option<String> {
        self.lock().values.get(&(plugin.clone(), name.to_string())).cloned()
    }

    pub fn set_value(&self, plugin: &PluginName, name: &str, value: &str) -> Result<(), Fault> {
        if name.is_empty() || name.len() > 200 || value.len() > LONGEST_VALUE {
            return Err(Fault::new(
                code::INVALID,
                format!("a value has a name of 1 to 200 bytes and at most {LONGEST_VALUE} bytes"),
            ));
        }
        let mut inner = self.lock();
        let key = (plugin.clone(), name.to_string());
        if !inner.values.contains_key(&key)
            && inner.values.keys().filter(|(owner, _)| owner == plugin).count() >= MOST_VALUES
        {
            return Err(Fault::new(code::REFUSED, format!("{plugin} keeps its {MOST_VALUES} values")));
        }
        inner.values.insert(key, value.to_string());
        Ok(())
    }

    /// Notes a file as staged; staging it again replaces the note.
    pub fn stage(&self, set: &ObjectName, node: &NodeName, staged: Staged) {
        let mut inner = self.lock();
        let files = inner.sets.entry((set.clone(), node.clone())).or_default();
        files.retain(|other| other.file.name != staged.file.name);
        files.push(staged);
    }

    pub fn staged(&self, set: &ObjectName, node: &NodeName) -> Vec<Staged> {
        self.lock().sets.get(&(set.clone(), node.clone())).cloned().unwrap_or_default()
    }

    pub fn forget_set(&self, set: &ObjectName, node: &NodeName) {
        self.lock().sets.remove(&(set.clone(), node.clone()));
    }

    /// Every set that is still staged, for tidying up.
    pub fn sets(&self) -> Vec<(ObjectName, NodeName, Vec<Staged>)> {
        let inner = self.lock();
        inner.sets.iter().map(|((set, node), files)| (set.clone(), node.clone(), files.clone())).collect()
    }
}

fn wrong_kind(name: &ObjectName, wanted: &str, found: &Object) -> Fault {
    Fault::new(code::INVALID, format!("{name} is {}, not {wanted}", found.word()))
}
