//! The files after all is over: the ledger, the states, and what clients were told.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;
use talktime_host::rusqlite::Connection;
use talktime_tests::bench::rows;

use crate::load::Told;

/// Compares all three.
pub fn check(data: &Path, told: &Told) {
    let open = |file: &str| Connection::open(data.join(file)).expect(file);
    let ledger = open("sqlite_db.db");
    let states = open("sqlite_key_value.db");
    check_told(&ledger, told);
    assert_eq!(
        rows(
            &ledger,
            "SELECT id FROM usage_sessions WHERE ended_at IS NULL"
        ),
        [""; 0],
        "no session is open"
    );
    let overlaps = "SELECT a.id, b.id FROM usage_sessions a JOIN usage_sessions b ON a.user_id = b.user_id \
                    AND a.id < b.id AND a.started_at < b.ended_at AND b.started_at < a.ended_at";
    assert_eq!(rows(&ledger, overlaps), [""; 0], "one session at a time");
    let sum = |table: &str| -> HashMap<String, String> {
        let sql = format!("SELECT user_id, SUM(minutes_used) FROM {table} GROUP BY user_id");
        let split = |row: String| {
            row.split_once('|')
                .map(|(user, sum)| (user.to_owned(), sum.to_owned()))
        };
        rows(&ledger, &sql).into_iter().filter_map(split).collect()
    };
    let (sessions, periods) = (sum("usage_sessions"), sum("usage_periods"));
    assert_eq!(
        sessions, periods,
        "the periods have the minutes of the sessions"
    );
    let mut seen = Vec::new();
    for document in rows(&states, "SELECT value FROM spin_key_value") {
        let state: Value = serde_json::from_str(&document).expect("a state");
        let user = state["user"].as_str().expect("a user");
        assert_eq!(state.get("session"), None, "{document}");
        let period = format!(
            "SELECT minutes_used FROM usage_periods WHERE id = {}",
            state["period"]["id"].to_string().replace('"', "'")
        );
        let billed = state["period"]["billed_minutes"].to_string();
        if state["period"]["recorded"] == true {
            assert_eq!(rows(&ledger, &period), [billed], "{document}");
        }
        seen.push(user.to_owned());
        for ended in state["ended"].as_array().into_iter().flatten() {
            let row = format!(
                "SELECT minutes_used, end_reason FROM usage_sessions WHERE id = {}",
                ended["id"].to_string().replace('"', "'")
            );
            let expected = format!(
                "{}|{}",
                ended["minutes"],
                ended["reason"].as_str().expect("a reason")
            );
            assert_eq!(rows(&ledger, &row), [expected]);
        }
    }
    for user in sessions.keys() {
        assert!(seen.contains(user), "{user} has sessions and no state");
    }
    let users = seen.len();
    println!(
        "{users} users, {} sessions told, {} in the ledger",
        told.started.len(),
        rows(&ledger, "SELECT COUNT(*) FROM usage_sessions")[0]
    );
}

/// What a client was told with a 200 is so.
fn check_told(ledger: &Connection, told: &Told) {
    assert!(!told.started.is_empty(), "the load did something");
    let sessions: HashMap<String, String> = rows(
        ledger,
        "SELECT id, user_id || '|' || minutes_used || '|' || end_reason FROM usage_sessions",
    )
    .into_iter()
    .filter_map(|row| {
        row.split_once('|')
            .map(|(id, rest)| (id.to_owned(), rest.to_owned()))
    })
    .collect();
    for (id, user) in &told.started {
        let row = sessions
            .get(id)
            .unwrap_or_else(|| panic!("session {id} of {user} is lost"));
        assert!(row.starts_with(&format!("{user}|")), "{id}: {row}");
        if let Some((minutes, reason)) = told.ended.get(id) {
            assert_eq!(*row, format!("{user}|{minutes}|{reason}"), "{id}");
        }
    }
}
