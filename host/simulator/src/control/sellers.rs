//! Acts of people in the CRM.

use serde_json::Value;

use super::{Control, ControlError};
use crate::dataverse::{Dataverse, Refusal};
use crate::ledger::Act;

impl Control {
    /// A seller creates a row, with columns and binds as the Web API takes them. The act's `record` is the row's id.
    pub fn seller_creates(&self, table: &str, values: &Value) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
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
        let what = format!("update {table}");
        self.seller(&what, id, |crm| crm.update_by_hand(table, id, values))
    }

    /// A seller deletes a row.
    pub fn seller_deletes(&self, table: &str, id: &str) -> Result<Act, ControlError> {
        let what = format!("delete {table}");
        self.seller(&what, id, |crm| crm.delete_by_hand(table, id))
    }

    /// A seller closes an opportunity as won, with what `WinOpportunity` takes beside the opportunity (may be `{}`).
    pub fn seller_wins(&self, opportunity: &str, close: &Value) -> Result<Act, ControlError> {
        self.seller("win opportunity", opportunity, |crm| {
            crm.close_by_hand(opportunity, true, close)
        })
    }

    /// A seller closes an opportunity as lost; `Status` of `close` is the reason.
    pub fn seller_loses(&self, opportunity: &str, close: &Value) -> Result<Act, ControlError> {
        self.seller("lose opportunity", opportunity, |crm| {
            crm.close_by_hand(opportunity, false, close)
        })
    }

    /// A seller reopens a closed opportunity.
    pub fn seller_reopens(&self, opportunity: &str) -> Result<Act, ControlError> {
        self.seller("reopen opportunity", opportunity, |crm| {
            crm.reopen_by_hand(opportunity)
        })
    }

    /// A seller qualifies a lead. `order` is as `QualifyLead` takes it, and what it leaves out is made; the opportunity is
    /// found by its `originatingleadid` ([`Control::opportunity_of`]).
    pub fn seller_qualifies(&self, lead: &str, order: &Value) -> Result<Act, ControlError> {
        self.seller("qualify lead", lead, |crm| crm.qualify_by_hand(lead, order))
    }

    /// A seller disqualifies a lead; the status is one of the state Disqualified, −1 its default.
    pub fn seller_disqualifies(&self, lead: &str, status: i64) -> Result<Act, ControlError> {
        self.seller("disqualify lead", lead, |crm| {
            crm.disqualify_by_hand(lead, status)
        })
    }

    /// A seller takes a qualified or disqualified lead up again.
    pub fn seller_reactivates(&self, lead: &str) -> Result<Act, ControlError> {
        self.seller("reactivate lead", lead, |crm| crm.reactivate_by_hand(lead))
    }

    /// A seller merges two accounts or contacts: the loser is deactivated, and what referred to it refers to the winner.
    pub fn seller_merges(
        &self,
        table: &str,
        winner: &str,
        loser: &str,
    ) -> Result<Act, ControlError> {
        let what = format!("merge {table}");
        self.seller(&what, loser, |crm| crm.merge_by_hand(table, winner, loser))
    }

    /// A seller connects two rows by a many-to-many relationship, given by the collection's name on the first.
    pub fn seller_associates(
        &self,
        table: &str,
        id: &str,
        relationship: &str,
        other: &str,
    ) -> Result<Act, ControlError> {
        let what = format!("associate {table}");
        self.seller(&what, id, |crm| {
            crm.link_by_hand(table, id, relationship, other, true)
        })
    }

    /// A seller takes such a connection away.
    pub fn seller_disassociates(
        &self,
        table: &str,
        id: &str,
        relationship: &str,
        other: &str,
    ) -> Result<Act, ControlError> {
        let what = format!("disassociate {table}");
        self.seller(&what, id, |crm| {
            crm.link_by_hand(table, id, relationship, other, false)
        })
    }

    /// The opportunity that came of a lead.
    pub fn opportunity_of(&self, lead: &str) -> Option<String> {
        let rows = self.rows("opportunity");
        let came = |row: &&Value| row["_originatingleadid_value"] == lead;
        let id = &rows.iter().find(came)?["opportunityid"];
        Some(id.as_str()?.to_owned())
    }

    /// An administrator makes a column required, or optional again. From then on creates without it fail.
    pub fn require_column(
        &self,
        table: &str,
        column: &str,
        required: bool,
    ) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
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

    /// An administrator adds a status reason to a state of a table: a loss reason of the organisation's own.
    pub fn add_status(
        &self,
        table: &str,
        value: i32,
        label: &str,
        state: i32,
    ) -> Result<Act, ControlError> {
        self.customize("add status", table, |crm| {
            crm.add_status(table, value, label, state)
        })
    }

    /// An administrator takes a status reason away. Rows that have it keep it, and nothing can be given it any more.
    pub fn retire_status(&self, table: &str, value: i32) -> Result<Act, ControlError> {
        self.customize("retire status", table, |crm| {
            crm.retire_status(table, value)
        })
    }

    fn customize(
        &self,
        what: &str,
        table: &str,
        act: impl FnOnce(&Dataverse) -> Result<(), String>,
    ) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        act(&self.world.dataverse).map_err(|reason| ControlError::Malformed { reason })?;
        Ok(self.world.ledger.act(at, "administrator", what, table))
    }

    fn seller(
        &self,
        what: &str,
        record: &str,
        act: impl FnOnce(&Dataverse) -> Result<(), Refusal>,
    ) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        act(&self.world.dataverse).map_err(|refusal| in_crm(what, refusal))?;
        Ok(self.world.ledger.act(at, "seller", what, record))
    }
}

pub(crate) fn in_crm(what: &str, refusal: Refusal) -> ControlError {
    ControlError::Refused {
        what: what.to_owned(),
        status: refusal.status,
        code: refusal.code.to_owned(),
        message: refusal.message,
    }
}
