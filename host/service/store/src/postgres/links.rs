//! Links with their bases and raws: what a write, or a run, changes.

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;
use tokio_postgres::Row;

use super::fault::Fault;
use super::lanes::{Desk, row, rows, run};
use super::{cards, chain, holds, rings};
use crate::{Base, Change, LaneId, LinkState, RecordKey, StoreError};

/// Everything of a change but the fence and the write.
pub(super) async fn apply(desk: &Desk<'_>, change: &Change) -> Result<(), Fault> {
    claim_members(desk, &change.members).await?;
    if let Some(link) = &change.link {
        write_link(desk, link).await?;
    }
    if !change.bases.is_empty() {
        write_bases(desk, &change.bases, &change.raws).await?;
    }
    cards::change(desk, &change.cards).await?;
    holds::change(desk, &change.holds).await?;
    chain::append(desk, &change.audit).await
}

/// A record that belongs to a lane already stays there: that lane finds the link and hands itself over (S13).
async fn claim_members(desk: &Desk<'_>, records: &[RecordKey]) -> Result<(), Fault> {
    if records.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = records
        .iter()
        .map(|record| (desk.connection, record))
        .collect();
    rings::join(desk.sql, &keys, &vec![desk.lane.0; keys.len()])
        .await
        .map(drop)
}

async fn write_link(desk: &Desk<'_>, link: &LinkState) -> Result<(), Fault> {
    refuse_linked(
        desk,
        "SELECT lane FROM link WHERE connection = $1 AND referral = $2 AND lane <> $3",
        "referral",
        link.referral.as_deref(),
    )
    .await?;
    refuse_linked(
        desk,
        "SELECT lane FROM link WHERE connection = $1 AND crm_row = $2 AND lane <> $3",
        link.crm_table.as_deref().unwrap_or("row"),
        link.crm_row.as_deref(),
    )
    .await?;
    let etags = serde_json::to_string(&link.etags).map_err(Fault::broken)?;
    run(
        desk.sql,
        "INSERT INTO link (connection, lane, referral, microsoft_referral, engagement, crm_table, crm_row, generation,
             etags, mark, set_hash, notes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (connection, lane) DO UPDATE SET referral = excluded.referral,
             microsoft_referral = excluded.microsoft_referral, engagement = excluded.engagement,
             crm_table = excluded.crm_table, crm_row = excluded.crm_row, generation = excluded.generation,
             etags = excluded.etags, mark = excluded.mark, set_hash = excluded.set_hash, notes = excluded.notes",
        &[
            &desk.connection,
            &desk.lane.0,
            &link.referral,
            &link.microsoft_referral,
            &link.engagement,
            &link.crm_table,
            &link.crm_row,
            &link.generation,
            &etags,
            &link.mark,
            &link.set_hash,
            &link.notes,
        ],
    )
    .await
    .map(drop)
}

/// Should another lane link it between this look and the commit, the unique key says so, and the next try finds it here.
async fn refuse_linked(
    desk: &Desk<'_>,
    query: &str,
    kind: &str,
    id: Option<&str>,
) -> Result<(), Fault> {
    let Some(id) = id else { return Ok(()) };
    match row(desk.sql, query, &[&desk.connection, &id, &desk.lane.0]).await? {
        Some(other) => Err(StoreError::Linked {
            record: format!("{kind} {id}"),
            lane: other.get(0),
        }
        .into()),
        None => Ok(()),
    }
}

async fn write_bases(
    desk: &Desk<'_>,
    bases: &[Base],
    raws: &BTreeMap<String, String>,
) -> Result<(), Fault> {
    let of_lane: [super::lanes::Param<'_>; 2] = [&desk.connection, &desk.lane.0];
    // A base needs a link to hang from, even while the pair is not complete.
    run(
        desk.sql,
        "INSERT INTO link (connection, lane, generation, etags, notes) VALUES ($1, $2, 0, '{}', '')
         ON CONFLICT (connection, lane) DO NOTHING",
        &of_lane,
    )
    .await?;
    if !raws.is_empty() {
        let (hashes, bodies): (Vec<&String>, Vec<&String>) = raws.iter().unzip();
        run(
            desk.sql,
            "INSERT INTO raw (connection, lane, hash, body)
             SELECT $1, $2, raw.hash, raw.body FROM unnest($3::text[], $4::text[]) AS raw (hash, body)
             ON CONFLICT (connection, lane, hash) DO NOTHING",
            &[&desk.connection, &desk.lane.0, &hashes, &bodies],
        )
        .await?;
    }
    // The last word about a unit and side counts; one statement must not say two.
    let last: BTreeMap<(&str, &str), &Base> = bases
        .iter()
        .map(|base| ((base.unit.as_str(), base.side.as_str()), base))
        .collect();
    let (units, sides): (Vec<&str>, Vec<&str>) = last.keys().copied().unzip();
    let values: Vec<_> = last.values().map(|base| base.value.as_deref()).collect();
    let named: Vec<_> = last.values().map(|base| base.raw.as_deref()).collect();
    run(
        desk.sql,
        "INSERT INTO base (connection, lane, unit, side, value, raw)
         SELECT $1, $2, base.unit, base.side, base.value, base.raw
         FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS base (unit, side, value, raw)
         ON CONFLICT (connection, lane, unit, side) DO UPDATE SET value = excluded.value, raw = excluded.raw",
        &[
            &desk.connection,
            &desk.lane.0,
            &units,
            &sides,
            &values,
            &named,
        ],
    )
    .await?;
    run(
        desk.sql,
        "DELETE FROM raw WHERE connection = $1 AND lane = $2 AND NOT EXISTS (
             SELECT 1 FROM base WHERE base.connection = $1 AND base.lane = $2 AND base.raw = raw.hash)",
        &of_lane,
    )
    .await?;
    let dangling = rows(
        desk.sql,
        "SELECT unit, raw FROM base WHERE connection = $1 AND lane = $2 AND raw IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM raw WHERE raw.connection = $1 AND raw.lane = $2 AND raw.hash = base.raw) LIMIT 1",
        &of_lane,
    )
    .await?;
    match dangling.first() {
        Some(found) => Err(Fault::broken(format!(
            "the base of {} in lane {} names raw record {}, which was not given",
            found.get::<_, &str>(0),
            desk.lane.0,
            found.get::<_, &str>(1)
        ))),
        None => Ok(()),
    }
}

/// Before a lane retires: a link that is no pair yet goes. A pair stays where it is; two pairs for one deal are a person's matter (S13).
pub(super) async fn drop_half(desk: &Desk<'_>) -> Result<(), Fault> {
    let Some(link) = read(desk.sql, desk.connection, desk.lane).await? else {
        return Ok(());
    };
    if let (Some(referral), Some(_)) = (&link.referral, &link.crm_row) {
        return Err(StoreError::Linked {
            record: format!("referral {referral}"),
            lane: desk.lane.0,
        }
        .into());
    }
    for table in ["base", "raw", "link"] {
        run(
            desk.sql,
            &format!("DELETE FROM {table} WHERE connection = $1 AND lane = $2"),
            &[&desk.connection, &desk.lane.0],
        )
        .await?;
    }
    Ok(())
}

/// The lane's link, without bases and raws.
async fn read(
    sql: &impl GenericClient,
    connection: &str,
    lane: LaneId,
) -> Result<Option<LinkState>, Fault> {
    row(
        sql,
        "SELECT referral, microsoft_referral, engagement, crm_table, crm_row, generation, etags, mark, set_hash, notes
         FROM link WHERE connection = $1 AND lane = $2",
        &[&connection, &lane.0],
    )
    .await?
    .map(|row| link_from(&row, 0))
    .transpose()
}

/// A link from ten columns in the order of [`read`], the first at `first`.
pub(super) fn link_from(row: &Row, first: usize) -> Result<LinkState, Fault> {
    let etags: &str = row.get(first + 6);
    Ok(LinkState {
        referral: row.get(first),
        microsoft_referral: row.get(first + 1),
        engagement: row.get(first + 2),
        crm_table: row.get(first + 3),
        crm_row: row.get(first + 4),
        generation: row.get(first + 5),
        etags: serde_json::from_str(etags).map_err(Fault::broken)?,
        mark: row.get(first + 7),
        set_hash: row.get(first + 8),
        notes: row.get(first + 9),
        ..LinkState::default()
    })
}

/// The lane's link with bases and raws.
pub(super) async fn read_whole(
    sql: &impl GenericClient,
    connection: &str,
    lane: LaneId,
) -> Result<Option<LinkState>, Fault> {
    let of_lane: [super::lanes::Param<'_>; 2] = [&connection, &lane.0];
    let (link, bases, raws) = tokio::try_join!(
        read(sql, connection, lane),
        rows(
            sql,
            "SELECT unit, side, value, raw FROM base WHERE connection = $1 AND lane = $2 ORDER BY unit, side",
            &of_lane,
        ),
        rows(
            sql,
            "SELECT hash, body FROM raw WHERE connection = $1 AND lane = $2",
            &of_lane,
        ),
    )?;
    Ok(link.map(|link| LinkState {
        bases: bases
            .iter()
            .map(|row| Base {
                unit: row.get(0),
                side: row.get(1),
                value: row.get(2),
                raw: row.get(3),
            })
            .collect(),
        raws: raws.iter().map(|row| (row.get(0), row.get(1))).collect(),
        ..link
    }))
}
