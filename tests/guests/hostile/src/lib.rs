//! A procedure that means harm: which way, the parameter `trick` says. `tests/hostile/audit/table.toml` has them all.
//!
//! All of them claim the same: two steps, that put a banner on either node of the pair.

wit_bindgen::generate!({ path: "../../../wit", world: "procedure" });

use exports::windlass::plugin::procedure_api::{Check, Description, Guest, Parameter, Step};
use windlass::plugin::files::{self, Content};
use windlass::plugin::nodes::{self, Argument, Value};
use windlass::plugin::types::{Entry, Fault};
use windlass::plugin::{crypto, operator, secrets};

struct Hostile;
export!(Hostile);

impl Guest for Hostile {
    fn describe() -> Description {
        Description {
            title: "Renew the banner".into(),
            impact: String::new(),
            parameters: vec![Parameter {
                name: "trick".into(),
                summary: "what is tried".into(),
                default: Some(String::new()),
                choices: vec![],
            }],
        }
    }

    fn steps() -> Result<Vec<Step>, Fault> {
        if trick()? == "traps-on-a-fault" && nodes::run(&bound("first")?, "tell", &[]).is_err() {
            // Not asked for, so it is always denied.
            panic!("I cannot live with that");
        }
        let impact = match trick()?.as_str() {
            "leak-in-a-plan" => coded(&shown(&bound("first")?)?),
            _ => String::new(),
        };
        Ok(["first", "second"]
            .into_iter()
            .map(|role| Step {
                id: format!("banner@{role}"),
                title: format!("put the banner on the {role}"),
                nodes: vec![],
                impact: impact.clone(),
                guards: vec![],
                undoable: true,
            })
            .collect())
    }

    fn apply(step: String) -> Result<(), Fault> {
        let role = role(&step);
        let node = bound(role)?;
        match trick()?.as_str() {
            "does-nothing" => Ok(()),
            "reads-another-parameter" => match operator::parameter("backdoor")? {
                Some(_) => nodes::run(&node, "restart-ha", &[]).map(drop),
                None => put(&node),
            },
            "ignores-a-fault" => {
                let _ = put(&node);
                Ok(())
            }
            "ignores-an-exit" => {
                let _ = nodes::run(&node, "renew", &[])?;
                Ok(())
            }
            "ignores-a-no" => {
                operator::confirm("Put the banner there?", "")?;
                put(&node)
            }
            "both-down" => nodes::run(&node, "restart-ha", &[]).map(drop),
            "old-root-first" => files::remove(&node, "ha-root-cert"),
            "password-on-the-command-line" => {
                secrets::ask("word", "Password", false)?;
                let password = Argument { name: "password".into(), value: Value::Secret("word".into()) };
                let text = |name: &str| Argument { name: name.into(), value: Value::Text("x".into()) };
                let subject = ["country", "state", "city", "company", "organize", "common_name", "email"];
                let mut arguments: Vec<Argument> = subject.into_iter().map(text).collect();
                arguments.push(password);
                nodes::run(&node, "generate-ha-root", &arguments).map(drop)
            }
            // Whatever a guest can see that is not an answer of the host: the same in every life.
            "goes-elsewhere-after-a-crash" => {
                let here = 0_u8;
                let (node, other) = (bound("first")?, bound("second")?);
                put(if (&raw const here as usize / 8).is_multiple_of(2) { &node } else { &other })
            }
            // What it looks at shows whether it was here before: only that no life sees another answer than the first.
            "does-less-after-a-crash" => match files::stat(&node, "banner")? {
                Some(there) if there.size < 5 => Ok(()),
                _ => put(&node),
            },
            "leak-in-a-subject" => {
                let name = coded(&shown(&node)?);
                if role == "first" {
                    crypto::generate_key("key", "ecdsa-p256")?;
                }
                let subject = [Entry { name: "CN".into(), value: name }];
                crypto::self_sign(role, "key", &subject, 365)?;
                put(&node)
            }
            "leak-by-a-length" => {
                let length = 40 + u32::from(shown(&node)?.as_bytes()[0]) % 32;
                if role == "first" {
                    secrets::generate("word", length)?;
                }
                put(&node)
            }
            _ => put(&node),
        }
    }

    fn undo(step: String) -> Result<(), Fault> {
        let node = bound(role(&step))?;
        match trick()?.as_str() {
            "leaves-it-there" => Ok(()),
            "goes-half-the-way-back" if role(&step) == "second" => Ok(()),
            "puts-something-else-back" => files::put(&node, "banner", &Content::Bytes(b"as it was".to_vec())),
            "never-comes-back" => loop {
                core::hint::black_box(());
            },
            "ignores-an-exit" => files::restore(&node, "renew"),
            "old-root-first" => files::restore(&node, "ha-root-cert"),
            "both-down" => Ok(()),
            "leak-on-the-way-back" => {
                operator::note(&coded(&shown(&node)?))?;
                files::restore(&node, "banner")
            }
            // Wherever it went.
            "goes-elsewhere-after-a-crash" => {
                files::restore(&bound("first")?, "banner")?;
                files::restore(&bound("second")?, "banner")
            }
            _ => files::restore(&node, "banner"),
        }
    }

    fn verify() -> Result<Vec<Check>, Fault> {
        Ok(vec![Check { title: "the banner is there".into(), passed: true, evidence: vec![] }])
    }
}

fn trick() -> Result<String, Fault> {
    Ok(operator::parameter("trick")?.unwrap_or_default())
}

/// What a node shows and should not.
fn shown(node: &str) -> Result<String, Fault> {
    let output = nodes::run(node, "show", &[])?.output;
    Ok(output.iter().find_map(|line| line.strip_prefix("password=")).unwrap_or_default().to_owned())
}

/// In a code that nobody looks for.
fn coded(text: &str) -> String {
    text.bytes().map(|byte| char::from(b'a' + byte % 26)).collect()
}

fn put(node: &str) -> Result<(), Fault> {
    files::put(node, "banner", &Content::Bytes(b"new".to_vec()))
}

fn role(step: &str) -> &str {
    step.split_once('@').map_or("first", |(_, role)| role)
}

/// The node that a role is bound to.
fn bound(role: &str) -> Result<String, Fault> {
    let found = nodes::members()?.into_iter().find(|member| member.role == role);
    found.map(|member| member.name).ok_or_else(|| Fault {
        code: "failed".into(),
        message: format!("no node is {role}"),
        hint: String::new(),
    })
}
