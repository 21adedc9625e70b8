//! The voice providers, and how a browser gets a short-lived token of one.
//!
//! [`Accounts`] is what an operator has set up, [`provider`] what is asked of a provider and what it answers, in the words
//! of [`openai`] or [`gemini`], and [`Failure`] what is said where it does not answer. [`Minting`] is the order in
//! which a token comes about, over the ports of `talktime-store`. [`limits`] has every bound. Nothing here does I/O: the
//! request is a value, and whoever runs this sends it.
//!
//! The formats are the providers' own: `OpenAI`'s client secrets and calls of the Realtime API
//! (<https://platform.openai.com/docs/api-reference/realtime>), Google's ephemeral tokens of the Live API
//! (<https://ai.google.dev/gemini-api/docs/ephemeral-tokens>).

mod accounts;
pub mod base_url;
mod failure;
pub mod gemini;
pub mod limits;
mod mint;
mod mints;
pub mod models;
pub mod openai;
pub mod provider;
pub mod terms;
mod time_limit;

pub use accounts::{Account, Accounts, GEMINI, NotOffered, NotSetUp, OPENAI, Variables};
pub use failure::Failure;
pub use mint::{MintError, Minting, Token};
