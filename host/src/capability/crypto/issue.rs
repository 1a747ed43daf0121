//! Makes certificates: a self-signed CA, and leaves issued by a CA.

use super::certificate::{self, Extensions};
use super::error::date;
use super::{CryptoError, PrivateKey, verify};
use crate::model::Entry;
use pkcs8::der::asn1::{AnyRef, BitStringRef};
use pkcs8::der::{Decode as _, Encode as _};
use rcgen::string::{Ia5String, PrintableString};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SigningKey,
};
use rustls_pki_types::CertificateDer;
use std::net::IpAddr;
use x509_parser::certificate::X509Certificate;
use x509_parser::time::ASN1Time;

/// Certificates begin this long before they are made, in seconds: nodes' clocks differ.
const HEAD_START: i64 = 3600;
const DAY: i64 = 86_400;
/// Longest validity that is made: a century.
const MOST_DAYS: u32 = 36_525;
/// Most names of a leaf.
const MOST_NAMES: usize = 100;
const EMAIL_ADDRESS: &[u64] = &[1, 2, 840, 113549, 1, 9, 1];

/// The serial number of a certificate, of which 126 bits count.
pub type Serial = [u8; 16];

/// What a leaf certificate is to say.
#[derive(Debug, Clone, Copy)]
pub struct LeafRequest<'a> {
    pub key: &'a PrivateKey,
    /// As [`self_sign`] takes it.
    pub subject: &'a [Entry],
    /// DNS names (a `*` as the first label is allowed) and IP addresses.
    pub names: &'a [String],
    pub days: u32,
}

/// Makes a self-signed CA certificate with key identifiers, valid from an hour before `now` to `days` days
/// after it.
///
/// `subject`, in its order, of `country` (two letters), `state`, `city`, `company`, `organize`, `common-name`
/// and `email`, each at most once and none empty.
pub fn self_sign(
    key: &PrivateKey,
    subject: &[Entry],
    days: u32,
    now: i64,
) -> Result<CertificateDer<'static>, CryptoError> {
    self_sign_numbered(key, subject, days, now, serial()?)
}

/// As [`self_sign`], with a serial number that is given: the same again from the same RSA key.
pub fn self_sign_numbered(
    key: &PrivateKey,
    subject: &[Entry],
    days: u32,
    now: i64,
    serial: Serial,
) -> Result<CertificateDer<'static>, CryptoError> {
    let mut params = parameters(subject, days, now, serial)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let made = params.self_signed(key).map_err(|_| FAILED)?;
    Ok(made.der().clone())
}

/// Issues a leaf certificate for TLS servers and clients, signed by `ca` (PEM or DER), whose key `ca_key` is.
///
/// Refused where `ca` may not issue, is out of date, has another key, or would end before the leaf.
pub fn issue(
    ca: &[u8],
    ca_key: &PrivateKey,
    request: LeafRequest<'_>,
    now: i64,
) -> Result<CertificateDer<'static>, CryptoError> {
    issue_numbered(ca, ca_key, request, now, serial()?)
}

/// As [`issue`], with a serial number that is given.
pub fn issue_numbered(
    ca: &[u8],
    ca_key: &PrivateKey,
    request: LeafRequest<'_>,
    now: i64,
    serial: Serial,
) -> Result<CertificateDer<'static>, CryptoError> {
    let ca_der = certificate::read_certificate(ca)?;
    let ca = certificate::parse(&ca_der)?;
    let ca_says = Extensions::of(&ca)?;
    verify::may_issue(&ca, &ca_says)?;
    verify::in_date(&ca, now)?;
    if !ca_key.matches(&ca_der)? {
        return Err(CryptoError::KeyMismatch { subject: super::name::rfc4514(ca.subject()) });
    }
    outlived_by(&ca, request.days, now)?;

    let mut params = parameters(request.subject, request.days, now, serial)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    if matches!(request.key.algorithm(), super::KeyAlgorithm::Rsa(_)) {
        // Only RSA keys can encipher another; old peers ask for it in their RSA key exchange.
        params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
    }
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = alternative_names(request.names)?;

    let mut issuer = CertificateParams::default();
    if let Some(id) = ca_says.subject_key_id {
        issuer.key_identifier_method = KeyIdMethod::PreSpecified(id);
    }
    let unsigned =
        params.signed_by(request.key, &Issuer::from_params(&issuer, Unsigned(ca_key))).map_err(|_| FAILED)?;
    sign_as(unsigned.der(), ca.subject().as_raw(), ca_key)
}

/// Makes a certificate signing request (PKCS#10) for `key`, as PEM: `subject` as [`self_sign`] takes it, `names` as
/// [`LeafRequest`] has them.
pub fn request(key: &PrivateKey, subject: &[Entry], names: &[String]) -> Result<String, CryptoError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(subject)?;
    params.subject_alt_names = alternative_names(names)?;
    let made = params
        .serialize_request(key)
        .map_err(|_| CryptoError::Library { what: "write a signing request" })?;
    Ok(certificate::pem_of(certificate::REQUEST, made.der()))
}

/// Checks what a request is asked to say, as making it would.
pub fn check_signing_request(subject: &[Entry], names: &[String]) -> Result<(), CryptoError> {
    distinguished_name(subject)?;
    alternative_names(names).map(drop)
}

/// Checks all that [`issue`] asks of a CA (PEM or DER) but for its key.
pub fn check_issuer(ca: &[u8], days: u32, now: i64) -> Result<(), CryptoError> {
    let der = certificate::read_certificate(ca)?;
    let ca = certificate::parse(&der)?;
    verify::may_issue(&ca, &Extensions::of(&ca)?)?;
    verify::in_date(&ca, now)?;
    outlived_by(&ca, days, now)
}

/// Checks what a certificate is asked to say, as making it would.
pub fn check_request(subject: &[Entry], names: &[String], days: u32, now: i64) -> Result<(), CryptoError> {
    parameters(subject, days, now, [0; 16])?;
    alternative_names(names).map(drop)
}

fn outlived_by(ca: &X509Certificate<'_>, days: u32, now: i64) -> Result<(), CryptoError> {
    let ca_until = ca.validity().not_after.timestamp();
    let until = now.saturating_add(i64::from(days).saturating_mul(DAY));
    if until > ca_until {
        return Err(CryptoError::OutlivesCa {
            until: date(until),
            ca_until: date(ca_until),
            days: (ca_until - now) / DAY,
        });
    }
    Ok(())
}

const FAILED: CryptoError = CryptoError::Library { what: "write a certificate" };

/// A key that leaves the signature out, for [`sign_as`] to make.
struct Unsigned<'a>(&'a PrivateKey);

impl PublicKeyData for Unsigned<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }
    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        PublicKeyData::algorithm(self.0)
    }
}

impl SigningKey for Unsigned<'_> {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(Vec::new())
    }
}

/// Puts the CA's own name, byte for byte, where rcgen wrote an issuer, and signs. rcgen holds a name as a map,
/// so it cannot repeat an attribute (`DC=example,DC=com`), and it knows fewer kinds of text than are in use:
/// a name that is only alike breaks the chain.
fn sign_as(unsigned: &[u8], issuer: &[u8], key: &PrivateKey) -> Result<CertificateDer<'static>, CryptoError> {
    const ISSUER: usize = 3;
    let failed = |_| FAILED;
    let outer = Vec::<AnyRef<'_>>::from_der(unsigned).map_err(failed)?;
    let [to_be_signed, algorithm, _] = outer[..] else { return Err(FAILED) };
    let inner = to_be_signed.to_der().map_err(failed)?;
    let mut fields = Vec::<AnyRef<'_>>::from_der(&inner).map_err(failed)?;
    *fields.get_mut(ISSUER).ok_or(FAILED)? = AnyRef::from_der(issuer).map_err(failed)?;
    let to_be_signed = fields.to_der().map_err(failed)?;

    let signature = key.sign_message(&to_be_signed)?;
    let signature = BitStringRef::from_bytes(&signature).and_then(|bits| bits.to_der()).map_err(failed)?;
    let certificate = vec![
        AnyRef::from_der(&to_be_signed).map_err(failed)?,
        algorithm,
        AnyRef::from_der(&signature).map_err(failed)?,
    ];
    Ok(CertificateDer::from(certificate.to_der().map_err(failed)?))
}

fn parameters(
    subject: &[Entry],
    days: u32,
    now: i64,
    serial: Serial,
) -> Result<CertificateParams, CryptoError> {
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(argument("the days of validity", format!("{days} is not between 1 and {MOST_DAYS}")));
    }
    let time = |seconds: i64| {
        ASN1Time::from_timestamp(seconds)
            .map(|time| time.to_datetime())
            .map_err(|_| argument("the time", format!("{seconds} s since 1970 is out of range")))
    };
    let mut params = CertificateParams::default();
    params.not_before = time(now.saturating_sub(HEAD_START))?;
    params.not_after = time(now.saturating_add(i64::from(days) * DAY))?;
    params.distinguished_name = distinguished_name(subject)?;
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from_slice(&positive(serial)));
    Ok(params)
}

/// 126 random bits.
fn serial() -> Result<Serial, CryptoError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| CryptoError::Library { what: "draw a serial number" })?;
    Ok(bytes)
}

/// The first byte keeps the number positive and of one length.
fn positive(mut serial: Serial) -> Serial {
    serial[0] = serial[0] & 0x3f | 0x40;
    serial
}

/// The attributes as the product's own command names them, with the longest values that X.520 allows.
const ATTRIBUTES: [(&str, usize); 7] = [
    ("country", 2),
    ("state", 128),
    ("city", 128),
    ("company", 64),
    ("organize", 64),
    ("common-name", 64),
    ("email", 255),
];

fn distinguished_name(subject: &[Entry]) -> Result<DistinguishedName, CryptoError> {
    if subject.is_empty() {
        return Err(argument("the subject", "it is empty; give at least common-name".into()));
    }
    let mut name = DistinguishedName::new();
    for Entry { name: attribute, value } in subject {
        let wrong = |why: String| argument(format!("the subject's {}", brief(attribute)), why);
        let Some((_, longest)) = ATTRIBUTES.iter().find(|(known, _)| known == attribute) else {
            let words = ATTRIBUTES.map(|(known, _)| known).join(", ");
            return Err(wrong(format!("there is no such attribute; there are {words}")));
        };
        if value.trim().is_empty() {
            return Err(wrong("it is empty; leave it out or give a value".into()));
        }
        if value.chars().any(char::is_control) {
            return Err(wrong("it has a control character".into()));
        }
        if value.chars().count() > *longest {
            return Err(wrong(format!("it has more than {longest} characters")));
        }
        let (kind, value) = match attribute.as_str() {
            "country" => {
                if value.len() != 2 || !value.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                    return Err(wrong(format!("{value:?} is not a code of two letters, as DE")));
                }
                let value = PrintableString::try_from(value.as_str()).map_err(|_| FAILED)?;
                (DnType::CountryName, DnValue::PrintableString(value))
            }
            "email" => {
                if !value.is_ascii() || !value.contains('@') {
                    return Err(wrong(format!("{value:?} is not an address, as admin@example.com")));
                }
                let value = Ia5String::try_from(value.as_str()).map_err(|_| FAILED)?;
                (DnType::CustomDnType(EMAIL_ADDRESS.to_vec()), DnValue::Ia5String(value))
            }
            "state" => (DnType::StateOrProvinceName, DnValue::from(value.as_str())),
            "city" => (DnType::LocalityName, DnValue::from(value.as_str())),
            "company" => (DnType::OrganizationName, DnValue::from(value.as_str())),
            "organize" => (DnType::OrganizationalUnitName, DnValue::from(value.as_str())),
            _ => (DnType::CommonName, DnValue::from(value.as_str())),
        };
        if name.get(&kind).is_some() {
            return Err(wrong("it is given twice".into()));
        }
        name.push(kind, value);
    }
    Ok(name)
}

fn alternative_names(names: &[String]) -> Result<Vec<SanType>, CryptoError> {
    if names.len() > MOST_NAMES {
        return Err(argument("the names", format!("there are more than {MOST_NAMES}")));
    }
    names
        .iter()
        .map(|name| {
            if let Ok(address) = name.parse::<IpAddr>() {
                return Ok(SanType::IpAddress(address));
            }
            let wrong = || {
                let why = "it is neither a DNS name nor an IP address".to_owned();
                argument(format!("the name {:?}", brief(name)), why)
            };
            if !is_dns_name(name) {
                return Err(wrong());
            }
            Ia5String::try_from(name.as_str()).map(SanType::DnsName).map_err(|_| wrong())
        })
        .collect()
}

fn is_dns_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= 253 && name.strip_prefix("*.").unwrap_or(name).split('.').all(is_label)
}

fn argument(what: impl Into<String>, why: String) -> CryptoError {
    CryptoError::Argument { what: what.into(), why }
}

fn brief(text: &str) -> String {
    text.chars().take(60).collect()
}
