//! One history on its stage: a copied world, the real host on a store in memory, and a wire between them.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use anyhow::Context as _;
use cosell_host::bell::Belfry;
use cosell_host::desk::{
    Connection, CountedAs, Desk, LEASE_MS, Pace, Plugins, Rings, Room, SECOND_LOOK_MS,
};
use cosell_host::steady::Steady;
use cosell_host::sweep::{sweep_crm, sweep_partner_center};
use cosell_host::verbs::{Archive, Scope, answer, cards, holds, plan, retry_parked, settle};
use cosell_host::worker;
use cosell_simulator::{Inside, Service, Undelivered};
use cosell_store::{Lease, Moment, SqliteStore, Store, StoreError};
use cosell_sync::brake::MassLimits;
use cosell_sync::course::Patience;
use cosell_sync::delta::Order;
use cosell_sync::hold::{Irreversible, Rule as HoldRule, Rules};
use cosell_sync::merge::{Policies, Policy as Winner};
use cosell_sync::route::Rule;
use cosell_sync::side::Side;
use cosell_webhook::{Accept as _, Source, VerifiedBell};
use tokio::sync::{Notify, OnceCell};

use super::clients::clients;
use super::kit::Kit;
use super::layer::Layer;
use super::op::{Delta, HoldFor, Kind, Op, Policy};
use super::people::People;
use super::wire::{Spoil, Wire, lock};

/// Who decides and answers.
const PERSON: &str = "the operator";
/// The only connection.
pub const CONNECTION: &str = "model";
/// Webhooks that may arrive once more.
const ARRIVED_MAX: usize = 32;
/// Steps that the host may take at the end of a history: some ten per deal, and some hundred for one that waits to be completed, which is looked at
/// four times a minute for half an hour; each hour by which the clock was set back meanwhile is waited, too, and takes twice as many.
const STEPS_MAX: u32 = 4_000;
/// A sweep that failed comes again after so long.
const SWEEP_MS: i64 = 300_000;
/// Longest wait of the host that is waited for at the end: it gives up after about a day.
const PATIENCE_MS: i64 = 3 * 24 * 3_600_000;

/// A run of a host that stands still.
type Frozen = Pin<Box<dyn Future<Output = Result<Option<Lease>, StoreError>>>>;

/// See the module.
pub struct Stage<'a> {
    kit: &'a Kit,
    /// Both sides.
    pub world: Arc<Inside>,
    /// Everybody, and what they said.
    pub people: Arc<Mutex<People>>,
    /// Between host and world.
    pub wire: Arc<Wire>,
    /// What the host remembers, as it is.
    pub store: Arc<dyn Store>,
    /// What stands between the two.
    pub layer: Arc<Layer>,
    cut: Arc<Mutex<Option<(u8, bool)>>>,
    desk: Arc<Desk>,
    set: usize,
    choices: Choices,
    outbox: Vec<Undelivered>,
    arrived: Vec<Undelivered>,
    frozen: Vec<Frozen>,
    /// How far the store's clock is from the world's, in milliseconds.
    skew: Arc<AtomicI64>,
}

/// What an operator has chosen.
#[derive(Debug, Clone)]
struct Choices {
    policy: Policy,
    consent_declared: bool,
    quiet_s: u8,
    holds: BTreeMap<Kind, HoldFor>,
    mapping: Delta,
}

impl<'a> Stage<'a> {
    /// Nothing has happened yet.
    ///
    /// # Errors
    /// When there is no memory for a store.
    pub async fn new(kit: &'a Kit, seed: u64, spoil: Option<Spoil>) -> anyhow::Result<Self> {
        let world = Arc::new(kit.world.copied(seed));
        let people = Arc::new(Mutex::new(People::new(
            Arc::clone(&world),
            &kit.account,
            &kit.contacts,
        )));
        let wire = Arc::new(Wire::new(Arc::clone(&world), Arc::clone(&people), spoil));
        let cut: Arc<Mutex<Option<(u8, bool)>>> = Arc::default();
        let control = world.control().clone();
        let skew = Arc::clone(&wire.skew);
        let clock: cosell_store::Clock = {
            let skew = Arc::clone(&skew);
            Arc::new(move || control.now().as_millisecond() + skew.load(Ordering::Relaxed))
        };
        let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory_until(
            Arc::clone(&clock),
            power_cut(&cut, &wire),
        )?);
        let choices = Choices {
            policy: Policy::Ask,
            consent_declared: true,
            quiet_s: 0,
            holds: BTreeMap::new(),
            mapping: Delta::New,
        };
        let layer = Arc::new(Layer::new(
            Arc::clone(&store),
            Arc::clone(&wire.trace),
            spoil,
            clock,
        ));
        let desk = desk(kit, &world, &wire, &layer, &skew, 0, &choices)?;
        Ok(Self {
            kit,
            world,
            people,
            wire,
            store,
            layer,
            cut,
            desk,
            set: 0,
            choices,
            outbox: Vec::new(),
            arrived: Vec::new(),
            frozen: Vec::new(),
            skew,
        })
    }

    /// The set of plugins in service.
    #[must_use]
    pub fn set(&self) -> &super::kit::Set {
        &self.kit.sets[self.set]
    }

    /// Whether the operator declares that contacts may be shared.
    #[must_use]
    pub fn is_consent_declared(&self) -> bool {
        self.choices.consent_declared
    }

    /// Plays one op. What cannot happen does not happen.
    ///
    /// # Errors
    /// When the store fails, which it never may.
    pub async fn play(&mut self, op: &Op) -> anyhow::Result<()> {
        tracing::info!("── {op}");
        match op {
            Op::Act(act) => {
                lock(&self.people).act(act);
            }
            Op::Deliver(count) => {
                self.collect();
                for _ in 0..*count {
                    if !self.outbox.is_empty() {
                        let next = self.outbox.remove(0);
                        self.arrive(next).await?;
                    }
                }
            }
            Op::Overtake(count) => {
                self.collect();
                let at = usize::from(*count).min(self.outbox.len().saturating_sub(1));
                if !self.outbox.is_empty() {
                    let next = self.outbox.remove(at);
                    self.arrive(next).await?;
                }
            }
            Op::Again(count) => {
                let from = self.arrived.len().saturating_sub(usize::from(*count));
                for again in self.arrived.split_off(from) {
                    self.arrive(again).await?;
                }
            }
            Op::Lose(count) => {
                self.collect();
                let lost = usize::from(*count).min(self.outbox.len());
                self.outbox.drain(..lost);
            }
            // A sweep that fails comes again; nothing else is expected of it.
            Op::Sweep(partner_center) => drop(self.sweep(*partner_center).await?),
            Op::Run(count) => {
                for _ in 0..*count {
                    if !self.step().await? {
                        break;
                    }
                }
            }
            Op::Together => self.together().await?,
            Op::Calm => self.calm().await?,
            Op::Wait(seconds) => {
                self.world.control().advance_ms(i64::from(*seconds) * 1_000);
            }
            Op::Step(seconds) => {
                let by = i64::from(*seconds) * 1_000;
                self.skew.fetch_add(by, Ordering::Relaxed);
            }
            Op::At(when, what) => self.wire.plan(*when, *what),
            Op::Cut(nth, after) => *lock(&self.cut) = Some((*nth, *after)),
            Op::Restart => self.restart().await?,
            Op::Thaw => self.thaw().await?,
            Op::Swap(set) => self.swap(usize::from(*set)).await?,
            Op::Revoke => self.world.control().revoke_access_tokens(),
            Op::Expire => self.world.control().expire_delta_links(),
            Op::Policy(policy) => {
                self.choices.policy = *policy;
                self.restart().await?;
            }
            Op::Consent(declared) => {
                self.choices.consent_declared = *declared;
                {
                    let mut people = lock(&self.people);
                    people.consent = *declared || people.consent && people.acts > 0;
                }
                self.restart().await?;
            }
            Op::Quiet(seconds) => {
                self.choices.quiet_s = *seconds;
                self.restart().await?;
            }
            Op::Hold(kind, until) => {
                self.choices.holds.insert(*kind, *until);
                lock(&self.people).rule(*kind, *until);
                self.restart().await?;
            }
            Op::Mapping(delta) => {
                self.choices.mapping = *delta;
                self.restart().await?;
            }
            Op::Decide(nth, released) => self.decide(usize::from(*nth), *released).await?,
            Op::Answer(nth, choice) => {
                self.answer(usize::from(*nth), usize::from(*choice)).await?;
            }
            Op::Retry => {
                let archive = self.archive()?;
                self.until_cut(retry_parked(&archive, None, PERSON))
                    .await?
                    .transpose()?;
            }
            Op::Preview => self.preview().await?,
        }
        Ok(())
    }

    /// What the host has written down, for a person's verbs.
    fn archive(&self) -> anyhow::Result<Archive> {
        Ok(Archive::of(&self.desk, None)?)
    }

    /// A person decides about an open hold.
    async fn decide(&mut self, nth: usize, released: bool) -> anyhow::Result<()> {
        let archive = self.archive()?;
        let open = match self.until_cut(holds(&archive, false, 100)).await? {
            Some(open) => open?,
            None => return Ok(()),
        };
        if let Some(hold) = open.get(nth).filter(|hold| hold.verdict.is_none()) {
            if released {
                lock(&self.people).released(hold.lane, &hold.kind);
            }
            let decided = settle(&archive, hold.hold, released, PERSON);
            self.until_cut(decided).await?.transpose()?;
        }
        Ok(())
    }

    /// A person answers an open card.
    async fn answer(&mut self, nth: usize, choice: usize) -> anyhow::Result<()> {
        let archive = self.archive()?;
        let open = match self.until_cut(cards(&archive, false, 100)).await? {
            Some(open) => open?,
            None => return Ok(()),
        };
        let Some(card) = open.get(nth).filter(|card| card.answer.is_none()) else {
            return Ok(());
        };
        if !card.choices.is_empty() {
            let choice = &card.choices[choice % card.choices.len()].choice;
            let answered = answer(&archive, card.card, choice, PERSON);
            self.until_cut(answered).await?.transpose()?;
        }
        Ok(())
    }

    /// A person looks at what the host would do.
    async fn preview(&mut self) -> anyhow::Result<()> {
        let before = self.world.control().ledger(0).len();
        let desk = Arc::clone(&self.desk);
        // One side may not answer: then there is nothing to look at.
        let _shown = self
            .until_cut(plan(&desk, None, &Scope::All, &|_, _| {}))
            .await?;
        let wrote = self.world.control().ledger(0).len() - before;
        anyhow::ensure!(wrote == 0, "a preview has written {wrote} times");
        Ok(())
    }

    /// What the services have sent meanwhile.
    fn collect(&mut self) {
        self.outbox.extend(self.world.outbox());
    }

    /// The host hears a bell, as its door would hand it over.
    async fn arrive(&mut self, webhook: Undelivered) -> anyhow::Result<()> {
        let (source, event, kind) = match webhook.service {
            Service::Dataverse => {
                let (message, table) = webhook.event.split_once(' ').unwrap_or_default();
                (Source::Dataverse, message, table)
            }
            _ => (Source::PartnerCenter, &*webhook.event, "referral"),
        };
        let bell = VerifiedBell {
            connection: CONNECTION.to_owned(),
            source,
            event: event.to_owned(),
            kind: kind.to_owned(),
            record: webhook.record.clone(),
            dedupe: Some(format!("webhook {}", webhook.number)),
            correlation: None,
            tags: Vec::new(),
            organization: None,
            initiator: None,
            received_at: SystemTime::UNIX_EPOCH,
        };
        tracing::info!(
            "webhook {}: {} {}",
            webhook.number,
            webhook.event,
            webhook.record
        );
        let desk = Arc::clone(&self.desk);
        let belfry = Belfry(desk);
        match self.until_cut(belfry.accept(bell)).await? {
            Some(heard) => drop(heard.context("a bell was refused")?),
            // Nobody said 200: it is sent once more.
            None => {
                self.outbox.insert(0, webhook);
                return Ok(());
            }
        }
        self.arrived.push(webhook);
        if self.arrived.len() > ARRIVED_MAX {
            self.arrived.remove(0);
        }
        Ok(())
    }

    /// True when it came to its end.
    async fn sweep(&mut self, partner_center: bool) -> anyhow::Result<bool> {
        let desk = Arc::clone(&self.desk);
        let connection = &desk.connections[CONNECTION];
        let swept = if partner_center {
            self.until_cut(sweep_partner_center(&desk, connection))
                .await?
        } else {
            self.until_cut(sweep_crm(&desk, connection)).await?
        };
        Ok(matches!(swept, Some(Ok(_))))
    }

    /// One run of the host, true if a lane was due. The power may fail in it.
    async fn step(&mut self) -> anyhow::Result<bool> {
        let (its_desk, wire) = (Arc::clone(&self.desk), Arc::clone(&self.wire));
        let mut run: Frozen = Box::pin(async move { worker::step(&its_desk).await });
        lock(&wire.trace).minds_throttles = true;
        wire.may_freeze(true);
        let mut has_frozen = false;
        let answer = tokio::select! {
            biased;
            answer = &mut run => Some(answer),
            () = wire.power.notified() => None,
            () = wire.frozen.notified() => {
                self.frozen.push(run);
                self.world.control().advance_ms(LEASE_MS + 1);
                has_frozen = true;
                Some(Ok(None))
            }
        };
        if has_frozen {
            // The next one is another process, with clients of its own: nothing waits for what the frozen one has begun.
            self.desk = self.another_desk()?;
        }
        wire.may_freeze(false);
        lock(&wire.trace).minds_throttles = false;
        let Some(lane) = self.unless_cut(answer).await? else {
            return Ok(true);
        };
        let lane = lane?;
        if let Some(lease) = &lane {
            tracing::info!("lane {} has run", lease.lane.0);
        }
        Ok(lane.is_some() || has_frozen)
    }

    async fn calm(&mut self) -> anyhow::Result<()> {
        for _ in 0..STEPS_MAX {
            self.collect();
            for webhook in std::mem::take(&mut self.outbox) {
                self.arrive(webhook).await?;
            }
            if !self.step().await? {
                return Ok(());
            }
        }
        anyhow::bail!("the host never gets calm: {STEPS_MAX} runs, and another lane is due")
    }

    async fn together(&mut self) -> anyhow::Result<()> {
        let desk = Arc::clone(&self.desk);
        self.wire.take_turns(true);
        let both = async { tokio::join!(worker::step(&desk), worker::step(&desk)) };
        let done = self.until_cut(both).await;
        self.wire.take_turns(false);
        if let Some((first, second)) = done? {
            first?;
            second?;
        }
        Ok(())
    }

    /// Runs until it ends, or the power fails: then the host is started anew, and there is no answer.
    async fn until_cut<T>(&mut self, work: impl Future<Output = T>) -> anyhow::Result<Option<T>> {
        let wire = Arc::clone(&self.wire);
        let answer = tokio::select! {
            biased;
            answer = work => Some(answer),
            () = wire.power.notified() => None,
        };
        self.unless_cut(answer).await
    }

    /// The answer, unless the power has failed: then the host is started anew.
    async fn unless_cut<T>(&mut self, answer: Option<T>) -> anyhow::Result<Option<T>> {
        if self.wire.restore() {
            if answer.is_some() {
                // It ended in the very moment in which the power failed; the failure itself is heard of here.
                self.wire.power.notified().await;
            }
            self.restart().await?;
            return Ok(None);
        }
        Ok(answer)
    }

    /// Hosts that stand still go on to the end of their runs, whatever has become of their lanes.
    async fn thaw(&mut self) -> anyhow::Result<()> {
        let frozen = std::mem::take(&mut self.frozen);
        self.wire.thaw.notify_waiters();
        let ended = self
            .until_cut(futures_util::future::join_all(frozen))
            .await?;
        for run in ended.into_iter().flatten() {
            run?;
        }
        Ok(())
    }

    /// What another process would work with: clients of its own, on the same store.
    fn another_desk(&self) -> anyhow::Result<Arc<Desk>> {
        desk(
            self.kit,
            &self.world,
            &self.wire,
            &self.layer,
            &self.skew,
            self.set,
            &self.choices,
        )
    }

    /// Another process on the same store. Its first set of plugins, and its configuration, may be others: what is parked is tried again.
    async fn restart(&mut self) -> anyhow::Result<()> {
        *lock(&self.cut) = None;
        self.desk = self.another_desk()?;
        self.layer.resume().await?;
        cosell_host::app::wake_parked(&self.desk).await;
        Ok(())
    }

    async fn swap(&mut self, set: usize) -> anyhow::Result<()> {
        self.set = set % self.kit.sets.len();
        lock(&self.people).remap(self.set().mapping);
        if let Plugins::Given(current) = &self.desk.plugins {
            *lock(current) = Arc::clone(&self.set().plugins);
        }
        let desk = Arc::clone(&self.desk);
        self.until_cut(cosell_host::app::wake_parked(&desk)).await?;
        Ok(())
    }

    /// Nothing goes wrong any more; everything that was sent arrives, and the host works until nothing is left to do.
    ///
    /// # Errors
    /// When it never gets quiet.
    pub async fn settle(&mut self) -> anyhow::Result<()> {
        self.wire.forget_plans();
        *lock(&self.cut) = None;
        self.world.control().clear_faults();
        self.thaw().await?;
        let until = self.desk.now() + PATIENCE_MS;
        let mut steps = 0;
        let mut swept = false;
        loop {
            self.collect();
            for webhook in std::mem::take(&mut self.outbox) {
                self.arrive(webhook).await?;
            }
            steps += 1;
            anyhow::ensure!(
                steps < STEPS_MAX,
                "the host never gets quiet: {STEPS_MAX} runs, and another lane is due"
            );
            if self.step().await? {
                continue;
            }
            if !swept {
                swept = self.sweep(true).await? && self.sweep(false).await?;
                if !swept {
                    self.world.control().advance_ms(SWEEP_MS);
                }
                continue;
            }
            let now = self.desk.now();
            match self.store.next_due().await? {
                Some(due) if due <= until => {
                    self.world.control().advance_ms((due - now).max(1));
                }
                _ if self.outbox.is_empty() => return Ok(()),
                _ => {}
            }
        }
    }

    /// Every lane looks once more, and the host works until it is quiet again.
    ///
    /// # Errors
    /// As [`Stage::settle`].
    pub async fn ring_all(&mut self) -> anyhow::Result<()> {
        for lane in self.store.lanes(CONNECTION, 1_000).await? {
            if lane.state != "retired" {
                self.store
                    .wake(CONNECTION, lane.lane, "the judge asks")
                    .await?;
            }
        }
        self.settle().await
    }
}

/// Counts the requests to the store down, and fails the power at the last.
fn power_cut(cut: &Arc<Mutex<Option<(u8, bool)>>>, wire: &Arc<Wire>) -> cosell_store::PowerCut {
    let (cut, wire) = (Arc::clone(cut), Arc::clone(wire));
    Arc::new(move |_doing, moment| {
        let mut planned = lock(&cut);
        let Some((left, after)) = planned.as_mut() else {
            return false;
        };
        if *after != (moment == Moment::After) {
            return false;
        }
        *left = left.saturating_sub(1);
        if *left > 0 {
            return false;
        }
        *planned = None;
        wire.fail();
        true
    })
}

fn rules(chosen: &BTreeMap<Kind, HoldFor>) -> Rules {
    let rule = |(kind, until): (&Kind, &HoldFor)| {
        let kind = match kind {
            Kind::Visibility => Irreversible::Visibility,
            Kind::Help => Irreversible::Help,
            Kind::Contacts => Irreversible::Contacts,
            Kind::Won => Irreversible::Won,
            Kind::Lost => Irreversible::Lost,
        };
        let rule = match until {
            HoldFor::Nobody => HoldRule::AtOnce,
            HoldFor::AMinute => HoldRule::After(60_000),
            HoldFor::APerson => HoldRule::OnConfirmation,
        };
        (kind, rule)
    };
    chosen.iter().map(rule).collect()
}

fn desk(
    kit: &Kit,
    world: &Arc<Inside>,
    wire: &Arc<Wire>,
    store: &Arc<Layer>,
    skew: &Arc<AtomicI64>,
    set: usize,
    choices: &Choices,
) -> anyhow::Result<Arc<Desk>> {
    let skew = Arc::clone(skew);
    let (partner_center, dataverse) = clients(world, wire, Some(&kit.wise))?;
    let conflict = match choices.policy {
        Policy::Ask => Winner::Ask,
        Policy::PartnerCenter => Winner::Wins(Side::PartnerCenter),
        Policy::Crm => Winner::Wins(Side::Crm),
        Policy::Newest => Winner::Newest,
    };
    let connection = Connection {
        id: CONNECTION.to_owned(),
        partner_center,
        dataverse,
        counted_as: CountedAs::default(),
        policies: Policies {
            conflict,
            link: conflict,
            conflict_of: BTreeMap::new(),
        },
        link_base: "https://partner.example/".to_owned(),
        partner_location: None,
        contacts_consent_declared: choices.consent_declared,
        patience: Patience {
            quiet_ms: i64::from(choices.quiet_s) * 1_000,
            incomplete_ms: 15 * 60_000,
        },
        holds: rules(&choices.holds),
        mass: MassLimits {
            writes_max: 0,
            irreversible_max: 0,
            window_ms: 1,
        },
        mapping_changes: match choices.mapping {
            Delta::New => Order::NewDealsOnly,
            Delta::Edit => Order::AtNextEdit,
            Delta::All => Order::All,
        },
        partner_tenant: "model".to_owned(),
        route: Rule::default(),
        place: 0,
        // As the host does it: what was parked under other choices is tried again.
        configuration: format!("{choices:?}"),
        checked: OnceCell::new(),
        steady: Steady::default(),
    };
    let control = world.control().clone();
    let rolls = Mutex::new(0_u32);
    Ok(Arc::new(Desk {
        store: Arc::clone(store) as Arc<dyn Store>,
        clock: Arc::new(move || control.now().as_millisecond() + skew.load(Ordering::Relaxed)),
        plugins: Plugins::Given(Mutex::new(Arc::clone(&kit.sets[set].plugins))),
        connections: BTreeMap::from([(CONNECTION.to_owned(), connection)]),
        rope: Arc::new(Notify::new()),
        owner: "model".to_owned(),
        speaks: AtomicBool::default(),
        lease_ms: LEASE_MS,
        second_look_ms: SECOND_LOOK_MS,
        language: "en".to_owned(),
        dice: Arc::new(move || {
            let mut rolls = lock(&rolls);
            *rolls = rolls.wrapping_mul(0x9E37_79B1).wrapping_add(0x7F4A_7C15);
            *rolls
        }),
        seal: Arc::default(),
        recordings: None,
        pace: Arc::new(Pace::new(24)),
        room: Room::default(),
        rings: Rings::default(),
    }))
}
