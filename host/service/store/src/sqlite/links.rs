//! Links with their bases and raws: what a write, or a run, changes.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{accept, cards, holds, lanes};
use crate::writer::{Desk, Failure};
use crate::{Base, Change, LaneId, Lease, LinkState, RecordKey, StoreError};

/// Everything of a change but the fence and the write.
pub(super) fn apply(desk: &Desk<'_>, lease: &Lease, change: &Change) -> Result<(), Failure> {
    for record in &change.members {
        claim_member(desk, lease, record)?;
    }
    if let Some(link) = &change.link {
        write_link(desk, lease, link)?;
    }
    if !change.bases.is_empty() {
        write_bases(desk, lease, &change.bases, &change.raws)?;
    }
    cards::change(desk, lease, &change.cards)?;
    holds::change(desk, lease, &change.holds)?;
    lanes::audit(desk, lease, change)
}

fn claim_member(desk: &Desk<'_>, lease: &Lease, record: &RecordKey) -> Result<(), Failure> {
    match accept::lane_of(desk.sql, &lease.connection, record)? {
        // Its own lane finds the link and hands itself over (S13).
        Some(_) => Ok(()),
        None => accept::join(desk, &lease.connection, lease.lane, record),
    }
}

fn write_link(desk: &Desk<'_>, lease: &Lease, link: &LinkState) -> Result<(), Failure> {
    refuse_linked(
        desk,
        lease,
        "SELECT lane FROM link WHERE connection = ?1 AND referral = ?2 AND lane <> ?3",
        "referral",
        link.referral.as_deref(),
    )?;
    refuse_linked(
        desk,
        lease,
        "SELECT lane FROM link WHERE connection = ?1 AND crm_row = ?2 AND lane <> ?3",
        link.crm_table.as_deref().unwrap_or("row"),
        link.crm_row.as_deref(),
    )?;
    let etags = serde_json::to_string(&link.etags)
        .map_err(|error| Failure::broken("write a link's etags", error))?;
    desk.sql
        .prepare_cached(
            "INSERT INTO link (connection, lane, referral, microsoft_referral, engagement, crm_table, crm_row, generation,
                 etags, mark, set_hash, notes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (connection, lane) DO UPDATE SET referral = excluded.referral,
                 microsoft_referral = excluded.microsoft_referral, engagement = excluded.engagement,
                 crm_table = excluded.crm_table, crm_row = excluded.crm_row, generation = excluded.generation,
                 etags = excluded.etags, mark = excluded.mark, set_hash = excluded.set_hash, notes = excluded.notes",
        )?
        .execute(params![
            lease.connection,
            lease.lane.0,
            link.referral,
            link.microsoft_referral,
            link.engagement,
            link.crm_table,
            link.crm_row,
            link.generation,
            etags,
            link.mark,
            link.set_hash,
            link.notes
        ])?;
    Ok(())
}

fn refuse_linked(
    desk: &Desk<'_>,
    lease: &Lease,
    query: &str,
    kind: &str,
    id: Option<&str>,
) -> Result<(), Failure> {
    let Some(id) = id else { return Ok(()) };
    let other: Option<i64> = desk
        .sql
        .prepare_cached(query)?
        .query_row(params![lease.connection, id, lease.lane.0], |row| {
            row.get(0)
        })
        .optional()?;
    match other {
        Some(lane) => Err(StoreError::Linked {
            record: format!("{kind} {id}"),
            lane,
        }
        .into()),
        None => Ok(()),
    }
}

fn write_bases(
    desk: &Desk<'_>,
    lease: &Lease,
    bases: &[Base],
    raws: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let Lease {
        connection, lane, ..
    } = lease;
    // A base needs a link to hang from, even while the pair is not complete.
    desk.sql
        .prepare_cached(
            "INSERT INTO link (connection, lane, generation, etags, notes) VALUES (?1, ?2, 0, '{}', '')
             ON CONFLICT (connection, lane) DO NOTHING",
        )?
        .execute(params![connection, lane.0])?;
    for (hash, body) in raws {
        desk.sql
            .prepare_cached(
                "INSERT INTO raw (connection, lane, hash, body) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (connection, lane, hash) DO NOTHING",
            )?
            .execute(params![connection, lane.0, hash, body])?;
    }
    for base in bases {
        desk.sql
            .prepare_cached(
                "INSERT INTO base (connection, lane, unit, side, value, raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (connection, lane, unit, side) DO UPDATE SET value = excluded.value, raw = excluded.raw",
            )?
            .execute(params![connection, lane.0, base.unit, base.side, base.value, base.raw])?;
    }
    desk.sql
        .prepare_cached(
            "DELETE FROM raw WHERE connection = ?1 AND lane = ?2 AND NOT EXISTS (
                 SELECT 1 FROM base WHERE base.connection = ?1 AND base.lane = ?2 AND base.raw = raw.hash)",
        )?
        .execute(params![connection, lane.0])?;
    let dangling: Option<(String, String)> = desk
        .sql
        .prepare_cached(
            "SELECT unit, raw FROM base WHERE connection = ?1 AND lane = ?2 AND raw IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM raw WHERE raw.connection = ?1 AND raw.lane = ?2 AND raw.hash = base.raw)",
        )?
        .query_row(params![connection, lane.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match dangling {
        Some((unit, raw)) => Err(Failure::broken(
            "move a base",
            format!(
                "the base of {unit} in lane {} names raw record {raw}, which was not given",
                lane.0
            ),
        )),
        None => Ok(()),
    }
}

/// Before a lane retires: a link that is no pair yet goes. A pair stays where it is; two pairs for one deal are a person's matter (S13).
pub(super) fn drop_half(desk: &Desk<'_>, lease: &Lease) -> Result<(), Failure> {
    let Some(link) = read(desk.sql, &lease.connection, lease.lane)? else {
        return Ok(());
    };
    if let (Some(referral), Some(_)) = (&link.referral, &link.crm_row) {
        return Err(StoreError::Linked {
            record: format!("referral {referral}"),
            lane: lease.lane.0,
        }
        .into());
    }
    for table in ["base", "raw", "link"] {
        desk.sql
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE connection = ?1 AND lane = ?2"
            ))?
            .execute(params![lease.connection, lease.lane.0])?;
    }
    Ok(())
}

/// Whether the lane has a link, be it half a pair.
pub(super) fn exists(sql: &Connection, connection: &str, lane: LaneId) -> Result<bool, Failure> {
    Ok(sql
        .prepare_cached("SELECT 1 FROM link WHERE connection = ?1 AND lane = ?2")?
        .exists(params![connection, lane.0])?)
}

/// The lane's link, without bases and raws.
pub(super) fn read(
    sql: &Connection,
    connection: &str,
    lane: LaneId,
) -> Result<Option<LinkState>, Failure> {
    Ok(sql
        .prepare_cached(
            "SELECT referral, microsoft_referral, engagement, crm_table, crm_row, generation, etags, mark, set_hash, notes
             FROM link WHERE connection = ?1 AND lane = ?2",
        )?
        .query_row(params![connection, lane.0], |row| link_from(row, 0))
        .optional()?)
}

/// A link from ten columns in the order of [`read`], the first at `first`.
pub(super) fn link_from(row: &Row<'_>, first: usize) -> rusqlite::Result<LinkState> {
    let etags: String = row.get(first + 6)?;
    Ok(LinkState {
        referral: row.get(first)?,
        microsoft_referral: row.get(first + 1)?,
        engagement: row.get(first + 2)?,
        crm_table: row.get(first + 3)?,
        crm_row: row.get(first + 4)?,
        generation: row.get(first + 5)?,
        etags: serde_json::from_str(&etags).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(
                first + 6,
                rusqlite::types::Type::Text,
                Box::new(error),
            )
        })?,
        mark: row.get(first + 7)?,
        set_hash: row.get(first + 8)?,
        notes: row.get(first + 9)?,
        ..LinkState::default()
    })
}

/// The lane's link with bases and raws.
pub(super) fn read_whole(
    sql: &Connection,
    connection: &str,
    lane: LaneId,
) -> Result<Option<LinkState>, Failure> {
    let Some(mut link) = read(sql, connection, lane)? else {
        return Ok(None);
    };
    link.bases = sql
        .prepare_cached(
            "SELECT unit, side, value, raw FROM base WHERE connection = ?1 AND lane = ?2 ORDER BY unit, side",
        )?
        .query_map(params![connection, lane.0], |row| {
            Ok(Base { unit: row.get(0)?, side: row.get(1)?, value: row.get(2)?, raw: row.get(3)? })
        })?
        .collect::<Result<_, _>>()?;
    link.raws = sql
        .prepare_cached("SELECT hash, body FROM raw WHERE connection = ?1 AND lane = ?2")?
        .query_map(params![connection, lane.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    Ok(Some(link))
}
