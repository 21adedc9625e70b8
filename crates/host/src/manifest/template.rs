//! Spin's expressions: literal text with `{{ variable }}` in it.

use crate::manifest::variables::VariableError;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(String),
    Variable(String),
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, VariableError> {
        let mut parts = Vec::new();
        let mut rest = text;
        // Bounded: each round takes at least one character off `rest`.
        while !rest.is_empty() {
            let Some(start) = rest.find("{{") else {
                parts.push(Part::Literal(rest.to_owned()));
                break;
            };
            if start > 0 {
                parts.push(Part::Literal(rest[..start].to_owned()));
            }
            let Some((name, after)) = rest[start + 2..].split_once("}}") else {
                return Err(VariableError::InvalidTemplate(
                    "unmatched '{{' in template".to_owned(),
                ));
            };
            parts.push(Part::Variable(name.trim().to_owned()));
            rest = after;
        }
        Ok(Self { parts })
    }

    /// The template without variables is its own value.
    pub(crate) fn is_literal(&self) -> bool {
        self.parts
            .iter()
            .all(|part| matches!(part, Part::Literal(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, bool)]) {
        let parts: Vec<_> = expected
            .iter()
            .map(|(text, variable)| {
                let text = (*text).to_owned();
                if *variable {
                    Part::Variable(text)
                } else {
                    Part::Literal(text)
                }
            })
            .collect();
        assert_eq!(Template::parse(text), Ok(Template { parts }), "{text}");
    }

    #[test]
    fn parses_as_spin() {
        check("", &[]);
        check("plain", &[("plain", false)]);
        check("{{x}}", &[("x", true)]);
        check("a {{ x }} b", &[("a ", false), ("x", true), (" b", false)]);
        check("{{a}}{{b}}", &[("a", true), ("b", true)]);
        check("}} {", &[("}} {", false)]);
        assert!(Template::parse("a {{ b").is_err());
    }
}
