//! Everything that a store holds, from one store into another: SQLite to PostgreSQL, back, or into a backup.
//!
//! Both have the same tables, so rows travel as they are: table by table in an order in which nothing names what is not there yet, out of
//! one snapshot, into one transaction. Nothing is in the target until all is.

use tokio::sync::mpsc;

use crate::{PostgresStore, SqliteStore, StoreError, StoreUrl};

const DOING: &str = "copy a store";

/// Rows that travel together, where they are small.
const BATCH: usize = 1_000;
/// Batches that may wait for the slower side.
const AHEAD: usize = 4;

/// A table and the order of its rows: parents before children.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) key: &'static str,
    /// Rows that travel together.
    pub(crate) batch: usize,
}

/// All tables, parents first.
pub(crate) const TABLES: &[Table] = &[
    table("counter", "connection, name"),
    // A retired lane names its elder, which may be younger; see [`Table::rows`].
    table("lane", "connection, lane"),
    table("member", "connection, side, kind, record"),
    table("bell", "connection, side, kind, record"),
    table("event", "connection, side, kind, record, ring"),
    table("link", "connection, lane"),
    table("base", "connection, lane, unit, side"),
    table("raw", "connection, lane, hash"),
    table("intent", "connection, lane"),
    table("attempt", "connection, lane, number"),
    table("audit", "connection, lane, sequence"),
    table("cursor", "connection, stream"),
    table("throttle", "connection, credential"),
    table("card", "connection, card"),
    table("hold", "connection, hold"),
    table("note", "connection, name"),
    Table {
        // Megabytes each.
        batch: 1,
        ..table("component", "hash")
    },
    table("active_set", "generation"),
    table("set_member", "generation, file, candidate"),
    table("quarantine", "sha256"),
    table("proposal", "folder, file"),
    table("plugin_event", "number"),
    table("judgement", "pair, connection, lane"),
    Table {
        // Up to hundreds of kilobytes each.
        batch: 16,
        ..table("recording", "connection, lane, content")
    },
];

const fn table(name: &'static str, key: &'static str) -> Table {
    Table {
        name,
        key,
        batch: BATCH,
    }
}

impl Table {
    /// Its rows in an order in which they can be inserted, in SQL that both stores speak.
    pub(crate) fn rows(&self) -> String {
        let Self { name, key, .. } = self;
        if *name != "lane" {
            return format!("SELECT * FROM {name} ORDER BY {key}");
        }
        "WITH RECURSIVE generation (connection, lane, depth) AS (
             SELECT connection, lane, 0 FROM lane WHERE retired_into IS NULL
             UNION ALL SELECT lane.connection, lane.lane, generation.depth + 1 FROM lane JOIN generation
             ON generation.connection = lane.connection AND generation.lane = lane.retired_into)
         SELECT lane.* FROM lane JOIN generation ON generation.connection = lane.connection AND generation.lane = lane.lane
         ORDER BY generation.depth, lane.connection, lane.lane"
            .to_owned()
    }
}

/// One value of a row. The tables know no others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// What travels.
#[derive(Debug)]
pub(crate) enum Parcel {
    /// Some rows of a table.
    Rows {
        table: &'static str,
        columns: Vec<String>,
        rows: Vec<Vec<Cell>>,
    },
    /// That was all. Without it the target forgets what came.
    End,
}

/// How much was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    /// Rows of all tables.
    pub rows: u64,
    /// Deals: rows of the table of lanes.
    pub lanes: u64,
}

/// Copies everything from a store into an empty one, which is made if it is missing. The source stays as it is.
///
/// Hosts may run on the source: what they do after the copy began is not in it. Where the copy is to take the source's place, stop them first
/// and say so with `at_rest`.
///
/// # Errors
/// [`StoreError::Broken`]: one of the two cannot be opened, the source is not there, the target is not empty, a lane of a source that
/// should be at rest is being worked on, or a database failed. The target is as it was then.
pub async fn copy(from: &StoreUrl, to: &StoreUrl, at_rest: bool) -> Result<Copied, StoreError> {
    let (parcels, delivery) = mpsc::channel(AHEAD);
    let reading = read(from, at_rest, parcels);
    let writing = write(to, delivery);
    let (read, written) = tokio::join!(reading, writing);
    match (read, written) {
        (Ok(()), written) => written,
        // Where one side fails the other one is cut off, and that is not why.
        (Err(read), Err(written)) if was_cut(&read) => Err(written),
        (Err(read), _) => Err(read),
    }
}

fn was_cut(error: &StoreError) -> bool {
    let StoreError::Broken { source, .. } = error else {
        return false;
    };
    matches!(source.downcast_ref(), Some(CopyError::Cut))
}

/// Shows everything that a store holds to `see`, row by row: the table, the names of its columns, and their values. One moment's, in the order of a
/// copy.
///
/// # Errors
/// [`StoreError::Broken`], as for [`copy`].
pub(crate) async fn each_row(
    from: &StoreUrl,
    mut see: impl FnMut(&'static str, &[String], Vec<Cell>),
) -> Result<(), StoreError> {
    let (parcels, mut delivery) = mpsc::channel(AHEAD);
    let reading = read(from, false, parcels);
    let seeing = async {
        while let Some(Parcel::Rows {
            table,
            columns,
            rows,
        }) = delivery.recv().await
        {
            for row in rows {
                see(table, &columns, row);
            }
        }
    };
    let (read, ()) = tokio::join!(reading, seeing);
    read
}

/// Everything that a store holds as lines of text, in an order that depends on nothing but the content: for comparing.
///
/// # Errors
/// [`StoreError::Broken`], as for [`copy`].
pub async fn dump(from: &StoreUrl) -> Result<Vec<String>, StoreError> {
    let mut lines = Vec::new();
    each_row(from, |table, columns, row| {
        let mut cells: Vec<String> = columns
            .iter()
            .zip(row)
            .map(|(column, cell)| match cell {
                Cell::Null => format!("{column}=-"),
                Cell::Integer(number) => format!("{column}={number}"),
                Cell::Text(text) => format!("{column}={text:?}"),
                Cell::Bytes(bytes) => format!("{column}=x{}", hex::encode(bytes)),
            })
            .collect();
        cells.sort();
        lines.push(format!("{table}: {}", cells.join(" ")));
    })
    .await?;
    Ok(lines)
}

async fn read(
    from: &StoreUrl,
    at_rest: bool,
    parcels: mpsc::Sender<Parcel>,
) -> Result<(), StoreError> {
    match from {
        StoreUrl::Sqlite(path) => {
            let path = path.clone();
            aside(move || SqliteStore::send(&path, at_rest, &parcels)).await
        }
        StoreUrl::Postgres(url) => {
            let store = PostgresStore::attach(url, None)?.to_look();
            store.send(at_rest, &parcels).await
        }
    }
}

async fn write(to: &StoreUrl, mut delivery: mpsc::Receiver<Parcel>) -> Result<Copied, StoreError> {
    match to {
        StoreUrl::Sqlite(path) => {
            let path = path.clone();
            aside(move || SqliteStore::receive(&path, &mut delivery)).await
        }
        StoreUrl::Postgres(url) => {
            let store = PostgresStore::open(url, None).await?;
            store.receive(&mut delivery).await
        }
    }
}

/// On a thread that may block.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(broken(error)))
}

/// Why a copy is not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("there is no store at {path}")]
    Missing { path: String },
    #[error("the target holds something already ({rows} rows in {table}); name an empty one")]
    NotEmpty { table: &'static str, rows: i64 },
    #[error(
        "{lanes} deals are being worked on; stop the hosts, or wait until their leases have run out (a minute)"
    )]
    Busy { lanes: i64 },
    #[error("the other side ended before everything was copied")]
    Cut,
    #[error("a value is neither a number nor a text nor bytes: column {column} of {table}")]
    Odd { table: String, column: String },
}

pub(crate) fn broken(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Broken {
        doing: DOING,
        source: source.into(),
    }
}

impl Copied {
    pub(crate) fn count(&mut self, table: &str, rows: usize) {
        self.rows += rows as u64;
        if table == "lane" {
            self.lanes += rows as u64;
        }
    }
}

/// Lanes that somebody works on at a moment, which is the only parameter.
pub(crate) const LEASED: &str = "SELECT count(*) FROM lane WHERE lease_until > ";
