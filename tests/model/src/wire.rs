//! The network of a history: carries the host's calls into the simulated world, and lets things happen on the way.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cosell_remote::{Broken, Carrier, Cause, Parcel};
use cosell_simulator::{Carried, Fault, FaultKind, Inside, Service};
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::layer::Trace;
use super::op::{What, When};
use super::people::People;

/// Seconds that a service asks for when it slows us down.
const RETRY_AFTER_S: u64 = 20;

/// A network or a store that makes a good host a bad one: what the judge must see. Those of the store are in [`super::layer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Spoil {
    /// Writes lose their etags: an edit that came between look and write is overwritten.
    NoEtags,
    /// Creations lose their "only if it does not exist".
    Upserts,
    /// A creation whose answer was lost is sent once more.
    RepeatsPosts,
    /// Every change of the CRM is sent twice.
    Stammers,
    /// Notes arrive empty.
    BlanksNotes,
    /// Amounts arrive ten times as large.
    Inflates,
    /// Whatever is changed in a referral, it is won.
    Closes,
    /// Whatever is changed in a referral, Microsoft's sellers see it.
    Exposes,
    /// After a 412 the write is sent once more, without a condition.
    Overwrites,
    /// The store: webhooks are acknowledged before they are stored.
    AcknowledgesEarly,
    /// The store: the cursor of a sweep is stored before the events that it passes.
    CursorsFirst,
    /// The store: a record is heard once, and later events about it count as known.
    HearsOnce,
    /// The store: a lane that is worked on is handed out again when another event comes.
    LeasesEvents,
    /// The store: whoever held a lane before goes on as if it were his.
    NoFences,
    /// The store: intents are written down with the end of their write.
    NoIntents,
    /// The store: a write whose outcome nobody knows counts as not done.
    ForgetsUnknown,
    /// The store: each run makes its new rows under ids of its own.
    RandomIds,
    /// The store: bases move although the write was refused.
    MovesBasesEarly,
    /// The store: bases do not move with their write.
    KeepsBases,
    /// The store: a run answers rings that came after its look.
    AnswersLaterRings,
    /// The store: a run that failed is not tried again.
    NeverWaits,
    /// The store: nobody is told that a credential rests.
    IgnoresThrottles,
}

impl Spoil {
    /// The mistakes of the protocol, each of which some random history has to show.
    pub const MUTANTS: [Self; 17] = [
        Self::NoEtags,
        Self::Upserts,
        Self::RepeatsPosts,
        Self::Overwrites,
        Self::AcknowledgesEarly,
        Self::CursorsFirst,
        Self::HearsOnce,
        Self::LeasesEvents,
        Self::NoFences,
        Self::NoIntents,
        Self::ForgetsUnknown,
        Self::RandomIds,
        Self::MovesBasesEarly,
        Self::KeepsBases,
        Self::AnswersLaterRings,
        Self::NeverWaits,
        Self::IgnoresThrottles,
    ];
}

/// Between the host and its world.
pub struct Wire {
    world: Arc<Inside>,
    spoil: Option<Spoil>,
    people: Arc<Mutex<People>>,
    began: (Instant, i64),
    plans: Mutex<Vec<(When, What)>>,
    state: Mutex<State>,
    /// Rung when the power fails: whoever drives the host drops what it was doing.
    pub power: Notify,
    /// Rung when the host freezes: whoever drives it lays aside what it was doing.
    pub frozen: Notify,
    /// Rung for frozen hosts to go on.
    pub thaw: Notify,
    /// What the protocol comes to, step by step.
    pub trace: Arc<Mutex<Trace>>,
    /// How far the store's clock is from the world's, in milliseconds.
    pub skew: Arc<AtomicI64>,
}

#[derive(Default)]
struct State {
    /// The power has failed, and the host was not started anew yet.
    dead: bool,
    /// Calls give way to whatever else is running.
    takes_turns: bool,
    /// Whoever drives the host can lay it aside.
    may_freeze: bool,
    calls: u64,
    /// Writes that are still on their way, each with the calls that overtake it.
    late: Vec<(u8, Service, Parcel)>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl Wire {
    /// Nothing is planned yet.
    #[must_use]
    pub fn new(world: Arc<Inside>, people: Arc<Mutex<People>>, spoil: Option<Spoil>) -> Self {
        let began = (Instant::now(), world.control().now().as_millisecond());
        Self {
            world,
            spoil,
            people,
            began,
            plans: Mutex::default(),
            state: Mutex::default(),
            power: Notify::new(),
            frozen: Notify::new(),
            thaw: Notify::new(),
            trace: Arc::default(),
            skew: Arc::default(),
        }
    }

    /// Lets something happen at one of the next calls.
    pub fn plan(&self, when: When, what: What) {
        lock(&self.plans).push((when, what));
    }

    /// Whatever was planned does not happen any more, and what is on its way arrives.
    pub fn forget_plans(&self) {
        lock(&self.plans).clear();
        self.let_arrive(u8::MAX);
    }

    /// One more call overtakes what is late, or so many.
    fn let_arrive(&self, calls: u8) {
        let mut state = lock(&self.state);
        let mut arrives = Vec::new();
        for (mut left, service, parcel) in std::mem::take(&mut state.late) {
            left = left.saturating_sub(calls);
            if left == 0 {
                arrives.push((service, parcel));
            } else {
                state.late.push((left, service, parcel));
            }
        }
        drop(state);
        for (service, parcel) in arrives {
            let _nobody_hears = self.hand_over(service, parcel, true);
        }
    }

    /// Calls that were carried so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        lock(&self.state).calls
    }

    /// The power fails: nothing that is under way goes on.
    pub fn fail(&self) {
        lock(&self.state).dead = true;
        self.power.notify_one();
    }

    /// The power is back, true if it had failed.
    pub fn restore(&self) -> bool {
        std::mem::take(&mut lock(&self.state).dead)
    }

    /// Whether a call may lay the host aside.
    pub fn may_freeze(&self, yes: bool) {
        lock(&self.state).may_freeze = yes;
    }

    /// The process stands still in the middle of a call, until it is thawed.
    async fn stand_still(&self) {
        if !std::mem::take(&mut lock(&self.state).may_freeze) {
            return;
        }
        let mut thawed = std::pin::pin!(self.thaw.notified());
        thawed.as_mut().enable();
        self.frozen.notify_one();
        thawed.await;
    }

    /// Whether two runs take turns at each call.
    pub fn take_turns(&self, yes: bool) {
        lock(&self.state).takes_turns = yes;
    }

    /// What was planned for this call.
    fn due(&self, service: Service, writes: bool) -> Vec<What> {
        let mut due = Vec::new();
        lock(&self.plans).retain_mut(|(when, what)| {
            let is_meant =
                when.service.is_none_or(|wanted| wanted == service) && (writes || !when.writes);
            if !is_meant {
                return true;
            }
            when.nth = when.nth.saturating_sub(1);
            if when.nth == 0 {
                due.push(*what);
            }
            when.nth > 0
        });
        due
    }

    async fn send(&self, parcel: Parcel) -> Result<http::Response<Bytes>, Broken> {
        let service = parcel
            .url
            .host_str()
            .and_then(Inside::service)
            .ok_or_else(|| Broken::NeverSent(Cause::default()))?;
        let takes_turns = {
            let mut state = lock(&self.state);
            state.calls += 1;
            state.takes_turns
        };
        if takes_turns {
            tokio::task::yield_now().await;
        }
        let writes = !only_reads(&parcel) && service != Service::Entra;
        let conditional = parcel.headers.contains_key("if-match");
        // S14 names the one exception to what is promised: a process that freezes inside an unconditional POST. Real processes show it.
        let may_come_late = !writes || conditional || parcel.headers.contains_key("if-none-match");
        if let Some(credential) = credential(service) {
            // What rests, rests by the store's clock.
            let skew = self.skew.load(Ordering::Relaxed);
            let now = self.world.control().now().as_millisecond() + skew;
            let operation = writes.then(|| operation(&parcel)).flatten();
            lock(&self.trace).call(credential, operation.as_deref(), now);
        }
        self.let_arrive(1);
        let mut after = None;
        for what in self.due(service, writes) {
            match what {
                What::Meanwhile(act) => {
                    lock(&self.people).act(&act);
                }
                // Only a write under an etag can meet a newer one.
                What::Answer(412) if !conditional => {}
                What::Answer(401) => self.world.control().revoke_access_tokens(),
                What::Answer(status) => self.world.control().fault(fault(service, status)),
                What::Freeze if may_come_late => self.stand_still().await,
                What::Late(calls) if may_come_late => {
                    self.send_late(calls, service, parcel);
                    return Err(Broken::Cut(Cause::default()));
                }
                What::CrashLate(calls) if may_come_late => {
                    self.send_late(calls, service, parcel);
                    self.fail();
                    return std::future::pending().await;
                }
                What::Freeze | What::Late(_) | What::CrashLate(_) => {}
                What::NoConnection => return Err(Broken::NeverSent(Cause::default())),
                What::CutBefore => return Err(Broken::Cut(Cause::default())),
                What::CrashBefore => {
                    self.fail();
                    return std::future::pending().await;
                }
                What::DoneBut500 | What::CutAfter | What::CrashAfter => after = Some(what),
            }
        }
        let carried = self.hand_over(service, parcel, after.is_some());
        match (after, carried) {
            (Some(What::CrashAfter), _) => {
                self.fail();
                std::future::pending().await
            }
            (Some(What::CutAfter), _) | (_, Carried::Unanswered) => {
                Err(Broken::Cut(Cause::default()))
            }
            (Some(What::DoneBut500), Carried::Answered(_)) => {
                let mut response = http::Response::new(Bytes::from_static(b"{}"));
                *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                Ok(response)
            }
            (_, Carried::Answered(response)) => Ok(response),
            (_, Carried::Lost) => Err(Broken::Cut(Cause::default())),
        }
    }
}

impl Wire {
    fn send_late(&self, calls: u8, service: Service, parcel: Parcel) {
        lock(&self.state).late.push((calls.max(1), service, parcel));
    }

    /// To the service, unspoilt unless a test wants it otherwise.
    fn hand_over(&self, service: Service, parcel: Parcel, is_lost: bool) -> Carried {
        let Some(spoil) = self.spoil else {
            return self.world.handle(request(parcel));
        };
        let mut parcel = parcel;
        let is_patch = parcel.method == http::Method::PATCH;
        let of_referral = service == Service::Referrals && is_patch;
        match spoil {
            Spoil::Overwrites if parcel.headers.contains_key("if-match") => {
                let first = self.world.handle(request(parcel.clone()));
                let met = |answer: &Carried| matches!(answer, Carried::Answered(said) if said.status() == http::StatusCode::PRECONDITION_FAILED);
                if !met(&first) {
                    return first;
                }
                parcel.headers.remove("if-match");
            }
            Spoil::NoEtags => drop(parcel.headers.remove("if-match")),
            Spoil::Upserts => drop(parcel.headers.remove("if-none-match")),
            Spoil::RepeatsPosts if is_lost && parcel.method == http::Method::POST => {
                let _first = self.world.handle(request(parcel.clone()));
            }
            Spoil::Stammers if service == Service::Dataverse && is_patch => {
                let _first = self.world.handle(request(parcel.clone()));
                parcel.headers.remove("if-match");
                parcel.headers.remove("if-none-match");
            }
            Spoil::BlanksNotes if of_referral => {
                more(&mut parcel, &[("/details/notes", "null")]);
            }
            Spoil::Inflates if of_referral => {
                more(&mut parcel, &[("/details/dealValue", "777777")]);
            }
            Spoil::Closes if of_referral => {
                more(
                    &mut parcel,
                    &[("/status", "\"Closed\""), ("/substatus", "\"Won\"")],
                );
            }
            Spoil::Exposes if of_referral => {
                let path = "/consent/consentToShareReferralWithMicrosoftSellers";
                more(&mut parcel, &[(path, "true")]);
            }
            _ => {}
        }
        self.world.handle(request(parcel))
    }
}

/// Whose rest is a service's.
fn credential(service: Service) -> Option<&'static str> {
    match service {
        Service::Dataverse => Some("dataverse"),
        Service::Referrals => Some("partner-center"),
        _ => None,
    }
}

/// The operation that a write belongs to, as the host tells it to both sides.
fn operation(parcel: &Parcel) -> Option<String> {
    const GUID_CHARS: usize = 36;
    if let Some(told) = parcel.headers.get("ms-correlationid") {
        return told.to_str().ok().map(str::to_owned);
    }
    let body = parcel.body.as_deref().unwrap_or_default();
    let text = format!("{} {}", parcel.url, String::from_utf8_lossy(body));
    ["tag=cosell%3A", "tag=cosell:"]
        .iter()
        .find_map(|tag| Some(text.split_once(tag)?.1.chars().take(GUID_CHARS).collect()))
}

/// Adds operations to a JSON Patch.
fn more(parcel: &mut Parcel, operations: &[(&str, &str)]) {
    let body = parcel.body.take().unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let mut text = text.trim_end().trim_end_matches(']').to_owned();
    for (path, value) in operations {
        text.push_str(&format!(
            r#",{{"op":"replace","path":"{path}","value":{value}}}"#
        ));
    }
    text.push(']');
    parcel.body = Some(Bytes::from(text));
}

impl Carrier for Wire {
    fn carry(&self, parcel: Parcel) -> BoxFuture<'_, Result<http::Response<Bytes>, Broken>> {
        Box::pin(self.send(parcel))
    }

    fn now(&self) -> Instant {
        let (began, at) = self.began;
        let passed = self.world.control().now().as_millisecond() - at;
        began + Duration::from_millis(u64::try_from(passed).unwrap_or(0))
    }

    fn chance(&self) -> f64 {
        0.5
    }
}

fn request(parcel: Parcel) -> http::Request<Bytes> {
    let mut request = http::Request::new(parcel.body.unwrap_or_default());
    *request.method_mut() = parcel.method;
    // What reqwest could not send either.
    *request.uri_mut() = parcel.url.as_str().parse().unwrap_or_default();
    *request.headers_mut() = parcel.headers;
    request
}

/// The service's own words for a status.
fn fault(service: Service, status: u16) -> Fault {
    Fault {
        service,
        method: None,
        path_prefix: String::new(),
        skip: 0,
        count: Some(1),
        kind: FaultKind::Answer {
            status,
            code: None,
            retry_after_s: (status == 429).then_some(RETRY_AFTER_S),
        },
    }
}

/// A panic under one of these locks ends the history anyway.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A batch is posted, also where all of it reads; what writes stands in a change set.
fn only_reads(parcel: &Parcel) -> bool {
    let is_batch_of_reads = || {
        let body = parcel.body.as_deref().unwrap_or_default();
        let has_writes = body.windows(10).any(|some| some == b"changeset_");
        parcel.url.path().ends_with("/$batch") && !has_writes
    };
    matches!(parcel.method, http::Method::GET | http::Method::HEAD) || is_batch_of_reads()
}
