//! What a secret must be before it lets anybody in.

use crate::Misconfigured;

/// RFC 7518, section 3.2: an HMAC key has at least the size of the hash. No other shared secret has a reason to be shorter.
const BYTES_MIN: usize = 32;

/// What examples and templates write where a secret belongs; compared without case, hyphens, underscores and spaces.
const PLACEHOLDERS: [&str; 8] = [
    "replaceme",
    "replacethis",
    "replacewith",
    "changeme",
    "changethis",
    "placeholder",
    "yoursecret",
    "secrethere",
];

/// Checks a secret that is set: everybody knows the values of examples, and short ones can be guessed.
///
/// # Errors
/// When it begins or ends with white space (a line break that came with a file, which the other side has not), is a
/// placeholder, or has fewer than 32 bytes. The error never quotes it.
pub fn check_secret(variable: &'static str, secret: &str) -> Result<(), Misconfigured> {
    let fault = if secret.trim() != secret {
        "begins or ends with white space, such as the line break at the end of a file".to_owned()
    } else if is_placeholder(secret) {
        "is a placeholder: choose a random one, such as openssl rand -hex 32 makes".to_owned()
    } else if secret.len() < BYTES_MIN {
        format!(
            "has fewer than {BYTES_MIN} bytes: choose a random one, such as openssl rand -hex 32 makes"
        )
    } else {
        return Ok(());
    };
    Err(Misconfigured::new(variable, fault))
}

fn is_placeholder(secret: &str) -> bool {
    let plain: String = secret
        .chars()
        .filter(|character| !matches!(character, '-' | '_' | ' '))
        .map(|character| character.to_ascii_lowercase())
        .collect();
    PLACEHOLDERS.iter().any(|words| plain.contains(words)) || is_template(secret)
}

/// A reference that nothing has filled in, such as `${SECRET}`.
fn is_template(secret: &str) -> bool {
    let enclosed = [
        ("${", "}"),
        ("$(", ")"),
        ("{{", "}}"),
        ("<", ">"),
        ("%", "%"),
    ]
    .iter()
    .any(|(start, end)| secret.starts_with(start) && secret.ends_with(end));
    let named = secret.strip_prefix('$').is_some_and(|name| {
        name.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    });
    enclosed || named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_random_and_nothing_else() {
        let check = |secret: &str, expected: Option<&str>| {
            let fault = check_secret("auth_jwt_secret", secret).err();
            if let Some(fault) = &fault {
                assert_eq!(fault.variable, "auth_jwt_secret");
                assert!(!fault.reason.contains(secret), "{fault}");
            }
            let starts = fault.as_ref().map(|fault| fault.reason.as_str());
            assert!(
                match (starts, expected) {
                    (Some(reason), Some(start)) => reason.starts_with(start),
                    (given, expected) => given == expected,
                },
                "{secret:?}: {starts:?}"
            );
        };
        check("9f86d081884c7d659a2feaa0c55ad015", None);
        check("c2VjcmV0cyBhcmUgYmVzdCB3aGVuIHJhbmRvbQ==", None);
        check("correct horse battery staple and so on", None);
        for short in ["s3cret", "9f86d081884c7d659a2feaa0c55ad01"] {
            check(short, Some("has fewer than 32 bytes"));
        }
        for padded in [
            "9f86d081884c7d659a2feaa0c55ad015\n",
            " 9f86d081884c7d659a2feaa0c55ad015",
        ] {
            check(padded, Some("begins or ends with white space"));
        }
        for example in [
            "replace-me",
            "REPLACE_ME_with_32_random_bytes_or_more",
            "change me before you go live with this one",
            "your-secret-your-secret-your-secret",
            "a-placeholder-of-more-than-32-bytes",
            "${INTERNAL_API_SECRET_OF_PRODUCTION}",
            "$INTERNAL_API_SECRET_OF_PRODUCTION_1",
            "{{ internal_api_secret_of_the_host }}",
            "<the secret that your provider showed>",
        ] {
            check(example, Some("is a placeholder"));
        }
    }
}
