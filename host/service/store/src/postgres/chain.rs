//! The audit's rows.

use deadpool_postgres::{GenericClient, Transaction};

use super::fault::Fault;
use super::lanes::{Desk, rows, run};
use crate::audit::{SCHEME, Stored, Walk, chain_start, sealed};
use crate::{AuditEntry, AuditLine, ChainBreak, LaneId};

/// Appends lines to the locked lane's chain and notes its new end on the lane.
pub(super) async fn append(desk: &Desk<'_>, lines: &[AuditLine]) -> Result<(), Fault> {
    let mut head = match &desk.audit_head {
        Some(head) => head.clone(),
        None => chain_start(desk.connection, desk.lane.0),
    };
    let (mut sequences, mut hashes) = (Vec::new(), Vec::new());
    let (mut salts, mut commitments) = (Vec::new(), Vec::new());
    for (sequence, line) in (desk.audited + 1..).zip(lines) {
        let sealed = sealed(&head, sequence, desk.now, line);
        head.clone_from(&sealed.hash);
        sequences.push(sequence);
        hashes.push(sealed.hash);
        salts.push(sealed.salt);
        commitments.push(sealed.commitment);
    }
    let Some(last) = sequences.last() else {
        return Ok(());
    };
    let texts = |of: fn(&AuditLine) -> &str| lines.iter().map(of).collect::<Vec<_>>();
    run(
        desk.sql,
        "INSERT INTO audit (connection, lane, sequence, at, kind, message, detail, scheme, hash, salt, commitment)
         SELECT $1, $2, line.sequence, $3, line.kind, line.message, line.detail, $4, line.hash, line.salt, line.commitment
         FROM unnest($5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
             AS line (sequence, kind, message, detail, hash, salt, commitment)",
        &[
            &desk.connection,
            &desk.lane.0,
            &desk.now,
            &SCHEME,
            &sequences,
            &texts(|line| &line.kind),
            &texts(|line| &line.message),
            &texts(|line| &line.detail),
            &hashes,
            &salts,
            &commitments,
        ],
    )
    .await?;
    run(
        desk.sql,
        "UPDATE lane SET audited = $3, audit_head = $4 WHERE connection = $1 AND lane = $2",
        &[&desk.connection, &desk.lane.0, last, &head],
    )
    .await
    .map(drop)
}

/// A lane's entries, oldest first.
pub(super) async fn entries(
    sql: &impl GenericClient,
    connection: &str,
    lane: LaneId,
) -> Result<Vec<AuditEntry>, Fault> {
    let found = rows(
        sql,
        "SELECT sequence, at, kind, message, detail, hash FROM audit
         WHERE connection = $1 AND lane = $2 ORDER BY sequence",
        &[&connection, &lane.0],
    )
    .await?;
    Ok(found
        .iter()
        .map(|row| AuditEntry {
            sequence: row.get(0),
            at: row.get(1),
            line: AuditLine {
                kind: row.get(2),
                message: row.get(3),
                detail: row.get(4),
            },
            hash: row.get(5),
        })
        .collect())
}

/// Entries read at once while all chains are verified.
const PAGE: i32 = 1_000;

/// Recomputes every chain, one lane after the other, and compares its end with what the lane says.
pub(super) async fn check(sql: &Transaction<'_>) -> Result<Vec<ChainBreak>, Fault> {
    sql.batch_execute("SET LOCAL statement_timeout = 0").await?;
    let statement = sql
        .prepare_cached(
            "SELECT lane.connection, lane.lane, lane.audited, lane.audit_head,
                 audit.sequence, audit.at, audit.kind, audit.message, audit.detail, audit.hash, audit.scheme,
                 audit.salt, audit.commitment, audit.erased
             FROM lane LEFT JOIN audit ON audit.connection = lane.connection AND audit.lane = lane.lane
             ORDER BY lane.connection, lane.lane, audit.sequence",
        )
        .await?;
    let portal = sql.bind(&statement, &[]).await?;
    let mut breaks = Vec::new();
    let mut walking: Option<Walking> = None;
    loop {
        let page = sql.query_portal(&portal, PAGE).await?;
        for row in &page {
            let (connection, lane): (&str, i64) = (row.get(0), row.get(1));
            if walking
                .as_ref()
                .is_none_or(|walking| walking.connection != connection || walking.lane != lane)
            {
                breaks.extend(walking.take().and_then(Walking::end));
                walking = Some(Walking {
                    connection: connection.to_owned(),
                    lane,
                    audited: row.get(2),
                    head: row.get(3),
                    walk: Walk::begin(connection, lane),
                });
            }
            if let (Some(sequence), Some(walking)) = (row.get(4), &mut walking) {
                let line = AuditLine {
                    kind: row.get(6),
                    message: row.get(7),
                    detail: row.get(8),
                };
                let entry = AuditEntry {
                    sequence,
                    at: row.get(5),
                    line,
                    hash: row.get(9),
                };
                walking.walk.see(&Stored {
                    entry,
                    scheme: row.get(10),
                    salt: row.get(11),
                    commitment: row.get(12),
                    erased: row.get::<_, i64>(13) != 0,
                });
            }
        }
        if page.is_empty() {
            breaks.extend(walking.take().and_then(Walking::end));
            return Ok(breaks);
        }
    }
}

/// The lane whose chain is being verified.
struct Walking {
    connection: String,
    lane: i64,
    audited: i64,
    head: Option<String>,
    walk: Walk,
}

impl Walking {
    fn end(self) -> Option<ChainBreak> {
        let sequence = self.walk.end(self.audited, self.head.as_deref())?;
        Some(ChainBreak {
            connection: self.connection,
            lane: self.lane,
            sequence,
        })
    }
}
