//! Judging the end state: how many of each, what is there twice, and which links have only one side.

use std::collections::{BTreeMap, BTreeSet};

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
/// Refusals that mean: someone wrote to a closed deal.
const CLOSED_CODES: [&str; 5] = [
    "referralClosed",
    "0x80040230",
    "0x8004022e",
    "0x80040515",
    "0x80040516",
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
    /// Writes to closed deals that were tried and refused.
    pub closed_deal_writes: Vec<String>,
}

impl Audit {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.duplicates.is_empty()
            && self.one_sided_links.is_empty()
            && self.closed_deal_writes.is_empty()
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
        duplicates: duplicates(world).len(),
    }
}

pub(crate) fn audit(world: &World) -> Audit {
    let closed = world
        .ledger
        .refused()
        .into_iter()
        .filter(|refused| CLOSED_CODES.contains(&refused.code.as_str()));
    Audit {
        duplicates: duplicates(world),
        one_sided_links: one_sided(world),
        closed_deal_writes: closed
            .map(|refused| format!("{} {}: {}", refused.method, refused.url, refused.message))
            .collect(),
    }
}

/// Groups by key; every member after the first is a duplicate.
fn twice(what: &str, pairs: impl Iterator<Item = (String, String)>, out: &mut Vec<String>) {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, id) in pairs {
        groups.entry(key).or_default().push(id);
    }
    for (key, ids) in groups {
        for id in ids.iter().skip(1) {
            out.push(format!("{what} {id} has the same key as {}: {key}", ids[0]));
        }
    }
}

fn text(record: &Value, field: &str) -> Option<String> {
    record[field]
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn duplicates(world: &World) -> Vec<String> {
    let mut out = Vec::new();
    let referrals: Vec<Value> = world.referrals.book().all().cloned().collect();
    let id = |record: &Value| record["id"].as_str().unwrap_or_default().to_owned();
    let own = referrals
        .iter()
        .filter(|referral| referral["organizationId"] != MICROSOFT);
    twice(
        "referral",
        own.filter_map(|referral| {
            let owner = text(referral, "organizationId")?;
            Some((
                format!(
                    "{owner} externalReferenceId {}",
                    text(referral, "externalReferenceId")?
                ),
                id(referral),
            ))
        }),
        &mut out,
    );
    let theirs = referrals
        .iter()
        .filter(|referral| referral["organizationId"] == MICROSOFT);
    twice(
        "Microsoft's referral",
        theirs.filter_map(|referral| {
            Some((
                format!("engagementId {}", text(referral, "engagementId")?),
                id(referral),
            ))
        }),
        &mut out,
    );
    for table in ["opportunity", "lead"] {
        let rows = world.dataverse.rows(table);
        twice(
            table,
            rows.iter().filter_map(|row| {
                let key = text(row, IDENTIFIER)?.to_lowercase();
                Some((
                    format!("{IDENTIFIER} {key}"),
                    row[format!("{table}id")]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                ))
            }),
            &mut out,
        );
    }
    let accounts = world.dataverse.rows("account");
    twice(
        "account",
        accounts.iter().filter_map(|row| {
            let name = text(row, "name")?.to_lowercase();
            let code = text(row, "address1_postalcode")
                .unwrap_or_default()
                .to_lowercase();
            Some((
                format!("name and postal code {name} {code}"),
                row["accountid"].as_str().unwrap_or_default().to_owned(),
            ))
        }),
        &mut out,
    );
    out
}

fn one_sided(world: &World) -> Vec<String> {
    let mut out = Vec::new();
    let referrals: BTreeMap<String, Value> = world
        .referrals
        .book()
        .all()
        .filter(|referral| referral["organizationId"] != MICROSOFT)
        .map(|referral| {
            (
                referral["id"].as_str().unwrap_or_default().to_owned(),
                referral.clone(),
            )
        })
        .collect();
    let mut rows = BTreeMap::new();
    for table in ["opportunity", "lead"] {
        for row in world.dataverse.rows(table) {
            let id = row[format!("{table}id")]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            rows.insert(id, (table, row));
        }
    }
    // A qualified lead keeps the identifier that its opportunity carries on.
    let heirs: BTreeSet<String> = rows
        .values()
        .filter_map(|(_, row)| text(row, "_originatingleadid_value"))
        .collect();
    for (id, (table, row)) in &rows {
        let Some(named) = text(row, IDENTIFIER) else {
            continue;
        };
        match referrals.get(&named.to_lowercase()) {
            None => out.push(format!(
                "{table} {id} names referral {named}, which does not exist"
            )),
            Some(referral)
                if text(referral, "externalReferenceId")
                    .is_none_or(|held| !held.eq_ignore_ascii_case(id))
                    && !heirs.contains(id) =>
            {
                out.push(format!(
                    "{table} {id} names referral {named}, which names {}",
                    referral["externalReferenceId"]
                ));
            }
            Some(_) => {}
        }
    }
    for (id, referral) in &referrals {
        let Some(named) = text(referral, "externalReferenceId") else {
            continue;
        };
        match rows.get(&named.to_lowercase()) {
            None => out.push(format!(
                "referral {id} names row {named}, which does not exist"
            )),
            Some((table, row))
                if text(row, IDENTIFIER).is_none_or(|held| !held.eq_ignore_ascii_case(id)) =>
            {
                out.push(format!(
                    "referral {id} names {table} {named}, which names {}",
                    row[IDENTIFIER]
                ));
            }
            Some(_) => {}
        }
    }
    out
}
