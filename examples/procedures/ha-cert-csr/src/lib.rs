//! Replaces the HA certificates of a pair by leaves that a corporate CA issues: a key is made in the host, which it
//! never leaves in the clear, and the CA gets a request for it (CSR).
//!
//! Who issues is the site's: its profile names the command `corporate-sign`, which takes the file `corporate-request`
//! to the CA and writes `corporate-answer`, and the file `corporate-root`. Nothing of the pair is changed before both
//! leaves are there and chain to that root. Then both nodes are staged, swapped, and restarted, the second first.

mod apply;
mod pair;
mod undo;
mod verify;

use pair::{PASSWORD, ROOT_FILE, Role};
use windlass_sdk::host::{cluster, crypto, state};
use windlass_sdk::procedure::{Check, Description, Parameter, Step};
use windlass_sdk::{CertificateSource, Fault, Parameters, Problems, Procedure};

/// The procedure that takes the place of `ha-cert`.
pub struct HaCertCsr;

impl Procedure for HaCertCsr {
    fn describe() -> Description {
        Description {
            title: "Replace the HA certificates of the pair by leaves of the corporate CA".into(),
            impact: "MRS Manager is restarted on both nodes, the standby first: until it is back, it cannot be accessed. \
                     Between the two restarts the nodes trust different roots, so a failure of the active node is not \
                     taken over."
                .into(),
            parameters: declared(),
        }
    }

    /// Only looks: whatever is in the way is said here, all of it at once.
    fn steps() -> Result<Vec<Step>, Fault> {
        let settings = Settings::read()?;
        let mut problems = Problems::default();
        for row in problems.take(cluster::health())?.unwrap_or_default() {
            if row.state != "normal" {
                problems.add(
                    format!("{} says of {} that it is {}", row.reporter, row.node, row.state),
                    "bring the pair back to normal first",
                );
            }
        }
        let first = Role::First.node_name()?;
        if let Some(root) = problems.take(pair::corporate_root(&first))? {
            problems.take(settings.is_expected(&root))?;
        }
        for role in Role::BOTH {
            let name = role.node_name()?;
            let node = windlass_sdk::node(&name);
            // Whether it exists does not matter, only that the profile declares it.
            problems.take(node.stat(pair::KEY_PASSWORD))?;
            if let Some(served) = problems.take(node.served(pair::ENDPOINT))? {
                state::set(&pair::old(role), &served.fingerprint)?;
            }
        }
        if problems.take(PASSWORD.ask("Password for the new HA keys", true))?.is_some()
            && let Some(broken) = problems.take(PASSWORD.check())?
            && !broken.is_empty()
        {
            problems.add(
                format!("the password {PASSWORD} breaks the policy: {}", broken.join(", ")),
                "choose another",
            );
        }
        problems.into_result("preflight")?;
        planned()
    }

    fn apply(step: &str) -> Result<(), Fault> {
        apply::apply(step)
    }

    fn undo(step: &str) -> Result<(), Fault> {
        undo::undo(step)
    }

    fn verify() -> Result<Vec<Check>, Fault> {
        verify::verify()
    }
}

fn declared() -> Vec<Parameter> {
    vec![
        Parameter::new(
            "root_fingerprint",
            "",
            "SHA-256 of the corporate root; without it, the operator is asked",
        ),
        Parameter::new("country", "", "Country of the leaves' subject, two letters"),
        Parameter::new("company", "", "Organization of the leaves' subject"),
        Parameter::new("algorithm", "rsa-3072", "Key algorithm of the leaves").choices(&[
            "rsa-3072",
            "rsa-4096",
            "ecdsa-p256",
            "ecdsa-p384",
        ]),
        Parameter::new("patience", "120", "Seconds that a restarted service may take"),
    ]
}

struct Settings {
    /// Lower-case hex; empty: the operator is asked.
    root_fingerprint: String,
    country: String,
    company: String,
    algorithm: String,
    /// In milliseconds.
    patience: u32,
}

impl Settings {
    fn read() -> Result<Self, Fault> {
        let mut reader = Parameters::of("ha-cert", declared());
        let settings = Self {
            // As OpenSSL prints it, too.
            root_fingerprint: reader.text("root_fingerprint")?.replace(':', "").to_ascii_lowercase(),
            country: reader.text("country")?,
            company: reader.text("company")?,
            algorithm: reader.text("algorithm")?,
            patience: reader.number("patience", 3_600)?.saturating_mul(1_000),
        };
        reader.problems.into_result("invalid")?;
        Ok(settings)
    }

    /// A node may have been given another root than the site's: what it has is only taken if it is the one named.
    fn is_expected(&self, root: &[u8]) -> Result<(), Fault> {
        let says = crypto::inspect(&CertificateSource::from(root))?;
        if self.root_fingerprint.is_empty() || self.root_fingerprint == says.fingerprint {
            return Ok(());
        }
        Err(Fault::new(
            "refused",
            format!(
                "{ROOT_FILE} is {} ({}), and not the root that the site names",
                says.subject, says.fingerprint
            ),
        )
        .hint("find out who put it there; where the root was renewed, set root_fingerprint anew"))
    }
}

fn planned() -> Result<Vec<Step>, Fault> {
    let (first, second) = (Role::First.node_name()?, Role::Second.node_name()?);
    let mut steps = vec![Step::new("root", "Take the corporate root").on(&first).undoable()];
    for (role, name) in [(Role::First, &first), (Role::Second, &second)] {
        let title = format!("Have the corporate CA issue a leaf for {name}");
        steps.push(Step::new(format!("leaf@{role}"), title).on(&first).guards(&["reachable"]).undoable());
    }
    let title = "Place root, leaves and keys beside the old ones";
    steps.push(Step::new("stage", title).on(&first).on(&second).guards(&["roles", "reachable"]).undoable());
    for (role, name) in [(Role::First, &first), (Role::Second, &second)] {
        let title = format!("Put root, leaf and key in place on {name}");
        steps.push(
            Step::new(format!("swap@{role}"), title).on(name).guards(&["roles", "reachable"]).undoable(),
        );
    }
    for (role, name, guards, impact) in [
        (
            Role::Second,
            &second,
            &["roles", "clocks", "reachable"][..],
            "The link of the pair is down until the other is restarted too.",
        ),
        // The link is down by now: the nodes no longer agree on who is active.
        (
            Role::First,
            &first,
            &["clocks", "reachable"],
            "MRS Manager cannot be accessed until it is back; the active role may move.",
        ),
    ] {
        let step = Step::new(format!("restart@{role}"), format!("Restart OMS on {name}"));
        steps.push(step.on(name).guards(guards).impact(impact).undoable());
    }
    Ok(steps)
}

windlass_sdk::export_procedure!(HaCertCsr);
