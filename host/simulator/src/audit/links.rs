//! Links that one side knows and the other does not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{IDENTIFIER, text};
use crate::referrals::MICROSOFT;
use crate::world::World;

pub(super) fn one_sided(world: &World) -> Vec<String> {
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
