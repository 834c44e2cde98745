//! Traces for an OpenTelemetry collector: what a bell, a run, a look, a call, a plugin and a write took, and under which ids the vendors know the
//! calls. One trace is one run; the bells that rang for it are linked.
//!
//! Nothing of a deal is in them: ids, kinds, moments, and no name, title or value. Log lines stay in the log. A collector that is slow or gone keeps
//! nobody waiting: spans wait in a queue with an end, and what does not fit is dropped and counted (`cosell_spans_dropped_total`).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use cosell_remote::{Http, HttpSettings, SetupError, notice};
use cosell_store::{ConnectionId, LaneId};
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::warn;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};

use crate::config::Config;

/// Spans that are for traces: log lines show them at the level `trace` alone.
pub(crate) const TARGET: &str = "cosell_trace";
/// The spans that log lines show as well.
const SHOWN: &str = "run";
/// Spans that wait for the collector: some seconds of a busy host, some MiB.
const QUEUE_MAX: usize = 8_192;
/// Spans in one request.
const BATCH_MAX: usize = 512;
/// Spans are gathered for so long, so that one request takes many.
const GATHER: Duration = Duration::from_millis(500);
/// A collector that takes longer has lost the batch.
const TIME_MAX: Duration = Duration::from_secs(10);
/// A collector that is gone is told of so often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// When the host ends, the last spans get so much time.
const END_MAX: Duration = Duration::from_secs(3);
/// Bells whose runs have not begun; more than these are not linked.
const RINGS_MAX: usize = 10_000;
/// So long a bell is kept for its run: another host may have taken the lane, and then nobody asks for it here.
const RING_AGE_MAX: Duration = Duration::from_secs(900);

/// What a subscriber takes, beside the log.
pub type TraceLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Why no traces can be sent.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The client could not be made.
    #[error("the client for traces cannot be made")]
    Client(#[from] SetupError),
    /// The exporter could not be made.
    #[error("traces cannot be sent to {endpoint}")]
    Exporter {
        /// As configured.
        endpoint: String,
        /// Why.
        #[source]
        source: opentelemetry_otlp::ExporterBuildError,
    },
}

/// Sends what the layer sees.
pub struct Traces {
    provider: SdkTracerProvider,
    sending: JoinHandle<()>,
}

/// Begins to send traces, if the configuration says where to. Within a tokio runtime.
///
/// # Errors
/// [`TraceError`].
pub fn start(config: &Config) -> Result<Option<(Traces, TraceLayer)>, TraceError> {
    let Some(endpoint) = &config.traces else {
        return Ok(None);
    };
    let http = Http::new(&HttpSettings {
        timeout: TIME_MAX,
        extra_roots_pem: config.extra_roots.iter().cloned().collect(),
        ..HttpSettings::default()
    })?;
    let base = endpoint.as_str().trim_end_matches('/');
    let address = if base.ends_with("/v1/traces") {
        base.to_owned()
    } else {
        format!("{base}/v1/traces")
    };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Collector(http))
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIME_MAX)
        .with_endpoint(address);
    let mut exporter = exporter.build().map_err(|source| TraceError::Exporter {
        endpoint: endpoint.to_string(),
        source,
    })?;
    let resource = Resource::builder()
        .with_service_name("cosell")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    exporter.set_resource(&resource);
    let (put, spans) = mpsc::channel(QUEUE_MAX);
    let sending = tokio::spawn(send(exporter, spans));
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_span_processor(Queue(Mutex::new(Some(put))))
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("cosell"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|about| {
            about.is_span() && (about.target() == TARGET || about.name() == SHOWN)
        }));
    Ok(Some((Traces { provider, sending }, layer.boxed())))
}

impl Traces {
    /// Sends what is left, for some seconds at most.
    pub async fn end(self) {
        // Closes the queue; the sender ends when it is empty.
        let _closed = self.provider.shutdown();
        if tokio::time::timeout(END_MAX, self.sending).await.is_err() {
            warn!("the collector did not take the last spans in time");
        }
    }
}

/// Where spans wait.
#[derive(Debug)]
struct Queue(Mutex<Option<mpsc::Sender<SpanData>>>);

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = &*queue
            && queue.try_send(span).is_err()
        {
            dropped(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        Ok(())
    }
}

fn dropped(spans: usize) {
    metrics::counter!("cosell_spans_dropped_total")
        .increment(u64::try_from(spans).unwrap_or(u64::MAX));
}

async fn send(exporter: impl SpanExporter, mut spans: mpsc::Receiver<SpanData>) {
    let mut told: Option<Instant> = None;
    loop {
        let mut batch = Vec::new();
        if spans.recv_many(&mut batch, BATCH_MAX).await == 0 {
            return;
        }
        if batch.len() < BATCH_MAX && !spans.is_closed() {
            tokio::time::sleep(GATHER).await;
            while batch.len() < BATCH_MAX
                && let Ok(span) = spans.try_recv()
            {
                batch.push(span);
            }
        }
        let count = batch.len();
        if let Err(error) = exporter.export(batch).await {
            dropped(count);
            if told.is_none_or(|at| at.elapsed() > TELL_EVERY) {
                told = Some(Instant::now());
                warn!(error = %error, "the collector takes no traces; deals go on without them");
            }
        }
    }
}

/// The way to the collector: the client that all calls go through.
#[derive(Debug)]
struct Collector(Http);

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        Ok(notice::pass_on(&self.0, request).await?)
    }
}

/// Which bells rang for a lane, until its run begins. What rang before a restart is not linked.
#[derive(Debug, Default)]
pub struct Rings(Mutex<BTreeMap<(ConnectionId, i64), (Instant, SpanContext)>>);

impl Rings {
    /// The bell of the span that we are in rang for a lane.
    pub(crate) fn rang(&self, connection: &str, lane: LaneId) {
        let context = tracing::Span::current().context();
        let span = context.span().span_context().clone();
        if !span.is_valid() {
            return;
        }
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rings.len() >= RINGS_MAX {
            rings.retain(|_, (at, _)| at.elapsed() < RING_AGE_MAX);
        }
        if rings.len() < RINGS_MAX {
            rings.insert((connection.to_owned(), lane.0), (Instant::now(), span));
        }
    }

    /// The run of a lane begins, in the span that we are in: it is linked with the bell's.
    pub(crate) fn link(&self, connection: &str, lane: LaneId) {
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bell)) = rings.remove(&(connection.to_owned(), lane.0)) {
            tracing::Span::current().add_link(bell);
        }
    }
}
