//! Private keys under a passphrase: PKCS#8 with PBES2, as old and new OpenSSL and the JDK open it.

use super::CryptoError;
use crate::capability::secrets::Secret;
use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{hmac, pbkdf2};
use pkcs8::EncryptedPrivateKeyInfo;
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{self, Kdf, Pbkdf2Prf};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// Rounds of PBKDF2 for keys written here. Each guess at a stolen file costs as much as opening it once.
/// The product's services open theirs at every start, on machines far slower than an attacker's, and
/// OpenSSL's own default is 2,048; this is fifty times that, about 0.1 s of work.
pub(super) const ITERATIONS: u32 = 100_000;
/// Most rounds of a file that is read: seconds of work, so that a hostile file cannot stop a run.
const MAX_ITERATIONS: u32 = 10_000_000;

/// Encrypts plain PKCS#8 as a PEM block: the same bytes each time for the same key and passphrase.
///
/// So both nodes hold one file, also where the controller died between them, and a file's digest tells after a
/// crash whether it was written. Salt and vector are drawn by the key itself: nobody without it can foresee
/// them, and another key or passphrase has others.
pub(super) fn seal(
    pkcs8: &[u8],
    passphrase: &Secret,
    iterations: u32,
) -> Result<Zeroizing<String>, CryptoError> {
    const FAILED: CryptoError = CryptoError::Library { what: "encrypt a private key" };
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    let mut drawn = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, pkcs8));
    drawn.update(b"windlass: salt and vector of an encrypted key\0");
    drawn.update(passphrase.expose());
    let drawn = drawn.sign();
    salt.copy_from_slice(&drawn.as_ref()[..16]);
    iv.copy_from_slice(&drawn.as_ref()[16..]);
    let scheme = pbes2::Parameters::pbkdf2_sha256_aes256cbc(iterations, &salt, &iv).map_err(|_| FAILED)?;

    let key = derive(&scheme.kdf, 32, passphrase)?;
    // Room for the padding beforehand: a buffer that grows leaves an unwiped copy of the key behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(pkcs8.len() + 16));
    buffer.extend_from_slice(pkcs8);
    let cipher = UnboundCipherKey::new(&AES_256, &key).map_err(|_| FAILED)?;
    PaddedBlockEncryptingKey::cbc_pkcs7(cipher)
        .and_then(|cipher| {
            cipher.less_safe_encrypt(&mut *buffer, EncryptionContext::Iv128(FixedLength::from(iv)))
        })
        .map_err(|_| FAILED)?;

    let sealed = EncryptedPrivateKeyInfo { encryption_algorithm: scheme.into(), encrypted_data: &buffer };
    let der = sealed.to_der().map_err(|_| FAILED)?;
    let lines = ::pem::EncodeConfig::new().set_line_ending(::pem::LineEnding::LF);
    Ok(Zeroizing::new(::pem::encode_config(&::pem::Pem::new("ENCRYPTED PRIVATE KEY", der), lines)))
}

/// Decrypts an `EncryptedPrivateKeyInfo`; what comes out still has to be read as a key.
pub(super) fn open(der: &[u8], passphrase: &Secret) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let foreign = |why: &str| CryptoError::Key { why: why.to_owned() };
    let info = EncryptedPrivateKeyInfo::from_der(der)
        .map_err(|_| foreign("it is damaged, or encrypted in a way that is not read here"))?;
    let EncryptionScheme::Pbes2(scheme) = &info.encryption_algorithm else {
        return Err(foreign("it is encrypted by PBES1, which is broken"));
    };
    let (algorithm, length, iv): (&'static Algorithm, usize, [u8; 16]) = match scheme.encryption {
        pbes2::EncryptionScheme::Aes128Cbc { iv } => (&AES_128, 16, *iv),
        pbes2::EncryptionScheme::Aes192Cbc { iv } => (&AES_192, 24, *iv),
        pbes2::EncryptionScheme::Aes256Cbc { iv } => (&AES_256, 32, *iv),
        _ => return Err(foreign("its cipher is not AES")),
    };
    if scheme.kdf.key_length().is_some_and(|given| usize::from(given) != length) {
        return Err(foreign("its key length does not fit its cipher"));
    }
    let key = derive(&scheme.kdf, length, passphrase)?;
    let mut buffer = Zeroizing::new(info.encrypted_data.to_vec());
    let opened = UnboundCipherKey::new(algorithm, &key)
        .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
        .and_then(|cipher| cipher.decrypt(&mut buffer, DecryptionContext::Iv128(FixedLength::from(iv))))
        .map_err(|_| CryptoError::Passphrase)?;
    Ok(Zeroizing::new(opened.to_vec()))
}

fn derive(kdf: &Kdf<'_>, length: usize, passphrase: &Secret) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let foreign = |why: &str| CryptoError::Key { why: why.to_owned() };
    let Kdf::Pbkdf2(parameters) = kdf else {
        return Err(foreign("its passphrase is stretched by something else than PBKDF2"));
    };
    let algorithm = match parameters.prf {
        // Not the broken use of SHA-1: no collision helps against HMAC. OpenSSL before 1.1 writes it.
        Pbkdf2Prf::HmacWithSha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        Pbkdf2Prf::HmacWithSha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Pbkdf2Prf::HmacWithSha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        Pbkdf2Prf::HmacWithSha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return Err(foreign("its passphrase is stretched with a digest that is not read here")),
    };
    let iterations = NonZeroU32::new(parameters.iteration_count)
        .filter(|count| count.get() <= MAX_ITERATIONS)
        .ok_or_else(|| foreign("its passphrase is stretched in zero or more than 10,000,000 rounds"))?;
    let mut key = Zeroizing::new(vec![0; length]);
    pbkdf2::derive(algorithm, iterations, parameters.salt, passphrase.expose(), &mut key);
    Ok(key)
}
