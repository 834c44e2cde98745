//! One partner tenant with two CRM environments: both see every referral, and each deal is in the CRM of one of them.

use std::time::Instant;

use anyhow::ensure;
use cosell_simulator::{Control, FaultKind, Requested, Running, Service};
use cosell_tests::fleet::patiently;
use cosell_tests::{World, account_in, opportunity_in};
use serde_json::{Value, json};

use crate::{Told, once};

const OTHER: &str = "germany";
/// What the other connection is to have; the first one of the file has the rest.
const GERMAN: &str = "country = [\"DE\"]";
/// A rest that lasts longer than it takes to look.
const REST_S: u64 = 12;

/// Every country is the first connection's where the second one's is not.
async fn two() -> anyhow::Result<(World, Running)> {
    let mut world = World::start().await?;
    let second = world
        .add_environment(OTHER, ["country = [\"HU\", \"AT\"]", GERMAN])
        .await?;
    Ok((world, second))
}

/// Each CRM has half of the referrals, and knows of no other.
async fn end(world: World, second: &Running) -> Told {
    at_rest(&world, second).await?;
    let here = world.control();
    let mut audits = vec![here.audit(), second.control().audit()];
    for audit in &mut audits {
        audit.one_sided_links.clear();
        ensure!(audit.is_clean(), "{audit:?}");
    }
    world
        .end_with(&["settled", "paused", "retired"], &["one_sided_links"])
        .await
}

/// No host is at work, and neither CRM has anything left to tell.
async fn at_rest(world: &World, second: &Running) -> Told {
    patiently("the second CRM to have told everything", async || {
        Ok(second.control().deliveries_waiting() == 0)
    })
    .await?;
    world.quiet().await?;
    Ok(())
}

fn opportunities(control: &Control) -> Vec<Value> {
    control.rows("opportunity")
}

#[tokio::test(flavor = "multi_thread")]
async fn s23_a_deal_that_one_crm_has_made_is_not_made_in_the_other() -> Told {
    let (world, second) = two().await?;
    let there = second.control();
    // Hungary is the first connection's, and the deal is the second one's seller's.
    let account = account_in(there, "Contoso Kft.", "HU")?;
    let row = opportunity_in(there, &account, &json!({}))?;
    let referral = world.referral_of(&row).await?;
    world.quiet().await?;
    ensure!(opportunities(world.control()).is_empty(), "made once more");
    ensure!(world.control().counts().referrals == 1, "one deal");
    // It is kept in step, from where it is at home.
    there.seller_updates("opportunity", &row, &json!({ "description": "an edit" }))?;
    let id = referral["id"].as_str().unwrap_or_default();
    world
        .until("the edit of the other CRM", |control| {
            (control.referral(id)?["details"]["notes"] == "an edit").then_some(())
        })
        .await?;
    // Nobody is at it any more: what Partner Center tells is all that leads there.
    at_rest(&world, &second).await?;
    world.control().partner_user_patches(
        id,
        &json!([{ "op": "replace", "path": "/name", "value": "Renamed" }]),
    )?;
    patiently("the name that Partner Center gave it", async || {
        let name = there
            .row("opportunity", &row)
            .map(|row| row["name"].clone());
        let name = name.as_ref().and_then(Value::as_str).unwrap_or_default();
        Ok(name.ends_with("Renamed"))
    })
    .await?;
    // Of no interest to a CRM that does not know the deal: it would not make one that is over.
    at_rest(&world, &second).await?;
    world.control().partner_user_patches(
        id,
        &json!([
            { "op": "replace", "path": "/status", "value": "Closed" },
            { "op": "replace", "path": "/substatus", "value": "Won" },
        ]),
    )?;
    patiently("the end that Partner Center gave it", async || {
        Ok(there
            .row("opportunity", &row)
            .is_some_and(|row| row["statecode"] == 1))
    })
    .await?;
    world.quiet().await?;
    ensure!(opportunities(world.control()).is_empty(), "made once more");
    end(world, &second).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s23_an_inbound_deal_goes_where_its_route_leads_and_nowhere_else() -> Told {
    let (world, second) = two().await?;
    let german = world.referral("Rollout", "Berger GmbH", "DE")?;
    let hungarian = world.referral("Upgrade", "Dunav Kft.", "HU")?;
    world.row_of(&hungarian).await?;
    patiently("the German deal in the German CRM", async || {
        Ok(!opportunities(second.control()).is_empty())
    })
    .await?;
    world.quiet().await?;
    for (control, own) in [(world.control(), &hungarian), (second.control(), &german)] {
        let rows = opportunities(control);
        let ids: Vec<_> = rows.iter().map(|row| &row[crate::IDENTIFIER]).collect();
        ensure!(ids == [own.as_str()], "{ids:?}");
    }
    end(world, &second).await
}

/// Both use one application at Partner Center: what it has had enough of, it has had enough of for both.
#[tokio::test(flavor = "multi_thread")]
async fn a_rest_that_partner_center_asks_for_is_kept_by_both() -> Told {
    let (world, second) = two().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let there = second.control();
    let account = account_in(there, "Berger GmbH", "DE")?;
    let german = opportunity_in(there, &account, &json!({}))?;
    world.referral_of(&german).await?;
    world.quiet().await?;
    let slow = FaultKind::Answer {
        status: 429,
        code: None,
        retry_after_s: Some(REST_S),
    };
    world.control().fault(once(Service::Referrals, None, slow));
    let edit = json!({ "description": "an edit" });
    world.control().seller_updates("opportunity", &row, &edit)?;
    world
        .status_where(|status| {
            let resting = status
                .resting
                .iter()
                .filter(|rest| rest.credential == "partner-center");
            resting.count() == 2
        })
        .await?;
    let since = Instant::now();
    there.seller_updates("opportunity", &german, &edit)?;
    world
        .status_where(|status| {
            let mut deals = status.deals.iter().filter(|deal| deal.connection == OTHER);
            deals.any(|deal| deal.state == "waiting" && deal.unanswered > 0)
        })
        .await?;
    let asked: Vec<Requested> = world
        .control()
        .requests(since)
        .into_iter()
        .filter(|request| request.service == Service::Referrals)
        .collect();
    ensure!(asked.is_empty(), "asked although it rests: {asked:?}");
    world
        .until("both edits", |control| {
            let mut referrals = control.referrals().into_iter();
            referrals
                .all(|referral| referral["details"]["notes"] == "an edit")
                .then_some(())
        })
        .await?;
    ensure!(world.control().referral(&referral).is_some(), "it is there");
    end(world, &second).await
}
