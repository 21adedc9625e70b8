//! Hangs up calls when Spin's cron trigger fires, each second: `POST /api/internal/hang-ups` does the same for other
//! schedulers.
//!
//! It is granted the providers' keys and the users' states, and no ledger. What is due within the coming second is waited
//! for, so that a call ends when its minutes do, not when somebody comes by.

use std::time::Duration;

use talktime_spin::{HOST, KeyValue, Settings, call_accounts, outbound};
use talktime_store::{NoLedger, Users};
use talktime_voice::{HangUpReport, HangUps};

mod bindings {
    #![allow(missing_docs, clippy::pedantic, unused_qualifications, unsafe_code)]
    spin_sdk::wit_bindgen::generate!({
        path: "../../wit",
        world: "spin:cron/spin-cron@3.0.0",
        runtime_path: "spin_sdk::wit_bindgen::rt",
        generate_all,
    });

    use super::HangUp;

    export!(HangUp with_types_in self);
}

use bindings::{Error, Guest, Metadata};

/// The trigger's own interval.
const HORIZON: Duration = Duration::from_secs(1);

struct HangUp;

impl Guest for HangUp {
    // Time is read from the clock that all components share, so what the trigger believes does not matter.
    async fn handle_cron_event(_: Metadata) -> Result<(), Error> {
        match run().await {
            Ok(report) => {
                if report.hung_up + report.failed > 0 {
                    println!("{report}");
                }
                Ok(())
            }
            Err(message) => {
                eprintln!("calls were not looked at: {message}");
                Err(Error::Other(message))
            }
        }
    }
}

async fn run() -> Result<HangUpReport, String> {
    let settings = Settings::load().await.map_err(|error| error.to_string())?;
    let accounts = call_accounts().await.map_err(|error| error.to_string())?;
    let documents = KeyValue::open().map_err(|error| error.to_string())?;
    let users = Users::new(&documents, &NoLedger, &settings.policy, &HOST);
    HangUps {
        users: &users,
        accounts: &accounts,
    }
    .run(HORIZON, outbound::send)
    .await
    .map_err(|error| error.to_string())
}
