//! Between the host and its store: looks on whether the protocol is kept step by step, and can break it on purpose.
//!
//! Some mistakes hide in an end that is well by luck: two runs on one deal at the same time, a write without its intent. They show only while they
//! happen, so [`Trace`] notes the first one. And the spoilt stores of [`Spoil`] are here: a host that is right on top of a store that is wrong is a
//! host that is wrong, so no line of the host itself has to know that it can be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use cosell_store::{
    Accepted, AcceptedEvent, After, Base, Bell, Change, Clock, CursorAdvance, Intent, LaneId,
    LaneState, Lease, LinkState, Millis, Next, Store, StoreError, Throttle,
};
use serde_json::Value;

use super::judge::Broken;
use super::wire::{Spoil, lock};

/// The protocol's promises that are looked at while it goes on.
pub const ONE_LEASE: &str = "at most one live lease per lane (I2)";
/// See [`ONE_LEASE`].
pub const FENCED: &str = "an old fence changes nothing (I3)";
/// See [`ONE_LEASE`].
pub const INTENDED: &str = "no write without a committed intent (I5)";
/// See [`ONE_LEASE`].
pub const ANSWERED: &str = "no run answers what rang after its look (I7)";
/// See [`ONE_LEASE`].
pub const RESTS: &str = "no request before the throttle opens (I11)";
/// See [`ONE_LEASE`].
pub const KEPT: &str = "an acknowledged event is stored (I1)";

/// What has happened between host, store and services.
#[derive(Default)]
pub struct Trace {
    /// The first promise that was broken.
    pub broken: Option<Broken>,
    /// Events that the host has acknowledged.
    pub acknowledged: Vec<AcceptedEvent>,
    /// Operations whose intents are committed and open, and the fence under which each was.
    open: BTreeMap<String, i64>,
    /// Operations whose intents somebody with a newer lease has closed: who stood still before it sent them sends them yet (S14).
    overtaken: BTreeSet<String>,
    /// The newest lease of each lane; none once it has ended.
    leases: BTreeMap<LaneId, (Lease, bool)>,
    /// What had rung when each lane's run looked.
    looked: BTreeMap<LaneId, Vec<Bell>>,
    /// The moment from which each credential may be used again.
    throttles: BTreeMap<String, Millis>,
    /// One run is under way that began when it might.
    pub minds_throttles: bool,
}

impl Trace {
    fn breaks(&mut self, promise: &'static str, how: String) {
        self.broken.get_or_insert(Broken { promise, how });
    }

    /// A call goes out; `operation` if it is a write.
    pub fn call(&mut self, credential: &str, operation: Option<&str>, now: Millis) {
        let is_intended = |one: &str| self.open.contains_key(one) || self.overtaken.contains(one);
        if let Some(operation) = operation.filter(|one| !is_intended(one)) {
            let how = format!("operation {operation} was sent to {credential}");
            self.breaks(INTENDED, how);
        }
        let until = self.throttles.get(credential).copied().unwrap_or(0);
        if self.minds_throttles && now < until {
            let how = format!("{credential} was called {} ms too early", until - now);
            self.breaks(RESTS, how);
        }
    }

    /// The intent of an operation is closed by whoever has this lease.
    fn close(&mut self, operation: String, lease: &Lease) {
        if let Some(fence) = self.open.remove(&operation)
            && fence < lease.fence
        {
            self.overtaken.insert(operation);
        }
    }

    /// Whoever had leases is gone.
    fn forget_leases(&mut self) {
        for (_, has_ended) in self.leases.values_mut() {
            *has_ended = true;
        }
    }

    fn is_old(&self, lease: &Lease) -> bool {
        let newest = self.leases.get(&lease.lane);
        newest.is_some_and(|(newest, _)| newest.fence > lease.fence)
    }
}

/// See the module.
pub struct Layer {
    pub(super) inner: Arc<dyn Store>,
    /// What it has seen.
    pub trace: Arc<Mutex<Trace>>,
    spoil: Option<Spoil>,
    clock: Clock,
    memory: Mutex<Memory>,
    /// How often a lane was opened, by all processes.
    opened: AtomicI64,
}

/// What a spoilt store keeps in the process, and loses with it.
#[derive(Default)]
struct Memory {
    /// Acknowledged, and not stored yet.
    late: Vec<AcceptedEvent>,
    /// Intents that were not committed.
    unwritten: BTreeMap<LaneId, Intent>,
    /// Under which lease an old one goes on.
    aliases: BTreeMap<(LaneId, i64), Lease>,
}

impl Layer {
    /// Over a store.
    #[must_use]
    pub fn new(
        inner: Arc<dyn Store>,
        trace: Arc<Mutex<Trace>>,
        spoil: Option<Spoil>,
        clock: Clock,
    ) -> Self {
        Self {
            inner,
            trace,
            spoil,
            clock,
            memory: Mutex::default(),
            opened: AtomicI64::new(0),
        }
    }

    /// The process has ended.
    pub fn forget(&self) {
        *lock(&self.memory) = Memory::default();
        lock(&self.trace).forget_leases();
    }

    fn is(&self, spoil: Spoil) -> bool {
        self.spoil == Some(spoil)
    }

    /// What was acknowledged too early is stored at last.
    async fn catch_up(&self) -> Result<(), StoreError> {
        let late = std::mem::take(&mut lock(&self.memory).late);
        if !late.is_empty() {
            self.inner.accept(late, None).await?;
        }
        Ok(())
    }

    /// The host works under a lease, and nobody else may.
    fn worked(&self, lease: &Lease) {
        let mut trace = lock(&self.trace);
        if trace.is_old(lease) {
            let how = format!("lane {} under fence {}", lease.lane.0, lease.fence);
            trace.breaks(FENCED, how);
        }
    }

    /// The lease under which the store is asked: the run's own, or for a store without fences whatever it takes.
    async fn lease(&self, lease: &Lease) -> Result<Lease, StoreError> {
        if !self.is(Spoil::NoFences) || !lock(&self.trace).is_old(lease) {
            return Ok(lease.clone());
        }
        let key = (lease.lane, lease.fence);
        let known = lock(&self.memory).aliases.get(&key).cloned();
        if let Some(alias) = known {
            return Ok(alias);
        }
        self.inner
            .wake(&lease.connection, lease.lane, "a store without fences")
            .await?;
        let mut alias = lease.clone();
        for claimed in self.inner.claim("no fences", 60_000, 100).await? {
            if claimed.lane == lease.lane {
                alias = claimed;
                continue;
            }
            let until = (self.clock)();
            let again = Next::Wait {
                until,
                after: After::PutOff,
                reason: String::new(),
            };
            self.inner
                .complete_run(&claimed, &[], Change::default(), again)
                .await?;
        }
        lock(&self.memory).aliases.insert(key, alias.clone());
        Ok(alias)
    }

    pub(super) async fn accept_events(
        &self,
        mut events: Vec<AcceptedEvent>,
        cursor: Option<CursorAdvance>,
    ) -> Result<Vec<Accepted>, StoreError> {
        if !self.is(Spoil::CursorsFirst) {
            self.catch_up().await?;
        }
        let told: Vec<AcceptedEvent> = events
            .iter()
            .filter(|event| event.dedupe.is_some())
            .cloned()
            .collect();
        let is_early = self.is(Spoil::AcknowledgesEarly)
            || self.is(Spoil::CursorsFirst) && events.iter().all(|event| event.cause == "sweep");
        let accepted = if is_early && cursor.is_none() {
            let rung = vec![Accepted::Rung(LaneId(1)); events.len()];
            lock(&self.memory).late.append(&mut events);
            rung
        } else if self.is(Spoil::CursorsFirst) {
            self.inner.accept(Vec::new(), cursor).await?;
            self.catch_up().await?;
            self.inner.accept(events, None).await?
        } else if self.is(Spoil::HearsOnce) {
            for event in &mut events {
                event.dedupe = Some(format!("{} {}", event.record.kind, event.record.id));
            }
            self.inner.accept(events, cursor).await?
        } else {
            self.inner.accept(events, cursor).await?
        };
        lock(&self.trace).acknowledged.extend(told);
        Ok(accepted)
    }

    pub(super) async fn claim_lanes(
        &self,
        owner: &str,
        lease_ms: Millis,
        max: usize,
    ) -> Result<Vec<Lease>, StoreError> {
        self.catch_up().await?;
        let mut claimed = self.inner.claim(owner, lease_ms, max).await?;
        if self.is(Spoil::LeasesEvents) && claimed.is_empty() {
            let held: Vec<Lease> = lock(&self.trace)
                .leases
                .values()
                .filter(|(_, has_ended)| !has_ended)
                .map(|(lease, _)| lease.clone())
                .collect();
            for lease in held {
                let lane = self.inner.peek(&lease.connection, lease.lane).await?;
                let rings =
                    |lane: LaneState| lane.bells.iter().any(|bell| bell.rung > bell.answered);
                if lane.is_some_and(rings) {
                    claimed.push(lease);
                    break;
                }
            }
        }
        let now = (self.clock)();
        let mut trace = lock(&self.trace);
        for lease in &claimed {
            let before = trace.leases.insert(lease.lane, (lease.clone(), false));
            if let Some((before, false)) = before
                && before.until > now
            {
                let how = format!(
                    "lane {} is leased under fence {} and under {}",
                    lease.lane.0, before.fence, lease.fence
                );
                trace.breaks(ONE_LEASE, how);
            }
        }
        Ok(claimed)
    }

    pub(super) async fn open_lane(&self, lease: &Lease) -> Result<LaneState, StoreError> {
        let asked = self.lease(lease).await?;
        let mut state = self.inner.open(&asked).await?;
        self.worked(lease);
        lock(&self.trace)
            .looked
            .insert(lease.lane, state.bells.clone());
        if self.is(Spoil::ForgetsUnknown)
            && let Some(intent) = state.intent.take()
        {
            let attempt = cosell_store::Attempt {
                operation: intent.operation.clone(),
                outcome: "absent".to_owned(),
                detail: String::new(),
            };
            let change = Change {
                attempt: Some(attempt),
                ..Change::default()
            };
            self.inner.complete_write(&asked, change).await?;
            lock(&self.trace).close(intent.operation, lease);
        }
        if self.is(Spoil::RandomIds) {
            let link = state.link.get_or_insert_with(LinkState::default);
            if link.crm_row.is_none() {
                link.generation = 1 + self.opened.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(state)
    }

    pub(super) async fn renew_lease(
        &self,
        lease: &Lease,
        lease_ms: Millis,
    ) -> Result<Lease, StoreError> {
        let asked = self.lease(lease).await?;
        let renewed = self.inner.renew(&asked, lease_ms).await?;
        self.worked(lease);
        let renewed = Lease {
            fence: lease.fence,
            ..renewed
        };
        lock(&self.trace)
            .leases
            .insert(lease.lane, (renewed.clone(), false));
        Ok(renewed)
    }

    pub(super) async fn intend_write(
        &self,
        lease: &Lease,
        intent: Intent,
    ) -> Result<(), StoreError> {
        if self.is(Spoil::NoIntents) {
            lock(&self.memory).unwritten.insert(lease.lane, intent);
            return Ok(());
        }
        let asked = self.lease(lease).await?;
        let operation = intent.operation.clone();
        self.inner.intend(&asked, intent).await?;
        self.worked(lease);
        lock(&self.trace).open.insert(operation, lease.fence);
        Ok(())
    }

    pub(super) async fn close_write(
        &self,
        lease: &Lease,
        mut change: Change,
    ) -> Result<(), StoreError> {
        let asked = self.lease(lease).await?;
        let unwritten = lock(&self.memory).unwritten.remove(&lease.lane);
        if let Some(intent) = unwritten {
            self.inner.intend(&asked, intent).await?;
        }
        let operation = change
            .attempt
            .as_ref()
            .map(|attempt| attempt.operation.clone());
        let is_done = change
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.outcome == "done");
        if self.is(Spoil::MovesBasesEarly) && !is_done {
            let more: Vec<Base> = change
                .audit
                .iter()
                .flat_map(|line| said(&line.detail))
                .collect();
            change.bases.extend(more);
        }
        if self.is(Spoil::KeepsBases) && is_done {
            change.bases.clear();
            change.raws.clear();
        }
        self.inner.complete_write(&asked, change).await?;
        self.worked(lease);
        if let Some(operation) = operation {
            lock(&self.trace).close(operation, lease);
        }
        Ok(())
    }

    pub(super) async fn end_run(
        &self,
        lease: &Lease,
        answered: &[Bell],
        mut change: Change,
        mut next: Next,
    ) -> Result<(), StoreError> {
        let asked = self.lease(lease).await?;
        let mut answered = answered.to_vec();
        if self.is(Spoil::AnswersLaterRings)
            && let Some(lane) = self.inner.peek(&lease.connection, lease.lane).await?
        {
            answered = lane.bells;
        }
        if self.is(Spoil::NeverWaits)
            && matches!(
                next,
                Next::Wait {
                    after: After::Failure,
                    ..
                }
            )
        {
            next = Next::Settled;
        }
        if self.is(Spoil::KeepsBases) {
            change.bases.clear();
            change.raws.clear();
        }
        let operation = change
            .attempt
            .as_ref()
            .map(|attempt| attempt.operation.clone());
        self.inner
            .complete_run(&asked, &answered, change, next)
            .await?;
        self.worked(lease);
        lock(&self.memory).unwritten.remove(&lease.lane);
        let mut trace = lock(&self.trace);
        if let Some(operation) = operation {
            trace.close(operation, lease);
        }
        if let Some((_, has_ended)) = trace.leases.get_mut(&lease.lane) {
            *has_ended = true;
        }
        let seen = trace.looked.get(&lease.lane).cloned().unwrap_or_default();
        let late = answered.iter().find(|bell| {
            let before = seen.iter().find(|seen| seen.record == bell.record);
            before.is_none_or(|before| before.rung < bell.rung)
        });
        if let Some(late) = late {
            let how = format!(
                "{} {}, ring {}",
                late.record.kind, late.record.id, late.rung
            );
            trace.breaks(ANSWERED, how);
        }
        Ok(())
    }

    pub(super) async fn close_credential(
        &self,
        connection: &str,
        throttle: Throttle,
    ) -> Result<(), StoreError> {
        let (name, until) = (throttle.credential.clone(), throttle.until);
        self.inner.set_throttle(connection, throttle).await?;
        let mut trace = lock(&self.trace);
        let kept = trace.throttles.entry(name).or_insert(0);
        *kept = until.max(*kept);
        Ok(())
    }

    pub(super) async fn closed_credentials(
        &self,
        connection: &str,
    ) -> Result<Vec<Throttle>, StoreError> {
        if self.is(Spoil::IgnoresThrottles) {
            return Ok(Vec::new());
        }
        self.inner.throttles(connection).await
    }

    /// Whether everything that was acknowledged is stored: what is told once more must be known.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn has_kept_all(&self) -> Result<(), anyhow::Error> {
        let told = lock(&self.trace).acknowledged.clone();
        let again = self.inner.accept(told.clone(), None).await?;
        let lost = told
            .iter()
            .zip(again)
            .find(|(_, again)| *again != Accepted::Duplicate);
        if let Some((event, _)) = lost {
            let how = format!(
                "{} {} ({})",
                event.record.kind, event.record.id, event.cause
            );
            lock(&self.trace).breaks(KEPT, how);
        }
        Ok(())
    }
}

/// The base that a line of the audit speaks of, on the side that was to be written.
fn said(detail: &str) -> Option<Base> {
    let detail: Value = serde_json::from_str(detail).ok()?;
    Some(Base {
        unit: detail["unit"].as_str()?.to_owned(),
        side: detail["to"].as_str()?.to_owned(),
        value: Some(detail.get("after")?.to_string()),
        raw: None,
    })
}
