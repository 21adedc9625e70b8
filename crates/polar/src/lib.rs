//! The billing provider Polar: what its events mean for a user's plan.
//!
//! A delivery that is genuine (`talktime-webhook`) passes through [`event`](mod@event) (what does it say) and [`decision`]
//! (what does it mean for the plan, by the operator's [`products`]); [`record`](mod@record) is what is kept of it. All of
//! that is functions over values: nothing here does I/O or reads a clock, and what becomes of a plan is for the rules of
//! `talktime-usage` to weigh.
//!
//! The format is the provider's own, <https://polar.sh/docs/integrate/webhooks/events>, as the payloads in
//! `tests/fixtures` have it.

pub mod decision;
pub mod event;
pub mod products;
pub mod record;
