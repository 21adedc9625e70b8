//! Sweeps due alarms when Spin's cron trigger fires: `POST /api/internal/alarm` does the same for other schedulers.
//!
//! The trigger fires and forgets, does not catch up and may overlap. None of that matters: leases keep two sweeps apart,
//! and what one misses the next one does.

use talktime_spin::{HOST, KeyValue, Serves, Settings};
use talktime_store::{SweepReport, Users, sweep};

mod bindings {
    #![allow(missing_docs, clippy::pedantic, unused_qualifications, unsafe_code)]
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit",
        world: "spin:cron/spin-cron@3.0.0",
        runtime_path: "spin_sdk::wit_bindgen::rt",
        generate_all,
    });

    use super::Alarm;

    export!(Alarm with_types_in self);
}

use bindings::{Error, Guest, Metadata};

struct Alarm;

impl Guest for Alarm {
    // Time is read from the clock that all components share, so what the trigger believes does not matter.
    async fn handle_cron_event(_: Metadata) -> Result<(), Error> {
        match run().await {
            Ok(report) => {
                if report.swept + report.failed + report.pruned > 0 {
                    println!("{report}");
                }
                Ok(())
            }
            Err(message) => {
                eprintln!("sweep failed: {message}");
                Err(Error::Other(message))
            }
        }
    }
}

async fn run() -> Result<SweepReport, String> {
    let settings = Settings::load().await.map_err(|error| error.to_string())?;
    let documents = KeyValue::open().map_err(|error| error.to_string())?;
    let ledger = talktime_spin::ledger();
    let users = Users::new(&documents, &ledger, &settings.policy, &HOST);
    // Nobody can say here that a clock which jumped is right; if it goes on, it is believed in a while.
    let changed_max = documents.swaps_for_sweep(Serves::SweepsOnly);
    sweep(&users, settings.sweep_order(changed_max, false))
        .await
        .map_err(|error| error.to_string())
}
