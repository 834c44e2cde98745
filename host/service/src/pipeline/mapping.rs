//! S8: the plugins, their settings or the host's own mapping have changed since the bases were read. They are read again from the raw
//! records behind them, so that a changed mapping is never taken for an edit.

use std::collections::BTreeMap;

use cosell_remote::partner_center::{MAPPING, Referral, read};
use cosell_sync::deal::{Unit, Units};
use cosell_sync::delta::{self, Delta, Order};
use cosell_sync::side::{Side, Sides};
use serde_json::json;
use tracing::warn;

use super::look::Sight;
use super::read::{Reading, read_row, without_mark};
use super::run::Run;
use crate::raw;
use crate::seal::SealError;
use crate::trouble::Trouble;

/// How soon a deal whose raw records no key opens is looked at again: a person has to add the key.
const SEALED_MS: i64 = 60_000;

/// What names the whole mapping: the set of plugins with their settings, and the host's own reading of referrals.
pub(super) fn name(run: &Run<'_>) -> String {
    format!("{}/{MAPPING}", run.set.hash())
}

/// Brings the bases of a linked deal up to the mapping of this run, and shows what that changes.
pub(super) async fn catch_up(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
) -> Result<(), Trouble> {
    let now = name(run);
    let changed = run.is_linked() && run.link.set_hash.as_ref().is_some_and(|set| *set != now);
    if !changed {
        run.link.set_hash = Some(now);
        return Ok(());
    }
    let (read, unreadable) = read_again(run, sight, reading).await?;
    // Not before: what failed to be read again is read again by the next run, and not taken for an edit.
    run.link.set_hash = Some(now);
    let mut bases = run.bases.clone();
    let deltas = delta::deltas(&mut bases, &read);
    let behind = raw_of_bases(run);
    for delta in &deltas {
        let raw = behind[delta.side]
            .get(&delta.unit)
            .or_else(|| behind[delta.side].values().next())
            .cloned()
            .unwrap_or_default();
        run.remember(&delta.unit, delta.side, &delta.now, &raw);
        show(run, delta);
    }
    let units: Vec<Unit> = deltas.into_iter().map(|delta| delta.unit).collect();
    match run.connection.mapping_changes {
        Order::NewDealsOnly => {}
        Order::AtNextEdit => {
            run.notes.deltas.extend(units.iter().map(Unit::as_text));
        }
        Order::All => apply(run, &units),
    }
    if !unreadable.is_empty() {
        anew(run, &unreadable);
    }
    Ok(())
}

/// Deltas that waited for an edit of the deal, when there is one.
pub(super) fn apply_waiting(run: &mut Run<'_>) -> bool {
    let waiting = std::mem::take(&mut run.notes.deltas);
    let units: Vec<Unit> = waiting
        .iter()
        .filter_map(|unit| Unit::parse(unit))
        .collect();
    apply(run, &units);
    !units.is_empty()
}

/// The units count as newly mapped (S9). What cannot be taken back of them is confirmed by a person.
fn apply(run: &mut Run<'_>, units: &[Unit]) {
    delta::apply(&mut run.bases, units);
    run.notes.unedited.extend(units.iter().map(Unit::as_text));
}

/// What was agreed on cannot be read again: nobody knows whether the mapping or a person made a difference. So the units count as never in step.
fn anew(run: &mut Run<'_>, units: &[Unit]) {
    apply(run, units);
    let units: Vec<String> = units.iter().map(Unit::as_text).collect();
    let message = format!(
        "plugins changed, and the records behind what was agreed on cannot be read: {} are compared as if the deal was linked just now",
        units.join(", ")
    );
    run.tell(
        "mapping-anew",
        message,
        &json!({ "units": units, "rule": "S9" }),
    );
}

fn show(run: &mut Run<'_>, delta: &Delta) {
    let was = delta
        .was
        .as_ref()
        .map_or_else(|| "nothing".to_owned(), |was| was.in_words());
    let message = format!(
        "{} in {} is read as {} since the mapping changed, and was {was}; nobody has edited it",
        delta.unit,
        delta.side,
        delta.now.in_words()
    );
    run.tell(
        "mapping-delta",
        message,
        &json!({ "unit": delta.unit.as_text(), "side": delta.side.as_str(), "rule": "S8", "set": run.set.hash() }),
    );
}

/// Which raw record stands behind each base.
fn raw_of_bases(run: &Run<'_>) -> Sides<BTreeMap<Unit, String>> {
    let mut behind = Sides::of(|_| BTreeMap::new());
    for base in &run.link.bases {
        if let (Some(unit), Some(side), Some(raw)) =
            (Unit::parse(&base.unit), Side::parse(&base.side), &base.raw)
        {
            behind[side].insert(unit, raw.clone());
        }
    }
    behind
}

/// Every unit as the new mapping reads it from the record behind its base; a base with no record behind it stays as it is. A unit without a
/// base is read from the records of now: it was not mapped, so nobody can have edited it for us. Unless it was, and has never been in step.
async fn read_again(
    run: &Run<'_>,
    sight: &Sight,
    reading: &Reading,
) -> Result<(Sides<Units>, Vec<Unit>), Trouble> {
    let mut unreadable = Vec::new();
    let mut read = Sides {
        partner_center: reading.partner_center.clone(),
        crm: reading.crm.units.clone(),
    };
    for unit in run.notes.unmet.iter().filter_map(|unit| Unit::parse(unit)) {
        for side in Side::BOTH {
            read[side].remove(&unit);
        }
    }
    let behind = raw_of_bases(run);
    for side in Side::BOTH {
        for (unit, bases) in &run.bases {
            if let Some(base) = &bases[side] {
                read[side].insert(unit.clone(), base.clone());
            }
        }
        let mut by_raw: BTreeMap<&String, Vec<&Unit>> = BTreeMap::new();
        for (unit, raw) in &behind[side] {
            by_raw.entry(raw).or_default().push(unit);
        }
        for (name, units) in by_raw {
            let Some(body) = run.link.raws.get(name) else {
                continue;
            };
            let Some(text) = opened(run, name, body)? else {
                unreadable.extend(units.into_iter().cloned());
                continue;
            };
            let then = match side {
                Side::PartnerCenter => referral_again(run, sight, &text),
                Side::Crm => row_again(run, sight, reading, &text).await?,
            };
            // Unreadable, or the record of another kind of row (S17).
            let Some(then) = then else { continue };
            for unit in units {
                match then.get(unit) {
                    Some(value) => read[side].insert(unit.clone(), value.clone()),
                    None => read[side].remove(unit),
                };
            }
        }
    }
    unreadable.sort();
    unreadable.dedup();
    Ok((read, unreadable))
}

/// A raw record as it was before it was sealed. None: it is damaged. One that is only sealed with a key that we do not have is waited for, because
/// nobody can tell an edit from what the mapping changed without it; a person who has lost the key orders the deal on.
fn opened(run: &Run<'_>, name: &str, body: &str) -> Result<Option<String>, Trouble> {
    match raw::opened(run.desk, &run.lease, name, body) {
        Ok(text) => Ok(Some(text.into_owned())),
        Err(SealError::NoKey { .. }) if run.is_ordered() => Ok(None),
        Err(error @ SealError::NoKey { .. }) => Err(Trouble::NotYet {
            until: run.now() + SEALED_MS,
            reason: format!(
                "plugins changed, and what this deal looked like before cannot be read: {error}; if the key is lost, `cosell retry {}` compares the deal as if it was linked just now",
                run.lane().0
            ),
        }),
        Err(error @ SealError::Broken { .. }) => {
            warn!(lane = run.lane().0, error = %error, "a raw record cannot be read");
            Ok(None)
        }
    }
}

fn referral_again(run: &Run<'_>, sight: &Sight, text: &str) -> Option<Units> {
    let then = Referral::parse(text).ok()?;
    let units = if then.is_microsofts() {
        read(sight.own.as_ref()?, Some(&then), run.link_base()).units
    } else {
        read(&then, sight.microsoft.as_ref(), run.link_base()).units
    };
    Some(units)
}

async fn row_again(
    run: &Run<'_>,
    sight: &Sight,
    reading: &Reading,
    text: &str,
) -> Result<Option<Units>, Trouble> {
    let Some(mut then) = raw::parse(text).filter(|then| then.row.table == sight.kind.table())
    else {
        return Ok(None);
    };
    if let Some(now) = &reading.seen {
        raw::complete(&mut then, now);
    }
    let then = without_mark(run, &then).await?;
    Ok(Some(read_row(run, sight.kind, &then).await?.units))
}
