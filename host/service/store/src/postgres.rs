//! The store in PostgreSQL: any number of hosts on one database.
//!
//! SQLite has one writer, so its transactions follow one another by themselves. Here they run side by side, and what keeps them apart
//! is **the lane's row**: whatever changes a lane, its records, bells, links, cards or holds locks it first (`FOR UPDATE`), several in the
//! order of their numbers. What was read before the lock only says which rows to lock; it is read again under it. Where somebody was
//! faster all the same (a record or an event that both had never seen, a deadlock), the whole transaction is done again
//! ([`fault::Fault::Again`]), so that it finds what the other one left.
//!
//! **Time is the database's** in everything that a lease hangs on: claiming, prolonging, ending, becoming due. Hosts' own clocks may
//! differ by minutes and jump; two of them that compared a lease with their own clocks would both believe to hold it. A host that only
//! wants to know how much of its lease is left asks [`PostgresStore::clock`], which follows the database's clock.
//!
//! What is not plain SQL here, all of it: `FOR UPDATE` with `SKIP LOCKED`, lists of parameters as arrays (`unnest`), data-changing `WITH`,
//! `clock_timestamp()`, the advisory lock of the migration, and `COLLATE "C"` in the tables.

// Macros and not functions that take closures: a future that borrows from a closure's argument cannot be shown to be `Send` today.

/// Does a block again while others are faster.
macro_rules! insist {
    ($once:block) => {{
        let mut tries = Tries::new();
        loop {
            let done = async { $once }.await;
            if let Some(done) = tries.settle(done).await {
                break done;
            }
        }
    }};
}

/// Works in a transaction.
macro_rules! in_transaction {
    ($store:expr, $doing:literal, |$sql:ident, $given:ident| $work:expr) => {
        insist!({
            let mut client = $store.connection().await?;
            let $sql = client.transaction().await?;
            let $given = $store.time.given();
            let done = $work.await?;
            $sql.commit().await.map_err(Fault::of_commit)?;
            Ok(done)
        })
        .map_err(|fault: Fault| fault.explain($doing))
    };
}

/// Looks at everything in one snapshot.
macro_rules! from_snapshot {
    ($store:expr, $doing:literal, |$sql:ident| $work:expr) => {
        insist!({
            let mut client = $store.connection().await?;
            let $sql = client
                .build_transaction()
                .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
                .read_only(true)
                .start()
                .await?;
            let found = $work.await?;
            $sql.commit().await?;
            Ok(found)
        })
        .map_err(|fault: Fault| fault.explain($doing))
    };
}

/// Does what is one statement, and so a transaction by itself.
macro_rules! by_one_statement {
    ($store:expr, $doing:literal, |$sql:ident| $work:expr) => {
        insist!({
            let $sql = $store.connection().await?;
            $work.await
        })
        .map_err(|fault: Fault| fault.explain($doing))
    };
}

/// The database's clock, in milliseconds since the Unix epoch.
macro_rules! database_now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}

mod accept;
mod arrivals;
mod cards;
mod chain;
mod check;
mod copying;
mod door;
mod ending;
mod erasing;
mod facts;
mod fault;
mod history;
mod holds;
mod lanes;
mod links;
mod people;
mod plan;
mod presence;
mod reads;
mod recordings;
mod rings;
mod schema;
mod sets;
mod text;
mod tls;
mod writes;

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime,
};
use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

use self::arrivals::Arrivals;
use self::fault::Fault;
use self::schema::migrate;
use crate::url::PostgresUrl;
use crate::{Clock, Millis, StoreError, steady_clock};

const OPENING: &str = "open its database";

/// Connections of one host. A transaction takes a millisecond, so some serve all lanes that run at once; many hosts share what the
/// database has (100 unless somebody raised it).
const CONNECTIONS: usize = 16;

/// How long a request waits for a connection before the caller is told to come again.
const WAIT: Duration = Duration::from_secs(10);

/// How long what was sent may stay unacknowledged: then the connection is dead, and another one is made.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);
/// A connection that waits for an answer is asked whether it is alive after so long, so often and so many times.
const ALIVE_AFTER: Duration = Duration::from_secs(15);
const ALIVE_EVERY: Duration = Duration::from_secs(5);
const ALIVE_TRIES: u32 = 3;

/// How long making a connection may take, unless the address says otherwise.
const CONNECT: Duration = Duration::from_secs(10);

/// What a session is given. A host that freezes inside a transaction must not hold a lane's row longer than its lease (60 s): the
/// database ends its session instead. Nothing that the store asks takes long, except what sets its own limit. A host whose machine is gone without
/// a word is found out by the database, too: until then its session says that it is there.
const SESSION: &str = "-c lock_timeout=10s -c statement_timeout=30s -c idle_in_transaction_session_timeout=15s \
     -c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3";

/// Tries of one transaction, and the first pause between two; it doubles. Together less than two seconds.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(10);
/// Whoever has tried for so long is not tried for again: it was not another transaction that took the time, but a database that does not answer.
const TRYING_MAX: Duration = Duration::from_secs(5);

/// [`crate::Store`] on PostgreSQL. Needs a tokio runtime with timers and I/O.
pub struct PostgresStore {
    pool: Pool,
    time: Arc<Time>,
    url: PostgresUrl,
    bells_max: i64,
    only_looks: bool,
    /// Set once the tables are up to date.
    ready: OnceCell<()>,
    /// Started by the first events.
    arrivals: OnceLock<Arrivals>,
    presence: presence::Presence,
}

/// Whose time it is.
struct Time {
    /// A clock that is turned by hand, in tests.
    given: Option<Clock>,
    /// How far the database's clock is ahead of this machine's, at most by the time that a question takes.
    ahead_ms: AtomicI64,
    ours: Clock,
}

impl Time {
    /// For a statement: none means the database's own.
    fn given(&self) -> Option<Millis> {
        self.given.as_ref().map(|clock| clock())
    }

    /// As well as this machine knows it without asking.
    fn about(&self) -> Millis {
        self.given()
            .unwrap_or_else(|| (self.ours)().saturating_add(self.ahead_ms.load(Ordering::Relaxed)))
    }

    /// What the database said to a question that was asked at `asked` by this machine's clock. Its answer is later than the question,
    /// so this clock never runs behind the database's, and a lease never seems longer than it is.
    fn learn(&self, asked: Millis, said: Millis) {
        self.ahead_ms
            .store(said.saturating_sub(asked), Ordering::Relaxed);
    }
}

impl PostgresStore {
    /// Connects and brings the tables up to date. Of hosts that start together one migrates, the others wait for it.
    ///
    /// `given` is for tests: a clock instead of the database's.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the database cannot be reached, refuses, holds something else or was made by a newer cosell. Never says
    /// the password.
    pub async fn open(url: &PostgresUrl, given: Option<Clock>) -> Result<Self, StoreError> {
        let store = Self::attach(url, given)?;
        store.open_now().await?;
        Ok(store)
    }

    /// The same, but connects when something is asked first, and fails then.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the files that the address names cannot be read.
    pub fn attach(url: &PostgresUrl, given: Option<Clock>) -> Result<Self, StoreError> {
        Self::attach_with(url, given, crate::writer::BELLS_WAITING_MAX)
    }

    pub(crate) fn attach_with(
        url: &PostgresUrl,
        given: Option<Clock>,
        bells_max: i64,
    ) -> Result<Self, StoreError> {
        let pool = pool(url).map_err(|source| StoreError::Broken {
            doing: OPENING,
            source,
        })?;
        let time = Arc::new(Time {
            given,
            ahead_ms: AtomicI64::new(0),
            ours: steady_clock(),
        });
        Ok(Self {
            pool,
            time,
            url: url.clone(),
            bells_max,
            only_looks: false,
            ready: OnceCell::new(),
            arrivals: OnceLock::new(),
            presence: presence::Presence::default(),
        })
    }

    /// The same for somebody who writes nothing: tables of an earlier release are refused, and not brought up to date.
    #[must_use]
    pub fn to_look(mut self) -> Self {
        self.only_looks = true;
        self
    }

    /// Connects, if nobody has yet.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open_now(&self) -> Result<(), StoreError> {
        insist!({ self.prepared().await }).map_err(|fault: Fault| fault.explain(OPENING))
    }

    /// Brings the tables up to date, if that has not been done.
    async fn prepared(&self) -> Result<(), Fault> {
        let prepare = async || {
            let prepared = prepare(&self.pool, &self.url.schema, &self.time, self.only_looks).await;
            prepared.map_err(|fault| fault.at(&self.url))
        };
        self.ready.get_or_try_init(prepare).await.copied()
    }

    /// A connection to tables that are up to date.
    async fn connection(&self) -> Result<Client, Fault> {
        self.prepared().await?;
        Ok(self.pool.get().await?)
    }

    fn arrivals(&self) -> &Arrivals {
        self.arrivals.get_or_init(|| {
            Arrivals::start(self.pool.clone(), Arc::clone(&self.time), self.bells_max)
        })
    }

    /// The database's clock as this machine knows it: measured again with every claim, never behind it, ahead by no more than the time
    /// that a question to it takes.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let time = Arc::clone(&self.time);
        Arc::new(move || time.about())
    }
}

/// Tries of one transaction.
struct Tries {
    left: u32,
    pause: Duration,
    began: Instant,
}

impl Tries {
    fn new() -> Self {
        Self {
            left: TRIES - 1,
            pause: PAUSE,
            began: Instant::now(),
        }
    }

    /// None: another transaction was faster, and it is time to try again.
    async fn settle<T>(&mut self, done: Result<T, Fault>) -> Option<Result<T, Fault>> {
        match done {
            Err(Fault::Again(why)) if self.left > 0 && self.began.elapsed() < TRYING_MAX => {
                tracing::debug!(reason = %why, "a transaction is done again");
                tokio::time::sleep(self.pause).await;
                self.left -= 1;
                self.pause *= 2;
                None
            }
            done => Some(done),
        }
    }
}

fn pool(url: &PostgresUrl) -> Result<Pool, Box<dyn std::error::Error + Send + Sync>> {
    let mut config = url.config.clone();
    if let Some(path) = &url.passfile {
        config.password(password(path)?.trim_end_matches(['\r', '\n']));
    }
    let theirs = config.get_options().unwrap_or_default();
    // Quoted: a schema may be called as a word of SQL is.
    let options = format!("{SESSION} -c search_path=\"{}\" {theirs}", url.schema);
    config.options(options);
    if config.get_application_name().is_none() {
        config.application_name("cosell");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    // A machine that loses its power says nothing, and neither does a firewall that forgets a connection.
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNACKNOWLEDGED);
    }
    if config.get_keepalives_interval().is_none() {
        config
            .keepalives_idle(ALIVE_AFTER)
            .keepalives_interval(ALIVE_EVERY)
            .keepalives_retries(ALIVE_TRIES);
    }
    let how = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = if url.tls {
        Manager::from_config(config, tls::connector(url.roots.as_deref())?, how)
    } else {
        Manager::from_config(config, NoTls, how)
    };
    // An acknowledged event must survive the database's machine. Stricter settings than `on` are an administrator's good right.
    let durable = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
        Box::pin(async move {
            client
                .batch_execute(
                    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
                )
                .await
                .map_err(HookError::Backend)
        })
    });
    Ok(Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(CONNECT))
        .post_create(durable)
        .build()?)
}

/// The password that a file holds, which nobody else may read.
pub(crate) fn password(path: &Path) -> Result<String, String> {
    let unreadable =
        |error: std::io::Error| format!("cannot read the password in {}: {error}", path.display());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path)
            .map_err(unreadable)?
            .permissions()
            .mode();
        // systemd guards the folder of its credentials itself; the mode of the files in it is not ours to judge.
        let guarded = std::env::var_os("CREDENTIALS_DIRECTORY")
            .is_some_and(|folder| path.starts_with(folder));
        if mode & 0o077 != 0 && !guarded {
            return Err(format!(
                "the password in {path} can be read by others (mode {:04o}); type: chmod 600 {path}",
                mode & 0o777,
                path = path.display()
            ));
        }
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

async fn prepare(pool: &Pool, schema: &str, time: &Time, only_looks: bool) -> Result<(), Fault> {
    let mut client = pool.get().await?;
    let sql = client.transaction().await?;
    // Waiting for the host that migrates may take as long as that does.
    sql.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        .await?;
    migrate(&sql, schema, only_looks).await?;
    sql.commit().await?;
    let asked = (time.ours)();
    let row = client
        .query_one(concat!("SELECT ", database_now!()), &[])
        .await?;
    time.learn(asked, row.get(0));
    Ok(())
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
