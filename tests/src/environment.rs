//! The numbers that environment variables set.

use std::str::FromStr;

/// The variable's number, if it is set.
///
/// # Panics
/// When it is set to something else.
#[must_use]
pub fn number<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let number = text.parse().ok();
    Some(number.unwrap_or_else(|| panic!("{name} is no number: {text:?}")))
}
