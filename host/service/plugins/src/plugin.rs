//! A plugin in service: who it is, what it declared, and its warm instances.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cosell_sync::deal::Timestamp;
use wasmtime::component::InstancePre;

use crate::bindings::cosell::mapping::types as wit;
use crate::chatter::Chatter;
use crate::convert::{given, heard};
use crate::declared::Declared;
use crate::engine::Engine;
use crate::health::Health;
use crate::inert::{self, Wasi};
use crate::instance::{GuestState, Instance, LogBook, Places, Source};
use crate::limits::{
    ASK_ROUNDS_MAX, Allowance, IDLE_MAX, LOG_CALL_BYTES, LOG_LINES_PER_MINUTE, Limits, REUSE_MAX,
};
use crate::pace::Pace;
use crate::question::Asking;
use crate::stop::{FaultKind, PluginFault, Speaker, Stop, StopKind};
use crate::threads::afterwards;

/// The hooks of the contract, in the order of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(
    missing_docs,
    reason = "the names are those of the interfaces in `wit/`"
)]
pub enum Hook {
    ShouldSync,
    Opportunity,
    Lead,
    Country,
    Status,
    Account,
    Contact,
    Decorate,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ShouldSync,
        Self::Opportunity,
        Self::Lead,
        Self::Country,
        Self::Status,
        Self::Account,
        Self::Contact,
        Self::Decorate,
    ];

    /// The interface's name, `should-sync`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShouldSync => "should-sync",
            Self::Opportunity => "opportunity",
            Self::Lead => "lead",
            Self::Country => "country",
            Self::Status => "status",
            Self::Account => "account",
            Self::Contact => "contact",
            Self::Decorate => "decorate",
        }
    }

    /// Reads what [`Hook::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.as_str() == text)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A component that was loaded and checked.
pub(crate) struct Plugin {
    pub(crate) speaker: Speaker,
    /// Name in the folder.
    pub(crate) file: String,
    /// Of the component, hex.
    pub(crate) sha256: String,
    pub(crate) summary: String,
    pub(crate) hooks: Vec<Hook>,
    /// Every setting that has a value, defaults filled in, in the manifest's order.
    pub(crate) settings: Vec<wit::Setting>,
    /// Text of the operator file; empty without one.
    pub(crate) operator: String,
    /// What the component imports.
    pub(crate) imports: Vec<String>,
    /// What its operator lets it have of a system, whether it asks for one or not.
    pub(crate) wasi: Wasi,
    pub(crate) declared: Declared,
    pub(crate) guest: Guest,
    pub(crate) health: Health,
    pub(crate) pace: Pace,
    pub(crate) chatter: Mutex<Chatter>,
}

/// What instances are made from, and those that are warm.
pub(crate) struct Guest {
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<GuestState>,
    pub(crate) places: Arc<Places>,
    pub(crate) limits: Limits,
    /// What an engine runs; None: the component is the mapping itself.
    pub(crate) source: Option<Arc<Source>>,
    idle: Arc<Idle<Instance>>,
}

/// Warm instances by connection, each with the moment since when nobody asks it, the latest last: what a guest remembers of one partner's deals, it
/// never tells another's.
struct Idle<I>(Mutex<BTreeMap<String, Vec<(Instant, I)>>>);

impl<I> Default for Idle<I> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<I> Idle<I> {
    fn of_all(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<(Instant, I)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that was asked last: those that are too many grow old.
    fn take(&self, connection: &str) -> Option<I> {
        let (_, instance) = self.of_all().get_mut(connection)?.pop()?;
        Some(instance)
    }

    /// Drops it when there are `most` already.
    fn put(&self, connection: &str, instance: I, now: Instant, most: usize) {
        let mut all = self.of_all();
        match all.get_mut(connection) {
            Some(idle) if idle.len() >= most => {}
            Some(idle) => idle.push((now, instance)),
            None => drop(all.insert(connection.to_owned(), vec![(now, instance)])),
        }
    }

    /// Takes away those that nobody has asked for so long.
    fn grown_old(&self, now: Instant, after: Duration) -> Vec<I> {
        let mut all = self.of_all();
        let mut old = Vec::new();
        for idle in all.values_mut() {
            let is_old =
                |(since, _): &mut (Instant, I)| now.saturating_duration_since(*since) >= after;
            old.extend(idle.extract_if(.., is_old).map(|(_, instance)| instance));
        }
        all.retain(|_, idle| !idle.is_empty());
        old
    }
}

/// What came of a call.
pub(crate) struct Called<R> {
    pub(crate) answer: Result<R, PluginFault>,
    pub(crate) log: LogBook,
    /// On a processor, as far as it can be told.
    pub(crate) worked: Duration,
}

impl Guest {
    pub(crate) fn new(
        engine: Engine,
        pre: InstancePre<GuestState>,
        places: Places,
        limits: Limits,
        source: Option<Arc<Source>>,
    ) -> Self {
        Self {
            engine,
            pre,
            places: Arc::new(places),
            limits,
            source,
            idle: Arc::default(),
        }
    }

    /// A new instance, ready to be asked.
    pub(crate) fn start(&self) -> Result<Instance, PluginFault> {
        Instance::start(&self.pre, &self.limits, self.source.as_deref())
    }

    /// One call at this moment, on a warm instance of this connection or on a new one.
    pub(crate) fn call<R>(
        &self,
        connection: &str,
        now: Timestamp,
        question: impl FnOnce(&mut Instance, &Places) -> wasmtime::Result<R>,
    ) -> Called<R> {
        let _passing = self.engine.pass_time();
        let warm = self.idle.take(connection);
        let mut instance = match warm.map_or_else(|| self.start(), Ok) {
            Ok(instance) => instance,
            Err(fault) => {
                return Called {
                    answer: Err(fault),
                    log: LogBook::default(),
                    worked: Duration::ZERO,
                };
            }
        };
        let answer = instance.ask(self.limits.call(), now, |instance| {
            question(instance, &self.places)
        });
        let log = instance.take_log();
        let worked = instance.worked();
        if answer.is_ok() {
            self.keep(connection, instance);
        } else {
            afterwards(move || drop(instance));
        }
        Called {
            answer,
            log,
            worked,
        }
    }

    /// One call at this moment on an instance of its own: for loading and examples.
    pub(crate) fn call_fresh<R>(
        &self,
        allowance: Allowance,
        now: Timestamp,
        question: impl FnOnce(&mut Instance, &Places) -> wasmtime::Result<R>,
    ) -> Result<R, PluginFault> {
        let _passing = self.engine.pass_time();
        let mut instance = self.start()?;
        instance.ask(allowance, now, |instance| question(instance, &self.places))
    }

    /// Back to the warm ones, unless it has served long or grown fat.
    fn keep(&self, connection: &str, instance: Instance) {
        let spent = self.limits.fresh_per_call
            || instance.calls() >= REUSE_MAX
            || instance.memory_bytes() > self.limits.memory_bytes / 2;
        if spent {
            return self.replace(connection, instance);
        }
        let room = self.engine.thread_count();
        self.idle.put(connection, instance, Instant::now(), room);
    }

    /// Another one in its place, brought up while nobody waits: taking a guest down and bringing one up costs more than most questions.
    fn replace(&self, connection: &str, spent: Instance) {
        let (pre, limits, source) = (self.pre.clone(), self.limits, self.source.clone());
        let (idle, room) = (Arc::clone(&self.idle), self.engine.thread_count());
        let (passing, places) = (self.engine.pass_time(), Arc::clone(&self.places));
        let connection = connection.to_owned();
        afterwards(move || {
            // A guest that cannot be brought up is told by the call that needs it.
            if let Ok(mut fresh) = Instance::start(&pre, &limits, source.as_deref()) {
                fresh.prepare_as(&spent, &places);
                idle.put(&connection, fresh, Instant::now(), room);
            }
            drop((spent, passing));
        });
    }

    /// Those of one connection.
    pub(crate) fn drop_connection(&self, connection: &str) {
        self.idle.of_all().remove(connection);
    }

    /// Those that nobody has asked for a while. Taking a guest down takes its time: not for a thread that answers.
    pub(crate) fn drop_old(&self) {
        drop(self.idle.grown_old(Instant::now(), IDLE_MAX));
    }

    pub(crate) fn drop_warm(&self) {
        self.idle.of_all().clear();
    }
}

impl Plugin {
    pub(crate) fn id(&self) -> &str {
        &self.speaker.plugin
    }

    /// When a question is asked that says so itself: for a guest that may ask for the time, and for nobody else.
    pub(crate) fn moment_of(&self, context: &wit::Context) -> Timestamp {
        let asks = self
            .imports
            .iter()
            .any(|name| inert::package_of(name).is_some());
        let said = asks.then(|| context.now.parse().ok()).flatten();
        said.unwrap_or(inert::BEFORE_ANY_QUESTION)
    }

    /// The context of one question, with this plugin's settings and the rows that it asked for.
    pub(crate) fn context(&self, asking: &Asking) -> wit::Context {
        context(asking, self.id(), &self.settings, &self.declared)
    }

    /// The record as this plugin may see it.
    pub(crate) fn seen(&self, seen: &cosell_sync::row::Seen) -> wit::Seen {
        given::seen(seen, self.id(), &self.declared.reads, &self.declared.joined)
    }

    /// A row that was read or found, as this plugin may see it.
    pub(crate) fn row(&self, row: &cosell_sync::row::Row) -> wit::Row {
        given::row(row, |column| self.may_see(&row.table, column))
    }

    pub(crate) fn may_see(&self, table: &str, column: &str) -> bool {
        given::may(&self.declared.reads, table, column)
            || given::may(&self.declared.asks, table, column)
    }

    /// Asks, and books a stop to this plugin.
    pub(crate) fn ask<R>(
        &self,
        asking: &Asking,
        question: &'static str,
        call: impl FnOnce(&mut Instance, &Places) -> wasmtime::Result<Result<R, wit::Stop>>,
    ) -> Result<R, Stop> {
        let started = Instant::now();
        let _span =
            tracing::trace_span!(target: "cosell_trace", "plugin", plugin = self.id(), question)
                .entered();
        let Called {
            answer,
            log,
            worked,
        } = self.guest.call(&asking.connection, asking.now, call);
        let limit = Duration::from_millis(self.guest.limits.call_ms);
        self.pace.called(worked, limit);
        metrics::histogram!("cosell_plugin_call_seconds", "plugin" => self.id().to_owned(), "question" => question)
            .record(started.elapsed());
        self.tell(question, &log);
        let kind = match answer {
            Ok(Ok(answer)) => {
                self.health.answered();
                return Ok(answer);
            }
            Ok(Err(stop)) => match heard::stop(&self.declared, self.id(), stop) {
                StopKind::Ask(_) if asking.round >= ASK_ROUNDS_MAX => {
                    StopKind::Fault(Box::new(PluginFault::new(
                        FaultKind::Output,
                        format!(
                            "asked for more rows in every round, and may ask {ASK_ROUNDS_MAX} times per question: ask for everything at once, or declare a join"
                        ),
                    )))
                }
                kind => kind,
            },
            Err(fault) => StopKind::Fault(Box::new(fault)),
        };
        if let StopKind::Fault(fault) = &kind {
            metrics::counter!("cosell_plugin_faults_total", "plugin" => self.id().to_owned(), "kind" => fault.kind.as_str())
                .increment(1);
        }
        if matches!(&kind, StopKind::Fault(fault) if fault.kind == FaultKind::Fault) {
            // It says itself that it is broken: whatever state it is in, nobody else should meet it.
            self.guest.drop_warm();
        }
        Err(self.stop(question, kind))
    }

    pub(crate) fn stop(&self, question: &'static str, kind: StopKind) -> Stop {
        Stop {
            plugin: self.speaker.clone(),
            hook: question,
            kind,
        }
    }

    /// An answer that does not hold.
    pub(crate) fn bad(&self, question: &'static str, bad: heard::Bad) -> Stop {
        self.stop(question, bad.into())
    }

    fn tell(&self, question: &str, log: &LogBook) {
        let plugin = self.id();
        // What the host's own log leaves out takes no room from what it does not.
        let lines: Vec<_> = log
            .lines
            .iter()
            .filter(|(level, _)| is_written(*level))
            .collect();
        let lost = usize::try_from(log.dropped).unwrap_or(usize::MAX);
        let heard = self
            .chatter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .hear(Instant::now(), lines.len(), lost);
        if heard.dropped_before > 0 {
            tracing::warn!(target: "cosell::plugin", plugin, dropped.lines = heard.dropped_before, "{} lines more were dropped in the minute that it logged too much", heard.dropped_before);
        }
        for (level, line) in lines.into_iter().take(heard.lines) {
            match level {
                wit::Level::Debug => {
                    tracing::debug!(target: "cosell::plugin", plugin, question, "{line}")
                }
                wit::Level::Info => {
                    tracing::info!(target: "cosell::plugin", plugin, question, "{line}")
                }
                wit::Level::Warn => {
                    tracing::warn!(target: "cosell::plugin", plugin, question, "{line}")
                }
                wit::Level::Error => {
                    tracing::error!(target: "cosell::plugin", plugin, question, "{line}")
                }
            }
        }
        if heard.is_first_drop {
            tracing::warn!(target: "cosell::plugin", plugin, question, "it logs too much: a call may log {} KiB and a minute {LOG_LINES_PER_MINUTE} lines; the rest is dropped, and counted", LOG_CALL_BYTES >> 10);
        }
    }
}

fn is_written(level: wit::Level) -> bool {
    use tracing::{Level, enabled};
    match level {
        wit::Level::Debug => enabled!(target: "cosell::plugin", Level::DEBUG),
        wit::Level::Info => enabled!(target: "cosell::plugin", Level::INFO),
        wit::Level::Warn => enabled!(target: "cosell::plugin", Level::WARN),
        wit::Level::Error => enabled!(target: "cosell::plugin", Level::ERROR),
    }
}

pub(crate) fn context(
    asking: &Asking,
    plugin: &str,
    settings: &[wit::Setting],
    declared: &Declared,
) -> wit::Context {
    wit::Context {
        now: crate::convert::timestamp_text(asking.now),
        language: asking.language.clone(),
        settings: settings.to_vec(),
        found: given::found(&asking.found, plugin, &declared.asks),
        more: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_instance_that_nobody_asks_grows_old_and_one_that_is_asked_does_not() {
        let idle = Idle::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let old = |seconds| idle.grown_old(at(seconds), Duration::from_secs(300));
        idle.put("here", 1, at(0), 2);
        idle.put("here", 2, at(0), 2);
        idle.put("here", 3, at(0), 2);
        idle.put("there", 4, at(100), 2);
        assert_eq!(idle.take("here"), Some(2), "of three, two are kept");
        idle.put("here", 2, at(200), 2);
        assert!(old(299).is_empty());
        assert_eq!(old(300), [1]);
        assert_eq!(old(400), [4]);
        assert_eq!(idle.take("there"), None);
        assert_eq!(idle.take("here"), Some(2));
    }
}
