//! A door on port 0, a certificate host, and a list behind the door.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use cosell_webhook::{
    Accept, AcceptError, AcceptOutcome, ConnectionSettings, DataverseSettings, Door, DoorLimits,
    PartnerCenterSettings, ServerLimits, VerifiedBell, router, serve,
};
use http::HeaderMap;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::authority::{Authority, authority};
use crate::certificate_host::CertificateHost;

pub(crate) const SECRET: &str = "present-secret-0123456789";
pub(crate) const PREVIOUS: &str = "previous-secret-0123456789";
pub(crate) const RECORD: &str = "7f3c1a2b-0000-4000-8000-00000000000a";

/// What stands behind the door.
#[derive(Default)]
pub(crate) struct Shelf {
    bells: Mutex<Vec<VerifiedBell>>,
    full: AtomicBool,
    broken: AtomicBool,
}

#[async_trait]
impl Accept for Shelf {
    async fn accept(&self, bell: VerifiedBell) -> Result<AcceptOutcome, AcceptError> {
        if self.full.load(SeqCst) {
            return Err(AcceptError::Full {
                what: "waiting bells".to_owned(),
                retry_after_s: 17,
            });
        }
        if self.broken.load(SeqCst) {
            return Err(AcceptError::Broken {
                source: "the disk is gone".into(),
            });
        }
        if bell.kind == "annotation" {
            return Ok(AcceptOutcome::Unknown);
        }
        let mut bells = self.bells.lock().unwrap();
        if bell.dedupe.is_some() && bells.iter().any(|known| known.dedupe == bell.dedupe) {
            return Ok(AcceptOutcome::Duplicate);
        }
        bells.push(bell);
        Ok(AcceptOutcome::Rung)
    }
}

/// A door, and everything around it.
pub(crate) struct World {
    pub(crate) authority: &'static Authority,
    pub(crate) host: CertificateHost,
    pub(crate) door: Arc<Door>,
    pub(crate) base: String,
    pub(crate) client: reqwest::Client,
    shelf: Arc<Shelf>,
    ahead_s: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A door whose settings are changed first. Both kinds of roots are pinned: the root and the intermediate.
    pub(crate) async fn with(change: impl FnOnce(&mut PartnerCenterSettings)) -> Self {
        Self::within(DoorLimits::default(), change).await
    }

    /// The same with limits of its own.
    pub(crate) async fn within(
        limits: DoorLimits,
        change: impl FnOnce(&mut PartnerCenterSettings),
    ) -> Self {
        let authority = authority();
        let host = CertificateHost::start().await;
        let mut partner_center =
            PartnerCenterSettings::with_roots(authority.root_pem() + &authority.intermediate_pem());
        partner_center
            .certificate_hosts
            .push(format!("localhost:{}", host.port).parse().unwrap());
        partner_center
            .certificate_hosts
            .push(format!("127.0.0.1:{}", host.port).parse().unwrap());
        partner_center.allow_private_certificate_hosts = true;
        partner_center.tls_roots = Some(host.tls_root.clone());
        change(&mut partner_center);
        let dataverse = DataverseSettings {
            secret: SecretString::from(SECRET),
            secret_previous: Some(SecretString::from(PREVIOUS)),
            ..DataverseSettings::with_secret(SecretString::from(SECRET))
        };
        let shelf = Arc::new(Shelf::default());
        let ahead_s = Arc::new(AtomicU64::new(0));
        let clock = {
            let ahead_s = Arc::clone(&ahead_s);
            Arc::new(move || SystemTime::now() + Duration::from_secs(ahead_s.load(SeqCst)))
        };
        let connections = vec![
            ConnectionSettings {
                id: "acme".to_owned(),
                partner_center: Some(partner_center),
                dataverse: Some(dataverse),
            },
            ConnectionSettings {
                id: "deaf".to_owned(),
                partner_center: None,
                dataverse: None,
            },
        ];
        let door = Arc::new(
            Door::with_clock(
                connections,
                Arc::clone(&shelf) as Arc<dyn Accept>,
                limits,
                clock,
            )
            .unwrap(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(serve(
            listener,
            router(Arc::clone(&door)),
            ServerLimits::default(),
            async {
                let _ = stopped.await;
            },
        ));
        Self {
            authority,
            host,
            door,
            base,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            shelf,
            ahead_s,
            stop: Some(stop),
        }
    }

    pub(crate) fn partner_center(&self) -> String {
        format!("{}/webhooks/partner-center/acme", self.base)
    }

    pub(crate) fn dataverse(&self) -> String {
        format!("{}/webhooks/dataverse/acme", self.base)
    }

    /// The documented delivery: signed, with the certificate at `file`.
    pub(crate) fn signed(&self, body: &[u8], file: &str) -> reqwest::RequestBuilder {
        self.client
            .post(self.partner_center())
            .header("content-type", "application/json")
            .header(
                "authorization",
                format!("Signature {}", self.authority.sign(body)),
            )
            .header("x-ms-certificate-url", self.host.url(file))
            .header("x-ms-signature-algorithm", "rsa-sha256")
            .body(body.to_vec())
    }

    pub(crate) fn bells(&self) -> Vec<VerifiedBell> {
        self.shelf.bells.lock().unwrap().clone()
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.shelf.full.store(full, SeqCst);
    }

    pub(crate) fn set_broken(&self, broken: bool) {
        self.shelf.broken.store(broken, SeqCst);
    }

    /// Turns the door's clock forward.
    pub(crate) fn pass(&self, time: Duration) {
        self.ahead_s.fetch_add(time.as_secs(), SeqCst);
    }

    /// Sends, and expects this refusal: status, code, and an answer that repeats nothing of what was sent.
    pub(crate) async fn refused(
        &self,
        request: reqwest::RequestBuilder,
        status: u16,
        code: &str,
    ) -> HeaderMap {
        let before = self.bells().len();
        let response = request.send().await.unwrap();
        let (got, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        assert_eq!(got, status, "{text}");
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["error"]["code"], code, "{text}");
        for part in ["message", "hint"] {
            assert!(
                !answer["error"][part].as_str().unwrap().is_empty(),
                "{text}"
            );
        }
        for echo in [RECORD, "evil", SECRET, PREVIOUS, "Signature A"] {
            assert!(!text.contains(echo), "{text} repeats {echo}");
        }
        assert_eq!(self.bells().len(), before, "a refused event has rung");
        headers
    }

    /// Sends, and expects 200 with this outcome.
    pub(crate) async fn taken(&self, request: reqwest::RequestBuilder, outcome: &str) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert_eq!(
            (status, text),
            (200, format!(r#"{{"outcome":"{outcome}"}}"#))
        );
    }

    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }
}

/// A body that is sent piece by piece, without a declared length.
pub(crate) fn chunked(body: &[u8]) -> reqwest::Body {
    let frames: Vec<_> = body
        .chunks(4096)
        .map(|chunk| {
            Ok::<_, std::io::Error>(hyper::body::Frame::data(bytes::Bytes::copy_from_slice(
                chunk,
            )))
        })
        .collect();
    reqwest::Body::wrap(http_body_util::StreamBody::new(futures_util::stream::iter(
        frames,
    )))
}

/// The documented body, compact as on the wire.
pub(crate) fn event(name: &str) -> Vec<u8> {
    format!(
        r#"{{"EventName":"{name}","ResourceUri":"http://api.partnercenter.microsoft.com/engagements/v1/referrals/{RECORD}","ResourceName":"referral","AuditUri":null,"ResourceChangeUtcDate":"2026-02-17T00:05:39.5485487+00:00"}}"#
    )
    .into_bytes()
}

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What is logged on this thread, which is the whole test: its server runs on it too. One subscriber for all tests, because tracing's
/// cache of who listens is shared by all threads and a subscriber of one test's own can miss events.
pub(crate) struct Log;

impl Log {
    pub(crate) fn listen() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(|| Log)
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
        LOGGED.with_borrow_mut(Vec::clear);
        Self
    }

    /// Our own lines: those of the libraries are full of addresses.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = LOGGED.with_borrow(|bytes| String::from_utf8(bytes.clone()).unwrap());
        text.lines()
            .filter(|line| line.contains("cosell_webhook"))
            .map(str::to_owned)
            .collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
