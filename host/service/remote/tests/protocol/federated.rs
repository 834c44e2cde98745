//! An application without a secret: the managed identity of the machine or app, and tokens that an issuer renews in a file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cosell_remote::auth::{ManagedIdentity, Proof};
use cosell_remote::{Class, Credential, RemoteError, Tokens};
use secrecy::ExposeSecret as _;

use crate::fake::{Asked, Fake, Reply, blunt, http, reply};

const AUDIENCE: &str = "https://org.crm4.dynamics.example";
const IDENTITY: &str = "99999999-0000-4000-8000-000000000009";
const EXCHANGE: &str = "api://AzureADTokenExchange";

fn jwt(name: &str) -> String {
    let claims =
        format!(r#"{{"iss":"https://issuer.example/","sub":"{name}","aud":"{EXCHANGE}"}}"#);
    format!("e30.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims))
}

fn yes(asked: &Asked) -> Reply {
    let token = format!(
        r#"{{"expires_in":3599,"access_token":"for {}"}}"#,
        asked.form("client_assertion")
    );
    reply(200, token)
}

fn app(proof: Proof) -> Credential {
    Credential::ClientCredentials {
        tenant: "contoso.example".to_owned(),
        client_id: "app".to_owned(),
        proof,
    }
}

/// An identity of the machine whose metadata service is there.
fn of_machine(client_id: Option<&str>, base: &str) -> Proof {
    let set = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", base.to_owned())];
    managed(client_id, &set)
}

fn managed(client_id: Option<&str>, set: &[(&str, String)]) -> Proof {
    let found = |name: &str| {
        let found = set.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    };
    Proof::managed_identity(ManagedIdentity::new(client_id.map(str::to_owned), &found).unwrap())
}

fn in_seconds(seconds: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() + seconds
}

/// What the metadata service of a machine says.
fn given(name: &str) -> String {
    format!(
        r#"{{"access_token":"{}","refresh_token":"","expires_in":"86399","expires_on":"{}","resource":"{EXCHANGE}","token_type":"Bearer"}}"#,
        jwt(name),
        in_seconds(86_399)
    )
}

#[tokio::test]
async fn a_machines_identity_proves_the_application_and_is_asked_once() {
    let machine = Fake::start(|_| reply(200, given("machine"))).await;
    let entra = Fake::start(yes).await;
    let proof = of_machine(Some(IDENTITY), &machine.base);
    let tokens = Tokens::new(&entra.base, app(proof), http()).unwrap();
    let calls = (0..20).map(|number| {
        let tokens = tokens.clone();
        tokio::spawn(async move {
            tokens
                .bearer(&format!("https://{}.example", number % 4))
                .await
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let token = call.await.unwrap().unwrap();
        assert_eq!(token.expose_secret(), format!("for {}", jwt("machine")));
    }
    assert_eq!(machine.lines(), ["GET /metadata/identity/oauth2/token"]);
    let asked = machine.last();
    assert_eq!(asked.header("metadata"), "true");
    assert_eq!(asked.query("api-version").unwrap(), "2018-02-01");
    assert_eq!(asked.query("resource").unwrap(), EXCHANGE);
    assert_eq!(asked.query("client_id").unwrap(), IDENTITY);
    assert_eq!(entra.asked().len(), 4);
    let asked = entra.last();
    assert_eq!(asked.path, "/contoso.example/oauth2/v2.0/token");
    assert_eq!(
        asked.form("client_assertion_type"),
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(
        (
            asked.form("client_id").as_str(),
            asked.form("client_secret").as_str()
        ),
        ("app", "")
    );
}

#[tokio::test]
async fn an_app_is_asked_by_its_own_header_and_says_only_when_its_token_ends() {
    let platform = Fake::start(|_| {
        let body = format!(
            r#"{{"access_token":"{}","expires_on":"{}","resource":"{EXCHANGE}","token_type":"Bearer","client_id":"x"}}"#,
            jwt("app"),
            in_seconds(86_399)
        );
        reply(200, body)
    })
    .await;
    let entra = Fake::start(yes).await;
    let proof = managed(
        None,
        &[
            ("IDENTITY_ENDPOINT", format!("{}/msi/token", platform.base)),
            ("IDENTITY_HEADER", "the-app-header".to_owned()),
            (
                "AZURE_POD_IDENTITY_AUTHORITY_HOST",
                "http://127.0.0.1:9".to_owned(),
            ),
        ],
    );
    let tokens = Tokens::new(&entra.base, app(proof), http()).unwrap();
    for audience in ["https://one.example", "https://two.example"] {
        tokens.bearer(audience).await.unwrap();
    }
    assert_eq!(
        platform.lines(),
        ["GET /msi/token"],
        "it is kept until it ends"
    );
    let asked = platform.last();
    assert_eq!(asked.header("x-identity-header"), "the-app-header");
    assert_eq!(
        (asked.header("metadata"), asked.query("client_id")),
        ("", None)
    );
    assert_eq!(asked.query("api-version").unwrap(), "2019-08-01");
    let printed = format!("{tokens:?}");
    assert!(!printed.contains("the-app-header"), "{printed}");
}

#[tokio::test]
async fn an_assertion_that_entra_refused_is_not_shown_again() {
    let number = AtomicUsize::new(0);
    let machine = Fake::start(move |_| {
        let name = format!("machine-{}", number.fetch_add(1, Ordering::SeqCst));
        reply(200, given(&name))
    })
    .await;
    let entra = Fake::start(|asked| {
        if asked.form("client_assertion") == jwt("machine-0") {
            let body = r#"{"error":"invalid_client","error_description":"AADSTS700024: Client assertion is not within its valid time range.\r\nTrace ID: 0f"}"#;
            return reply(401, body);
        }
        yes(asked)
    })
    .await;
    let proof = of_machine(None, &machine.base);
    let tokens = Tokens::new(&entra.base, app(proof), http()).unwrap();
    let error = tokens.bearer(AUDIENCE).await.unwrap_err();
    assert_eq!(error.class, Class::Unauthorised);
    assert!(error.to_string().contains("clock is right"), "{error}");
    // Another audience is not answered from the memory of the first.
    let token = tokens.bearer("https://other.example").await.unwrap();
    assert_eq!(token.expose_secret(), format!("for {}", jwt("machine-1")));
}

async fn refused(client_id: Option<&str>, status: u16, body: &'static str) -> RemoteError {
    let machine =
        Fake::start(move |_| reply(status, body).header("location", "https://elsewhere.example/"))
            .await;
    let entra = Fake::start(yes).await;
    let proof = of_machine(client_id, &machine.base);
    let tokens = Tokens::new(&entra.base, app(proof), http()).unwrap();
    let error = tokens.bearer(AUDIENCE).await.unwrap_err();
    assert_eq!(entra.asked().len(), 0, "nothing proves the application");
    assert_eq!(machine.asked().len(), 1, "only the worker tries again");
    error
}

#[tokio::test]
async fn what_passes_is_waited_for_and_what_does_not_says_what_to_do() {
    for (status, says) in [
        (404, "if this machine is not one of Azure's"),
        (410, "within 70 s"),
        (429, "slowing us down"),
        (500, "could not get a token"),
        (503, "could not get a token"),
    ] {
        let error = refused(None, status, "{}").await;
        assert!(
            matches!(error.class, Class::Transient { .. }),
            "{status}: {error}"
        );
        assert!(error.to_string().contains(says), "{error}");
    }
    const NOT_FOUND: &str =
        r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
    for (client_id, status, says) in [
        (
            Some(IDENTITY),
            400,
            "assign the user-assigned identity 99999999-0000-4000-8000-000000000009",
        ),
        (
            None,
            400,
            "if it has several, name one by identity = { managed",
        ),
        (None, 403, "something else than Azure's service answers"),
        (None, 302, "something else than Azure's service answers"),
    ] {
        let error = refused(client_id, status, NOT_FOUND).await;
        assert_eq!(error.class, Class::Unauthorised, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let error = refused(Some(IDENTITY), 400, NOT_FOUND).await;
    assert_eq!(
        error.to_string(),
        "the managed identity endpoint does not accept the credential, so we could not get a token for https://org.crm4.dynamics.example \
         (400, invalid_request): Identity not found; assign the user-assigned identity 99999999-0000-4000-8000-000000000009 to this machine or app \
         (Identity > User assigned), or correct its client id in the configuration"
    );
}

#[tokio::test]
async fn an_endpoint_that_is_away_or_talks_nonsense_is_waited_for() {
    let entra = Fake::start(yes).await;
    let nobody = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let cut = blunt(b"").await;
    let long = "x".repeat(70 * 1024);
    let large = Fake::start(move |_| reply(200, long.clone())).await;
    let words = Fake::start(|_| reply(200, "<html>a portal</html>")).await;
    for (base, says) in [
        (
            nobody.as_str(),
            "if this is a machine of Azure's, look whether http://127.0.0.1:",
        ),
        (cut.as_str(), "broke before the whole answer"),
        (words.base.as_str(), "its answer holds no token"),
    ] {
        let tokens = Tokens::new(&entra.base, app(of_machine(None, base)), http()).unwrap();
        let error = tokens.bearer(AUDIENCE).await.unwrap_err();
        assert!(
            matches!(
                error.class,
                Class::Transient {
                    throttled: false,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains(says), "{error}");
    }
    let proof = of_machine(None, &large.base);
    let tokens = Tokens::new(&entra.base, app(proof), http()).unwrap();
    let error = tokens.bearer(AUDIENCE).await.unwrap_err();
    assert!(
        error.to_string().contains("larger than 65536 bytes"),
        "{error}"
    );
    assert_eq!(entra.asked().len(), 0);
}

#[tokio::test]
async fn an_identity_that_comes_back_is_used_without_anybody_doing_anything() {
    let away = Arc::new(AtomicBool::new(true));
    let is_away = Arc::clone(&away);
    let machine = Fake::start(move |_| {
        if is_away.load(Ordering::SeqCst) {
            return reply(410, "");
        }
        reply(200, given("machine"))
    })
    .await;
    let entra = Fake::start(yes).await;
    let proof = of_machine(None, &machine.base);
    let tokens = Tokens::new(&entra.base, app(proof), http()).unwrap();
    tokens.bearer("https://one.example").await.unwrap_err();
    away.store(false, Ordering::SeqCst);
    // An audience of its own: a failure is remembered for a moment.
    tokens.bearer("https://two.example").await.unwrap();
}

fn renew(path: &Path, name: &str) {
    // As Kubernetes does: whole, and at once.
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, format!("{}\n", jwt(name))).unwrap();
    std::fs::rename(&fresh, path).unwrap();
}

#[tokio::test]
async fn a_token_file_is_read_at_every_request_and_never_from_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("azure-identity-token");
    renew(&path, "first");
    let entra = Fake::start(yes).await;
    let proof = Proof::token_file(path.clone()).unwrap();
    assert!(proof.is_federated() && proof.not_after().is_none());
    let tokens = Tokens::new(&entra.base, app(proof), http()).unwrap();
    let shown = async |audience: &str| {
        let token = tokens.bearer(audience).await;
        token.map(|token| token.expose_secret().to_owned())
    };
    assert_eq!(
        shown("https://one.example").await.unwrap(),
        format!("for {}", jwt("first"))
    );
    renew(&path, "second");
    assert_eq!(
        shown("https://two.example").await.unwrap(),
        format!("for {}", jwt("second"))
    );
    // What has ended proves nothing: it is not shown in the place of one that cannot be read.
    std::fs::remove_file(&path).unwrap();
    let error = shown("https://three.example").await.unwrap_err();
    assert_eq!(error.class, Class::Unauthorised);
    assert!(
        error
            .to_string()
            .contains("azure-identity-token cannot be read"),
        "{error}"
    );
    renew(&path, "third");
    // The file is another one: nobody waits for the refusal to be forgotten.
    assert_eq!(
        shown("https://three.example").await.unwrap(),
        format!("for {}", jwt("third"))
    );
}

#[tokio::test]
async fn a_federated_credential_that_does_not_match_is_told_with_what_the_assertion_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    renew(&path, "system:serviceaccount:sync:cosell");
    let entra = Fake::start(|_| {
        let body = r#"{"error":"invalid_client","error_description":"AADSTS700213: No matching federated identity record found for presented assertion subject 'system:serviceaccount:sync:cosell'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion.\r\nTrace ID: 0f\r\nCorrelation ID: 1a"}"#;
        reply(401, body)
    })
    .await;
    let proof = Proof::token_file(path).unwrap();
    let tokens = Tokens::new(&entra.base, app(proof), http()).unwrap();
    let error = tokens.bearer(AUDIENCE).await.unwrap_err();
    assert_eq!(error.class, Class::Unauthorised);
    assert_eq!(error.code(), Some("AADSTS700213"));
    let advice = error.about.advice.unwrap();
    for part in [
        "no federated credential of app has this subject",
        "issuer \"https://issuer.example/\", subject \"system:serviceaccount:sync:cosell\", audience \"api://AzureADTokenExchange\"",
        "App registrations > app > Certificates & secrets > Federated credentials",
    ] {
        assert!(advice.contains(part), "{advice}");
    }
}

/// Other calls to Microsoft may take a minute.
const SOON: Duration = Duration::from_secs(40);

#[tokio::test]
async fn who_never_answers_is_given_up_soon() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    // It listens and says nothing.
    let entra = Fake::start(yes).await;
    let proof = of_machine(None, &base);
    let tokens = Tokens::new(&entra.base, app(proof), http()).unwrap();
    let asked = tokio::time::timeout(SOON, tokens.bearer(AUDIENCE)).await;
    let error = asked.expect("it should have been given up").unwrap_err();
    assert!(
        error.to_string().contains("did not answer in time"),
        "{error}"
    );
    drop(listener);
}
