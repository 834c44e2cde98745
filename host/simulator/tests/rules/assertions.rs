//! Certificates instead of secrets, codes instead of passwords.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cosell_simulator::{Assumptions, SimulatorConfig};
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use rsa::pkcs8::EncodePrivateKey as _;
use serde_json::{Value, json};

use super::harness::{Answer, World, read};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An app's own key and certificate.
struct Own {
    key: RsaKeyPair,
    pem: String,
    sha1: String,
    sha256: String,
}

impl Own {
    fn new() -> Self {
        let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        let der = private.to_pkcs8_der().unwrap();
        let pkcs8 = rustls::pki_types::PrivatePkcs8KeyDer::from(der.as_bytes().to_vec());
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &rcgen::PKCS_RSA_SHA256);
        let certificate = rcgen::CertificateParams::default()
            .self_signed(&key.unwrap())
            .unwrap();
        let print =
            |algorithm| URL_SAFE_NO_PAD.encode(ring::digest::digest(algorithm, certificate.der()));
        Self {
            key: RsaKeyPair::from_pkcs8(der.as_bytes()).unwrap(),
            pem: certificate.pem(),
            sha1: print(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY),
            sha256: print(&ring::digest::SHA256),
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let padding: &dyn RsaEncoding = match header["alg"].as_str() {
            Some("PS256") => &RSA_PSS_SHA256,
            _ => &RSA_PKCS1_SHA256,
        };
        let mut signature = vec![0; self.key.public().modulus_len()];
        let random = ring::rand::SystemRandom::new();
        self.key
            .sign(padding, &random, text.as_bytes(), &mut signature)
            .unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A world whose app for Dataverse has a certificate.
struct Certified {
    world: World,
    own: Own,
}

impl Certified {
    async fn start(assumptions: Assumptions) -> Self {
        let own = Own::new();
        let world = World::with(SimulatorConfig {
            tls: false,
            crm_certificates_pem: vec![own.pem.clone()],
            assumptions,
            ..SimulatorConfig::demo()
        })
        .await;
        Self { world, own }
    }

    fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": "PS256", "x5t#S256": self.own.sha256})
    }

    fn claims(&self, path: &str) -> Value {
        let crm = &self.world.running.crm;
        let now = self.world.control().now().as_second();
        json!({
            "aud": format!("{}/{}/{path}", self.world.running.urls.entra, crm.tenant_id),
            "iss": crm.client_id, "sub": crm.client_id, "jti": format!("{:032x}", rand::random::<u128>()),
            "nbf": now, "iat": now, "exp": now + 600,
        })
    }

    async fn ask(&self, assertion: &str) -> Answer {
        let scope = format!("{}/.default", self.world.running.urls.dataverse);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.world.running.crm.client_id.as_str()),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion),
            ("scope", scope.as_str()),
        ];
        self.world.token("oauth2/v2.0/token", &form).await
    }

    /// Refused with this code when `change` was made to header or claims.
    async fn refuses(&self, code: u32, change: impl FnOnce(&mut Value, &mut Value)) {
        let (mut header, mut claims) = (self.header(), self.claims("oauth2/v2.0/token"));
        change(&mut header, &mut claims);
        let answer = self.ask(&self.own.sign(&header, &claims)).await;
        assert_eq!(
            (answer.status, answer.body["error_codes"].clone()),
            (401, json!([code])),
            "{header} {claims}: {}",
            answer.text
        );
        assert_eq!(answer.body["error"], "invalid_client");
    }
}

#[tokio::test]
async fn an_app_may_sign_an_assertion_with_ps256_or_rs256_instead_of_a_secret() {
    let certified = Certified::start(Assumptions::default()).await;
    for header in [
        json!({"typ": "JWT", "alg": "PS256", "x5t#S256": certified.own.sha256}),
        json!({"typ": "JWT", "alg": "RS256", "x5t": certified.own.sha1}),
        json!({"typ": "JWT", "alg": "RS256", "x5t": certified.own.sha1, "x5t#S256": certified.own.sha256}),
    ] {
        let claims = certified.claims("oauth2/v2.0/token");
        let answer = certified.ask(&certified.own.sign(&header, &claims)).await;
        assert_eq!(answer.status, 200, "{header}: {}", answer.text);
        let token = answer.body["access_token"].as_str().unwrap().to_owned();
        let url = format!(
            "{}/api/data/v9.2/WhoAmI",
            certified.world.running.urls.dataverse
        );
        let who = certified.world.send("GET", &url, &token, &[], None).await;
        assert_eq!(
            who.body["UserId"],
            json!(certified.world.running.crm.app_user_id)
        );
    }
}

#[tokio::test]
async fn the_audience_of_an_assertion_is_the_token_endpoint_used() {
    let certified = Certified::start(Assumptions::default()).await;
    let elsewhere = certified.claims("oauth2/token")["aud"].clone();
    certified
        .refuses(700_023, |_, claims| claims["aud"] = elsewhere)
        .await;
    certified
        .refuses(700_023, |_, claims| claims["aud"] = json!(null))
        .await;
}

#[tokio::test]
async fn an_assertion_is_good_between_nbf_and_exp() {
    let certified = Certified::start(Assumptions::default()).await;
    let now = certified.world.control().now().as_second();
    certified
        .refuses(700_024, |_, claims| claims["exp"] = json!(now - 900))
        .await;
    certified
        .refuses(700_024, |_, claims| claims["nbf"] = json!(now + 900))
        .await;
    certified
        .refuses(700_024, |_, claims| claims["exp"] = json!("soon"))
        .await;
    certified
        .refuses(700_024, |_, claims| {
            claims["exp"] = json!(now + 10 * 86_400)
        })
        .await;
    certified
        .refuses(700_024, |_, claims| claims["exp"] = json!(i64::MAX))
        .await;
}

#[tokio::test]
async fn the_thumbprints_of_an_assertion_name_a_registered_certificate() {
    let certified = Certified::start(Assumptions::default()).await;
    certified
        .refuses(700_027, |header, _| header["x5t#S256"] = json!("AAAA"))
        .await;
    certified
        .refuses(700_027, |header, _| header["x5t"] = json!("AAAA"))
        .await;
    certified
        .refuses(700_027, |header, _| {
            *header = json!({"alg": "PS256", "typ": "JWT"})
        })
        .await;
}

#[tokio::test]
async fn the_signature_of_an_assertion_is_checked() {
    let certified = Certified::start(Assumptions::default()).await;
    let claims = certified.claims("oauth2/v2.0/token");
    let foreign = Own::new().sign(&certified.header(), &claims);
    let answer = certified.ask(&foreign).await;
    assert_eq!(
        answer.body["error_codes"],
        json!([700_027]),
        "{}",
        answer.text
    );
    // Signed with one padding, and said to be the other.
    let mut header = certified.header();
    let signed = certified.own.sign(&header, &claims);
    header["alg"] = json!("RS256");
    let (_, rest) = signed.split_once('.').unwrap();
    let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()));
    assert_eq!(
        certified.ask(&forged).await.body["error_codes"],
        json!([700_027])
    );
}

#[tokio::test]
async fn an_assertion_names_its_app_in_iss_and_sub() {
    let certified = Certified::start(Assumptions::default()).await;
    certified
        .refuses(700_021, |_, claims| claims["iss"] = json!("someone"))
        .await;
    certified
        .refuses(700_021, |_, claims| claims["sub"] = json!(7))
        .await;
}

#[tokio::test]
async fn an_assertion_with_a_jti_that_was_used_is_refused_where_they_work_once() {
    let certified = Certified::start(Assumptions::default()).await;
    let once = certified
        .own
        .sign(&certified.header(), &certified.claims("oauth2/v2.0/token"));
    assert_eq!(certified.ask(&once).await.status, 200);
    let again = certified.ask(&once).await;
    assert_eq!(
        (again.status, again.body["error_codes"].clone()),
        (401, json!([50_013]))
    );
    certified
        .refuses(50_027, |_, claims| claims["jti"] = json!(null))
        .await;
    let lenient = Certified::start(Assumptions {
        assertions_work_once: false,
        ..Assumptions::default()
    })
    .await;
    let twice = lenient
        .own
        .sign(&lenient.header(), &lenient.claims("oauth2/v2.0/token"));
    for _ in 0..2 {
        assert_eq!(lenient.ask(&twice).await.status, 200);
    }
}

#[tokio::test]
async fn what_is_no_assertion_is_a_malformed_token() {
    let certified = Certified::start(Assumptions::default()).await;
    let long = "a".repeat(100_000);
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let empty = URL_SAFE_NO_PAD.encode("{}");
    for text in [
        "x",
        "a.b.c",
        "..",
        &long,
        &format!("{none}.{empty}."),
        &format!("{empty}.{empty}.AAAA"),
    ] {
        let answer = certified.ask(text).await;
        assert_eq!(
            answer.body["error_codes"],
            json!([50_027]),
            "{text:.40}: {}",
            answer.text
        );
    }
    certified
        .refuses(50_027, |header, _| header["alg"] = json!("HS256"))
        .await;
}

#[tokio::test]
async fn a_certificate_can_be_registered_while_the_world_runs() {
    let world = World::start().await;
    let own = Own::new();
    let crm = world.running.crm.client_id.clone();
    let thumbprint = world.control().add_certificate(&crm, &own.pem).unwrap();
    assert_eq!(thumbprint, own.sha256);
    let certified = Certified { world, own };
    let assertion = certified
        .own
        .sign(&certified.header(), &certified.claims("oauth2/v2.0/token"));
    assert_eq!(certified.ask(&assertion).await.status, 200);
    let control = certified.world.control();
    assert!(control.add_certificate(&crm, "no certificate").is_err());
    assert!(
        control
            .add_certificate("nobody", &certified.own.pem)
            .is_err()
    );
}

#[tokio::test]
async fn an_expired_secret_is_told_from_a_wrong_one() {
    let world = World::start().await;
    let crm = world.running.crm.clone();
    let scope = format!("{}/.default", world.running.urls.dataverse);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", crm.client_id.as_str()),
        ("client_secret", crm.client_secret.as_str()),
        ("scope", scope.as_str()),
    ];
    world.control().expire_secret(&crm.client_id, true).unwrap();
    let answer = world.token("oauth2/v2.0/token", &form).await;
    assert_eq!(
        (answer.status, answer.body["error_codes"].clone()),
        (401, json!([7_000_222]))
    );
    world
        .control()
        .expire_secret(&crm.client_id, false)
        .unwrap();
    assert_eq!(world.token("oauth2/v2.0/token", &form).await.status, 200);
    let bare = world
        .token("oauth2/v2.0/token", &[form[0], form[1], form[3]])
        .await;
    assert_eq!(bare.body["error_codes"], json!([7_000_218]));
}

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
