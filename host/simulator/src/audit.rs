//! Judging what came of it: how many of each, what is there twice, which links have only one side, which writes were wrong.

mod duplicates;
mod links;
mod writes;

use serde::Serialize;
use serde_json::Value;

use crate::referrals::MICROSOFT;
use crate::world::World;

/// Column that holds the referral's id in the CRM. (connector 1.6)
const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";
/// Writes to these are set-up, not synchronisation.
const PLUMBING: [&str; 4] = [
    "registration",
    "serviceendpoint",
    "sdkmessageprocessingstep",
    "sdkmessageprocessingstepimage",
];
/// How many of each record there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Referrals owned by partners.
    pub referrals: usize,
    /// Referrals owned by Microsoft.
    pub microsoft_referrals: usize,
    /// Opportunity rows.
    pub opportunities: usize,
    /// Lead rows.
    pub leads: usize,
    /// Account rows.
    pub accounts: usize,
    /// Contact rows.
    pub contacts: usize,
    /// Entries of the ledger, without webhook set-up.
    pub writes: usize,
    /// Records that are there once too often; [`Audit::duplicates`] names them.
    pub duplicates: usize,
}

/// What is wrong with the end state, in sentences. Empty lists mean: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Records that are there once too often.
    pub duplicates: Vec<String>,
    /// Links that one side knows and the other does not.
    pub one_sided_links: Vec<String>,
    /// Writes to frozen records: tried and refused on closed deals, accepted on rows that lost a merge.
    pub closed_deal_writes: Vec<String>,
    /// Changes of people that a caller overwrote without having been shown them.
    pub lost_updates: Vec<String>,
    /// Updates and deletions without a version, and upserts that would have gone either way.
    pub blind_writes: Vec<String>,
}

impl Audit {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.duplicates.is_empty()
            && self.one_sided_links.is_empty()
            && self.closed_deal_writes.is_empty()
            && self.lost_updates.is_empty()
            && self.blind_writes.is_empty()
    }
}

pub(crate) fn counts(world: &World) -> Counts {
    let (mut partners, mut microsoft) = (0, 0);
    for referral in world.referrals.book().all() {
        if referral["organizationId"] == MICROSOFT {
            microsoft += 1
        } else {
            partners += 1
        }
    }
    let writes = world
        .ledger
        .entries_after(0)
        .iter()
        .filter(|entry| !PLUMBING.contains(&entry.kind.as_str()))
        .count();
    Counts {
        referrals: partners,
        microsoft_referrals: microsoft,
        opportunities: world.dataverse.count("opportunity"),
        leads: world.dataverse.count("lead"),
        accounts: world.dataverse.count("account"),
        contacts: world.dataverse.count("contact"),
        writes,
        duplicates: duplicates::duplicates(world).len(),
    }
}

pub(crate) fn audit(world: &World) -> Audit {
    Audit {
        duplicates: duplicates::duplicates(world),
        one_sided_links: links::one_sided(world),
        closed_deal_writes: writes::frozen(world),
        lost_updates: writes::lost(world),
        blind_writes: writes::blind(world),
    }
}

/// A field's text, if there is any.
fn text(record: &Value, field: &str) -> Option<String> {
    record[field]
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}
