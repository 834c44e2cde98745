//! The door, method by method: where each is answered, and by which connection.

use async_trait::async_trait;

use super::{
    SqliteStore, accept, cards, chain, check, holds, lanes, links, notes, people, reads, throttles,
    writes,
};
use crate::writer::WhenFull;
use crate::{
    Accepted, AcceptedEvent, AttemptRow, Attended, AuditEntry, Bell, Card, Census, ChainBreak,
    Change, CursorAdvance, Finding, Hold, Intent, LaneFilter, LaneId, LaneState, LaneSummary,
    Lease, LinkState, LinkedReferral, Millis, Next, RecordKey, Store, StoreError, Throttle,
    WriteCount,
};

#[async_trait]
impl Store for SqliteStore {
    async fn accept(
        &self,
        events: Vec<AcceptedEvent>,
        cursor: Option<CursorAdvance>,
    ) -> Result<Vec<Accepted>, StoreError> {
        self.writer
            .write("accept events", WhenFull::Refuse, move |desk| {
                accept::accept(desk, &events, cursor.as_ref())
            })
            .await
    }

    async fn claim(
        &self,
        owner: &str,
        lease_ms: Millis,
        max: usize,
    ) -> Result<Vec<Lease>, StoreError> {
        let owner = owner.to_owned();
        self.write("claim due lanes", move |desk| {
            lanes::claim(desk, &owner, lease_ms, max)
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        self.read("find the next due lane", reads::next_due).await
    }

    async fn open(&self, lease: &Lease) -> Result<LaneState, StoreError> {
        let (lease, now) = (lease.clone(), (self.clock)());
        self.read("read a lane", move |sql| reads::open(sql, now, &lease))
            .await
    }

    async fn renew(&self, lease: &Lease, lease_ms: Millis) -> Result<Lease, StoreError> {
        let lease = lease.clone();
        self.write("prolong a lease", move |desk| {
            lanes::renew(desk, &lease, lease_ms)
        })
        .await
    }

    async fn intend(&self, lease: &Lease, intent: Intent) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write("commit an intent", move |desk| {
            writes::intend(desk, &lease, &intent)
        })
        .await
    }

    async fn complete_write(&self, lease: &Lease, change: Change) -> Result<(), StoreError> {
        let lease = lease.clone();
        self.write("close a write", move |desk| {
            writes::complete_write(desk, &lease, &change)
        })
        .await
    }

    async fn complete_run(
        &self,
        lease: &Lease,
        noted: &[Bell],
        change: Change,
        next: Next,
    ) -> Result<(), StoreError> {
        let (lease, noted) = (lease.clone(), noted.to_vec());
        self.write("end a run", move |desk| {
            lanes::complete_run(desk, &lease, &noted, &change, &next)
        })
        .await
    }

    async fn lane_of(
        &self,
        connection: &str,
        record: &RecordKey,
    ) -> Result<Option<LaneId>, StoreError> {
        let (connection, record) = (connection.to_owned(), record.clone());
        self.read("find a record's lane", move |sql| {
            accept::lane_of(sql, &connection, &record)
        })
        .await
    }

    async fn lane_of_engagement(
        &self,
        connection: &str,
        engagement: &str,
    ) -> Result<Option<LaneId>, StoreError> {
        let (connection, engagement) = (connection.to_owned(), engagement.to_owned());
        self.read("find an engagement's lane", move |sql| {
            reads::lane_of_engagement(sql, &connection, &engagement)
        })
        .await
    }

    async fn cursor(&self, connection: &str, stream: &str) -> Result<Option<String>, StoreError> {
        let (connection, stream) = (connection.to_owned(), stream.to_owned());
        self.read("read a cursor", move |sql| {
            reads::cursor(sql, &connection, &stream)
        })
        .await
    }

    async fn set_throttle(&self, connection: &str, throttle: Throttle) -> Result<(), StoreError> {
        let connection = connection.to_owned();
        self.write("close a credential", move |desk| {
            throttles::set(desk, &connection, &throttle)
        })
        .await
    }

    async fn throttles(&self, connection: &str) -> Result<Vec<Throttle>, StoreError> {
        let (connection, now) = (connection.to_owned(), (self.clock)());
        self.read("read throttles", move |sql| {
            throttles::closed(sql, now, &connection)
        })
        .await
    }

    async fn resume(&self) -> Result<usize, StoreError> {
        self.write("take up what was left", lanes::resume).await
    }

    async fn attend(&self, _owner: &str) -> Result<Attended, StoreError> {
        Ok(Attended {
            freed: 0,
            hosts: 1,
            speaks: true,
        })
    }

    async fn give_back(&self, owner: &str) -> Result<usize, StoreError> {
        let owner = owner.to_owned();
        self.write("release leases", move |desk| lanes::release(desk, &owner))
            .await
    }

    async fn order(&self, connection: &str, lane: LaneId, by: &str) -> Result<(), StoreError> {
        let (connection, by) = (connection.to_owned(), by.to_owned());
        self.write("order a run", move |desk| {
            people::order_run(desk, &connection, lane, &by)
        })
        .await
    }

    async fn wake(&self, connection: &str, lane: LaneId, cause: &str) -> Result<(), StoreError> {
        let (connection, cause) = (connection.to_owned(), cause.to_owned());
        self.write("wake a lane", move |desk| {
            lanes::wake(desk, &connection, lane, &cause)
        })
        .await
    }

    async fn cards(
        &self,
        connection: Option<&str>,
        open_only: bool,
        limit: usize,
    ) -> Result<Vec<Card>, StoreError> {
        let connection = connection.map(str::to_owned);
        self.read("list cards", move |sql| {
            cards::list(sql, connection.as_deref(), open_only, limit)
        })
        .await
    }

    async fn answer_card(
        &self,
        connection: &str,
        card: i64,
        choice: &str,
        by: &str,
    ) -> Result<LaneId, StoreError> {
        let connection = connection.to_owned();
        let (choice, by) = (choice.to_owned(), by.to_owned());
        self.write("answer a card", move |desk| {
            cards::answer(desk, &connection, card, &choice, &by)
        })
        .await
    }

    async fn holds(
        &self,
        connection: Option<&str>,
        live_only: bool,
        limit: usize,
    ) -> Result<Vec<Hold>, StoreError> {
        let connection = connection.map(str::to_owned);
        self.read("list holds", move |sql| {
            holds::list(sql, connection.as_deref(), live_only, limit)
        })
        .await
    }

    async fn settle_hold(
        &self,
        connection: &str,
        hold: i64,
        released: bool,
        by: &str,
    ) -> Result<LaneId, StoreError> {
        let (connection, by) = (connection.to_owned(), by.to_owned());
        self.write("settle a hold", move |desk| {
            holds::settle(desk, &connection, hold, released, &by)
        })
        .await
    }

    async fn note(&self, connection: &str, name: &str) -> Result<Option<String>, StoreError> {
        let (connection, name) = (connection.to_owned(), name.to_owned());
        self.read("read a note", move |sql| {
            notes::read(sql, &connection, &name)
        })
        .await
    }

    async fn set_note(
        &self,
        connection: &str,
        name: &str,
        value: Option<String>,
    ) -> Result<(), StoreError> {
        let (connection, name) = (connection.to_owned(), name.to_owned());
        self.write("write a note", move |desk| {
            notes::set(desk, &connection, &name, value.as_deref())
        })
        .await
    }

    async fn writes_since(
        &self,
        connection: &str,
        side: &str,
        since: Millis,
    ) -> Result<WriteCount, StoreError> {
        let (connection, side) = (connection.to_owned(), side.to_owned());
        self.read("count writes", move |sql| {
            writes::since(sql, &connection, &side, since)
        })
        .await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        let now = (self.clock)();
        self.read("count", move |sql| reads::census(sql, now)).await
    }

    async fn lanes(&self, connection: &str, limit: usize) -> Result<Vec<LaneSummary>, StoreError> {
        let filter = LaneFilter {
            limit,
            ..LaneFilter::default()
        };
        self.lanes_page(connection, &filter).await
    }

    async fn lanes_page(
        &self,
        connection: &str,
        filter: &LaneFilter,
    ) -> Result<Vec<LaneSummary>, StoreError> {
        let (connection, filter, now) = (connection.to_owned(), filter.clone(), (self.clock)());
        self.read("list lanes", move |sql| {
            reads::lanes(sql, now, &connection, &filter)
        })
        .await
    }

    async fn lane(
        &self,
        connection: &str,
        lane: LaneId,
    ) -> Result<Option<LaneSummary>, StoreError> {
        let (connection, now) = (connection.to_owned(), (self.clock)());
        self.read("show a lane", move |sql| {
            reads::lane(sql, now, &connection, lane)
        })
        .await
    }

    async fn peek(&self, connection: &str, lane: LaneId) -> Result<Option<LaneState>, StoreError> {
        let (connection, now) = (connection.to_owned(), (self.clock)());
        self.read("look into a lane", move |sql| {
            reads::state(sql, now, &connection, lane)
        })
        .await
    }

    async fn attempts(
        &self,
        connection: &str,
        lane: LaneId,
    ) -> Result<Vec<AttemptRow>, StoreError> {
        let connection = connection.to_owned();
        self.read("list a lane's writes", move |sql| {
            writes::attempts(sql, &connection, lane)
        })
        .await
    }

    async fn linked_referrals(
        &self,
        connection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<LinkedReferral>, StoreError> {
        let (connection, after) = (connection.to_owned(), after.map(str::to_owned));
        let now = (self.clock)();
        self.read("list linked referrals", move |sql| {
            reads::linked_referrals(sql, now, &connection, after.as_deref(), limit)
        })
        .await
    }

    async fn link(&self, connection: &str, lane: LaneId) -> Result<Option<LinkState>, StoreError> {
        let connection = connection.to_owned();
        self.read("read a link", move |sql| {
            links::read_whole(sql, &connection, lane)
        })
        .await
    }

    async fn audit(&self, connection: &str, lane: LaneId) -> Result<Vec<AuditEntry>, StoreError> {
        let connection = connection.to_owned();
        self.read("read an audit", move |sql| {
            chain::entries(sql, &connection, lane)
        })
        .await
    }

    async fn check_audit(&self) -> Result<Vec<ChainBreak>, StoreError> {
        self.read("verify the audit", chain::check).await
    }

    async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        self.read("check the store", check::check).await
    }
}
