//! Sending webhooks: attempts, waits, faults, and a record of what became of each. Or putting them into an outbox that a test empties.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Semaphore, oneshot};

use crate::assumptions::Readings;
use crate::clock::real_ms;
use crate::faults::{Faults, Service, WebhookFaultKind};
use crate::world::{EXPIRED_CERTIFICATE, FOREIGN_CERTIFICATE};

/// Deliveries at a time: enough for a burst, few enough not to look like an attack.
const AT_ONCE: usize = 64;
/// Longest wait between two attempts; the vendor's spacing is not known, ours is short so that tests end.
const RETRY_WAIT_MS_MAX: u64 = 5_000;
/// So long a delivery waits for one that overtakes it.
const OVERTAKEN_WITHIN: Duration = Duration::from_secs(2);
/// Records kept: older ones are dropped first.
const RECORDS_MAX: usize = 20_000;

/// One webhook to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) service: Service,
    pub(crate) event: String,
    pub(crate) record: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) attempts_max: u32,
    pub(crate) retry: Retry,
}

/// When a failed attempt is followed by another.
#[derive(Clone, Debug)]
pub(crate) enum Retry {
    /// Anything but 2xx, after a wait that doubles from this many milliseconds; in a world that assumes so, never.
    Always {
        first_wait_ms: u64,
        assumptions: Readings,
    },
    /// Only 502, 503 and 504, at once. A receiver that does not answer in time gets no second try.
    GatewayErrors,
}

/// What became of a webhook.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryRecord {
    /// The sender.
    pub service: Service,
    /// `referral-updated`, or `Update opportunity`.
    pub event: String,
    /// The record it is about.
    pub record: String,
    /// Where it went.
    pub url: String,
    /// Status of each attempt; none when no answer came.
    pub attempts: Vec<Option<u16>>,
    /// When it ended, real time, milliseconds since 1970.
    pub ended_ms: i64,
    /// `delivered`, `failed` or `dropped`.
    pub outcome: String,
}

/// A webhook that nobody has posted: who empties the outbox decides how often, when and in which order it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Position among all webhooks of this world, from 1.
    pub number: u64,
    /// The sender.
    pub service: Service,
    /// `referral-updated`, or `Update opportunity`.
    pub event: String,
    /// The record it is about.
    pub record: String,
    /// Where it would go.
    pub url: String,
}

/// The sender. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Deliveries {
    way: Way,
    faults: Arc<Faults>,
    records: Arc<Mutex<VecDeque<DeliveryRecord>>>,
    waiting: Arc<std::sync::atomic::AtomicUsize>,
    held: Arc<Mutex<Vec<Held>>>,
}

/// What a delivery waits for before it goes.
enum Wait {
    None,
    Ms(u64),
    /// A later one of the same sender.
    Overtaken(oneshot::Receiver<()>),
}

/// Who waits to be overtaken: its sender, and how it is told.
type Held = (Service, oneshot::Sender<()>);

#[derive(Clone)]
enum Way {
    Post {
        client: reqwest::Client,
        runtime: tokio::runtime::Handle,
        gate: Arc<Semaphore>,
        answer_wait: Duration,
    },
    /// And how many went through it so far.
    Outbox(Arc<Mutex<(u64, Vec<Undelivered>)>>),
}

impl Deliveries {
    pub(crate) fn new(
        client: reqwest::Client,
        runtime: tokio::runtime::Handle,
        answer_wait: Duration,
        faults: Arc<Faults>,
    ) -> Self {
        let gate = Arc::new(Semaphore::new(AT_ONCE));
        Self::by(
            Way::Post {
                client,
                runtime,
                gate,
                answer_wait,
            },
            faults,
        )
    }

    /// Nothing is posted, and nobody looks at signatures.
    pub(crate) fn into_outbox(faults: Arc<Faults>) -> Self {
        Self::by(Way::Outbox(Arc::default()), faults)
    }

    fn by(way: Way, faults: Arc<Faults>) -> Self {
        Self {
            way,
            faults,
            records: Arc::default(),
            waiting: Arc::default(),
            held: Arc::default(),
        }
    }

    /// Whether anybody will read headers and body.
    pub(crate) fn are_posted(&self) -> bool {
        matches!(self.way, Way::Post { .. })
    }

    /// Empties the outbox, oldest first.
    pub(crate) fn drain(&self) -> Vec<Undelivered> {
        match &self.way {
            Way::Outbox(held) => {
                std::mem::take(&mut held.lock().unwrap_or_else(PoisonError::into_inner).1)
            }
            Way::Post { .. } => Vec::new(),
        }
    }

    /// Webhooks that are on their way.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(std::sync::atomic::Ordering::Acquire)
    }

    pub(crate) fn records(&self) -> Vec<DeliveryRecord> {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// Sends in the background; `done` hears the record once it is settled.
    pub(crate) fn send(
        &self,
        mut delivery: Delivery,
        done: impl FnOnce(&DeliveryRecord) + Send + 'static,
    ) {
        if let Way::Outbox(held) = &self.way {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            held.0 += 1;
            let undelivered = Undelivered {
                number: held.0,
                service: delivery.service,
                event: delivery.event,
                record: delivery.record,
                url: delivery.url,
            };
            held.1.push(undelivered);
            return;
        }
        let fault = self.faults.strike_webhook(delivery.service);
        if fault == Some(WebhookFaultKind::Drop) {
            self.note(record_of(&delivery, Vec::new(), "dropped"));
            return;
        }
        if let Some(fault) = fault {
            spoil(&mut delivery, fault);
        }
        if fault == Some(WebhookFaultKind::Duplicate) {
            self.spawn(delivery.clone(), Wait::None, |_| {});
        }
        let wait = match fault {
            Some(WebhookFaultKind::Delay { ms }) => Wait::Ms(ms),
            Some(WebhookFaultKind::Reorder) => {
                let (overtake, overtaken) = oneshot::channel();
                self.held().push((delivery.service, overtake));
                Wait::Overtaken(overtaken)
            }
            _ => Wait::None,
        };
        self.spawn(delivery, wait, done);
    }

    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(
        &self,
        delivery: Delivery,
        wait: Wait,
        done: impl FnOnce(&DeliveryRecord) + Send + 'static,
    ) {
        let Way::Post { runtime, .. } = &self.way else {
            return;
        };
        let sender = self.clone();
        self.waiting
            .fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        // Whoever waits to be overtaken goes once this one has arrived.
        let overtaken: Vec<_> = match wait {
            Wait::Overtaken(_) => Vec::new(),
            _ => {
                let mut held = sender.held();
                held.extract_if(.., |(service, _)| *service == delivery.service)
                    .collect()
            }
        };
        runtime.spawn(async move {
            match wait {
                Wait::None => {}
                Wait::Ms(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                Wait::Overtaken(overtaken) => {
                    let _came_or_not = tokio::time::timeout(OVERTAKEN_WITHIN, overtaken).await;
                }
            }
            let record = sender.attempt(&delivery).await;
            for (_, overtake) in overtaken {
                let _gone = overtake.send(());
            }
            done(&record);
            sender.note(record);
            sender
                .waiting
                .fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
        });
    }

    async fn attempt(&self, delivery: &Delivery) -> DeliveryRecord {
        let mut statuses = Vec::new();
        loop {
            let status = self.post(delivery).await;
            statuses.push(status);
            if status.is_some_and(|status| (200..300).contains(&status)) {
                return record_of(delivery, statuses, "delivered");
            }
            let tried = u32::try_from(statuses.len()).unwrap_or(u32::MAX);
            let again = match &delivery.retry {
                Retry::Always { assumptions, .. } => !assumptions.events_are_sent_once(),
                Retry::GatewayErrors => matches!(status, Some(502..=504)),
            };
            if !again || tried >= delivery.attempts_max {
                return record_of(delivery, statuses, "failed");
            }
            if let Retry::Always { first_wait_ms, .. } = delivery.retry {
                let wait_ms = first_wait_ms
                    .saturating_mul(1 << (tried - 1).min(16))
                    .min(RETRY_WAIT_MS_MAX);
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
        }
    }

    async fn post(&self, delivery: &Delivery) -> Option<u16> {
        let Way::Post {
            client,
            gate,
            answer_wait,
            ..
        } = &self.way
        else {
            return None;
        };
        let _turn = gate.acquire().await.ok()?;
        let mut request = client
            .post(&delivery.url)
            .timeout(*answer_wait)
            .body(delivery.body.clone());
        for (name, value) in &delivery.headers {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(answer) => Some(answer.status().as_u16()),
            Err(error) => {
                tracing::debug!(%error, url = %delivery.url, "a webhook got no answer");
                None
            }
        }
    }

    fn note(&self, record: DeliveryRecord) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() == RECORDS_MAX {
            records.pop_front();
        }
        records.push_back(record);
    }
}

fn record_of(delivery: &Delivery, attempts: Vec<Option<u16>>, outcome: &str) -> DeliveryRecord {
    DeliveryRecord {
        service: delivery.service,
        event: delivery.event.clone(),
        record: delivery.record.clone(),
        url: delivery.url.clone(),
        attempts,
        ended_ms: real_ms(),
        outcome: outcome.to_owned(),
    }
}

/// Makes of a good delivery one that a receiver has to refuse.
fn spoil(delivery: &mut Delivery, fault: WebhookFaultKind) {
    let headers = &mut delivery.headers;
    let mut header = |name: &str, change: &dyn Fn(&str) -> String| {
        for (_, value) in headers.iter_mut().filter(|(held, _)| held == name) {
            *value = change(value);
        }
    };
    let beside = |file: &str, url: &str| {
        let folder = url.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{file}")
    };
    const CERTIFICATE: &str = "x-ms-certificate-url";
    match fault {
        WebhookFaultKind::Drop
        | WebhookFaultKind::Duplicate
        | WebhookFaultKind::Delay { .. }
        | WebhookFaultKind::Reorder => {}
        WebhookFaultKind::Tamper => {
            let mut bytes = delivery.body.iter_mut();
            if let Some(byte) = bytes.find(|byte| byte.is_ascii_lowercase()) {
                *byte = byte.to_ascii_uppercase();
            }
        }
        WebhookFaultKind::ByteOrderMark => {
            delivery.body.splice(0..0, "\u{feff}".bytes());
        }
        WebhookFaultKind::Unsigned => delivery
            .headers
            .retain(|(_, value)| !value.starts_with("Signature ")),
        WebhookFaultKind::WeakAlgorithm => {
            header("x-ms-signature-algorithm", &|_| "rsa-sha1".to_owned());
        }
        WebhookFaultKind::ExpiredCertificate => {
            header(CERTIFICATE, &|url| beside(EXPIRED_CERTIFICATE, url));
        }
        WebhookFaultKind::ForeignCertificate => {
            header(CERTIFICATE, &|url| beside(FOREIGN_CERTIFICATE, url));
        }
    }
}
