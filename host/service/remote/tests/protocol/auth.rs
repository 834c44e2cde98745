use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use cosell_remote::auth::{FileKeeper, KeepError, RefreshTokenKeeper};
use cosell_remote::{Class, Credential, Tokens};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Notify;

use crate::fake::{Asked, Fake, credential, http, reply};

const AUDIENCE: &str = "https://org.crm4.dynamics.example";

fn token(access: &str) -> String {
    format!(r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{access}"}}"#)
}

fn user(keeper: Arc<dyn RefreshTokenKeeper>) -> Credential {
    Credential::RefreshToken {
        also_as_itself: None,
        tenant: "contoso.example".to_owned(),
        client_id: "app".to_owned(),
        proof: SecretString::from("the-client-secret").into(),
        keeper,
    }
}

#[tokio::test]
async fn many_callers_cause_one_request() {
    let entra = Fake::start(|_| reply(200, token("a"))).await;
    let tokens = Tokens::new(&entra.base, credential(), http()).unwrap();
    let calls = (0..20).map(|_| {
        let tokens = tokens.clone();
        tokio::spawn(async move {
            tokens
                .bearer(AUDIENCE)
                .await
                .unwrap()
                .expose_secret()
                .to_owned()
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), "a");
    }
    assert_eq!(entra.lines(), ["POST /contoso.example/oauth2/v2.0/token"]);
    let asked = entra.last();
    assert_eq!(asked.form("scope"), format!("{AUDIENCE}/.default"));
    assert_eq!(asked.form("grant_type"), "client_credentials");
    assert_eq!(asked.form("client_secret"), "the-client-secret");
}

#[tokio::test]
async fn every_audience_has_its_own_token() {
    let entra = Fake::start(|asked| reply(200, token(&asked.form("scope")))).await;
    let tokens = Tokens::new(&entra.base, credential(), http()).unwrap();
    for audience in [
        "https://one.example",
        "https://two.example",
        "https://one.example",
    ] {
        assert_eq!(
            tokens.bearer(audience).await.unwrap().expose_secret(),
            format!("{audience}/.default")
        );
    }
    assert_eq!(entra.asked().len(), 2);
}

#[tokio::test]
async fn only_the_refused_token_is_forgotten() {
    let number = Mutex::new(0);
    let entra = Fake::start(move |_| {
        let mut number = number.lock().unwrap();
        *number += 1;
        reply(200, token(&format!("token-{number}")))
    })
    .await;
    let tokens = Tokens::new(&entra.base, credential(), http()).unwrap();
    let first = tokens.bearer(AUDIENCE).await.unwrap();
    tokens.invalidate(AUDIENCE, &first);
    let second = tokens.bearer(AUDIENCE).await.unwrap();
    assert_eq!(second.expose_secret(), "token-2");
    // Late news about the first one.
    tokens.invalidate(AUDIENCE, &first);
    assert_eq!(
        tokens.bearer(AUDIENCE).await.unwrap().expose_secret(),
        "token-2"
    );
}

#[tokio::test]
async fn a_token_that_has_ended_is_not_handed_out_again() {
    let number = Mutex::new(0);
    let entra = Fake::start(move |_| {
        let mut number = number.lock().unwrap();
        *number += 1;
        reply(
            200,
            format!(r#"{{"expires_in":"0","access_token":"token-{number}"}}"#),
        )
    })
    .await;
    let tokens = Tokens::new(&entra.base, credential(), http()).unwrap();
    for expected in ["token-1", "token-2"] {
        assert_eq!(
            tokens.bearer(AUDIENCE).await.unwrap().expose_secret(),
            expected
        );
    }
}

#[tokio::test]
async fn each_use_replaces_the_refresh_token_for_all_audiences() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Arc::new(FileKeeper::new(folder.path().join("refresh-token")));
    keeper.keep(&SecretString::from("refresh-0")).unwrap();
    // Knows only the newest refresh token, as a strict server may.
    let newest = Mutex::new(0);
    let entra = Fake::start(move |asked| {
        let mut newest = newest.lock().unwrap();
        if asked.form("refresh_token") != format!("refresh-{newest}") {
            return reply(400, r#"{"error":"invalid_grant","error_description":"AADSTS700082: The refresh token has expired due to inactivity."}"#);
        }
        *newest += 1;
        reply(200, format!(r#"{{"token_type":"Bearer","expires_in":"3599","resource":"{0}","access_token":"for {0}","refresh_token":"refresh-{newest}"}}"#, asked.form("resource")))
    })
    .await;
    let tokens = Tokens::new(&entra.base, user(keeper.clone()), http()).unwrap();
    let (one, two) = tokio::join!(
        tokens.bearer("https://one.example"),
        tokens.bearer("https://two.example")
    );
    assert_eq!(one.unwrap().expose_secret(), "for https://one.example");
    assert_eq!(two.unwrap().expose_secret(), "for https://two.example");
    assert_eq!(keeper.load().unwrap().expose_secret(), "refresh-2");
    assert_eq!(entra.last().path, "/contoso.example/oauth2/token");
}

#[tokio::test]
async fn the_application_asks_for_itself_where_its_users_token_is_not_good() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Arc::new(FileKeeper::new(folder.path().join("refresh-token")));
    keeper.keep(&SecretString::from("refresh")).unwrap();
    let entra = Fake::start(|asked| match asked.form("grant_type").as_str() {
        "refresh_token" => reply(400, r#"{"error":"invalid_grant","error_description":"AADSTS70000: It was issued for another resource."}"#),
        _ => reply(200, token("as itself")),
    })
    .await;
    let mut credential = user(keeper.clone());
    if let Credential::RefreshToken { also_as_itself, .. } = &mut credential {
        *also_as_itself = Some("https://hooks.example".to_owned());
    }
    let tokens = Tokens::new(&entra.base, credential, http()).unwrap();
    let token = tokens.bearer("https://hooks.example").await.unwrap();
    assert_eq!(token.expose_secret(), "as itself");
    assert_eq!(entra.last().form("scope"), "https://hooks.example/.default");
    // Nobody else takes it, and the token of the user stays.
    let refused = tokens.bearer("https://deals.example").await.unwrap_err();
    assert_eq!(refused.class, Class::Unauthorised);
    assert_eq!(entra.last().form("grant_type"), "refresh_token");
    assert_eq!(keeper.load().unwrap().expose_secret(), "refresh");
}

struct FullDisk;

impl RefreshTokenKeeper for FullDisk {
    fn load(&self) -> Result<SecretString, KeepError> {
        Ok(SecretString::from("old"))
    }

    fn keep(&self, _: &SecretString) -> Result<(), KeepError> {
        Err(KeepError::Io {
            place: "the disk".to_owned(),
            what: "kept",
            source: std::io::Error::other("full"),
        })
    }
}

#[tokio::test]
async fn an_access_token_is_not_used_before_its_refresh_token_is_safe() {
    let entra = Fake::start(|_| {
        reply(
            200,
            r#"{"expires_in":3599,"access_token":"a","refresh_token":"new"}"#,
        )
    })
    .await;
    let tokens = Tokens::new(&entra.base, user(Arc::new(FullDisk)), http()).unwrap();
    let error = tokens.bearer(AUDIENCE).await.unwrap_err();
    assert!(matches!(error.class, Class::Transient { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("the refresh token in the disk could not be kept"),
        "{error}"
    );
}

struct Watched(Mutex<mpsc::Sender<String>>);

impl RefreshTokenKeeper for Watched {
    fn load(&self) -> Result<SecretString, KeepError> {
        Ok(SecretString::from("old"))
    }

    fn keep(&self, token: &SecretString) -> Result<(), KeepError> {
        self.0
            .lock()
            .unwrap()
            .send(token.expose_secret().to_owned())
            .unwrap();
        Ok(())
    }
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_lose_the_new_refresh_token() {
    let (reached, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (reached_there, go_on_there) = (Arc::clone(&reached), Arc::clone(&go_on));
    let entra = Fake::start_async(move |_: Asked| {
        let (reached, go_on) = (Arc::clone(&reached_there), Arc::clone(&go_on_there));
        async move {
            reached.notify_one();
            go_on.notified().await;
            reply(
                200,
                r#"{"expires_in":3599,"access_token":"a","refresh_token":"new"}"#,
            )
        }
    })
    .await;
    let (kept, keeping) = mpsc::channel();
    let tokens = Tokens::new(
        &entra.base,
        user(Arc::new(Watched(Mutex::new(kept)))),
        http(),
    )
    .unwrap();
    let caller = tokio::spawn(async move { tokens.bearer(AUDIENCE).await.map(drop) });
    reached.notified().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    go_on.notify_one();
    let kept = tokio::task::spawn_blocking(move || keeping.recv_timeout(Duration::from_secs(10)))
        .await
        .unwrap();
    assert_eq!(kept.unwrap(), "new");
}

#[tokio::test]
async fn an_expired_secret_says_where_to_make_a_new_one() {
    let entra = Fake::start(|_| {
        reply(401, r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys for app 'x' are expired.\r\nTrace ID: 0f\r\nCorrelation ID: 1a\r\nTimestamp: 2026-01-31 10:20:30Z","error_codes":[7000222]}"#)
    })
    .await;
    let tokens = Tokens::new(&entra.base, credential(), http()).unwrap();
    let error = tokens.bearer(AUDIENCE).await.unwrap_err();
    assert_eq!(error.class, Class::Unauthorised);
    assert_eq!(
        error.to_string(),
        "Entra does not accept the credential, so we could not get a token for https://org.crm4.dynamics.example (401, AADSTS7000222): \
         The provided client secret keys for app 'x' are expired; the client secret has expired: create a new one in the Entra admin center \
         under App registrations > 11111111-0000-4000-8000-000000000001 > Certificates & secrets, and put it into the configuration"
    );
    // A refused credential is not tried at every deal.
    assert_eq!(
        tokens.bearer(AUDIENCE).await.unwrap_err().class,
        Class::Unauthorised
    );
    assert_eq!(entra.asked().len(), 1);
}

#[tokio::test]
async fn entra_out_of_order_is_nobodys_refusal() {
    for status in [429, 500, 503] {
        let entra =
            Fake::start(move |_| reply(status, "<html>down</html>").header("retry-after", "7"))
                .await;
        let tokens = Tokens::new(&entra.base, credential(), http()).unwrap();
        let error = tokens.bearer(AUDIENCE).await.unwrap_err();
        assert!(
            matches!(error.class, Class::Transient { retry_after: Some(wait), .. } if wait == Duration::from_secs(7)),
            "{status}: {error}"
        );
    }
}

#[tokio::test]
async fn no_secret_shows_in_anything_that_can_be_printed() {
    let entra = Fake::start(|_| {
        reply(
            200,
            r#"{"expires_in":3599,"access_token":"the-access-token"}"#,
        )
    })
    .await;
    let tokens = Tokens::new(&entra.base, credential(), http()).unwrap();
    let bearer = tokens.bearer(AUDIENCE).await.unwrap();
    let printed = format!("{tokens:?} {bearer:?} {:?}", credential());
    assert!(printed.contains("11111111-0000-4000-8000-000000000001"));
    assert!(
        !printed.contains("the-client-secret") && !printed.contains("the-access-token"),
        "{printed}"
    );
}
