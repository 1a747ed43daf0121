//! The password policy of the managed product, as its documentation states it, and nothing beyond.

use super::Secret;
use std::fmt;
use std::str::FromStr;

/// The special characters that the 2.x documentation allows.
const SPECIAL_2: &str = "~`!?,.:;-_'(){}[]/<>@#$%^&*+|\\=";
/// 3.x drops the colon.
const SPECIAL_3: &str = "~`!?,.;-_'(){}[]/<>@#$%^&*+|\\=";
/// The password that the documentation's example shows.
const SAMPLE: &[u8] = b"Userpwd@123";

/// What a password must be for a product version. By name: `mrs-2`, `mrs-3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    name: &'static str,
    shortest: usize,
    special: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no password policy {0:?}; there are mrs-2 and mrs-3")]
pub struct UnknownPolicy(String);

impl PasswordPolicy {
    /// Returns the policy of 2.x and older.
    pub const fn mrs_2() -> Self {
        Self { name: "mrs-2", shortest: 8, special: SPECIAL_2 }
    }

    /// Returns the policy of 3.x: as 2.x, without `:`.
    pub const fn mrs_3() -> Self {
        Self { name: "mrs-3", shortest: 8, special: SPECIAL_3 }
    }

    /// Returns the fewest characters a password may have.
    pub const fn shortest(&self) -> usize {
        self.shortest
    }

    /// Returns every character a password may have.
    pub(super) fn alphabet(&self) -> Vec<u8> {
        (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(self.special.bytes()).collect()
    }

    /// Returns the rules that the password breaks, in words; empty where it is fine. The words are journaled,
    /// so none of them repeats a character of the password.
    pub fn broken_rules(&self, password: &Secret) -> Vec<String> {
        let bytes = password.expose();
        let has = |test: &dyn Fn(u8) -> bool| bytes.iter().any(|byte| test(*byte));
        let is_special = |byte: u8| self.special.as_bytes().contains(&byte);
        let mut broken = Vec::new();

        // Counted as characters: a password in UTF-8 is not longer for being foreign.
        let characters = std::str::from_utf8(bytes).map_or(bytes.len(), |text| text.chars().count());
        if characters < self.shortest {
            broken.push(format!("it has fewer than {} characters", self.shortest));
        }
        for (kind, present) in [
            ("upper-case letter", has(&|byte| byte.is_ascii_uppercase())),
            ("lower-case letter", has(&|byte| byte.is_ascii_lowercase())),
            ("digit", has(&|byte| byte.is_ascii_digit())),
            ("special character", has(&is_special)),
        ] {
            if !present {
                broken.push(format!("it has no {kind}"));
            }
        }
        if has(&|byte| !byte.is_ascii_alphanumeric() && !is_special(byte)) {
            broken.push(format!(
                "it has a character that is none of A-Z, a-z, 0-9 and {} (the product takes no other)",
                self.special
            ));
        }
        if bytes.eq_ignore_ascii_case(SAMPLE) {
            broken.push(
                "it is the sample of the product's documentation, the first that anyone would guess".into(),
            );
        }
        broken
    }
}

impl FromStr for PasswordPolicy {
    type Err = UnknownPolicy;
    fn from_str(name: &str) -> Result<Self, UnknownPolicy> {
        [Self::mrs_2(), Self::mrs_3()]
            .into_iter()
            .find(|policy| policy.name == name)
            .ok_or_else(|| UnknownPolicy(name.chars().take(60).collect()))
    }
}

impl fmt::Display for PasswordPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(policy: PasswordPolicy, password: &str, expected: &[&str]) {
        let broken = policy.broken_rules(&Secret::from_text(password.into()));
        assert_eq!(broken.len(), expected.len(), "{password:?}: {broken:?}");
        for (rule, part) in broken.iter().zip(expected) {
            assert!(rule.contains(part), "{password:?}: {rule:?} does not say {part:?}");
        }
    }

    #[test]
    fn each_broken_rule_is_named_and_only_those() {
        let policy = PasswordPolicy::mrs_2();
        check(policy, "Anchor#2026", &[]);
        check(policy, "Aa1#aaaa", &[]);
        check(policy, "Aa1#aaa", &["fewer than 8"]);
        check(policy, "anchor#2026", &["no upper-case"]);
        check(policy, "ANCHOR#2026", &["no lower-case"]);
        check(policy, "Anchor#next", &["no digit"]);
        check(policy, "Anchor2026", &["no special"]);
        check(policy, "", &["fewer", "upper", "lower", "digit", "special"]);
    }

    #[test]
    fn every_documented_special_character_is_taken_and_no_other_byte() {
        for byte in 0u8..=127 {
            let password = format!("Anchor2026#{}", byte as char);
            let fine = byte.is_ascii_alphanumeric() || SPECIAL_2.as_bytes().contains(&byte);
            let broken = PasswordPolicy::mrs_2().broken_rules(&Secret::from_text(password));
            assert_eq!(broken.is_empty(), fine, "{:?}: {broken:?}", byte as char);
        }
        for outside in ["Anchor 2026#", "Anchor\"2026#", "Anchör2026#", "Anchor\n2026#", "Anchor\u{0}2026#"]
        {
            check(PasswordPolicy::mrs_2(), outside, &["none of A-Z"]);
        }
    }

    #[test]
    fn a_character_is_one_even_if_it_is_two_bytes() {
        check(PasswordPolicy::mrs_2(), "Aa1#äöü", &["fewer than 8", "none of A-Z"]);
    }

    #[test]
    fn the_colon_is_of_2_x_only() {
        check(PasswordPolicy::mrs_2(), "Anchor:2026", &[]);
        check(PasswordPolicy::mrs_3(), "Anchor#:2026", &["none of A-Z"]);
        check(PasswordPolicy::mrs_3(), "Anchor:2026", &["no special", "none of A-Z"]);
    }

    #[test]
    fn the_sample_of_the_documentation_is_refused_however_it_is_cased() {
        check(PasswordPolicy::mrs_2(), "Userpwd@123", &["sample of the product's documentation"]);
        check(PasswordPolicy::mrs_3(), "uSERPWD@123", &["sample"]);
    }

    #[test]
    fn names_parse_to_their_policies() {
        assert_eq!("mrs-2".parse(), Ok(PasswordPolicy::mrs_2()));
        assert_eq!("mrs-3".parse(), Ok(PasswordPolicy::mrs_3()));
        let error = "mrs-4".parse::<PasswordPolicy>().unwrap_err().to_string();
        assert_eq!(error, "there is no password policy \"mrs-4\"; there are mrs-2 and mrs-3");
    }
}
