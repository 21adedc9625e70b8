//! What calls the components: HTTP, through the routes, and the clock.

pub(crate) mod app;
pub(crate) mod cron;
pub(crate) mod instances;
pub(crate) mod server;
