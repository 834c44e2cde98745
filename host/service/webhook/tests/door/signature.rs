//! The signature and the headers around it: looked for strictly, over the bytes as received.

use crate::world::{World, event};

#[tokio::test]
async fn an_altered_body_is_refused() {
    let world = World::start().await;
    let body = event("referral-updated");
    for altered in [
        [&body[..], b" "].concat(),
        body[..body.len() - 1].to_vec(),
        String::from_utf8(body.clone())
            .unwrap()
            .replace("000a", "000b")
            .into_bytes(),
        Vec::new(),
        b"\xff\xfe\x00".to_vec(),
    ] {
        world
            .refused(
                world.signed(&body, "chain.pem").body(altered),
                401,
                "signature-wrong",
            )
            .await;
    }
    world
        .taken(world.signed(&body, "chain.pem"), "accepted")
        .await;
}

#[tokio::test]
async fn the_byte_order_mark_counts_as_received() {
    let world = World::start().await;
    let body = event("referral-updated");
    let marked = [b"\xef\xbb\xbf", &body[..]].concat();
    world
        .refused(
            world.signed(&body, "chain.pem").body(marked.clone()),
            401,
            "signature-wrong",
        )
        .await;
    world
        .taken(world.signed(&marked, "chain.pem"), "accepted")
        .await;
}

#[tokio::test]
async fn a_signature_is_looked_for_strictly() {
    let world = World::start().await;
    let body = event("referral-updated");
    let good = world.authority.sign(&body);
    let plain = || {
        world
            .client
            .post(world.partner_center())
            .header("x-ms-certificate-url", world.host.url("chain.pem"))
            .header("x-ms-signature-algorithm", "rsa-sha256")
            .body(body.clone())
    };
    world.refused(plain(), 401, "signature-missing").await;
    for value in [
        "Bearer evil",
        "Signature",
        "Signature ",
        "Signature ???",
        &format!("Signature{good}"),
        &format!("Bearer {good}"),
        &good,
        &format!("Signature {}", "A".repeat(4000)),
    ] {
        world
            .refused(
                plain().header("authorization", value),
                401,
                "signature-malformed",
            )
            .await;
        world
            .refused(
                plain().header("x-ms-signature", value),
                401,
                "signature-malformed",
            )
            .await;
    }
    // Two that differ: which one would be the proof?
    let two = plain()
        .header("authorization", format!("Signature {good}"))
        .header("x-ms-signature", "Signature AAAA");
    world.refused(two, 401, "signature-malformed").await;
    for wrong in [
        "Signature AAAA".to_owned(),
        format!("Signature {}", world.authority.sign_other(&body)),
    ] {
        world
            .refused(
                plain().header("authorization", wrong),
                401,
                "signature-wrong",
            )
            .await;
    }
    world
        .taken(
            plain().header("authorization", format!("signature {good}")),
            "accepted",
        )
        .await;
}

#[tokio::test]
async fn only_rsa_sha256_is_an_algorithm() {
    let world = World::start().await;
    let body = event("referral-updated");
    let with = |algorithm: &str| {
        world
            .client
            .post(world.partner_center())
            .header(
                "authorization",
                format!("Signature {}", world.authority.sign(&body)),
            )
            .header("x-ms-certificate-url", world.host.url("chain.pem"))
            .header("x-ms-signature-algorithm", algorithm)
            .body(body.clone())
    };
    for algorithm in [
        "rsa-sha1",
        "rsa-md5",
        "rsa-sha512",
        "rsa",
        "sha256",
        "none",
        "rsa-sha256-x",
        "rsa-sha256, rsa-sha1",
    ] {
        world
            .refused(with(algorithm), 400, "algorithm-refused")
            .await;
    }
    world.refused(with(""), 400, "algorithm-missing").await;
    world
        .refused(
            with("rsa-sha256").header("x-ms-signature-algorithm", "rsa-sha1"),
            400,
            "algorithm-missing",
        )
        .await;
    assert_eq!(
        world.host.hits("chain.pem"),
        0,
        "nothing is fetched for a request that cannot pass"
    );
}

#[tokio::test]
async fn the_certificate_url_is_attacker_input() {
    let world = World::start().await;
    let body = event("referral-updated");
    let port = world.host.port;
    let with = |url: &str| {
        world
            .client
            .post(world.partner_center())
            .header(
                "authorization",
                format!("Signature {}", world.authority.sign(&body)),
            )
            .header("x-ms-certificate-url", url)
            .header("x-ms-signature-algorithm", "rsa-sha256")
            .body(body.clone())
    };
    for url in [
        format!("http://localhost:{port}/chain.pem"),
        format!("https://pki.microsoft.com@localhost:{port}/chain.pem"),
        format!("https://evil:evil@localhost:{port}/chain.pem"),
        format!("https://localhost:{port}/chain.pem?evil"),
        format!("https://localhost:{port}/chain.pem#evil"),
        "chain.pem".to_owned(),
        "file:///etc/hostname".to_owned(),
    ] {
        world
            .refused(with(&url), 400, "certificate-url-refused")
            .await;
    }
    for url in [
        "https://evil.example/chain.pem",
        "https://localhost/chain.pem",
        "https://microsoft.com.evil.example/a.cer",
        "https://169.254.169.254/a.cer",
    ] {
        world
            .refused(with(url), 401, "certificate-host-unlisted")
            .await;
    }
    world
        .refused(with(""), 400, "certificate-url-missing")
        .await;
    assert_eq!(world.host.hits("chain.pem"), 0);
}
