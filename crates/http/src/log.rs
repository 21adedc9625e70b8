//! Lines in the log that callers cause, within bounds: whoever can make a service write can otherwise fill its disk.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use talktime_spin::now;
use talktime_usage::Timestamp;
use talktime_wire::problem::Code;

use crate::problem::Problem;

/// The header in which Spin says who has connected: the client, or the last proxy before us. It is for the log alone;
/// nothing is decided by it.
const CLIENT_HEADER: &str = "spin-client-addr";

/// Refused credentials: so many lines in [`WINDOW`] for each reason and instance show that somebody guesses, and since when.
const REFUSALS_MAX: u32 = 3;
const WINDOW: Duration = Duration::from_mins(1);

/// Reasons that are told apart. There are about twenty; what comes on top shares one bound.
const REASONS_MAX: usize = 64;

/// How many lines a reason has had.
#[derive(Debug)]
struct Count {
    since: Timestamp,
    written: u32,
    left_out: u32,
}

/// The lines of one instance.
#[derive(Debug, Default)]
struct Lines(BTreeMap<String, Count>);

impl Lines {
    const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Whether one more line of that reason may be written, and how many were left out before it.
    fn admit(&mut self, reason: &str, bound: Bound, now: Timestamp) -> Option<u32> {
        let is_known = self.0.contains_key(reason) || self.0.len() < REASONS_MAX;
        let reason = if is_known { reason } else { "" };
        let count = self.0.entry(reason.to_owned()).or_insert(Count {
            since: now,
            written: 0,
            left_out: 0,
        });
        // A clock that was set back begins anew too, lest the log be silent until it has caught up.
        let is_over = now < count.since || now.since(count.since) >= WINDOW;
        if bound == Bound::InAMinute && is_over {
            count.since = now;
            count.written = 0;
        }
        let lines_max = match bound {
            Bound::Once => 1,
            Bound::InAMinute => REFUSALS_MAX,
        };
        if count.written >= lines_max {
            count.left_out = count.left_out.saturating_add(1);
            return None;
        }
        count.written += 1;
        Some(std::mem::take(&mut count.left_out))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Once,
    InAMinute,
}

static LINES: Mutex<Lines> = Mutex::new(Lines::new());

/// Who has connected, as the host says.
#[derive(Clone, Debug)]
pub struct Client(Option<HeaderValue>);

impl Client {
    /// The one that a request's headers name. The last value is the host's: what a client sends under that name comes
    /// before it.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all(CLIENT_HEADER).iter().next_back().cloned())
    }

    fn address(&self) -> Option<IpAddr> {
        let text = self.0.as_ref()?.to_str().ok()?;
        text.parse::<SocketAddr>()
            .map(|address| address.ip())
            .or_else(|_| text.parse())
            .ok()
    }
}

/// Writes what a refusal has for the log, if it has something. `route` is the table's path, not the request's, which may
/// hold a user's id.
pub(crate) fn refusal(problem: &Problem, route: &str, client: &Client) {
    let Some(reason) = problem.log_line() else {
        return;
    };
    let line = match route {
        "" => reason.clone(),
        route => format!("{route} {reason}"),
    };
    let bound = match problem.code() {
        Code::Unauthorized => Bound::InAMinute,
        Code::Misconfigured => Bound::Once,
        // What a caller cannot cause at will.
        _ => {
            write(&line);
            return;
        }
    };
    let Some(left_out) = admit(&reason, bound) else {
        return;
    };
    let client = match client.address() {
        Some(client) if bound == Bound::InAMinute => format!(" (from {client})"),
        _ => String::new(),
    };
    let more = match left_out {
        0 => String::new(),
        left_out => format!(" (and {left_out} before it)"),
    };
    write(&format!("{line}{client}{more}"));
}

/// Writes a line, once for each instance.
pub fn once(line: &str) {
    if admit(line, Bound::Once).is_some() {
        write(line);
    }
}

/// The only way from this crate to the log. No line names a user: whoever is meant has a pseudonym there.
fn write(line: &str) {
    eprintln!("{line}");
}

fn admit(reason: &str, bound: Bound) -> Option<u32> {
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.admit(reason, bound, now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000 + second)
    }

    #[test]
    fn a_guesser_leaves_a_few_lines_a_minute_for_each_reason() {
        let mut lines = Lines::new();
        let mut admit = |reason, second| lines.admit(reason, Bound::InAMinute, at(second));
        for _ in 0..3 {
            assert_eq!(admit("wrong secret", 0), Some(0));
        }
        for _ in 0..40 {
            assert_eq!(admit("wrong secret", 59), None);
        }
        assert_eq!(admit("expired", 59), Some(0));
        assert_eq!(admit("wrong secret", 60), Some(40));
        assert_eq!(admit("wrong secret", 61), Some(0));
        // The clock was set back by a day.
        assert_eq!(admit("wrong secret", -86_400), Some(0));
    }

    #[test]
    fn a_misconfiguration_is_told_once() {
        let mut lines = Lines::new();
        assert_eq!(lines.admit("bad", Bound::Once, at(0)), Some(0));
        for second in [0, 3_600, 1_000_000] {
            assert_eq!(lines.admit("bad", Bound::Once, at(second)), None);
        }
    }

    #[test]
    fn reasons_are_bounded_too() {
        let mut lines = Lines::new();
        let written = (0..1_000)
            .filter(|reason| {
                let reason = format!("reason {reason}");
                lines.admit(&reason, Bound::InAMinute, at(0)).is_some()
            })
            .count();
        assert_eq!(written, REASONS_MAX + 3);
        assert_eq!(lines.0.len(), REASONS_MAX + 1);
    }

    #[test]
    fn the_client_is_whom_the_host_names_last() {
        let check = |values: &[&'static str], expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CLIENT_HEADER, HeaderValue::from_static(value));
            }
            let client = Client::of(&headers).address();
            let client = client.map(|address| address.to_string());
            assert_eq!(client.as_deref(), expected, "{values:?}");
        };
        check(&[], None);
        check(&["203.0.113.7:55123"], Some("203.0.113.7"));
        check(&["[2001:db8::1]:80"], Some("2001:db8::1"));
        check(&["203.0.113.7"], Some("203.0.113.7"));
        check(&["10.0.0.1:1", "203.0.113.7:55123"], Some("203.0.113.7"));
        check(&["10.0.0.1:1", "not an address, nor \"quoted\""], None);
    }
}
