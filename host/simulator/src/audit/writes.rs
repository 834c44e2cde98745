//! Writes that should not have been made as they were.

use super::PLUMBING;
use crate::faults::Service;
use crate::ledger::Entry;
use crate::world::World;

/// Refusals that mean: someone wrote to a closed deal.
const CLOSED_CODES: [&str; 6] = [
    "referralClosed",
    "0x80040230",
    "0x8004022e",
    "0x80040515",
    "0x80040516",
    "0x80040519",
];

/// Writes to records that take none: tried and refused on closed deals, accepted on rows that lost a merge.
pub(super) fn frozen(world: &World) -> Vec<String> {
    let refused = world.ledger.refused().into_iter();
    let closed = refused
        .filter(|refused| CLOSED_CODES.contains(&refused.code.as_str()))
        .map(|refused| format!("{} {}: {}", refused.method, refused.url, refused.message));
    let entries = world.ledger.entries_after(0).into_iter();
    let merged = entries
        .filter(|entry| entry.merged_away)
        .map(|entry| format!("{}, which was merged into another", told(&entry)));
    closed.chain(merged).collect()
}

/// Changes of people that were overwritten unseen.
pub(super) fn lost(world: &World) -> Vec<String> {
    let entries = world.ledger.entries_after(0).into_iter();
    entries
        .filter(|entry| !entry.overwrote.is_empty())
        .map(|entry| {
            let what = entry.overwrote.join(", ");
            format!(
                "{} overwrote what a person had changed: {what}",
                told(&entry)
            )
        })
        .collect()
}

/// Updates and deletions that named no version, and upserts that would have gone either way.
pub(super) fn blind(world: &World) -> Vec<String> {
    let entries = world.ledger.entries_after(0).into_iter();
    entries
        .filter(|entry| !PLUMBING.contains(&entry.kind.as_str()) && is_blind(entry))
        .map(|entry| {
            let said = entry.precondition.as_deref().unwrap_or("no precondition");
            format!("{} with {said}", told(&entry))
        })
        .collect()
}

fn is_blind(entry: &Entry) -> bool {
    let wild = |text: &str| text.trim_end().ends_with(": *");
    match entry.operation.as_str() {
        "update" | "delete" => entry.precondition.as_deref().is_none_or(wild),
        "create" => {
            let upsert = entry.service == Service::Dataverse && entry.method == "PATCH";
            upsert && entry.precondition.is_none()
        }
        _ => false,
    }
}

fn told(entry: &Entry) -> String {
    let Entry {
        sequence,
        operation,
        kind,
        record,
        ..
    } = entry;
    format!("write {sequence}, {operation} of {kind} {record}")
}
