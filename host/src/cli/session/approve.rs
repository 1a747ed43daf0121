//! `windlass approve`: a plan is shown, and signed.

use super::authority::{in_time, read, trust};
use super::ending::approval_error;
use crate::approval::{Namespace, Person, SigningKey, Trust};
use crate::capability::secrets::source;
use crate::cli::Context;
use crate::cli::error::{Error, Exit, Result};
use crate::report;
use camino::{Utf8Path, Utf8PathBuf};
use zeroize::Zeroizing;

/// `windlass approve`.
pub struct Approve {
    pub plan: Utf8PathBuf,
    /// None: the ssh agent's.
    pub key: Option<Utf8PathBuf>,
}

/// Shows a plan and signs it.
pub fn approve(context: &Context, approve: Approve) -> Result {
    let ui = &context.ui;
    let file = read(&approve.plan)?;
    in_time(&file.plan)?;
    let trust = trust(context)?;
    let key = key_for(context, &trust, approve.key.as_deref(), Namespace::Plan)?;
    let now = jiff::Timestamp::now().as_second();
    let signed_by = key.signed_by();
    let person = trust.signers.who(&signed_by, Namespace::Plan, now);
    if !ui.is_json() {
        for line in report::plan_lines(&file.plan, ui.is_verbose()) {
            ui.out(line);
        }
        ui.out(format!(
            "asked for by {}, can be run until {}",
            report::harmless(&file.plan.requester),
            report::moment(file.plan.expires.saturating_mul(1_000))
        ));
    }
    if ui.interactive && ui.ask("Sign this plan?") != Some(true) {
        return Err(Error::new(Exit::Failed, "the plan is not signed"));
    }
    let fingerprint = signed_by.fingerprint();
    let name = person.as_ref().map_or_else(|_| fingerprint.clone(), |person| person.name.clone());
    let path = sign(&approve.plan, &name, &key)?;
    let requester = person.as_ref().is_ok_and(|person| person.is(&file.plan.requester));
    if ui.is_json() {
        ui.json(&serde_json::json!({
            "signature": path, "key": fingerprint, "requester": requester,
            "principal": person.as_ref().ok().map(|person| &person.name),
        }));
        return Ok(Exit::Done);
    }
    match (&person, requester) {
        (Ok(person), true) => ui.say(format!(
            "signed by its requester, {} ({fingerprint}): it takes others to approve it",
            person.name
        )),
        (Ok(person), false) => ui.say(format!("approved by {} ({fingerprint})", person.name)),
        (Err(why), _) => ui.warn(format!("signed, but {why}, says {}", trust.path)),
    }
    ui.say(format!("the signature is {path}; it must lie beside the plan when that is run"));
    Ok(Exit::Done)
}

/// The key to sign with: of the file that was named, else of the ssh agent.
pub(super) fn key_for(
    context: &Context,
    trust: &Trust,
    named: Option<&Utf8Path>,
    namespace: Namespace,
) -> std::result::Result<SigningKey, Error> {
    match named {
        Some(path) => open_key(context, path),
        None => of_agent(trust, namespace),
    }
}

/// The one key of the agent that is trusted to sign in this namespace.
fn of_agent(trust: &Trust, namespace: Namespace) -> std::result::Result<SigningKey, Error> {
    let now = jiff::Timestamp::now().as_second();
    let mut keys = SigningKey::of_agent().map_err(approval_error)?;
    if trust.exists {
        keys.retain(|key| trust.signers.who(&key.signed_by(), namespace, now).is_ok());
    }
    match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok(key),
        (Some(_), others) => {
            Err(Error::new(Exit::Usage, format!("the ssh agent holds {} keys that could sign", others + 1))
                .hint("say which: --key ~/.ssh/id_ed25519.pub"))
        }
        (None, _) => Err(Error::new(Exit::Usage, "the ssh agent holds no key that could sign")
            .hint("name a key file: --key ~/.ssh/id_ed25519")),
    }
}

/// Opens a key of the operator's own, and says who they are with it.
pub(super) fn signer(context: &Context, path: &Utf8Path) -> std::result::Result<(Person, SigningKey), Error> {
    let trust = trust(context)?;
    let key = open_key(context, path)?;
    let now = jiff::Timestamp::now().as_second();
    match trust.signers.who(&key.signed_by(), Namespace::Plan, now) {
        Ok(person) => Ok((person, key)),
        Err(why) => Err(Error::new(Exit::Refused, why).hint(format!(
            "whom to trust stands in {}: PRINCIPAL namespaces=\"windlass-*\" KEY",
            trust.path
        ))),
    }
}

fn open_key(context: &Context, path: &Utf8Path) -> std::result::Result<SigningKey, Error> {
    let ui = &context.ui;
    let mut ask = |prompt: &str| match ui.interactive {
        true => source::terminal(prompt).map(|typed| Zeroizing::new(typed.expose().to_vec())),
        false => Err(std::io::Error::other("it has a passphrase, and there is nobody to ask for it")),
    };
    SigningKey::open(path, &mut ask).map_err(approval_error)
}

/// Signs a plan's file; the signature is written beside it.
pub(super) fn sign(path: &Utf8Path, by: &str, key: &SigningKey) -> std::result::Result<Utf8PathBuf, Error> {
    let file = read(path)?;
    let signature = key.sign(&file.bytes, Namespace::Plan).map_err(approval_error)?;
    file.add_signature(by, &signature).map_err(approval_error)
}
