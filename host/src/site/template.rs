//! The text of paths and commands: `${variable}`, `{placeholder}`, and their escapes `$$`, `{{`, `}}`.

use super::types::{Template, TemplatePart};
use std::fmt;

/// A template that is not one. Positions count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("the brace opened at character {0} is never closed; write {{{{ for a brace")]
    Open(usize),
    #[error("the }} at character {0} closes nothing; write }}}} for a brace")]
    Close(usize),
    #[error("the $ at character {0} starts no ${{variable}}; write $$ for a dollar")]
    Dollar(usize),
    #[error(
        "the name at character {0} is not one: letters, digits, '_' and '-' only; write {{{{ for a brace"
    )]
    Name(usize),
    #[error("there is a NUL at character {0}, which no argument can hold")]
    Nul(usize),
}

impl Template {
    /// Reads a template. Never panics, whatever the text.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut characters = text.chars().enumerate().map(|(index, c)| (index + 1, c)).peekable();
        while let Some((position, c)) = characters.next() {
            let next = characters.peek().map(|(_, next)| *next);
            let variable = match (c, next) {
                ('\0', _) => return Err(TemplateError::Nul(position)),
                ('$', Some('$')) | ('{', Some('{')) | ('}', Some('}')) => {
                    characters.next();
                    plain.push(c);
                    continue;
                }
                ('$', Some('{')) => {
                    characters.next();
                    true
                }
                ('$', _) => return Err(TemplateError::Dollar(position)),
                ('}', _) => return Err(TemplateError::Close(position)),
                ('{', _) => false,
                _ => {
                    plain.push(c);
                    continue;
                }
            };
            let mut name = String::new();
            loop {
                match characters.next() {
                    None => return Err(TemplateError::Open(position)),
                    Some((_, '}')) => break,
                    Some((_, c)) if is_name_character(c) => name.push(c),
                    Some(_) => return Err(TemplateError::Name(position)),
                }
            }
            if name.is_empty() {
                return Err(TemplateError::Name(position));
            }
            if !plain.is_empty() {
                parts.push(TemplatePart::Text(std::mem::take(&mut plain)));
            }
            parts.push(if variable { TemplatePart::Variable(name) } else { TemplatePart::Placeholder(name) });
        }
        if !plain.is_empty() {
            parts.push(TemplatePart::Text(plain));
        }
        Ok(Self { parts })
    }

    /// Returns the names in `${…}`, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Variable(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Returns the names in `{…}`, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Placeholder(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

pub(super) fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// The text it was read from.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                TemplatePart::Text(text) => {
                    f.write_str(&text.replace('$', "$$").replace('{', "{{").replace('}', "}}"))?;
                }
                TemplatePart::Variable(name) => write!(f, "${{{name}}}")?,
                TemplatePart::Placeholder(name) => write!(f, "{{{name}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> TemplatePart {
        TemplatePart::Text(text.into())
    }

    #[test]
    fn variables_placeholders_and_escapes_are_told_apart() {
        let template = Template::parse("a${v}/{p}-$$-{{x}}").unwrap();
        assert_eq!(
            template.parts,
            [
                text("a"),
                TemplatePart::Variable("v".into()),
                text("/"),
                TemplatePart::Placeholder("p".into()),
                text("-$-{x}"),
            ]
        );
        assert_eq!(Template::parse("").unwrap().parts, []);
        // `$$` first, then a placeholder: never the variable `b`.
        assert_eq!(
            Template::parse("$${b}").unwrap().parts,
            [text("$"), TemplatePart::Placeholder("b".into())]
        );
    }

    #[test]
    fn mistakes_say_where() {
        for (bad, error) in [
            ("ab${c", TemplateError::Open(3)),
            ("ab{c", TemplateError::Open(3)),
            ("ab}c", TemplateError::Close(3)),
            ("a$b", TemplateError::Dollar(2)),
            ("a$", TemplateError::Dollar(2)),
            ("${}", TemplateError::Name(1)),
            ("{a b}", TemplateError::Name(1)),
            ("${a{b}}", TemplateError::Name(1)),
            ("\0", TemplateError::Nul(1)),
        ] {
            assert_eq!(Template::parse(bad), Err(error), "{bad:?}");
        }
        assert_eq!(
            TemplateError::Close(3).to_string(),
            "the } at character 3 closes nothing; write }} for a brace"
        );
        assert_eq!(
            TemplateError::Dollar(2).to_string(),
            "the $ at character 2 starts no ${variable}; write $$ for a dollar"
        );
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "[${}a\\PC\u{0}-\u{20}]{0,40}") {
            let _ = Template::parse(&text);
        }

        #[test]
        fn a_template_prints_as_it_was_written(text in "([a-z/]|\\$\\$|\\{\\{|\\}\\}|\\$\\{[a-z_]{1,4}\\}|\\{[a-z-]{1,4}\\}){0,20}") {
            let template = Template::parse(&text).unwrap();
            prop_assert_eq!(template.to_string(), text);
        }
    }
}
