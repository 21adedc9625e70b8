//! The settings that decisions depend on.

use std::time::Duration;

use crate::plan::Catalogue;

/// What an operator can set about the rules, all with the defaults of the variables of the same names.
#[derive(Clone, Debug)]
pub struct Policy {
    pub catalogue: Catalogue,
    /// The silence after which a session is over, as of its last heartbeat.
    pub stale_after: Duration,
    /// How often clients are asked to send a heartbeat.
    pub heartbeat_interval: Duration,
    /// The longest that one session may last; `None` for no cap.
    pub session_max: Option<Duration>,
    /// How often a running session is written to the ledger.
    pub alarm_interval: Duration,
    /// How long after the end of its paid period a grant still counts that is not renewed: news of a renewal may be late.
    pub grant_grace: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            catalogue: Catalogue::default(),
            stale_after: Duration::from_mins(10),
            heartbeat_interval: Duration::from_secs(30),
            session_max: Some(Duration::from_hours(1)),
            alarm_interval: Duration::from_secs(30),
            grant_grace: Duration::from_hours(3 * 24),
        }
    }
}
