//! Nodes and their named commands.

/// Says whether a character must not reach a terminal or a guest as it is: controls, and what
/// reorders or hides text.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
