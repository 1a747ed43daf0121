//! Asks an endpoint for the certificate that it really serves.

use super::{ClusterError, provider, shown};
use crate::capability::crypto;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Returns the leaf certificate that `host:port` presents in a TLS 1.2 or 1.3 handshake, whoever issued it.
///
/// The server must prove that it has the certificate's key. A server that then asks for a client certificate
/// gets none; its answer was heard by then. Nothing is sent after the handshake. `timeout` covers all of it.
pub async fn served(
    host: &str,
    port: u16,
    timeout: Duration,
) -> Result<CertificateDer<'static>, ClusterError> {
    let host_shown = || shown(host);
    match tokio::time::timeout(timeout, shake_hands(host, port)).await {
        Ok(answer) => answer,
        Err(_) => Err(ClusterError::TimedOut { host: host_shown(), port, timeout }),
    }
}

async fn shake_hands(host: &str, port: u16) -> Result<CertificateDer<'static>, ClusterError> {
    let unreachable = |why: String| ClusterError::Unreachable { host: shown(host), port, why };
    let handshake = |why: String| ClusterError::Handshake { host: shown(host), port, why };

    let name = ServerName::try_from(host.to_owned()).map_err(|error| unreachable(error.to_string()))?;
    let provider = provider();
    let recorder = Arc::new(Recorder { provider: provider.clone(), seen: Mutex::default() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| handshake(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(recorder.clone())
        .with_no_client_auth();

    let stream = TcpStream::connect((host, port)).await.map_err(|error| unreachable(error.to_string()))?;
    let ended = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let why = || match &ended {
        Ok(_) => "the handshake ended without one".to_owned(),
        Err(error) => shown(&error.to_string()),
    };
    match recorder.take() {
        Some(Seen { certificate, proven: true }) => Ok(certificate),
        Some(Seen { proven: false, .. }) => {
            Err(ClusterError::NotProven { host: shown(host), port, why: why() })
        }
        None => Err(handshake(why())),
    }
}

#[derive(Debug)]
struct Seen {
    certificate: CertificateDer<'static>,
    /// The server signed the handshake with the certificate's key.
    proven: bool,
}

/// Records the certificate and takes any: which one it is, is the question. The signature over the handshake
/// is checked all the same, or anybody could answer with a copy of the certificate.
#[derive(Debug)]
struct Recorder {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<Seen>>,
}

impl Recorder {
    fn take(&self) -> Option<Seen> {
        // A panic elsewhere leaves no half-written record behind: it is replaced whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Not by rustls's own function: that one reads no certificates of version 1, which are still served.
    fn check(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let mapping = self.provider.signature_verification_algorithms.mapping;
        let algorithms = mapping
            .iter()
            .find(|(scheme, _)| *scheme == signed.scheme)
            .map(|(_, algorithms)| *algorithms)
            .unwrap_or_default();
        if !crypto::verify_with_key_of(certificate, algorithms, message, signed.signature()) {
            return Err(Error::InvalidCertificate(CertificateError::BadSignature));
        }
        if let Some(seen) = &mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
            seen.proven = true;
        }
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seen = Seen { certificate: end_entity.clone().into_owned(), proven: false };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
