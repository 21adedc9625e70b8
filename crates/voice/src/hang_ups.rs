//! Calls are hung up: whatever ended their session, and even if nobody has noticed yet that it has ended.
//!
//! The watch over calls says whose are to be looked at when, and the user's state which are to be hung up. This looks at
//! those that are due within the next moments and waits for each one's instant, so that a limit is kept to the second that
//! the provider's answer takes. Who looks takes the user on for some seconds first: where several processes run, one of them
//! hangs up. A call is forgotten when its provider has said that it is over; until then it is tried again, ever more
//! rarely.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use talktime_store::call_watch::Watched;
use talktime_store::{ApplyError, Documents, Environment, NoLedger, StoreError, Users, pseudonym};
use talktime_usage::{Call, Timestamp, calls_to_hang_up, next_look_at_calls};

use crate::accounts::Accounts;
use crate::calls;
use crate::failure::Failure;
use crate::limits::HANG_UP_MAX;
use crate::time_limit::within;

/// For how long whoever looks has the user for itself: longer than it takes, and short, since it may die.
const CLAIM: Duration = Duration::from_secs(10);

/// How many users are seen to at once, while the providers of the others answer.
const AT_ONCE: usize = 16;

/// How many users are seen to in one go; the others are due in the next one, the longest due first.
const USERS_MAX: usize = 48;

/// The wait after a failure; it doubles with each further one, up to [`RETRY_LONGEST`].
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest wait between tries: each second costs the operator money, and a provider that is down does not mind one
/// request in half a minute.
const RETRY_LONGEST: Duration = Duration::from_secs(30);

/// Hangs up what is due.
#[derive(Clone, Copy)]
pub struct HangUps<'a, D> {
    pub users: &'a Users<'a, D, NoLedger>,
    pub accounts: &'a Accounts,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HangUpReport {
    /// Calls that were hung up.
    pub hung_up: usize,
    /// Users who have calls after it, or may have.
    pub open: usize,
    /// Users some of whose calls could not be hung up, or not be looked at. They are tried again.
    pub failed: usize,
}

impl fmt::Display for HangUpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            hung_up,
            open,
            failed,
        } = self;
        write!(
            f,
            "hang-ups: {hung_up} calls hung up, {failed} users failed, {open} may have calls"
        )
    }
}

/// What came of looking at one user's calls.
struct Looked {
    hung_up: usize,
    /// When they are to be looked at again; `None` when none is left.
    next: Option<Timestamp>,
}

/// Why a user's calls could not all be hung up.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error("call {0} could not be hung up")]
    Provider(String),
}

impl<D: Documents> HangUps<'_, D> {
    /// Looks at all that is due within `horizon`, waiting for each one's instant.
    ///
    /// # Errors
    /// When the watch over calls cannot be read. A failure with one user is only counted.
    pub async fn run(
        &self,
        horizon: Duration,
        send: impl AsyncFn(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
    ) -> Result<HangUpReport, StoreError> {
        let until = self.users.environment.now().plus(horizon);
        let mut due = self.users.call_watch().all().await?;
        let mut report = HangUpReport {
            open: due.len(),
            ..HangUpReport::default()
        };
        due.retain(|watched| watched.look.at <= until);
        due.sort_by_key(|watched| watched.look.at);
        due.truncate(USERS_MAX);
        let looks = due.iter().map(|watched| self.look(watched, &send));
        let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
        while let Some(hung_up) = looks.next().await {
            match hung_up {
                Ok(Looked { hung_up, next }) => {
                    report.hung_up += hung_up;
                    report.open -= usize::from(next.is_none());
                }
                Err(_) => report.failed += 1,
            }
        }
        Ok(report)
    }

    /// Hangs up one user's calls when it is time.
    async fn look(
        &self,
        watched: &Watched,
        send: &impl AsyncFn(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
    ) -> Result<Looked, LookError> {
        let environment = self.users.environment;
        let early = watched.look.at.since(environment.now());
        if !early.is_zero() {
            environment.wait(early).await;
        }
        let watch = self.users.call_watch();
        let until = environment.now().plus(CLAIM);
        let Some(claimed) = watch.claim(watched, until).await? else {
            // Somebody else looks.
            return Ok(Looked {
                hung_up: 0,
                next: Some(until),
            });
        };
        match self.hang_up_all(&claimed, send).await {
            Ok(looked) => {
                watch.done(&claimed, looked.next).await?;
                Ok(looked)
            }
            Err(error) => {
                let wait = RETRY_FIRST
                    .saturating_mul(2_u32.saturating_pow(claimed.look.tries.saturating_sub(1)))
                    .min(RETRY_LONGEST);
                eprintln!(
                    "the calls of {} are looked at again in {} s: {error}",
                    pseudonym(&claimed.user),
                    wait.as_secs()
                );
                watch.again(&claimed, environment.now().plus(wait)).await?;
                Err(error)
            }
        }
    }

    /// Hangs up all calls of a user that are to be.
    async fn hang_up_all(
        &self,
        claimed: &Watched,
        send: &impl AsyncFn(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
    ) -> Result<Looked, LookError> {
        let Users {
            environment,
            policy,
            ..
        } = *self.users;
        let user = &claimed.user;
        let mut state = self.users.read(user).await?;
        let unwanted = match &state {
            Some(state) => calls_to_hang_up(state, environment.now(), policy),
            None => Vec::new(),
        };
        let hung_up = unwanted.len();
        let mut left = Vec::new();
        for call in unwanted {
            match hang_up(self.accounts, &call, environment, send).await {
                Ok(()) => state = self.users.close_call(user, call.id).await?,
                Err(failure) => {
                    eprintln!("call {} cannot be hung up: {failure}", call.id);
                    left.push(call.id.to_string());
                }
            }
        }
        if !left.is_empty() {
            return Err(LookError::Provider(left.join(", ")));
        }
        let now = environment.now();
        let next = state.and_then(|state| next_look_at_calls(&state, now, policy));
        Ok(Looked { hung_up, next })
    }
}

/// Hangs up one call.
///
/// # Errors
/// When the provider has not said that it is over.
pub(crate) async fn hang_up(
    accounts: &Accounts,
    call: &Call,
    environment: &dyn Environment,
    send: &impl AsyncFn(http::Request<Bytes>) -> Result<http::Response<Bytes>, Failure>,
) -> Result<(), Failure> {
    let account = accounts.for_call(Some(call.provider.into()));
    let account = account.map_err(|_| Failure::NotSetUp)?;
    let request = calls::hang_up(account, &call.id).ok_or(Failure::NotSetUp)?;
    let outcome = within(HANG_UP_MAX, environment, send(request)).await;
    let outcome = outcome.unwrap_or(Err(Failure::TimedOut));
    if calls::is_over(&outcome) {
        return Ok(());
    }
    outcome.map(drop)
}
