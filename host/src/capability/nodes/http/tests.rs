use super::super::resolve::tests::{declared, site};
use super::super::{NodeContext, outcome};
use super::*;
use crate::model::NodeName;
use crate::site::{HttpRequest, Template, TemplatePart};
use std::sync::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A server on loopback that gives its answers in turn and keeps what it was asked.
struct Server {
    address: std::net::SocketAddr,
    ca: Vec<u8>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// No more answers: it accepts and stays silent.
    async fn with(answers: &[&str]) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, answers) = (asked.clone(), answers.iter().map(|a| a.to_string()).collect::<Vec<_>>());
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            let mut silent = Vec::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                // A client that does not trust the certificate goes away here.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = vec![0; 16 * 1024];
                let mut length = 0;
                while !complete(&request[..length]) {
                    length += stream.read(&mut request[length..]).await.unwrap();
                }
                seen.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).into_owned());
                match answers.next() {
                    Some(answer) => {
                        let (status, body) = answer.split_once('|').unwrap();
                        let (length, close) = (body.len(), "connection: close");
                        let head =
                            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{close}\r\n\r\n");
                        // The client may have heard enough.
                        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                        let _ = stream.shutdown().await;
                    }
                    None => silent.push(stream),
                }
            }
        });
        Self { address, ca: made.cert.pem().into_bytes(), asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn command(&self, poll: Option<(&str, &str)>, timeout: Duration) -> Arc<ResolvedCommand> {
        let url = |path: &str| Template {
            parts: vec![TemplatePart::Text(format!("https://{}{path}", self.address))],
        };
        let mut command = declared();
        command.argv.clear();
        command.args.clear();
        command.prompts.clear();
        command.timeout = timeout;
        command.output = crate::site::Parser::Lines;
        command.request = Some(HttpRequest {
            method: "POST".into(),
            url: url("/start"),
            body: Some(Template { parts: vec![TemplatePart::Text("{\"go\":1}".into())] }),
            expect: vec![200],
            poll: poll.map(|(path, holds)| (url(path), holds.into())),
        });
        let context = NodeContext::new(&site(), &NodeName::new("master1").unwrap(), &Default::default());
        Arc::new(context.resolve_command(&command, Vec::new(), false).unwrap())
    }
}

fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_request_is_sent_and_asked_after_until_it_is_finished() {
    let server = Server::with(&["200 OK|accepted", "200 OK|running", "200 OK|state: finished"]).await;
    let command = server.command(Some(("/state", "finished")), LONG);
    let ended = request(command.clone(), Some(server.ca.clone())).await.unwrap();
    let outcome = outcome(&command, &ended);
    assert!(outcome.succeeded, "{outcome:?}");
    assert_eq!(outcome.output, ["state: finished"]);
    let asked = server.asked();
    assert!(asked[0].starts_with("POST /start ") && asked[0].ends_with("\r\n\r\n{\"go\":1}"), "{asked:?}");
    assert!(asked[0].contains("application/json"), "{asked:?}");
    assert!(asked[1].starts_with("GET /state ") && asked.len() == 3, "{asked:?}");
}

#[tokio::test]
async fn a_server_that_the_pinned_ca_did_not_sign_hears_nothing() {
    let server = Server::with(&["200 OK|", "200 OK|"]).await;
    let other = Server::with(&[]).await;
    for ca in [Some(other.ca.clone()), None, Some(b"no certificate".to_vec())] {
        let error = request(server.command(None, LONG), ca).await.err().unwrap();
        assert!(matches!(error, NodesError::Request { .. }), "{error}");
        assert!(error.to_string().contains("/start"), "{error}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_status_that_is_not_expected_and_a_redirect_are_no_success() {
    for (answer, exit) in [("500 Oh|broken", 500), ("302 Found\r\nlocation: /x|", 302), ("404 No|", 404)] {
        let server = Server::with(&[answer, "200 OK|finished"]).await;
        let command = server.command(Some(("/state", "finished")), LONG);
        let ended = request(command.clone(), Some(server.ca.clone())).await.unwrap();
        let outcome = outcome(&command, &ended);
        assert!(!outcome.succeeded && outcome.reason.contains(&exit.to_string()), "{outcome:?}");
        assert_eq!((outcome.exit, server.asked().len()), (exit, 1));
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_costs_the_time_out_and_no_more() {
    let server = Server::with(&[]).await;
    let short = Duration::from_millis(300);
    let error = request(server.command(None, short), Some(server.ca.clone())).await.err().unwrap();
    assert!(matches!(error, NodesError::TimedOut { .. }), "{error}");

    // Once it has begun, its end is what is not known.
    let server = Server::with(&["200 OK|accepted"]).await;
    let command = server.command(Some(("/state", "finished")), Duration::from_secs(1));
    let ended = request(command.clone(), Some(server.ca.clone())).await.unwrap();
    let outcome = outcome(&command, &ended);
    assert!(!outcome.succeeded && outcome.reason.contains("did not finish"), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let long = format!("200 OK|{}", "x".repeat(OUTPUT_LIMIT + 10));
    let server = Server::with(&[&long]).await;
    let ended = request(server.command(None, LONG), Some(server.ca.clone())).await.unwrap();
    assert_eq!((ended.output.len(), ended.truncated), (OUTPUT_LIMIT, true));
}
