//! The audit: what it calls a duplicate, a lost update, a blind write.

use cosell_simulator::{Audit, Control};
use serde_json::{Value, json};

use super::harness::{World, deal, patch};

const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";

fn lost(control: &Control) -> usize {
    control.audit().lost_updates.len()
}

async fn update(world: &World, path: &str, tag: Option<&str>, body: Value) {
    let headers: Vec<_> = tag.map(|tag| ("if-match", tag)).into_iter().collect();
    let written = world.crm("PATCH", path, &headers, Some(body)).await;
    assert_eq!(written.status, 204, "{}", written.text);
}

async fn etag(world: &World, path: &str) -> String {
    let read = world.crm("GET", path, &[], None).await;
    read.header("etag").to_owned()
}

#[tokio::test]
async fn a_blind_write_over_what_a_person_changed_unseen_is_a_lost_update() {
    let world = World::start().await;
    let control = world.control();
    let path = format!(
        "opportunities({})",
        world.create("opportunities", json!({"name": "O"})).await
    );
    let id = &path[14..path.len() - 1];
    etag(&world, &path).await;
    control
        .seller_updates("opportunity", id, &json!({"description": "a colleague's"}))
        .unwrap();
    update(&world, &path, None, json!({"name": "other column"})).await;
    assert_eq!(lost(control), 0, "another column is nobody's loss");
    let same = json!({"description": "a colleague's"});
    update(&world, &path, Some("*"), same).await;
    assert_eq!(lost(control), 0, "the same value is no loss");
    update(&world, &path, Some("*"), json!({"description": "ours"})).await;
    let audit = control.audit();
    assert_eq!(audit.lost_updates.len(), 1, "{audit:?}");
    assert!(audit.lost_updates[0].contains("description") && audit.lost_updates[0].contains(id));
    assert_eq!(audit.blind_writes.len(), 3);
    assert_eq!(control.ledger(0).last().unwrap().overwrote, ["description"]);
}

#[tokio::test]
async fn who_was_shown_the_change_may_overrule_it() {
    let world = World::start().await;
    let control = world.control();
    let id = world.create("opportunities", json!({"name": "O"})).await;
    let path = format!("opportunities({id})");
    control
        .seller_updates("opportunity", &id, &json!({"description": "theirs"}))
        .unwrap();
    let tag = etag(&world, &path).await;
    update(&world, &path, Some(&tag), json!({"description": "ours"})).await;
    assert!(control.audit().is_clean(), "{:?}", control.audit());
}

#[tokio::test]
async fn a_version_taken_from_a_feed_that_shows_no_columns_does_not_excuse() {
    let world = World::start().await;
    let control = world.control();
    let id = world.create("opportunities", json!({"name": "O"})).await;
    let path = format!("opportunities({id})");
    etag(&world, &path).await;
    control
        .seller_updates("opportunity", &id, &json!({"description": "theirs"}))
        .unwrap();
    let feed = world
        .crm("GET", &format!("{path}?$select=versionnumber"), &[], None)
        .await;
    let tag = feed.header("etag").to_owned();
    update(&world, &path, Some(&tag), json!({"description": "ours"})).await;
    let audit = control.audit();
    assert_eq!(
        (audit.lost_updates.len(), audit.blind_writes.len()),
        (1, 0),
        "{audit:?}"
    );
}

#[tokio::test]
async fn a_deletion_of_what_a_person_changed_unseen_is_a_lost_update() {
    let world = World::start().await;
    let control = world.control();
    for seen in [true, false] {
        let id = control
            .seller_creates("account", &json!({"name": "A"}))
            .unwrap()
            .record;
        let path = format!("accounts({id})");
        if seen {
            etag(&world, &path).await;
        }
        world.crm("DELETE", &path, &[], None).await;
    }
    assert_eq!(lost(control), 1);
}

#[tokio::test]
async fn referrals_are_judged_alike() {
    let world = World::start().await;
    let control = world.control();
    let own = world.deal().await;
    let id = own["id"].as_str().unwrap();
    let path = format!("/{id}");
    let write = async |tag: Option<&str>, pairs: &[(&str, Value)]| {
        let headers: Vec<_> = tag.map(|tag| ("if-match", tag)).into_iter().collect();
        world.pc("PATCH", &path, &headers, patch(pairs)).await
    };
    let by_hand = |path: &str, value: Value| {
        control
            .partner_user_patches(id, &patch(&[(path, value)]).unwrap())
            .unwrap()
    };
    by_hand("/details/notes", json!("theirs"));
    let stale = write(own["eTag"].as_str(), &[("/details/notes", json!("ours"))]).await;
    assert_eq!(stale.status, 412, "the precondition protects");
    write(None, &[("/salesStage", json!("Close"))]).await;
    assert_eq!(lost(control), 0);
    write(None, &[("/details/notes", json!("ours"))]).await;
    assert_eq!(lost(control), 1);
    let add = json!([{"op": "add", "path": "/team/-", "value": {"firstName": "New", "email": "n@us.example"}}]);
    control.partner_user_patches(id, &add).unwrap();
    write(None, &[("/team", json!([]))]).await;
    assert_eq!(
        lost(control),
        2,
        "a list replaced as a whole loses who was added"
    );
    by_hand("/details/notes", json!("theirs again"));
    let listed = world.pc("GET", "?$select=id,eTag", &[], None).await.body;
    let tag = listed["value"][0]["eTag"].as_str().unwrap().to_owned();
    write(Some(&tag), &[("/details/notes", json!("ours again"))]).await;
    assert_eq!(lost(control), 3, "no notes were shown");
    by_hand("/details/notes", json!("seen"));
    let seen = world
        .pc("GET", "?$select=eTag,details", &[], None)
        .await
        .body;
    let tag = seen["value"][0]["eTag"].as_str().unwrap().to_owned();
    write(Some(&tag), &[("/details/notes", json!("overruled"))]).await;
    let audit = control.audit();
    assert_eq!(
        (audit.lost_updates.len(), audit.blind_writes.len()),
        (3, 3),
        "{audit:?}"
    );
}

#[tokio::test]
async fn upserts_that_go_either_way_and_deletes_without_a_version_are_blind() {
    let world = World::start().await;
    let control = world.control();
    let id = "0a0a0a0a-0000-4000-8000-0000000000";
    let fresh = |number: u8| format!("accounts({id}{number:02})");
    let name = Some(json!({"name": "A"}));
    for (number, headers) in [(1, &[("if-none-match", "*")][..]), (2, &[])] {
        let made = world
            .crm("PATCH", &fresh(number), headers, name.clone())
            .await;
        assert_eq!(made.status, 204);
    }
    assert_eq!(control.audit().blind_writes.len(), 1);
    let tag = etag(&world, &fresh(1)).await;
    world
        .crm("DELETE", &fresh(1), &[("if-match", &tag)], None)
        .await;
    assert_eq!(control.audit().blind_writes.len(), 1);
    world.crm("DELETE", &fresh(2), &[], None).await;
    assert_eq!(control.audit().blind_writes.len(), 2);
    // Set-up is no synchronisation.
    let endpoint = json!({"name": "e", "url": "https://x.example", "contract": 8, "authtype": 4});
    let made = world.create("serviceendpoints", endpoint).await;
    update(
        &world,
        &format!("serviceendpoints({made})"),
        None,
        json!({"name": "f"}),
    )
    .await;
    assert_eq!(control.audit().blind_writes.len(), 2);
}

#[tokio::test]
async fn one_referral_for_a_row_and_one_for_an_organisation_in_an_engagement() {
    let world = World::start().await;
    let control = world.control();
    let duplicates = || control.audit().duplicates;
    let own = world.deal().await;
    assert!(duplicates().is_empty());
    let mut twin = deal();
    twin["externalReferenceId"] = json!("opp-2");
    twin["engagementId"] = own["engagementId"].clone();
    world.pc("POST", "", &[], Some(twin)).await;
    assert_eq!(duplicates().len(), 1, "{:?}", duplicates());
    world.deal().await;
    assert_eq!(duplicates().len(), 2, "{:?}", duplicates());
    for _ in 0..2 {
        world.invite(&own).await;
    }
    assert_eq!(
        duplicates().len(),
        3,
        "the engagement and the row of Microsoft's are its own: {:?}",
        duplicates()
    );
}

#[tokio::test]
async fn a_lead_and_an_opportunity_of_one_referral_must_be_one_deal() {
    let world = World::start().await;
    let control = world.control();
    let make = |table: &str, more: Value| {
        let mut body = json!({"lastname": "L", IDENTIFIER: "R-1"});
        if table == "opportunity" {
            body = json!({"name": "O", IDENTIFIER: "R-1"});
        }
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        control.seller_creates(table, &body).unwrap().record
    };
    let lead = make("lead", json!({}));
    let heir = json!({"originatingleadid@odata.bind": format!("/leads({lead})")});
    let deal = make("opportunity", heir);
    assert!(control.audit().duplicates.is_empty());
    control.seller_deletes("opportunity", &deal).unwrap();
    make("opportunity", json!({}));
    assert_eq!(control.audit().duplicates.len(), 1);
    assert_eq!(control.counts().leads, 1);
}

#[tokio::test]
async fn accounts_are_duplicates_when_the_host_made_one_that_was_there() {
    let world = World::start().await;
    let control = world.control();
    let account = |code: &str| json!({"name": "Same", "address1_postalcode": code});
    let duplicates = || control.audit().duplicates.len();
    control.seller_creates("account", &account("1")).unwrap();
    control.seller_creates("account", &account("1")).unwrap();
    assert_eq!(duplicates(), 0, "people may");
    world.create("accounts", account("2")).await;
    control.seller_creates("account", &account("3")).unwrap();
    assert_eq!(duplicates(), 0);
    let again = world.create("accounts", account("3")).await;
    world.create("accounts", account("2")).await;
    assert_eq!(duplicates(), 2);
    let rows = control.rows("account");
    let other = rows
        .iter()
        .find(|row| row["address1_postalcode"] == "3" && row["accountid"] != again.as_str())
        .unwrap();
    let winner = other["accountid"].as_str().unwrap();
    control.seller_merges("account", winner, &again).unwrap();
    assert_eq!(duplicates(), 1, "a merged one is no more");
    let contact = json!({"lastname": "B", "emailaddress1": "b@x.example"});
    for _ in 0..2 {
        world.create("contacts", contact.clone()).await;
    }
    assert_eq!(duplicates(), 2);
}

#[tokio::test]
async fn a_clean_audit_says_so() {
    let world = World::start().await;
    assert!(world.control().audit().is_clean());
    let audit = Audit {
        lost_updates: vec!["one".to_owned()],
        ..Audit::default()
    };
    assert!(!audit.is_clean());
}

#[tokio::test]
async fn the_audit_reports_writes_to_closed_deals() {
    let world = World::start().await;
    let control = world.control();
    let own = world.deal().await;
    let path = format!("/{}", own["id"].as_str().unwrap());
    let won = patch(&[("/status", json!("Closed")), ("/substatus", json!("Won"))]);
    assert_eq!(world.pc("PATCH", &path, &[], won).await.status, 204);
    let row = world.create("opportunities", json!({"name": "O"})).await;
    control.seller_wins(&row, &json!({})).unwrap();
    assert!(
        control.audit().closed_deal_writes.is_empty(),
        "closing is no write to a closed deal"
    );
    let late = patch(&[("/details/notes", json!("late"))]);
    assert_eq!(world.pc("PATCH", &path, &[], late).await.status, 400);
    let row_path = format!("opportunities({row})");
    let headers = [("if-match", "*")];
    let refused = world
        .crm("PATCH", &row_path, &headers, Some(json!({"name": "late"})))
        .await;
    assert!(refused.status >= 400, "{}", refused.text);
    let audit = control.audit();
    assert_eq!(audit.closed_deal_writes.len(), 2, "{audit:?}");
    assert!(audit.closed_deal_writes[0].contains(&path));
    assert!(audit.closed_deal_writes[1].contains(&row));
    assert!(!audit.is_clean());
}
