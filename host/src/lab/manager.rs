//! The manager's page over HTTPS: 200 while an active HA service can be reached, else 503.

use super::error::{LabError, Result};
use super::ha::Role;
use super::layout::{HA_PORT, Layout, Spec, Transport};
use super::pki;
use super::tree::put;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

const PATIENCE: Duration = Duration::from_secs(5);
/// Longest head of a request, bytes.
const LONGEST: usize = 8192;

/// Makes the page's certificates, writes the authority to the site, and answers for ever.
pub(super) async fn start(layout: Arc<Layout>, spec: Arc<Spec>) -> Result<()> {
    let page = pki::manager_page((*spec.manager.ip()).into())?;
    put(&layout.manager_ca(), 0o644, page.authority)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(page.key.serialize_der()));
    let use_certificate = |error| LabError::failed("use the manager's certificate", error);
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(use_certificate)?
        .with_no_client_auth()
        .with_single_cert(vec![page.certificate.der().clone()], key)
        .map_err(use_certificate)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = listen(&spec)
        .await
        .map_err(LabError::system(format!("listen on {} for the manager's page", spec.manager)))?;
    tokio::spawn(async move {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    eprintln!("manager: accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (acceptor, layout, spec) = (acceptor.clone(), layout.clone(), spec.clone());
            tokio::spawn(async move {
                // A client that goes away or speaks something else is its own affair.
                let _ = timeout(PATIENCE, answer(stream, acceptor, &layout, &spec)).await;
            });
        }
    });
    Ok(())
}

/// On local, standard input is the listener that reserved the addresses.
async fn listen(spec: &Spec) -> io::Result<TcpListener> {
    if spec.transport == Transport::Ssh {
        return TcpListener::bind(spec.manager).await;
    }
    let inherited = io::stdin().as_fd().try_clone_to_owned()?;
    let listener = std::net::TcpListener::from(inherited);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn answer(stream: TcpStream, acceptor: TlsAcceptor, layout: &Layout, spec: &Spec) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > LONGEST || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let path = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let (status, body) = if path != b"/web" && !path.starts_with(b"/web/") {
        ("404 Not Found", "Nothing is here. The manager is at /web.\n")
    } else if any_active_reachable(layout, spec).await {
        ("200 OK", "MRS Manager (practice)\n")
    } else {
        ("503 Service Unavailable", "No active management node can be reached.\n")
    };
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await
}

/// Asks the nodes themselves: a node whose link is down has an active role on disk, and is no manager.
async fn any_active_reachable(layout: &Layout, spec: &Spec) -> bool {
    for node in spec.managers() {
        let active = Role::read(&layout.state(&node.name)).is_ok_and(|role| role == Role::Active);
        let connect = TcpStream::connect((node.address, HA_PORT));
        if active && timeout(Duration::from_millis(500), connect).await.is_ok_and(|done| done.is_ok()) {
            return true;
        }
    }
    false
}
