//! Act: each write of a script under its own committed intent, then what it settles, in the transaction that closes the intent.

use std::collections::BTreeMap;

use cosell_remote::dataverse::Written;
use cosell_remote::partner_center::{Referral, read as read_referral};
use cosell_remote::{Class, RemoteError};
use cosell_store::{Intent, StoreError};
use cosell_sync::columns::Cells;
use cosell_sync::deal::{Unit, UnitValue, Units};
use cosell_sync::element::half_written;
use cosell_sync::merge::{Carry, same};
use cosell_sync::row::{RecordKind, RowState, Seen};
use cosell_sync::side::Side;
use serde_json::{Value, json};

use super::born::{adopt_referral, adopt_row};
use super::crm::{WON, read_again};
use super::look::{Sight, fetch, kind};
use super::partner_center::adopt_microsofts;
use super::run::Run;
use super::script::{Newborn, Script, What, Write};
use super::{children, intents, unknown};
use crate::link::encode_units;
use crate::raw;
use crate::trouble::Trouble;

/// Does what the script says, write by write. The first that fails ends it: the next round starts from a fresh look.
pub(super) async fn act(run: &mut Run<'_>, sight: &Sight, script: Script) -> Result<(), Trouble> {
    for write in script.writes {
        run.note_write(&write);
        let told = run.told_so_far();
        let done = one(run, sight, write).await;
        if let Err(Trouble::Store(StoreError::Cancelled { .. })) = &done {
            // It was told before its intent, and is not made.
            run.untell(told);
        }
        done?;
    }
    Ok(())
}

#[tracing::instrument(
    target = "cosell_trace",
    level = "trace",
    name = "write",
    skip_all,
    fields(kind, intent)
)]
async fn one(run: &mut Run<'_>, sight: &Sight, write: Write) -> Result<(), Trouble> {
    let kind = write.kind();
    tracing::Span::current().record("kind", kind.as_str());
    let irreversible = !write.irreversible().is_empty();
    let permits = write.permits();
    let intent = |run: &Run<'_>, target, precondition, detail: Value| Intent {
        irreversible,
        permits: permits.clone(),
        ..intents::new(run, kind, target, precondition, detail)
    };
    let Write {
        what,
        settles,
        speakers,
    } = write;
    match what {
        What::CreateReferral {
            body,
            units,
            row,
            kind: table,
        } => {
            run.link.crm_table = Some(table.table().to_owned());
            run.link.crm_row = Some(row.clone());
            run.tell(
                "write",
                format!("creates a referral for {} {row}", table.table()),
                &json!({ "row": row, "rule": "S14" }),
            );
            // The new referral has no id yet, so the intent names the row; by our reference it is found again.
            let target = Run::record(Side::PartnerCenter, crate::records::REFERRAL, &row);
            let detail = json!({ "units": encode_units(&units), "table": table.table() });
            let operation = intend(run, intent(run, target, None, detail)).await?;
            let call = run
                .connection
                .partner_center
                .create(&body, &operation)
                .await;
            let own = intents::answered(run, call).await?;
            adopt_referral(run, &own);
            remember_referral(run, &own, &units);
            run.close("done", "").await
        }
        What::InviteMicrosoft {
            body,
            help,
            own,
            engagement,
        } => {
            let asked = Units::from([(Unit::Help, UnitValue::Help(Some(help)))]);
            // A portal user, or a run that was cut off, may have invited already.
            let there = run
                .connection
                .partner_center
                .engagement(&engagement)
                .await?;
            if let Some(microsoft) = there.into_iter().find(Referral::is_microsofts) {
                adopt_microsofts(run, &microsoft);
                let raw = run.keep_raw(&microsoft.raw);
                run.settle(&settles, &asked, &raw);
                return Ok(());
            }
            run.tell_carries(&settles, &speakers);
            let target = Run::record(Side::PartnerCenter, crate::records::REFERRAL, &own);
            let detail = json!({ "engagement": engagement });
            let operation = intend(run, intent(run, target, None, detail)).await?;
            let call = run
                .connection
                .partner_center
                .create(&body, &operation)
                .await;
            let microsoft = intents::answered(run, call).await?;
            adopt_microsofts(run, &microsoft);
            let raw = run.keep_raw(&microsoft.raw);
            run.settle(&settles, &asked, &raw);
            run.close("done", "").await
        }
        What::PatchReferral {
            id,
            etag,
            operations,
            changes,
        } => {
            run.tell_carries(&settles, &speakers);
            let target = Run::record(Side::PartnerCenter, crate::records::REFERRAL, &id);
            let paths: Vec<_> = operations
                .iter()
                .map(|operation| operation.path())
                .collect();
            let detail = json!({ "paths": paths, "sent": unknown::sent(&settles) });
            let operation = intend(run, intent(run, target, Some(etag.clone()), detail)).await?;
            let pc = &run.connection.partner_center;
            let call = pc.patch(&id, &operations, &etag, &operation).await;
            let patched = intents::answered(run, call).await?;
            // S6: from the representation that this very write returned; if it was read later, from what was sent.
            let shown = if patched.from_write {
                read_referral(&patched.referral, sight.microsoft.as_ref(), run.link_base()).units
            } else {
                changes
            };
            let raw = run.keep_raw(&patched.referral.raw);
            let etag = patched.referral.etag.clone();
            run.link.etags.insert("referral".into(), etag);
            run.settle(&settles, &shown, &raw);
            run.close("done", "").await
        }
        What::CreateRow {
            table,
            id,
            cells,
            newborn,
            mark,
            units,
        } => {
            let target = Run::record(Side::Crm, &table, &id);
            let detail = json!({ "units": encode_units(&units) });
            let condition = Some("none-match".to_owned());
            if newborn == Newborn::Child {
                run.note_made(&id);
            }
            if let Newborn::Deal(_) = newborn
                && let Some(own) = &sight.own
            {
                adopt_referral(run, own);
            }
            let operation = intend(run, intent(run, target, condition, detail)).await?;
            let dataverse = &run.connection.dataverse;
            let call = dataverse.create(&table, &id, &cells, &operation).await;
            let written = match intents::exists_already(run, &table, &id, call).await {
                Ok(written) => {
                    failpoint!("call.after");
                    written
                }
                Err(error) => return intents::answered(run, Err(error)).await,
            };
            // Adopted: an earlier run, or another host, made it and was cut off: it is the same row (S14).
            let outcome = if written.is_some() { "done" } else { "adopted" };
            if let Some(written) = &written {
                let detail = json!({ "table": table, "row": id, "by": speakers, "rule": "S14" });
                run.tell("write", format!("creates {table} {id}"), &detail);
                run.tell_cut(&written.cut);
            }
            match newborn {
                Newborn::Deal(kind) => {
                    adopt_row(run, kind, &id);
                    run.mark = mark;
                    remember_row(run, kind, &id, &units, written.as_ref()).await?;
                }
                Newborn::Child => settle_children(run, sight, &settles).await,
                Newborn::Customer => {}
            }
            run.close(outcome, "").await
        }
        What::UpdateRow {
            kind: table,
            id,
            cells,
            held: _,
            version,
            mark,
            closing,
            microsoft,
            failure,
        } => {
            if settles.is_empty() {
                let message = match &microsoft {
                    _ if failure => "showed the failure in the row".to_owned(),
                    Some(standing) => {
                        format!("Microsoft's referral: {standing}; told the CRM")
                    }
                    None => "told the CRM what Partner Center says".to_owned(),
                };
                run.tell(
                    "write",
                    message,
                    &json!({ "columns": cells.keys().collect::<Vec<_>>(), "rule": "S28" }),
                );
            } else {
                run.tell_carries(&settles, &speakers);
            }
            let target = Run::record(Side::Crm, table.table(), &id);
            let columns: Vec<_> = cells.keys().collect();
            let detail = json!({ "columns": columns, "sent": unknown::sent(&settles) });
            let condition = Some(version.etag.clone());
            let operation = intend(run, intent(run, target, condition, detail)).await?;
            run.mark = mark;
            let written = update_row(
                run,
                table,
                &id,
                &cells,
                &version,
                closing.as_ref(),
                &operation,
            )
            .await?;
            if microsoft.is_some() {
                run.notes.microsoft = microsoft;
            }
            remember_update(run, sight, table, &id, &settles, written.as_ref()).await;
            run.close("done", "").await
        }
        What::UpdateChild { table, id, cells } => {
            // Under the version that it has now.
            let columns = cells.keys().cloned().collect();
            let dataverse = &run.connection.dataverse;
            let now = dataverse.retrieve(&table, &id, &columns, &[]).await?;
            children::must_be_as_seen(sight.row.as_ref(), &now.seen.row)?;
            let target = Run::record(Side::Crm, &table, &id);
            let detail = json!({ "columns": columns });
            let condition = Some(now.version.etag.clone());
            let operation = intend(run, intent(run, target, condition, detail)).await?;
            let call = dataverse
                .update(&table, &id, &cells, &now.version, &operation)
                .await;
            intents::answered(run, call).await?;
            tell_child(run, "changes", &table, &id);
            finish_children(run, sight, &settles).await
        }
        What::DeleteChild { table, id } => {
            // Under the version that it has now; one that is gone already is as good as deleted.
            let dataverse = &run.connection.dataverse;
            let columns = children::columns_seen(sight.row.as_ref(), &table, &id);
            let now = match dataverse.retrieve(&table, &id, &columns, &[]).await {
                Ok(now) => {
                    children::must_be_as_seen(sight.row.as_ref(), &now.seen.row)?;
                    Some(now.version.etag)
                }
                Err(error) if error.class == Class::NotFound => None,
                Err(error) => return Err(error.into()),
            };
            if let Some(etag) = now {
                let target = Run::record(Side::Crm, &table, &id);
                let intent = intent(run, target, Some(etag.clone()), json!({}));
                let operation = intend(run, intent).await?;
                let call = dataverse.delete(&table, &id, Some(&etag), &operation).await;
                intents::answered(run, call).await?;
                tell_child(run, "deletes, because the host had made it,", &table, &id);
            }
            finish_children(run, sight, &settles).await
        }
        What::Associate {
            table,
            id,
            relationship,
            other,
            link,
        } => {
            let target = Run::record(Side::Crm, &table, &id);
            let detail = json!({ "relationship": relationship, "other": other.id });
            let operation = intend(run, intent(run, target, None, detail)).await?;
            let dataverse = &run.connection.dataverse;
            let call = if link {
                dataverse
                    .associate(&table, &id, &relationship, &other, &operation)
                    .await
            } else {
                dataverse
                    .disassociate(&table, &id, &relationship, &other, &operation)
                    .await
            };
            intents::answered(run, call).await?;
            let did = if link { "links" } else { "unlinks" };
            tell_child(run, did, &other.table, &other.id);
            finish_children(run, sight, &settles).await
        }
        What::Qualify { lead } => {
            let target = Run::record(Side::Crm, RecordKind::Lead.table(), &lead);
            let operation = intend(run, intent(run, target, None, json!({}))).await?;
            run.tell(
                "write",
                format!("qualifies lead {lead}: the deal was accepted in Partner Center"),
                &json!({ "lead": lead, "rule": "S17" }),
            );
            let call = run.connection.dataverse.qualify(&lead, &operation).await;
            intents::answered(run, call).await?;
            // The next look finds the opportunity by the lead that it came from, as it does after an unknown outcome.
            run.close("done", "").await
        }
    }
}

async fn intend(run: &mut Run<'_>, intent: Intent) -> Result<String, Trouble> {
    let operation = intent.operation.clone();
    tracing::Span::current().record("intent", operation.as_str());
    // The token first: who stood still while it was fetched, and whose lease has gone to somebody else, learns that from the store and sends nothing.
    if intent.target.side == Side::PartnerCenter.as_str() {
        run.connection.partner_center.ready().await?;
    } else {
        run.connection.dataverse.ready().await?;
    }
    run.intend(intent).await?;
    Ok(operation)
}

fn tell_child(run: &mut Run<'_>, did: &str, table: &str, id: &str) {
    let detail = json!({ "table": table, "row": id, "rule": "S11" });
    run.tell("write", format!("{did} {table} {id}"), &detail);
}

/// The last of the rows that hang from a record settles the list.
async fn finish_children(
    run: &mut Run<'_>,
    sight: &Sight,
    settles: &[Carry],
) -> Result<(), Trouble> {
    settle_children(run, sight, settles).await;
    run.close("done", "").await
}

/// Other units may have come to rest with the rows that hang from the deal's: what the deal shows of all of them is read again.
async fn settle_children(run: &mut Run<'_>, sight: &Sight, settles: &[Carry]) {
    if settles.is_empty() {
        return;
    }
    run.tell_carries(settles, &BTreeMap::new());
    let kind = kind(run);
    if let Some(id) = run.link.crm_row.clone() {
        remember_update(run, sight, kind, &id, settles, None).await;
    }
}

/// One conditional write. The close rides in one change set behind the columns (S15, S16).
async fn update_row(
    run: &mut Run<'_>,
    kind: RecordKind,
    id: &str,
    cells: &Cells,
    version: &cosell_remote::dataverse::Version,
    closing: Option<&RowState>,
    operation: &str,
) -> Result<Option<Written>, Trouble> {
    let dataverse = &run.connection.dataverse;
    let call = match closing {
        Some(state) => {
            let won = state.statecode == WON;
            let closed = dataverse
                .close_opportunity(id, cells, version, state, won, operation)
                .await;
            // The close has moved the version once more, and did not say to what.
            closed.map(|closed| (None, closed.cut))
        }
        None => {
            let written = dataverse
                .update(kind.table(), id, cells, version, operation)
                .await;
            written.map(|written| (Some(written.clone()), written.cut))
        }
    };
    let (written, cut) = intents::answered(run, call).await?;
    let etag = written
        .as_ref()
        .map(|written| written.version.etag.clone())
        .unwrap_or_default();
    run.link.etags.insert("crm".into(), etag);
    run.tell_cut(&cut);
    Ok(written)
}

/// The row as this very write left it (S6). A colleague who has saved it since is not among it: the columns that were written come from the
/// write's own answer, and the others from the row of now.
fn as_left(written: &Written, now: &Seen) -> Seen {
    let mut left = Seen {
        row: written.row.clone(),
        related: now.related.clone(),
    };
    raw::complete(&mut left, now);
    left
}

/// What the new referral shows of what was sent. What the creation does not carry (help), or brought about by itself (visibility, when
/// help is asked), stays unknown: the merge carries it next.
fn remember_referral(run: &mut Run<'_>, own: &Referral, sent: &Units) {
    let shown = read_referral(own, None, run.link_base()).units;
    let (raw, source) = (run.keep_raw(&own.raw), run.raw_of(Side::Crm));
    for (unit, value) in sent {
        let by_itself = |now: &UnitValue| *unit == Unit::Visibility && now != value;
        if let Some(now) = shown
            .get(unit)
            .filter(|now| *unit != Unit::Help && !by_itself(now))
        {
            run.remember(unit, Side::PartnerCenter, now, &raw);
            // A referral is always born open: where the row stands by then is an edit that is still to be carried, and not what it showed.
            if *unit == Unit::State {
                run.remember(unit, Side::Crm, now, "");
            } else {
                run.remember(unit, Side::Crm, value, &source);
            }
        }
    }
}

/// Both sides are in step as far as the row shows what was sent. A row that was there already may have been edited since it was made:
/// what differs in it stays unknown, and the link policy decides (S9).
async fn remember_row(
    run: &mut Run<'_>,
    kind: RecordKind,
    id: &str,
    sent: &Units,
    written: Option<&Written>,
) -> Result<(), Trouble> {
    let raw = run.raw_of(Side::PartnerCenter);
    let born = fetch(run, kind, id).await.map_err(unreadable)?;
    let left = match written {
        Some(written) if written.version.etag != born.version.etag => as_left(written, &born.seen),
        _ => born.seen,
    };
    // A plugin that traps here is told by the next look; the row itself is made, and that is remembered.
    let shown = read_again(run, kind, &left).await.unwrap_or_default();
    run.link.etags.insert("crm".into(), born.version.etag);
    let crm_raw = run.keep_raw(&raw::row(&left));
    for (unit, value) in sent {
        // The reference is written by the merge that follows, the solutions by their own rows; and so is a state in which no row is born.
        let later = matches!(unit, Unit::ExternalReference | Unit::Solutions);
        let is_as_sent = written.is_some() && *unit != Unit::State;
        let Some(now) = shown.get(unit).filter(|_| !later) else {
            continue;
        };
        if is_as_sent || same(now, value) {
            run.remember(unit, Side::PartnerCenter, value, &raw);
            run.remember(unit, Side::Crm, now, &crm_raw);
        } else if is_closed(now) && !is_closed(value) {
            // Every row is born open: somebody has closed it since.
            run.remember(unit, Side::PartnerCenter, value, &raw);
            run.remember(unit, Side::Crm, value, "");
        }
    }
    Ok(())
}

pub(super) fn is_closed(value: &UnitValue) -> bool {
    matches!(value, UnitValue::State(state) if state.standing.is_closed())
}

/// The row is there, and only its reading failed: the intent stays open and is resolved by the next run.
fn unreadable(mut error: RemoteError) -> RemoteError {
    if !matches!(error.class, Class::Transient { .. } | Class::Unauthorised) {
        error.class = Class::UnknownOutcome;
    }
    error
}

/// S6: bases move to what the row shows after this very write, read again for its joins. The write has happened: where nothing can be read now,
/// it is remembered as it was sent, except for what a column may have cut: that is known by the next look.
async fn remember_update(
    run: &mut Run<'_>,
    sight: &Sight,
    kind: RecordKind,
    id: &str,
    settles: &[Carry],
    written: Option<&Written>,
) {
    if settles.is_empty() {
        return;
    }
    let now = fetch(run, kind, id).await.ok();
    let left = match (written, &now, &sight.row) {
        (Some(written), Some(now), _) if written.version.etag != now.version.etag => {
            Some(as_left(written, &now.seen))
        }
        (Some(written), None, Some(before)) => Some(as_left(written, &before.seen)),
        (_, now, _) => now.as_ref().map(|now| now.seen.clone()),
    };
    let shown = match &left {
        Some(left) => read_again(run, kind, left).await.ok(),
        None => None,
    };
    let raw = match &left {
        Some(left) => run.keep_raw(&raw::row(left)),
        None => run.raw_of(Side::Crm),
    };
    let is_read = shown.is_some();
    let mut shown = shown.unwrap_or_default();
    // Of a list only what was there before, or was to be: what a colleague has just added is an edit of his.
    for carry in settles {
        let old = run
            .bases
            .get(&carry.unit)
            .and_then(|bases| bases.crm.as_ref());
        if let Some(now) = shown.get(&carry.unit)
            && let Some(known) = half_written(old, &carry.value, now)
        {
            shown.insert(carry.unit.clone(), known);
        }
    }
    let may_be_cut = |value: &UnitValue| matches!(value, UnitValue::Text(_) | UnitValue::People(_));
    let known: Vec<Carry> = settles
        .iter()
        .filter(|carry| is_read || !may_be_cut(&carry.value))
        .cloned()
        .collect();
    run.settle(&known, &shown, &raw);
    run.forget_halves(&known);
}
