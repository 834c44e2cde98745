//! Look: every record of the lane, fresh, with its etag. What a bell said is not used; what is there now is.

use std::collections::BTreeSet;

use cosell_remote::dataverse;
use cosell_remote::partner_center::{Referral, read};
use cosell_remote::{Class, RemoteError};
use cosell_store::{LaneId, LinkState, RecordKey};
use cosell_sync::course::Presence;
use cosell_sync::row::{Cell, Condition, Join, Query, RecordKind, Reference, Role, Row, Test};
use cosell_sync::side::{Side, Sides};
use serde_json::json;

use super::run::Run;
use super::sees::Known;
use crate::raw;
use crate::records::REFERRAL;
use crate::trouble::{Trouble, reason};

/// Both sides, as they are now.
pub(super) struct Sight {
    /// Our own referral.
    pub(super) own: Option<Referral>,
    /// Microsoft's, in the same engagement (S12).
    pub(super) microsoft: Option<Referral>,
    /// The CRM row, with the mark still before its name.
    pub(super) row: Option<dataverse::Looked>,
    pub(super) kind: RecordKind,
    pub(super) presence: Sides<Presence>,
}

impl Sight {
    /// Of a row alone.
    pub(super) fn of_row(row: dataverse::Looked, kind: RecordKind) -> Self {
        Self {
            own: None,
            microsoft: None,
            row: Some(row),
            kind,
            presence: Sides {
                partner_center: Presence::Never,
                crm: Presence::Here,
            },
        }
    }

    /// Whether the row can be written: a closed one is read-only (S16), whatever the plugins make of its state.
    pub(super) fn row_is_open(&self) -> bool {
        let cells = self.row.as_ref().map(|row| &row.seen.row.cells);
        match cells.and_then(|cells| cells.get(dataverse::STATE_COLUMN)) {
            Some(Cell::Choice(state)) => state.code == 0,
            _ => true,
        }
    }

    /// Partner Center's record is terminal.
    pub(super) fn is_frozen(&self) -> bool {
        self.own.as_ref().is_some_and(Referral::is_frozen)
    }
}

/// What a look finds.
pub(super) enum Looked {
    Sight(Box<Sight>),
    /// The deal is another lane's: ours hands itself over (S13).
    BelongsTo(LaneId),
}

/// Fetches what the lane is about, and what that leads to.
#[tracing::instrument(target = "cosell_trace", level = "trace", skip_all)]
pub(super) async fn look(run: &mut Run<'_>) -> Result<Looked, Trouble> {
    run.begin_look();
    let mut sight = Sight {
        own: None,
        microsoft: None,
        row: None,
        kind: kind(run),
        presence: Sides {
            partner_center: Presence::Never,
            crm: Presence::Never,
        },
    };
    look_at_referrals(run, &mut sight).await?;
    look_at_row(run, &mut sight).await?;
    if let Some(elder) = follow_lead(run, &mut sight).await? {
        return Ok(Looked::BelongsTo(elder));
    }

    // A record that names its partner on the other side leads there (S13). Only a referral of our own may claim a row.
    if sight.row.is_none()
        && !run.is_linked()
        && let Some(row) = sight
            .own
            .as_ref()
            .and_then(|own| own.external_reference.clone())
            .filter(|id| is_guid(id) && !run.notes.left.contains(id))
    {
        let record = Run::record(Side::Crm, sight.kind.table(), &row);
        if let Some(elder) = other_lane(run, &record).await? {
            let theirs = link_of(run, elder).await?.and_then(|link| link.referral);
            let ours = sight.own.as_ref().map(|own| own.id.clone());
            if let Some(theirs) = theirs.filter(|theirs| ours.as_ref() != Some(theirs)) {
                return Err(Trouble::Refused(vec![reason(
                    "referral-twice",
                    &format!(
                        "a second referral carries our id {row}, which is linked with referral {theirs} already"
                    ),
                    "close the referral that should not be there, or give it another external reference",
                )]));
            }
            return Ok(Looked::BelongsTo(elder));
        }
        fetch_row(run, &mut sight, &row).await?;
        if sight.presence.crm == Presence::Gone {
            // The id is of another environment, or somebody's own number: nothing that we could link to.
            sight.presence.crm = Presence::Never;
            let message = format!("the referral names our id {row}, but the CRM has no such row");
            run.tell_once("look", &message, &json!({ "row": row }));
        }
    }
    if sight.own.is_none()
        && !run.is_linked()
        && let Some(referral) = sight
            .row
            .as_ref()
            .and_then(|row| named_referral(run, &row.seen.row))
    {
        let record = Run::record(Side::PartnerCenter, REFERRAL, &referral);
        if let Some(elder) = other_lane(run, &record).await? {
            let theirs = link_of(run, elder).await?.and_then(|link| link.crm_row);
            let ours = sight.row.as_ref().map(|row| row.seen.row.id.clone());
            if let Some(theirs) = theirs.filter(|theirs| ours.as_ref() != Some(theirs)) {
                return Err(Trouble::Refused(vec![reason(
                    "row-copied",
                    &format!(
                        "the row carries the identifier of referral {referral}, which is linked with row {theirs} already"
                    ),
                    "it was probably copied: clear its referral identifier, and a referral of its own is created",
                )]));
            }
            return Ok(Looked::BelongsTo(elder));
        }
        fetch_referral(run, &mut sight, &referral).await?;
        if sight.own.is_none() {
            sight.presence.partner_center = Presence::Gone;
            return Err(Trouble::Refused(vec![reason(
                "referral-unknown",
                &format!(
                    "the row names referral {referral}, but Partner Center does not show us such a referral"
                ),
                "check that the service account sees all referrals, or clear the identifier so that a new deal is created",
            )]));
        }
    }
    find_microsofts(run, &mut sight).await?;
    if let Some(elder) = elder_of_records(run, &sight).await? {
        return Ok(Looked::BelongsTo(elder));
    }
    run.looked(
        Side::PartnerCenter,
        sight.own.as_ref().map_or("", |own| &own.raw),
    );
    run.looked(
        Side::Crm,
        &sight
            .row
            .as_ref()
            .map(|row| raw::row(&row.seen))
            .unwrap_or_default(),
    );
    Ok(Looked::Sight(Box::new(sight)))
}

/// What the lane's deal is in the CRM: as it is linked, else as its bells say. A lead that has become an opportunity is one (S17).
pub(super) fn kind(run: &Run<'_>) -> RecordKind {
    let lead = RecordKind::Lead.table();
    let opportunity = RecordKind::Opportunity.table();
    let has = |table: &str| run.members.iter().any(|member| member.kind == table);
    let is_lead = match run.link.crm_table.as_deref() {
        Some(table) => table == lead,
        None => has(lead) && !has(opportunity),
    };
    if is_lead {
        RecordKind::Lead
    } else {
        RecordKind::Opportunity
    }
}

/// S17: an opportunity that was qualified from a linked lead is the same deal, whoever qualified it. Its own lane hands over to the lead's;
/// the lead's moves its pointer.
async fn follow_lead(run: &mut Run<'_>, sight: &mut Sight) -> Result<Option<LaneId>, Trouble> {
    let Some(row) = sight.row.as_ref().map(|row| &row.seen.row) else {
        return Ok(None);
    };
    match sight.kind {
        RecordKind::Opportunity if !run.is_linked() => {
            let Some(Cell::Reference(lead)) = row.cells.get(dataverse::ORIGIN_COLUMN) else {
                return Ok(None);
            };
            let record = Run::record(Side::Crm, RecordKind::Lead.table(), &lead.id);
            let Some(elder) = other_lane(run, &record).await? else {
                return Ok(None);
            };
            // A lead that never crossed is no deal: its opportunity is one of its own.
            let linked = link_of(run, elder).await?;
            Ok(linked
                .is_some_and(|link| link.referral.is_some() && link.crm_row.is_some())
                .then_some(elder))
        }
        RecordKind::Lead if is_qualified(row) => {
            let lead = row.id.clone();
            let Some(opportunity) = opportunity_of(run, &lead).await? else {
                return Ok(None);
            };
            if never_crossed(run, sight) {
                // Not this lane's to carry on: the opportunity has one of its own.
                let message = format!(
                    "lead {lead} was qualified before it was in Partner Center: the deal is opportunity {opportunity}'s"
                );
                let detail = json!({ "lead": lead, "opportunity": opportunity, "rule": "S17" });
                run.tell_once("link", &message, &detail);
                sight.row = None;
                sight.presence.crm = Presence::Never;
                return Ok(None);
            }
            run.tell_once(
                "link",
                &format!(
                    "lead {lead} was qualified: the deal goes on as opportunity {opportunity}"
                ),
                &json!({ "lead": lead, "opportunity": opportunity, "rule": "S17" }),
            );
            run.moves_to(RecordKind::Opportunity, &opportunity);
            sight.kind = RecordKind::Opportunity;
            sight.row = None;
            fetch_row(run, sight, &opportunity).await?;
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// Nothing in Partner Center is this row's, and nothing that the row says leads there.
fn never_crossed(run: &Run<'_>, sight: &Sight) -> bool {
    let row = sight.row.as_ref().map(|row| &row.seen.row);
    run.link.referral.is_none()
        && sight.own.is_none()
        && row.is_none_or(|row| named_referral(run, row).is_none())
}

/// The state of a qualified lead; the platform's own, in every organisation.
const QUALIFIED: i32 = 1;

fn is_qualified(lead: &Row) -> bool {
    matches!(lead.cells.get(dataverse::STATE_COLUMN), Some(Cell::Choice(state)) if state.code == QUALIFIED)
}

/// The opportunity that names the lead as its origin.
async fn opportunity_of(run: &Run<'_>, lead: &str) -> Result<Option<String>, Trouble> {
    let table = RecordKind::Opportunity.table();
    let origin = Cell::Reference(Reference {
        table: RecordKind::Lead.table().to_owned(),
        id: lead.to_owned(),
        name: None,
    });
    let query = Query {
        label: "opportunity of a lead".to_owned(),
        table: table.to_owned(),
        columns: vec![dataverse::ORIGIN_COLUMN.to_owned()],
        conditions: vec![Condition {
            column: dataverse::ORIGIN_COLUMN.to_owned(),
            test: Test::Equals(origin),
        }],
        limit: 1,
    };
    let found = run.sees.query(&query).await?;
    Ok(found.rows.into_iter().next().map(|row| row.id))
}

async fn look_at_referrals(run: &mut Run<'_>, sight: &mut Sight) -> Result<(), Trouble> {
    let mut ids: Vec<String> = run
        .link
        .referral
        .iter()
        .chain(&run.link.microsoft_referral)
        .cloned()
        .collect();
    for member in run
        .members
        .iter()
        .filter(|member| member.side == Side::PartnerCenter.as_str())
    {
        if !ids.contains(&member.id) {
            ids.push(member.id.clone());
        }
    }
    ids.retain(|id| !run.notes.left.contains(id));
    for id in ids {
        fetch_referral(run, sight, &id).await?;
    }
    Ok(())
}

async fn fetch_referral(run: &Run<'_>, sight: &mut Sight, id: &str) -> Result<(), Trouble> {
    let Some(referral) = run.sees.referral(id).await? else {
        if sight.own.is_none() {
            sight.presence.partner_center = Presence::Gone;
        }
        return Ok(());
    };
    if !referral.is_microsofts() {
        sight.own = Some(referral);
        sight.presence.partner_center = Presence::Here;
        return Ok(());
    }
    // A related event names Microsoft's view: ours is in the same engagement.
    if sight.own.is_none() && !referral.engagement_id.is_empty() {
        let engagement = run.sees.engagement(&referral.engagement_id).await?;
        if let Some(own) = engagement.into_iter().find(|other| !other.is_microsofts()) {
            sight.own = Some(own);
            sight.presence.partner_center = Presence::Here;
        }
    }
    sight.microsoft = Some(referral);
    Ok(())
}

async fn look_at_row(run: &mut Run<'_>, sight: &mut Sight) -> Result<(), Trouble> {
    let of_bell = run.members.iter().find(|member| {
        member.side == Side::Crm.as_str()
            && member.kind == sight.kind.table()
            && !run.notes.left.contains(&member.id)
    });
    let id = run
        .link
        .crm_row
        .clone()
        .or_else(|| of_bell.map(|member| member.id.clone()));
    match id {
        Some(id) => fetch_row(run, sight, &id).await,
        None => Ok(()),
    }
}

async fn fetch_row(run: &Run<'_>, sight: &mut Sight, id: &str) -> Result<(), Trouble> {
    let table = sight.kind.table();
    let known = run.sees.table(table, &OWN_COLUMNS).await?;
    let (columns, joins) = wanted(run, table, known);
    sight.row = run.sees.row(table, id, &columns, &joins).await?;
    sight.presence.crm = match &sight.row {
        Some(_) => Presence::Here,
        None => Presence::Gone,
    };
    Ok(())
}

/// What the host itself follows: the life of a lead (S17), and who saved the row last, for a person who is asked.
pub(super) const OWN_COLUMNS: [&str; 4] = [
    dataverse::STATE_COLUMN,
    dataverse::ORIGIN_COLUMN,
    dataverse::MODIFIED_BY_COLUMN,
    dataverse::MODIFIED_ON_COLUMN,
];

/// Every column and join that the set declares, and the columns that the host itself follows.
fn wanted(run: &Run<'_>, table: &str, known: Known) -> (BTreeSet<String>, Vec<Join>) {
    let needs = run.set.needs();
    let mut columns = needs.reads.get(table).cloned().unwrap_or_default();
    let brought = needs.brings.iter().filter(|own| own.table == table);
    columns.extend(brought.map(|own| own.column.clone()));
    columns.extend(known.name_column);
    columns.extend(known.columns);
    let joins = needs.joins.iter();
    let joins = joins.filter(|join| is_under(needs, &join.above, table));
    (columns, joins.cloned().collect())
}

/// The row as it is now, whatever is played: for acting.
pub(super) async fn fetch(
    run: &Run<'_>,
    kind: RecordKind,
    id: &str,
) -> Result<dataverse::Looked, RemoteError> {
    let table = kind.table();
    let found = run.connection.dataverse.metadata(table).await?;
    let (columns, joins) = wanted(run, table, Known::of(&found, &OWN_COLUMNS));
    run.connection
        .dataverse
        .retrieve(table, id, &columns, &joins)
        .await
}

/// Whether a join hangs, maybe through others, below `table`.
fn is_under(needs: &cosell_sync::row::Needs, above: &str, table: &str) -> bool {
    above == table
        || needs
            .joins
            .iter()
            .any(|join| join.label == above && is_under(needs, &join.above, table))
}

/// What another lane links.
async fn link_of(run: &Run<'_>, lane: LaneId) -> Result<Option<LinkState>, Trouble> {
    Ok(run.desk.store.link(&run.lease.connection, lane).await?)
}

/// Which other lane has the record.
async fn other_lane(run: &Run<'_>, record: &RecordKey) -> Result<Option<LaneId>, Trouble> {
    let lane = run
        .desk
        .store
        .lane_of(&run.lease.connection, record)
        .await?;
    Ok(lane.filter(|lane| *lane != run.lane() && run.may_retire()))
}

/// Two lanes at birth: the younger one hands over, if it has neither link nor intent.
async fn elder_of_records(run: &Run<'_>, sight: &Sight) -> Result<Option<LaneId>, Trouble> {
    let mut records = Vec::new();
    if let Some(own) = &sight.own {
        records.push(Run::record(Side::PartnerCenter, REFERRAL, &own.id));
        if !run.is_linked()
            && let Some(elder) = run
                .desk
                .store
                .lane_of_engagement(&run.lease.connection, &own.engagement_id)
                .await?
            && elder != run.lane()
            && run.may_retire()
        {
            return Ok(Some(elder));
        }
    }
    // Both referrals of a deal ring at birth, and either may come first.
    if let Some(microsoft) = &sight.microsoft {
        records.push(Run::record(Side::PartnerCenter, REFERRAL, &microsoft.id));
    }
    if let Some(row) = &sight.row {
        records.push(Run::record(Side::Crm, sight.kind.table(), &row.seen.row.id));
    }
    for record in records {
        if let Some(other) = other_lane(run, &record).await?
            && other < run.lane()
        {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// Microsoft's referral, once there can be one. An invitation may also have been made by a person in the portal.
async fn find_microsofts(run: &Run<'_>, sight: &mut Sight) -> Result<(), Trouble> {
    let Some(own) = &sight.own else { return Ok(()) };
    if sight.microsoft.is_none() && read(own, None, "").shared && !own.engagement_id.is_empty() {
        let engagement = run.sees.engagement(&own.engagement_id).await?;
        sight.microsoft = engagement.into_iter().find(Referral::is_microsofts);
    }
    Ok(())
}

/// The referral that the row's identifier column names: a link that was made earlier, by us or by Microsoft's connector.
fn named_referral(run: &Run<'_>, row: &Row) -> Option<String> {
    let column = run.set.needs().column(&row.table, Role::Identifier)?;
    match row.cells.get(column) {
        Some(Cell::Text(id)) if is_guid(id) => {
            Some(id.to_ascii_lowercase()).filter(|id| !run.notes.left.contains(id))
        }
        _ => None,
    }
}

fn is_guid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}

/// S18: a 404 may be lost visibility, and so is a 403 on one record.
pub(super) fn is_invisible(error: &RemoteError) -> bool {
    matches!(error.class, Class::NotFound | Class::Forbidden)
}
