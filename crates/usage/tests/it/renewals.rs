//! Whatever sequence of paid periods is told, each brings its minutes, and once.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::scene::{Scene, day, period};
use talktime_usage::{Command, Period, Reply, Timestamp};

/// Monthly renewals from a day of November on, each told so many hours after its start.
fn renewals() -> impl Strategy<Value = (u32, Vec<i64>)> {
    let hours_late = prop_oneof![3 => 0..2_i64, 1 => 0..71_i64];
    (1..29_u32, proptest::collection::vec(hours_late, 1..6))
}

fn month_start(number: usize, day_of_month: u32) -> String {
    let month = 10 + number;
    let (year, month) = (2026 + month / 12, month % 12 + 1);
    format!("{year}-{month:02}-{day_of_month:02}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// In any sequence of renewals that are told in time, or late within the grace, each month has its plan's minutes.
    #[test]
    fn each_paid_month_has_its_minutes((day_of_month, late) in renewals()) {
        let mut scene = Scene::at("2026-11-01");
        for (number, hours) in late.iter().enumerate() {
            let (start, end) = (month_start(number, day_of_month), month_start(number + 1, day_of_month));
            let told = day(&start).unix_seconds() + hours * 3_600;
            let change = scene.change("a", Some("basic"), Some(period(&start, &end)), false, Some(told * 1_000_000));
            scene.apply(&change, Timestamp::from_unix_seconds(told)).expect("heard");
            let used = scene.use_up(&format!("{start}T23:59:59"));
            prop_assert_eq!(used, 100, "the month from {}", start);
        }
    }

    /// However often, late and out of order news of some cycles comes, each brings its minutes once.
    #[test]
    fn no_cycle_brings_its_minutes_twice(
        cycles in proptest::collection::vec((select(vec!["a", "b"]), 0..40_i64, 1..40_i64, any::<bool>()), 1..5),
        arrivals in proptest::collection::vec((any::<Index>(), 0..30_i64), 1..12),
    ) {
        let mut scene = Scene::at("2026-11-01");
        let hour = |number: i64| Timestamp::from_unix_seconds(day("2026-11-01").unix_seconds() + number * 3_600);
        let commands: Vec<Command> = cycles
            .iter()
            .map(|(by, first, days, granted)| {
                let told = Period::paid(hour(first * 24), hour((first + days) * 24)).expect("a day");
                let plan = granted.then_some("basic");
                scene.change(by, plan, Some(told), false, Some(hour(first * 24).unix_millis() * 1_000))
            })
            .collect();
        // All of them are told by day 41, and all that is left is used up after each.
        let (mut now, mut fresh) = (hour(41 * 24), 0);
        let mut starts: Vec<Timestamp> = Vec::new();
        for (which, hours) in arrivals {
            now = now.plus(Duration::from_secs(hours.unsigned_abs() * 60));
            let command = &commands[which.index(commands.len())];
            let applied = scene.apply(command, now).expect("heard");
            prop_assert!(matches!(applied, Reply::Plan(_)));
            // As long as nothing is granted, nobody is there.
            let Some(state) = &scene.state else { continue };
            let began = state.period.fresh_since;
            if starts.last() != Some(&began) {
                starts.push(began);
                fresh += 1;
            }
        }
        // The period that ran when the first news came, and one for each cycle that is told.
        prop_assert!(fresh <= 1 + cycles.len(), "{starts:?}");
        prop_assert!(starts.is_sorted());
    }
}
