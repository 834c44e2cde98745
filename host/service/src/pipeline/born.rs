//! Births: a referral for a CRM row, and a CRM row for a referral (S14, S20).

use cosell_plugins::Order;
use cosell_remote::dataverse::STATUS_COLUMN;
use cosell_remote::partner_center::{CreateOptions, create_body, read as read_referral};
use cosell_remote::{Class, RemoteError};
use cosell_sync::columns::Cells;
use cosell_sync::deal::{Unit, UnitValue, Units};
use cosell_sync::identity::row_id;
use cosell_sync::merge::same;
use cosell_sync::row::{Cell, Choice, RecordKind, Role};
use cosell_sync::side::Side;
use serde_json::json;

use super::ask::rounds;
use super::intents::{self, Kind};
use super::look::{Sight, fetch};
use super::partner_center::reasons;
use super::read::Reading;
use super::run::Run;
use super::{Step, crm, customer, dress};
use crate::link::encode_units;
use crate::raw;
use crate::records::REFERRAL;
use crate::trouble::Trouble;

/// Creates our referral. Microsoft is invited by the merge that follows: then help is a unit like any other.
pub(super) async fn referral(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
) -> Result<Step, Trouble> {
    let Some(row) = &sight.row else {
        return Ok(Step::Again);
    };
    let row_id = row.seen.row.id.clone();
    let deal = reading.deal_as_crm_shows();
    let options = CreateOptions {
        external_reference: Some(row_id.clone()),
        partner_location: run.connection.partner_location.clone(),
        contacts_may_be_shared: run.connection.contacts_consent_declared
            || dress::consent_on_record(run, &row.seen.row),
    };
    let body =
        create_body(&deal, &options).map_err(|refusals| Trouble::Refused(reasons(refusals)))?;
    run.link.crm_table = Some(sight.kind.table().to_owned());
    run.link.crm_row = Some(row_id.clone());
    run.link
        .etags
        .insert("crm".into(), row.version.etag.clone());
    run.tell(
        "write",
        format!("creates a referral for {} {row_id}", sight.kind.table()),
        &json!({ "row": row_id }),
    );
    // The new referral has no id yet, so the intent names the row; by our reference it is found again.
    let target = Run::record(Side::Crm, sight.kind.table(), &row_id);
    let intent = intents::new(
        run,
        Kind::CreateReferral,
        target,
        None,
        json!({ "units": encode_units(&deal.units) }),
    );
    let operation = intent.operation.clone();
    run.intend(intent).await?;
    let call = run
        .connection
        .partner_center
        .create(&body, &operation)
        .await;
    let own = intents::answered(run, call).await?;
    let shown = read_referral(&own, None, run.link_base()).units;
    adopt_referral(run, &own);
    let (raw, source) = (run.keep_raw(&own.raw), run.raw_of(Side::Crm));
    for (unit, value) in &deal.units {
        // What the creation does not carry (help), or brought about by itself (visibility, when help is asked), stays unknown: the merge
        // carries it next.
        let by_itself = |now: &UnitValue| *unit == Unit::Visibility && now != value;
        if let Some(now) = shown
            .get(unit)
            .filter(|now| *unit != Unit::Help && !by_itself(now))
        {
            run.remember(unit, Side::PartnerCenter, now, &raw);
            run.remember(unit, Side::Crm, value, &source);
        }
    }
    run.close("done", "").await?;
    Ok(Step::Again)
}

/// Our referral is the lane's from now on.
pub(super) fn adopt_referral(run: &mut Run<'_>, own: &cosell_remote::partner_center::Referral) {
    run.link.referral = Some(own.id.clone());
    run.link.engagement = Some(own.engagement_id.clone()).filter(|id| !id.is_empty());
    run.link.etags.insert("referral".into(), own.etag.clone());
    run.belongs(Run::record(Side::PartnerCenter, REFERRAL, &own.id));
}

/// Creates the CRM row, with its account and contacts found or made before it.
pub(super) async fn row(
    run: &mut Run<'_>,
    sight: &Sight,
    reading: &Reading,
    kind: RecordKind,
) -> Result<Step, Trouble> {
    let (Some(own), Some(facts)) = (&sight.own, &reading.facts) else {
        return Ok(Step::Again);
    };
    let deal = reading.deal_as_partner_center_shows();
    let (account, contacts) = customer::find_or_make(run, &deal).await?;
    let order = Order {
        deal: deal.clone(),
        existing: None,
        account,
        contacts,
        lead: None,
    };
    let draft = rounds!(run, |asking| run.set.write(&asking, kind, &order))?;
    run.tell_refusals("the CRM", &draft.refusals);
    let mut cells = crm::cells(&draft);
    let state = rounds!(run, |asking| run.set.write_state_of(&asking, kind, &order))?
        .map(|spoken| spoken.value);
    // A row is always born open; a status reason among the open ones can be given at birth, a close follows in the merge.
    if let Some(state) = state.filter(|state| state.statecode == 0) {
        cells.insert(
            STATUS_COLUMN.to_owned(),
            Cell::Choice(Choice {
                code: state.statuscode,
                label: None,
            }),
        );
    }
    let id = row_id(
        &run.connection.id,
        kind.table(),
        &format!("referral:{}", own.id),
        run.link.generation,
    );
    dress_newborn(run, reading, kind, &mut cells).await?;
    run.tell(
        "write",
        format!("creates {} {id} for referral {}", kind.table(), own.id),
        &json!({ "referral": facts.id }),
    );

    adopt_referral(run, own);
    let target = Run::record(Side::Crm, kind.table(), &id);
    let intent = intents::new(
        run,
        Kind::CreateRow,
        target,
        Some("none-match".into()),
        json!({ "units": encode_units(&deal.units) }),
    );
    let operation = intent.operation.clone();
    run.intend(intent).await?;
    let call = run
        .connection
        .dataverse
        .create(kind.table(), &id, &cells, &operation)
        .await;
    let outcome = match intents::exists_already(call) {
        // An earlier run, or another host, made it and was cut off: it is the same row (S14).
        Ok(None) => "adopted",
        Ok(Some(_)) => "done",
        Err(error) => return intents::answered(run, Err(error)).await,
    };
    adopt_row(run, kind, &id);
    remember_newborn(run, sight, &id, &deal.units, outcome == "adopted").await?;
    run.close(outcome, "").await?;
    crm::write_children(run, kind, &id, &draft.children, &[]).await?;
    Ok(Step::Again)
}

/// The row is the lane's from now on.
pub(super) fn adopt_row(run: &mut Run<'_>, kind: RecordKind, id: &str) {
    run.link.crm_table = Some(kind.table().to_owned());
    run.link.crm_row = Some(id.to_owned());
    run.belongs(Run::record(Side::Crm, kind.table(), id));
}

async fn dress_newborn(
    run: &mut Run<'_>,
    reading: &Reading,
    kind: RecordKind,
    cells: &mut Cells,
) -> Result<(), Trouble> {
    if let Some(column) = run.set.needs().column(kind.table(), Role::Gate) {
        cells.insert(column.to_owned(), Cell::Bool(true));
    }
    let empty = cosell_sync::row::Row {
        table: kind.table().to_owned(),
        id: String::new(),
        cells: Cells::new(),
    };
    cells.extend(dress::facts(run, reading, &empty));
    let line = dress::line(run, "created from the referral in Partner Center");
    cells.extend(dress::audit(run, &empty, &line));
    let name = match reading.partner_center.get(&Unit::Name) {
        Some(UnitValue::Text(Some(name))) => name.clone(),
        _ => String::new(),
    };
    let mark = dress::mark(run, kind, reading, cosell_plugins::Outcome::InStep, &name).await?;
    let primary = run.name_column(kind.table()).await?;
    if let Some(Cell::Text(name)) = cells.get_mut(&primary) {
        *name = cosell_sync::mark::put(name, &mark);
        run.mark = Some(mark);
    }
    Ok(())
}

/// Both sides are in step as far as the row shows what was sent. A row that was there already may have been edited since it was made:
/// what differs in it stays unknown, and the link policy decides (S9).
async fn remember_newborn(
    run: &mut Run<'_>,
    sight: &Sight,
    id: &str,
    sent: &Units,
    adopted: bool,
) -> Result<(), Trouble> {
    let raw = run.raw_of(Side::PartnerCenter);
    let born = fetch(run, sight.kind, id).await.map_err(unreadable)?;
    // A plugin that traps here is told by the next look; the row itself is made, and that is remembered.
    let shown = crm::read_again(run, sight, &born.seen)
        .await
        .unwrap_or_default();
    run.link
        .etags
        .insert("crm".into(), born.version.etag.clone());
    let crm_raw = run.keep_raw(&raw::row(&born.seen));
    for (unit, value) in sent {
        // The reference, the solutions and the state are written by the merge that follows.
        let later = matches!(
            unit,
            Unit::ExternalReference | Unit::Solutions | Unit::State
        );
        if let Some(now) = shown
            .get(unit)
            .filter(|now| !later && (!adopted || same(now, value)))
        {
            run.remember(unit, Side::PartnerCenter, value, &raw);
            run.remember(unit, Side::Crm, now, &crm_raw);
        }
    }
    Ok(())
}

/// The row is there, and only its reading failed: the intent stays open and is resolved by the next run.
fn unreadable(mut error: RemoteError) -> RemoteError {
    if !matches!(error.class, Class::Transient { .. } | Class::Unauthorised) {
        error.class = Class::UnknownOutcome;
    }
    error
}
