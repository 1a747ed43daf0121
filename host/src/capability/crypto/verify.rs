//! Whether a certificate chains to a root, and whether a CA that a site supplies will do.

use super::algorithm::RSA_FLOOR;
use super::certificate::{self, Extensions};
use super::error::date;
use super::{CryptoError, PrivateKey, hex, inspect, name};
use pkcs8::der::Decode as _;
use pkcs8::der::asn1::AnyRef;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::X509Version;

/// Checks that `leaf` was issued by `root` and that both hold at `now`. Each PEM or DER.
///
/// A root without extensions (version 1, as old tools make them) is taken where it is its own issuer, as
/// OpenSSL does; a root of version 3 must say that it is a CA. Errors, in the order of the checks:
/// [`CryptoError::NotACa`], [`CryptoError::OtherIssuer`], [`CryptoError::OtherKey`], [`CryptoError::Weak`],
/// [`CryptoError::Signature`], [`CryptoError::NotYetValid`], [`CryptoError::Expired`],
/// [`CryptoError::Rejected`].
pub fn verify_chain(leaf: &[u8], root: &[u8], now: i64) -> Result<(), CryptoError> {
    let (leaf_der, root_der) = (certificate::read_certificate(leaf)?, certificate::read_certificate(root)?);
    let (leaf, root) = (certificate::parse(&leaf_der)?, certificate::parse(&root_der)?);
    let (leaf_says, root_says) = (Extensions::of(&leaf)?, Extensions::of(&root)?);
    let (leaf_name, root_name) = (name::rfc4514(leaf.subject()), name::rfc4514(root.subject()));

    let self_issued = root.subject().as_raw() == root.issuer().as_raw();
    if !(root.version() == X509Version::V1 && self_issued) {
        may_issue(&root, &root_says)?;
    }
    if leaf.issuer().as_raw() != root.subject().as_raw() {
        let issuer = name::rfc4514(leaf.issuer());
        let note = if issuer == root_name { " (the same words, encoded in another way)" } else { "" };
        return Err(CryptoError::OtherIssuer { leaf: leaf_name, issuer, root: root_name, note });
    }
    if let (Some(authority), Some(subject)) = (&leaf_says.authority_key_id, &root_says.subject_key_id)
        && authority != subject
    {
        return Err(CryptoError::OtherKey {
            leaf: leaf_name,
            root: root_name,
            authority: hex(authority),
            subject: hex(subject),
        });
    }
    strong_signature(&leaf)?;
    strong_key(&leaf)?;
    strong_key(&root)?;
    if !signed_by(&leaf, &root) {
        return Err(CryptoError::Signature { subject: leaf_name, issuer: root_name });
    }
    in_date(&root, now)?;
    in_date(&leaf, now)?;

    // A second opinion on what was not looked at above: critical extensions, name constraints, usages. It
    // does not read version 1, and takes no CA as a leaf; both are served by products in the field.
    if leaf.version() == X509Version::V3 && leaf_says.ca != Some(true) {
        strict(&leaf_der, &root_der, now).map_err(|error| CryptoError::Rejected {
            leaf: leaf_name,
            root: root_name,
            why: error.to_string(),
        })?;
    }
    Ok(())
}

/// Checks that a site's own CA will do: strong, allowed to issue, in date, and `key` is its key. Errors are
/// [`CryptoError::SuppliedCa`], which says what to supply instead.
pub fn check_supplied_ca(ca: &[u8], key: &PrivateKey, now: i64) -> Result<(), CryptoError> {
    check_supplied_certificate(ca, now)?;
    let der = certificate::read_certificate(ca)?;
    if !key.matches(&der)? {
        let subject = name::rfc4514(certificate::parse(&der)?.subject());
        return Err(refused("supply the key that was made with this certificate, or its certificate")(
            CryptoError::KeyMismatch { subject },
        ));
    }
    Ok(())
}

/// As [`check_supplied_ca`], as far as it goes without the key.
pub fn check_supplied_certificate(ca: &[u8], now: i64) -> Result<(), CryptoError> {
    let der = certificate::read_certificate(ca).map_err(refused(
        "supply the CA certificate as PEM or DER (`openssl x509 -in FILE -text` reads it)",
    ))?;
    let parsed = certificate::parse(&der)?;
    let says = Extensions::of(&parsed)
        .map_err(refused("have the CA issued anew (`openssl x509 -in FILE -text` shows its extensions)"))?;

    strong_key(&parsed).map_err(refused("supply a CA with an RSA key of 3072 bits or an ECDSA key"))?;
    strong_signature(&parsed)
        .map_err(refused("have the CA signed anew with SHA-256 (`openssl x509 -req -sha256 …`)"))?;
    may_issue(&parsed, &says).map_err(refused(
        "supply a CA made with basicConstraints=critical,CA:TRUE and keyUsage=keyCertSign,cRLSign",
    ))?;
    in_date(&parsed, now).map_err(refused("supply a CA that is valid now, or set the clock right"))
}

/// Checks that a certificate which another CA issued will do: it is of `key`, strong, and in date. Errors, in the order
/// of the checks: [`CryptoError::KeyMismatch`], [`CryptoError::Weak`], [`CryptoError::NotYetValid`],
/// [`CryptoError::Expired`].
pub fn check_issued(certificate: &[u8], key: &PrivateKey, now: i64) -> Result<(), CryptoError> {
    let der = certificate::read_certificate(certificate)?;
    let parsed = certificate::parse(&der)?;
    if !key.matches(&der)? {
        return Err(CryptoError::KeyMismatch { subject: name::rfc4514(parsed.subject()) });
    }
    strong_key(&parsed)?;
    strong_signature(&parsed)?;
    in_date(&parsed, now)
}

/// Checks that the certificate of another CA will do, a root or an intermediate: it can issue, is strong, and in date.
pub fn check_ca(certificate: &[u8], now: i64) -> Result<(), CryptoError> {
    let der = certificate::read_certificate(certificate)?;
    let parsed = certificate::parse(&der)?;
    may_issue(&parsed, &Extensions::of(&parsed)?)?;
    strong_key(&parsed)?;
    strong_signature(&parsed)?;
    in_date(&parsed, now)
}

fn refused(next: &'static str) -> impl Fn(CryptoError) -> CryptoError {
    move |source| CryptoError::SuppliedCa { source: Box::new(source), next }
}

pub(super) fn may_issue(ca: &X509Certificate<'_>, says: &Extensions) -> Result<(), CryptoError> {
    let why = match (says.ca, says.cert_sign) {
        (None, _) => "it has no basic constraints",
        (Some(false), _) => "its basic constraints say CA:FALSE",
        (Some(true), Some(false)) => "its key usage does not allow signing certificates",
        (Some(true), _) => return Ok(()),
    };
    Err(CryptoError::NotACa { subject: name::rfc4514(ca.subject()), why })
}

pub(super) fn in_date(certificate: &X509Certificate<'_>, now: i64) -> Result<(), CryptoError> {
    let subject = || name::rfc4514(certificate.subject());
    let (from, until) =
        (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
    if now < from {
        return Err(CryptoError::NotYetValid { subject: subject(), from: date(from), now: date(now) });
    }
    if now > until {
        return Err(CryptoError::Expired { subject: subject(), until: date(until), now: date(now) });
    }
    Ok(())
}

fn strong_key(certificate: &X509Certificate<'_>) -> Result<(), CryptoError> {
    match inspect::rsa_bits(certificate) {
        Some(bits) if bits < RSA_FLOOR => Err(CryptoError::Weak {
            what: format!("the key of {} (rsa-{bits})", name::rfc4514(certificate.subject())),
            why: "RSA begins at 2048 bits",
        }),
        _ => Ok(()),
    }
}

fn strong_signature(certificate: &X509Certificate<'_>) -> Result<(), CryptoError> {
    let algorithm = inspect::signature_algorithm(&certificate.signature_algorithm);
    let broken = ["sha1", "md5", "md2", "SHA1"].iter().any(|digest| algorithm.contains(digest));
    if broken {
        return Err(CryptoError::Weak {
            what: format!("the signature of {} ({algorithm})", name::rfc4514(certificate.subject())),
            why: "signatures begin at SHA-256",
        });
    }
    Ok(())
}

fn signed_by(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    let Ok(outer) = Vec::<AnyRef<'_>>::from_der(certificate.as_raw()) else { return false };
    let Some(algorithm) = outer.get(1).map(|field| field.value()) else { return false };
    let candidates: Vec<_> = webpki::ALL_VERIFICATION_ALGS
        .iter()
        .copied()
        .filter(|candidate| candidate.signature_alg_id().as_ref() == algorithm)
        .collect();
    verify_with(issuer, &candidates, certificate.tbs_certificate.as_ref(), &certificate.signature_value.data)
}

/// Returns whether `signature` over `message` was made with the key of a certificate (DER), by the one of
/// `algorithms` that fits that key.
pub(crate) fn verify_with_key_of(
    certificate: &[u8],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    message: &[u8],
    signature: &[u8],
) -> bool {
    certificate::parse(certificate)
        .is_ok_and(|certificate| verify_with(&certificate, algorithms, message, signature))
}

fn verify_with(
    certificate: &X509Certificate<'_>,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let key = certificate.public_key();
    let Ok(fields) = Vec::<AnyRef<'_>>::from_der(key.raw) else { return false };
    let Some(key_algorithm) = fields.first().map(|field| field.value()) else { return false };
    algorithms.iter().find(|algorithm| algorithm.public_key_alg_id().as_ref() == key_algorithm).is_some_and(
        |algorithm| algorithm.verify_signature(&key.subject_public_key.data, message, signature).is_ok(),
    )
}

fn strict(leaf: &CertificateDer<'_>, root: &CertificateDer<'_>, now: i64) -> Result<(), webpki::Error> {
    let anchor = webpki::anchor_from_trusted_cert(root)?;
    // Both certificates are in date, so `now` is not before 1970 unless they are.
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or_default()));
    EndEntityCert::try_from(leaf)?
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &[anchor],
            &[],
            now,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map(|_| ())
}
