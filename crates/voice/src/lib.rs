//! The voice providers, and how a browser gets a short-lived token or a call of one.
//!
//! [`Accounts`] is what an operator has set up, [`provider`] what is asked of a provider for a token and what it answers,
//! [`calls`] the same for a call, in the words of [`openai`] or [`gemini`], and [`Failure`] what is said where it does not
//! answer. [`Minting`] is the order in which a token comes about, [`CallSetup`] and [`PhoneCall`] those of calls, over the
//! ports of `talktime-store`; [`sdp`] is what has to be known of a browser's offer, [`IncomingCall`] of a phone's. [`limits`] has every bound. Nothing here does I/O: the request is a value, and
//! whoever runs this sends it.
//!
//! The formats are the providers' own: `OpenAI`'s client secrets and calls of the Realtime API
//! (<https://platform.openai.com/docs/api-reference/realtime>), its sessions of GPT-Live, Google's ephemeral
//! tokens of the Live API (<https://ai.google.dev/gemini-api/docs/ephemeral-tokens>).

mod accounts;
pub mod base_url;
mod call_setup;
pub mod calls;
mod failure;
pub mod gemini;
mod hang_ups;
mod incoming;
pub mod limits;
mod mint;
mod mints;
pub mod models;
pub mod openai;
mod opening;
mod phone_call;
pub mod provider;
pub mod sdp;
pub mod terms;
mod time_limit;

pub use accounts::{
    Account, Accounts, GEMINI, NotOffered, NotSetUp, OPENAI, OPENAI_LIVE, Values, Variables,
};
pub use call_setup::{CallSetup, SetUp};
pub use failure::Failure;
pub use hang_ups::{HangUpReport, HangUps};
pub use incoming::{Caller, CallerHeaders, IncomingCall, NoEvent, SipStatus};
pub use mint::{MintError, Minting, Token};
pub use phone_call::{PhoneCall, Taking};
