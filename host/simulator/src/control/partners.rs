//! Acts of people at Partner Center: the partner's users, and Microsoft.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Control, ControlError};
use crate::ledger::Act;
use crate::referrals::{Organization, Refusal};

/// What kind of referral arrives. (partner-center 2.5)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// `Independent`, `Direct`, invited by nobody, with a source and a call to action.
    MarketplaceLead,
    /// `Independent`, `SalesQualified`, invited by Microsoft.
    QualifiedLead,
    /// `Shared`, `SalesQualified`, invited by Microsoft, whose own referral stands beside it.
    CoSell,
}

impl Arrival {
    /// What makes a referral one of this kind.
    fn marks(self) -> Value {
        match self {
            Self::MarketplaceLead => json!({
                "type": "Independent", "qualification": "Direct", "referralSource": "AzureMarketplace",
                "callToAction": "ContactMe", "inviteContext": {"invitedBy": null},
            }),
            Self::QualifiedLead => {
                json!({"type": "Independent", "qualification": "SalesQualified"})
            }
            Self::CoSell => json!({"type": "Shared", "qualification": "SalesQualified"}),
        }
    }
}

impl Control {
    /// A partner's user creates a deal on the site, with the body that the API takes.
    pub fn partner_user_creates(&self, referral: &Value) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
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

    /// A partner's user accepts a referral that arrived.
    pub fn partner_user_accepts(&self, id: &str) -> Result<Act, ControlError> {
        let patch = states("Active", "Accepted", None);
        self.by_hand("partner-user", "accept referral", id, &patch)
    }

    /// A partner's user declines a referral that arrived.
    pub fn partner_user_declines(&self, id: &str, reason: &str) -> Result<Act, ControlError> {
        let patch = states("Closed", "Declined", Some(reason));
        self.by_hand("partner-user", "decline referral", id, &patch)
    }

    /// A partner's user closes a deal on the site, as `Won` or as `Lost`, with a reason if there is one.
    pub fn partner_user_closes(
        &self,
        id: &str,
        substatus: &str,
        reason: Option<&str>,
    ) -> Result<Act, ControlError> {
        let patch = states("Closed", substatus, reason);
        self.by_hand("partner-user", "close referral", id, &patch)
    }

    /// A referral from Microsoft arrives: unanswered, due in 14 days. The act's `record` is the partner's referral.
    ///
    /// With type `Shared` Microsoft's own stands beside it. `inviteContext.invitedBy` may name another partner, or be null.
    pub fn referral_arrives(&self, referral: &Value) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        let what = "send referral";
        let created = self.world.referrals.inbound(self.partner(), referral);
        let id = created.map_err(|refusal| at_partner_center(what, refusal))?;
        Ok(self.world.ledger.act(at, "microsoft", what, &id))
    }

    /// The same with the marks of a kind laid over the body.
    pub fn referral_arrives_as(
        &self,
        kind: Arrival,
        referral: &Value,
    ) -> Result<Act, ControlError> {
        let mut body = referral.clone();
        for (field, value) in kind.marks().as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        self.referral_arrives(&body)
    }

    /// Microsoft accepts an invitation; `id` is any referral of the engagement, `msx_id` Microsoft's CRM id.
    pub fn microsoft_accepts(&self, id: &str, msx_id: &str) -> Result<Act, ControlError> {
        let mut patch = states("Active", "Accepted", None);
        if let Value::Array(operations) = &mut patch {
            operations.push(replace("/trackingInfo/microsoftMsxId", msx_id));
        }
        self.microsoft("accept referral", id, &patch)
    }

    /// Microsoft declines an invitation.
    pub fn microsoft_declines(&self, id: &str, reason: &str) -> Result<Act, ControlError> {
        let patch = states("Closed", "Declined", Some(reason));
        self.microsoft("decline referral", id, &patch)
    }

    /// Microsoft closes its referral as won.
    pub fn microsoft_wins(&self, id: &str) -> Result<Act, ControlError> {
        self.microsoft("win referral", id, &states("Closed", "Won", None))
    }

    /// Microsoft closes its referral as lost.
    pub fn microsoft_loses(&self, id: &str, reason: &str) -> Result<Act, ControlError> {
        self.microsoft("lose referral", id, &states("Closed", "Lost", Some(reason)))
    }

    /// Microsoft changes its own referral; `id` is any referral of the engagement.
    pub fn microsoft_patches(&self, id: &str, patch: &Value) -> Result<Act, ControlError> {
        self.microsoft("update referral", id, patch)
    }

    /// Microsoft decides about the registration of a won deal: `ActionRequired`, `Passed`, `Failed` or `Approved`.
    pub fn microsoft_reviews_registration(
        &self,
        id: &str,
        status: &str,
    ) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        let what = "review registration";
        self.world
            .referrals
            .review_registration(id, status)
            .map_err(|refusal| at_partner_center(what, refusal))?;
        Ok(self.world.ledger.act(at, "microsoft", what, id))
    }

    /// A referral fails behind the scenes: its substatus is `Error`, which only a third party's filter tells of. With `failed` false it is well again.
    pub fn referral_fails(&self, id: &str, failed: bool) -> Result<Act, ControlError> {
        let at = self.world.ledger.now_ms();
        let what = if failed {
            "fail referral"
        } else {
            "mend referral"
        };
        let done = self.world.referrals.fail(id, failed);
        done.map_err(|refusal| at_partner_center(what, refusal))?;
        Ok(self.world.ledger.act(at, "operator", what, id))
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
        let at = self.world.ledger.now_ms();
        self.world
            .referrals
            .patch_by_hand(id, patch)
            .map_err(|refusal| at_partner_center(what, refusal))?;
        Ok(self.world.ledger.act(at, who, what, id))
    }

    pub(super) fn partner(&self) -> &Organization {
        &self.world.referrals.organizations[0]
    }
}

fn replace(path: &str, value: &str) -> Value {
    json!({"op": "replace", "path": path, "value": value})
}

/// Both halves of a state in one patch, and a reason if there is one.
fn states(status: &str, substatus: &str, reason: Option<&str>) -> Value {
    let mut patch = vec![replace("/status", status), replace("/substatus", substatus)];
    patch.extend(reason.map(|reason| replace("/statusReason", reason)));
    Value::Array(patch)
}

pub(crate) fn at_partner_center(what: &str, refusal: Refusal) -> ControlError {
    ControlError::Refused {
        what: what.to_owned(),
        status: refusal.status,
        code: refusal.inner.to_owned(),
        message: refusal.message,
    }
}
