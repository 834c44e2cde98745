//! People who sign in: device codes, authorization codes, refresh tokens; and what clients look up before.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::harness::{World, read};

#[tokio::test]
async fn a_device_polls_until_a_person_has_signed_in() {
    let world = World::start().await;
    let app = world.running.organizations[0].client_id.clone();
    let scope = "https://api.partner.microsoft.com/.default offline_access";
    let code = world
        .token(
            "oauth2/v2.0/devicecode",
            &[("client_id", &app), ("scope", scope)],
        )
        .await;
    assert_eq!(
        (
            code.body["expires_in"].clone(),
            code.body["interval"].clone()
        ),
        (json!(900), json!(5))
    );
    let user_code = code.body["user_code"].as_str().unwrap();
    let said = code.body["message"].as_str().unwrap();
    assert!(
        said.contains(user_code) && said.contains(code.body["verification_uri"].as_str().unwrap())
    );
    let poll = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", app.as_str()),
        ("device_code", code.body["device_code"].as_str().unwrap()),
    ];
    let pending = world.token("oauth2/v2.0/token", &poll).await;
    assert_eq!(
        (pending.status, &pending.body["error"]),
        (400, &json!("authorization_pending"))
    );
    assert_eq!(world.control().device_codes()[0].user_code, user_code);
    world
        .control()
        .approve_device(user_code, "cosell@contoso.example")
        .unwrap();
    let given = world.token("oauth2/v2.0/token", &poll).await;
    assert_eq!(given.status, 200, "{}", given.text);
    let url = format!(
        "{}/v1.0/engagements/referrals",
        world.running.urls.referrals
    );
    let token = given.body["access_token"].as_str().unwrap();
    assert_eq!(world.send("GET", &url, token, &[], None).await.status, 200);
    // A public client renews without a secret; the code itself is spent.
    let renew = [
        ("grant_type", "refresh_token"),
        ("client_id", app.as_str()),
        (
            "refresh_token",
            given.body["refresh_token"].as_str().unwrap(),
        ),
        ("scope", scope),
    ];
    assert_eq!(world.token("oauth2/v2.0/token", &renew).await.status, 200);
    assert_eq!(
        world.token("oauth2/v2.0/token", &poll).await.body["error"],
        "invalid_grant"
    );
}

#[tokio::test]
async fn a_device_code_may_be_declined_be_wrong_or_run_out() {
    let world = World::start().await;
    let app = world.running.organizations[0].client_id.clone();
    // The first generation says numbers as text, and its page under another name.
    let form = [
        ("client_id", app.as_str()),
        ("resource", "https://api.partner.microsoft.com"),
    ];
    let declined = world.token("oauth2/devicecode", &form).await.body;
    let late = world.token("oauth2/devicecode", &form).await.body;
    assert!(declined["expires_in"] == "900" && declined["verification_url"].is_string());
    let page = world
        .client
        .post(late["verification_url"].as_str().unwrap());
    let answer = [
        ("code", declined["user_code"].as_str().unwrap()),
        ("answer", "decline"),
    ];
    let page = read(page.form(&answer).send().await.unwrap()).await;
    assert!(page.text.contains("Done."), "{}", page.text);
    world.control().advance_ms(901_000);
    assert!(
        world
            .control()
            .approve_device(late["user_code"].as_str().unwrap(), "a@b.example")
            .is_err()
    );
    for (code, error) in [
        (
            declined["device_code"].as_str().unwrap(),
            "authorization_declined",
        ),
        (late["device_code"].as_str().unwrap(), "expired_token"),
        ("no-such-code", "bad_verification_code"),
    ] {
        let poll = [
            ("grant_type", "device_code"),
            ("client_id", app.as_str()),
            ("code", code),
        ];
        let answer = world.token("oauth2/token", &poll).await;
        assert_eq!((answer.status, &answer.body["error"]), (400, &json!(error)));
    }
}

#[tokio::test]
async fn an_authorization_code_is_redeemed_once_and_in_time() {
    let world = World::start().await;
    let partner = world.running.organizations[0].clone();
    let redeem = async |code: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", partner.client_id.as_str()),
            ("client_secret", &partner.client_secret),
            ("resource", "https://api.partner.microsoft.com"),
            ("code", code),
        ];
        world.token("oauth2/token", &form).await
    };
    let code = world
        .control()
        .authorize(&partner.client_id, &partner.user_mail)
        .unwrap();
    let first = redeem(&code).await;
    assert!(
        first.body["refresh_token"].is_string() && first.body["id_token"].is_string(),
        "{}",
        first.text
    );
    assert_eq!(redeem(&code).await.body["error_codes"], json!([54_005]));
    let late = world
        .control()
        .authorize(&partner.client_id, &partner.user_mail)
        .unwrap();
    world.control().advance_ms(601_000);
    assert_eq!(redeem(&late).await.body["error_codes"], json!([70_008]));
    assert_eq!(redeem("no-such-code").await.body["error"], "invalid_grant");
}

#[tokio::test]
async fn the_authorize_page_sends_the_person_back_with_a_code_and_the_state() {
    let world = World::start().await;
    let partner = world.running.organizations[0].clone();
    let page = format!(
        "{}/{}/oauth2/authorize",
        world.running.urls.entra, partner.tenant_id
    );
    let state = "\"><script>alert(1)</script>";
    let asked = [
        ("client_id", partner.client_id.as_str()),
        ("redirect_uri", "http://127.0.0.1:9/back?x=1"),
        ("response_mode", "form_post"),
        ("state", state),
    ];
    let shown = read(world.client.get(&page).query(&asked).send().await.unwrap()).await;
    assert!(
        shown.status == 200 && !shown.text.contains("<script>"),
        "{}",
        shown.text
    );
    let mut signed = asked.to_vec();
    signed.push(("user", &partner.user_mail));
    let back = read(world.client.post(&page).form(&signed).send().await.unwrap()).await;
    assert!(
        back.text.contains("name=\"code\"") && !back.text.contains("<script>"),
        "{}",
        back.text
    );
    signed[1].1 = "javascript:alert(1)";
    let bad = read(world.client.post(&page).form(&signed).send().await.unwrap()).await;
    assert_eq!(bad.body["error_codes"], json!([50_011]));
}

#[tokio::test]
async fn discovery_names_endpoints_that_answer_and_the_key_that_signs_id_tokens() {
    let world = World::start().await;
    let partner = world.running.organizations[0].clone();
    let root = format!("{}/{}", world.running.urls.entra, partner.tenant_id);
    let get = async |url: String| read(world.client.get(url).send().await.unwrap()).await;
    for path in [
        "v2.0/.well-known/openid-configuration",
        ".well-known/openid-configuration",
    ] {
        let told = get(format!("{root}/{path}")).await.body;
        for name in [
            "token_endpoint",
            "device_authorization_endpoint",
            "authorization_endpoint",
        ] {
            let answer = get(told[name].as_str().unwrap().to_owned()).await;
            assert!(answer.status != 404, "{name}: {}", answer.text);
        }
        let keys = get(told["jwks_uri"].as_str().unwrap().to_owned())
            .await
            .body;
        let part = |name: &str| {
            URL_SAFE_NO_PAD
                .decode(keys["keys"][0][name].as_str().unwrap())
                .unwrap()
        };
        let key = ring::signature::RsaPublicKeyComponents {
            n: part("n"),
            e: part("e"),
        };
        let code = world
            .control()
            .authorize(&partner.client_id, &partner.user_mail)
            .unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", partner.client_id.as_str()),
            ("client_secret", &partner.client_secret),
            ("resource", "https://api.partner.microsoft.com"),
            ("code", &code),
        ];
        let token = world.token("oauth2/token", &form).await.body["id_token"].clone();
        let (signed, signature) = token.as_str().unwrap().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        key.verify(
            &ring::signature::RSA_PKCS1_2048_8192_SHA256,
            signed.as_bytes(),
            &signature,
        )
        .unwrap();
    }
    let unknown = get(format!(
        "{}/nowhere/v2.0/.well-known/openid-configuration",
        world.running.urls.entra
    ))
    .await;
    assert_eq!(unknown.body["error_codes"], json!([90_002]));
    let instance = get(format!(
        "{}/common/discovery/instance?api-version=1.1",
        world.running.urls.entra
    ))
    .await;
    assert!(instance.body["tenant_discovery_endpoint"].is_string());
}

#[tokio::test]
async fn a_refresh_token_is_good_for_both_audiences_and_dies_of_ninety_idle_days() {
    let world = World::start().await;
    for resource in [
        "https://api.partner.microsoft.com",
        "https://api.partnercenter.microsoft.com",
    ] {
        assert!(!world.user_token(resource).await.is_empty());
    }
    world.control().advance_ms(91 * 86_400_000);
    let partner = &world.running.organizations[0];
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", partner.client_id.as_str()),
        ("client_secret", &partner.client_secret),
        ("refresh_token", &partner.refresh_token),
        ("resource", "https://api.partner.microsoft.com"),
    ];
    let answer = world.token("oauth2/token", &form).await;
    assert_eq!(
        (answer.status, answer.body["error_codes"].clone()),
        (400, json!([700_082]))
    );
}
