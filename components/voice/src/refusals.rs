//! Why there is no token or call, as the problems that callers see.

use talktime_http::{Code, Problem};
use talktime_voice::{Account, NotOffered, NotSetUp};
use talktime_voice::{Failure, MintError};

pub fn not_set_up(error: NotSetUp) -> Problem {
    let problem = match error.asked {
        Some(provider) => Problem::provider_not_configured(provider),
        None => Problem::new(
            Code::ProviderNotConfigured,
            "No voice provider is set up here",
        ),
    };
    problem.detail(error.to_string())
}

pub fn not_offered(error: NotOffered) -> Problem {
    Problem::invalid_field("model", error)
}

pub fn not_minted(error: MintError, account: &Account) -> Problem {
    match error {
        MintError::Apply(error) => error.into(),
        MintError::Provider(failure) => of_provider(failure, account),
        MintError::TooLate { left } => Problem::session_ending(left),
        MintError::MinutesChanged => {
            Problem::busy(1).detail("The minutes changed while the provider answered")
        }
    }
}

/// With a line in the log that tells the operator what to look at.
fn of_provider(failure: Failure, account: &Account) -> Problem {
    let provider = account.provider().as_str();
    let log = failure.for_operator(account);
    let problem = match failure {
        Failure::Busy {
            retry_after_seconds,
            ..
        } => Problem::provider_busy(provider, retry_after_seconds, log),
        _ => Problem::provider_error(provider, log),
    };
    problem.detail(failure.to_string())
}
