//! What was planned against what was done: call by call in the ledger, value by value in the records, unit by unit in the audit.

use cosell_host::pipeline::{PreviewedField, PreviewedWrite};
use cosell_host::verbs::{Planned, explain};
use cosell_simulator::Service;
use cosell_simulator::ledger::Entry;
use cosell_tests::World;
use serde_json::Value;

use crate::{AUDIT, Told, archive, deal_of};

/// Of the deals of the story, and not a registration.
pub(crate) fn is_of_a_deal(entry: &Entry) -> bool {
    let tables = [
        "opportunity",
        "account",
        "contact",
        "msft_partnercentersolution",
    ];
    tables.contains(&entry.kind.as_str())
}

/// Whether the ledger's entry is the planned write: the same call about the same record under the same condition.
pub(crate) fn is_the(world: &World, write: &PreviewedWrite, deal: &Planned, entry: &Entry) -> bool {
    let (service, operation) = match write.kind.as_str() {
        "create-referral" => (Service::Referrals, "create"),
        "patch-referral" => (Service::Referrals, "update"),
        "create-row" => (Service::Dataverse, "create"),
        "update-row" => (Service::Dataverse, "update"),
        other => panic!("this story plans no {other}"),
    };
    let is_same_record = match &write.record {
        Some(record) => entry.record == *record,
        // It had no id yet: it is the one that carries our id.
        None => world
            .control()
            .referral(&entry.record)
            .is_some_and(|referral| {
                referral["externalReferenceId"].as_str() == deal.preview.crm_row.as_deref()
            }),
    };
    let condition = match write.precondition.as_deref() {
        Some("none-match") => Some("If-None-Match: *".to_owned()),
        Some(etag) => Some(format!("If-Match: {etag}")),
        None => None,
    };
    let same_condition = entry.precondition.as_deref().map(str::to_lowercase)
        == condition.as_deref().map(str::to_lowercase);
    entry.service == service
        && entry.operation == operation
        && entry.kind == write.record_kind
        && is_same_record
        && same_condition
}

/// The call named exactly the planned columns or paths, and the record shows the planned values.
pub(crate) fn check_fields(world: &World, write: &PreviewedWrite, entry: &Entry) {
    // A lookup to more than one table is named with the table on the wire.
    let lower = |name: &str| {
        let name = name.split('@').next().unwrap_or(name).to_lowercase();
        name.strip_suffix("_account").unwrap_or(&name).to_owned()
    };
    let mut named: Vec<String> = entry.changed.iter().map(|name| lower(name)).collect();
    let mut planned: Vec<String> = write
        .fields
        .iter()
        .map(|field| lower(&field.field))
        .collect();
    named.sort();
    planned.sort();
    match write.side.as_str() {
        "crm" => {
            // The id of a new row is chosen before, and the row's currency travels with its amounts.
            let own = [
                format!("{}id", entry.kind),
                "transactioncurrencyid".to_owned(),
            ];
            named.retain(|name| !own.contains(name));
            assert_eq!(named, planned, "{write:#?}");
            let row = world.control().row(&entry.kind, &entry.record);
            let row = row.expect("it was written just now");
            // The audit line tells the minute, and later writes put their lines on top.
            for field in write.fields.iter().filter(|field| field.field != AUDIT) {
                assert!(shows(&row, field), "{field:?} is not what {row:#} shows");
            }
        }
        _ if write.kind == "patch-referral" => {
            assert_eq!(named, planned, "{write:#?}");
            let referral = world.control().referral(&entry.record);
            let referral = referral.expect("it was written just now");
            for field in &write.fields {
                let wanted: Value =
                    serde_json::from_str(&field.after).expect("a path is given JSON");
                let held = referral.pointer(&field.field).expect("the path is there");
                let same =
                    held == &wanted || (held.is_number() && held.as_f64() == wanted.as_f64());
                assert!(same, "{field:?}: {held}");
            }
        }
        _ => {
            let referral = world
                .control()
                .referral(&entry.record)
                .expect("it is there");
            let unit = |name: &str| {
                let found = write.units.iter().find(|unit| unit.unit == name);
                found.map(|unit| unit.after.clone()).unwrap_or_default()
            };
            assert_eq!(
                unit("name"),
                format!("\"{}\"", referral["name"].as_str().unwrap_or(""))
            );
            let day = referral["details"]["closingDateTime"]
                .as_str()
                .unwrap_or_default();
            assert!(day.starts_with(&unit("close-date")), "{day}");
            let amount = referral["details"]["dealValue"]
                .as_f64()
                .expect("an amount");
            let planned = unit("value");
            let planned = planned
                .strip_suffix(" EUR")
                .and_then(|text| text.parse::<f64>().ok());
            assert_eq!(planned, Some(amount));
        }
    }
}

/// Whether a row shows what a plan says in words.
fn shows(row: &Value, field: &PreviewedField) -> bool {
    let (after, held) = (field.after.as_str(), &row[&field.field]);
    let pointed = &row[format!("_{}_value", field.field)];
    match after {
        "nothing" => held.is_null() && pointed.is_null(),
        "yes" | "no" => held.as_bool() == Some(after == "yes"),
        text if text.starts_with('"') => held.as_str() == Some(text.trim_matches('"')),
        text if held.is_null() => pointed.as_str().is_some_and(|id| text.contains(id)),
        text if held.is_number() => {
            let number = text.split(' ').next().and_then(|text| text.parse().ok());
            held.as_f64() == number
        }
        text => held.as_str().is_some_and(|held| held.starts_with(text)),
    }
}

/// Unit by unit, what is written down is what was planned.
pub(crate) async fn check_audit(world: &World, planned: &Planned, row: &str) -> Told {
    let why = explain(&archive(world)?, &deal_of(world, row).await?, None).await?;
    let units = planned.preview.writes.iter().flat_map(|write| &write.units);
    let mut seen = 0;
    for unit in units {
        let of = |name: &str| why.units.iter().find(|one| one.unit == name);
        let written = of(&unit.unit).and_then(|one| one.written.clone());
        let written = written.unwrap_or_else(|| panic!("{unit:?} was not written"));
        let words = [written.before, written.after].map(|shown| shown.map(|shown| shown.words));
        assert_eq!(words, [Some(unit.before.clone()), Some(unit.after.clone())]);
        seen += 1;
    }
    assert_eq!(seen, 3, "value, close date, notes");
    Ok(())
}
