//! The models that the operator lets callers have.

use talktime_wire::token::check_name;

/// Names of models, at least one.
///
/// A minute of one model costs the operator a multiple of a minute of another, and minutes are all that a plan counts: so
/// no caller gets a model that is not in this list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Models {
    default: String,
    others: Vec<String>,
}

impl Models {
    /// Reads a list with commas or white space between the names. The first is the default.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_between = |character: char| character == ',' || character.is_whitespace();
        let mut names = text
            .split(is_between)
            .filter(|name| !name.is_empty())
            // Google's own form; theirs and the bare one mean the same.
            .map(|name| name.strip_prefix("models/").unwrap_or(name))
            .map(|name| check_name(name).map(|()| name.to_owned()));
        let default = names.next().ok_or("names no model")??;
        let others = names.collect::<Result<_, _>>()?;
        Ok(Self { default, others })
    }

    /// The model to use: the one that is asked for, else the default. `None` where another is asked for.
    pub fn choose(&self, asked: Option<&str>) -> Option<&str> {
        match asked {
            None => Some(&self.default),
            Some(asked) => self.names().find(|name| *name == asked),
        }
    }

    /// All of them, the default first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.default)
            .chain(&self.others)
            .map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_commas_or_white_space() {
        let check = |text: &str, expected: Result<&[&str], &str>| {
            let models = Models::parse(text);
            let names = models.as_ref().map(|models| models.names().collect());
            let expected: Result<Vec<&str>, String> =
                expected.map(<[_]>::to_vec).map_err(str::to_owned);
            assert_eq!(names.map_err(Clone::clone), expected, "{text:?}");
        };
        check("a-1", Ok(&["a-1"]));
        check(" a-1,b_2 , ft:c.3\n", Ok(&["a-1", "b_2", "ft:c.3"]));
        check("a b\tc\r\nd,,e", Ok(&["a", "b", "c", "d", "e"]));
        check("models/x-1 y", Ok(&["x-1", "y"]));
        check("", Err("names no model"));
        check(" , ", Err("names no model"));
        check("a;b", Err("may hold only letters, digits and . _ - :"));
        check(
            "a,projects/b",
            Err("may hold only letters, digits and . _ - :"),
        );
        check(
            &format!("a {}", "b".repeat(65)),
            Err("must have 1 to 64 characters"),
        );
    }

    #[test]
    fn the_first_is_the_default_and_no_other_than_these_can_be_had() {
        let models = Models::parse("a, b").expect("a list");
        assert_eq!(models.choose(None), Some("a"));
        assert_eq!(models.choose(Some("a")), Some("a"));
        assert_eq!(models.choose(Some("b")), Some("b"));
        for other in ["", "c", "A", "a,b", "gpt-the-most-expensive"] {
            assert_eq!(models.choose(Some(other)), None, "{other:?}");
        }
    }
}
