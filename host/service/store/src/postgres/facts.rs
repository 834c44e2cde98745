//! Small facts about a connection: notes, cursors, and until when a credential may not be used (I11).

use deadpool_postgres::{Client, GenericClient};

use super::fault::Fault;
use super::lanes::{row, rows, run};
use crate::{Millis, Throttle};

/// Where a stream was read up to.
pub(super) async fn cursor(
    sql: &impl GenericClient,
    connection: &str,
    stream: &str,
) -> Result<Option<String>, Fault> {
    let found = row(
        sql,
        "SELECT value FROM cursor WHERE connection = $1 AND stream = $2",
        &[&connection, &stream],
    )
    .await?;
    Ok(found.map(|found| found.get(0)))
}

/// The fact of this name.
pub(super) async fn note(
    sql: &impl GenericClient,
    connection: &str,
    name: &str,
) -> Result<Option<String>, Fault> {
    let found = row(
        sql,
        "SELECT value FROM note WHERE connection = $1 AND name = $2",
        &[&connection, &name],
    )
    .await?;
    Ok(found.map(|found| found.get(0)))
}

/// Writes it down, or forgets it.
pub(super) async fn set_note(
    sql: &Client,
    given: Option<Millis>,
    connection: &str,
    name: &str,
    value: Option<&str>,
) -> Result<(), Fault> {
    match value {
        Some(value) => {
            run(
                sql,
                concat!(
                    "INSERT INTO note (connection, name, value, at) VALUES ($1, $2, $3, coalesce($4::bigint, ",
                    database_now!(),
                    ")) ON CONFLICT (connection, name) DO UPDATE SET value = excluded.value, at = excluded.at"
                ),
                &[&connection, &name, &value, &given],
            )
            .await
        }
        None => {
            run(
                sql,
                "DELETE FROM note WHERE connection = $1 AND name = $2",
                &[&connection, &name],
            )
            .await
        }
    }
    .map(drop)
}

/// The later moment wins, whoever comes last.
pub(super) async fn close_credential(
    sql: &Client,
    connection: &str,
    throttle: &Throttle,
) -> Result<(), Fault> {
    run(
        sql,
        "INSERT INTO throttle (connection, credential, until, reason) VALUES ($1, $2, $3, $4)
         ON CONFLICT (connection, credential) DO UPDATE SET until = excluded.until, reason = excluded.reason
         WHERE excluded.until > throttle.until",
        &[
            &connection,
            &throttle.credential,
            &throttle.until,
            &throttle.reason,
        ],
    )
    .await
    .map(drop)
}

/// Those that are still closed.
pub(super) async fn throttles(
    sql: &impl GenericClient,
    now: Millis,
    connection: &str,
) -> Result<Vec<Throttle>, Fault> {
    let found = rows(
        sql,
        "SELECT credential, until, reason FROM throttle WHERE connection = $1 AND until > $2 ORDER BY credential",
        &[&connection, &now],
    )
    .await?;
    Ok(found
        .iter()
        .map(|row| Throttle {
            credential: row.get(0),
            until: row.get(1),
            reason: row.get(2),
        })
        .collect())
}
