//! Certificates instead of secrets.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cosell_simulator::{Assumptions, SimulatorConfig};
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use rsa::pkcs8::EncodePrivateKey as _;
use serde_json::{Value, json};

use super::harness::{Answer, World};

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
