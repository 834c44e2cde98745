//! The referrals themselves, with the indexes that queries need.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Refusal, Viewer};
use crate::clock::fraction;
use crate::ids::Ids;
use crate::sight::Sight;
use crate::standing::Hidden;

/// A change that webhooks tell about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) engagement: String,
    pub(crate) created: bool,
}

/// All referrals of all organisations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Book {
    pub(crate) ids: Ids,
    referrals: BTreeMap<String, Value>,
    by_engagement: BTreeMap<String, BTreeSet<String>>,
    by_external: BTreeMap<String, BTreeSet<String>>,
    /// Referrals that partners may no longer see.
    pub(crate) hidden: BTreeMap<String, Hidden>,
    pub(crate) sight: Sight,
    /// Response deadlines of unanswered referrals.
    deadlines: BTreeSet<(Timestamp, String)>,
}

impl Book {
    pub(crate) fn new(ids: Ids) -> Self {
        Self {
            ids,
            referrals: BTreeMap::new(),
            by_engagement: BTreeMap::new(),
            by_external: BTreeMap::new(),
            hidden: BTreeMap::new(),
            sight: Sight::default(),
            deadlines: BTreeSet::new(),
        }
    }

    /// The same referrals; new ones get other ids.
    pub(crate) fn copied(&self, ids: Ids) -> Self {
        Self {
            ids,
            ..self.clone()
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Value> {
        self.referrals.get(id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.referrals.values()
    }

    pub(crate) fn engagement(&self, engagement: &str) -> impl Iterator<Item = &Value> {
        self.by_engagement
            .get(engagement)
            .into_iter()
            .flatten()
            .filter_map(|id| self.referrals.get(id))
    }

    pub(crate) fn external(&self, reference: &str) -> impl Iterator<Item = &Value> {
        self.by_external
            .get(reference)
            .into_iter()
            .flatten()
            .filter_map(|id| self.referrals.get(id))
    }

    pub(crate) fn knows_engagement(&self, engagement: &str) -> bool {
        self.by_engagement.contains_key(engagement)
    }

    /// The id of an organisation's referral in an engagement.
    pub(crate) fn in_engagement(&self, engagement: &str, organization: &str) -> Option<&str> {
        self.engagement(engagement)
            .find(|referral| referral["organizationId"] == organization)?["id"]
            .as_str()
    }

    /// A referral that the caller may see: its organisation's own, and those that share an engagement with one of them.
    pub(crate) fn visible(&self, id: &str, viewer: &Viewer) -> Result<&Value, Refusal> {
        let missing = || Refusal::missing(format!("There is no referral '{id}' that you may see."));
        let referral = self.get(&id.to_lowercase()).ok_or_else(missing)?;
        if self.hidden.get(&id.to_lowercase()) == Some(&Hidden::Forbidden) {
            return Err(Refusal::denied(
                "You do not have permission to see this referral.",
            ));
        }
        if self.sees(referral, viewer) {
            Ok(referral)
        } else {
            Err(missing())
        }
    }

    /// Whether lists show a referral to the caller.
    pub(crate) fn sees(&self, referral: &Value, viewer: &Viewer) -> bool {
        let text = |field: &str| referral[field].as_str().unwrap_or_default();
        let organization = viewer.organization.id.as_str();
        !self.hidden.contains_key(text("id"))
            && viewer.reads(referral)
            && (text("organizationId") == organization
                || self
                    .in_engagement(text("engagementId"), organization)
                    .is_some())
    }

    /// Puts a referral in place with a new eTag and `updatedDateTime`. Even a change of nothing does that.
    pub(crate) fn put(&mut self, mut referral: Value, now: Timestamp) -> Change {
        let etag = format!(
            "\"{:08x}-0000-0100-0000-{:08x}0000\"",
            self.ids.word(),
            now.as_second()
        );
        referral["eTag"] = Value::String(etag);
        referral["updatedDateTime"] = Value::String(fraction(now));
        let text = |field: &str| referral[field].as_str().unwrap_or_default().to_owned();
        let (id, engagement, owner) = (text("id"), text("engagementId"), text("organizationId"));
        let created = !self.referrals.contains_key(&id);
        self.forget_indexes(&id);
        self.by_engagement
            .entry(engagement.clone())
            .or_default()
            .insert(id.clone());
        if let Some(external) = referral["externalReferenceId"].as_str() {
            self.by_external
                .entry(external.to_owned())
                .or_default()
                .insert(id.clone());
        }
        if referral["status"] == "New"
            && let Some(deadline) = deadline(&referral)
        {
            self.deadlines.insert((deadline, id.clone()));
        }
        self.referrals.insert(id.clone(), referral);
        Change {
            id,
            owner,
            engagement,
            created,
        }
    }

    fn forget_indexes(&mut self, id: &str) {
        let Some(old) = self.referrals.get(id) else {
            return;
        };
        if let Some(held) = old["externalReferenceId"]
            .as_str()
            .and_then(|external| self.by_external.get_mut(external))
        {
            held.remove(id);
        }
        if let Some(deadline) = deadline(old) {
            self.deadlines.remove(&(deadline, id.to_owned()));
        }
    }

    /// Closes as expired what was not answered in time.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some((deadline, id)) = self.deadlines.first().cloned() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            if let Some(mut referral) = self.get(&id).cloned() {
                referral["status"] = json!("Closed");
                referral["substatus"] = json!("Expired");
                referral["closedDateTime"] = json!(fraction(now));
                changes.push(self.put(referral, now));
            }
        }
        changes
    }
}

fn deadline(referral: &Value) -> Option<Timestamp> {
    referral["expirationDateTime"].as_str()?.parse().ok()
}
