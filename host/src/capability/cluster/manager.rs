//! Whether the manager's page can be accessed.

use super::{ClusterError, provider, shown};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

/// Where distributions keep the CAs that they trust, in the order in which OpenSSL-based tools look.
const SYSTEM_CAS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Asks for the page over HTTPS and returns its status, where that is one of `expect` (empty: any below 400).
///
/// The page's certificate must chain to a certificate of `ca_pem` (None: to a CA that this system trusts) and
/// name the host of `url`. Redirects are not followed, proxies of the environment are not used, the page's
/// body is not read. `timeout` covers all of it.
pub async fn manager(
    url: &str,
    ca_pem: Option<&[u8]>,
    expect: &[u16],
    timeout: Duration,
) -> Result<u16, ClusterError> {
    let failed = |why: String| ClusterError::Manager { url: shown(url), why: shown(&why) };
    if !url.starts_with("https://") {
        let why = "it does not begin with https://".to_owned();
        return Err(ClusterError::ManagerAddress { url: shown(url), why });
    }
    let roots = match ca_pem {
        Some(pem) => pinned(pem)?,
        None => system()?,
    };
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(provider())
        .build();
    let agent = ureq::Agent::config_builder()
        .https_only(true)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(timeout))
        .tls_config(tls)
        .build()
        .new_agent();

    let address = url.to_owned();
    let answer = tokio::task::spawn_blocking(move || agent.get(address).call())
        .await
        .map_err(|error| failed(error.to_string()))?;
    let status = match answer {
        Ok(response) => response.status().as_u16(),
        Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
            let why = shown(&error.to_string());
            return Err(ClusterError::ManagerAddress { url: shown(url), why });
        }
        Err(error) => return Err(failed(error.to_string())),
    };
    let fine = if expect.is_empty() { status < 400 } else { expect.contains(&status) };
    if !fine {
        let expected = match expect {
            [] => "one below 400".to_owned(),
            some => some.iter().map(u16::to_string).collect::<Vec<_>>().join(", "),
        };
        return Err(ClusterError::ManagerStatus { url: shown(url), status, expected });
    }
    Ok(status)
}

fn pinned(pem: &[u8]) -> Result<Vec<Certificate<'static>>, ClusterError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| ClusterError::ManagerCa { why: error.to_string() })?;
    if read.is_empty() {
        return Err(ClusterError::ManagerCa { why: "it holds no CERTIFICATE block".into() });
    }
    Ok(read.iter().map(|der| Certificate::from_der(der).to_owned()).collect())
}

fn system() -> Result<Vec<Certificate<'static>>, ClusterError> {
    let bundle = SYSTEM_CAS.iter().find_map(|path| std::fs::read(path).ok()).ok_or_else(|| {
        let why = "the site pins none, and this system has no file of trusted CAs".to_owned();
        ClusterError::ManagerCa { why }
    })?;
    pinned(&bundle)
}
