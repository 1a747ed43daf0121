//! The only printing: data to stdout, everything else to stderr.

use serde::Serialize;
use std::io::{IsTerminal as _, Write as _};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    /// Each value is one line.
    #[value(alias = "jsonl")]
    Json,
    /// Only of `status`: the text that Prometheus scrapes.
    Prometheus,
    /// Only of `runs export`: a scenario, scrubbed, for rehearsals and audits.
    Scenario,
    /// Only of `audit`: SARIF 2.1.0, for programs that gather findings.
    Sarif,
    /// Only of `audit`: one page for a browser.
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loudness {
    Quiet,
    Normal,
    Verbose,
}

/// How to talk to the person or program that called.
#[derive(Debug, Clone)]
pub struct Ui {
    pub format: Format,
    pub loudness: Loudness,
    /// False with `--no-input`, or where stdin is no terminal.
    pub interactive: bool,
}

impl Ui {
    pub fn new(format: Format, loudness: Loudness, no_input: bool) -> Self {
        let interactive = !no_input && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        Self { format, loudness, interactive }
    }

    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    pub fn is_verbose(&self) -> bool {
        self.loudness == Loudness::Verbose
    }

    /// Data: a line to stdout. A reader that went away is no error.
    pub fn out(&self, line: impl AsRef<str>) {
        let _ = writeln!(anstream::stdout(), "{}", line.as_ref());
    }

    /// Data as it is, byte for byte.
    pub fn bytes(&self, bytes: &[u8]) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Data as one line of JSON.
    pub fn json(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(line) => self.out(line),
            Err(error) => self.warn(format!("a value could not be written as JSON: {error}")),
        }
    }

    /// What a person wants to know, to stderr; nothing with `-q`.
    pub fn say(&self, line: impl AsRef<str>) {
        if self.loudness != Loudness::Quiet {
            let _ = writeln!(anstream::stderr(), "{}", line.as_ref());
        }
    }

    /// How far something is, on one line of a terminal that is written over; nothing elsewhere.
    pub fn step(&self, line: &str, is_last: bool) {
        if self.loudness == Loudness::Quiet || !std::io::stderr().is_terminal() {
            return;
        }
        let end = if is_last { "\r\x1b[K" } else { "" };
        let mut stderr = anstream::stderr().lock();
        let _ = write!(stderr, "\r\x1b[K{line}{end}");
        let _ = stderr.flush();
    }

    /// Only with `-v`.
    pub fn detail(&self, line: impl AsRef<str>) {
        if self.loudness == Loudness::Verbose {
            let _ = writeln!(anstream::stderr(), "{}", line.as_ref());
        }
    }

    /// To stderr, also with `-q`.
    pub fn warn(&self, line: impl AsRef<str>) {
        let _ = writeln!(anstream::stderr(), "warning: {}", line.as_ref());
    }

    /// An error, also with `-q`.
    pub fn error(&self, error: &super::error::Error) {
        let _ = writeln!(anstream::stderr(), "{}", error.render());
    }

    /// Asks a question; None where there is nobody to ask.
    pub fn ask(&self, question: &str) -> Option<bool> {
        if !self.interactive {
            return None;
        }
        loop {
            let _ = write!(anstream::stderr(), "{question} [y/n] ");
            let _ = anstream::stderr().flush();
            let mut line = String::new();
            match std::io::stdin().read_line(&mut line) {
                Ok(0) | Err(_) => return None,
                Ok(_) => match line.trim().to_ascii_lowercase().as_str() {
                    "y" | "yes" => return Some(true),
                    "n" | "no" => return Some(false),
                    _ => {}
                },
            }
        }
    }
}
