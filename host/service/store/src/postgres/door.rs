//! The door, method by method: where each is answered, and whether by one statement, in a transaction or from a snapshot.

use async_trait::async_trait;

use super::fault::Fault;
use super::text::{storable, storable_change, storable_next};
use super::{
    PostgresStore, Tries, cards, chain, check, ending, facts, holds, lanes, links, people,
    presence, reads, writes,
};
use crate::{
    Accepted, AcceptedEvent, AttemptRow, Attended, AuditEntry, Bell, Card, Census, ChainBreak,
    Change, CursorAdvance, Finding, Hold, Intent, LaneFilter, LaneId, LaneState, LaneSummary,
    Lease, LinkState, LinkedReferral, Millis, Next, RecordKey, Store, StoreError, Throttle,
    WriteCount,
};

#[async_trait]
impl Store for PostgresStore {
    async fn accept(
        &self,
        events: Vec<AcceptedEvent>,
        cursor: Option<CursorAdvance>,
    ) -> Result<Vec<Accepted>, StoreError> {
        self.open_now().await?;
        self.arrivals().bring(events, cursor).await
    }

    async fn claim(
        &self,
        owner: &str,
        lease_ms: Millis,
        max: usize,
    ) -> Result<Vec<Lease>, StoreError> {
        by_one_statement!(self, "claim due lanes", |sql| lanes::claim(
            &sql, &self.time, owner, lease_ms, max
        ))
    }

    async fn resume(&self) -> Result<usize, StoreError> {
        // Other hosts' leases stand in the same table: `attend` knows whose host is gone, and the others run out by themselves.
        Ok(0)
    }

    async fn attend(&self, owner: &str) -> Result<Attended, StoreError> {
        insist!({ presence::attend(self, owner).await })
            .map_err(|fault: Fault| fault.explain("say that this host is there"))
    }

    async fn give_back(&self, owner: &str) -> Result<usize, StoreError> {
        by_one_statement!(self, "release leases", |sql| lanes::release(
            &sql,
            self.time.given(),
            owner
        ))
    }

    async fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        by_one_statement!(self, "find the next due lane", |sql| reads::next_due(&sql))
    }

    async fn open(&self, lease: &Lease) -> Result<LaneState, StoreError> {
        let now = self.time.about();
        from_snapshot!(self, "read a lane", |sql| reads::open(&sql, now, lease))
    }

    async fn renew(&self, lease: &Lease, lease_ms: Millis) -> Result<Lease, StoreError> {
        by_one_statement!(self, "prolong a lease", |sql| lanes::renew(
            &sql,
            self.time.given(),
            lease,
            lease_ms
        ))
    }

    async fn intend(&self, lease: &Lease, intent: Intent) -> Result<(), StoreError> {
        by_one_statement!(self, "commit an intent", |sql| writes::intend(
            &sql,
            self.time.given(),
            lease,
            &intent
        ))
    }

    async fn complete_write(&self, lease: &Lease, change: Change) -> Result<(), StoreError> {
        let change = storable_change(change);
        in_transaction!(self, "close a write", |sql, given| writes::complete_write(
            &sql, given, lease, &change
        ))
    }

    async fn complete_run(
        &self,
        lease: &Lease,
        noted: &[Bell],
        change: Change,
        next: Next,
    ) -> Result<(), StoreError> {
        let (change, next) = (storable_change(change), storable_next(next));
        let silenced = in_transaction!(self, "end a run", |sql, given| ending::complete_run(
            &sql, given, lease, noted, &change, &next
        ))?;
        self.arrivals().answered(silenced);
        Ok(())
    }

    async fn lane_of(
        &self,
        connection: &str,
        record: &RecordKey,
    ) -> Result<Option<LaneId>, StoreError> {
        by_one_statement!(self, "find a record's lane", |sql| reads::lane_of(
            &sql, connection, record
        ))
    }

    async fn lane_of_engagement(
        &self,
        connection: &str,
        engagement: &str,
    ) -> Result<Option<LaneId>, StoreError> {
        by_one_statement!(self, "find an engagement's lane", |sql| {
            reads::lane_of_engagement(&sql, connection, engagement)
        })
    }

    async fn cursor(&self, connection: &str, stream: &str) -> Result<Option<String>, StoreError> {
        by_one_statement!(self, "read a cursor", |sql| facts::cursor(
            &sql, connection, stream
        ))
    }

    async fn set_throttle(&self, connection: &str, throttle: Throttle) -> Result<(), StoreError> {
        let throttle = Throttle {
            reason: storable(throttle.reason),
            ..throttle
        };
        by_one_statement!(self, "close a credential", |sql| facts::close_credential(
            &sql, connection, &throttle
        ))
    }

    async fn throttles(&self, connection: &str) -> Result<Vec<Throttle>, StoreError> {
        let now = self.time.about();
        by_one_statement!(self, "read throttles", |sql| facts::throttles(
            &sql, now, connection
        ))
    }

    async fn order(&self, connection: &str, lane: LaneId, by: &str) -> Result<(), StoreError> {
        in_transaction!(self, "order a run", |sql, given| people::order_run(
            &sql, given, connection, lane, by
        ))
    }

    async fn wake(&self, connection: &str, lane: LaneId, cause: &str) -> Result<(), StoreError> {
        in_transaction!(self, "wake a lane", |sql, given| people::wake_lane(
            &sql, given, connection, lane, cause
        ))
    }

    async fn cards(
        &self,
        connection: Option<&str>,
        open_only: bool,
        limit: usize,
    ) -> Result<Vec<Card>, StoreError> {
        by_one_statement!(self, "list cards", |sql| cards::list(
            &sql, connection, open_only, limit
        ))
    }

    async fn answer_card(
        &self,
        connection: &str,
        card: i64,
        choice: &str,
        by: &str,
    ) -> Result<LaneId, StoreError> {
        in_transaction!(self, "answer a card", |sql, given| cards::answer(
            &sql, given, connection, card, choice, by
        ))
    }

    async fn holds(
        &self,
        connection: Option<&str>,
        live_only: bool,
        limit: usize,
    ) -> Result<Vec<Hold>, StoreError> {
        by_one_statement!(self, "list holds", |sql| holds::list(
            &sql, connection, live_only, limit
        ))
    }

    async fn settle_hold(
        &self,
        connection: &str,
        hold: i64,
        released: bool,
        by: &str,
    ) -> Result<LaneId, StoreError> {
        in_transaction!(self, "settle a hold", |sql, given| holds::settle(
            &sql, given, connection, hold, released, by
        ))
    }

    async fn note(&self, connection: &str, name: &str) -> Result<Option<String>, StoreError> {
        by_one_statement!(self, "read a note", |sql| facts::note(
            &sql, connection, name
        ))
    }

    async fn set_note(
        &self,
        connection: &str,
        name: &str,
        value: Option<String>,
    ) -> Result<(), StoreError> {
        by_one_statement!(self, "write a note", |sql| facts::set_note(
            &sql,
            self.time.given(),
            connection,
            name,
            value.as_deref()
        ))
    }

    async fn writes_since(
        &self,
        connection: &str,
        side: &str,
        since: Millis,
    ) -> Result<WriteCount, StoreError> {
        by_one_statement!(self, "count writes", |sql| writes::since(
            &sql, connection, side, since
        ))
    }

    async fn census(&self) -> Result<Census, StoreError> {
        let now = self.time.about();
        from_snapshot!(self, "count", |sql| reads::census(&sql, now))
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
        let now = self.time.about();
        by_one_statement!(self, "list lanes", |sql| reads::lanes(
            &sql, now, connection, filter
        ))
    }

    async fn lane(
        &self,
        connection: &str,
        lane: LaneId,
    ) -> Result<Option<LaneSummary>, StoreError> {
        let now = self.time.about();
        by_one_statement!(self, "show a lane", |sql| reads::lane(
            &sql, now, connection, lane
        ))
    }

    async fn peek(&self, connection: &str, lane: LaneId) -> Result<Option<LaneState>, StoreError> {
        let now = self.time.about();
        from_snapshot!(self, "look into a lane", |sql| reads::state(
            &sql, now, connection, lane
        ))
    }

    async fn attempts(
        &self,
        connection: &str,
        lane: LaneId,
    ) -> Result<Vec<AttemptRow>, StoreError> {
        by_one_statement!(self, "list a lane's writes", |sql| writes::attempts(
            &sql, connection, lane
        ))
    }

    async fn linked_referrals(
        &self,
        connection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<LinkedReferral>, StoreError> {
        let now = self.time.about();
        by_one_statement!(
            self,
            "list linked referrals",
            |sql| reads::linked_referrals(&sql, now, connection, after, limit)
        )
    }

    async fn link(&self, connection: &str, lane: LaneId) -> Result<Option<LinkState>, StoreError> {
        from_snapshot!(self, "read a link", |sql| links::read_whole(
            &sql, connection, lane
        ))
    }

    async fn audit(&self, connection: &str, lane: LaneId) -> Result<Vec<AuditEntry>, StoreError> {
        by_one_statement!(self, "read an audit", |sql| chain::entries(
            &sql, connection, lane
        ))
    }

    async fn check_audit(&self) -> Result<Vec<ChainBreak>, StoreError> {
        from_snapshot!(self, "verify the audit", |sql| chain::check(&sql))
    }

    async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        from_snapshot!(self, "check the store", |sql| check::check(&sql))
    }
}
