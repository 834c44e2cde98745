//! Control: playing the people, the clock and the faults. As Rust functions here, as HTTP on the control listener.

mod http;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::audit::{self, Audit, Counts};
use crate::clock::real_ms;
use crate::deliveries::DeliveryRecord;
use crate::faults::{Fault, WebhookFault};
use crate::ledger::{Act, Entry, RefusedWrite};
use crate::referrals::{Organization, Refusal};
use crate::world::World;

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

    // People in the CRM.

    /// A seller creates a row, with columns and binds as the Web API takes them. The act's `record` is the row's id.
    pub fn seller_creates(&self, table: &str, values: &Value) -> Result<Act, ControlError> {
        let at = real_ms();
        let what = format!("create {table}");
        let id = self
            .world
            .dataverse
            .create_by_hand(table, values)
            .map_err(|refusal| in_crm(&what, refusal))?;
        Ok(self.world.ledger.act(at, "seller", &what, &id))
    }

    /// A seller changes columns of a row.
    pub fn seller_updates(
        &self,
        table: &str,
        id: &str,
        values: &Value,
    ) -> Result<Act, ControlError> {
        let at = real_ms();
        let what = format!("update {table}");
        self.world
            .dataverse
            .update_by_hand(table, id, values)
            .map_err(|refusal| in_crm(&what, refusal))?;
        Ok(self.world.ledger.act(at, "seller", &what, id))
    }

    /// A seller deletes a row.
    pub fn seller_deletes(&self, table: &str, id: &str) -> Result<Act, ControlError> {
        let at = real_ms();
        let what = format!("delete {table}");
        self.world
            .dataverse
            .delete_by_hand(table, id)
            .map_err(|refusal| in_crm(&what, refusal))?;
        Ok(self.world.ledger.act(at, "seller", &what, id))
    }

    /// A seller closes an opportunity as won, with what `WinOpportunity` takes beside the opportunity (may be `{}`).
    pub fn seller_wins(&self, opportunity: &str, close: &Value) -> Result<Act, ControlError> {
        self.seller_closes(opportunity, true, close)
    }

    /// A seller closes an opportunity as lost.
    pub fn seller_loses(&self, opportunity: &str, close: &Value) -> Result<Act, ControlError> {
        self.seller_closes(opportunity, false, close)
    }

    fn seller_closes(&self, id: &str, won: bool, close: &Value) -> Result<Act, ControlError> {
        let at = real_ms();
        let what = if won {
            "win opportunity"
        } else {
            "lose opportunity"
        };
        self.world
            .dataverse
            .close_by_hand(id, won, close)
            .map_err(|refusal| in_crm(what, refusal))?;
        Ok(self.world.ledger.act(at, "seller", what, id))
    }

    /// An administrator makes a column required, or optional again. From then on creates without it fail.
    pub fn require_column(
        &self,
        table: &str,
        column: &str,
        required: bool,
    ) -> Result<Act, ControlError> {
        let at = real_ms();
        if !self.world.dataverse.require(table, column, required) {
            return Err(ControlError::Unknown {
                what: format!("column {table}.{column}"),
            });
        }
        let what = if required {
            "require column"
        } else {
            "release column"
        };
        Ok(self
            .world
            .ledger
            .act(at, "administrator", what, &format!("{table}.{column}")))
    }

    // People at Partner Center.

    /// A partner's user creates a deal on the site, with the body that the API takes.
    pub fn partner_user_creates(&self, referral: &Value) -> Result<Act, ControlError> {
        let at = real_ms();
        let what = "create referral";
        let created = self
            .world
            .referrals
            .create_by_hand(self.partner(), referral);
        let id = created.map_err(|refusal| at_partner_center(what, refusal))?;
        Ok(self.world.ledger.act(at, "partner-user", what, &id))
    }

    /// A partner's user changes a referral on the site, with a JSON Patch; `/name` is allowed here.
    pub fn partner_user_patches(&self, id: &str, patch: &Value) -> Result<Act, ControlError> {
        self.by_hand("partner-user", "update referral", id, patch)
    }

    /// A referral from Microsoft arrives: unanswered, due in 14 days. The act's `record` is the partner's referral.
    pub fn referral_arrives(&self, referral: &Value) -> Result<Act, ControlError> {
        let at = real_ms();
        let what = "send referral";
        let created = self.world.referrals.inbound(self.partner(), referral);
        let id = created.map_err(|refusal| at_partner_center(what, refusal))?;
        Ok(self.world.ledger.act(at, "microsoft", what, &id))
    }

    /// Microsoft accepts an invitation; `id` is any referral of the engagement, `msx_id` Microsoft's CRM id.
    pub fn microsoft_accepts(&self, id: &str, msx_id: &str) -> Result<Act, ControlError> {
        let patch = json!([
            {"op": "replace", "path": "/status", "value": "Active"},
            {"op": "replace", "path": "/substatus", "value": "Accepted"},
            {"op": "replace", "path": "/trackingInfo/microsoftMsxId", "value": msx_id},
        ]);
        self.microsoft("accept referral", id, &patch)
    }

    /// Microsoft declines an invitation.
    pub fn microsoft_declines(&self, id: &str, reason: &str) -> Result<Act, ControlError> {
        self.microsoft("decline referral", id, &closing("Declined", Some(reason)))
    }

    /// Microsoft closes its referral as won.
    pub fn microsoft_wins(&self, id: &str) -> Result<Act, ControlError> {
        self.microsoft("win referral", id, &closing("Won", None))
    }

    /// Microsoft closes its referral as lost.
    pub fn microsoft_loses(&self, id: &str, reason: &str) -> Result<Act, ControlError> {
        self.microsoft("lose referral", id, &closing("Lost", Some(reason)))
    }

    fn microsoft(&self, what: &str, id: &str, patch: &Value) -> Result<Act, ControlError> {
        let theirs = self
            .world
            .referrals
            .microsoft_of(id)
            .map_err(|refusal| at_partner_center(what, refusal))?;
        self.by_hand("microsoft", what, &theirs, patch)
    }

    fn by_hand(&self, who: &str, what: &str, id: &str, patch: &Value) -> Result<Act, ControlError> {
        let at = real_ms();
        self.world
            .referrals
            .patch_by_hand(id, patch)
            .map_err(|refusal| at_partner_center(what, refusal))?;
        Ok(self.world.ledger.act(at, who, what, id))
    }

    fn partner(&self) -> &Organization {
        &self.world.referrals.organizations[0]
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

    /// Writes that APIs accepted after the entry numbered `sequence` (0 for all).
    pub fn ledger(&self, sequence: u64) -> Vec<Entry> {
        self.world.ledger.entries_after(sequence)
    }

    /// Writes that APIs refused.
    pub fn refused(&self) -> Vec<RefusedWrite> {
        self.world.ledger.refused()
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

    /// Addresses and seeded ids, as `GET /` tells them.
    pub fn about(&self) -> &Value {
        &self.world.about
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

    /// Takes the engagement of a referral out of the partner's sight, as a lost role does, or puts it back. Nothing of it is changed.
    pub fn hide_referral(&self, id: &str, hidden: bool) -> Result<(), ControlError> {
        let mut book = self.world.referrals.book();
        let engagement = book
            .get(&id.to_lowercase())
            .and_then(|held| held["engagementId"].as_str())
            .map(str::to_owned);
        let engagement = engagement.ok_or_else(|| ControlError::Unknown {
            what: format!("referral '{id}'"),
        })?;
        book.hide(&engagement, hidden);
        Ok(())
    }

    /// Injects a fault on requests.
    pub fn fault(&self, fault: Fault) {
        self.world.faults.add(fault);
    }

    /// Injects a fault on webhooks.
    pub fn webhook_fault(&self, fault: WebhookFault) {
        self.world.faults.add_webhook(fault);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// Revokes every refresh token, as a changed password does.
    pub fn revoke_refresh_tokens(&self) {
        self.world.entra.revoke_refresh_tokens();
    }

    /// Makes every access token given out so far invalid.
    pub fn revoke_access_tokens(&self) {
        self.world.entra.revoke_access_tokens();
    }

    /// Makes every delta link given out so far too old.
    pub fn expire_delta_links(&self) {
        self.world.dataverse.expire_delta_links();
    }
}

fn closing(substatus: &str, reason: Option<&str>) -> Value {
    let mut patch = vec![
        json!({"op": "replace", "path": "/status", "value": "Closed"}),
        json!({"op": "replace", "path": "/substatus", "value": substatus}),
    ];
    if let Some(reason) = reason {
        patch.push(json!({"op": "replace", "path": "/statusReason", "value": reason}));
    }
    Value::Array(patch)
}

fn at_partner_center(what: &str, refusal: Refusal) -> ControlError {
    ControlError::Refused {
        what: what.to_owned(),
        status: refusal.status,
        code: refusal.inner.to_owned(),
        message: refusal.message,
    }
}

fn in_crm(what: &str, refusal: crate::dataverse::Refusal) -> ControlError {
    ControlError::Refused {
        what: what.to_owned(),
        status: refusal.status,
        code: refusal.code.to_owned(),
        message: refusal.message,
    }
}
