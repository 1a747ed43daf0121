//! Whether enough people have signed a plan: its requester, and others than the requester.

use super::file::PlanFile;
use super::signature::{Namespace, verify};
use super::signers::Person;
use super::trust::Trust;
use crate::model::Signer;
use camino::Utf8Path;

/// What a site asks for, besides what it cannot go below.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub approvals: u32,
    /// Whose approval counts; empty: that of everybody who is trusted.
    pub approvers: Vec<String>,
}

/// Who signed a plan.
#[derive(Debug, Default)]
pub struct Judged {
    pub requester: Option<Signer>,
    pub approvers: Vec<Signer>,
    /// Signatures that do not count, by their file, and why.
    pub others: Vec<String>,
    /// How many approvals it takes.
    pub needed: u32,
}

impl Judged {
    /// Says what is missing; None: enough have signed.
    pub fn missing(&self, requester: &str) -> Option<String> {
        if self.needed == 0 {
            return None;
        }
        if self.requester.is_none() {
            return Some(format!("its requester, {requester}, has not signed it"));
        }
        let found = self.approvers.len();
        if found < usize::try_from(self.needed).unwrap_or(usize::MAX) {
            let others = if self.needed == 1 { "another person" } else { "others" };
            return Some(format!(
                "{found} of {} approvals are there: {others} than {requester} must sign it",
                self.needed
            ));
        }
        None
    }
}

/// Looks at every signature beside a plan.
pub fn judge(
    file: &PlanFile,
    signatures: &[(camino::Utf8PathBuf, Vec<u8>)],
    trust: &Trust,
    asked: &Asked,
    now: i64,
) -> Judged {
    let mut judged = Judged { needed: trust.approvals.max(asked.approvals), ..Judged::default() };
    let mut signed: Vec<(Person, Signer)> = Vec::new();
    for (path, signature) in signatures {
        let name = path.file_name().unwrap_or(Utf8Path::new("a signature").as_str());
        let by = match verify(&file.bytes, signature, Namespace::Plan) {
            Ok(by) => by,
            Err(why) => {
                judged.others.push(format!("{name} does not count: {why}"));
                continue;
            }
        };
        match trust.signers.who(&by, Namespace::Plan, now) {
            Ok(person) => {
                let signer = Signer { principal: person.name.clone(), key: by.fingerprint() };
                signed.push((person, signer));
            }
            Err(why) => judged.others.push(format!("{name} does not count: {why}")),
        }
    }
    let requester = &file.plan.requester;
    let mut counted: Vec<Person> = Vec::new();
    for (person, signer) in signed {
        // A person has every name that leads to them, so another key or name of the requester's is theirs.
        if person.is(requester) {
            judged.requester.get_or_insert(signer);
        } else if !asked.approvers.is_empty() && !asked.approvers.iter().any(|approver| person.is(approver)) {
            judged.others.push(format!("{} is none of this site's approvers", signer.principal));
        } else if !counted.iter().any(|other| other.is_also(&person)) {
            counted.push(person);
            judged.approvers.push(signer);
        }
    }
    judged
}
