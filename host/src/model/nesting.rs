//! TOML that nests too deeply to be read.

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// Deepest nesting of arrays and tables in each other; nothing that is meant to be read has a tenth of it.
const DEEPEST: usize = 64;
/// What is said of it.
pub const TOO_DEEP: &str = "arrays and tables stand in each other more than 64 deep";

/// Whether a text nests too deeply for the parser, which calls itself for each array and inline table that is open. It
/// has a limit of its own, but a bracket of the other kind, which closes nothing, counts there as one that does.
pub fn nests_too_deeply(toml: &str) -> bool {
    let mut open = Vec::new();
    for token in Source::new(toml).lex() {
        let closes = match token.kind() {
            kind @ (TokenKind::LeftCurlyBracket | TokenKind::LeftSquareBracket) => {
                open.push(kind);
                if open.len() > DEEPEST {
                    return true;
                }
                continue;
            }
            TokenKind::RightCurlyBracket => TokenKind::LeftCurlyBracket,
            TokenKind::RightSquareBracket => TokenKind::LeftSquareBracket,
            _ => continue,
        };
        if open.last() == Some(&closes) {
            open.pop();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_too_deeply_is_told_before_it_is_parsed() {
        for (text, deep) in [
            ("a = [[1], {b = [2]}]\n[[t]]\nc = '{{{'\n".repeat(100), false),
            (format!("a = {}", "[".repeat(64)), false),
            (format!("a = {}", "[".repeat(65)), true),
            (format!("a = {}", "{a=".repeat(65)), true),
            // What closes nothing does not count as if it did.
            (format!("a = {}", "{a=[}],".repeat(65)), true),
            (format!("a = \"{}\"", "[".repeat(99)), false),
            (format!("# {}\na = 1", "[".repeat(99)), false),
        ] {
            assert_eq!(nests_too_deeply(&text), deep, "{text:.60}");
        }
    }
}
