//! A store, a clock that is turned by hand, and the words in which the facts are told.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use cosell_local_postgres::LocalPostgres;
use cosell_store::{
    Accepted, AcceptedEvent, After, AuditLine, Bell, CardChange, Change, Clock, HoldChange, Intent,
    LaneId, LaneState, LaneSummary, Lease, LinkState, Millis, Next, PostgresStore, PostgresUrl,
    RecordKey, SqliteStore, Store, StoreUrl,
};

/// The connection of most facts.
pub(crate) const HERE: &str = "contoso";
/// How long leases are, unless the fact says otherwise.
pub(crate) const LEASE_MS: Millis = 60_000;
/// When every stage begins.
pub(crate) const BEGIN: Millis = 1_000_000;

/// A clock that stands still until it is turned.
#[derive(Clone)]
pub(crate) struct Hand(Arc<AtomicI64>);

impl Hand {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(BEGIN)))
    }

    pub(crate) fn clock(&self) -> Clock {
        let hand = self.0.clone();
        Arc::new(move || hand.load(Ordering::SeqCst))
    }

    pub(crate) fn now(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn turn(&self, ms: Millis) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

/// What a fact is told with.
pub(crate) struct Stage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hand: Hand,
    place: Place,
}

/// Where the store keeps what it remembers.
enum Place {
    Memory,
    /// Deleted with the stage.
    Folder(tempfile::TempDir),
    Database(Box<PostgresUrl>),
}

/// Schemas that were used in this process's server: every stage has its own.
static SCHEMAS: AtomicU32 = AtomicU32::new(0);

/// A schema of the process's own server that nobody has used.
pub(crate) fn new_schema() -> PostgresUrl {
    new_schema_with("")
}

/// The same, with further parameters.
pub(crate) fn new_schema_with(more: &str) -> PostgresUrl {
    let server = LocalPostgres::shared().unwrap_or_else(|error| panic!("{error}"));
    let number = SCHEMAS.fetch_add(1, Ordering::Relaxed);
    match server.url(&format!("schema=stage_{number}{more}")).parse() {
        Ok(StoreUrl::Postgres(url)) => *url,
        other => panic!("not an address: {other:?}"),
    }
}

impl Stage {
    pub(crate) fn in_memory() -> Self {
        let hand = Hand::new();
        let store = Arc::new(SqliteStore::in_memory(hand.clock()).expect("memory for a store"));
        Self {
            store,
            hand,
            place: Place::Memory,
        }
    }

    pub(crate) fn in_a_file() -> Self {
        let hand = Hand::new();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteStore::open(folder.path().join("cosell.db"), hand.clock())
            .expect("an empty store");
        Self {
            store: Arc::new(store),
            hand,
            place: Place::Folder(folder),
        }
    }

    pub(crate) async fn on_postgres() -> Self {
        Self::at(new_schema()).await
    }

    pub(crate) async fn at(url: PostgresUrl) -> Self {
        let hand = Hand::new();
        let store = PostgresStore::open(&url, Some(hand.clock())).await;
        Self {
            store: Arc::new(store.expect("an empty store")),
            hand,
            place: Place::Database(Box::new(url)),
        }
    }

    /// The file, for facts about files.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.place {
            Place::Folder(folder) => folder.path().join("cosell.db"),
            _ => panic!("no stage in a file"),
        }
    }

    /// The database, for facts about PostgreSQL.
    pub(crate) fn url(&self) -> &PostgresUrl {
        match &self.place {
            Place::Database(url) => url,
            _ => panic!("no stage on PostgreSQL"),
        }
    }

    /// Where it is.
    pub(crate) fn address(&self) -> StoreUrl {
        match &self.place {
            Place::Memory => panic!("a store in memory has no address"),
            Place::Folder(_) => StoreUrl::Sqlite(self.path()),
            Place::Database(url) => StoreUrl::Postgres(url.clone()),
        }
    }

    /// Changes tables behind the store's back.
    pub(crate) async fn by_hand(&self, statements: &str) {
        match &self.place {
            Place::Memory => panic!("nobody reaches a store in memory"),
            Place::Folder(_) => rusqlite::Connection::open(self.path())
                .and_then(|sql| {
                    sql.pragma_update(None, "foreign_keys", false)?;
                    sql.execute_batch(statements)
                })
                .expect("changed by hand"),
            Place::Database(url) => crate::postgres::client(url)
                .await
                .batch_execute(statements)
                .await
                .expect("changed by hand"),
        }
    }

    /// Closes the store and opens it again where it was. One in memory stays as it is.
    pub(crate) async fn reopen(&mut self) {
        if matches!(self.place, Place::Memory) {
            return;
        }
        let clock = self.hand.clock();
        // The old one goes first, so that nothing is kept but the file or the database.
        self.store = Arc::new(SqliteStore::in_memory(clock.clone()).expect("memory for a store"));
        self.store = match &self.place {
            Place::Memory => return,
            Place::Folder(_) => {
                Arc::new(SqliteStore::open(self.path(), clock).expect("the same store again"))
            }
            Place::Database(url) => {
                let again = PostgresStore::open(url, Some(clock)).await;
                Arc::new(again.expect("the same store again"))
            }
        };
    }

    /// Rings once, by an event that is like no other.
    pub(crate) async fn ring(&self, record: &RecordKey) -> LaneId {
        self.accept(event(record)).await.lane()
    }

    pub(crate) async fn accept(&self, event: AcceptedEvent) -> Accepted {
        self.store
            .accept(vec![event], None)
            .await
            .expect("accepted")[0]
    }

    /// Claims the one lane that is due.
    pub(crate) async fn claim(&self) -> Lease {
        let mut leases = self
            .store
            .claim("worker", LEASE_MS, 10)
            .await
            .expect("claimed");
        assert_eq!(leases.len(), 1, "one lane is due");
        leases.remove(0)
    }

    /// Nothing is due.
    pub(crate) async fn assert_idle(&self) {
        assert_eq!(
            self.store
                .claim("worker", LEASE_MS, 10)
                .await
                .expect("claimed"),
            []
        );
    }

    pub(crate) async fn open(&self, lease: &Lease) -> LaneState {
        self.store.open(lease).await.expect("opened")
    }

    /// Claims the one lane that is due, looks at its bells and ends the run so.
    pub(crate) async fn run(&self, change: Change, next: Next) {
        let lease = self.claim().await;
        let bells = self.open(&lease).await.bells;
        self.store
            .complete_run(&lease, &bells, change, next)
            .await
            .expect("the run ended");
    }

    pub(crate) async fn lane(&self, lane: LaneId) -> LaneSummary {
        let lanes = self.store.lanes(HERE, 1_000).await.expect("lanes");
        lanes
            .into_iter()
            .find(|summary| summary.lane == lane)
            .expect("the lane is listed")
    }
}

/// What was accepted, when it rang.
pub(crate) trait Rang {
    fn lane(self) -> LaneId;
}

impl Rang for Accepted {
    fn lane(self) -> LaneId {
        match self {
            Accepted::Rung(lane) => lane,
            Accepted::Duplicate => panic!("the event was a duplicate"),
        }
    }
}

pub(crate) fn referral(id: &str) -> RecordKey {
    RecordKey {
        side: "partner-center".into(),
        kind: "referral".into(),
        id: id.into(),
    }
}

pub(crate) fn opportunity(id: &str) -> RecordKey {
    RecordKey {
        side: "crm".into(),
        kind: "opportunity".into(),
        id: id.into(),
    }
}

pub(crate) fn event(record: &RecordKey) -> AcceptedEvent {
    AcceptedEvent {
        connection: HERE.into(),
        record: record.clone(),
        cause: "referral-updated".into(),
        dedupe: None,
        lane: None,
    }
}

pub(crate) fn event_once(record: &RecordKey, dedupe: &str) -> AcceptedEvent {
    AcceptedEvent {
        dedupe: Some(dedupe.into()),
        ..event(record)
    }
}

pub(crate) fn intent(operation: &str) -> Intent {
    Intent {
        operation: operation.into(),
        kind: "update-row".into(),
        target: opportunity("o1"),
        precondition: Some("W/\"1\"".into()),
        detail: "{}".into(),
        irreversible: false,
        permits: Vec::new(),
        since: 0,
    }
}

pub(crate) fn line(message: &str) -> AuditLine {
    AuditLine {
        kind: "run".into(),
        message: message.into(),
        detail: "{}".into(),
    }
}

pub(crate) fn pair(referral: &str, row: &str) -> LinkState {
    LinkState {
        referral: Some(referral.into()),
        crm_table: Some("opportunity".into()),
        crm_row: Some(row.into()),
        ..LinkState::default()
    }
}

pub(crate) fn linking(link: LinkState) -> Change {
    Change {
        link: Some(link),
        ..Change::default()
    }
}

pub(crate) fn wait(until: Millis, after: After) -> Next {
    Next::Wait {
        until,
        after,
        reason: "because".into(),
    }
}

pub(crate) fn parked(failure: &str) -> Next {
    Next::Parked {
        reasons: failure.into(),
        state: None,
    }
}

pub(crate) fn noted(record: &RecordKey, rung: i64) -> Bell {
    Bell {
        record: record.clone(),
        rung,
        answered: 0,
        cause: String::new(),
        since: 0,
    }
}

pub(crate) fn asks(kind: &str, subject: &str, body: &str) -> CardChange {
    CardChange::Open {
        kind: kind.into(),
        subject: subject.into(),
        body: body.into(),
    }
}

pub(crate) fn asks_no_more(kind: &str, subject: &str, why: &str) -> CardChange {
    CardChange::Close {
        kind: kind.into(),
        subject: subject.into(),
        why: why.into(),
    }
}

pub(crate) fn holds_back(
    kind: &str,
    subject: &str,
    fingerprint: &str,
    until: Option<Millis>,
) -> HoldChange {
    HoldChange::Open {
        kind: kind.into(),
        subject: subject.into(),
        body: "{}".into(),
        fingerprint: fingerprint.into(),
        until,
    }
}

pub(crate) fn holds_no_more(kind: &str, subject: &str, why: &str) -> HoldChange {
    HoldChange::Close {
        kind: kind.into(),
        subject: subject.into(),
        why: why.into(),
    }
}

/// Holds the win of a deal.
pub(crate) fn holding(fingerprint: &str, until: Option<Millis>) -> Change {
    Change {
        holds: vec![holds_back("won", "state", fingerprint, until)],
        ..Change::default()
    }
}
