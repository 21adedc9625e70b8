use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("a date")
}

fn period(start: &str, end: &str) -> Period {
    Period::new(at(start), at(end)).expect("a period")
}

/// The ends of the periods that follow one from `start` to `end`.
fn check(start: &str, end: &str, following: &[&str]) {
    let mut last = period(start, end);
    for expected in following {
        let next = period(start, end).recurring_at(last.end());
        assert_eq!(next.start(), last.end());
        assert_eq!(
            next.end().to_rfc3339(),
            *expected,
            "after {}",
            last.end().to_rfc3339()
        );
        last = next;
    }
}

#[test]
fn periods_keep_their_day_of_the_month() {
    check(
        "2027-01-31T09:00:00Z",
        "2027-02-28T09:00:00Z",
        &[
            "2027-03-31T09:00:00Z",
            "2027-04-30T09:00:00Z",
            "2027-05-31T09:00:00Z",
        ],
    );
    check(
        "2028-01-31T09:00:00Z",
        "2028-02-29T09:00:00Z",
        &["2028-03-31T09:00:00Z"],
    );
    check(
        "2027-02-28T09:00:00Z",
        "2027-03-31T09:00:00Z",
        &["2027-04-30T09:00:00Z", "2027-05-31T09:00:00Z"],
    );
    check(
        "2027-01-30T00:00:00Z",
        "2027-02-28T00:00:00Z",
        &["2027-03-30T00:00:00Z"],
    );
    check(
        "2026-10-15T09:00:00Z",
        "2026-11-15T09:00:00Z",
        &["2026-12-15T09:00:00Z", "2027-01-15T09:00:00Z"],
    );
    check(
        "2028-02-29T12:00:00Z",
        "2029-02-28T12:00:00Z",
        &[
            "2030-02-28T12:00:00Z",
            "2031-02-28T12:00:00Z",
            "2032-02-29T12:00:00Z",
        ],
    );
}

#[test]
fn a_period_that_is_no_whole_months_keeps_its_length() {
    check(
        "2026-11-01T00:00:00Z",
        "2026-11-08T00:00:00Z",
        &["2026-11-15T00:00:00Z", "2026-11-22T00:00:00Z"],
    );
    check(
        "2026-10-15T09:00:00Z",
        "2026-11-15T10:00:00Z",
        &["2026-12-16T11:00:00Z"],
    );
}

#[test]
fn the_calendar_month_holds_its_instant() {
    let check = |now: &str, start: &str, end: &str| {
        assert_eq!(Period::calendar_month(at(now)), period(start, end), "{now}");
    };
    check(
        "2026-11-30T23:59:59.999Z",
        "2026-11-01T00:00:00Z",
        "2026-12-01T00:00:00Z",
    );
    check(
        "2026-12-31T23:59:59Z",
        "2026-12-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
    );
    check(
        "2027-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
        "2027-02-01T00:00:00Z",
    );
}

#[test]
fn periods_long_past_are_skipped() {
    let check = |start: &str, end: &str, now: &str, expected: Period| {
        assert_eq!(period(start, end).recurring_at(at(now)), expected);
    };
    check(
        "2020-01-31T00:00:00Z",
        "2020-02-29T00:00:00Z",
        "2026-02-15T00:00:00Z",
        period("2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"),
    );
    check(
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:01Z",
        "2026-01-01T00:00:00Z",
        period("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"),
    );
    // The end of time is reached, not looped at.
    let last = period("2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z");
    let _ = last.recurring_at(at("9999-12-31T23:59:59.999Z"));
}

#[test]
fn periods_still_to_come_are_counted_back() {
    let check = |start: &str, end: &str, now: &str, expected: Period| {
        assert_eq!(period(start, end).recurring_at(at(now)), expected, "{now}");
    };
    let (march, april) = ("2027-03-31T00:00:00Z", "2027-04-30T00:00:00Z");
    let february = "2027-02-28T00:00:00Z";
    check(
        march,
        april,
        "2027-03-30T23:59:59.999Z",
        period(february, march),
    );
    check(march, april, february, period(february, march));
    check(
        march,
        april,
        "2027-02-27T23:59:59.999Z",
        period("2027-01-31T00:00:00Z", february),
    );
    let (week, next) = ("2026-11-09T00:00:00Z", "2026-11-16T00:00:00Z");
    let before = "2026-11-02T00:00:00Z";
    check(week, next, "2026-11-08T23:59:59.999Z", period(before, week));
    check(week, next, before, period(before, week));
    check(
        week,
        next,
        "2026-11-01T23:59:59.999Z",
        period("2026-10-26T00:00:00Z", before),
    );
    check(
        "9998-01-01T00:00:00Z",
        "9998-01-01T00:00:01Z",
        "1970-01-01T00:00:00Z",
        period("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"),
    );
}

#[test]
fn nothing_lies_between_equal_instants() {
    let same = at("2026-01-01T00:00:00Z");
    assert_eq!(Period::new(same, same), Err(PeriodError::Empty));
    assert_eq!(
        Period::new(same, at("2025-01-01T00:00:00Z")),
        Err(PeriodError::Empty)
    );
}

#[test]
fn a_paid_period_lasts_a_day_at_least() {
    let check = |end: &str, expected: Result<(), PeriodError>| {
        let paid = Period::paid(at("2026-11-10T09:00:00.900Z"), at(end));
        assert_eq!(paid.map(|_| ()), expected, "{end}");
    };
    check("2026-11-10T09:00:00Z", Err(PeriodError::Empty));
    check("2026-11-11T08:59:59.999Z", Err(PeriodError::UnderADay));
    check("2026-11-11T09:00:00Z", Ok(()));
}

#[test]
fn a_long_period_divides_into_months() {
    let check = |(start, end): (&str, &str), now: &str, (from, to): (&str, &str)| {
        let date = |day: &str| format!("{day}T09:00:00Z");
        let paid = period(&date(start), &date(end));
        let month = period(&date(from), &date(to));
        assert_eq!(
            paid.month_at(at(&date(now))),
            month,
            "{now} in {start}..{end}"
        );
        let last = at(&date(to)).unix_millis() - 1;
        assert_eq!(paid.month_at(Timestamp::from_unix_millis(last)), month);
    };
    let year = ("2026-01-10", "2027-01-10");
    check(year, "2026-01-10", ("2026-01-10", "2026-02-10"));
    check(year, "2026-03-09", ("2026-02-10", "2026-03-10"));
    check(year, "2026-12-31", ("2026-12-10", "2027-01-10"));
    // Renewed, or not begun yet.
    check(year, "2027-01-10", ("2027-01-10", "2027-02-10"));
    check(year, "2026-01-02", ("2025-12-10", "2026-01-10"));
    // The last day of shorter months, and back.
    let from_the_31st = ("2026-12-31", "2027-12-31");
    check(from_the_31st, "2027-02-10", ("2027-01-31", "2027-02-28"));
    check(from_the_31st, "2027-02-28", ("2027-02-28", "2027-03-31"));
    let from_the_29th = ("2028-02-29", "2029-02-28");
    check(from_the_29th, "2029-02-01", ("2029-01-29", "2029-02-28"));
    check(from_the_29th, "2028-03-29", ("2028-03-29", "2028-04-29"));
    // A month or less is not divided, and neither is what days and clocks make of a month.
    check(
        ("2026-11-10", "2026-12-10"),
        "2026-11-30",
        ("2026-11-10", "2026-12-10"),
    );
    check(
        ("2026-11-10", "2026-11-17"),
        "2026-11-12",
        ("2026-11-10", "2026-11-17"),
    );
    check(
        ("2026-11-10", "2026-11-17"),
        "2026-11-18",
        ("2026-11-17", "2026-11-24"),
    );
    check(
        ("2027-02-05", "2027-03-08"),
        "2027-03-07",
        ("2027-02-05", "2027-03-08"),
    );
    // What is over whole months is a month of its own, unless it is a few days.
    let six_weeks = ("2026-11-01", "2026-12-13");
    check(six_weeks, "2026-11-30", ("2026-11-01", "2026-12-01"));
    check(six_weeks, "2026-12-12", ("2026-12-01", "2026-12-13"));
    let ninety_days = ("2027-02-01", "2027-05-02");
    check(ninety_days, "2027-04-02", ("2027-04-01", "2027-05-02"));
    check(ninety_days, "2027-05-01", ("2027-04-01", "2027-05-02"));
}
