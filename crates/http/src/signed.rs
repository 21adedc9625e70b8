//! Webhooks: requests that prove by a signature over their bytes whose they are.

use bytes::Bytes;
use talktime_spin::{Misconfigured, check_secret, variable};
use talktime_usage::Timestamp;
use talktime_webhook::{Delivery, Headers, Keys, Refused};

use crate::problem::Problem;
use crate::request::Request;
use talktime_wire::problem::Code;

/// A delivery that is its sender's.
pub struct Signed {
    id: String,
    sent_at_seconds: i64,
    /// Its bytes.
    pub body: Bytes,
}

impl Signed {
    /// What its headers say.
    pub fn delivery(&self) -> Delivery<'_> {
        Delivery {
            id: &self.id,
            sent_at_seconds: self.sent_at_seconds,
        }
    }
}

impl Request {
    /// The delivery, of that many bytes at most.
    ///
    /// # Errors
    /// 401 where it is not signed with one of `keys`, and recently; 413, 408 and 400 for the body.
    pub async fn signed(
        self,
        keys: &Keys,
        now: Timestamp,
        bytes_max: usize,
    ) -> Result<Signed, Problem> {
        let headers = self.headers().clone();
        let header = |name| headers.get(name)?.to_str().ok();
        let headers = Headers {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
        };
        // Whoever cannot be the sender is not waited for.
        let claim = keys.examine(headers, now).map_err(unsigned)?;
        let body = self.bytes_up_to(bytes_max).await?;
        let delivery = claim.verify(&body).map_err(unsigned)?;
        Ok(Signed {
            id: delivery.id.to_owned(),
            sent_at_seconds: delivery.sent_at_seconds,
            body,
        })
    }
}

/// The keys of the secret in that variable, none where it is not set.
///
/// # Errors
/// When it is no secret, or one that others could guess.
pub async fn webhook_keys(name: &'static str) -> Result<Keys, Misconfigured> {
    let secret = variable(name).await?;
    let keys = Keys::of(secret.as_deref()).map_err(|error| Misconfigured::new(name, error))?;
    if let Some(secret) = &secret {
        check_secret(name, secret)?;
    }
    Ok(keys)
}

/// One sentence for all: who forges a webhook is not told how far they got.
fn unsigned(why: Refused) -> Problem {
    Problem::new(
        Code::Unauthorized,
        "The webhook is not signed with this service's secret",
    )
    .internal_message(why)
}
