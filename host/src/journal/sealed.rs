//! Values sealed to the site's operators: what a resume needs, and nobody else may read.
//!
//! The format is age's, to X25519 recipients, so `age -d -i IDENTITY` opens a sealed value without Windlass.
//! An operator's identity lies outside the site folder, is made on first use, and is readable by its owner only.

use age::secrecy::ExposeSecret as _;
use age::x25519;
use camino::{Utf8Path, Utf8PathBuf};
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::str::FromStr as _;
use zeroize::{Zeroize as _, Zeroizing};

/// Most bytes of one value; age adds a few hundred.
const MAX_VALUE: usize = 1 << 20;
/// Most bytes of a piece of a journal.
const MAX_PIECE: usize = 16 << 20;
/// Most bytes of an identity file.
const MAX_IDENTITY: u64 = 64 << 10;

/// The private half of an operator: opens what was sealed to it. Shows its public half only.
#[derive(Clone)]
pub struct Identity {
    keys: Vec<x25519::Identity>,
}

/// Who can open what is sealed. Never empty.
#[derive(Clone)]
pub struct Recipients(Vec<x25519::Recipient>);

/// Why a value could not be sealed or opened. Never carries a byte of it.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the operator's identity {path} cannot be {what}")]
    Identity { path: Utf8PathBuf, what: &'static str, source: io::Error },
    #[error("the operator's identity {path} can be read by others (mode {mode:04o}): chmod 600 {path}")]
    Exposed { path: Utf8PathBuf, mode: u32 },
    #[error(
        "the operator's identity {path} has no AGE-SECRET-KEY-1 line that holds; restore it from a backup, or \
         set WINDLASS_IDENTITY to the right file"
    )]
    NoKey { path: Utf8PathBuf },
    #[error(
        "{given:?} in `operators` of site.toml is not an age recipient ({why}); it begins with age1, and \
         `age-keygen -y IDENTITY` prints it"
    )]
    Recipient { given: String, why: &'static str },
    #[error("there is nobody to seal to; name an age recipient in `operators` of site.toml")]
    NoRecipient,
    #[error("the value is larger than {most} bytes and is not sealed")]
    TooLong { most: usize },
    #[error("the value could not be sealed ({why})")]
    Seal { why: String },
    #[error(
        "the sealed value is for other operators than {identity}; set WINDLASS_IDENTITY to the identity of one \
         that site.toml named when it was sealed"
    )]
    WrongIdentity { identity: String },
    #[error("the sealed value is damaged ({why}); nothing of it was used")]
    Damaged { why: String },
}

/// Returns where the operator's identity lies: at `WINDLASS_IDENTITY`, else in the state folder.
pub fn identity_path(state_dir: &Utf8Path) -> Utf8PathBuf {
    match std::env::var("WINDLASS_IDENTITY") {
        Ok(path) if !path.is_empty() => path.into(),
        _ => state_dir.join("identity.age-key"),
    }
}

impl Identity {
    /// Reads the identity at `path`; where there is none, makes one, 0600, in a folder made 0700.
    pub fn load_or_create(path: &Utf8Path) -> Result<Self, SealError> {
        match Self::load(path) {
            Err(SealError::Identity { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                match Self::create(path) {
                    // Another process was first: its identity counts.
                    Err(SealError::Identity { source, .. })
                        if source.kind() == io::ErrorKind::AlreadyExists =>
                    {
                        Self::load(path)
                    }
                    made => made,
                }
            }
            loaded => loaded,
        }
    }

    /// Reads the identity at `path`, as `age-keygen` writes one. Refused where others can read it.
    pub fn load(path: &Utf8Path) -> Result<Self, SealError> {
        let failed = |source| SealError::Identity { path: path.to_owned(), what: "read", source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SealError::Exposed { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::with_capacity(MAX_IDENTITY as usize));
        file.take(MAX_IDENTITY).read_to_string(&mut text).map_err(failed)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Result<Vec<_>, _> = lines.map(x25519::Identity::from_str).collect();
        match keys {
            Ok(keys) if !keys.is_empty() => Ok(Self { keys }),
            _ => Err(SealError::NoKey { path: path.to_owned() }),
        }
    }

    fn create(path: &Utf8Path) -> Result<Self, SealError> {
        let failed = |source| SealError::Identity { path: path.to_owned(), what: "made", source };
        let folder = path.parent().filter(|folder| !folder.as_str().is_empty());
        let folder = folder.unwrap_or(Utf8Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let key = x25519::Identity::generate();
        let secret = key.to_string();
        let text = Zeroizing::new(format!(
            "# An operator's identity of windlass. Keep a backup: without it no paused run can be resumed.\n\
             # public key: {}\n{}\n",
            key.to_public(),
            secret.expose_secret()
        ));

        // Written beside and linked into place, so that a crash leaves a whole identity or none, and a file
        // that is there already is never replaced.
        let mut random = [0; 8];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| failed(io::Error::other("no randomness")))?;
        let beside = folder.join(format!(".identity-{:016x}", u64::from_ne_bytes(random)));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::hard_link(&beside, path));
        // The identity has its name; some network file systems cannot sync a folder, and say so.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        // Gone or not, it is a second name of the same private file.
        let _ = fs::remove_file(&beside);
        written.map_err(failed)?;
        Ok(Self { keys: vec![key] })
    }

    /// Returns the recipient that this identity opens for, as `age1…`.
    pub fn public(&self) -> String {
        self.keys.first().map(|key| key.to_public().to_string()).unwrap_or_default()
    }

    /// Whether this identity can open what is sealed to these.
    pub fn is_among(&self, recipients: &Recipients) -> bool {
        let mine: Vec<String> = self.keys.iter().map(|key| key.to_public().to_string()).collect();
        recipients.0.iter().any(|one| mine.contains(&one.to_string()))
    }

    /// Returns this identity as the only recipient, for sites that name no operators.
    pub fn recipients(&self) -> Recipients {
        Recipients(self.keys.iter().map(x25519::Identity::to_public).collect())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<identity of {}>", self.public())
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(ToString::to_string)).finish()
    }
}

/// Reads a site's `operators`.
pub fn recipients(given: &[String]) -> Result<Recipients, SealError> {
    let read: Result<Vec<_>, _> = given
        .iter()
        .map(|text| {
            x25519::Recipient::from_str(text.trim()).map_err(|why| SealError::Recipient {
                // A private key that was put here by mistake must not be shown again.
                given: text.chars().take(if text.starts_with("age1") { 70 } else { 8 }).collect(),
                why,
            })
        })
        .collect();
    match read? {
        none if none.is_empty() => Err(SealError::NoRecipient),
        some => Ok(Recipients(some)),
    }
}

/// Seals a value of at most 1 MiB, so that each of `to` can open it alone.
pub fn seal(plain: &[u8], to: &Recipients) -> Result<Vec<u8>, SealError> {
    seal_at_most(MAX_VALUE, plain, to)
}

/// Seals a piece of a journal.
pub(super) fn seal_piece(plain: &[u8], to: &Recipients) -> Result<Vec<u8>, SealError> {
    seal_at_most(MAX_PIECE, plain, to)
}

fn seal_at_most(most: usize, plain: &[u8], to: &Recipients) -> Result<Vec<u8>, SealError> {
    if plain.len() > most {
        return Err(SealError::TooLong { most });
    }
    let encryptor = age::Encryptor::with_recipients(to.0.iter().map(|one| one as &dyn age::Recipient))
        .map_err(|error| SealError::Seal { why: error.to_string() })?;
    let mut sealed = Vec::with_capacity(plain.len() + 512);
    encryptor
        .wrap_output(&mut sealed)
        .and_then(|mut writer| {
            writer.write_all(plain)?;
            writer.finish().map(|_| ())
        })
        .map_err(|error| SealError::Seal { why: error.to_string() })?;
    Ok(sealed)
}

/// Opens what [`seal`] made. All of it is checked before any of it is returned.
pub fn open(sealed: &[u8], identity: &Identity) -> Result<Zeroizing<Vec<u8>>, SealError> {
    open_at_most(MAX_VALUE, sealed, identity)
}

/// Opens what [`seal_piece`] made.
pub(super) fn open_piece(sealed: &[u8], identity: &Identity) -> Result<Zeroizing<Vec<u8>>, SealError> {
    open_at_most(MAX_PIECE, sealed, identity)
}

fn open_at_most(most: usize, sealed: &[u8], identity: &Identity) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let damaged = |error: age::DecryptError| match error {
        age::DecryptError::NoMatchingKeys => SealError::WrongIdentity { identity: identity.public() },
        other => SealError::Damaged { why: other.to_string() },
    };
    let decryptor = age::Decryptor::new(sealed).map_err(damaged)?;
    let mut reader =
        decryptor.decrypt(identity.keys.iter().map(|key| key as &dyn age::Identity)).map_err(damaged)?;
    // As long as the plain value can be: a buffer that grew would leave unwiped copies behind.
    let mut plain = Zeroizing::new(vec![0; sealed.len().min(most) + 1]);
    let mut length = 0;
    while length < plain.len() {
        match reader.read(&mut plain[length..]) {
            Ok(0) => {
                plain[length..].zeroize();
                plain.truncate(length);
                return Ok(plain);
            }
            Ok(more) => length += more,
            Err(error) => return Err(SealError::Damaged { why: error.to_string() }),
        }
    }
    Err(SealError::TooLong { most })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        (folder, path)
    }

    fn identity() -> Identity {
        Identity { keys: vec![x25519::Identity::generate()] }
    }

    #[test]
    fn each_operator_opens_what_was_sealed_to_both_and_a_third_does_not() {
        let (one, two, three) = (identity(), identity(), identity());
        let both = recipients(&[one.public(), format!(" {} ", two.public())]).unwrap();
        for plain in [&b""[..], b"Anchor#2026", &[7; MAX_VALUE]] {
            let sealed = seal(plain, &both).unwrap();
            assert_eq!(open(&sealed, &one).unwrap()[..], *plain);
            assert_eq!(open(&sealed, &two).unwrap()[..], *plain);
            let error = open(&sealed, &three).unwrap_err();
            assert!(matches!(error, SealError::WrongIdentity { .. }), "{error}");
        }
        assert!(matches!(seal(&[7; MAX_VALUE + 1], &both), Err(SealError::TooLong { .. })));
    }

    #[test]
    fn any_changed_or_missing_byte_is_noticed() {
        let me = identity();
        let sealed = seal(b"Anchor#2026", &me.recipients()).unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(open(&changed, &me).is_err(), "byte {index}");
            assert!(open(&sealed[..index], &me).is_err(), "cut at {index}");
        }
        let error = open(&sealed[..sealed.len() - 1], &me).unwrap_err();
        assert!(matches!(error, SealError::Damaged { .. }), "{error}");
    }

    #[test]
    fn an_identity_is_made_once_private_and_read_again() {
        let (_keep, dir) = folder();
        let path = dir.join("state/deep/identity.age-key");
        let made = Identity::load_or_create(&path).unwrap();
        let mode = |path: &Utf8Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let again = Identity::load_or_create(&path).unwrap();
        assert_eq!(again.public(), made.public());
        let sealed = seal(b"x", &made.recipients()).unwrap();
        assert_eq!(open(&sealed, &again).unwrap()[..], *b"x");
    }

    #[test]
    fn many_that_make_the_identity_at_once_end_with_the_same_one() {
        let (_keep, dir) = folder();
        let path = dir.join("identity.age-key");
        let make = || Identity::load_or_create(&path).unwrap().public();
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(made.iter().all(|public| *public == made[0]), "{made:?}");
    }

    #[test]
    fn an_identity_that_is_exposed_empty_or_garbage_is_refused_and_kept() {
        let (_keep, dir) = folder();
        let path = dir.join("identity.age-key");
        Identity::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Identity::load_or_create(&path).unwrap_err().to_string();
        assert!(error.contains("(mode 0640): chmod 600"), "{error}");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "# only a comment\n", "AGE-SECRET-KEY-1NONSENSE\n"] {
            fs::write(&path, text).unwrap();
            let error = Identity::load_or_create(&path).unwrap_err();
            assert!(matches!(error, SealError::NoKey { .. }), "{error}");
            assert!(!error.to_string().contains("NONSENSE"));
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn operators_that_are_no_recipients_are_named_but_never_a_private_key() {
        let secret = x25519::Identity::generate().to_string();
        let error = recipients(&[secret.expose_secret().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("\"AGE-SECR\" in `operators`"), "{error}");
        let error = recipients(&["age1nonsense".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("age1nonsense"), "{error}");
        assert!(matches!(recipients(&[]), Err(SealError::NoRecipient)));
    }

    #[test]
    fn debug_output_shows_the_public_half_only() {
        let me = identity();
        assert_eq!(format!("{me:?}"), format!("<identity of {}>", me.public()));
    }
}
