//! What a certificate says.

use super::certificate::{self, Extensions};
use super::{CryptoError, hex, name, pem};
use crate::model::Certificate;
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::der_parser::oid::Oid;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::AlgorithmIdentifier;

/// Signature algorithms by OpenSSL's long names.
const SIGNATURES: [(&str, &str); 16] = [
    ("1.2.840.113549.1.1.2", "md2WithRSAEncryption"),
    ("1.2.840.113549.1.1.4", "md5WithRSAEncryption"),
    ("1.2.840.113549.1.1.5", "sha1WithRSAEncryption"),
    ("1.2.840.113549.1.1.10", "rsassaPss"),
    ("1.2.840.113549.1.1.11", "sha256WithRSAEncryption"),
    ("1.2.840.113549.1.1.12", "sha384WithRSAEncryption"),
    ("1.2.840.113549.1.1.13", "sha512WithRSAEncryption"),
    ("1.2.840.113549.1.1.14", "sha224WithRSAEncryption"),
    ("1.2.840.10040.4.3", "dsaWithSHA1"),
    ("1.2.840.10045.4.1", "ecdsa-with-SHA1"),
    ("1.2.840.10045.4.3.1", "ecdsa-with-SHA224"),
    ("1.2.840.10045.4.3.2", "ecdsa-with-SHA256"),
    ("1.2.840.10045.4.3.3", "ecdsa-with-SHA384"),
    ("1.2.840.10045.4.3.4", "ecdsa-with-SHA512"),
    ("1.3.101.112", "ED25519"),
    ("1.3.101.113", "ED448"),
];

/// Curves and other public keys that have a name.
const KEYS: [(&str, &str); 6] = [
    ("1.2.840.10045.3.1.7", "ecdsa-p256"),
    ("1.3.132.0.34", "ecdsa-p384"),
    ("1.3.132.0.35", "ecdsa-p521"),
    ("1.2.840.10040.4.1", "dsa"),
    ("1.3.101.112", "ed25519"),
    ("1.3.101.113", "ed448"),
];

/// Reads what a certificate says, from PEM (its first certificate) or DER, at most 1 MiB. Nothing in it is
/// judged. An algorithm without a name is given by its object identifier.
pub fn inspect(bytes: &[u8]) -> Result<Certificate, CryptoError> {
    let der = certificate::read_certificate(bytes)?;
    let parsed = certificate::parse(&der)?;
    let extensions = Extensions::of(&parsed)?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
    let serial = parsed.raw_serial();
    Ok(Certificate {
        subject: name::rfc4514(parsed.subject()),
        issuer: name::rfc4514(parsed.issuer()),
        // The zero that only keeps a serial from being negative is none of its digits.
        serial: hex(serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(serial)),
        fingerprint: hex(digest.as_ref()),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
        key_algorithm: key_algorithm(&parsed),
        signature_algorithm: signature_algorithm(&parsed.signature_algorithm),
        can_issue: extensions.ca == Some(true) && extensions.cert_sign != Some(false),
        subject_key_id: extensions.subject_key_id.as_deref().map(hex).unwrap_or_default(),
        authority_key_id: extensions.authority_key_id.as_deref().map(hex).unwrap_or_default(),
        names: extensions.names,
    })
}

/// Reads what a signing request in PEM asks for: the subject, and its names. None: it is no request.
pub fn inspect_request(bytes: &[u8]) -> Option<(String, Vec<String>)> {
    let block = pem::first(bytes, |label| label == certificate::REQUEST).ok()??;
    let (_, request) = X509CertificationRequest::from_der(&block.der).ok()?;
    let extensions = request.requested_extensions().into_iter().flatten();
    let names = extensions.filter_map(|extension| match extension {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    let names = names.flatten().filter_map(certificate::alternative).collect();
    Some((name::rfc4514(&request.certification_request_info.subject), names))
}

pub(super) fn signature_algorithm(algorithm: &AlgorithmIdentifier<'_>) -> String {
    named(&SIGNATURES, &algorithm.algorithm)
}

/// Returns the bits of an RSA key; None for other keys.
pub(super) fn rsa_bits(certificate: &X509Certificate<'_>) -> Option<u32> {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Some(certificate::bits(key.modulus)),
        _ => None,
    }
}

fn key_algorithm(certificate: &X509Certificate<'_>) -> String {
    if let Some(bits) = rsa_bits(certificate) {
        return format!("rsa-{bits}");
    }
    let algorithm = &certificate.public_key().algorithm;
    // An elliptic curve is named by the parameter, the others by the algorithm itself.
    match algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok()) {
        Some(curve) => named(&KEYS, &curve),
        None => named(&KEYS, &algorithm.algorithm),
    }
}

fn named(names: &[(&str, &str)], oid: &Oid<'_>) -> String {
    let oid = oid.to_id_string();
    names.iter().find(|(known, _)| *known == oid).map_or(oid, |(_, name)| (*name).to_owned())
}
