//! Until when a credential may not be used (I11).

use rusqlite::{Connection, params};

use crate::writer::{Desk, Failure};
use crate::{Millis, Throttle};

/// The later moment wins, whoever comes last.
pub(super) fn set(desk: &Desk<'_>, connection: &str, throttle: &Throttle) -> Result<(), Failure> {
    desk.sql
        .prepare_cached(
            "INSERT INTO throttle (connection, credential, until, reason) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (connection, credential) DO UPDATE SET until = excluded.until, reason = excluded.reason
             WHERE excluded.until > throttle.until",
        )?
        .execute(params![connection, throttle.credential, throttle.until, throttle.reason])?;
    Ok(())
}

/// Those that are still closed.
pub(super) fn closed(
    sql: &Connection,
    now: Millis,
    connection: &str,
) -> Result<Vec<Throttle>, Failure> {
    Ok(sql
        .prepare_cached(
            "SELECT credential, until, reason FROM throttle WHERE connection = ?1 AND until > ?2 ORDER BY credential",
        )?
        .query_map(params![connection, now], |row| {
            Ok(Throttle { credential: row.get(0)?, until: row.get(1)?, reason: row.get(2)? })
        })?
        .collect::<Result<_, _>>()?)
}
