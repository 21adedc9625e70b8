//! A call that comes in by telephone: whose it is, whether they have minutes left, and that it is taken or turned away.

use talktime_http::{Answer, Problem, Request, webhook_keys};
use talktime_spin::{HOST, KeyValue, Misconfigured, Once, Settings, now, outbound, variable};
use talktime_store::{NoLedger, Phones, Users};
use talktime_usage::{SessionId, UserId};
use talktime_voice::{
    Caller, CallerHeaders, IncomingCall, MintError, PhoneCall, SipStatus, Taking,
};
use talktime_webhook::Keys;
use talktime_wire::call::CallProvider;
use talktime_wire::webhook::{NotTaken, PhoneAnswer};

use crate::sessions::{self, NotStarted};
use crate::{accounts, refusals};

/// More than an event with all that a trunk adds.
const BODY_BYTES_MAX: usize = 64 * 1024;

const SECRET: &str = "openai_webhook_secret";

static KEYS: Once<Keys> = Once::new();
static PHONE: Once<PhoneSettings> = Once::new();

struct PhoneSettings {
    headers: CallerHeaders,
    instructions: Option<String>,
}

/// A call, and all that it takes to decide about it.
struct Desk<'a> {
    call: PhoneCall<'a>,
    users: &'a Users<'a, KeyValue, NoLedger>,
}

pub async fn answer(request: Request) -> Result<Answer, Problem> {
    let Some(incoming) = read(request).await? else {
        return Answer::ok(&PhoneAnswer::Ignored);
    };
    let accounts = accounts().await?;
    let account = accounts
        .for_call(Some(CallProvider::OpenAi))
        .map_err(refusals::not_set_up)?;
    let settings = Settings::load().await?;
    let phone = PHONE.get(phone_settings).await?;
    let documents = KeyValue::open()?;
    let users = Users::new(&documents, &NoLedger, &settings.policy, &HOST);
    let desk = Desk {
        call: PhoneCall {
            id: &incoming.id,
            account,
            accounts,
        },
        users: &users,
    };
    let Some(user) = user_of(&incoming, &phone.headers, &documents).await? else {
        let reason = NotTaken::UnknownCaller;
        return desk.turn_away(SipStatus::Decline, reason).await;
    };
    desk.decide(&user, phone.instructions.as_deref()).await
}

/// The call in a genuine event; `None` where it is about something else.
async fn read(request: Request) -> Result<Option<IncomingCall>, Problem> {
    let keys = KEYS.get(async || webhook_keys(SECRET).await).await?;
    let signed = request.signed(keys, now(), BODY_BYTES_MAX).await?;
    Ok(IncomingCall::parse(&signed.body).unwrap_or_else(|error| {
        // Sent again, it would be the same.
        eprintln!("webhook {}: {error}", signed.delivery().id);
        None
    }))
}

impl Desk<'_> {
    /// Takes the call if the user may talk. The same event again finds it taken, or the session started for it; so a delivery
    /// that died in the middle is made up for by the next.
    async fn decide(&self, user: &UserId, instructions: Option<&str>) -> Result<Answer, Problem> {
        let Self { call, users } = self;
        if let Some(session) = call.taken_before(user, users).await? {
            return self.accepted(user, session);
        }
        let session = match sessions::start(user, call.id).await? {
            Ok(session) => session,
            Err(NotStarted::NoMinutes) => {
                return self
                    .turn_away(SipStatus::Decline, NotTaken::NoCredits)
                    .await;
            }
            Err(NotStarted::Talking) => {
                let reason = NotTaken::SessionActive;
                return self.turn_away(SipStatus::BusyHere, reason).await;
            }
        };
        let taking = Taking {
            user,
            session,
            model: call.account.model(None).map_err(refusals::not_offered)?,
            instructions,
        };
        match call.take(taking, users, outbound::send).await {
            Ok(()) => self.accepted(user, session),
            Err(error) if error.is_over() => {
                let reason = NotTaken::NoActiveSession;
                self.turn_away(SipStatus::Decline, reason).await
            }
            Err(error) => {
                // It has cost nothing, and must not keep the user from calling again.
                if let MintError::Provider(_) = error {
                    sessions::end(user, session).await?;
                }
                Err(refusals::not_minted(error, call.account))
            }
        }
    }

    fn accepted(&self, user: &UserId, session_id: SessionId) -> Result<Answer, Problem> {
        Answer::ok(&PhoneAnswer::Accepted {
            user_id: user.to_string(),
            session_id,
            call_id: self.call.id.clone(),
        })
    }

    async fn turn_away(&self, why: SipStatus, reason: NotTaken) -> Result<Answer, Problem> {
        let Self { call, users } = self;
        eprintln!("call {} is turned away: {}", call.id, reason.as_str());
        call.turn_away(why, users, outbound::send)
            .await
            .map_err(|failure| refusals::not_minted(failure.into(), call.account))?;
        Answer::ok(&PhoneAnswer::Rejected { reason })
    }
}

async fn user_of(
    incoming: &IncomingCall,
    headers: &CallerHeaders,
    documents: &KeyValue,
) -> Result<Option<UserId>, Problem> {
    let phones = Phones {
        documents,
        environment: &HOST,
    };
    Ok(match incoming.caller(headers) {
        Caller::User(user) => Some(user),
        Caller::Number(number) => phones.user_of(&number).await?,
        Caller::Unknown => None,
    })
}

async fn phone_settings() -> Result<PhoneSettings, Misconfigured> {
    let header = variable("phone_caller_header").await?;
    Ok(PhoneSettings {
        headers: CallerHeaders {
            user: variable("phone_user_header").await?,
            number: header.unwrap_or_else(|| "From".to_owned()),
        },
        instructions: variable("phone_instructions").await?,
    })
}
