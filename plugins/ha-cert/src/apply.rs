//! Does one step, and proves that it happened.

use crate::evidence::{CertificateFile, new_leaf_in_place, new_root_in_place, wait_until_served};
use crate::memory::{Known, Remembered};
use crate::names::{
    GENERATE, GENERATED_CERT, GENERATED_KEY, KEY_PASSWORD, LEAF_CERT, LEAF_KEY, NEW_ROOT, NEW_ROOT_KEY,
    PASSWORD, REPLACE, RESTART, ROOT_CERT, ROOT_KEY, ROOT_SET,
};
use crate::pair::{Pair, Role};
use crate::parameters::{Ca, Leaf, Parameters, Strategy};
use crate::repair::{self, Source};
use crate::steps::Step;
use windlass_sdk::host::{crypto, operator};
use windlass_sdk::{Certificate, Content, Entry, Fault, run};

pub fn apply(step: Step) -> Result<(), Fault> {
    let parameters = Parameters::read()?;
    let pair = Pair::bound()?;
    match step {
        Step::Acknowledge => repair::acknowledge(),
        Step::Root => root(&pair, &parameters),
        Step::Stage => stage(&pair, &parameters),
        Step::Copy(role) => copy(&pair, role),
        Step::Replace(role) => replace(&pair, role, &parameters),
        Step::Restart(role) => restart(&pair, role, &parameters),
    }
}

fn root(pair: &Pair, parameters: &Parameters) -> Result<(), Fault> {
    let certificate = match parameters.ca {
        Ca::Host => {
            NEW_ROOT_KEY.generate(&parameters.algorithm)?;
            NEW_ROOT.self_sign(NEW_ROOT_KEY, &parameters.subject, parameters.ca_days)?
        }
        // Opened and checked by preflight.
        Ca::Supplied => NEW_ROOT.inspect()?,
        Ca::Product => generate_by_product(pair, parameters)?,
    };
    Remembered::NewRoot.keep(&Known::from(&certificate))?;
    prepare_leaf_key(parameters)?;
    operator::note(match parameters.ca {
        Ca::Host | Ca::Product => "Generate root-ca pair success.",
        Ca::Supplied => "The supplied root certificate and key are taken.",
    })
}

fn generate_by_product(pair: &Pair, parameters: &Parameters) -> Result<Certificate, Fault> {
    let (name, node) = (pair.name(Role::First), pair.node(Role::First));
    let before = node.fingerprint(GENERATED_CERT)?;
    let mut command = node.run(GENERATE);
    let subject = parameters.command_arguments();
    for (placeholder, value) in &subject {
        command = command.text(placeholder, value);
    }
    command.secret("password", PASSWORD).succeed()?;

    if node.fingerprint(GENERATED_CERT)? == before {
        return Err(without_effect(GENERATE, name, "ha-new-root-cert is what it was"));
    }
    // OpenSSL leaves an empty file where it could not write the key.
    if node.stat(GENERATED_KEY)?.is_none_or(|stat| stat.size == 0) {
        return Err(without_effect(GENERATE, name, "ha-new-root-key is missing or empty"));
    }
    let root = CertificateFile::read(pair, Role::First, GENERATED_CERT)?;
    if let Some(why) = unfit(&root.certificate) {
        return Err(Fault::new("refused", format!("the root that {GENERATE} made on {name} {why}"))
            .hint("use ca = \"host\", or repair the product's generator"));
    }
    root.chains_to(&root)?;
    Ok(root.certificate)
}

/// Says why a root that the host did not make may not be used: the floor the host keeps for its own.
pub fn unfit(root: &Certificate) -> Option<&'static str> {
    let weak_hash = ["md5", "sha1"].iter().any(|hash| root.signature_algorithm.to_lowercase().contains(hash));
    let bits = root.key_algorithm.strip_prefix("rsa-").and_then(|bits| bits.parse::<u32>().ok());
    if !root.can_issue {
        Some("cannot issue certificates")
    } else if weak_hash {
        Some("is signed with MD5 or SHA-1")
    } else if bits.is_some_and(|bits| bits < 2_048) {
        Some("has an RSA key below 2048 bits")
    } else {
        None
    }
}

/// Both nodes before either is changed, so that what follows is renames: a standby lost here has cost nothing.
fn stage(pair: &Pair, parameters: &Parameters) -> Result<(), Fault> {
    let repair = match parameters.strategy {
        Strategy::Sequential => None,
        Strategy::Repair => Some(repair::plan()?),
    };
    let (certificate, key) = match (repair.as_ref().map(|plan| plan.source), parameters.ca) {
        (Some(Source::Node(role)), _) => {
            let name = pair.name(role);
            (Content::file(name, ROOT_CERT), Content::file(name, ROOT_KEY))
        }
        (_, Ca::Host | Ca::Supplied) => (NEW_ROOT.into(), NEW_ROOT_KEY.under(PASSWORD)),
        (_, Ca::Product) => {
            let first = pair.name(Role::First);
            (Content::file(first, GENERATED_CERT), Content::file(first, GENERATED_KEY))
        }
    };
    let copies = |role: &Role| repair.as_ref().is_none_or(|plan| plan.of(*role).copy);
    for role in Role::BOTH.into_iter().filter(copies) {
        let node = pair.node(role);
        ROOT_SET.stage(node, ROOT_CERT, certificate.clone())?;
        ROOT_SET.stage(node, ROOT_KEY, key.clone())?;
    }
    Ok(())
}

fn copy(pair: &Pair, role: Role) -> Result<(), Fault> {
    ROOT_SET.swap(pair.node(role))?;
    new_root_in_place(pair, role).map(|_| ())
}

fn replace(pair: &Pair, role: Role, parameters: &Parameters) -> Result<(), Fault> {
    let name = pair.name(role);
    let root = new_root_in_place(pair, role)?;
    // By its digest: in a repair there may be none, or one that cannot be read.
    let before = pair.node(role).fingerprint(LEAF_CERT)?;
    let what = match parameters.leaf {
        Leaf::Product => {
            pair.node(role).run(REPLACE).secret("password", PASSWORD).succeed()?;
            REPLACE
        }
        Leaf::Host => {
            issue(pair, role, parameters)?;
            "the swap of the leaf"
        }
    };
    let after = CertificateFile::read(pair, role, LEAF_CERT)?;
    if before.is_some_and(|before| before == after.digest()) {
        return Err(without_effect(what, name, "ha-leaf-cert is what it was"));
    }
    if let Err(fault) = after.chains_to(&root) {
        return Err(without_effect(
            what,
            name,
            &format!("the new ha-leaf-cert does not chain to the new root: {}", fault.message),
        ));
    }
    Remembered::NewLeaf(role).keep(&Known::from(&after.certificate))?;
    operator::note(&format!("{name}: [INFO] Succeed to replace ha ssl cert."))
}

/// The key of the next leaf is made while nodes are busy with what comes before it.
fn prepare_leaf_key(parameters: &Parameters) -> Result<(), Fault> {
    match parameters.leaf {
        Leaf::Host => crypto::prepare_key(&parameters.algorithm),
        Leaf::Product => Ok(()),
    }
}

/// Issues a leaf in the host, and puts certificate, key and the key's password in place as one generation.
fn issue(pair: &Pair, role: Role, parameters: &Parameters) -> Result<(), Fault> {
    let (name, node) = (pair.name(role), pair.node(role));
    let (leaf_name, key_name) = (leaf_set(role), format!("new-leaf-key.{role}"));
    let (leaf, key, set) =
        (run::Certificate::named(&leaf_name), run::Key::named(&key_name), run::StagedSet::named(&leaf_name));
    let mut subject: Vec<Entry> =
        parameters.subject.iter().filter(|entry| entry.name != "common-name").cloned().collect();
    // In the contract's order the common name stands before the e-mail address.
    let at = subject.iter().position(|entry| entry.name == "email").unwrap_or(subject.len());
    subject.insert(at, Entry::new("common-name", name));
    let mut names = vec![name.to_owned()];
    names.extend(parameters.leaf_names.iter().cloned());

    key.generate(&parameters.algorithm)?;
    if role == Role::First {
        prepare_leaf_key(parameters)?;
    }
    leaf.issue((NEW_ROOT, NEW_ROOT_KEY), key, &subject, &names, parameters.leaf_days)?;
    set.stage(node, LEAF_CERT, leaf)?;
    set.stage(node, LEAF_KEY, key.under(PASSWORD))?;
    set.stage(node, KEY_PASSWORD, PASSWORD)?;
    set.swap(node)
}

/// The name of a node's leaf and of its staged set.
pub fn leaf_set(role: Role) -> String {
    format!("new-leaf.{role}")
}

fn restart(pair: &Pair, role: Role, parameters: &Parameters) -> Result<(), Fault> {
    let name = pair.name(role);
    // What the service will load: the product may have synchronised other files over it meanwhile.
    new_root_in_place(pair, role)?;
    new_leaf_in_place(pair, role)?;
    if role == Role::Second {
        // Never the second node down while the first is not back.
        let first = Remembered::NewLeaf(Role::First).expect()?;
        wait_until_served(pair, Role::First, &first, parameters.patience)?;
    }
    pair.node(role).run(RESTART).succeed()?;
    wait_until_served(pair, role, &Remembered::NewLeaf(role).expect()?, parameters.patience)?;
    operator::note(&format!("{name}: start HA successfully."))?;
    if role == Role::First && parameters.strategy == Strategy::Sequential {
        operator::note(&format!(
            "Until {} is restarted too, an abnormal link between the nodes is expected.",
            pair.name(role.other())
        ))?;
    }
    Ok(())
}

fn without_effect(what: &str, node: &str, seen: &str) -> Fault {
    Fault::failed(format!("{what} on {node} reported success without its effect: {seen}"))
        .hint(format!("look at the product's log on {node}; nothing has been restarted by this step"))
}
