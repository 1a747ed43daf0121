//! Commands of kind `http`: one request of the controller's, and asking until it is finished.

use super::error::NodesError;
use super::evaluate::{Ended, OUTPUT_LIMIT};
use super::resolve::{RequestBody, ResolvedCommand, ResolvedRequest};
use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use zeroize::Zeroizing;

/// Between two questions whether it is finished.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// Sends a command's request and, where it declares so, asks until it is finished; at most for its
/// time-out. `ca` is PEM: the server's certificate is checked against it and nothing else; without it
/// only plain http works. No redirect is followed and no proxy is used.
///
/// The status takes the place of an exit: 0 where it is an expected one, else the status itself.
pub async fn request(command: Arc<ResolvedCommand>, ca: Option<Vec<u8>>) -> Result<Ended, NodesError> {
    let name = command.name.clone();
    let url = command.request.as_ref().map(|request| request.url.clone()).unwrap_or_default();
    let failed = move |why: String| NodesError::Request { command: name.clone(), url: url.clone(), why };
    // The client blocks, and must not block what else the run waits for.
    let panicked = failed.clone();
    tokio::task::spawn_blocking(move || {
        let Some(request) = &command.request else { return Err(failed("it declares no request".into())) };
        let client = Client::new(&command, ca.as_deref()).map_err(&failed)?;
        client.run(request).map_err(|problem| match problem {
            Problem::TimedOut => NodesError::TimedOut {
                command: command.name.clone(),
                node: command.node.clone(),
                timeout: command.timeout,
            },
            Problem::Failed(why) => failed(why),
        })
    })
    .await
    .unwrap_or_else(|_| Err(panicked("the request was abandoned".into())))
}

enum Problem {
    TimedOut,
    Failed(String),
}

struct Client {
    agent: ureq::Agent,
    deadline: Instant,
}

impl Client {
    fn new(command: &ResolvedCommand, ca: Option<&[u8]>) -> Result<Self, String> {
        let mut roots: Vec<Certificate<'static>> = Vec::new();
        for item in parse_pem(ca.unwrap_or_default()) {
            match item {
                Ok(PemItem::Certificate(certificate)) => roots.push(certificate),
                Ok(_) => {}
                Err(error) => return Err(format!("the CA that the site pins cannot be read: {error}")),
            }
        }
        if ca.is_some() && roots.is_empty() {
            return Err("the CA file that the site pins holds no certificate".into());
        }
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .build()
            .new_agent();
        Ok(Self { agent, deadline: Instant::now() + command.timeout })
    }

    fn run(&self, request: &ResolvedRequest) -> Result<Ended, Problem> {
        let mut answer = self.send(&request.method, &request.url, request.body.as_ref())?;
        let expected = |status: u16| match request.expect.is_empty() {
            true => (200..300).contains(&status),
            false => request.expect.contains(&status),
        };
        let mut timed_out = false;
        if let (true, Some((url, holds))) = (expected(answer.status), &request.poll) {
            loop {
                match self.send("GET", url, None) {
                    Ok(polled) => answer = polled,
                    // It began, and how it ends is not known: that is a result, not a failure to ask.
                    Err(Problem::TimedOut) => timed_out = true,
                    Err(failed) => return Err(failed),
                }
                let text = String::from_utf8_lossy(&answer.body);
                if timed_out || !expected(answer.status) || text.contains(holds.as_str()) {
                    break;
                }
                std::thread::sleep(POLL_EVERY.min(self.left()));
            }
        }
        let exit = if expected(answer.status) { 0 } else { i32::from(answer.status) };
        Ok(Ended { exit, output: answer.body, truncated: answer.truncated, answered: 0, timed_out })
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn send(&self, method: &str, url: &str, body: Option<&RequestBody>) -> Result<Answer, Problem> {
        let left = self.left();
        if left.is_zero() {
            return Err(Problem::TimedOut);
        }
        let failed = |error: ureq::Error| match error {
            ureq::Error::Timeout(_) => Problem::TimedOut,
            error => Problem::Failed(error.to_string()),
        };
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if let Some(body) = body {
            request = request.header("content-type", body.content_type);
        }
        let bytes: &[u8] = body.map_or(&[], |body| &body.bytes);
        let invalid = |error: ureq::http::Error| Problem::Failed(error.to_string());
        let response = match bytes.is_empty() {
            true => {
                let request = request.body(()).map_err(invalid)?;
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(left)).build())
            }
            false => {
                let request = request.body(bytes).map_err(invalid)?;
                self.agent.run(self.agent.configure_request(request).timeout_global(Some(left)).build())
            }
        };
        let mut response = response.map_err(failed)?;
        let mut body = Zeroizing::new(Vec::new());
        let mut reader = response.body_mut().as_reader().take(OUTPUT_LIMIT as u64 + 1);
        reader.read_to_end(&mut body).map_err(|error| failed(error.into()))?;
        let truncated = body.len() > OUTPUT_LIMIT;
        body.truncate(OUTPUT_LIMIT);
        Ok(Answer { status: response.status().as_u16(), body, truncated })
    }
}

struct Answer {
    status: u16,
    body: Zeroizing<Vec<u8>>,
    truncated: bool,
}

#[cfg(test)]
mod tests;
