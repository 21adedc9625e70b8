//! Webhooks as the billing provider sends them: signed by Standard Webhooks, at the time of the bench's clock.
//!
//! The signature is computed here anew and not by the component's own code, so that the two check each other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::Request;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{Bench, Setup, built};

/// Where the provider's events go.
pub const PATH: &str = "/api/webhooks/polar";

/// The secret of the benches of [`setup`], with which the published vectors are made too.
pub const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";

/// The product that is sold as `pro` on the benches of [`setup`].
pub const PRO: &str = "9d0d0000-0000-4000-8000-000000000003";

/// The product that is sold as `basic` on the benches of [`setup`].
pub const BASIC: &str = "9d0d0000-0000-4000-8000-000000000005";

/// The subscription that the fixtures tell of.
pub const SUBSCRIPTION: &str = "50b00000-0000-4000-8000-000000000001";

/// The provider's customer whose the fixtures are.
pub const CUSTOMER: &str = "c0500000-0000-4000-8000-000000000002";

/// A delivery, good or bad: the headers are as they are, also if no provider would send such.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// `webhook-id`; not sent if `None`, as the others.
    pub id: Option<Vec<u8>>,
    /// `webhook-timestamp`.
    pub timestamp: Option<Vec<u8>>,
    /// `webhook-signature`.
    pub signature: Option<Vec<u8>>,
    /// The body, to the byte.
    pub body: Bytes,
}

impl Delivery {
    /// A delivery that is signed with the text of [`SECRET`], as Polar does.
    #[must_use]
    pub fn signed(id: &str, timestamp: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self {
            id: Some(id.into()),
            timestamp: Some(timestamp.into()),
            signature: Some(signature(SECRET.as_bytes(), id, timestamp, &body).into()),
            body,
        }
    }

    /// The request that it is.
    ///
    /// # Panics
    /// When a header holds what no header can.
    #[must_use]
    pub fn request(self) -> Request<Bytes> {
        let mut request = Request::builder()
            .method("POST")
            .uri(PATH)
            .header("host", "talktime.test")
            .header("content-type", "application/json")
            .header("user-agent", "polar.sh webhooks");
        for (name, value) in [
            ("webhook-id", self.id),
            ("webhook-timestamp", self.timestamp),
            ("webhook-signature", self.signature),
        ] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request.body(self.body).expect("a valid request")
    }
}

/// What Standard Webhooks signs, with that key: `v1,` and the base64 of the HMAC.
///
/// # Panics
/// Never: a key may have any length.
#[must_use]
pub fn signature(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// A payload of the provider's, as `crates/polar/tests/fixtures` has it.
///
/// # Panics
/// When there is none of that name.
#[must_use]
pub fn fixture(name: &str) -> Value {
    let path = format!("crates/polar/tests/fixtures/{name}.json");
    let text = std::fs::read_to_string(built::root().join(&path));
    let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("JSON")
}

/// The event of the fixtures' user as one of another, who has a subscription and is a customer of his own.
///
/// # Panics
/// Never: what was JSON still is.
#[must_use]
pub fn of_user(user: &str, event: &Value) -> Value {
    let text = event
        .to_string()
        .replace("user_42", user)
        .replace(SUBSCRIPTION, &format!("sub_of_{user}"))
        .replace("sub_newer", &format!("sub_newer_of_{user}"))
        .replace(CUSTOMER, &format!("cus_of_{user}"));
    serde_json::from_str(&text).expect("JSON")
}

/// A bench that takes the provider's webhooks, and knows what both products stand for.
#[must_use]
pub fn setup() -> Setup {
    let products = json!({PRO: "pro", BASIC: "basic"});
    Bench::setup()
        .variable("polar_webhook_secret", SECRET)
        .variable("polar_products", &products.to_string())
}

impl Bench {
    /// A delivery that is signed now.
    #[must_use]
    pub fn signed(&self, id: &str, body: impl Into<Bytes>) -> Delivery {
        let seconds = self.clock.now_millis() / 1_000;
        Delivery::signed(id, &seconds.to_string(), body)
    }

    /// How a delivery is taken: its outcome, `413`, or `401`. The whole answer is checked.
    ///
    /// # Panics
    /// When it is answered otherwise.
    pub async fn taken(&self, delivery: Delivery) -> String {
        let answer = self.send(delivery.request()).await;
        match answer.status.as_u16() {
            200 => {
                let answer = answer.json();
                let outcome = answer["outcome"].as_str().expect("an outcome").to_owned();
                assert_eq!(answer, json!({"received": true, "outcome": outcome}));
                outcome
            }
            413 => answer.refused(413, "body_too_large")["status"].to_string(),
            _ => {
                // One sentence for every reason.
                let expected = json!({
                    "type": "urn:talktime:problem:unauthorized", "title": "Not signed in", "status": 401,
                    "code": "unauthorized", "error": "The webhook is not signed with this service's secret",
                });
                assert_eq!(answer.refused(401, "unauthorized"), expected);
                "401".to_owned()
            }
        }
    }

    /// Delivers an event now and tells its outcome.
    ///
    /// # Panics
    /// When it is answered in a way that no delivery is.
    pub async fn outcome(&self, id: &str, event: &Value) -> String {
        self.taken(self.signed(id, event.to_string())).await
    }
}
