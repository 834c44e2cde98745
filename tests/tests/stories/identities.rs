//! Applications without a secret: the identity of the machine or the app on which the host runs, and a token that an issuer renews in a file.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use cosell_host::config::Config;
use cosell_host::status::Status;
use cosell_simulator::{Fault, FaultKind, Service, Trusted};
use cosell_tests::{World, amend, amount, text};
use serde_json::json;

use crate::Told;

const ACCOUNT: &str = "system:serviceaccount:default:cosell";

/// Client ids of the applications for Partner Center and for the CRM.
fn clients(world: &World) -> anyhow::Result<[String; 2]> {
    let config = Config::load(&world.config)?;
    let connection = config.connections.first().context("one connection")?;
    Ok([
        connection.partner_center.client_id.clone(),
        connection.dataverse.client_id.clone(),
    ])
}

fn trusted_by_both(world: &World, trusted: &Trusted) -> Told {
    for client in clients(world)? {
        world.control().trust(&client, trusted.clone())?;
    }
    Ok(())
}

/// A host that has no secret of its applications, on neither side, and no file that held one. The secrets are good for nothing any more, so that nothing
/// can be opened with what somebody may have kept. It does not run yet.
async fn without_secrets(identities: [&str; 2]) -> anyhow::Result<World> {
    let mut world = World::start().await?;
    world.stop_host().await;
    world.control().revoke_access_tokens();
    let mut told = std::fs::read_to_string(&world.config)?;
    let folder = world.config.parent().context("it is in a folder")?;
    let files = ["partner-center-secret", "dataverse-secret"];
    for ((client, file), identity) in clients(&world)?.iter().zip(files).zip(identities) {
        world.control().replace_secret(client, "nobody knows it")?;
        let path = folder.join(file);
        let before = format!("secret = {{ file = \"{}\" }}", path.display());
        ensure!(told.contains(&before), "{told}");
        told = told.replace(&before, &format!("identity = {identity}"));
        std::fs::remove_file(path)?;
    }
    std::fs::write(&world.config, told)?;
    Ok(world)
}

/// One deal is born, and an edit of each side arrives on the other.
async fn in_step_both_ways(world: &World) -> anyhow::Result<(String, String)> {
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({"estimatedvalue": 41_000}))?;
    world
        .until("the seller's edit", |control| {
            let deal = control.referral(&referral)?;
            (amount(&deal["details"]["dealValue"]) == Some(41_000.0)).then_some(())
        })
        .await?;
    world.quiet().await?;
    portal_edits(world, &referral, 42_000)?;
    arrived(world, &row, 42_000.0).await?;
    world.quiet().await?;
    Ok((row, referral))
}

fn portal_edits(world: &World, referral: &str, value: u32) -> Told {
    let patch = json!([{ "op": "replace", "path": "/details/dealValue", "value": value }]);
    world.control().partner_user_patches(referral, &patch)?;
    Ok(())
}

async fn arrived(world: &World, row: &str, value: f64) -> Told {
    world
        .until("the portal's edit", |control| {
            let row = control.row("opportunity", row)?;
            (amount(&row["estimatedvalue"]) == Some(value)).then_some(())
        })
        .await
}

/// Nobody does anything but let the time pass, and the portal's edit arrives.
async fn goes_on_after(world: World, time: Duration, row: &str, value: f64) -> Told {
    world.later(time);
    arrived(&world, row, value).await?;
    let after = world.quiet().await?;
    ensure!(!after.lanes.contains_key("parked"), "{:?}", after.lanes);
    world.end().await
}

/// Waits until a deal waits for this, and nothing is parked.
async fn waits_for(world: &World, words: &str) -> anyhow::Result<String> {
    let waits = |status: &Status| {
        let mut deals = status.deals.iter();
        let found = deals.find(|deal| {
            let why = deal.reason.as_deref().unwrap_or_default();
            deal.state == "waiting" && why.contains(words)
        });
        found.and_then(|deal| deal.reason.clone())
    };
    let status = world.status_where(|status| waits(status).is_some()).await?;
    ensure!(!status.lanes.contains_key("parked"), "{:?}", status.lanes);
    waits(&status).context("it was there")
}

/// The issuer puts a token into the file, whole and at once.
fn renew(path: &PathBuf, token: &str) -> Told {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, token)?;
    Ok(std::fs::rename(fresh, path)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_on_a_machine_of_azure_keeps_a_deal_in_step_without_a_secret_on_either_side() -> Told
{
    let mut world = without_secrets(["\"managed\"", "\"managed\""]).await?;
    let identity = world.control().assign_system_identity();
    trusted_by_both(&world, &world.control().trust_in(&identity))?;
    let metadata = world.metadata().to_owned();
    let name = "AZURE_POD_IDENTITY_AUTHORITY_HOST".to_owned();
    world.environment.insert(name, metadata);
    world.start_host().await?;
    in_step_both_ways(&world).await?;
    let status = world.quiet().await?;
    // Of an identity there is nothing to count down to.
    let ends: Vec<&str> = status
        .credentials
        .iter()
        .map(|ending| ending.expiry.credential.as_str())
        .collect();
    ensure!(ends == ["refresh-token"], "{ends:?}");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_a_named_identity_and_a_token_of_a_cluster_open_a_side_each() -> Told {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("azure-identity-token");
    let mut world = without_secrets(["\"managed\"", "\"managed\""]).await?;
    // Two are assigned, so that one has to be named.
    let control = world.control();
    control.assign_identity();
    let identity = control.assign_identity();
    let [partner, crm] = clients(&world)?;
    control.trust(&partner, control.trust_in(&identity))?;
    control.trust(&crm, control.trust_in_account(ACCOUNT))?;
    renew(&path, &control.cluster_token(&json!({"sub": ACCOUNT}))?)?;
    let managed = "identity = \"managed\"";
    let named = format!("identity = {{ managed = \"{}\" }}", identity.client_id);
    let file = format!("identity = {{ token_file = \"{}\" }}", path.display());
    amend(&world.config, &[(managed, &named), (managed, &file)])?;
    let header = world.control().identity_header();
    let endpoint = format!("{}/msi/token", world.metadata());
    for (name, value) in [("IDENTITY_ENDPOINT", endpoint), ("IDENTITY_HEADER", header)] {
        world.environment.insert(name.to_owned(), value);
    }
    world.start_host().await?;
    in_step_both_ways(&world).await?;
    world.end().await
}

/// Both applications by the token of one account.
async fn of_a_cluster(path: &PathBuf) -> anyhow::Result<World> {
    let file = format!("{{ token_file = \"{}\" }}", path.display());
    // Something that has the form of a token: the configuration is looked at before the cluster is there.
    renew(path, "e30.e30.AAAA")?;
    let mut world = without_secrets([&file, &file]).await?;
    trusted_by_both(&world, &world.control().trust_in_account(ACCOUNT))?;
    renew(
        path,
        &world.control().cluster_token(&json!({"sub": ACCOUNT}))?,
    )?;
    world.start_host().await?;
    Ok(world)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ended_is_waited_for_and_the_renewed_one_is_used_without_a_restart() -> Told {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("azure-identity-token");
    let world = of_a_cluster(&path).await?;
    let (row, referral) = in_step_both_ways(&world).await?;
    // Whoever renews the file has stopped, an hour ago.
    let over = world.control().now().as_second() - 3_600;
    let token = json!({"sub": ACCOUNT, "exp": over, "nbf": over - 3_600});
    renew(&path, &world.control().cluster_token(&token)?)?;
    world.control().revoke_access_tokens();
    portal_edits(&world, &referral, 55_000)?;
    let why = waits_for(&world, "AADSTS700024").await?;
    ensure!(
        why.contains("the assertion has ended") && why.contains(ACCOUNT),
        "{why}"
    );
    renew(
        &path,
        &world.control().cluster_token(&json!({"sub": ACCOUNT}))?,
    )?;
    // The credential rests for a minute, as far as the host knows.
    goes_on_after(world, Duration::from_secs(61), &row, 55_000.0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federated_credential_for_somebody_else_names_what_to_mend() -> Told {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("azure-identity-token");
    let world = of_a_cluster(&path).await?;
    let (row, referral) = in_step_both_ways(&world).await?;
    let right = world.control().trust_in_account(ACCOUNT);
    let wrong = Trusted {
        subject: "system:serviceaccount:default:another".to_owned(),
        ..right.clone()
    };
    let [_, crm] = clients(&world)?;
    world.control().trust_nobody(&crm)?;
    world.control().trust(&crm, wrong)?;
    world.control().revoke_access_tokens();
    portal_edits(&world, &referral, 66_000)?;
    let why = waits_for(&world, "AADSTS700213").await?;
    for part in [
        format!("no federated credential of {crm} has this subject"),
        format!("issuer \"{}\", subject \"{ACCOUNT}\"", right.issuer),
        format!("App registrations > {crm} > Certificates & secrets > Federated credentials"),
    ] {
        ensure!(why.contains(&part), "{part} is not in: {why}");
    }
    world.control().trust(&crm, right)?;
    renew(
        &path,
        &world.control().cluster_token(&json!({"sub": ACCOUNT}))?,
    )?;
    world.later(Duration::from_secs(61));
    arrived(&world, &row, 66_000.0).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn deals_wait_while_the_metadata_service_is_away_and_go_on_by_themselves() -> Told {
    let mut world = without_secrets(["\"managed\"", "\"managed\""]).await?;
    let identity = world.control().assign_identity();
    trusted_by_both(&world, &world.control().trust_in(&identity))?;
    let metadata = world.metadata().to_owned();
    let name = "AZURE_POD_IDENTITY_AUTHORITY_HOST".to_owned();
    world.environment.insert(name, metadata);
    world.start_host().await?;
    let (row, referral) = in_step_both_ways(&world).await?;
    // A host that starts has no token in its memory.
    world.stop_host().await;
    world.control().fault(Fault {
        service: Service::Metadata,
        method: None,
        path_prefix: String::new(),
        skip: 0,
        count: None,
        kind: FaultKind::Answer {
            status: 410,
            code: None,
            retry_after_s: None,
        },
    });
    world.start_host().await?;
    portal_edits(&world, &referral, 77_000)?;
    let why = waits_for(&world, "managed identity endpoint").await?;
    ensure!(why.contains("is back within 70 s"), "{why}");
    let before = world.control().row("opportunity", &row).context("a row")?;
    ensure!(amount(&before["estimatedvalue"]) == Some(42_000.0));
    world.control().clear_faults();
    // As long as the host waits between two tries.
    goes_on_after(world, Duration::from_secs(900), &row, 77_000.0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_is_not_assigned_is_told_with_its_id() -> Told {
    let id = "33333333-3333-4333-8333-333333333333";
    let managed = format!("{{ managed = \"{id}\" }}");
    let mut world = without_secrets([&managed, &managed]).await?;
    let metadata = world.metadata().to_owned();
    let name = "AZURE_POD_IDENTITY_AUTHORITY_HOST".to_owned();
    world.environment.insert(name, metadata);
    world.start_host().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    world.opportunity(&account, &json!({}))?;
    let why = waits_for(&world, "Identity not found").await?;
    ensure!(
        why.contains(&format!("assign the user-assigned identity {id}")),
        "{why}"
    );
    Ok(())
}
