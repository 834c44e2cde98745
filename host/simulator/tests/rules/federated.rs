//! Apps without a secret: managed identities, tokens of a cluster, and whom an app trusts.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cosell_simulator::Trusted;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs8::EncodePrivateKey as _;
use serde_json::{Value, json};

use super::doubtful::readings;
use super::harness::{Answer, World};

const EXCHANGE: &str = "api://AzureADTokenExchange";
const ACCOUNT: &str = "system:serviceaccount:default:cosell";
const MACHINE: &str = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=api%3A%2F%2FAzureADTokenExchange";
const APP: &str = "/msi/token?api-version=2019-08-01&resource=api%3A%2F%2FAzureADTokenExchange";
const METADATA: (&str, &str) = ("metadata", "true");

async fn ask(world: &World, path: &str, headers: &[(&str, &str)]) -> Answer {
    let url = format!("{}{path}", world.running.urls.metadata);
    world.send("GET", &url, "", headers, None).await
}

/// The app for Dataverse asks for a token with this assertion.
async fn show(world: &World, assertion: &str) -> Answer {
    let scope = format!("{}/.default", world.running.urls.dataverse);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", world.running.crm.client_id.as_str()),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", assertion),
        ("scope", scope.as_str()),
    ];
    world.token("oauth2/v2.0/token", &form).await
}

fn trust(world: &World, trusted: Trusted) {
    let crm = &world.running.crm.client_id;
    world.control().trust(crm, trusted).unwrap();
}

/// Refused with this code and these words, in Entra's shape.
#[track_caller]
fn refused(answer: &Answer, code: u32, words: &str) {
    assert_eq!(
        (answer.status, answer.body["error_codes"].clone()),
        (401, json!([code])),
        "{}",
        answer.text
    );
    assert_eq!(answer.body["error"], "invalid_client");
    let said = answer.body["error_description"].as_str().unwrap();
    assert!(
        said.starts_with(&format!("AADSTS{code}: ")) && said.contains(words),
        "{said}"
    );
}

fn claims(token: &str) -> Value {
    let middle = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_of_a_machines_identity_is_an_apps_proof() {
    let world = World::start().await;
    let identity = world.control().assign_identity();
    trust(&world, world.control().trust_in(&identity));
    let given = ask(&world, MACHINE, &[METADATA]).await;
    assert_eq!(given.status, 200, "{}", given.text);
    // Numbers are texts.
    for name in ["expires_in", "expires_on", "not_before"] {
        assert!(given.body[name].as_str().unwrap().parse::<i64>().is_ok());
    }
    let token = given.body["access_token"].as_str().unwrap();
    let told = claims(token);
    let tenant = &world.running.crm.tenant_id;
    assert_eq!(
        told["iss"],
        format!("{}/{tenant}/v2.0", world.running.urls.entra)
    );
    assert_eq!(told["sub"], identity.principal_id.as_str());
    assert_eq!(told["aud"], "fb60f99c-7a34-4190-8149-302f77469936");
    let answer = show(&world, token).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // It may be shown again until it ends.
    assert_eq!(show(&world, token).await.status, 200);
    let bearer = answer.body["access_token"].as_str().unwrap();
    let url = format!("{}/api/data/v9.2/WhoAmI", world.running.urls.dataverse);
    let who = world.send("GET", &url, bearer, &[], None).await;
    assert_eq!(who.body["UserId"], json!(world.running.crm.app_user_id));
}

#[tokio::test]
async fn a_machine_asks_with_its_header_and_not_for_somebody_else() {
    let world = World::start().await;
    world.control().assign_identity();
    let without = ask(&world, MACHINE, &[]).await;
    assert_eq!(
        (without.status, &without.body["error"]),
        (400, &json!("bad_request_102"))
    );
    let wrong = ask(&world, MACHINE, &[("metadata", "True")]).await;
    assert_eq!(wrong.status, 400);
    let forwarded = ask(
        &world,
        MACHINE,
        &[METADATA, ("x-forwarded-for", "10.0.0.1")],
    )
    .await;
    assert_eq!(forwarded.status, 400);
    for path in [
        "/metadata/identity/oauth2/token?resource=api://AzureADTokenExchange",
        "/metadata/identity/oauth2/token?api-version=2018-02-01",
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/",
    ] {
        assert_eq!(ask(&world, path, &[METADATA]).await.status, 400, "{path}");
    }
    let url = format!("{}{MACHINE}", world.running.urls.metadata);
    let posted = world.send("POST", &url, "", &[METADATA], None).await;
    assert_eq!(posted.status, 405);
}

#[tokio::test]
async fn an_identity_is_named_or_is_the_machines_own_or_the_only_one() {
    let world = World::start().await;
    let control = world.control();
    let none = ask(&world, MACHINE, &[METADATA]).await;
    assert_eq!(
        (none.status, none.body),
        (
            400,
            json!({"error": "invalid_request", "error_description": "Identity not found"})
        )
    );
    let whose = async |client_id: Option<&str>| {
        let named = client_id.map_or(String::new(), |id| format!("&client_id={id}"));
        let answer = ask(&world, &format!("{MACHINE}{named}"), &[METADATA]).await;
        let token = answer.body["access_token"].as_str().map(claims);
        let words = answer.body["error_description"]
            .as_str()
            .unwrap_or_default();
        token.map_or(words.to_owned(), |told| {
            told["sub"].as_str().unwrap().to_owned()
        })
    };
    let first = control.assign_identity();
    assert_eq!(whose(None).await, first.principal_id);
    let second = control.assign_identity();
    assert!(
        whose(None)
            .await
            .starts_with("Multiple user assigned identities exist")
    );
    assert_eq!(whose(Some(&second.client_id)).await, second.principal_id);
    let system = control.assign_system_identity();
    assert_eq!(whose(None).await, system.principal_id);
    assert_eq!(control.assign_system_identity(), system, "there is one");
    assert_eq!(
        whose(Some("11111111-1111-4111-8111-111111111111")).await,
        "Identity not found"
    );
    control.unassign_identities();
    assert_eq!(whose(Some(&first.client_id)).await, "Identity not found");
}

#[tokio::test]
async fn an_app_shows_its_header_and_hears_when_its_token_ends() {
    let world = World::start().await;
    let header = world.control().identity_header();
    assert_eq!(world.control().identity_header(), header);
    let shown = ("x-identity-header", header.as_str());
    let none = ask(&world, APP, &[shown]).await;
    assert_eq!(none.status, 400);
    assert!(
        none.body["message"]
            .as_str()
            .unwrap()
            .starts_with("No User Assigned or Delegated Managed Identity found"),
        "{}",
        none.text
    );
    let identity = world.control().assign_identity();
    trust(&world, world.control().trust_in(&identity));
    for headers in [&[][..], &[METADATA], &[("x-identity-header", "another")]] {
        assert_eq!(ask(&world, APP, headers).await.status, 401);
    }
    let given = ask(
        &world,
        &format!("{APP}&client_id={}", identity.client_id),
        &[shown],
    )
    .await;
    assert_eq!(given.status, 200, "{}", given.text);
    assert_eq!(given.body["expires_in"], Value::Null);
    assert!(given.body["expires_on"].is_string());
    let token = given.body["access_token"].as_str().unwrap();
    assert_eq!(show(&world, token).await.status, 200);
}

#[tokio::test]
async fn a_token_of_a_cluster_proves_the_app_that_trusts_its_account() {
    let world = World::start().await;
    trust(&world, world.control().trust_in_account(ACCOUNT));
    let token = world.control().cluster_token(&json!({})).unwrap();
    assert_eq!(claims(&token)["aud"], json!([EXCHANGE]));
    assert_eq!(show(&world, &token).await.status, 200);
    // The other grant takes it as well.
    let partner = &world.running.organizations[0];
    let trusted = world.control().trust_in_account(ACCOUNT);
    world.control().trust(&partner.client_id, trusted).unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", partner.client_id.as_str()),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", token.as_str()),
        ("refresh_token", partner.refresh_token.as_str()),
        ("resource", "https://api.partner.microsoft.com"),
    ];
    let answer = world.token("oauth2/token", &form).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn issuer_audience_and_subject_are_compared_letter_by_letter_in_this_order() {
    let world = World::start().await;
    let control = world.control();
    let token = control.cluster_token(&json!({})).unwrap();
    refused(
        &show(&world, &token).await,
        70_025,
        "has no configured federated identity credentials",
    );
    let right = control.trust_in_account(ACCOUNT);
    let crm = world.running.crm.client_id.clone();
    for (code, what, shown, wrong) in [
        (
            700_211,
            "issuer",
            right.issuer.clone(),
            Trusted {
                issuer: right.issuer.trim_end_matches('/').to_owned(),
                ..right.clone()
            },
        ),
        (
            700_212,
            "audience",
            EXCHANGE.to_owned(),
            Trusted {
                audience: "api://AzureADTokenExchangeChina".to_owned(),
                ..right.clone()
            },
        ),
        (
            700_213,
            "subject",
            ACCOUNT.to_owned(),
            Trusted {
                subject: ACCOUNT.replace("cosell", "Cosell"),
                ..right.clone()
            },
        ),
    ] {
        control.trust_nobody(&crm).unwrap();
        control.trust(&crm, wrong).unwrap();
        let words = format!(
            "No matching federated identity record found for presented assertion {what} '{shown}'"
        );
        refused(&show(&world, &token).await, code, &words);
    }
    control.trust(&crm, right).unwrap();
    assert_eq!(
        show(&world, &token).await.status,
        200,
        "one of two is enough"
    );
}

#[tokio::test]
async fn the_signature_of_somebody_elses_assertion_is_checked_with_the_issuers_key() {
    let world = World::start().await;
    trust(&world, world.control().trust_in_account(ACCOUNT));
    let token = world.control().cluster_token(&json!({})).unwrap();
    let (text, _) = token.rsplit_once('.').unwrap();
    let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let key = RsaKeyPair::from_pkcs8(private.to_pkcs8_der().unwrap().as_bytes()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
        .unwrap();
    let forged = format!("{text}.{}", URL_SAFE_NO_PAD.encode(&signature));
    refused(
        &show(&world, &forged).await,
        700_027,
        "use of the key to verify the signature failed",
    );
    // Other claims under a good signature.
    let (head, rest) = token.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let mut told = claims(&token);
    told["exp"] = json!(i64::MAX);
    let altered = format!(
        "{head}.{}.{signature}",
        URL_SAFE_NO_PAD.encode(told.to_string())
    );
    refused(&show(&world, &altered).await, 700_027, "use of the key");
    // Whom nobody knows has no key.
    let unknown = Trusted {
        issuer: "https://issuer.example".to_owned(),
        ..world.control().trust_in_account(ACCOUNT)
    };
    let stranger = world
        .control()
        .cluster_token(&json!({"iss": unknown.issuer}))
        .unwrap();
    trust(&world, unknown);
    refused(
        &show(&world, &stranger).await,
        700_027,
        "The key was not found",
    );
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let (_, rest) = token.split_once('.').unwrap();
    refused(
        &show(&world, &format!("{header}.{rest}")).await,
        50_027,
        "'RS256'",
    );
}

#[tokio::test]
async fn somebody_elses_assertion_is_good_between_nbf_and_exp() {
    let world = World::start().await;
    trust(&world, world.control().trust_in_account(ACCOUNT));
    let now = world.control().now().as_second();
    for times in [
        json!({"exp": now - 900}),
        json!({"nbf": now + 900}),
        json!({"exp": "soon"}),
        json!({"exp": null}),
    ] {
        let token = world.control().cluster_token(&times).unwrap();
        refused(
            &show(&world, &token).await,
            700_024,
            "not within its valid time range",
        );
    }
    // Clocks may be some minutes apart.
    let token = world
        .control()
        .cluster_token(&json!({"exp": now - 60, "nbf": now - 4000}));
    assert_eq!(show(&world, &token.unwrap()).await.status, 200);
}

#[tokio::test]
async fn tokens_of_entra_itself_vouch_for_nobody_but_by_a_managed_identity() {
    let world = World::start().await;
    let identity = world.control().assign_identity();
    let trusted = world.control().trust_in(&identity);
    trust(&world, trusted.clone());
    // An app's own token, and one that only says whose it is.
    let own = world.user_token("https://api.partner.microsoft.com").await;
    refused(
        &show(&world, &own).await,
        700_222,
        "AAD-issued tokens may not be used",
    );
    let plain = json!({"iss": trusted.issuer, "sub": trusted.subject});
    let plain = world.control().cluster_token(&plain).unwrap();
    refused(
        &show(&world, &plain).await,
        700_222,
        "AAD-issued tokens may not be used",
    );
}

#[tokio::test]
async fn a_system_assigned_identity_is_a_credential_or_is_not() {
    let (usual, other) = readings("system_identities_are_no_credentials", async |world| {
        let identity = world.control().assign_system_identity();
        trust(world, world.control().trust_in(&identity));
        let given = ask(world, MACHINE, &[METADATA]).await;
        show(world, given.body["access_token"].as_str().unwrap())
            .await
            .body["error_codes"]
            .clone()
    })
    .await;
    assert_eq!((usual, other), (Value::Null, json!([700_222])));
}

#[tokio::test]
async fn identities_and_trust_are_given_over_http_too_and_are_saved() {
    let world = World::start().await;
    let crm = world.running.crm.client_id.clone();
    let call = async |method: &str, path: &str, body: Value| {
        let url = format!("{}{path}", world.running.urls.control);
        let answer = world
            .send(
                method,
                &url,
                "",
                &[("accept", "application/json")],
                Some(body),
            )
            .await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.body
    };
    let identity = call("POST", "/identities", json!({"system": false})).await;
    let trusted = json!({
        "issuer": format!("{}/{}/v2.0", world.running.urls.entra, world.running.crm.tenant_id),
        "subject": identity["principal_id"],
    });
    call("POST", &format!("/apps/{crm}/trusts"), trusted).await;
    let saved = world.control().save().unwrap();
    call("POST", &format!("/apps/{crm}/trusts-nobody"), json!({})).await;
    call("DELETE", "/identities", json!({})).await;
    assert_eq!(ask(&world, MACHINE, &[METADATA]).await.status, 400);
    world.control().load(&saved).unwrap();
    let given = ask(&world, MACHINE, &[METADATA]).await;
    let token = given.body["access_token"].as_str().unwrap();
    assert_eq!(show(&world, token).await.status, 200);
    let cluster = call("POST", "/cluster-tokens", json!({"sub": "a"})).await;
    assert_eq!(claims(cluster["token"].as_str().unwrap())["sub"], "a");
    let header = call("GET", "/identity-header", Value::Null).await;
    assert_eq!(
        header["identity_header"],
        world.control().identity_header().as_str()
    );
}
