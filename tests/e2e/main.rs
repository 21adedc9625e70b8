//! The built components, tried as their users would: under a clock of the test's, with stores that fail, and over HTTP.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot go on stops where it is"
)]

mod alarms;
mod authentication;
mod black_box;
mod browser;
mod browsers;
mod limits;
mod locks;
mod manifests;
mod periods;
mod plan_refusals;
mod plan_repeats;
mod plans;
mod races;
mod restores;
mod sessions;
mod subscriptions;
mod tokens;
mod webhook_bodies;
mod webhook_lists;
mod webhook_owners;
mod webhook_retries;
mod webhooks;
