//! The probes against TLS servers of our own and of OpenSSL, on the loopback.

use super::*;
use crate::capability::crypto::testing::{Bench, leaf, root};
use crate::capability::crypto::{self, PrivateKey};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const SOON: Duration = Duration::from_secs(10);

type Made = (CertificateDer<'static>, PrivateKey);

/// Serves a certificate with a key that need not be its own.
#[derive(Debug)]
struct Serves(Arc<CertifiedKey>);

impl ResolvesServerCert for Serves {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// A server for the duration of a test: answers every connection with `answer`, and wants a client
/// certificate of `clients` where given. Returns its port.
async fn server(
    certificate: &CertificateDer<'static>,
    key: &PrivateKey,
    versions: &[&'static SupportedProtocolVersion],
    clients: Option<&CertificateDer<'static>>,
    answer: &'static str,
) -> u16 {
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
    let builder = match clients {
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(ca.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_der().to_vec()));
    let key = provider().key_provider.load_private_key(key).unwrap();
    let serves = Serves(Arc::new(CertifiedKey::new(vec![certificate.clone()], key)));
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(builder.with_cert_resolver(Arc::new(serves))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

fn pair() -> (Made, Made) {
    let root = root("root");
    let leaf = leaf(&root, "localhost");
    (root, leaf)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_served_certificate_is_seen_even_by_a_client_without_one() {
    let ((root, _), (leaf, key)) = pair();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for clients in [None, Some(&root)] {
            let port = server(&leaf, &key, &[version], clients, "").await;
            assert_eq!(served("127.0.0.1", port, SOON).await.unwrap(), leaf, "{version:?}");
            assert_eq!(served("localhost", port, SOON).await.unwrap(), leaf);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_its_key_proves_nothing() {
    let ((_, other_key), (leaf, _)) = pair();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let port = server(&leaf, &other_key, &[version], None, "").await;
        let error = served("127.0.0.1", port, SOON).await.unwrap_err();
        assert!(matches!(error, ClusterError::NotProven { .. }), "{version:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_silent_and_plain_ports_are_told_apart() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let error = served("127.0.0.1", closed, SOON).await.unwrap_err();
    assert!(matches!(error, ClusterError::Unreachable { .. }), "{error}");

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = served("127.0.0.1", port, Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, ClusterError::TimedOut { .. }), "{error}");

    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = plain.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        let _ = stream.write_all(b"SSH-2.0-\x1b[2Jx\r\n").await;
        let _ = stream.read(&mut [0; 4096]).await;
    });
    let error = served("127.0.0.1", port, SOON).await.unwrap_err();
    assert!(matches!(error, ClusterError::Handshake { .. }), "{error}");
    assert!(!error.to_string().contains('\u{1b}'));
    let error = served("no name", 1, SOON).await.unwrap_err();
    assert!(matches!(error, ClusterError::Unreachable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_serving_a_version_1_certificate_to_known_clients_only_is_seen() {
    let Some(bench) = Bench::with_openssl() else { return };
    bench.run("openssl req -new -newkey rsa:2048 -nodes -keyout v1.key -subj /CN=v1 -out v1.csr");
    bench.run("openssl x509 -req -in v1.csr -signkey v1.key -days 9 -out v1.crt");
    let expected = crypto::read_certificate(&bench.read("v1.crt")).unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        let mut server = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-Verify", "1", "-verify_return_error", version])
            .arg("-cert")
            .arg(bench.path("v1.crt"))
            .arg("-key")
            .arg(bench.path("v1.key"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| line.ok()?.strip_prefix("ACCEPT 127.0.0.1:")?.parse().ok());
        let answer = served("127.0.0.1", port.unwrap(), SOON).await;
        server.kill().unwrap();
        server.wait().unwrap();
        assert_eq!(answer.unwrap(), expected, "{version}");
    }
}

const FOUND: &str = "HTTP/1.1 302 Found\r\nLocation: https://192.0.2.1/\r\nContent-Length: 0\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\ndown";

#[tokio::test(flavor = "multi_thread")]
async fn the_managers_page_answers_with_its_own_status_and_redirects_are_not_followed() {
    let ((root, _), (leaf, key)) = pair();
    let ca = crypto::to_pem(&root);
    let port = server(&leaf, &key, rustls::ALL_VERSIONS, None, FOUND).await;
    let url = format!("https://127.0.0.1:{port}/web");
    assert_eq!(manager(&url, Some(ca.as_bytes()), &[200, 302], SOON).await.unwrap(), 302);
    assert_eq!(manager(&url, Some(ca.as_bytes()), &[], SOON).await.unwrap(), 302);

    let error = manager(&url, Some(ca.as_bytes()), &[200], SOON).await.unwrap_err().to_string();
    assert!(error.contains("answers 302, and the site expects 200"), "{error}");

    let port = server(&leaf, &key, rustls::ALL_VERSIONS, None, BROKEN).await;
    let url = format!("https://localhost:{port}/web");
    let error = manager(&url, Some(ca.as_bytes()), &[], SOON).await.unwrap_err();
    assert!(matches!(error, ClusterError::ManagerStatus { status: 503, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_the_pinned_ca_did_not_certify_is_not_asked() {
    let ((other_root, _), (leaf, key)) = (pair().0, pair().1);
    let port = server(&leaf, &key, rustls::ALL_VERSIONS, None, FOUND).await;
    let url = format!("https://127.0.0.1:{port}/");
    let other = crypto::to_pem(&other_root);
    let error = manager(&url, Some(other.as_bytes()), &[302], SOON).await.unwrap_err();
    assert!(matches!(error, ClusterError::Manager { .. }), "{error}");

    for (url, ca) in [("http://127.0.0.1:1/", &other), ("https://a b/", &other)] {
        let error = manager(url, Some(ca.as_bytes()), &[302], SOON).await.unwrap_err();
        assert!(matches!(error, ClusterError::ManagerAddress { .. }), "{url}: {error}");
    }
    let error = manager("https://127.0.0.1:1/", Some(b"no PEM"), &[302], SOON).await.unwrap_err();
    assert!(matches!(error, ClusterError::ManagerCa { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_never_answers_takes_no_longer_than_its_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://127.0.0.1:{}/", silent.local_addr().unwrap().port());
    let ca = crypto::to_pem(&root("root").0);
    let begun = std::time::Instant::now();
    let error = manager(&url, Some(ca.as_bytes()), &[], Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error, ClusterError::Manager { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
