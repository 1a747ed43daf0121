//! A certificate's bytes, and the parts of it that the other files of this room ask for.

use super::{CryptoError, pem};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;

/// Most bytes of a key or a certificate that are looked at: 1 MiB.
pub const MAX_INPUT: usize = 1 << 20;

/// The label of a certificate signing request in PEM.
pub(super) const REQUEST: &str = "CERTIFICATE REQUEST";

/// Reads the first certificate of PEM text, or DER. At most 1 MiB. What is returned parses.
pub fn read_certificate(bytes: &[u8]) -> Result<CertificateDer<'static>, CryptoError> {
    if bytes.len() > MAX_INPUT {
        return Err(unreadable("it is larger than 1 MiB"));
    }
    // DER begins with the tag of a sequence; in text that would be a digit before anything else.
    let der = if bytes.first() == Some(&0x30) && bytes.get(1).is_some_and(|byte| *byte >= 0x80) {
        bytes.to_vec()
    } else {
        let block = pem::first(bytes, |label| label == "CERTIFICATE" || label == "X509 CERTIFICATE")
            .map_err(|why| CryptoError::Certificate { why })?
            .ok_or_else(|| unreadable("it is neither DER nor PEM with a CERTIFICATE block"))?;
        block.der.to_vec()
    };
    parse(&der)?;
    Ok(CertificateDer::from(der))
}

/// Returns the bits of the public key of a certificate, PEM or DER.
pub fn public_key_of(certificate: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let der = read_certificate(certificate)?;
    let parsed = parse(&der)?;
    Ok(parsed.tbs_certificate.subject_pki.subject_public_key.data.to_vec())
}

/// Returns a certificate as PEM, in lines of 64 characters that end in LF.
pub fn to_pem(certificate: &CertificateDer<'_>) -> String {
    pem_of("CERTIFICATE", certificate)
}

pub(super) fn pem_of(label: &str, der: &[u8]) -> String {
    let lines = ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF);
    ::pem::encode_config(&::pem::Pem::new(label, der), lines)
}

pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CryptoError> {
    let (rest, parsed) = X509Certificate::from_der(der).map_err(|error| CryptoError::Certificate {
        why: format!("it is not X.509, or damaged ({})", brief(&error.to_string())),
    })?;
    if !rest.is_empty() {
        return Err(unreadable("bytes follow it that are not part of it"));
    }
    // Two copies, of which only the inner one is signed: RFC 5280 demands that they agree.
    if parsed.signature_algorithm != parsed.tbs_certificate.signature {
        return Err(unreadable("it names two different signature algorithms"));
    }
    Ok(parsed)
}

/// What the extensions say, where there are any.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    /// The CA flag of the basic constraints.
    pub ca: Option<bool>,
    /// Whether the key usage allows signing certificates.
    pub cert_sign: Option<bool>,
    pub subject_key_id: Option<Vec<u8>>,
    pub authority_key_id: Option<Vec<u8>>,
    pub names: Vec<String>,
}

impl Extensions {
    pub fn of(certificate: &X509Certificate<'_>) -> Result<Self, CryptoError> {
        let mut found = Self::default();
        let mut seen = std::collections::HashSet::new();
        for extension in certificate.extensions() {
            if !seen.insert(&extension.oid) {
                return Err(unreadable("it has the same extension twice"));
            }
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => found.ca = Some(constraints.ca),
                ParsedExtension::KeyUsage(usage) => found.cert_sign = Some(usage.key_cert_sign()),
                ParsedExtension::SubjectKeyIdentifier(id) => found.subject_key_id = Some(id.0.to_vec()),
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    found.authority_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                ParsedExtension::SubjectAlternativeName(names) => {
                    found.names = names.general_names.iter().filter_map(alternative).collect();
                }
                ParsedExtension::ParseError { .. } if extension.critical => {
                    return Err(unreadable("an extension that it marks critical is damaged"));
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Names that people look for, as text; other kinds are left out.
pub(super) fn alternative(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some(super::name::harmless(text))
        }
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the number of bits of a big-endian unsigned number, leading zeroes apart.
pub(super) fn bits(number: &[u8]) -> u32 {
    let significant = &number[number.iter().take_while(|byte| **byte == 0).count()..];
    // Input is capped at 1 MiB, so this is at most 2^23.
    significant.first().map_or(0, |first| significant.len() as u32 * 8 - first.leading_zeros())
}

pub(super) fn unreadable(why: &str) -> CryptoError {
    CryptoError::Certificate { why: why.to_owned() }
}

/// A library's words, kept short.
fn brief(words: &str) -> String {
    words.chars().take(120).collect()
}
