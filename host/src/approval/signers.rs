//! Whom to trust: `allowed_signers`, in OpenSSH's own format (ssh-keygen(1)).
//!
//! Narrower than OpenSSH in two things, and nothing here is wider. A principal must be a name: behind a pattern
//! two people could not be told apart, so a line with one trusts nobody. Certificate authorities are not
//! followed. What a line says of `namespaces`, `valid-after` and `valid-before` holds.

use super::error::ApprovalError;
use super::signature::{Namespace, SignedBy};
use camino::Utf8Path;
use ssh_key::PublicKey;
use ssh_key::public::KeyData;
use std::collections::BTreeSet;

/// The lines of an `allowed_signers` file.
#[derive(Debug, Default)]
pub struct Signers {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    principals: Vec<String>,
    key: KeyData,
    /// A pattern list; none: every namespace.
    namespaces: Option<String>,
    valid_after: Option<i64>,
    valid_before: Option<i64>,
    authority: bool,
}

/// Somebody who signs: every principal that the file gives them, the first by which they are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    principals: BTreeSet<String>,
}

impl Person {
    pub fn is(&self, principal: &str) -> bool {
        self.principals.contains(principal)
    }

    pub fn is_also(&self, other: &Self) -> bool {
        !self.principals.is_disjoint(&other.principals)
    }
}

impl Signers {
    /// Reads a file's text. `path` is for messages; all mistakes at once.
    pub fn parse(text: &str, path: &Utf8Path) -> Result<Self, ApprovalError> {
        let mut signers = Self::default();
        let mut mistakes = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match read_line(line) {
                Ok(line) => signers.lines.push(line),
                Err(why) => mistakes.push(format!("line {}: {why}", at + 1)),
            }
        }
        match mistakes.is_empty() {
            true => Ok(signers),
            false => Err(ApprovalError::Trusted { path: path.to_owned(), mistakes }),
        }
    }

    /// Returns who a key is, for a signature of this namespace at this time; else why it is nobody.
    pub fn who(&self, signed: &SignedBy, namespace: Namespace, now: i64) -> Result<Person, String> {
        let known: Vec<&Line> = self.lines.iter().filter(|line| line.key == *signed.key()).collect();
        let key = signed.fingerprint();
        if known.is_empty() {
            return Err(format!("nobody with the key {key} is trusted to sign"));
        }
        let mut why = format!("the key {key} is trusted for other namespaces than {namespace}");
        for line in known {
            if line.authority {
                why = format!("the key {key} is a certificate authority's, which Windlass does not follow");
            } else if line.namespaces.as_ref().is_some_and(|list| !in_list(namespace.as_str(), list)) {
                // Said above, unless another line says more.
            } else if line.valid_after.is_some_and(|after| now < after)
                || line.valid_before.is_some_and(|before| now >= before)
            {
                why = format!("the key {key} is not trusted at this time (valid-after, valid-before)");
            } else if let Some(name) = line.principals.iter().find(|principal| !is_pattern(principal)) {
                let principals = self.all_of(line);
                return Ok(Person { name: name.clone(), principals });
            } else {
                why = format!("the key {key} has only a pattern for its principal, which names nobody");
            }
        }
        Err(why)
    }

    /// Every principal of a person: those on one line are one person, and so are those with one key.
    fn all_of(&self, line: &Line) -> BTreeSet<String> {
        let mut principals: BTreeSet<String> = line.principals.iter().cloned().collect();
        let mut keys: Vec<&KeyData> = vec![&line.key];
        loop {
            let before = (principals.len(), keys.len());
            for line in self.lines.iter().filter(|line| !line.authority) {
                let same = keys.contains(&&line.key)
                    || line.principals.iter().any(|principal| principals.contains(principal));
                if same {
                    principals.extend(line.principals.iter().cloned());
                    if !keys.contains(&&line.key) {
                        keys.push(&line.key);
                    }
                }
            }
            if before == (principals.len(), keys.len()) {
                return principals;
            }
        }
    }
}

fn is_pattern(principal: &str) -> bool {
    principal.contains(['*', '?', '!'])
}

fn read_line(line: &str) -> Result<Line, String> {
    let mut words = words(line)?.into_iter();
    let principals: Vec<String> = words
        .next()
        .unwrap_or_default()
        .split(',')
        .filter(|principal| !principal.is_empty())
        .map(str::to_owned)
        .collect();
    if principals.is_empty() {
        return Err("it names no principal".into());
    }
    let second = words.next().ok_or("it has no key")?;
    let (options, kind) = match is_key_type(&second) {
        true => (String::new(), second),
        false => (second, words.next().ok_or("it has no key")?),
    };
    let encoded = words.next().ok_or("it has no key")?;
    let key = PublicKey::from_openssh(&format!("{kind} {encoded}"))
        .map_err(|_| "its key cannot be read".to_owned())?;
    let mut made = Line {
        principals,
        key: key.key_data().clone(),
        namespaces: None,
        valid_after: None,
        valid_before: None,
        authority: false,
    };
    for option in split_options(&options) {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value.trim_matches('"'))),
            None => (option.as_str(), None),
        };
        match (name.to_ascii_lowercase().as_str(), value) {
            ("cert-authority", None) => made.authority = true,
            ("namespaces", Some(list)) if !list.is_empty() => made.namespaces = Some(list.to_owned()),
            ("valid-after", Some(time)) => made.valid_after = Some(moment(time)?),
            ("valid-before", Some(time)) => made.valid_before = Some(moment(time)?),
            _ => return Err(format!("there is no option {option:?}")),
        }
    }
    Ok(made)
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|start| word.starts_with(start))
}

/// Splits at white space, but not within quotes; quotes around a whole word are taken off.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => {
                quoted = !quoted;
                word.push('"');
            }
            ' ' | '\t' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    if quoted {
        return Err("a quote is not closed".into());
    }
    if !word.is_empty() {
        words.push(word);
    }
    if let Some(first) = words.first_mut()
        && let Some(inside) = first.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
    {
        *first = inside.to_owned();
    }
    Ok(words)
}

/// Splits at commas, but not within quotes.
fn split_options(options: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut option = String::new();
    let mut quoted = false;
    for character in options.chars() {
        match character {
            ',' if !quoted => all.push(std::mem::take(&mut option)),
            '"' => {
                quoted = !quoted;
                option.push('"');
            }
            other => option.push(other),
        }
    }
    all.push(option);
    all.retain(|option| !option.is_empty());
    all
}

/// Whether a word is in a list of patterns with commas; one with `!` that fits excludes it.
fn in_list(word: &str, list: &str) -> bool {
    let mut found = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if fits(word, pattern) => return false,
            Some(_) => {}
            None => found |= fits(word, pattern),
        }
    }
    found
}

/// `*` is any text, `?` any character.
fn fits(word: &str, pattern: &str) -> bool {
    match (pattern.chars().next(), word.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            let rest = pattern.get(1..).unwrap_or_default();
            word.char_indices()
                .map(|(at, _)| at)
                .chain([word.len()])
                .any(|at| word.get(at..).is_some_and(|word| fits(word, rest)))
        }
        (Some(one), Some(other)) if one == '?' || one == other => {
            let after = |text: &str, c: char| text.get(c.len_utf8()..).unwrap_or_default().to_owned();
            fits(&after(word, other), &after(pattern, one))
        }
        _ => false,
    }
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, with a `Z` in UTC, else as this machine's clock shows it.
fn moment(text: &str) -> Result<i64, String> {
    let wrong =
        || format!("{text:?} is not a time: YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with Z for UTC");
    let (digits, utc) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    if ![8, 12, 14].contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let part = |from: usize, length: usize| -> Option<i8> { digits.get(from..from + length)?.parse().ok() };
    let year: i16 = digits.get(..4).and_then(|year| year.parse().ok()).ok_or_else(wrong)?;
    let (month, day) = (part(4, 2).ok_or_else(wrong)?, part(6, 2).ok_or_else(wrong)?);
    let (hour, minute) = (part(8, 2).unwrap_or(0), part(10, 2).unwrap_or(0));
    let second = part(12, 2).unwrap_or(0);
    let zone = if utc { jiff::tz::TimeZone::UTC } else { jiff::tz::TimeZone::system() };
    jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0)
        .and_then(|time| time.to_zoned(zone))
        .map(|zoned| zoned.timestamp().as_second())
        .map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICd+s2HWa//qvl9eG2/wSzO6Oy3f5nh7dqziuAIeIHTD";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJg2KRzC1ZU5i119GOWwRp0W1BvMC/9803OrO6z4Q+u6";

    fn key(text: &str) -> SignedBy {
        SignedBy::of(PublicKey::from_openssh(text).unwrap().key_data().clone())
    }

    fn signers(text: &str) -> Signers {
        Signers::parse(text, Utf8Path::new("allowed_signers")).unwrap()
    }

    fn who(text: &str, now: i64) -> Result<String, String> {
        signers(text).who(&key(ONE), Namespace::Plan, now).map(|person| person.name)
    }

    #[test]
    fn a_line_trusts_its_key_for_its_namespaces_and_its_time() {
        let named = |name: &str| Ok(name.to_owned());
        for (line, now, expected) in [
            (format!("alice {ONE} a comment"), 0, named("alice")),
            (format!("\"alice,alice@work\" {ONE}"), 0, named("alice")),
            (format!("# nobody\n\nalice namespaces=\"windlass-plan\" {ONE}"), 0, named("alice")),
            (format!("alice namespaces=\"git,windlass-*\" {ONE}"), 0, named("alice")),
            (format!("alice NAMESPACES=\"windlass-pl?n\" {ONE}"), 0, named("alice")),
            (format!("alice namespaces=\"windlass-audit\" {ONE}"), 0, Err("other namespaces")),
            (format!("alice namespaces=\"windlass-*,!windlass-plan\" {ONE}"), 0, Err("other namespaces")),
            (format!("alice valid-after=\"20300101Z\" {ONE}"), 1_893_456_000, named("alice")),
            (format!("alice valid-after=\"20300101Z\" {ONE}"), 1_893_455_999, Err("at this time")),
            (format!("alice valid-before=\"203001010000Z\" {ONE}"), 1_893_455_999, named("alice")),
            (format!("alice valid-before=\"20300101000000Z\" {ONE}"), 1_893_456_000, Err("at this time")),
            (format!("alice {TWO}"), 0, Err("nobody with the key SHA256:")),
            (format!("*@example.com {ONE}"), 0, Err("only a pattern")),
            (format!("alice cert-authority {ONE}"), 0, Err("certificate authority")),
            // A line that fits is found behind one that does not.
            (format!("alice namespaces=\"git\" {ONE}\nalice {ONE}"), 0, named("alice")),
        ] as [(String, i64, Result<String, &str>); 15]
        {
            match (who(&line, now), expected) {
                (Ok(name), Ok(expected)) => assert_eq!(name, expected, "{line}"),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{line}: {why}"),
                (found, expected) => panic!("{line}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn lines_that_are_none_are_all_named() {
        let text = format!(
            "alice\n{ONE}\nalice namespaces=\"x {ONE}\nalice who={ONE}\nalice no-touch-required {ONE}\n\
             alice valid-after=\"2030\" {ONE}\nalice ssh-ed25519 AAAA\nalice {ONE}\n"
        );
        let error = Signers::parse(&text, Utf8Path::new("f")).unwrap_err();
        let ApprovalError::Trusted { mistakes, .. } = error else { panic!("{error}") };
        let lines: Vec<_> = mistakes.iter().filter_map(|mistake| mistake.split_once(':')).collect();
        let lines: Vec<_> = lines.into_iter().map(|(line, _)| line).collect();
        assert_eq!(
            lines,
            ["line 1", "line 2", "line 3", "line 4", "line 5", "line 6", "line 7"],
            "{mistakes:?}"
        );
    }

    #[test]
    fn two_names_on_a_line_or_with_one_key_are_one_person() {
        let of = |text: &str, signed: &str| signers(text).who(&key(signed), Namespace::Plan, 0).unwrap();
        let apart = format!("alice {ONE}\nbob {TWO}");
        assert!(!of(&apart, ONE).is_also(&of(&apart, TWO)));
        let by_line = format!("alice,al {ONE}\nal {TWO}");
        assert!(of(&by_line, ONE).is_also(&of(&by_line, TWO)));
        let by_key = format!("alice {ONE}\nbob {TWO}\nbob {ONE}");
        assert!(of(&by_key, ONE).is_also(&of(&by_key, TWO)));
        assert!(of(&by_key, TWO).is("alice"));
    }
}
