//! Stories of deals, told against both sides over real HTTPS. The judge is the ledger of the simulator, never our own database.
#![allow(missing_docs, reason = "tests are read by their names")]

mod bad_days;
mod births;
mod brakes;
mod budgets;
mod connections;
mod credentials;
mod decisions;
mod edits;
mod endings;
mod environments;
mod identities;
mod leads;
mod lookups;
mod mail;
mod open_questions;
mod order;
mod records;
mod vendors;
mod watching;

use cosell_simulator::{Fault, FaultKind, Service};

type Told = anyhow::Result<()>;

/// The next matching call is struck, and no other.
fn once(service: Service, method: Option<&str>, kind: FaultKind) -> Fault {
    Fault {
        service,
        method: method.map(str::to_owned),
        path_prefix: String::new(),
        skip: 0,
        count: Some(1),
        kind,
    }
}

const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";
const AUDIT: &str = "msft_microsoftpartnercenterreferralsyncaudit";
const HELP: &str = "msft_microsoftpartnercenterhelp";
