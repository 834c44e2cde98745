//! [`Layer`] as a store: what it looks at or spoils is in [`super::layer`], all else is handed on.

use async_trait::async_trait;
use cosell_store::{
    Accepted, AcceptedEvent, AttemptRow, AuditEntry, Bell, Card, Census, ChainBreak, Change,
    CursorAdvance, Finding, Hold, Intent, LaneFilter, LaneId, LaneState, LaneSummary, Lease,
    LinkState, LinkedReferral, Millis, Next, RecordKey, Store, StoreError, Throttle, WriteCount,
};

use super::layer::Layer;

#[async_trait]
impl Store for Layer {
    async fn accept(
        &self,
        events: Vec<AcceptedEvent>,
        cursor: Option<CursorAdvance>,
    ) -> Result<Vec<Accepted>, StoreError> {
        self.accept_events(events, cursor).await
    }

    async fn claim(
        &self,
        owner: &str,
        lease_ms: Millis,
        max: usize,
    ) -> Result<Vec<Lease>, StoreError> {
        self.claim_lanes(owner, lease_ms, max).await
    }

    async fn resume(&self) -> Result<usize, StoreError> {
        self.forget();
        self.inner.resume().await
    }

    async fn attend(&self, owner: &str) -> Result<cosell_store::Attended, StoreError> {
        self.inner.attend(owner).await
    }

    async fn give_back(&self, owner: &str) -> Result<usize, StoreError> {
        self.inner.give_back(owner).await
    }

    async fn next_due(&self) -> Result<Option<Millis>, StoreError> {
        self.inner.next_due().await
    }

    async fn open(&self, lease: &Lease) -> Result<LaneState, StoreError> {
        self.open_lane(lease).await
    }

    async fn renew(&self, lease: &Lease, lease_ms: Millis) -> Result<Lease, StoreError> {
        self.renew_lease(lease, lease_ms).await
    }

    async fn intend(&self, lease: &Lease, intent: Intent) -> Result<(), StoreError> {
        self.intend_write(lease, intent).await
    }

    async fn complete_write(&self, lease: &Lease, change: Change) -> Result<(), StoreError> {
        self.close_write(lease, change).await
    }

    async fn complete_run(
        &self,
        lease: &Lease,
        answered: &[Bell],
        change: Change,
        next: Next,
    ) -> Result<(), StoreError> {
        self.end_run(lease, answered, change, next).await
    }

    async fn lane_of(
        &self,
        connection: &str,
        record: &RecordKey,
    ) -> Result<Option<LaneId>, StoreError> {
        self.inner.lane_of(connection, record).await
    }

    async fn lane_of_engagement(
        &self,
        connection: &str,
        engagement: &str,
    ) -> Result<Option<LaneId>, StoreError> {
        self.inner.lane_of_engagement(connection, engagement).await
    }

    async fn cursor(&self, connection: &str, stream: &str) -> Result<Option<String>, StoreError> {
        self.inner.cursor(connection, stream).await
    }

    async fn set_throttle(&self, connection: &str, throttle: Throttle) -> Result<(), StoreError> {
        self.close_credential(connection, throttle).await
    }

    async fn throttles(&self, connection: &str) -> Result<Vec<Throttle>, StoreError> {
        self.closed_credentials(connection).await
    }

    async fn order(&self, connection: &str, lane: LaneId, by: &str) -> Result<(), StoreError> {
        self.inner.order(connection, lane, by).await
    }

    async fn wake(&self, connection: &str, lane: LaneId, cause: &str) -> Result<(), StoreError> {
        self.inner.wake(connection, lane, cause).await
    }

    async fn cards(
        &self,
        connection: Option<&str>,
        open_only: bool,
        limit: usize,
    ) -> Result<Vec<Card>, StoreError> {
        self.inner.cards(connection, open_only, limit).await
    }

    async fn answer_card(
        &self,
        connection: &str,
        card: i64,
        choice: &str,
        by: &str,
    ) -> Result<LaneId, StoreError> {
        self.inner.answer_card(connection, card, choice, by).await
    }

    async fn holds(
        &self,
        connection: Option<&str>,
        live_only: bool,
        limit: usize,
    ) -> Result<Vec<Hold>, StoreError> {
        self.inner.holds(connection, live_only, limit).await
    }

    async fn settle_hold(
        &self,
        connection: &str,
        hold: i64,
        released: bool,
        by: &str,
    ) -> Result<LaneId, StoreError> {
        self.inner.settle_hold(connection, hold, released, by).await
    }

    async fn note(&self, connection: &str, name: &str) -> Result<Option<String>, StoreError> {
        self.inner.note(connection, name).await
    }

    async fn set_note(
        &self,
        connection: &str,
        name: &str,
        value: Option<String>,
    ) -> Result<(), StoreError> {
        self.inner.set_note(connection, name, value).await
    }

    async fn writes_since(
        &self,
        connection: &str,
        side: &str,
        since: Millis,
    ) -> Result<WriteCount, StoreError> {
        self.inner.writes_since(connection, side, since).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.inner.census().await
    }

    async fn lanes(&self, connection: &str, limit: usize) -> Result<Vec<LaneSummary>, StoreError> {
        self.inner.lanes(connection, limit).await
    }

    async fn lanes_page(
        &self,
        connection: &str,
        filter: &LaneFilter,
    ) -> Result<Vec<LaneSummary>, StoreError> {
        self.inner.lanes_page(connection, filter).await
    }

    async fn lane(
        &self,
        connection: &str,
        lane: LaneId,
    ) -> Result<Option<LaneSummary>, StoreError> {
        self.inner.lane(connection, lane).await
    }

    async fn peek(&self, connection: &str, lane: LaneId) -> Result<Option<LaneState>, StoreError> {
        self.inner.peek(connection, lane).await
    }

    async fn attempts(
        &self,
        connection: &str,
        lane: LaneId,
    ) -> Result<Vec<AttemptRow>, StoreError> {
        self.inner.attempts(connection, lane).await
    }

    async fn linked_referrals(
        &self,
        connection: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<LinkedReferral>, StoreError> {
        self.inner.linked_referrals(connection, after, limit).await
    }

    async fn link(&self, connection: &str, lane: LaneId) -> Result<Option<LinkState>, StoreError> {
        self.inner.link(connection, lane).await
    }

    async fn audit(&self, connection: &str, lane: LaneId) -> Result<Vec<AuditEntry>, StoreError> {
        self.inner.audit(connection, lane).await
    }

    async fn check_audit(&self) -> Result<Vec<ChainBreak>, StoreError> {
        self.inner.check_audit().await
    }

    async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        self.inner.check().await
    }
}
