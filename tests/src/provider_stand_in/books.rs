//! The books that a provider keeps of its calls: who had one, from when to when, and how it came to its end.

use std::time::Duration;

use talktime_usage::Timestamp;

/// The longest call of a provider's.
pub const LONGEST_CALL: Duration = Duration::from_hours(1);

/// How long a provider waits for a caller whom its answer has not reached.
pub const UNDELIVERED_LIFE: Duration = Duration::from_secs(30);

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The provider's name for it.
    pub id: String,
    /// The model that was asked for.
    pub model: String,
    /// By which the provider knows the user: the safety identifier. A phone call may be without.
    pub user: Option<String>,
    /// Since when it is open.
    pub opened_at: Timestamp,
    /// Whether its answer never got to the caller, so that nobody can talk in it.
    pub undelivered: bool,
    /// When and how it came to its end; `None` while it is open.
    pub closed: Option<Closed>,
}

/// The end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// Whereby.
    pub by: ClosedBy,
}

/// What closes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    /// A hang-up.
    HangUp,
    /// [`LONGEST_CALL`].
    Maximum,
    /// [`UNDELIVERED_LIFE`].
    NobodyCame,
}

/// How a provider takes a hang-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HungUp {
    Done,
    Unknown,
    OverAlready,
}

impl HungUp {
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Done => 200,
            Self::Unknown => 404,
            Self::OverAlready => 410,
        }
    }
}

/// The books as they stand at one moment. A call in which nobody can talk is in [`CallBooks::all`] and counts nowhere
/// else.
#[derive(Debug, Clone)]
pub struct CallBooks {
    calls: Vec<Call>,
    rejected: Vec<(String, u64)>,
    ringing: Vec<String>,
    at: Timestamp,
}

impl CallBooks {
    pub(super) fn new() -> Self {
        Self {
            calls: Vec::new(),
            rejected: Vec::new(),
            ringing: Vec::new(),
            at: Timestamp::from_unix_millis(0),
        }
    }

    /// All calls, the first one first.
    #[must_use]
    pub fn all(&self) -> &[Call] {
        &self.calls
    }

    /// The call of that id.
    #[must_use]
    pub fn call(&self, id: &str) -> Option<&Call> {
        self.calls.iter().find(|call| call.id == id)
    }

    /// The users who had a call, each once.
    #[must_use]
    pub fn users(&self) -> Vec<&str> {
        let mut users: Vec<_> = self
            .calls
            .iter()
            .filter_map(|c| c.user.as_deref())
            .collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// The phone calls that were rejected, with the status that each was told.
    #[must_use]
    pub fn rejected(&self) -> &[(String, u64)] {
        &self.rejected
    }

    /// A user's calls that are open.
    #[must_use]
    pub fn open_calls(&self, user: &str) -> Vec<&Call> {
        let calls = self.talks(user);
        calls.filter(|call| call.closed.is_none()).collect()
    }

    /// How long a user could talk, in all calls together.
    #[must_use]
    pub fn time_given(&self, user: &str) -> Duration {
        let end = |call: &Call| call.closed.map_or(self.at, |closed| closed.at);
        let calls = self.talks(user);
        calls.map(|call| end(call).since(call.opened_at)).sum()
    }

    /// The same in seconds, a begun one as a whole one.
    #[must_use]
    pub fn seconds_given(&self, user: &str) -> u64 {
        let millis = self.time_given(user).as_millis();
        u64::try_from(millis.div_ceil(1_000)).unwrap_or(u64::MAX)
    }

    /// How many calls of a user were open at once at the most. One that ends at the instant at which the next begins is
    /// not open beside it.
    #[must_use]
    pub fn most_open_at_once(&self, user: &str) -> usize {
        let is_open = |call: &Call, at: Timestamp| {
            call.opened_at <= at && call.closed.is_none_or(|closed| at < closed.at)
        };
        let beside = |at| self.talks(user).filter(|call| is_open(call, at)).count();
        let begins = self.talks(user).map(|call| call.opened_at);
        begins.map(beside).max().unwrap_or(0)
    }

    fn talks(&self, user: &str) -> impl Iterator<Item = &Call> {
        let of_user = |call: &&Call| !call.undelivered && call.user.as_deref() == Some(user);
        self.calls.iter().filter(of_user)
    }

    /// Closes what has closed by itself until `now`.
    pub(super) fn settle(&mut self, now: Timestamp) {
        self.at = now;
        for call in self.calls.iter_mut().filter(|call| call.closed.is_none()) {
            let (life, by) = if call.undelivered {
                (UNDELIVERED_LIFE, ClosedBy::NobodyCame)
            } else {
                (LONGEST_CALL, ClosedBy::Maximum)
            };
            let at = call.opened_at.plus(life);
            if at <= now {
                call.closed = Some(Closed { at, by });
            }
        }
    }

    /// How many calls there have been.
    pub(super) fn count(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn open(&mut self, call: Call) {
        self.calls.push(call);
    }

    pub(super) fn hang_up(&mut self, id: &str) -> HungUp {
        let at = self.at;
        match self.calls.iter_mut().find(|call| call.id == id) {
            None => HungUp::Unknown,
            Some(Call {
                closed: Some(_), ..
            }) => HungUp::OverAlready,
            Some(call) => {
                let by = ClosedBy::HangUp;
                call.closed = Some(Closed { at, by });
                HungUp::Done
            }
        }
    }

    pub(super) fn lose(&mut self, id: &str) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.id == id) {
            call.undelivered = true;
        }
    }

    pub(super) fn ring(&mut self, id: &str) {
        self.ringing.push(id.to_owned());
    }

    /// Takes a call off the ringing ones; otherwise the status that says why not.
    pub(super) fn pick_up(&mut self, id: &str) -> Result<(), u16> {
        if let Some(place) = self.ringing.iter().position(|ringing| ringing == id) {
            self.ringing.remove(place);
            return Ok(());
        }
        let was_rejected = self.rejected.iter().any(|(rejected, _)| rejected == id);
        Err(if was_rejected || self.call(id).is_some() {
            409
        } else {
            404
        })
    }

    pub(super) fn reject(&mut self, id: &str, status: u64) {
        self.rejected.push((id.to_owned(), status));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn books(opened: &[(&str, i64)]) -> CallBooks {
        let mut books = CallBooks::new();
        for (id, opened_at) in opened {
            books.settle(at(*opened_at));
            books.open(Call {
                id: (*id).to_owned(),
                model: "m".to_owned(),
                user: Some("anna".to_owned()),
                opened_at: at(*opened_at),
                undelivered: false,
                closed: None,
            });
        }
        books
    }

    #[test]
    fn seconds_run_until_the_hang_up() {
        let mut books = books(&[("a", 100)]);
        books.settle(at(130));
        assert_eq!(books.seconds_given("anna"), 30);
        assert_eq!(books.open_calls("anna").len(), 1);
        assert_eq!(books.hang_up("a"), HungUp::Done);
        books.settle(at(900));
        assert_eq!(books.seconds_given("anna"), 30);
        assert_eq!(books.seconds_given("bert"), 0);
        assert_eq!(books.hang_up("a"), HungUp::OverAlready);
        assert_eq!(books.hang_up("b"), HungUp::Unknown);
        assert!(books.open_calls("anna").is_empty());
        assert_eq!(books.users(), ["anna"]);
    }

    #[test]
    fn a_call_ends_by_itself_after_an_hour() {
        let mut books = books(&[("a", 100)]);
        books.settle(at(3_699));
        assert_eq!(books.all()[0].closed, None);
        books.settle(at(5_000));
        let by = ClosedBy::Maximum;
        assert_eq!(books.all()[0].closed, Some(Closed { at: at(3_700), by }));
        assert_eq!(books.seconds_given("anna"), 3_600);
    }

    #[test]
    fn a_call_that_nobody_has_is_no_talk() {
        let mut books = books(&[("a", 100), ("b", 105)]);
        books.lose("a");
        assert_eq!(books.most_open_at_once("anna"), 1);
        assert_eq!(books.open_calls("anna")[0].id, "b");
        books.settle(at(200));
        let by = ClosedBy::NobodyCame;
        assert_eq!(books.all()[0].closed, Some(Closed { at: at(130), by }));
        assert_eq!(books.seconds_given("anna"), 95);
    }

    #[test]
    fn calls_that_overlap_are_counted() {
        let mut books = books(&[("a", 100), ("b", 110)]);
        assert_eq!(books.most_open_at_once("anna"), 2);
        books.hang_up("a");
        // At the very instant at which "b" began.
        assert_eq!(books.most_open_at_once("anna"), 1);
    }
}
