//! Records that are there once too often.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{IDENTIFIER, text};
use crate::referrals::MICROSOFT;
use crate::world::World;

/// Every record after the first of its key, in a sentence.
pub(super) fn duplicates(world: &World) -> Vec<String> {
    let mut out = Vec::new();
    referrals(world, &mut out);
    deals(world, &mut out);
    made_again(world, "account", account_identity, &mut out);
    made_again(world, "contact", contact_identity, &mut out);
    out
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

/// One own referral for a row, one for an organisation in an engagement.
fn referrals(world: &World, out: &mut Vec<String>) {
    let all: Vec<Value> = world.referrals.book().all().cloned().collect();
    let id = |referral: &Value| text(referral, "id").unwrap_or_default();
    let own = |referral: &&Value| referral["organizationId"] != MICROSOFT;
    let rows = all.iter().filter(own).filter_map(|referral| {
        let owner = text(referral, "organizationId")?;
        let row = text(referral, "externalReferenceId")?;
        Some((format!("{owner} externalReferenceId {row}"), id(referral)))
    });
    twice("referral", rows, out);
    let engagements = all.iter().filter(own).filter_map(|referral| {
        let owner = text(referral, "organizationId")?;
        let engagement = text(referral, "engagementId")?;
        Some((format!("{owner} engagementId {engagement}"), id(referral)))
    });
    twice("referral", engagements, out);
    let theirs = all.iter().filter(|referral| !own(referral));
    let invited = theirs.filter_map(|referral| {
        let engagement = text(referral, "engagementId")?;
        Some((format!("engagementId {engagement}"), id(referral)))
    });
    twice("Microsoft's referral", invited, out);
}

/// One lead and one opportunity for a referral, and both only when the one came of the other.
fn deals(world: &World, out: &mut Vec<String>) {
    let mut leads = BTreeMap::new();
    for table in ["lead", "opportunity"] {
        let key = format!("{table}id");
        let rows = world.dataverse.rows(table);
        let named: Vec<(String, String)> = rows
            .iter()
            .filter_map(|row| {
                let referral = text(row, IDENTIFIER)?.to_lowercase();
                Some((referral, text(row, &key)?))
            })
            .collect();
        for row in rows.iter().filter(|_| table == "opportunity") {
            let lead =
                text(row, IDENTIFIER).and_then(|referral| leads.get(&referral.to_lowercase()));
            let Some(lead) = lead else { continue };
            if text(row, "_originatingleadid_value").as_ref() != Some(lead) {
                let id = text(row, &key).unwrap_or_default();
                out.push(format!(
                    "opportunity {id} names the same referral as lead {lead}, and did not come of it"
                ));
            }
        }
        if table == "lead" {
            leads.extend(named.iter().cloned());
        }
        let pairs = named
            .into_iter()
            .map(|(referral, id)| (format!("{IDENTIFIER} {referral}"), id));
        twice(table, pairs, out);
    }
}

/// Rows that the host made although one of the same identity was there. What people make twice is theirs to make.
fn made_again(
    world: &World,
    table: &str,
    identity: fn(&Value) -> Option<String>,
    out: &mut Vec<String>,
) {
    let host = world.dataverse.app_user();
    let key = format!("{table}id");
    let mut groups: BTreeMap<String, Vec<(String, bool, String)>> = BTreeMap::new();
    for row in world.dataverse.rows(table) {
        let (Some(identity), Some(id)) = (identity(&row), text(&row, &key)) else {
            continue;
        };
        if row["merged"] == true {
            continue;
        }
        let by_host = row["_createdby_value"] == host.as_str();
        let created = text(&row, "createdon").unwrap_or_default();
        groups
            .entry(identity)
            .or_default()
            .push((created, by_host, id));
    }
    for (identity, mut rows) in groups {
        rows.sort();
        let first = rows[0].2.clone();
        for (_, _, id) in rows.iter().skip(1).filter(|(_, by_host, _)| *by_host) {
            out.push(format!(
                "{table} {id}, which the host made, is the same as {first}: {identity}"
            ));
        }
    }
}

fn account_identity(row: &Value) -> Option<String> {
    let part = |name: &str| text(row, name).unwrap_or_default().to_lowercase();
    let name = text(row, "name")?.to_lowercase();
    let (code, country) = (part("address1_postalcode"), part("address1_country"));
    Some(format!(
        "name, postal code and country {name} {code} {country}"
    ))
}

fn contact_identity(row: &Value) -> Option<String> {
    let mail = text(row, "emailaddress1")?.to_lowercase();
    let company = text(row, "_parentcustomerid_value").unwrap_or_default();
    Some(format!("mail {mail} at {company}"))
}
