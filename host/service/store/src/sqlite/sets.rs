//! The set of plugins: its door, and where each question is answered.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteStore;
use crate::sets::{EVENTS_KEPT, GENERATIONS_KEPT};
use crate::writer::{Desk, Failure};
use crate::{
    Activation, Generation, Judgement, LaneId, Member, Quarantined, Said, SaidFile, SetEvent, Sets,
    StoreError,
};

#[async_trait]
impl Sets for SqliteStore {
    async fn generation(&self) -> Result<i64, StoreError> {
        self.read("ask for the set's generation", newest).await
    }

    async fn active_set(&self) -> Result<Option<Generation>, StoreError> {
        self.read("read the set of plugins", |sql| {
            Ok(history(sql, 1)?.into_iter().next())
        })
        .await
    }

    async fn set_history(&self, limit: usize) -> Result<Vec<Generation>, StoreError> {
        self.read("read the history of the set", move |sql| {
            history(sql, limit)
        })
        .await
    }

    async fn component(&self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let hash = hash.to_owned();
        self.read("read a component", move |sql| {
            Ok(sql
                .prepare_cached("SELECT bytes FROM component WHERE hash = ?1")?
                .query_row([hash], |row| row.get(0))
                .optional()?)
        })
        .await
    }

    async fn activate(&self, next: Activation) -> Result<i64, StoreError> {
        self.write("make a generation of the set", move |desk| {
            activate(desk, &next)
        })
        .await
    }

    async fn said(&self, folder: &str) -> Result<Option<Vec<SaidFile>>, StoreError> {
        let folder = folder.to_owned();
        self.read("read what a folder held", move |sql| said(sql, &folder))
            .await
    }

    async fn say(&self, said: Said) -> Result<(), StoreError> {
        self.write("write down what a folder holds", move |desk| {
            say(desk, &said)
        })
        .await
    }

    async fn quarantines(&self) -> Result<Vec<Quarantined>, StoreError> {
        self.read("list quarantined versions", quarantines).await
    }

    async fn quarantine(&self, what: Quarantined) -> Result<(), StoreError> {
        self.write("quarantine a version", move |desk| quarantine(desk, &what))
            .await
    }

    async fn release(&self, sha256: &str, by: &str) -> Result<bool, StoreError> {
        let (sha256, by) = (sha256.to_owned(), by.to_owned());
        self.write("release a version", move |desk| {
            let rows = desk
                .sql
                .prepare_cached(
                    "UPDATE quarantine SET released_by = ?2, released_at = ?3 WHERE sha256 = ?1 AND released_at IS NULL",
                )?
                .execute(params![sha256, by, desk.now])?;
            Ok(rows > 0)
        })
        .await
    }

    async fn tell(&self, events: Vec<SetEvent>) -> Result<(), StoreError> {
        self.write("write into the journal of plugins", move |desk| {
            tell(desk, &events, None)
        })
        .await
    }

    async fn set_events(&self, limit: usize) -> Result<Vec<SetEvent>, StoreError> {
        self.read("read the journal of plugins", move |sql| {
            Ok(sql
                .prepare_cached(
                    "SELECT what, file, plugin, version, sha256, generation, by_whom, message, at FROM plugin_event
                     ORDER BY number DESC LIMIT ?1",
                )?
                .query_map([limit as i64], |row| {
                    Ok(SetEvent {
                        what: row.get(0)?,
                        file: row.get(1)?,
                        plugin: row.get(2)?,
                        version: row.get(3)?,
                        sha256: row.get(4)?,
                        generation: row.get(5)?,
                        by: row.get(6)?,
                        message: row.get(7)?,
                        at: row.get(8)?,
                    })
                })?
                .collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn judgements(&self, pair: &str) -> Result<Vec<Judgement>, StoreError> {
        let pair = pair.to_owned();
        self.read("read judgements", move |sql| {
            Ok(sql
                .prepare_cached(
                    "SELECT connection, lane, verdict, body, at FROM judgement WHERE pair = ?1 ORDER BY connection, lane",
                )?
                .query_map([pair], |row| {
                    Ok(Judgement {
                        connection: row.get(0)?,
                        lane: LaneId(row.get(1)?),
                        verdict: row.get(2)?,
                        body: row.get(3)?,
                        at: row.get(4)?,
                    })
                })?
                .collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn judge(
        &self,
        pair: &str,
        judgements: Vec<Judgement>,
        others: &[String],
    ) -> Result<(), StoreError> {
        let (pair, others) = (pair.to_owned(), others.to_vec());
        self.write("keep judgements", move |desk| {
            let pairs: Vec<String> = desk
                .sql
                .prepare_cached("SELECT DISTINCT pair FROM judgement WHERE pair <> ?1")?
                .query_map([&pair], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for old in pairs.iter().filter(|old| !others.contains(old)) {
                desk.sql
                    .prepare_cached("DELETE FROM judgement WHERE pair = ?1")?
                    .execute([old])?;
            }
            let mut keep = desk.sql.prepare_cached(
                "INSERT INTO judgement (pair, connection, lane, verdict, body, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (pair, connection, lane) DO UPDATE
                 SET verdict = excluded.verdict, body = excluded.body, at = excluded.at",
            )?;
            for one in &judgements {
                let Judgement {
                    connection,
                    lane,
                    verdict,
                    body,
                    ..
                } = one;
                keep.execute(params![pair, connection, lane.0, verdict, body, desk.now])?;
            }
            Ok(())
        })
        .await
    }
}

fn newest(sql: &Connection) -> Result<i64, Failure> {
    Ok(sql
        .prepare_cached("SELECT coalesce(max(generation), 0) FROM active_set")?
        .query_row([], |row| row.get(0))?)
}

fn history(sql: &Connection, limit: usize) -> Result<Vec<Generation>, Failure> {
    let mut generations: Vec<Generation> = sql
        .prepare_cached(
            "SELECT generation, by_whom, note, at FROM active_set ORDER BY generation DESC LIMIT ?1",
        )?
        .query_map([limit as i64], |row| {
            Ok(Generation {
                generation: row.get(0)?,
                members: Vec::new(),
                by: row.get(1)?,
                note: row.get(2)?,
                at: row.get(3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let mut members = sql.prepare_cached(
        "SELECT file, candidate, sha256, component, source, operator, detail FROM set_member
         WHERE generation = ?1 ORDER BY file, candidate",
    )?;
    for one in &mut generations {
        one.members = members
            .query_map([one.generation], member)?
            .collect::<Result<_, _>>()?;
    }
    Ok(generations)
}

fn member(row: &Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member {
        file: row.get(0)?,
        candidate: row.get::<_, i64>(1)? == 1,
        sha256: row.get(2)?,
        component: row.get(3)?,
        source: row.get(4)?,
        operator: row.get(5)?,
        detail: row.get(6)?,
    })
}

fn activate(desk: &mut Desk<'_>, next: &Activation) -> Result<i64, Failure> {
    let (sql, now) = (desk.sql, desk.now);
    let newest = newest(sql)?;
    if newest != next.base {
        return Err(StoreError::Overtaken {
            base: next.base,
            now: newest,
        }
        .into());
    }
    let mut is_out = sql.prepare_cached(
        "SELECT 1 FROM quarantine WHERE sha256 = ?1 AND released_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM set_member WHERE generation = ?2 AND set_member.sha256 = quarantine.sha256)",
    )?;
    for one in &next.members {
        if is_out.exists(params![one.sha256, newest])? {
            return Err(StoreError::TakenOut {
                file: one.file.clone(),
                hash: one.sha256.clone(),
            }
            .into());
        }
    }
    let number = newest + 1;
    let mut give = sql.prepare_cached(
        "INSERT INTO component (hash, bytes, at) VALUES (?1, ?2, ?3) ON CONFLICT (hash) DO NOTHING",
    )?;
    for component in &next.components {
        give.execute(params![component.hash, component.bytes, now])?;
    }
    sql.prepare_cached(
        "INSERT INTO active_set (generation, by_whom, note, at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![number, next.by, next.note, now])?;
    let mut has = sql.prepare_cached("SELECT 1 FROM component WHERE hash = ?1")?;
    let mut add = sql.prepare_cached(
        "INSERT INTO set_member (generation, file, candidate, sha256, component, source, operator, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for one in &next.members {
        for hash in std::iter::once(&one.component).chain(&one.source) {
            if !has.exists([hash])? {
                return Err(StoreError::NoBytes {
                    file: one.file.clone(),
                    hash: hash.clone(),
                }
                .into());
            }
        }
        add.execute(params![
            number,
            one.file,
            i64::from(one.candidate),
            one.sha256,
            one.component,
            one.source,
            one.operator,
            one.detail
        ])?;
    }
    if let Some(said) = &next.said {
        say(desk, said)?;
    }
    for one in &next.quarantined {
        quarantine(desk, one)?;
    }
    tell(desk, &next.events, Some(number))?;
    forget(sql, number - GENERATIONS_KEPT)?;
    Ok(number)
}

/// Generations up to this one, and bytes that no other names.
fn forget(sql: &Connection, upto: i64) -> Result<(), Failure> {
    if upto < 1 {
        return Ok(());
    }
    for statement in [
        "DELETE FROM set_member WHERE generation <= ?1",
        "DELETE FROM active_set WHERE generation <= ?1",
    ] {
        sql.prepare_cached(statement)?.execute([upto])?;
    }
    sql.prepare_cached(
        "DELETE FROM component WHERE NOT EXISTS (SELECT 1 FROM set_member WHERE set_member.component = component.hash)
         AND NOT EXISTS (SELECT 1 FROM set_member WHERE set_member.source = component.hash)",
    )?
    .execute([])?;
    Ok(())
}

fn said(sql: &Connection, folder: &str) -> Result<Option<Vec<SaidFile>>, Failure> {
    let rows: Vec<SaidFile> = sql
        .prepare_cached(
            "SELECT file, sha256, operator FROM proposal WHERE folder = ?1 ORDER BY file",
        )?
        .query_map([folder], |row| {
            Ok(SaidFile {
                file: row.get(0)?,
                sha256: row.get(1)?,
                operator: row.get(2)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let was_heard = !rows.is_empty();
    Ok(was_heard.then(|| {
        rows.into_iter()
            .filter(|one| !one.file.is_empty())
            .collect()
    }))
}

/// A row without a file says that the folder was heard, also of one that is empty.
fn say(desk: &Desk<'_>, said: &Said) -> Result<(), Failure> {
    desk.sql
        .prepare_cached("DELETE FROM proposal WHERE folder = ?1")?
        .execute([&said.folder])?;
    let mut add = desk.sql.prepare_cached(
        "INSERT INTO proposal (folder, file, sha256, operator) VALUES (?1, ?2, ?3, ?4)",
    )?;
    add.execute(params![said.folder, "", "", ""])?;
    for one in &said.files {
        add.execute(params![said.folder, one.file, one.sha256, one.operator])?;
    }
    Ok(())
}

fn quarantine(desk: &Desk<'_>, what: &Quarantined) -> Result<(), Failure> {
    let Quarantined {
        sha256,
        file,
        plugin,
        why,
        by,
        ..
    } = what;
    desk.sql
        .prepare_cached(
            "INSERT INTO quarantine (sha256, file, plugin, why, by_whom, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (sha256) DO UPDATE SET file = excluded.file, plugin = excluded.plugin, why = excluded.why,
                 by_whom = excluded.by_whom, at = excluded.at, released_by = NULL, released_at = NULL",
        )?
        .execute(params![sha256, file, plugin, why, by, desk.now])?;
    desk.sql
        .prepare_cached("UPDATE proposal SET sha256 = '' WHERE sha256 = ?1")?
        .execute([sha256])?;
    Ok(())
}

fn quarantines(sql: &Connection) -> Result<Vec<Quarantined>, Failure> {
    Ok(sql
        .prepare_cached(
            "SELECT sha256, file, plugin, why, by_whom, at, released_by, released_at FROM quarantine ORDER BY at DESC, sha256",
        )?
        .query_map([], |row| {
            let by: Option<String> = row.get(6)?;
            let at: Option<i64> = row.get(7)?;
            Ok(Quarantined {
                sha256: row.get(0)?,
                file: row.get(1)?,
                plugin: row.get(2)?,
                why: row.get(3)?,
                by: row.get(4)?,
                at: row.get(5)?,
                released: by.zip(at),
            })
        })?
        .collect::<Result<_, _>>()?)
}

/// `made` is the generation that the events made.
fn tell(desk: &Desk<'_>, events: &[SetEvent], made: Option<i64>) -> Result<(), Failure> {
    if events.is_empty() {
        return Ok(());
    }
    let sql = desk.sql;
    let mut last: i64 = sql
        .prepare_cached("SELECT coalesce(max(number), 0) FROM plugin_event")?
        .query_row([], |row| row.get(0))?;
    let mut add = sql.prepare_cached(
        "INSERT INTO plugin_event (number, what, file, plugin, version, sha256, generation, by_whom, message, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for one in events {
        last += 1;
        add.execute(params![
            last,
            one.what,
            one.file,
            one.plugin,
            one.version,
            one.sha256,
            one.generation.or(made),
            one.by,
            one.message,
            desk.now
        ])?;
    }
    sql.prepare_cached("DELETE FROM plugin_event WHERE number <= ?1")?
        .execute([last - EVENTS_KEPT])?;
    Ok(())
}
