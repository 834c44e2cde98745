//! One world in one file, and the same run twice.

use cosell_simulator::{Simulator, SimulatorConfig};
use serde_json::{Value, json};

use super::harness::{Receiver, World, client, deal, patch, read};

/// A world where a good deal has happened on both sides.
async fn lived_in() -> (World, Value, String) {
    let world = World::start().await;
    let referral = world.deal().await;
    world.invite(&referral).await;
    let account = world.create("accounts", json!({"name": "Northwind"})).await;
    let table = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.EntityMetadata", "SchemaName": "new_Crate", "OwnershipType": "UserOwned",
        "DisplayName": {"LocalizedLabels": [{"Label": "Crate", "LanguageCode": 1033}]},
        "DisplayCollectionName": {"LocalizedLabels": [{"Label": "Crates", "LanguageCode": 1033}]},
        "Attributes": [{"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_Name",
            "IsPrimaryName": true, "MaxLength": 100, "FormatName": {"Value": "Text"}}],
    });
    world
        .crm("POST", "EntityDefinitions", &[], Some(table))
        .await;
    world.create("opportunities", json!({"name": "Pilot", "customerid_account@odata.bind": format!("/accounts({account})")})).await;
    (world, referral, account)
}

#[tokio::test]
async fn a_saved_world_goes_on_in_another_process_for_the_same_client() {
    let (world, referral, account) = lived_in().await;
    let receiver = Receiver::start().await;
    let events = json!(["referral-updated"]);
    world
        .hooks(
            "POST",
            "",
            Some(json!({"WebhookUrl": receiver.url, "WebhookEvents": events})),
        )
        .await;
    let row = world.row("account", &account);
    let file = world.control().save().unwrap();
    let running = Simulator::resume(&file, |_| {}).await.unwrap();
    let control = running.control();
    assert_eq!(control.row("account", &account), Some(row.clone()));
    assert_eq!(control.referrals(), world.control().referrals());
    assert_eq!(
        control.rows("opportunity"),
        world.control().rows("opportunity")
    );
    assert_eq!(control.ledger(0), world.control().ledger(0));
    assert_eq!(control.audit(), world.control().audit());
    assert_eq!(running.webhook_root_pem, world.running.webhook_root_pem);
    // The old refresh token, the old etags and the old registration are good there.
    let partner = &world.running.organizations[0];
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", partner.client_id.as_str()),
        ("client_secret", &partner.client_secret),
        ("refresh_token", &partner.refresh_token),
        ("resource", "https://api.partner.microsoft.com"),
    ];
    let http = client(None);
    let url = format!("{}/{}/oauth2/token", running.urls.entra, partner.tenant_id);
    let token = read(http.post(url).form(&form).send().await.unwrap())
        .await
        .body;
    let id = referral["id"].as_str().unwrap();
    let url = format!("{}/v1.0/engagements/referrals/{id}", running.urls.referrals);
    let etag = referral["eTag"].as_str().unwrap();
    let body = patch(&[("/details/notes", json!("after the move"))]).unwrap();
    let request = http
        .patch(url)
        .bearer_auth(token["access_token"].as_str().unwrap());
    let request = request
        .header("if-match", etag)
        .header("content-type", "application/json");
    assert_eq!(
        request
            .body(body.to_string())
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    let mut receiver = receiver;
    assert_eq!(receiver.next().await.body["EventName"], "referral-updated");
    // What is made there gets other ids than what was there.
    let made = control
        .seller_creates("account", &json!({"name": "New"}))
        .unwrap();
    assert!(world.control().row("account", &made.record).is_none());
    let version = |row: &Value| row["versionnumber"].as_i64().unwrap();
    assert!(version(&control.row("account", &made.record).unwrap()) > version(&row));
}

#[tokio::test]
async fn a_world_with_tls_keeps_its_authority_in_the_file() {
    let world = World::with(SimulatorConfig::default()).await;
    let file = world.control().save().unwrap();
    let running = Simulator::resume(&file, |config| config.latency_ms = 1)
        .await
        .unwrap();
    assert_eq!(running.ca_pem, world.running.ca_pem);
    let url = format!("{}/", running.urls.control);
    assert_eq!(world.client.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_running_world_becomes_what_it_was_over_http_too() {
    let (world, referral, _) = lived_in().await;
    let url = format!("{}/world", world.running.urls.control);
    let file = read(world.client.get(&url).send().await.unwrap()).await;
    let id = referral["id"].as_str().unwrap().to_owned();
    world
        .control()
        .partner_user_closes(&id, "Lost", Some("no budget"))
        .unwrap();
    assert_eq!(world.referral(&id)["status"], "Closed");
    let loaded = read(
        world
            .client
            .put(&url)
            .body(file.text.clone())
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(loaded.status, 200, "{}", loaded.text);
    assert_eq!(world.referral(&id)["status"], "Active");
    assert_eq!(world.pc("GET", "", &[], None).await.status, 200);
}

#[tokio::test]
async fn a_file_that_is_no_world_of_this_one_changes_nothing() {
    let world = World::start().await;
    let referral = world.deal().await;
    let url = format!("{}/world", world.running.urls.control);
    let stranger = World::with(SimulatorConfig {
        tls: false,
        seed: 99,
        ..SimulatorConfig::demo()
    })
    .await;
    let stranger = String::from_utf8(stranger.control().save().unwrap()).unwrap();
    let other = stranger.replacen("world 2", "world 9", 1);
    let half = &stranger[..stranger.len() / 2];
    for (file, says) in [
        (stranger.as_str(), "seed 99"),
        (&other, "world 9"),
        (half, "no saved world"),
        ("", "no saved world"),
        ("[]", "no saved world"),
    ] {
        let refused = read(
            world
                .client
                .put(&url)
                .body(file.to_owned())
                .send()
                .await
                .unwrap(),
        )
        .await;
        assert!(
            refused.status == 400 && refused.text.contains(says),
            "{says}: {}",
            refused.text
        );
    }
    assert!(Simulator::resume(half.as_bytes(), |_| {}).await.is_err());
    assert_eq!(
        world.referral(referral["id"].as_str().unwrap())["status"],
        "Active"
    );
}

/// A script of both sides, with writes that are refused and a fault by chance.
async fn script(seed: u64) -> (String, String) {
    let world = World::with(SimulatorConfig {
        tls: false,
        seed,
        clock_stands_at: Some("2026-01-31T10:20:30Z".parse().unwrap()),
        ..SimulatorConfig::demo()
    })
    .await;
    let control = world.control();
    let fault = json!({"service": "referrals", "kind": {"do": "drop-after"}, "method": "PATCH"});
    control.fault_by_chance(serde_json::from_value(fault).unwrap(), 0.3);
    let mine = world.deal().await;
    world.invite(&mine).await;
    let id = mine["id"].as_str().unwrap();
    let url = format!(
        "{}/v1.0/engagements/referrals/{id}",
        world.running.urls.referrals
    );
    let token = world.user_token("https://api.partner.microsoft.com").await;
    for round in 0..12 {
        let body = patch(&[("/details/dealValue", json!(round * 100))]).unwrap();
        let request = world.client.patch(&url).bearer_auth(&token);
        let _may_be_lost = request
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await;
        control.advance_ms(60_000);
    }
    control.microsoft_accepts(id, "7-1").unwrap();
    let arrived = control.referral_arrives(&deal()).unwrap();
    control.partner_user_accepts(&arrived.record).unwrap();
    let account = world.create("accounts", json!({"name": "A"})).await;
    for name in ["one", "two"] {
        let body =
            json!({"name": name, "customerid_account@odata.bind": format!("/accounts({account})")});
        world.create("opportunities", body).await;
    }
    let entries = serde_json::to_string(&control.ledger(0)).unwrap();
    let rest = json!({"acts": control.acts(), "refused": control.refused(), "referrals": control.referrals(),
        "rows": control.rows("opportunity"), "audit": control.audit()});
    (entries, rest.to_string())
}

#[tokio::test]
async fn the_same_seed_and_the_same_script_give_the_same_ledger_byte_by_byte() {
    let (entries, rest) = script(5).await;
    assert!(entries.len() > 2_000, "{entries}");
    assert_eq!((entries, rest), script(5).await);
    assert_ne!(script(5).await.0, script(6).await.0);
}
