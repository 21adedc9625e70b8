//! Spin variables: unset and empty are the same, and a bad value is an error that names the variable.

use std::fmt::Display;
use std::str::FromStr;

/// A variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("variable {variable}: {reason}")]
pub struct Misconfigured {
    /// The name of the variable, which callers are told.
    pub variable: &'static str,
    /// What is wrong with it, for the log: so it never quotes the value, which may be a secret.
    pub reason: String,
}

impl Misconfigured {
    /// A variable, and what is wrong with it without quoting it.
    pub fn new(variable: &'static str, reason: impl Display) -> Self {
        Self {
            variable,
            reason: reason.to_string(),
        }
    }
}

/// The value of a variable, or `None` when it is empty, unset or not declared for this component. The manifest gives
/// optional variables the default `""`.
///
/// # Errors
/// When the host's provider of variables fails.
pub async fn variable(name: &'static str) -> Result<Option<String>, Misconfigured> {
    use spin_sdk::variables::Error;

    match spin_sdk::variables::get(name).await {
        Ok(value) if value.trim().is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(Error::Undefined(_)) => Ok(None),
        Err(error) => Err(Misconfigured::new(name, format!("cannot be read: {error}"))),
    }
}

/// The value of a variable as a `T`, or `None` as with [`variable`].
///
/// # Errors
/// When the host's provider fails, or the value does not parse; the error of `T` must not quote the value of a secret.
pub async fn parsed<T>(name: &'static str) -> Result<Option<T>, Misconfigured>
where
    T: FromStr,
    T::Err: Display,
{
    match variable(name).await? {
        Some(text) => parse(name, &text).map(Some),
        None => Ok(None),
    }
}

fn parse<T>(name: &'static str, text: &str) -> Result<T, Misconfigured>
where
    T: FromStr,
    T::Err: Display,
{
    text.trim()
        .parse()
        .map_err(|error| Misconfigured::new(name, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_value_names_its_variable_and_is_not_quoted() {
        assert_eq!(parse::<u32>("sweep_batch", " 200\n"), Ok(200));
        let error = parse::<u32>("sweep_batch", "many").expect_err("no number");
        assert_eq!(
            error.to_string(),
            "variable sweep_batch: invalid digit found in string"
        );
    }
}
