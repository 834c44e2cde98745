//! Control: playing the people, the clock and the faults. As Rust functions here, as HTTP on the control listener.
//!
//! `tests/rules/symptoms.rs` has a table: which act brings about which symptom of the connector's troubleshooting page.

mod deals;
mod federated;
mod http;
mod identity;
mod page;
mod partners;
mod routes;
mod seeding;
mod sellers;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use crate::assumptions::Reading;
use crate::audit::{self, Audit, Counts};
use crate::deliveries::DeliveryRecord;
use crate::faults::{Fault, FaultScript, WebhookFault};
use crate::ledger::{Act, Entry, RefusedWrite};
pub use crate::referrals::registration::Posted;
use crate::requests::Requested;
use crate::saved::{SavedError, SavedWorld};
use crate::standing::{CrmAccount, Hidden, Role};
use crate::world::World;
pub use deals::Deal;
pub(crate) use deals::{row_state, state};
pub use partners::Arrival;
pub use seeding::{SeedOrder, Seeded};

/// Why an act of control did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The side's own rules refuse it, in the side's own words.
    #[error("{what} was refused with {status} {code}: {message}")]
    Refused {
        /// What was tried.
        what: String,
        /// The status that an API caller would have got.
        status: u16,
        /// The side's error code.
        code: String,
        /// The side's words.
        message: String,
    },
    /// There is nothing of that name.
    #[error("there is no {what}")]
    Unknown {
        /// What was named.
        what: String,
    },
    /// The request to the control listener could not be read.
    #[error("the request is not understood: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

/// The hands on the world. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    world: Arc<World>,
}

impl Control {
    pub(crate) fn over(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
        }
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    // Looking.

    /// A referral as it is kept, unescaped.
    pub fn referral(&self, id: &str) -> Option<Value> {
        self.world.referrals.book().get(&id.to_lowercase()).cloned()
    }

    /// Every referral, Microsoft's too.
    pub fn referrals(&self) -> Vec<Value> {
        self.world.referrals.book().all().cloned().collect()
    }

    /// Microsoft's referral in the engagement of `id`.
    pub fn microsoft_referral(&self, id: &str) -> Option<Value> {
        let theirs = self.world.referrals.microsoft_of(id).ok()?;
        self.referral(&theirs)
    }

    /// A row with every column, as the Web API shows it.
    pub fn row(&self, table: &str, id: &str) -> Option<Value> {
        self.world.dataverse.row(table, id)
    }

    /// Every row of a table.
    pub fn rows(&self, table: &str) -> Vec<Value> {
        self.world.dataverse.rows(table)
    }

    /// Ids of the rows that a many-to-many relationship connects with a row, given by the collection's name on it.
    pub fn linked(&self, table: &str, id: &str, relationship: &str) -> Vec<String> {
        self.world.dataverse.linked(table, id, relationship)
    }

    /// Writes that APIs accepted after the entry numbered `sequence` (0 for all).
    pub fn ledger(&self, sequence: u64) -> Vec<Entry> {
        self.world.ledger.entries_after(sequence)
    }

    /// Writes that APIs refused.
    pub fn refused(&self) -> Vec<RefusedWrite> {
        self.world.ledger.refused()
    }

    /// Requests that came over the network at this moment or later, oldest first; the last ten thousand are remembered.
    pub fn requests(&self, since: Instant) -> Vec<Requested> {
        self.world.requests.since(since)
    }

    /// What people did through control.
    pub fn acts(&self) -> Vec<Act> {
        self.world.ledger.acts()
    }

    /// What became of each webhook.
    pub fn deliveries(&self) -> Vec<DeliveryRecord> {
        self.world.deliveries.records()
    }

    /// Webhooks that are on their way, attempts to come included.
    pub fn deliveries_waiting(&self) -> usize {
        self.world.deliveries.waiting()
    }

    /// How many of each record there are.
    pub fn counts(&self) -> Counts {
        audit::counts(&self.world)
    }

    /// What is wrong with the end state.
    pub fn audit(&self) -> Audit {
        audit::audit(&self.world)
    }

    /// How each doubtful fact about the vendors is read here, by its name, and how often that has decided something so far.
    pub fn assumptions(&self) -> BTreeMap<&'static str, Reading> {
        self.world.assumptions.told()
    }

    /// Addresses and seeded ids, as `GET /` tells them.
    pub fn about(&self) -> &Value {
        &self.world.about
    }

    // Keeping.

    /// The whole world as one JSON file, keys and secrets included. Webhooks under way and injected faults are not in it.
    pub fn save(&self) -> Result<Vec<u8>, ControlError> {
        self.world.save().map_err(|error| ControlError::Malformed {
            reason: format!("the world cannot be written down: {error}"),
        })
    }

    /// Becomes the world of a file that this simulator, or one of the same seed and organisations, has written. Addresses and keys stay.
    ///
    /// # Errors
    /// [`ControlError::Malformed`] says why the file is not taken; nothing has changed then.
    pub fn load(&self, file: &[u8]) -> Result<(), ControlError> {
        let saved = SavedWorld::read(file).and_then(|saved| self.become_saved(saved));
        saved.map_err(|error| ControlError::Malformed {
            reason: error.to_string(),
        })
    }

    pub(crate) fn become_saved(&self, saved: SavedWorld) -> Result<(), SavedError> {
        self.world.load(saved)
    }

    // Circumstances.

    /// The simulated now.
    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// Moves the clock; what is overdue by then expires.
    pub fn advance_ms(&self, ms: i64) -> Timestamp {
        let now = self.world.clock.advance_ms(ms);
        // Opening the book expires unanswered referrals and tells about them.
        drop(self.world.referrals.book());
        now
    }

    /// Sets the clock.
    pub fn set_clock(&self, now: Timestamp) {
        self.world.clock.set(now);
        drop(self.world.referrals.book());
    }

    /// Milliseconds added to every API call.
    pub fn set_latency_ms(&self, ms: u64) {
        self.world.latency_ms.store(ms, Ordering::Relaxed);
    }

    /// Injects a fault on requests.
    pub fn fault(&self, fault: Fault) {
        self.world.faults.add(fault, 1.0);
    }

    /// Injects a fault that strikes with this probability, 0 to 1, drawn from the world's seed.
    pub fn fault_by_chance(&self, fault: Fault, chance: f64) {
        self.world.faults.add(fault, chance);
    }

    /// Says what becomes of each of the next requests of a route in turn.
    pub fn fault_script(&self, script: FaultScript) {
        self.world.faults.add_script(script);
    }

    /// Injects a fault on webhooks.
    pub fn webhook_fault(&self, fault: WebhookFault) {
        self.world.faults.add_webhook(fault, 1.0);
    }

    /// Injects a fault on webhooks that strikes with this probability, 0 to 1.
    pub fn webhook_fault_by_chance(&self, fault: WebhookFault, chance: f64) {
        self.world.faults.add_webhook(fault, chance);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// Makes every delta link given out so far too old.
    pub fn expire_delta_links(&self) {
        self.world.dataverse.expire_delta_links();
    }

    /// Gives a user another role at Partner Center, from the next call on.
    pub fn set_role(&self, mail: &str, role: Role) -> Act {
        let at = self.world.ledger.now_ms();
        self.world.referrals.set_role(mail, role);
        self.world.ledger.act(at, "administrator", "set role", mail)
    }

    /// Changes how the host's application user stands in the CRM.
    pub fn set_crm_account(&self, account: CrmAccount) -> Act {
        let at = self.world.ledger.now_ms();
        self.world.dataverse.set_account(account);
        self.world
            .ledger
            .act(at, "administrator", "set application user", "")
    }

    /// Hides a record: `referral`, or a table. Lists leave it out, its address answers 404 or 403, and nothing is told of it.
    pub fn hide_record(&self, kind: &str, id: &str, hidden: Hidden) -> Result<Act, ControlError> {
        self.veil("hide", kind, id, Some(hidden))
    }

    /// Shows a hidden record again.
    pub fn show_record(&self, kind: &str, id: &str) -> Result<Act, ControlError> {
        self.veil("show", kind, id, None)
    }

    fn veil(
        &self,
        verb: &str,
        kind: &str,
        id: &str,
        hidden: Option<Hidden>,
    ) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        let found = match kind {
            "referral" => self.world.referrals.hide(id, hidden),
            table => self.world.dataverse.hide(table, id, hidden),
        };
        if !found {
            return Err(ControlError::Unknown {
                what: format!("{kind} {id}"),
            });
        }
        let what = format!("{verb} {kind}");
        Ok(self.world.ledger.act(at, "administrator", &what, id))
    }

    /// The CRM becomes a restored copy of itself: all rows, and another `OrganizationId`, which is the answer.
    pub fn copy_environment(&self) -> String {
        let at = self.world.ledger.now_ms();
        let fresh = self.world.dataverse.copy_environment().to_string();
        self.world
            .ledger
            .act(at, "administrator", "copy environment", &fresh);
        fresh
    }

    /// The `OrganizationId` that the CRM tells now.
    pub fn organization_id(&self) -> String {
        self.world.dataverse.organization().to_string()
    }

    /// A signed notification that a referral was updated, as the registered receiver would get it now. Nobody posts it: it is for who tries how
    /// many of them a receiver bears.
    pub fn notification(&self, referral: &str) -> Result<Posted, ControlError> {
        let tenant = &self.world.referrals.organizations[0].tenant;
        let at = self.world.clock.now();
        let event = "referral-updated";
        let signed = self.world.registrations.signed(tenant, event, referral, at);
        signed.ok_or_else(|| ControlError::Unknown {
            what: "registration".to_owned(),
        })
    }

    /// Another product registers its own address for Partner Center's webhooks: there is one registration per tenant, so
    /// nothing comes to the host any more.
    pub fn take_registration(&self, url: &str) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        let tenant = &self.world.referrals.organizations[0].tenant;
        if !self.world.registrations.take(tenant, url) {
            return Err(ControlError::Unknown {
                what: "registration".to_owned(),
            });
        }
        let what = "take registration";
        Ok(self.world.ledger.act(at, "administrator", what, url))
    }
}

fn unknown_user(mail: &str) -> ControlError {
    ControlError::Unknown {
        what: format!("user {mail}"),
    }
}
