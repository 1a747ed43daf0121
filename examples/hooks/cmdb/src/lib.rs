//! Writes what the pair serves after a run into a file of an inventory (a CMDB), as JSON:
//!
//! ```toml
//! [[hooks]]
//! plugin = "cmdb"
//! after = "ha-cert/run"
//! on_error = "warn"
//! params = { node = "master1" }
//! ```
//!
//! `node`: where the inventory's file is, which the site's profile calls `cmdb`.

use windlass_sdk::hook::{Answer, Description, Event};
use windlass_sdk::{Certificate, Fault, Hook, host, node};

/// The hook `cmdb`.
pub struct Cmdb;

impl Hook for Cmdb {
    fn describe() -> Description {
        Description { title: "Write the fingerprints of new certificates into an inventory".into() }
    }

    fn handle(event: Event) -> Result<Answer, Fault> {
        if event.code != "after-run" {
            return Ok(Answer::GoOn);
        }
        let keeper = event.required("node")?;
        let mut rows = Vec::new();
        for role in ["first", "second"] {
            let Some(name) = event.detail(role) else { continue };
            rows.push(row(name, &host::cluster::served(name, "ha")?));
        }
        let run = event.detail("run").unwrap_or_default();
        let text =
            format!("{{\n  \"run\": {},\n  \"served\": [\n{}\n  ]\n}}\n", quoted(run), rows.join(",\n"));
        node(keeper).put("cmdb", &windlass_sdk::Content::Bytes(text.into_bytes()))?;
        Ok(Answer::GoOn)
    }
}

fn row(name: &str, certificate: &Certificate) -> String {
    format!(
        "    {{ \"node\": {}, \"fingerprint\": {}, \"subject\": {}, \"not_after\": {} }}",
        quoted(name),
        quoted(&certificate.fingerprint),
        quoted(&certificate.subject),
        certificate.not_after
    )
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

windlass_sdk::export_hook!(Cmdb);
