//! What a plan was made from: gathered when it is made and again when it is to run, and compared.

use super::ApprovalError;
use crate::model::{Covers, Digested, Entry, HookCover, PluginName, Roles, RolesCover, SuppliedCover, hex};
use crate::site::{HookBinding, ProcedureSettings, Site, hook_file};
use aws_lc_rs::digest::{SHA256, digest};
use camino::Utf8Path;

/// Gathers what a plan of one procedure covers. `plugin` is the digest of its component.
pub fn covers(
    site: &Site,
    settings: &ProcedureSettings,
    procedure: &PluginName,
    plugin: &str,
    parameters: &[Entry],
    roles: Option<&Roles>,
) -> Result<Covers, ApprovalError> {
    let supplied = match &settings.supplied {
        Some(supplied) => {
            let certificate = existing(site, &supplied.certificate)?;
            let key = existing(site, &supplied.key)?;
            // A file that is not there is the procedure's to complain of, where it needs it.
            certificate.zip(key).map(|(certificate, key)| SuppliedCover { certificate, key })
        }
        None => None,
    };
    // The name is the cluster's, the digest that of what the site says of it.
    let sha256 = site.digests.site.as_ref().map(|site| site.sha256.clone()).unwrap_or_default();
    Ok(Covers {
        site: Digested { name: site.name.clone(), sha256 },
        profile: site.digests.profile.clone(),
        grants: site.digests.grants.clone(),
        lock: existing(site, "windlass.lock".into())?,
        files: files(site)?,
        plugins: vec![Digested { name: procedure.to_string(), sha256: plugin.to_owned() }],
        hooks: hooks(site)?,
        supplied,
        roles: roles.map(|roles| RolesCover { first: roles.first.clone(), second: roles.second.clone() }),
        parameters: parameters.to_vec(),
    })
}

fn files(site: &Site) -> Result<Vec<Digested>, ApprovalError> {
    let manager = site.manager.as_ref().and_then(|manager| manager.ca.as_ref());
    let named = [manager, site.ssh.config.as_ref()].into_iter().flatten();
    let found = named.map(|path| existing(site, path)).collect::<Result<Vec<_>, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// As they will run.
fn hooks(site: &Site) -> Result<Vec<HookCover>, ApprovalError> {
    let cover = |hook: &HookBinding| {
        Ok(HookCover {
            plugin: hook.plugin.clone(),
            when: hook.when().into(),
            event: hook.event(),
            order: hook.order,
            on_error: hook.on_error().into(),
            // One that has no file, or several, is refused when it is loaded.
            file: match hook_file(&site.dir, &hook.plugin) {
                Ok(path) => existing(site, &path)?,
                Err(_) => None,
            },
        })
    };
    site.hooks_in_order().into_iter().map(cover).collect()
}

/// The digest of a file of the site's; none where there is none.
fn existing(site: &Site, path: &Utf8Path) -> Result<Option<Digested>, ApprovalError> {
    let path = site.dir.join(path);
    match std::fs::read(&path) {
        Ok(bytes) => {
            let name = path.strip_prefix(&site.dir).unwrap_or(&path).to_string();
            let bytes = zeroize::Zeroizing::new(bytes);
            Ok(Some(Digested { name, sha256: hex(digest(&SHA256, &bytes).as_ref()) }))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ApprovalError::Covered { path, source }),
    }
}

/// Something that is not what it was when the plan was made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    pub what: String,
    pub then: String,
    pub now: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} when the plan was made, {} now", self.what, self.then, self.now)
    }
}

/// Says what differs. Roles are compared where both sides know them.
pub fn differences(then: &Covers, now: &Covers) -> Vec<Difference> {
    // Taken apart, so that a field that is added cannot be left out.
    let Covers { site, profile, grants, lock, files, plugins, hooks, supplied, roles, parameters } = then;
    let mut found = Differences::default();
    found.compare("the site's name", &site.name, &now.site.name);
    found.compare("site.toml", short(&site.sha256), short(&now.site.sha256));
    found.lists("the profile", profile, &now.profile);
    found.compare("grants.toml", file(grants), file(&now.grants));
    found.compare("windlass.lock", file(lock), file(&now.lock));
    found.lists("a file of the site", files, &now.files);
    found.lists("the plugin", plugins, &now.plugins);
    for at in 0..hooks.len().max(now.hooks.len()) {
        let what = format!("hook {}", at + 1);
        found.compare(&what, hook(hooks.get(at)), hook(now.hooks.get(at)));
    }
    let of = |supplied: &Option<SuppliedCover>| match supplied {
        None => ("none".into(), "none".into()),
        Some(SuppliedCover { certificate, key }) => (digested(certificate), digested(key)),
    };
    let ((certificate, key), (certificate_now, key_now)) = (of(supplied), of(&now.supplied));
    found.compare("the supplied CA", certificate, certificate_now);
    found.compare("the supplied CA's key", key, key_now);
    if let (Some(then), Some(now)) = (roles, &now.roles) {
        found.compare("the active node", then.first.as_str(), now.first.as_str());
        found.compare("the standby node", then.second.as_str(), now.second.as_str());
    }
    let value = |entries: &[Entry], name: &str| {
        let found = entries.iter().find(|entry| entry.name == name);
        found.map_or_else(|| "not given".to_owned(), |entry| format!("{:?}", entry.value))
    };
    let mut names: Vec<&str> =
        parameters.iter().chain(&now.parameters).map(|entry| entry.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let what = format!("the parameter {name}");
        found.compare(&what, value(parameters, name), value(&now.parameters, name));
    }
    found.0
}

#[derive(Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn compare(&mut self, what: &str, then: impl Into<String>, now: impl Into<String>) {
        let (then, now) = (then.into(), now.into());
        if then != now {
            self.0.push(Difference { what: what.into(), then, now });
        }
    }

    fn lists(&mut self, what: &str, then: &[Digested], now: &[Digested]) {
        let of = |list: &[Digested], at: usize| list.get(at).map_or_else(|| "none".into(), digested);
        for at in 0..then.len().max(now.len()) {
            self.compare(what, of(then, at), of(now, at));
        }
    }
}

fn digested(of: &Digested) -> String {
    format!("{} ({})", of.name, short(&of.sha256))
}

fn file(of: &Option<Digested>) -> String {
    of.as_ref().map_or_else(|| "none".into(), |of| short(&of.sha256).to_owned())
}

fn hook(hook: Option<&HookCover>) -> String {
    match hook {
        None => "none".into(),
        Some(HookCover { plugin, when, event, order, on_error, file }) => {
            let file = file.as_ref().map_or_else(|| "no file".into(), digested);
            format!("{plugin} {when} {event}, order {order}, on error {on_error}, {file}")
        }
    }
}

/// Enough of a digest to tell two apart.
fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeName;

    fn covers() -> Covers {
        let digested = |name: &str| Digested { name: name.into(), sha256: "aa".into() };
        let node = |name: &str| NodeName::new(name).unwrap();
        Covers {
            site: digested("prod"),
            profile: vec![digested("own"), digested("mrs-2")],
            grants: Some(digested("grants.toml")),
            lock: Some(digested("windlass.lock")),
            files: vec![digested("manager-ca.pem")],
            plugins: vec![digested("ha-cert")],
            hooks: vec![HookCover {
                plugin: PluginName::new("drain").unwrap(),
                when: "before".into(),
                event: "ha-cert/run".into(),
                order: 1,
                on_error: "stop".into(),
                file: Some(digested("hooks/drain.py")),
            }],
            supplied: Some(SuppliedCover { certificate: digested("ca.crt"), key: digested("ca.pem") }),
            roles: Some(RolesCover { first: node("a"), second: node("b") }),
            parameters: vec![Entry { name: "ca".into(), value: "host".into() }],
        }
    }

    /// Every text and number in the whole of it, changed one after the other.
    fn changes(value: &serde_json::Value) -> Vec<serde_json::Value> {
        use serde_json::Value;
        let mut all = Vec::new();
        match value {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    for change in changes(inner) {
                        let mut fields = fields.clone();
                        fields.insert(name.clone(), change);
                        all.push(Value::Object(fields));
                    }
                }
            }
            Value::Array(items) => {
                for (at, inner) in items.iter().enumerate() {
                    for change in changes(inner) {
                        let mut items = items.clone();
                        items[at] = change;
                        all.push(Value::Array(items));
                    }
                }
                all.push(Value::Array(Vec::new()));
            }
            Value::String(text) => all.push(format!("{text}x").into()),
            Value::Number(number) => all.push((number.as_i64().unwrap() + 1).into()),
            _ => {}
        }
        all
    }

    #[test]
    fn every_change_of_everything_covered_is_a_difference() {
        let then = covers();
        assert_eq!(differences(&then, &then), []);
        let changed = changes(&serde_json::to_value(&then).unwrap());
        assert!(changed.len() > 25, "{}", changed.len());
        for change in changed {
            let now: Covers = serde_json::from_value(change).unwrap();
            // A file's name beside its digest is the host's own word: the digest is what counts.
            let same = Covers { grants: then.grants.clone(), lock: then.lock.clone(), ..now.clone() };
            let renamed = |one: &Option<Digested>, other: &Option<Digested>| {
                one.as_ref().map(|of| &of.sha256) == other.as_ref().map(|of| &of.sha256)
            };
            if same == then && renamed(&now.grants, &then.grants) && renamed(&now.lock, &then.lock) {
                continue;
            }
            assert_ne!(differences(&then, &now), [], "{now:?}");
        }
    }

    #[test]
    fn what_went_and_what_came_are_differences_too() {
        let then = covers();
        for now in [
            Covers { grants: None, ..covers() },
            Covers { lock: None, ..covers() },
            Covers { supplied: None, ..covers() },
            Covers { hooks: Vec::new(), ..covers() },
        ] {
            assert_eq!(differences(&then, &now).len(), if now.supplied.is_none() { 2 } else { 1 });
            assert_ne!(differences(&now, &then), []);
        }
    }
}
