//! The impact's token: proof that somebody has seen what a run does before it is told to go ahead unattended.

use crate::model::{Covers, PlannedStep, PluginName, hex};
use aws_lc_rs::digest::{SHA256, digest};

/// Returns the token of an impact: the same for the same procedure, site, parameters, roles and steps, whenever
/// it is asked for.
pub fn ack(procedure: &PluginName, covers: &Covers, impact: &str, steps: &[PlannedStep]) -> String {
    let facts = serde_json::json!([procedure, covers, impact, steps]).to_string();
    let whole = hex(digest(&SHA256, facts.as_bytes()).as_ref());
    // Short enough to be typed; it keeps nobody out, it shows that the plan was read.
    let groups: Vec<&str> = (0..3).filter_map(|group| whole.get(group * 4..group * 4 + 4)).collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digested, Entry, samples};

    #[test]
    fn the_token_is_the_same_each_time_and_another_for_another_impact() {
        let site = Digested { name: "prod".into(), sha256: "00".into() };
        let covers = Covers { site, ..samples::covers() };
        let name = PluginName::new("ha-cert").unwrap();
        let token = ack(&name, &covers, "a restart", &[]);
        assert_eq!(token.len(), 14, "{token}");
        assert_eq!(token, ack(&name, &covers.clone(), "a restart", &[]));
        assert_ne!(token, ack(&name, &covers, "two restarts", &[]));
        let parameters = vec![Entry { name: "ca".into(), value: "host".into() }];
        assert_ne!(token, ack(&name, &Covers { parameters, ..covers }, "a restart", &[]));
    }
}
