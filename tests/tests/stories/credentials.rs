//! Credentials that end, are replaced, or are certificates.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cosell_host::app::to_sign_in;
use cosell_host::config::Config;
use cosell_remote::auth::Polled;
use cosell_tests::{World, amount, text};
use rsa::pkcs8::EncodePrivateKey as _;
use serde_json::json;

use crate::Told;

fn private(path: &Path, content: &str) -> Told {
    std::fs::write(path, content)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(())
}

/// The folder of the configuration and its secrets.
fn folder(world: &World) -> anyhow::Result<&Path> {
    world
        .config
        .parent()
        .context("a configuration is in a folder")
}

/// A deal waits for this reason, none is parked, and this credential rests, and no other. Entra refuses a token and does not know for what: the host does.
async fn waits_for(world: &World, credential: &str, reason: &str) -> Told {
    let waits = world
        .status_where(|status| {
            let mut deals = status.deals.iter();
            deals.any(|deal| {
                let why = deal.reason.as_deref().unwrap_or_default();
                deal.state == "waiting" && why.contains(reason)
            })
        })
        .await?;
    ensure!(!waits.lanes.contains_key("parked"), "{:?}", waits.lanes);
    let rests = waits.resting.iter().map(|rests| &*rests.credential);
    ensure!(rests.eq([credential]), "{:?}", waits.resting);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deals_wait_while_a_secret_is_out_and_go_on_when_its_file_has_a_new_one() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let config = Config::load(&world.config)?;
    let client = &config.connections[0].dataverse.client_id;
    world.control().replace_secret(client, "the-next-secret")?;
    world.control().revoke_access_tokens();
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/dealValue", "value": 77_000 }]),
    )?;
    waits_for(&world, "dataverse", "client secret is wrong").await?;
    private(&folder(&world)?.join("dataverse-secret"), "the-next-secret")?;
    // The credential rests for a minute, as far as the host knows.
    world.later(Duration::from_secs(61));
    world
        .until("the edit", |control| {
            let row = control.row("opportunity", &row)?;
            (amount(&row["estimatedvalue"]) == Some(77_000.0)).then_some(())
        })
        .await?;
    let after = world.quiet().await?;
    ensure!(!after.lanes.contains_key("parked"), "{:?}", after.lanes);
    world.end().await
}

/// The user's password has changed, so the refresh token is worth nothing; the user signs in by a code, beside the host that runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_a_code_and_the_deals_that_waited_go_on() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let mail = text(&world.control().about()["organizations"][0], "user_mail");
    world.control().expire_password(&mail)?;
    world.control().revoke_access_tokens();
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/dealValue", "value": 88_000 }]),
    )?;
    waits_for(&world, "partner-center", "cosell sign-in").await?;

    let config = Config::load_to_sign_in(&world.config)?;
    let client = to_sign_in(&config, &config.connections[0])?;
    let declined = client.begin_sign_in().await?;
    world.control().decline_device(&declined.user_code)?;
    let no = client.poll_sign_in(&declined).await.unwrap_err();
    ensure!(no.to_string().contains("declined"), "{no}");
    let begun = client.begin_sign_in().await?;
    ensure!(begun.message.contains(&begun.user_code), "{begun:?}");
    ensure!(client.poll_sign_in(&begun).await? == Polled::Pending);
    world.control().approve_device(&begun.user_code, &mail)?;
    ensure!(client.poll_sign_in(&begun).await? == Polled::Done);
    client.ready().await?;
    // The credential rests for a minute, as far as the host knows.
    world.later(Duration::from_secs(61));
    world
        .until("the edit", |control| {
            let row = control.row("opportunity", &row)?;
            (amount(&row["estimatedvalue"]) == Some(88_000.0)).then_some(())
        })
        .await?;
    world.end().await
}

/// A certificate with its key, and without.
fn certificate() -> anyhow::Result<(String, String)> {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048)?;
    let key = key.to_pkcs8_pem(rsa::pkcs8::LineEnding::LF)?;
    let pair = rcgen::KeyPair::from_pem_and_sign_algo(&key, &rcgen::PKCS_RSA_SHA256)?;
    let mut about = rcgen::CertificateParams::new(vec!["cosell".to_owned()])?;
    about.not_after = rcgen::date_time_ymd(2096, 1, 1);
    let certificate = about.self_signed(&pair)?.pem();
    Ok((format!("{certificate}{}", key.as_str()), certificate))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_opens_both_sides_and_says_itself_when_it_ends() -> Told {
    let mut world = World::start().await?;
    world.stop_host().await;
    world.control().revoke_access_tokens();
    let (both, certificate) = certificate()?;
    let file = folder(&world)?.join("application.pem");
    private(&file, &both)?;
    let config = Config::load(&world.config)?;
    let connection = &config.connections[0];
    let mut told = std::fs::read_to_string(&world.config)?;
    for (client, secret) in [
        (&connection.dataverse.client_id, "dataverse-secret"),
        (
            &connection.partner_center.client_id,
            "partner-center-secret",
        ),
    ] {
        world.control().add_certificate(client, &certificate)?;
        // The secret is good for nothing any more.
        world.control().replace_secret(client, "nobody knows it")?;
        let before = format!(
            "secret = {{ file = \"{}/{secret}\" }}",
            folder(&world)?.display()
        );
        ensure!(told.contains(&before), "{told}");
        told = told.replace(
            &before,
            &format!("certificate = {{ file = \"{}\" }}", file.display()),
        );
    }
    std::fs::write(&world.config, told)?;
    world.start_host().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    let status = world.quiet().await?;
    let ends: Vec<&str> = status
        .credentials
        .iter()
        .map(|ending| ending.expiry.credential.as_str())
        .collect();
    ensure!(
        ends == [
            "refresh-token",
            "dataverse-certificate",
            "partner-center-certificate"
        ] || ends
            == [
                "refresh-token",
                "partner-center-certificate",
                "dataverse-certificate"
            ],
        "{ends:?}"
    );
    ensure!(
        (88..=90).contains(&status.credentials[0].days_left),
        "it was used just now: {}",
        status.credentials[0].days_left
    );
    world.end().await
}
