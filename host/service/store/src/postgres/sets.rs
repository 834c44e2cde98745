//! The set of plugins: its door, and where each question is answered.

use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

use super::fault::Fault;
use super::lanes::{limit, row, rows, run};
use super::text::storable;
use super::{PostgresStore, Tries};
use crate::sets::{EVENTS_KEPT, GENERATIONS_KEPT};
use crate::{
    Activation, Generation, Judgement, LaneId, Member, Millis, Quarantined, Said, SaidFile,
    SetEvent, Sets, StoreError,
};

#[async_trait]
impl Sets for PostgresStore {
    async fn generation(&self) -> Result<i64, StoreError> {
        by_one_statement!(self, "ask for the set's generation", |sql| newest(&sql))
    }

    async fn active_set(&self) -> Result<Option<Generation>, StoreError> {
        let found = from_snapshot!(self, "read the set of plugins", |sql| history(&sql, 1))?;
        Ok(found.into_iter().next())
    }

    async fn set_history(&self, limit: usize) -> Result<Vec<Generation>, StoreError> {
        from_snapshot!(self, "read the history of the set", |sql| history(
            &sql, limit
        ))
    }

    async fn component(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        by_one_statement!(self, "read a component", |sql| component(&sql, hash))
    }

    async fn activate(&self, next: Activation) -> Result<i64, StoreError> {
        let next = Activation {
            events: next.events.into_iter().map(storable_event).collect(),
            quarantined: next.quarantined.into_iter().map(storable_why).collect(),
            note: storable(next.note),
            ..next
        };
        in_transaction!(self, "make a generation of the set", |sql, given| activate(
            &sql, given, &next
        ))
    }

    async fn said(&self, folder: &str) -> Result<Option<Vec<SaidFile>>, StoreError> {
        by_one_statement!(self, "read what a folder held", |sql| said(&sql, folder))
    }

    async fn say(&self, said: Said) -> Result<(), StoreError> {
        in_transaction!(self, "write down what a folder holds", |sql, _given| say(
            &sql, &said
        ))
    }

    async fn quarantines(&self) -> Result<Vec<Quarantined>, StoreError> {
        by_one_statement!(self, "list quarantined versions", |sql| quarantines(&sql))
    }

    async fn quarantine(&self, what: Quarantined) -> Result<(), StoreError> {
        let what = storable_why(what);
        in_transaction!(self, "quarantine a version", |sql, given| quarantine(
            &sql, given, &what
        ))
    }

    async fn release(&self, sha256: &str, by: &str) -> Result<bool, StoreError> {
        let now = self.time.given();
        let rows = by_one_statement!(self, "release a version", |sql| run(
            &sql,
            concat!(
                "UPDATE quarantine SET released_by = $2, released_at = coalesce($3::bigint, ",
                database_now!(),
                ") WHERE sha256 = $1 AND released_at IS NULL"
            ),
            &[&sha256, &by, &now],
        ))?;
        Ok(rows > 0)
    }

    async fn tell(&self, events: Vec<SetEvent>) -> Result<(), StoreError> {
        let events: Vec<SetEvent> = events.into_iter().map(storable_event).collect();
        in_transaction!(
            self,
            "write into the journal of plugins",
            |sql, given| tell(&sql, given, &events, None)
        )
    }

    async fn set_events(&self, limit: usize) -> Result<Vec<SetEvent>, StoreError> {
        by_one_statement!(self, "read the journal of plugins", |sql| events(
            &sql, limit
        ))
    }

    async fn judgements(&self, pair: &str) -> Result<Vec<Judgement>, StoreError> {
        by_one_statement!(self, "read judgements", |sql| judgements(&sql, pair))
    }

    async fn judge(
        &self,
        pair: &str,
        judgements: Vec<Judgement>,
        others: &[String],
    ) -> Result<(), StoreError> {
        in_transaction!(self, "keep judgements", |sql, given| judge(
            &sql,
            given,
            pair,
            &judgements,
            others
        ))
    }
}

fn storable_event(event: SetEvent) -> SetEvent {
    SetEvent {
        message: storable(event.message),
        file: storable(event.file),
        ..event
    }
}

fn storable_why(what: Quarantined) -> Quarantined {
    Quarantined {
        why: storable(what.why),
        ..what
    }
}

/// The time of what is written: the given one, else the database's.
async fn time(sql: &Transaction<'_>, given: Option<Millis>) -> Result<Millis, Fault> {
    if let Some(given) = given {
        return Ok(given);
    }
    let now = row(sql, concat!("SELECT ", database_now!()), &[]).await?;
    Ok(now.map_or(0, |row| row.get(0)))
}

async fn newest(sql: &impl GenericClient) -> Result<i64, Fault> {
    let found = row(
        sql,
        "SELECT coalesce(max(generation), 0) FROM active_set",
        &[],
    )
    .await?;
    Ok(found.map_or(0, |row| row.get(0)))
}

async fn history(sql: &impl GenericClient, most: usize) -> Result<Vec<Generation>, Fault> {
    let found = rows(
        sql,
        "SELECT generation, by_whom, note, at FROM active_set ORDER BY generation DESC LIMIT $1",
        &[&limit(most)],
    )
    .await?;
    let mut generations = Vec::with_capacity(found.len());
    for one in found {
        let generation: i64 = one.get(0);
        let members = rows(
            sql,
            "SELECT file, candidate, sha256, component, source, operator, detail FROM set_member
             WHERE generation = $1 ORDER BY file, candidate",
            &[&generation],
        )
        .await?;
        generations.push(Generation {
            generation,
            members: members.iter().map(member).collect(),
            by: one.get(1),
            note: one.get(2),
            at: one.get(3),
        });
    }
    Ok(generations)
}

fn member(row: &Row) -> Member {
    Member {
        file: row.get(0),
        candidate: row.get::<_, i64>(1) == 1,
        sha256: row.get(2),
        component: row.get(3),
        source: row.get(4),
        operator: row.get(5),
        detail: row.get(6),
    }
}

async fn component(sql: &impl GenericClient, hash: &str) -> Result<Option<Vec<u8>>, Fault> {
    let found = row(sql, "SELECT bytes FROM component WHERE hash = $1", &[&hash]).await?;
    Ok(found.map(|row| row.get(0)))
}

/// Two that follow the same generation meet at the key of the next: one is tried again, and finds that it was overtaken.
async fn activate(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    next: &Activation,
) -> Result<i64, Fault> {
    let newest = newest(sql).await?;
    if newest != next.base {
        return Err(StoreError::Overtaken {
            base: next.base,
            now: newest,
        }
        .into());
    }
    for one in &next.members {
        let is_out = row(
            sql,
            "SELECT 1 FROM quarantine WHERE sha256 = $1 AND released_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM set_member WHERE generation = $2 AND set_member.sha256 = quarantine.sha256)",
            &[&one.sha256, &newest],
        )
        .await?;
        if is_out.is_some() {
            return Err(StoreError::TakenOut {
                file: one.file.clone(),
                hash: one.sha256.clone(),
            }
            .into());
        }
    }
    let (number, now) = (newest + 1, time(sql, given).await?);
    run(
        sql,
        "INSERT INTO active_set (generation, by_whom, note, at) VALUES ($1, $2, $3, $4)",
        &[&number, &next.by, &next.note, &now],
    )
    .await?;
    for one in &next.components {
        run(
            sql,
            "INSERT INTO component (hash, bytes, at) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING",
            &[&one.hash, &one.bytes, &now],
        )
        .await?;
    }
    for one in &next.members {
        for hash in std::iter::once(&one.component).chain(&one.source) {
            let has = row(sql, "SELECT 1 FROM component WHERE hash = $1", &[hash]).await?;
            if has.is_none() {
                return Err(StoreError::NoBytes {
                    file: one.file.clone(),
                    hash: hash.clone(),
                }
                .into());
            }
        }
        run(
            sql,
            "INSERT INTO set_member (generation, file, candidate, sha256, component, source, operator, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                &number,
                &one.file,
                &i64::from(one.candidate),
                &one.sha256,
                &one.component,
                &one.source,
                &one.operator,
                &one.detail,
            ],
        )
        .await?;
    }
    if let Some(said) = &next.said {
        say(sql, said).await?;
    }
    for one in &next.quarantined {
        quarantine(sql, Some(now), one).await?;
    }
    tell(sql, Some(now), &next.events, Some(number)).await?;
    forget(sql, number - GENERATIONS_KEPT).await?;
    Ok(number)
}

/// Generations up to this one, and bytes that no other names.
async fn forget(sql: &Transaction<'_>, upto: i64) -> Result<(), Fault> {
    if upto < 1 {
        return Ok(());
    }
    for statement in [
        "DELETE FROM set_member WHERE generation <= $1",
        "DELETE FROM active_set WHERE generation <= $1",
    ] {
        run(sql, statement, &[&upto]).await?;
    }
    run(
        sql,
        "DELETE FROM component WHERE NOT EXISTS (SELECT 1 FROM set_member WHERE set_member.component = component.hash)
         AND NOT EXISTS (SELECT 1 FROM set_member WHERE set_member.source = component.hash)",
        &[],
    )
    .await
    .map(drop)
}

async fn said(sql: &impl GenericClient, folder: &str) -> Result<Option<Vec<SaidFile>>, Fault> {
    let found = rows(
        sql,
        "SELECT file, sha256, operator FROM proposal WHERE folder = $1 ORDER BY file",
        &[&folder],
    )
    .await?;
    let files = found.iter().map(|row| SaidFile {
        file: row.get(0),
        sha256: row.get(1),
        operator: row.get(2),
    });
    let was_heard = !found.is_empty();
    Ok(was_heard.then(|| files.filter(|one| !one.file.is_empty()).collect()))
}

/// A row without a file says that the folder was heard, also of one that is empty.
async fn say(sql: &Transaction<'_>, said: &Said) -> Result<(), Fault> {
    run(
        sql,
        "DELETE FROM proposal WHERE folder = $1",
        &[&said.folder],
    )
    .await?;
    let heard = SaidFile::default();
    for one in std::iter::once(&heard).chain(&said.files) {
        run(
            sql,
            "INSERT INTO proposal (folder, file, sha256, operator) VALUES ($1, $2, $3, $4)",
            &[&said.folder, &one.file, &one.sha256, &one.operator],
        )
        .await?;
    }
    Ok(())
}

async fn quarantine(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    what: &Quarantined,
) -> Result<(), Fault> {
    let now = time(sql, given).await?;
    let Quarantined {
        sha256,
        file,
        plugin,
        why,
        by,
        ..
    } = what;
    run(
        sql,
        "INSERT INTO quarantine (sha256, file, plugin, why, by_whom, at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (sha256) DO UPDATE SET file = excluded.file, plugin = excluded.plugin, why = excluded.why,
             by_whom = excluded.by_whom, at = excluded.at, released_by = NULL, released_at = NULL",
        &[sha256, file, plugin, why, by, &now],
    )
    .await?;
    run(
        sql,
        "UPDATE proposal SET sha256 = '' WHERE sha256 = $1",
        &[sha256],
    )
    .await
    .map(drop)
}

async fn quarantines(sql: &impl GenericClient) -> Result<Vec<Quarantined>, Fault> {
    let found = rows(
        sql,
        "SELECT sha256, file, plugin, why, by_whom, at, released_by, released_at FROM quarantine ORDER BY at DESC, sha256",
        &[],
    )
    .await?;
    let quarantined = |row: &Row| {
        let by: Option<String> = row.get(6);
        let at: Option<i64> = row.get(7);
        Quarantined {
            sha256: row.get(0),
            file: row.get(1),
            plugin: row.get(2),
            why: row.get(3),
            by: row.get(4),
            at: row.get(5),
            released: by.zip(at),
        }
    };
    Ok(found.iter().map(quarantined).collect())
}

/// `made` is the generation that the events made.
async fn tell(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    events: &[SetEvent],
    made: Option<i64>,
) -> Result<(), Fault> {
    if events.is_empty() {
        return Ok(());
    }
    let now = time(sql, given).await?;
    let last = row(
        sql,
        "SELECT coalesce(max(number), 0) FROM plugin_event",
        &[],
    )
    .await?;
    let mut last: i64 = last.map_or(0, |row| row.get(0));
    for one in events {
        last += 1;
        run(
            sql,
            "INSERT INTO plugin_event (number, what, file, plugin, version, sha256, generation, by_whom, message, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[
                &last,
                &one.what,
                &one.file,
                &one.plugin,
                &one.version,
                &one.sha256,
                &one.generation.or(made),
                &one.by,
                &one.message,
                &now,
            ],
        )
        .await?;
    }
    run(
        sql,
        "DELETE FROM plugin_event WHERE number <= $1",
        &[&(last - EVENTS_KEPT)],
    )
    .await
    .map(drop)
}

async fn events(sql: &impl GenericClient, most: usize) -> Result<Vec<SetEvent>, Fault> {
    let found = rows(
        sql,
        "SELECT what, file, plugin, version, sha256, generation, by_whom, message, at FROM plugin_event
         ORDER BY number DESC LIMIT $1",
        &[&limit(most)],
    )
    .await?;
    let event = |row: &Row| SetEvent {
        what: row.get(0),
        file: row.get(1),
        plugin: row.get(2),
        version: row.get(3),
        sha256: row.get(4),
        generation: row.get(5),
        by: row.get(6),
        message: row.get(7),
        at: row.get(8),
    };
    Ok(found.iter().map(event).collect())
}

async fn judgements(sql: &impl GenericClient, pair: &str) -> Result<Vec<Judgement>, Fault> {
    let found = rows(
        sql,
        "SELECT connection, lane, verdict, body, at FROM judgement WHERE pair = $1 ORDER BY connection, lane",
        &[&pair],
    )
    .await?;
    let judgement = |row: &Row| Judgement {
        connection: row.get(0),
        lane: LaneId(row.get(1)),
        verdict: row.get(2),
        body: row.get(3),
        at: row.get(4),
    };
    Ok(found.iter().map(judgement).collect())
}

async fn judge(
    sql: &Transaction<'_>,
    given: Option<Millis>,
    pair: &str,
    judgements: &[Judgement],
    others: &[String],
) -> Result<(), Fault> {
    let now = time(sql, given).await?;
    run(
        sql,
        "DELETE FROM judgement WHERE pair <> $1 AND pair <> ALL ($2)",
        &[&pair, &others],
    )
    .await?;
    for one in judgements {
        run(
            sql,
            "INSERT INTO judgement (pair, connection, lane, verdict, body, at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (pair, connection, lane) DO UPDATE
             SET verdict = excluded.verdict, body = excluded.body, at = excluded.at",
            &[
                &pair,
                &one.connection,
                &one.lane.0,
                &one.verdict,
                &storable(one.body.clone()),
                &now,
            ],
        )
        .await?;
    }
    Ok(())
}
