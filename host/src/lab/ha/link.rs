//! The heartbeat between the two services. Each dials the other, so a link survives the restart of either;
//! the one that dialled speaks, the other answers, and both learn from it.

use super::tls::Identity;
use super::{Config, Role};
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Longest line of the protocol, bytes.
const LONGEST: u64 = 1024;
const HANDSHAKE: Duration = Duration::from_secs(2);

/// What a service tells of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Heartbeat {
    pub start_time: String,
    pub role: Role,
}

/// Who dialled.
#[derive(Clone, Copy)]
enum Direction {
    In,
    Out,
}

/// What is known of the peer, and what it is told.
pub(super) struct Link {
    config: Config,
    own: Mutex<Heartbeat>,
    heard: Mutex<Option<(Instant, Heartbeat)>>,
    /// The last failure of each direction that was logged, and when.
    logged: Mutex<[Option<(Instant, String)>; 2]>,
}

impl Link {
    pub(super) fn new(config: Config, own: Heartbeat) -> Arc<Self> {
        Arc::new(Self { config, own: Mutex::new(own), heard: Mutex::default(), logged: Mutex::default() })
    }

    /// Returns what the peer said last; None where the link is lost.
    pub(super) fn peer(&self) -> Option<Heartbeat> {
        let heard = lock(&self.heard);
        let (when, heartbeat) = heard.as_ref()?;
        (when.elapsed() < self.lost_after()).then(|| heartbeat.clone())
    }

    pub(super) fn set_role(&self, role: Role) {
        lock(&self.own).role = role;
    }

    fn lost_after(&self) -> Duration {
        Duration::from_millis(self.config.lost)
    }

    /// Logs a failure that is new, or a minute old: a pair that is split would fill the log otherwise.
    fn note(&self, direction: Direction, text: String) {
        let last = &mut lock(&self.logged)[direction as usize];
        let known = last
            .as_ref()
            .is_some_and(|(when, known)| *known == text && when.elapsed() < Duration::from_secs(60));
        if !known {
            eprintln!("{} {text}", jiff::Zoned::now().strftime("%H:%M:%S"));
            *last = Some((Instant::now(), text));
        }
    }

    /// Answers the peer, for ever.
    pub(super) async fn listen(self: Arc<Self>, listener: TcpListener, identity: Identity) {
        let acceptor = TlsAcceptor::from(identity.server);
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    self.note(Direction::In, format!("accept a connection: {error}"));
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (link, acceptor) = (self.clone(), acceptor.clone());
            tokio::spawn(async move {
                let talk = async {
                    let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
                    let (reader, mut writer) = tokio::io::split(stream);
                    let mut reader = BufReader::new(reader);
                    loop {
                        link.hear(&mut reader).await?;
                        link.tell(&mut writer).await?;
                    }
                };
                let ended: io::Result<()> = talk.await;
                if let Err(error) = ended {
                    link.note(Direction::In, format!("link from outside ended: {error}"));
                }
            });
        }
    }

    /// Dials the peer and keeps the heartbeat, for ever.
    pub(super) async fn dial(self: Arc<Self>, identity: Identity) {
        let connector = TlsConnector::from(identity.client);
        let beat = Duration::from_millis(self.config.heartbeat);
        // Quick at first, so that a pair that starts together finds itself at once.
        let mut pause = beat / 8;
        loop {
            let talk = async {
                let name = ServerName::IpAddress((*self.config.peer_address.ip()).into());
                let stream = timeout(HANDSHAKE, TcpStream::connect(self.config.peer_address)).await??;
                stream.set_nodelay(true)?;
                let stream = timeout(HANDSHAKE, connector.connect(name, stream)).await??;
                let (reader, mut writer) = tokio::io::split(stream);
                let mut reader = BufReader::new(reader);
                loop {
                    self.tell(&mut writer).await?;
                    self.hear(&mut reader).await?;
                    pause = beat / 8;
                    sleep(beat).await;
                }
            };
            let ended: io::Result<()> = talk.await;
            if let Err(error) = ended {
                self.note(Direction::Out, format!("link to {} failed: {error}", self.config.peer_address));
            }
            sleep(pause).await;
            pause = (pause * 2).min(beat);
        }
    }

    async fn tell(&self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut line = serde_json::to_vec(&*lock(&self.own))?;
        line.push(b'\n');
        timeout(self.lost_after(), async {
            writer.write_all(&line).await?;
            writer.flush().await
        })
        .await?
    }

    async fn hear(&self, reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<()> {
        let mut line = Vec::new();
        timeout(self.lost_after(), reader.take(LONGEST).read_until(b'\n', &mut line)).await??;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let heartbeat = serde_json::from_slice(&line)?;
        *lock(&self.heard) = Some((Instant::now(), heartbeat));
        Ok(())
    }
}

/// A value behind these locks is whole after every statement, so a panic elsewhere leaves it usable.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
