//! What a guest prints: kept up to a bound, and the rest let go of.

use super::super::inspect::shown;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Bytes kept of one call.
const KEPT: usize = 64 << 10;
/// What a stream takes in one piece.
const PIECE: usize = 64 << 10;
/// Characters of one line that are shown.
const LINE: usize = 1_000;

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    more: bool,
}

#[derive(Clone, Default)]
pub(super) struct Output(Arc<Mutex<Kept>>);

impl Output {
    pub(super) fn text(&self) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept.bytes);
        let mut lines: Vec<String> = text.lines().map(|line| shown(line, LINE)).collect();
        if kept.more {
            lines.push(format!("(it printed more than {} KiB; the rest was not kept)", KEPT >> 10));
        }
        lines.join("\n")
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only the next version of WASI asks for this one.
        Box::new(tokio::io::sink())
    }
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT.saturating_sub(kept.bytes.len());
        kept.more |= bytes.len() > room;
        kept.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(())
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PIECE)
    }
}
