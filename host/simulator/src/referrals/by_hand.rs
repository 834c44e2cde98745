//! What people do on the sites: partners at Partner Center, Microsoft's sellers in their own CRM.

use std::sync::PoisonError;

use serde_json::Value;

use super::{MICROSOFT, Organization, Referrals, Refusal, create, deal_registration, patch};
use crate::standing::{Hidden, Role};

/// What the sites stamp as the origin of a change.
const SITE: &str = "PartnerCenter";

impl Referrals {
    /// A partner's user creates a deal on the site.
    pub(crate) fn create_by_hand(
        &self,
        organization: &Organization,
        input: &Value,
    ) -> Result<String, Refusal> {
        let mut book = self.book();
        let now = self.clock.now();
        let origin = create::Origin::Site(SITE);
        let made = create::create(
            &mut book,
            input,
            organization,
            &self.assumptions,
            now,
            origin,
        )?;
        for path in patch::WHITELIST.iter().filter(|path| !path.ends_with("/-")) {
            book.sight.change(&made.id, path);
        }
        for change in &made.changes {
            self.notify(&book, change, None);
        }
        Ok(made.id)
    }

    /// A referral from Microsoft, or from another partner, arrives at `organization`.
    pub(crate) fn inbound(
        &self,
        organization: &Organization,
        input: &Value,
    ) -> Result<String, Refusal> {
        let mut book = self.book();
        let made = create::inbound(&mut book, input, organization, self.clock.now())?;
        for change in &made.changes {
            self.notify(&book, change, None);
        }
        Ok(made.id)
    }

    /// A person changes a referral: the partner's user, or Microsoft's seller.
    pub(crate) fn patch_by_hand(&self, id: &str, body: &Value) -> Result<(), Refusal> {
        let operations = patch::operations(body)?;
        let mut book = self.book();
        let applied = patch::apply(
            &mut book,
            id,
            &operations,
            patch::Actor::ByHand,
            &self.assumptions,
            self.clock.now(),
            Some(SITE.to_owned()),
        )?;
        if let Some(change) = applied.change {
            for path in applied.paths {
                book.sight.change(&change.id, path.trim_end_matches("/-"));
            }
            self.notify(&book, &change, None);
        }
        applied.refusal.map_or(Ok(()), Err)
    }

    /// Something failed behind the scenes: the substatus says `Error` until the referral is moved on, or answered or closed. With `failed` false it
    /// is as it was. A closed referral stays as it is.
    pub(crate) fn fail(&self, id: &str, failed: bool) -> Result<(), Refusal> {
        let mut book = self.book();
        let referral = book.get(&id.to_lowercase()).cloned();
        let mut referral =
            referral.ok_or_else(|| Refusal::missing(format!("There is no referral '{id}'.")))?;
        let resting = match referral["status"].as_str() {
            Some("New") => "Pending",
            Some("Active") => "Accepted",
            _ => {
                return Err(Refusal::invalid(
                    "referralClosed",
                    "A closed referral cannot be changed.",
                ));
            }
        };
        referral["substatus"] = Value::from(if failed { "Error" } else { resting });
        let change = book.put(referral, self.clock.now());
        self.notify(&book, &change, None);
        Ok(())
    }

    /// Microsoft decides about the registration of a won deal.
    pub(crate) fn review_registration(&self, id: &str, status: &str) -> Result<(), Refusal> {
        let mut book = self.book();
        let change = deal_registration::review(&mut book, id, status, self.clock.now())?;
        self.notify(&book, &change, None);
        Ok(())
    }

    /// Microsoft's referral in the engagement of any of its referrals.
    pub(crate) fn microsoft_of(&self, id: &str) -> Result<String, Refusal> {
        let book = self.book();
        let missing = || {
            Refusal::missing(format!(
                "Microsoft has no referral in the engagement of '{id}'."
            ))
        };
        let engagement = book
            .get(&id.to_lowercase())
            .and_then(|held| held["engagementId"].as_str())
            .unwrap_or(id);
        book.in_engagement(engagement, MICROSOFT)
            .map(str::to_owned)
            .ok_or_else(missing)
    }

    /// Hides a referral from partners, or shows it again; false when there is none.
    pub(crate) fn hide(&self, id: &str, hidden: Option<Hidden>) -> bool {
        let mut book = self.book();
        let id = id.to_lowercase();
        if book.get(&id).is_none() {
            return false;
        }
        match hidden {
            Some(hidden) => book.hidden.insert(id, hidden),
            None => book.hidden.remove(&id),
        };
        true
    }

    pub(super) fn role(&self, user: &str) -> Role {
        let roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        roles.get(&user.to_lowercase()).copied().unwrap_or_default()
    }

    /// Gives a user another role, from the next call on.
    pub(crate) fn set_role(&self, user: &str, role: Role) {
        self.roles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(user.to_lowercase(), role);
    }
}
