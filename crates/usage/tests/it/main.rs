//! The rules, tried by stories: what happens to a user at which time, and what is billed then.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot go on stops where it is"
)]

mod alarms;
mod arrival_order;
mod calls;
mod clock;
mod cycles;
mod facts;
mod lapses;
mod model;
mod own_periods;
mod periods;
mod plans;
mod properties;
mod renewals;
mod repeats;
mod resets;
mod restore;
mod rules;
mod scene;
mod sessions;
mod silence;
mod status;
mod story;
mod tokens;
