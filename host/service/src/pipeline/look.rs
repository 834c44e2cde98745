//! Look: every record of the lane, fresh, with its etag. What a bell said is not used; what is there now is.

use cosell_remote::dataverse;
use cosell_remote::partner_center::{Referral, read};
use cosell_remote::{Class, RemoteError};
use cosell_store::{LaneId, LinkState, RecordKey};
use cosell_sync::course::Presence;
use cosell_sync::row::{Cell, RecordKind, Role, Row};
use cosell_sync::side::{Side, Sides};

use super::run::Run;
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
pub(super) async fn look(run: &mut Run<'_>) -> Result<Looked, Trouble> {
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

    // A record that names its partner on the other side leads there (S13). Only a referral of our own may claim a row.
    if sight.row.is_none()
        && !run.is_linked()
        && let Some(row) = sight
            .own
            .as_ref()
            .and_then(|own| own.external_reference.clone())
            .filter(|id| is_guid(id))
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
            run.tell_once("look", &message, &serde_json::json!({ "row": row }));
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
    if let Some(elder) = elder_of_records(run, &sight).await? {
        return Ok(Looked::BelongsTo(elder));
    }
    find_microsofts(run, &mut sight).await?;
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

fn kind(run: &Run<'_>) -> RecordKind {
    let lead = RecordKind::Lead.table();
    let is_lead = run.link.crm_table.as_deref() == Some(lead)
        || run.members.iter().any(|member| member.kind == lead);
    if is_lead {
        RecordKind::Lead
    } else {
        RecordKind::Opportunity
    }
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
    for id in ids {
        fetch_referral(run, sight, &id).await?;
    }
    Ok(())
}

async fn fetch_referral(run: &Run<'_>, sight: &mut Sight, id: &str) -> Result<(), Trouble> {
    let referral = match run.connection.partner_center.get(id).await {
        Ok(referral) => referral,
        Err(error) if is_invisible(&error) => {
            if sight.own.is_none() {
                sight.presence.partner_center = Presence::Gone;
            }
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    if !referral.is_microsofts() {
        sight.own = Some(referral);
        sight.presence.partner_center = Presence::Here;
        return Ok(());
    }
    // A related event names Microsoft's view: ours is in the same engagement.
    if sight.own.is_none() && !referral.engagement_id.is_empty() {
        let engagement = run
            .connection
            .partner_center
            .engagement(&referral.engagement_id)
            .await?;
        if let Some(own) = engagement.into_iter().find(|other| !other.is_microsofts()) {
            sight.own = Some(own);
            sight.presence.partner_center = Presence::Here;
        }
    }
    sight.microsoft = Some(referral);
    Ok(())
}

async fn look_at_row(run: &mut Run<'_>, sight: &mut Sight) -> Result<(), Trouble> {
    let of_bell = run
        .members
        .iter()
        .find(|member| member.side == Side::Crm.as_str() && member.kind == sight.kind.table());
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
    match fetch(run, sight.kind, id).await {
        Ok(row) => {
            sight.row = Some(row);
            sight.presence.crm = Presence::Here;
            Ok(())
        }
        Err(error) if is_invisible(&error) => {
            sight.presence.crm = Presence::Gone;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// The row with every column and join that the set declares, and the columns that the host itself follows.
pub(super) async fn fetch(
    run: &Run<'_>,
    kind: RecordKind,
    id: &str,
) -> Result<dataverse::Looked, RemoteError> {
    let needs = run.set.needs();
    let table = kind.table();
    let mut columns = needs.reads.get(table).cloned().unwrap_or_default();
    columns.extend(
        needs
            .brings
            .iter()
            .filter(|own| own.table == table)
            .map(|own| own.column.clone()),
    );
    columns.extend(
        run.connection
            .dataverse
            .metadata(table)
            .await?
            .name_column
            .clone(),
    );
    let joins: Vec<_> = needs
        .joins
        .iter()
        .filter(|join| is_under(needs, &join.above, table))
        .cloned()
        .collect();
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
        let engagement = run
            .connection
            .partner_center
            .engagement(&own.engagement_id)
            .await?;
        sight.microsoft = engagement.into_iter().find(Referral::is_microsofts);
    }
    Ok(())
}

/// The referral that the row's identifier column names: a link that was made earlier, by us or by Microsoft's connector.
fn named_referral(run: &Run<'_>, row: &Row) -> Option<String> {
    let column = run.set.needs().column(&row.table, Role::Identifier)?;
    match row.cells.get(column) {
        Some(Cell::Text(id)) if is_guid(id) => Some(id.to_ascii_lowercase()),
        _ => None,
    }
}

fn is_guid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok()
}

/// S18: a 404 may be lost visibility, and so is a 403 on one record.
fn is_invisible(error: &RemoteError) -> bool {
    matches!(error.class, Class::NotFound | Class::Forbidden)
}
