//! Which hosts are there: each holds a lock that is named after it, in a session of its own.
//!
//! A process that dies loses its sessions, and the database lets go of their locks. So a host that finds leases of an owner whose lock is free
//! knows that the owner is gone, and need not wait for them to run out. A frozen process keeps its sessions: its leases run out as they always
//! did.
//!
//! A host that has only lost its session (the database was started anew) looks gone for some seconds, and its lanes may be taken from it. That
//! costs a run and nothing else: fences keep it from changing anything (I3), its writes are conditional or carry an id, and before a referral is
//! posted a second time it is looked for twice (S14).

use deadpool_postgres::{ClientWrapper, Object};
use tokio::sync::Mutex;

use super::PostgresStore;
use super::fault::Fault;
use crate::{ATTENDED, Attended, Millis};

/// `host` in ASCII: the first half of the locks' names; the second is made from the owner.
const HOSTS: i32 = 0x686f_7374;
/// `tell` in ASCII: who holds it speaks for all hosts of the schema that the second half is made from.
const SPEAKER: i32 = 0x7465_6c6c;

/// The session that says that this host is there.
#[derive(Default)]
pub(super) struct Presence(Mutex<Option<Session>>);

struct Session {
    client: ClientWrapper,
    /// Its lock is held once: a session that asks again gets it again, and would have to give it back as often.
    speaks: bool,
}

/// See [`crate::Store::attend`].
pub(super) async fn attend(store: &PostgresStore, owner: &str) -> Result<Attended, Fault> {
    let mut session = store.presence.0.lock().await;
    let known = session.take().filter(|known| !known.client.is_closed());
    let mut there = match known {
        Some(there) => there,
        None => {
            let fresh = Object::take(store.connection().await?);
            let said = fresh
                .query_one(
                    "SELECT pg_try_advisory_lock($1, hashtext($2))",
                    &[&HOSTS, &owner],
                )
                .await?;
            // Held by a session of ours that the database has not given up yet: until then it speaks for us.
            if !said.get::<_, bool>(0) {
                let hosts = count(&fresh).await?;
                return Ok(Attended {
                    freed: 0,
                    hosts,
                    speaks: false,
                });
            }
            Session {
                client: fresh,
                speaks: false,
            }
        }
    };
    let freed = free(&there.client, store.time.given(), owner).await?;
    let hosts = count(&there.client).await?;
    if !there.speaks {
        there.speaks = try_to_speak(&there.client).await?;
    }
    let speaks = there.speaks;
    *session = Some(there);
    Ok(Attended {
        freed,
        hosts,
        speaks,
    })
}

async fn try_to_speak(session: &ClientWrapper) -> Result<bool, Fault> {
    let got = session
        .query_one(
            "SELECT pg_try_advisory_lock($1, hashtext(current_schema()))",
            &[&SPEAKER],
        )
        .await?;
    Ok(got.get(0))
}

/// Hosts that hold their locks in this database. Those of another schema in it count too: then each keeps to less than it might, which is safe.
async fn count(session: &ClientWrapper) -> Result<usize, Fault> {
    let held = session
        .query_one(
            "SELECT count(*) FROM pg_locks
             WHERE locktype = 'advisory' AND granted AND classid = $1::int4::oid AND objsubid = 2
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            &[&HOSTS],
        )
        .await?;
    Ok(usize::try_from(held.get::<_, i64>(0)).unwrap_or(1).max(1))
}

/// Makes the lanes of hosts that are gone due. Whoever holds an owner's lock is there; of several hosts that ask, one gets it, for this statement.
async fn free(session: &ClientWrapper, given: Option<Millis>, owner: &str) -> Result<usize, Fault> {
    let freed = session
        .execute(
            concat!(
                "WITH moment AS MATERIALIZED (SELECT coalesce($1::bigint, ",
                database_now!(),
                ") AS now),
                 owners AS MATERIALIZED (
                     SELECT DISTINCT lease_owner AS name FROM lane
                     WHERE lease_until > (SELECT now FROM moment) AND starts_with(lease_owner, $2) AND lease_owner <> $3),
                 gone AS MATERIALIZED (SELECT name FROM owners WHERE pg_try_advisory_xact_lock($4, hashtext(name)))
                 UPDATE lane SET lease_until = moment.now, due_at = moment.now FROM gone, moment
                 WHERE lease_owner = gone.name AND lease_until > moment.now"
            ),
            &[&given, &ATTENDED, &owner, &HOSTS],
        )
        .await?;
    Ok(usize::try_from(freed).unwrap_or(usize::MAX))
}
