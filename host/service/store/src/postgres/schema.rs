//! Tables and their versions in PostgreSQL: the same files as SQLite's, said in the other dialect.

use deadpool_postgres::Transaction;

use super::fault::Fault;

/// Each entry leads from the version before it to its own. The files are SQLite's, so that the tables of both stores cannot grow apart;
/// [`translated`] says how they differ.
const VERSIONS: [&str; 4] = [
    include_str!("../sqlite/schema-1.sql"),
    include_str!("../sqlite/schema-2.sql"),
    include_str!("../sqlite/schema-3.sql"),
    include_str!("../sqlite/schema-4.sql"),
];

/// `cosell` in ASCII: who holds it migrates, all others wait. Of hosts that start together one brings the tables up to date.
const MIGRATION_LOCK: i64 = 0x0063_6f73_656c_6c00;

/// What only PostgreSQL needs to be told. A lane and a bell are updated again and again: room in their pages keeps new versions of a row
/// beside the old ones, and vacuum comes before the index of due lanes is mostly dead entries.
const TUNING: &str = "
    ALTER TABLE lane SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
    ALTER TABLE bell SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
    ALTER TABLE intent SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);";

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    #[error(
        "made by a newer cosell: the schema has version {found}, this cosell knows versions up to {known}; install the newer one"
    )]
    Newer { found: i64, known: usize },
    #[error(
        "its tables have version {found}, and this cosell works with version {known}: `cosell store migrate`, or a start of this release's host, brings them up to date; nothing was changed"
    )]
    Older { found: usize, known: usize },
    #[error(
        "the schema {schema} holds tables of another program; name another one with ?schema=NAME"
    )]
    Foreign { schema: String },
    #[error(
        "the database's encoding is {encoding}, and names of people need UTF8; create it with ENCODING 'UTF8'"
    )]
    Encoding { encoding: String },
}

/// The oldest cosell, by the number of steps that it knows, that works with the tables as the newest step leaves them. A step that only adds (a table, a
/// column that may be empty or has a default) leaves it as it is: then hosts of two releases run beside each other while one is replaced by the other, and
/// one of the older release that has to start again may. A step that takes away, renames or changes what a column means sets it to its own number, and
/// belongs into the release after the one that stopped to use what is taken away.
const WORKS_SINCE: i64 = 4;

/// A file of SQLite's as PostgreSQL reads it. That is all in which the tables differ.
///
/// * INTEGER has 64 bits in SQLite and 32 here.
/// * Texts compare by their bytes in both: the order of a page must not depend on where the database was made.
/// * Bytes have another name.
/// * STRICT and WITHOUT ROWID are how SQLite is asked for what PostgreSQL does anyway.
fn translated(step: &str) -> String {
    step.replace(" INTEGER", " BIGINT")
        .replace(" TEXT", " TEXT COLLATE \"C\"")
        .replace(" BLOB", " BYTEA")
        .replace(") STRICT, WITHOUT ROWID;", ");")
        .replace(") STRICT;", ");")
}

/// Brings the tables up to date: all steps or none. Whoever only looks is refused where a step is missing in the tables of an earlier release.
pub(super) async fn migrate(
    sql: &Transaction<'_>,
    schema: &str,
    only_looks: bool,
) -> Result<(), Fault> {
    sql.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK])
        .await?;
    let encoding: String = sql
        .query_one("SELECT current_setting('server_encoding')", &[])
        .await?
        .get(0);
    if encoding != "UTF8" {
        return Err(Fault::broken(SchemaError::Encoding { encoding }));
    }
    let tables: i64 = sql
        .query_one(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = $1",
            &[&schema],
        )
        .await?
        .get(0);
    // Asked first: without the right to make schemas, one that an administrator has made is used all the same.
    let there = sql
        .query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&schema])
        .await?;
    if there.is_none() {
        sql.batch_execute(&format!("CREATE SCHEMA \"{schema}\""))
            .await?;
    }
    let ours = sql
        .query_opt(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = $1 AND table_name = 'store_version'",
            &[&schema],
        )
        .await?;
    if ours.is_none() {
        if tables > 0 {
            let schema = schema.to_owned();
            return Err(Fault::broken(SchemaError::Foreign { schema }));
        }
        sql.batch_execute(
            "CREATE TABLE store_version (version BIGINT NOT NULL, works_since BIGINT); INSERT INTO store_version VALUES (0)",
        )
        .await?;
    }
    // Tables of before have no such column, and whoever only works with them may not be let add one.
    let versions = sql
        .query_one(
            "SELECT version, (to_jsonb(store_version) ->> 'works_since')::bigint FROM store_version",
            &[],
        )
        .await?;
    let (found, works_since): (i64, Option<i64>) = (versions.get(0), versions.get(1));
    let known = VERSIONS.len() as i64;
    if found > known && works_since.is_some_and(|since| since <= known) {
        // A newer host has been here, and says that what it has added is in nobody's way.
        return Ok(());
    }
    let Some(missing) = usize::try_from(found)
        .ok()
        .and_then(|found| VERSIONS.get(found..))
    else {
        return Err(Fault::broken(SchemaError::Newer {
            found,
            known: VERSIONS.len(),
        }));
    };
    if missing.is_empty() {
        return Ok(());
    }
    if only_looks && found > 0 {
        return Err(Fault::broken(SchemaError::Older {
            found: VERSIONS.len() - missing.len(),
            known: VERSIONS.len(),
        }));
    }
    for step in missing {
        sql.batch_execute(&translated(step)).await?;
    }
    if found == 0 {
        sql.batch_execute(TUNING).await?;
    }
    sql.batch_execute("ALTER TABLE store_version ADD COLUMN IF NOT EXISTS works_since BIGINT")
        .await?;
    sql.execute(
        "UPDATE store_version SET version = $1, works_since = $2",
        &[&known, &WORKS_SINCE],
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_sqlites_dialect_is_left() {
        for step in VERSIONS {
            let text = translated(step);
            let said = text.lines().filter(|line| !line.starts_with("--"));
            for line in said {
                assert!(
                    !line.contains("INTEGER")
                        && !line.contains("BLOB")
                        && !line.contains("STRICT")
                        && !line.contains("ROWID"),
                    "{line}"
                );
                assert!(
                    !line.contains("TEXT") || line.contains("TEXT COLLATE \"C\""),
                    "{line}"
                );
            }
        }
    }
}
