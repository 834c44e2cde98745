//! Another way than the network: what its answers and its failures mean, and that its clock is the one that counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cosell_remote::{
    Broken, Carrier, Cause, Class, Credential, Dataverse, Endpoint, Http, Parcel, Tokens,
};
use futures_util::future::BoxFuture;
use http::{Method, Response};

use crate::fake::credential;

/// What becomes of the next call that is not for a token.
type Next = fn(&Parcel) -> Result<Response<Bytes>, Broken>;

#[derive(Debug)]
struct Courier {
    next: Mutex<Next>,
    tokens: AtomicU64,
    passed_s: AtomicU64,
    began: Instant,
}

impl Carrier for Courier {
    fn carry(&self, parcel: Parcel) -> BoxFuture<'_, Result<Response<Bytes>, Broken>> {
        let answer = if parcel.url.path().ends_with("/token") {
            let number = self.tokens.fetch_add(1, Ordering::SeqCst);
            let text = format!(r#"{{"access_token":"token-{number}","expires_in":3599}}"#);
            Ok(Response::new(Bytes::from(text)))
        } else {
            let next = self.next.lock().unwrap();
            next(&parcel)
        };
        Box::pin(std::future::ready(answer))
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_secs(self.passed_s.load(Ordering::SeqCst))
    }

    fn chance(&self) -> f64 {
        0.0
    }
}

fn stage(next: Next) -> (Arc<Courier>, Dataverse) {
    let courier = Arc::new(Courier {
        next: Mutex::new(next),
        tokens: AtomicU64::new(0),
        passed_s: AtomicU64::new(0),
        began: Instant::now(),
    });
    let http = Http::over(Arc::clone(&courier) as Arc<dyn Carrier>);
    let credential: Credential = credential();
    let tokens = Tokens::new("https://login.example", credential, http.clone()).unwrap();
    let crm = Dataverse::new(Endpoint::new("https://org.example").unwrap(), tokens, http);
    (courier, crm)
}

const WHO: &str = r#"{"UserId":"00000000-0000-4000-8000-000000000001","OrganizationId":"00000000-0000-4000-8000-000000000002",
    "BusinessUnitId":"00000000-0000-4000-8000-000000000003"}"#;

fn answers(parcel: &Parcel) -> Result<Response<Bytes>, Broken> {
    assert_eq!(parcel.method, Method::GET);
    assert_eq!(
        parcel.url.as_str(),
        "https://org.example/api/data/v9.2/WhoAmI"
    );
    assert!(parcel.headers["authorization"].is_sensitive());
    Ok(Response::new(Bytes::from_static(WHO.as_bytes())))
}

#[tokio::test]
async fn a_carriers_answer_is_as_good_as_the_networks() {
    let (_, crm) = stage(answers);
    let who = crm.who_am_i().await.unwrap();
    assert_eq!(who.organization, "00000000-0000-4000-8000-000000000002");
}

#[tokio::test]
async fn what_was_never_sent_may_be_sent_again_and_a_read_always() {
    for next in [
        (|_| Err(Broken::NeverSent(Cause::default()))) as Next,
        |_| Err(Broken::Cut(Cause::default())),
    ] {
        let (_, crm) = stage(next);
        let error = crm.who_am_i().await.unwrap_err();
        assert!(matches!(error.class, Class::Transient { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_write_that_got_no_answer_has_an_unknown_outcome_and_one_that_was_never_sent_has_none() {
    /// The table is described; everything else is the write.
    fn cut(parcel: &Parcel) -> Result<Response<Bytes>, Broken> {
        if parcel.method == Method::GET {
            let text = r#"{"EntitySetName":"accounts","PrimaryIdAttribute":"accountid","PrimaryNameAttribute":"name"}"#;
            return Ok(Response::new(Bytes::from_static(text.as_bytes())));
        }
        Err(Broken::Cut(Cause::default()))
    }
    fn never(parcel: &Parcel) -> Result<Response<Bytes>, Broken> {
        cut(parcel).map_err(|_| Broken::NeverSent(Cause::default()))
    }
    let id = "00000000-0000-4000-8000-000000000009";
    for (next, unknown) in [(cut as Next, true), (never, false)] {
        let (_, crm) = stage(next);
        let error = crm
            .delete("account", id, None, "operation")
            .await
            .unwrap_err();
        assert_eq!(error.class == Class::UnknownOutcome, unknown, "{error}");
    }
}

#[tokio::test]
async fn a_token_grows_old_by_the_carriers_clock() {
    let (courier, crm) = stage(answers);
    crm.who_am_i().await.unwrap();
    crm.who_am_i().await.unwrap();
    assert_eq!(courier.tokens.load(Ordering::SeqCst), 1);
    courier.passed_s.store(3_400, Ordering::SeqCst);
    crm.who_am_i().await.unwrap();
    assert_eq!(courier.tokens.load(Ordering::SeqCst), 2);
}
