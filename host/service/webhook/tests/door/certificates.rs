//! The certificate behind a signature: whose is believed, how often it is fetched, from where never.

use std::time::Duration;

use cosell_webhook::{Accept, ConnectionSettings, DoorError, PartnerCenterSettings};

use crate::authority::authority;
use crate::world::{World, event};

#[tokio::test]
async fn der_pem_and_base64_are_read_with_and_without_intermediates() {
    let world = World::start().await;
    for (number, file) in [
        "leaf.cer",
        "chain.pem",
        "reversed.pem",
        "base64.cer",
        "by-san.pem",
        "code-signing.pem",
    ]
    .into_iter()
    .enumerate()
    {
        let body = String::from_utf8(event("referral-updated"))
            .unwrap()
            .replace("39.54", &format!("3{number}.54"));
        world
            .taken(world.signed(body.as_bytes(), file), "accepted")
            .await;
    }
}

#[tokio::test]
async fn without_the_root_of_its_own_an_intermediate_can_be_pinned() {
    let world =
        World::with(|settings| settings.certificate_roots = authority().intermediate_pem()).await;
    world
        .taken(
            world.signed(&event("referral-updated"), "leaf.cer"),
            "accepted",
        )
        .await;
    // And with the root alone, a leaf that comes without its intermediate leads nowhere.
    let world = World::with(|settings| settings.certificate_roots = authority().root_pem()).await;
    world
        .taken(
            world.signed(&event("referral-updated"), "chain.pem"),
            "accepted",
        )
        .await;
    world
        .refused(
            world.signed(&event("referral-updated"), "leaf.cer"),
            401,
            "certificate-untrusted",
        )
        .await;
}

#[tokio::test]
async fn a_valid_signature_under_a_wrong_certificate_is_refused() {
    let world = World::start().await;
    for (file, status, code) in [
        ("issuer.pem", 401, "certificate-issuer"),
        ("subject.pem", 401, "certificate-subject"),
        ("expired.pem", 401, "certificate-expired"),
        ("future.pem", 401, "certificate-expired"),
        ("stranger.pem", 401, "certificate-untrusted"),
        ("self-signed.cer", 401, "certificate-untrusted"),
        ("under-a-leaf.pem", 401, "certificate-untrusted"),
        ("elliptic.pem", 401, "certificate-key"),
        ("short.pem", 401, "certificate-key"),
        ("ca-only.pem", 401, "certificate-unreadable"),
        ("empty.pem", 401, "certificate-unreadable"),
        ("junk.cer", 401, "certificate-unreadable"),
        ("page.html", 401, "certificate-unreadable"),
        ("many.pem", 401, "certificate-unreadable"),
        ("huge.pem", 401, "certificate-too-large"),
        ("endless.pem", 401, "certificate-too-large"),
        ("moved.pem", 401, "certificate-redirected"),
        ("nowhere.pem", 503, "certificate-unavailable"),
        ("other.pem", 401, "signature-wrong"),
    ] {
        println!("{file}");
        // Each has a minute of its own: the limit for unknown urls is another test.
        world.pass(Duration::from_secs(61));
        world
            .refused(world.signed(&event("referral-updated"), file), status, code)
            .await;
    }
    assert_eq!(
        world.host.hits("chain.pem"),
        0,
        "the redirect was not followed"
    );
}

#[tokio::test]
async fn internal_addresses_are_refused_after_resolution() {
    let world = World::with(|settings| settings.allow_private_certificate_hosts = false).await;
    // The host is on the list; where its name leads is not.
    world
        .refused(
            world.signed(&event("referral-updated"), "chain.pem"),
            401,
            "certificate-host-private",
        )
        .await;
    let body = event("referral-updated");
    let literal = world
        .client
        .post(world.partner_center())
        .header(
            "authorization",
            format!("Signature {}", world.authority.sign(&body)),
        )
        .header(
            "x-ms-certificate-url",
            format!("https://127.0.0.1:{}/chain.pem", world.host.port),
        )
        .header("x-ms-signature-algorithm", "rsa-sha256")
        .body(body);
    world
        .refused(literal, 401, "certificate-host-private")
        .await;
    assert_eq!(world.host.hits("chain.pem"), 0);
}

#[tokio::test]
async fn a_certificate_host_whose_own_tls_is_not_trusted_is_not_read() {
    let world = World::with(|settings| settings.tls_roots = None).await;
    world
        .refused(
            world.signed(&event("referral-updated"), "chain.pem"),
            503,
            "certificate-unavailable",
        )
        .await;
    assert_eq!(world.host.hits("chain.pem"), 0);
}

#[tokio::test]
async fn many_events_at_once_fetch_one_certificate() {
    let world = World::start().await;
    let body = event("referral-updated");
    let requests: Vec<_> = (0..50)
        .map(|_| tokio::spawn(world.signed(&body, "chain.pem").send()))
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(world.host.hits("chain.pem"), 1);
    assert_eq!(world.door.counters().tally().duplicates, 49);
}

#[tokio::test]
async fn a_certificate_is_kept_for_a_day_at_most() {
    let world = World::start().await;
    let body = event("referral-updated");
    world
        .taken(world.signed(&body, "chain.pem"), "accepted")
        .await;
    world.pass(Duration::from_secs(23 * 3600));
    world
        .taken(world.signed(&body, "chain.pem"), "duplicate")
        .await;
    assert_eq!(world.host.hits("chain.pem"), 1);
    world.pass(Duration::from_secs(2 * 3600));
    world
        .taken(world.signed(&body, "chain.pem"), "duplicate")
        .await;
    assert_eq!(world.host.hits("chain.pem"), 2);
}

#[tokio::test]
async fn a_certificate_is_never_kept_longer_than_it_is_valid() {
    let world = World::start().await;
    let this_year = 1970
        + i32::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() / 31_556_952).unwrap();
    world
        .host
        .put("ending.pem", world.authority.chain_until(this_year + 2));
    let body = event("referral-updated");
    let request = || {
        world
            .client
            .post(world.partner_center())
            .header(
                "authorization",
                format!("Signature {}", world.authority.sign_other(&body)),
            )
            .header("x-ms-certificate-url", world.host.url("ending.pem"))
            .header("x-ms-signature-algorithm", "rsa-sha256")
            .body(body.clone())
    };
    // A moment before the end: a day on the shelf would lead beyond it.
    let end = Duration::from_secs(seconds_until(this_year + 2));
    world.pass(end - Duration::from_secs(3600));
    world.taken(request(), "accepted").await;
    world.pass(Duration::from_secs(3601));
    world.refused(request(), 401, "certificate-expired").await;
}

fn seconds_until(year: i32) -> u64 {
    let end = rcgen::date_time_ymd(year, 1, 1).unix_timestamp();
    u64::try_from(end).unwrap() - std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

#[tokio::test]
async fn a_rotated_certificate_is_found_out_and_a_forger_cannot_make_us_fetch() {
    let world = World::start().await;
    let body = event("referral-updated");
    let files = &world.authority.files;
    let rotated = || {
        world
            .client
            .post(world.partner_center())
            .header(
                "authorization",
                format!("Signature {}", world.authority.sign_other(&body)),
            )
            .header("x-ms-certificate-url", world.host.url("current.pem"))
            .header("x-ms-signature-algorithm", "rsa-sha256")
            .body(body.clone())
    };
    world.host.put("current.pem", files["chain.pem"].clone());
    world
        .taken(world.signed(&body, "current.pem"), "accepted")
        .await;
    // Forgeries right after a fetch do not fetch again.
    for _ in 0..5 {
        world.refused(rotated(), 401, "signature-wrong").await;
    }
    assert_eq!(world.host.hits("current.pem"), 1);
    // Microsoft changes the file; the first event under the new key finds out.
    world.host.put("current.pem", files["other.pem"].clone());
    world.pass(Duration::from_secs(61));
    world.taken(rotated(), "duplicate").await;
    assert_eq!(world.host.hits("current.pem"), 2);
    // A host that gives junk later does not take the good one away.
    world.host.put("current.pem", files["junk.cer"].clone());
    world.pass(Duration::from_secs(61));
    world
        .refused(world.signed(&body, "current.pem"), 401, "signature-wrong")
        .await;
    world.taken(rotated(), "duplicate").await;
    assert_eq!(world.host.hits("current.pem"), 3);
}

#[tokio::test]
async fn invented_urls_on_a_listed_host_run_into_a_limit_that_spares_the_known_one() {
    let world = World::start().await;
    let body = event("referral-updated");
    world
        .taken(world.signed(&body, "chain.pem"), "accepted")
        .await;
    let mut limited = 0;
    for number in 0..40 {
        let response = world
            .signed(&body, &format!("invented-{number}.pem"))
            .send()
            .await
            .unwrap();
        match response.status().as_u16() {
            503 => {}
            429 => {
                assert!(response.headers().contains_key("retry-after"));
                limited += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(
        limited, 21,
        "19 of 40 were fetched: 20 a minute, one of them for the good one"
    );
    world
        .taken(world.signed(&body, "chain.pem"), "duplicate")
        .await;
    assert_eq!(
        world.host.hits("chain.pem"),
        1,
        "forty strangers did not push the known certificate from the shelf"
    );
}

#[tokio::test]
async fn a_failed_fetch_is_remembered_for_a_moment() {
    let world = World::start().await;
    let body = event("referral-updated");
    for _ in 0..3 {
        world
            .refused(
                world.signed(&body, "nowhere.pem"),
                503,
                "certificate-unavailable",
            )
            .await;
    }
    assert_eq!(world.host.hits("nowhere.pem"), 1);
    world
        .host
        .put("nowhere.pem", world.authority.files["chain.pem"].clone());
    world.pass(Duration::from_secs(6));
    world
        .taken(world.signed(&body, "nowhere.pem"), "accepted")
        .await;
}

#[test]
fn a_door_without_roots_cannot_be_built() {
    struct Nobody;
    #[async_trait::async_trait]
    impl Accept for Nobody {
        async fn accept(
            &self,
            _: cosell_webhook::VerifiedBell,
        ) -> Result<cosell_webhook::AcceptOutcome, cosell_webhook::AcceptError> {
            Ok(cosell_webhook::AcceptOutcome::Unknown)
        }
    }
    for roots in [
        "",
        "evil",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let settings = PartnerCenterSettings::with_roots(roots.to_owned());
        assert!(settings.check().is_err());
        let connection = ConnectionSettings {
            id: "acme".to_owned(),
            partner_center: Some(settings),
            dataverse: None,
        };
        let error = cosell_webhook::Door::new(vec![connection], std::sync::Arc::new(Nobody))
            .err()
            .unwrap();
        assert!(
            matches!(&error, DoorError::PartnerCenter { connection, .. } if connection == "acme"),
            "{error}"
        );
    }
}
