//! Tokens: what both versions of the endpoint answer, and how a refusal is told. (partner-center 1.2)

use cosell_simulator::{Assumptions, SimulatorConfig};
use serde_json::json;

use super::harness::{World, client};

#[tokio::test]
async fn v1_answers_numbers_as_strings() {
    let world = World::start().await;
    let partner = &world.running.organizations[0];
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", partner.client_id.as_str()),
        ("client_secret", &partner.client_secret),
        ("refresh_token", &partner.refresh_token),
        ("resource", "https://api.partner.microsoft.com"),
    ];
    let answer = world.token("oauth2/token", &form).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body["expires_in"].is_string() && answer.body["expires_on"].is_string());
    assert_eq!(answer.body["scope"], "user_impersonation");
    assert_ne!(
        answer.body["refresh_token"],
        json!(partner.refresh_token),
        "refresh tokens rotate"
    );
    // The old one keeps working, as at Microsoft.
    assert_eq!(world.token("oauth2/token", &form).await.status, 200);
}

#[tokio::test]
async fn v2_answers_numbers_and_no_refresh_token_for_an_app() {
    let world = World::start().await;
    let crm = &world.running.crm;
    let scope = format!("{}/.default", world.running.urls.dataverse);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", crm.client_id.as_str()),
        ("client_secret", &crm.client_secret),
        ("scope", &scope),
    ];
    let answer = world.token("oauth2/v2.0/token", &form).await;
    assert_eq!(answer.body["expires_in"], 3599);
    assert!(answer.body.get("refresh_token").is_none());
}

#[tokio::test]
async fn errors_carry_aadsts_codes_in_the_documented_envelope() {
    let world = World::start().await;
    let crm = &world.running.crm;
    let scope = format!("{}/.default", world.running.urls.dataverse);
    let plain_scope = format!("{}/user_impersonation", world.running.urls.dataverse);
    let good = [
        ("grant_type", "client_credentials"),
        ("client_id", crm.client_id.as_str()),
        ("client_secret", crm.client_secret.as_str()),
        ("scope", scope.as_str()),
    ];
    for (field, value, status, error, code) in [
        ("client_secret", "wrong", 401, "invalid_client", 7_000_215),
        (
            "client_id",
            "00000000-0000-4000-8000-000000000000",
            400,
            "unauthorized_client",
            700_016,
        ),
        (
            "scope",
            "https://elsewhere.example/.default",
            400,
            "invalid_resource",
            500_011,
        ),
        ("scope", &plain_scope, 400, "invalid_scope", 70_011),
        (
            "grant_type",
            "password",
            400,
            "unsupported_grant_type",
            70_003,
        ),
    ] {
        let form: Vec<(&str, &str)> = good
            .iter()
            .map(|(n, v)| (*n, if *n == field { value } else { v }))
            .collect();
        let answer = world.token("oauth2/v2.0/token", &form).await;
        assert_eq!(
            (answer.status, answer.body["error"].as_str()),
            (status, Some(error)),
            "{field}={value}"
        );
        assert_eq!(answer.body["error_codes"], json!([code]));
        let description = answer.body["error_description"].as_str().unwrap();
        assert!(
            description.starts_with(&format!("AADSTS{code}: "))
                && description.contains("\r\nTrace ID: ")
        );
    }
    let url = format!("{}/no-such-tenant/oauth2/token", world.running.urls.entra);
    let answer =
        super::harness::read(world.client.post(url).form(&good).send().await.unwrap()).await;
    assert_eq!(answer.body["error_codes"], json!([90_002]));
}

#[tokio::test]
async fn a_revoked_refresh_token_is_an_invalid_grant() {
    let config = SimulatorConfig {
        tls: false,
        assumptions: Assumptions {
            old_refresh_tokens_keep_working: false,
            ..Assumptions::default()
        },
        ..SimulatorConfig::default()
    };
    let running = cosell_simulator::Simulator::start(config).await.unwrap();
    let partner = running.organizations[0].clone();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", partner.client_id.as_str()),
        ("client_secret", &partner.client_secret),
        ("refresh_token", &partner.refresh_token),
        ("resource", "https://api.partner.microsoft.com"),
    ];
    let url = format!("{}/common/oauth2/token", running.urls.entra);
    let client = client(None);
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let answer =
            super::harness::read(client.post(&url).form(&form).send().await.unwrap()).await;
        statuses.push((
            answer.status,
            answer.body["error"].as_str().unwrap_or_default().to_owned(),
        ));
    }
    assert_eq!(
        statuses,
        [(200, String::new()), (400, "invalid_grant".to_owned())]
    );
}

#[tokio::test]
async fn a_token_for_another_audience_is_401_at_each_service() {
    let world = World::start().await;
    let wrong = world
        .user_token("https://api.partnercenter.microsoft.com")
        .await;
    let urls = &world.running.urls;
    let referrals = format!("{}/v1.0/engagements/referrals", urls.referrals);
    assert_eq!(
        world
            .send("GET", &referrals, &wrong, &[], None)
            .await
            .status,
        401
    );
    let answer = world
        .send(
            "GET",
            &format!("{}/api/data/v9.2/WhoAmI", urls.dataverse),
            &wrong,
            &[],
            None,
        )
        .await;
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.contains(&world.running.crm.tenant_id) && challenge.contains("resource_id="),
        "{challenge}"
    );
    let right = world.user_token("https://api.partner.microsoft.com").await;
    let registration = format!("{}/webhooks/v1/registration", urls.partner_center);
    assert_eq!(
        world
            .send("GET", &registration, &right, &[], None)
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn an_app_only_token_is_refused_at_the_referrals_api() {
    let world = World::start().await;
    let partner = &world.running.organizations[0];
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", partner.client_id.as_str()),
        ("client_secret", &partner.client_secret),
        ("resource", "https://api.partner.microsoft.com"),
    ];
    let token = world.token("oauth2/token", &form).await.body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let url = format!(
        "{}/v1.0/engagements/referrals",
        world.running.urls.referrals
    );
    let answer = world.send("GET", &url, &token, &[], None).await;
    assert_eq!(
        (answer.status, answer.body["error"]["code"].as_str()),
        (403, Some("accessDenied"))
    );
}

#[tokio::test]
async fn an_access_token_runs_out_by_the_simulated_clock() {
    let world = World::start().await;
    assert_eq!(world.crm("GET", "WhoAmI", &[], None).await.status, 200);
    world.control().advance_ms(3_600_000);
    assert_eq!(world.crm("GET", "WhoAmI", &[], None).await.status, 401);
}

#[tokio::test]
async fn all_services_speak_https_with_the_worlds_own_authority() {
    let world = World::with(SimulatorConfig::default()).await;
    assert!(world.running.urls.dataverse.starts_with("https://"));
    assert_eq!(world.crm("GET", "WhoAmI", &[], None).await.status, 200);
    assert_eq!(world.pc("GET", "", &[], None).await.status, 200);
    let stranger = client(None);
    assert!(
        stranger
            .get(&world.running.urls.control)
            .send()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let start = |seed| async move {
        let world = World::with(SimulatorConfig {
            tls: false,
            seed,
            ..SimulatorConfig::demo()
        })
        .await;
        let who = world.crm("GET", "WhoAmI", &[], None).await.body;
        (
            who["UserId"].clone(),
            world.deal().await["id"].clone(),
            world.create("accounts", json!({"name": "A"})).await,
        )
    };
    assert_eq!(start(7).await, start(7).await);
    assert_ne!(start(7).await, start(8).await);
}
