//! The built components, tried as their users would: under a clock of the test's, with stores that fail, and over HTTP.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot go on stops where it is"
)]

mod session {
    mod lifecycle;
    mod limits;
    mod locks;
    mod periods;
    mod races;
    mod restores;
}

mod plans {
    mod refusals;
    mod repeats;
    mod updates;
}

mod polar {
    mod bodies;
    mod lists;
    mod owners;
    mod retries;
    mod signatures;
    mod subscriptions;
}

mod token {
    mod accounts;
    mod failures;
    mod grants;
    mod limits;
    mod meanwhile;
    mod minting;
    mod models;
    mod retries;
}

mod call {
    mod accounts;
    mod ends;
    mod offers;
    mod overshoot;
    mod phones;
}

mod alarm {
    mod faults;
    mod sweeps;
}

mod http {
    mod authentication;
    mod black_box;
    mod cors;
    mod key_sets;
}

mod web {
    mod browser;
}
