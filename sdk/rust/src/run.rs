//! The objects of a run, by name: keys, certificates, secrets, staged sets. What one of these is made of is in the
//! host, so it is there in the next step too, and costs nothing to name again:
//!
//! ```
//! use windlass_sdk::{Fault, Entry, node, run};
//!
//! const KEY: run::Key = run::Key::named("leaf-key");
//! const LEAF: run::Certificate = run::Certificate::named("leaf");
//! const PASSWORD: run::Secret = run::Secret::named("ha-key");
//! const NEW: run::StagedSet = run::StagedSet::named("new-leaf");
//!
//! fn ask_the_ca(subject: &[Entry]) -> Result<Vec<u8>, Fault> {
//!     KEY.generate("rsa-3072")?;
//!     KEY.request(subject, &[])
//! }
//!
//! fn put_in_place(issued: &[u8], name: &str) -> Result<(), Fault> {
//!     LEAF.accept(KEY, issued)?;
//!     NEW.stage(node(name), "ha-leaf-cert", LEAF)?;
//!     NEW.stage(node(name), "ha-leaf-key", KEY.under(PASSWORD))?;
//!     NEW.swap(node(name))
//! }
//! # let _ = (ask_the_ca, put_in_place);
//! ```

use crate::host::{crypto, files, secrets};
use crate::{CertificateSource, Content, Entry, Fault, Node};
use std::fmt;

macro_rules! objects {
    ($($(#[$doc:meta])* $type:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $type<'a> {
            pub name: &'a str,
        }

        impl<'a> $type<'a> {
            /// Names it. Nothing is asked of the host before a method is called.
            pub const fn named(name: &'a str) -> Self {
                Self { name }
            }
        }

        /// Its name.
        impl fmt::Display for $type<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name)
            }
        }
    )*};
}

objects! {
    /// A secret. There is no way to read one.
    Secret
    /// A private key, which stays in the host.
    Key
    /// A certificate. What it says is the record [`Certificate`](crate::Certificate) of the contract.
    Certificate
    /// Files that were written beside those in place, to be renamed into place as one generation.
    StagedSet
}

impl Secret<'_> {
    /// See [`secrets::ask`].
    pub fn ask(self, prompt: &str, confirm: bool) -> Result<(), Fault> {
        secrets::ask(self.name, prompt, confirm)
    }

    /// See [`secrets::generate`].
    pub fn generate(self, length: u32) -> Result<(), Fault> {
        secrets::generate(self.name, length)
    }

    /// Returns the rules of the password policy that it breaks, in words.
    pub fn check(self) -> Result<Vec<String>, Fault> {
        secrets::check(self.name)
    }
}

impl Key<'_> {
    /// See [`crypto::generate_key`].
    pub fn generate(self, algorithm: &str) -> Result<(), Fault> {
        crypto::generate_key(self.name, algorithm)
    }

    /// Returns a certificate signing request for it, as PEM: see [`crypto::request`].
    pub fn request(self, subject: &[Entry], names: &[String]) -> Result<Vec<u8>, Fault> {
        crypto::request(self.name, subject, names)
    }

    /// Returns what a file gets: the key, encrypted under a secret.
    pub fn under(self, passphrase: Secret<'_>) -> Content {
        Content::key(self.name, passphrase.name)
    }
}

impl Certificate<'_> {
    /// Makes it, a CA that is its own issuer: see [`crypto::self_sign`].
    pub fn self_sign(self, key: Key<'_>, subject: &[Entry], days: u32) -> Result<crate::Certificate, Fault> {
        crypto::self_sign(self.name, key.name, subject, days)
    }

    /// Makes it, a leaf for `key` that a CA of this run and its key issue: see [`crypto::issue`].
    pub fn issue(
        self,
        (ca, ca_key): (Certificate<'_>, Key<'_>),
        key: Key<'_>,
        subject: &[Entry],
        names: &[String],
        days: u32,
    ) -> Result<crate::Certificate, Fault> {
        crypto::issue(self.name, ca.name, ca_key.name, key.name, subject, names, days)
    }

    /// Takes in what a CA elsewhere issued for `key`, PEM or DER: see [`crypto::accept`].
    pub fn accept(self, key: Key<'_>, certificate: &[u8]) -> Result<crate::Certificate, Fault> {
        crypto::accept(self.name, key.name, certificate)
    }

    /// Takes in the certificate of a CA elsewhere, PEM or DER: see [`crypto::accept_ca`].
    pub fn accept_ca(self, certificate: &[u8]) -> Result<crate::Certificate, Fault> {
        crypto::accept_ca(self.name, certificate)
    }

    /// Opens the CA that the site supplies, with its key: see [`crypto::supplied_ca`].
    pub fn open_supplied(self, key: Key<'_>, passphrase: Secret<'_>) -> Result<crate::Certificate, Fault> {
        crypto::supplied_ca(self.name, key.name, passphrase.name)
    }

    /// Returns what it says.
    pub fn inspect(self) -> Result<crate::Certificate, Fault> {
        crypto::inspect(&self.into())
    }

    /// Checks that it chains to a root now; a fault says which check failed.
    pub fn chains_to(self, root: impl Into<CertificateSource>) -> Result<(), Fault> {
        crypto::verify_chain(&self.into(), &root.into())
    }
}

impl StagedSet<'_> {
    /// Writes new content beside a file, as part of this set: see [`files::stage`].
    pub fn stage(self, node: Node<'_>, file: &str, content: impl Into<Content>) -> Result<(), Fault> {
        files::stage(self.name, node.name, file, &content.into())
    }

    /// Renames all that was staged on a node into place: see [`files::swap`].
    pub fn swap(self, node: Node<'_>) -> Result<(), Fault> {
        files::swap(self.name, node.name)
    }

    /// Removes what was staged on a node and not swapped in; nothing to do where there is nothing.
    pub fn discard(self, node: Node<'_>) -> Result<(), Fault> {
        files::discard(self.name, node.name)
    }
}

/// As an argument of a command: see [`Command::secret`](crate::Command::secret).
impl AsRef<str> for Secret<'_> {
    fn as_ref(&self) -> &str {
        self.name
    }
}

impl From<Secret<'_>> for Content {
    fn from(secret: Secret<'_>) -> Self {
        Self::secret(secret.name)
    }
}

impl From<Certificate<'_>> for Content {
    fn from(certificate: Certificate<'_>) -> Self {
        Self::certificate(certificate.name)
    }
}

impl From<Certificate<'_>> for CertificateSource {
    fn from(certificate: Certificate<'_>) -> Self {
        Self::object(certificate.name)
    }
}

impl From<&[u8]> for CertificateSource {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::{MockHost, install};
    use crate::node;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Writes down what it is asked to do.
    #[derive(Default)]
    struct Asked(Vec<String>);

    fn certificate() -> crate::Certificate {
        crate::Certificate {
            subject: "CN=a".into(),
            issuer: "CN=ca".into(),
            serial: "01".into(),
            fingerprint: "ab".into(),
            not_before: 0,
            not_after: 1,
            key_algorithm: "rsa-3072".into(),
            signature_algorithm: "sha256WithRSAEncryption".into(),
            can_issue: false,
            subject_key_id: String::new(),
            authority_key_id: String::new(),
            names: Vec::new(),
        }
    }

    impl Asked {
        fn made(&mut self, text: String) -> Result<crate::Certificate, Fault> {
            self.0.push(text);
            Ok(certificate())
        }
        fn done(&mut self, text: String) -> Result<(), Fault> {
            self.0.push(text);
            Ok(())
        }
    }

    impl MockHost for Asked {
        fn ask(&mut self, name: &str, prompt: &str, confirm: bool) -> Result<(), Fault> {
            self.done(format!("ask {name} {prompt} {confirm}"))
        }
        fn generate(&mut self, name: &str, length: u32) -> Result<(), Fault> {
            self.done(format!("generate {name} {length}"))
        }
        fn check(&mut self, name: &str) -> Result<Vec<String>, Fault> {
            Ok(vec![name.into()])
        }
        fn generate_key(&mut self, name: &str, algorithm: &str) -> Result<(), Fault> {
            self.done(format!("key {name} {algorithm}"))
        }
        fn request(&mut self, key: &str, subject: &[Entry], names: &[String]) -> Result<Vec<u8>, Fault> {
            Ok(format!("{key} {} {}", subject.len(), names.len()).into_bytes())
        }
        fn self_sign(
            &mut self,
            name: &str,
            key: &str,
            _: &[Entry],
            days: u32,
        ) -> Result<crate::Certificate, Fault> {
            self.made(format!("self-sign {name} {key} {days}"))
        }
        fn issue(
            &mut self,
            name: &str,
            ca: &str,
            ca_key: &str,
            key: &str,
            _: &[Entry],
            _: &[String],
            days: u32,
        ) -> Result<crate::Certificate, Fault> {
            self.made(format!("issue {name} {ca} {ca_key} {key} {days}"))
        }
        fn accept(&mut self, name: &str, key: &str, bytes: &[u8]) -> Result<crate::Certificate, Fault> {
            self.made(format!("accept {name} {key} {}", bytes.len()))
        }
        fn accept_ca(&mut self, name: &str, bytes: &[u8]) -> Result<crate::Certificate, Fault> {
            self.made(format!("accept-ca {name} {}", bytes.len()))
        }
        fn supplied_ca(
            &mut self,
            name: &str,
            key: &str,
            passphrase: &str,
        ) -> Result<crate::Certificate, Fault> {
            self.made(format!("supplied {name} {key} {passphrase}"))
        }
        fn inspect(&mut self, source: &CertificateSource) -> Result<crate::Certificate, Fault> {
            self.made(format!("inspect {source:?}"))
        }
        fn verify_chain(&mut self, leaf: &CertificateSource, root: &CertificateSource) -> Result<(), Fault> {
            self.done(format!("verify {leaf:?} {root:?}"))
        }
        fn stage(&mut self, set: &str, node: &str, file: &str, content: &Content) -> Result<(), Fault> {
            self.done(format!("stage {set} {node} {file} {content:?}"))
        }
        fn swap(&mut self, set: &str, node: &str) -> Result<(), Fault> {
            self.done(format!("swap {set} {node}"))
        }
        fn discard(&mut self, set: &str, node: &str) -> Result<(), Fault> {
            self.done(format!("discard {set} {node}"))
        }
    }

    #[test]
    fn each_object_asks_the_host_by_its_name_and_those_beside_it() -> Result<(), Fault> {
        let asked = Rc::new(RefCell::new(Asked::default()));
        let _installed = install(asked.clone());
        let (secret, key, ca_key) = (Secret::named("pw"), Key::named("k"), Key::named("ck"));
        let (leaf, ca, set) = (Certificate::named("l"), Certificate::named("c"), StagedSet::named("s"));

        secret.ask("word?", true)?;
        secret.generate(20)?;
        assert_eq!(secret.check()?, ["pw"]);
        key.generate("rsa-3072")?;
        assert_eq!(key.request(&[Entry::new("common-name", "a")], &[])?, b"k 1 0");
        ca.self_sign(ca_key, &[], 9)?;
        leaf.issue((ca, ca_key), key, &[], &[], 8)?;
        leaf.accept(key, b"PEM")?;
        ca.accept_ca(b"PEM")?;
        ca.open_supplied(ca_key, secret)?;
        ca.inspect()?;
        leaf.chains_to(ca)?;
        leaf.chains_to(&b"x"[..])?;
        set.stage(node("n"), "f", leaf)?;
        set.stage(node("n"), "f", key.under(secret))?;
        set.stage(node("n"), "f", secret)?;
        set.swap(node("n"))?;
        set.discard(node("n"))?;

        assert_eq!(
            asked.borrow().0,
            [
                "ask pw word? true",
                "generate pw 20",
                "key k rsa-3072",
                "self-sign c ck 9",
                "issue l c ck k 8",
                "accept l k 3",
                "accept-ca c 3",
                "supplied c ck pw",
                r#"inspect CertificateSource::Object("c")"#,
                r#"verify CertificateSource::Object("l") CertificateSource::Object("c")"#,
                r#"verify CertificateSource::Object("l") CertificateSource::Bytes([120])"#,
                r#"stage s n f Content::Certificate("l")"#,
                r#"stage s n f Content::Key(EncryptedKey { key: "k", passphrase: "pw" })"#,
                r#"stage s n f Content::Secret("pw")"#,
                "swap s n",
                "discard s n",
            ]
        );
        assert_eq!(format!("{key} {leaf} {secret} {set}"), "k l pw s");
        Ok(())
    }
}
