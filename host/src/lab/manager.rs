//! The manager over HTTPS: its page answers 200 while an active HA service can be reached, else 503; and below
//! `/web/api/`, which is invented, it stops and starts the cluster's services and leaves nodes out of that.

use super::error::{LabError, Result};
use super::ha::Role;
use super::layout::{HA_PORT, Layout, Spec, Transport};
use super::operation::{Current, Kind, Operations};
use super::pki;
use super::supervisor::chain;
use super::switching::Cluster;
use super::tree::put;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

const PATIENCE: Duration = Duration::from_secs(5);
/// How long whoever asks for an operation waits for its end, so that few have to ask twice.
const LONG_ENOUGH: Duration = Duration::from_secs(1);
/// Longest head of a request, and longest body, bytes.
const LONGEST: usize = 8192;

/// Makes the page's certificates, writes the authority to the site, and answers for ever.
pub(super) async fn start(cluster: Arc<Cluster>) -> Result<()> {
    let Cluster { layout, spec, .. } = &*cluster;
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
    let listener = listen(spec)
        .await
        .map_err(LabError::system(format!("listen on {} for the manager's page", spec.manager)))?;
    let operations = Arc::new(Operations::new(cluster.clone()));
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
            let (acceptor, operations) = (acceptor.clone(), operations.clone());
            tokio::spawn(async move {
                // A client that goes away or speaks something else is its own affair.
                let _ = timeout(PATIENCE, answer(stream, acceptor, &operations)).await;
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

async fn answer(stream: TcpStream, acceptor: TlsAcceptor, operations: &Arc<Operations>) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let Some(request) = Request::read(&mut stream).await? else { return Ok(()) };
    let Answer { status, body } = reply(&request, operations).await;
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await
}

/// What is needed of a request.
struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

impl Request {
    /// None where the client went away or sends more than any request here needs.
    async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut read = Vec::new();
        let end = loop {
            if let Some(end) = read.windows(4).position(|end| end == b"\r\n\r\n") {
                break end;
            }
            if read.len() > LONGEST || stream.read_buf(&mut read).await? == 0 {
                return Ok(None);
            }
        };
        let mut body = read.split_off(end + 4);
        let head = String::from_utf8_lossy(&read).into_owned();
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let length = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse::<usize>().ok())
            .unwrap_or(0);
        if length > LONGEST {
            return Ok(None);
        }
        while body.len() < length {
            if stream.read_buf(&mut body).await? == 0 {
                return Ok(None);
            }
        }
        body.truncate(length);
        Ok(Some(Self { method: method.to_owned(), path: path.to_owned(), body }))
    }
}

struct Answer {
    status: &'static str,
    body: String,
}

impl Answer {
    fn new(status: &'static str, body: impl Into<String>) -> Self {
        Self { status, body: body.into() }
    }
}

const OK: &str = "200 OK";

async fn reply(request: &Request, operations: &Arc<Operations>) -> Answer {
    let Request { method, path, body } = request;
    if path != "/web" && !path.starts_with("/web/") {
        return Answer::new("404 Not Found", "Nothing is here. The manager is at /web.\n");
    }
    let Cluster { layout, spec, .. } = &*operations.cluster;
    if !any_active_reachable(layout, spec).await {
        return Answer::new("503 Service Unavailable", "No active management node can be reached.\n");
    }
    let Some(name) = path.strip_prefix("/web/api/") else {
        return Answer::new(OK, "MRS Manager (practice)\n");
    };
    match (method.as_str(), name) {
        ("POST", "stop-cluster") => begin(operations, Kind::StopCluster),
        ("POST", "start-cluster") => begin(operations, Kind::StartCluster),
        ("GET", "operation") => match operations.current(LONG_ENOUGH).await {
            Current::None => Answer::new("404 Not Found", "No operation was begun.\n"),
            Current::Running(_) => Answer::new(OK, "running\n"),
            Current::Finished(how) => Answer::new(OK, how),
        },
        ("GET", "services") => match operations.services().await {
            Ok(lines) => Answer::new(OK, lines),
            Err(error) => failed(&error),
        },
        ("POST", "isolate-node" | "join-node") => {
            let (node, on) = (String::from_utf8_lossy(body), name == "isolate-node");
            let node = node.trim();
            match operations.isolate(node, on) {
                Ok(()) => Answer::new(
                    OK,
                    format!("{node} is {}\n", if on { "isolated" } else { "part of the cluster" }),
                ),
                Err(error @ LabError::UnknownNode { .. }) => {
                    Answer::new("404 Not Found", format!("{error}\n"))
                }
                Err(error) => failed(&error),
            }
        }
        _ => Answer::new("404 Not Found", format!("The manager has no {method} {path}.\n")),
    }
}

fn begin(operations: &Arc<Operations>, kind: Kind) -> Answer {
    match operations.begin(kind) {
        Ok(()) => Answer::new("202 Accepted", format!("{} is under way\n", kind.as_str())),
        Err(other) => Answer::new("409 Conflict", format!("{} is under way\n", other.as_str())),
    }
}

fn failed(error: &LabError) -> Answer {
    Answer::new("500 Internal Server Error", format!("{}\n", chain(error)))
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
