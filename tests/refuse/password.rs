//! Passwords: what the policy refuses, and that what it allows arrives as it was typed.

use super::*;

#[test]
fn a_password_that_the_policy_refuses_stops_before_any_change_and_is_never_shown() {
    let Some(practice) = local() else { return };
    for (password, says) in [
        ("Ab1~xyz", "fewer than 8 characters"),
        ("Abcdefgh1", "no special character"),
        ("Abcdefgh~", "no digit"),
        ("abcdefgh1~", "upper"),
        ("ABCDEFGH1~", "lower"),
        ("Abcdefg1\u{e9}~", "none of A-Z"),
        ("Abcdefg1\"~", "none of A-Z"),
        ("Abc defg1~", "none of A-Z"),
        ("Userpwd@123", "sample"),
        ("", "empty"),
    ] {
        practice.write("ha-key.secret", password);
        let said = practice.refuses(&[], 4, &["ha-key", says]);
        let all = format!("{}{}", said.out, said.err);
        assert!(password.is_empty() || !all.contains(password), "{password:?} is shown: {all}");
    }
    practice.write("ha-key.secret", "Good~Pass1word");
    practice.is_free();
}

#[test]
fn a_password_of_a_shells_own_characters_opens_the_keys_of_both_nodes() {
    let Some(practice) = local() else { return };
    for password in [r"a'B`c$HOME\n%s&|;1", r"-'$(id)`id`\\~!#*?9Aa"] {
        practice.write("ha-key.secret", password);
        practice.runs_well();
        for node in MANAGERS {
            for key in ["root-ca.pem", "server.pem"] {
                let arguments = ["pkey", "-noout", "-passin", "stdin", "-in", key];
                openssl(&practice.cert_ha(node), &arguments, &format!("{password}\n")).check(0, &[]);
                assert_ne!(openssl(&practice.cert_ha(node), &arguments, "Another~1pass\n").exit, 0);
            }
        }
    }
}
