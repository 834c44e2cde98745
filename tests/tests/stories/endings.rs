//! Deals that close, disappear, or cannot go on.

use cosell_simulator::{Service, SimulatorConfig};
use cosell_tests::{World, text};
use serde_json::json;

use crate::{AUDIT, Told};

#[tokio::test(flavor = "multi_thread")]
async fn s16_a_deal_won_in_the_crm_closes_there_and_is_frozen_afterwards() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.control().seller_wins(&row, &json!({}))?;
    world
        .until("the win in Partner Center", |control| {
            (control.referral(&referral)?["substatus"] == "Won").then_some(())
        })
        .await?;
    world.quiet().await?;
    let before = world.control().ledger(0).len();
    // A late bell about a closed deal: looked at, and left alone.
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "statecode": 0, "statuscode": 1 }),
    )?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "too late" }))?;
    world.quiet().await?;
    let referral = world.control().referral(&referral).expect("it is there");
    assert_eq!(referral["details"]["notes"], "first notes");
    let writes: Vec<_> = world
        .control()
        .ledger(0)
        .split_off(before)
        .into_iter()
        .filter(|entry| entry.service == Service::Referrals)
        .collect();
    assert!(writes.is_empty(), "a frozen deal was written: {writes:?}");
    // S19: whether the reopened row goes on alone is a person's to decide.
    world.end_in(&["held", "retired"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_lost_in_partner_center_is_lost_in_the_crm_with_its_last_values() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let patch = json!([
        { "op": "replace", "path": "/details/notes", "value": "no budget this year" },
        { "op": "replace", "path": "/status", "value": "Closed" },
        { "op": "replace", "path": "/substatus", "value": "Lost" },
        { "op": "replace", "path": "/statusReason", "value": "No budget" },
    ]);
    world.control().partner_user_patches(&referral, &patch)?;
    let closed = world
        .until("the loss in the CRM", |control| {
            control
                .row("opportunity", &row)
                .filter(|row| row["statecode"] == 2)
        })
        .await?;
    assert_eq!(
        closed["description"], "no budget this year",
        "columns ride before the close"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s26_a_refusal_is_shown_once_where_the_seller_looks_and_goes_when_it_is_mended() -> Told {
    let world = World::with(SimulatorConfig::demo(), &[("incomplete_minutes", "0")]).await?;
    let account = world.account("Contoso Kft.", "Neverland")?;
    let row = world.opportunity(&account, &json!({}))?;
    let crossed = world
        .until("a cross and an audit line", |control| {
            let row = control.row("opportunity", &row)?;
            let told = text(&row, AUDIT).contains("country");
            (text(&row, "name").starts_with('✖') && told).then_some(row)
        })
        .await?;
    assert!(
        text(&crossed, AUDIT).contains("Neverland") || text(&crossed, AUDIT).contains("no country"),
        "{}",
        text(&crossed, AUDIT)
    );
    world.quiet().await?;
    let marks = world
        .control()
        .ledger(0)
        .into_iter()
        .filter(|entry| entry.record.contains(&row))
        .count();
    assert_eq!(
        marks, 1,
        "one failure, one mark: our own cross must not ring us awake for another"
    );

    world.control().seller_updates(
        "account",
        &account,
        &json!({ "address1_country": "Hungary" }),
    )?;
    // Nobody has to touch the deal: the account that it looks at rings for it (S31).
    let referral = text(&world.referral_of(&row).await?, "id");
    let healed = world.row_of(&referral).await?;
    assert!(text(&healed, "name").starts_with('✔'), "{}", healed["name"]);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_a_deleted_row_is_never_recreated_and_nothing_is_written_until_a_person_decides() -> Told
{
    let mut world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let before = world.control().ledger(0).len();
    world.control().seller_deletes("opportunity", &row)?;
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "still here" }]),
    )?;
    let orphan = loop {
        let status = world.quiet().await?;
        if let Some(deal) = status
            .deals
            .into_iter()
            .find(|deal| deal.state == "orphaned")
        {
            break deal;
        }
        tokio::task::yield_now().await;
    };
    assert!(
        orphan
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains(&row)),
        "{:?}",
        orphan.reason
    );
    assert_eq!(
        world.control().ledger(0).len(),
        before,
        "nothing was written"
    );
    world.stop_host().await;
    Ok(())
}
