//! The keys and certificates a practice cluster starts with: those of the pair "as installed", and those of
//! the manager's page. Passwords that satisfy the product's policy.

use super::error::{LabError, Result};
use super::services::{KeySet, PASSWORD_NAME};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs8::pkcs5::pbes2;
use pkcs8::{LineEnding, PrivateKeyInfo};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize, SanType,
};
use std::net::IpAddr;
use zeroize::Zeroizing;

/// PBKDF2 rounds of the initial keys; what OpenSSL uses by default, as the product's scripts do.
const ITERATIONS: u32 = 2048;

/// A certificate and its key under a password, both PEM.
pub(super) struct Pair {
    pub certificate: String,
    pub key: Zeroizing<String>,
}

/// The pair's certificates as after an installation.
pub(super) struct Initial {
    pub root: Pair,
    /// In the order of the host names.
    pub leaves: Vec<Pair>,
    pub password: Zeroizing<String>,
    /// The cluster's key set, as every node has it.
    pub keyset: Zeroizing<String>,
    /// What the cluster's services need, sealed under it.
    pub sealed: Vec<u8>,
}

/// A Tink key set of one AES-256-GCM key, written by hand: what Windlass reads is not of its own making here.
fn keyset() -> Result<Zeroizing<String>> {
    let mut drawn = Zeroizing::new([0; 36]);
    SystemRandom::new()
        .fill(&mut drawn[..])
        .map_err(|_| LabError::failed("draw a root key", "the system has no randomness"))?;
    let (number, key) = drawn.split_at(4);
    let number = number.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    let mut value = Zeroizing::new(vec![0x1a, 32]);
    value.extend_from_slice(key);
    let value = Zeroizing::new(STANDARD.encode(&value[..]));
    Ok(Zeroizing::new(format!(
        r#"{{"primaryKeyId":{number},"key":[{{"keyData":{{"typeUrl":"type.googleapis.com/google.crypto.tink.AesGcmKey","value":"{}","keyMaterialType":"SYMMETRIC"}},"status":"ENABLED","keyId":{number},"outputPrefixType":"TINK"}}]}}"#,
        *value
    )))
}

fn failed(doing: &'static str) -> impl Fn(rcgen::Error) -> LabError {
    move |error| LabError::failed(doing, error)
}

/// Makes a root and a leaf for each host: RSA-2048, as the product's scripts make them.
pub(super) fn initial(hosts: &[&str]) -> Result<Initial> {
    // RSA keys take longer than everything else of the lab together, so they are made side by side.
    let mut keys = std::thread::scope(|scope| {
        let made: Vec<_> = (0..=hosts.len())
            .map(|_| scope.spawn(|| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)))
            .collect();
        made.into_iter()
            .map(|thread| {
                thread
                    .join()
                    .map_err(|_| LabError::failed("generate a key", "its thread panicked"))?
                    .map_err(failed("generate a key"))
            })
            .collect::<Result<Vec<_>>>()
    })?;
    let Some(root_key) = keys.pop() else {
        return Err(LabError::failed("generate a key", "none was made"));
    };
    let password = password()?;

    let mut params = authority("HADOOP.COM");
    for (kind, value) in [
        (DnType::CountryName, "DE"),
        (DnType::StateOrProvinceName, "eur"),
        (DnType::LocalityName, "ber"),
        (DnType::OrganizationName, "dt"),
        (DnType::OrganizationalUnitName, "IT"),
    ] {
        params.distinguished_name.push(kind, value);
    }
    let root = params.self_signed(&root_key).map_err(failed("sign the first root"))?;
    let root_pair = Pair { certificate: root.pem(), key: encrypted(&root_key, &password)? };
    let issuer = Issuer::new(params, root_key);
    let leaves = hosts
        .iter()
        .zip(&keys)
        .map(|(host, key)| {
            let params = leaf(host, None)?;
            let certificate = params.signed_by(key, &issuer).map_err(failed("sign a first certificate"))?;
            Ok(Pair { certificate: certificate.pem(), key: encrypted(key, &password)? })
        })
        .collect::<Result<_>>()?;
    let (keyset, services_password) = (keyset()?, self::password()?);
    let sealed = KeySet::parse(keyset.as_bytes())
        .and_then(|set| set.seal(services_password.as_bytes(), PASSWORD_NAME))
        .map_err(|why| LabError::failed("seal the services' password", why))?;
    Ok(Initial { root: root_pair, leaves, password, keyset, sealed })
}

/// What the manager's page needs; its keys never touch a disk.
pub(super) struct ManagerPage {
    pub authority: String,
    pub certificate: rcgen::Certificate,
    pub key: KeyPair,
}

pub(super) fn manager_page(address: IpAddr) -> Result<ManagerPage> {
    let generate = || {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed("generate a key of the manager's page"))
    };
    let (authority_key, key) = (generate()?, generate()?);
    let params = authority("Windlass practice manager CA");
    let signed = failed("sign the manager's certificate");
    let authority = params.self_signed(&authority_key).map_err(&signed)?.pem();
    let certificate = leaf("manager", Some(address))?
        .signed_by(&key, &Issuer::new(params, authority_key))
        .map_err(&signed)?;
    Ok(ManagerPage { authority, certificate, key })
}

fn authority(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    name_and_dates(&mut params, common_name);
    params
}

fn leaf(host: &str, address: Option<IpAddr>) -> Result<CertificateParams> {
    let mut params = CertificateParams::new([host.to_owned()]).map_err(failed("name a certificate"))?;
    params.subject_alt_names.extend(address.map(SanType::IpAddress));
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    name_and_dates(&mut params, host);
    Ok(params)
}

/// Ten years from an hour ago, as a product installed today has it.
fn name_and_dates(params: &mut CertificateParams, common_name: &str) {
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let from = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let until = from + std::time::Duration::from_secs(3650 * 24 * 3600);
    params.not_before = from.into();
    params.not_after = until.into();
}

/// Returns the key as PKCS#8 under the password (PBKDF2-SHA256, AES-256-CBC), PEM.
fn encrypted(key: &KeyPair, password: &str) -> Result<Zeroizing<String>> {
    let failed = |error: String| LabError::failed("encrypt a key", error);
    let (mut salt, mut iv) = ([0u8; 16], [0u8; 16]);
    random(&mut salt)?;
    random(&mut iv)?;
    let parameters = pbes2::Parameters::pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, &iv)
        .map_err(|e| failed(e.to_string()))?;
    let plain = PrivateKeyInfo::try_from(key.serialized_der()).map_err(|e| failed(e.to_string()))?;
    plain
        .encrypt_with_params(parameters, password)
        .map_err(|e| failed(e.to_string()))?
        .to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)
        .map_err(|e| failed(e.to_string()))
}

fn random(bytes: &mut [u8]) -> Result<()> {
    SystemRandom::new().fill(bytes).map_err(|e| LabError::failed("draw random bytes", e))
}

/// Returns 20 random characters, five of each of the four kinds that the product's policy asks for. The
/// special ones are a subset of the documented ones, with those that shells care about in it.
pub(super) fn password() -> Result<Zeroizing<String>> {
    const KINDS: [&[u8]; 4] = [
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        b"abcdefghijklmnopqrstuvwxyz",
        b"0123456789",
        b"~`!?,.;-_'(){}[]/<>@#$%^&*+|\\=",
    ];
    const EACH: usize = 5;
    let mut made = Zeroizing::new(Vec::with_capacity(KINDS.len() * EACH));
    for _ in 0..EACH {
        for kind in KINDS {
            made.push(kind[below(kind.len())?]);
        }
    }
    for last in (1..made.len()).rev() {
        made.swap(last, below(last + 1)?);
    }
    // A leading `-` could be taken for an option by whoever pastes it.
    if made[0] == b'-' {
        made[0] = b'_';
    }
    Ok(Zeroizing::new(made.iter().map(|byte| char::from(*byte)).collect()))
}

/// Returns a random number below `bound`, which is at most 256, without bias.
fn below(bound: usize) -> Result<usize> {
    let fair = 256 - 256 % bound;
    loop {
        let mut byte = [0u8];
        random(&mut byte)?;
        let drawn = usize::from(byte[0]);
        if drawn < fair {
            return Ok(drawn % bound);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_all_four_kinds_and_differ() {
        let (one, two) = (password().unwrap(), password().unwrap());
        assert_ne!(*one, *two);
        for password in [one, two] {
            assert_eq!(password.len(), 20);
            assert_eq!(password.chars().filter(char::is_ascii_uppercase).count(), 5);
            assert_eq!(password.chars().filter(char::is_ascii_lowercase).count(), 5);
            assert_eq!(password.chars().filter(char::is_ascii_digit).count(), 5);
            assert_eq!(password.chars().filter(char::is_ascii_punctuation).count(), 5);
            assert!(!password.starts_with('-'));
        }
    }
}
