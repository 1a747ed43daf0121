//! Mutual TLS with the files of certHA: each side must present a certificate of the one root both trust.

use super::PASSWORD_FILE;
use crate::lab::error::{LabError, Result};
use camino::Utf8Path;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What a node shows and what it trusts, as loaded once.
#[derive(Clone)]
pub(super) struct Identity {
    pub server: Arc<ServerConfig>,
    pub client: Arc<ClientConfig>,
}

/// Loads `server.crt`, `server.pem` (opened with `.ha_pass`) and `root-ca.crt`; the root file may hold several.
pub(super) fn load(folder: &Utf8Path) -> Result<Identity> {
    let chain = certificates(&folder.join("server.crt"))?;
    let key = private_key(folder)?;
    let root_file = folder.join("root-ca.crt");
    let mut roots = RootCertStore::empty();
    for root in certificates(&root_file)? {
        roots.add(root).map_err(|error| LabError::failed(format!("trust {root_file}"), error))?;
    }
    let roots = Arc::new(roots);

    let use_pair =
        |error: rustls::Error| LabError::failed(format!("use server.crt with server.pem in {folder}"), error);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .map_err(|error| LabError::failed(format!("trust {root_file}"), error))?;
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(use_pair)?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(use_pair)?;
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(use_pair)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ChainOnly { roots, provider }))
        .with_client_auth_cert(chain, key)
        .map_err(use_pair)?;
    Ok(Identity { server: Arc::new(server), client: Arc::new(client) })
}

fn certificates(path: &Utf8Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = std::fs::read(path).map_err(LabError::file("read", path))?;
    let blocks =
        pem::parse_many(text).map_err(|error| LabError::failed(format!("read {path} as PEM"), error))?;
    let found: Vec<_> = blocks
        .into_iter()
        .filter(|block| block.tag() == "CERTIFICATE")
        .map(|block| CertificateDer::from(block.into_contents()))
        .collect();
    if found.is_empty() {
        return Err(LabError::failed(format!("read {path}"), "it holds no certificate"));
    }
    Ok(found)
}

fn private_key(folder: &Utf8Path) -> Result<PrivateKeyDer<'static>> {
    let path = folder.join("server.pem");
    let read = |path: &Utf8Path| {
        std::fs::read_to_string(path).map(Zeroizing::new).map_err(LabError::file("read", path))
    };
    let text = read(&path)?;
    let (label, document) = pkcs8::SecretDocument::from_pem(&text)
        .map_err(|error| LabError::failed(format!("read {path} as a private key"), error))?;
    let plain = match label {
        "PRIVATE KEY" => document,
        "ENCRYPTED PRIVATE KEY" => {
            let password = read(&folder.join(PASSWORD_FILE))?;
            let password = password.strip_suffix('\n').unwrap_or(&password);
            pkcs8::EncryptedPrivateKeyInfo::try_from(document.as_bytes())
                .and_then(|key| key.decrypt(password))
                .map_err(|_| {
                    LabError::failed(
                        format!("open {path} with {PASSWORD_FILE}"),
                        "the password is another's, or the encryption is not PBES2",
                    )
                })?
        }
        other => {
            return Err(LabError::failed(format!("read {path}"), format!("{other:?} is no PKCS#8 key")));
        }
    };
    Ok(PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec()).into())
}

/// Verifies the peer's chain and not its name: the product's certificates do not bind one.
#[derive(Debug)]
struct ChainOnly {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ChainOnly {
    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.provider.signature_verification_algorithms
    }
}

impl ServerCertVerifier for ChainOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms().all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, self.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}
