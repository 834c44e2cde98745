//! What only a person can decide: conflicts, records that are gone, rows that were reopened, customers too close to call.

use cosell_simulator::{Hidden, SimulatorConfig};
use cosell_tests::{World, amount};
use serde_json::json;

use crate::{IDENTIFIER, Told};

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_conflict_is_a_card_and_its_answer_is_carried_out() -> Told {
    let mut world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    // Nobody looks while both edit, so one look sees both edits.
    world.stop_host().await;
    let patch = json!([{ "op": "replace", "path": "/details/notes", "value": "portal" }]);
    world.control().partner_user_patches(&referral, &patch)?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "crm" }))?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "estimatedvalue": 7_000 }))?;
    world.start_host().await?;
    let card = world.card("conflict").await?;
    assert_eq!(card.subject, "notes");
    for word in ["portal", "crm", "last_saved", "keep"] {
        assert!(card.body.contains(word), "{word}: {}", card.body);
    }
    world
        .until("the unit that is not in conflict", |control| {
            (amount(&control.referral(&referral)?["details"]["dealValue"]) == Some(7_000.0))
                .then_some(())
        })
        .await?;
    world.answer("conflict", "partner-center").await?;
    world
        .until("the answer in the CRM", |control| {
            (control.row("opportunity", &row)?["description"] == "portal").then_some(())
        })
        .await?;
    world.quiet().await?;
    let told = world.history(&row).await?;
    assert!(
        told.iter()
            .any(|line| line.contains("\"crm\" → \"portal\" (a person has answered the card)")),
        "{told:?}"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_a_deleted_row_is_a_question_and_is_made_anew_when_a_person_says_so() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.control().seller_deletes("opportunity", &row)?;
    let card = world.answer("gone", "recreate").await?;
    assert!(card.body.contains("unlink"), "{}", card.body);
    let anew = world
        .until("the new row", |control| {
            control.rows("opportunity").into_iter().find(|new| {
                new[IDENTIFIER] == json!(referral) && new["opportunityid"] != json!(row)
            })
        })
        .await?;
    assert_eq!(anew["description"], "first notes");
    world.quiet().await?;
    assert_eq!(world.control().rows("opportunity").len(), 1);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_lost_visibility_deletes_nothing_and_unlinking_is_for_good() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let before = world.control().ledger(0).len();
    world
        .control()
        .hide_record("referral", &referral, Hidden::NotFound)?;
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "description": "nobody sees" }),
    )?;
    world.card("gone").await?;
    world.quiet().await?;
    assert_eq!(
        world.control().ledger(0).len(),
        before,
        "no write either way"
    );
    world.answer("gone", "unlink").await?;
    world.quiet().await?;
    world.control().show_record("referral", &referral)?;
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "description": "still alone" }),
    )?;
    world.quiet().await?;
    assert_eq!(world.control().ledger(0).len(), before, "apart for good");
    world.end_in(&["paused", "retired"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_a_record_that_is_seen_again_goes_on_as_if_nothing_had_been() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world
        .control()
        .hide_record("referral", &referral, Hidden::Forbidden)?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "meanwhile" }))?;
    world.card("gone").await?;
    world.control().show_record("referral", &referral)?;
    world.retry_all().await?;
    world
        .until("the edit that waited", |control| {
            (control.referral(&referral)?["details"]["notes"] == "meanwhile").then_some(())
        })
        .await?;
    world.quiet().await?;
    let open = world.desk()?.store.cards(None, true, 10).await?;
    assert!(open.is_empty(), "the question is gone: {open:?}");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s19_a_reopened_row_starts_a_new_referral_when_a_person_says_so() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.control().seller_loses(&row, &json!({}))?;
    world
        .until("the loss in Partner Center", |control| {
            (control.referral(&referral)?["substatus"] == "Lost").then_some(())
        })
        .await?;
    world.quiet().await?;
    world.control().seller_reopens(&row)?;
    world.answer("reopened", "start-anew").await?;
    let second = world
        .until("a new referral", |control| {
            control.referrals().into_iter().find(|new| {
                new["externalReferenceId"] == json!(row) && new["id"] != json!(referral)
            })
        })
        .await?;
    world
        .until("its id in the row", |control| {
            (control.row("opportunity", &row)?[IDENTIFIER] == second["id"]).then_some(())
        })
        .await?;
    assert_eq!(
        world.control().referral(&referral).expect("it is there")["substatus"],
        "Lost"
    );
    world.quiet().await?;
    // The one that ended and the new one both carry our id: that is what "anew" means.
    world
        .end_with(&["settled", "retired"], &["duplicates", "one_sided_links"])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_too_close_to_call_is_a_card_and_no_account_is_made() -> Told {
    let world = World::start().await?;
    let first = world.account("Contoso Kft.", "HU")?;
    world.account("Contoso Kft.", "HU")?;
    let referral = world.referral("Data platform", "Contoso Kft.", "HU")?;
    let card = world.answer("account", &first).await?;
    assert!(card.body.contains("create a new account"), "{}", card.body);
    let row = world.row_of(&referral).await?;
    assert_eq!(row["_parentaccountid_value"], json!(first));
    assert_eq!(world.control().rows("account").len(), 2);
    world.quiet().await?;
    // The two accounts were there before; that they are alike is not the host's doing.
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deals_of_one_new_customer_make_one_account() -> Told {
    let world = World::with(SimulatorConfig::demo(), &[]).await?;
    let mut referrals = Vec::new();
    for number in 0..4 {
        referrals.push(world.referral(&format!("Deal {number}"), "Fabrikam Zrt.", "HU")?);
    }
    for referral in &referrals {
        world.row_of(referral).await?;
    }
    world.quiet().await?;
    let accounts = world.control().rows("account");
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    world.end().await
}
