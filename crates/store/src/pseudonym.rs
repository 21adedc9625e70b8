//! What logs call a user. An id may be an e-mail address, and logs travel further than the ledger does.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use talktime_usage::UserId;

/// Bytes of the digest that are shown: enough to tell users apart, and to find one whose id is known.
const BYTES: usize = 6;

/// A short hash of the user's id: the first twelve digits of `printf %s "$ID" | sha256sum`.
pub fn pseudonym(user: &UserId) -> String {
    pseudonym_of(user.as_str())
}

/// The same, of a text that need not be an id.
pub(crate) fn pseudonym_of(text: &str) -> String {
    let digest = Sha256::digest(text);
    let mut name = String::from("user:");
    for byte in digest.iter().take(BYTES) {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_sha256sum_prints() {
        assert_eq!(pseudonym_of("ada@example.test"), "user:b97222ea69da");
        assert_ne!(pseudonym_of("ada"), pseudonym_of("bob"));
    }
}
