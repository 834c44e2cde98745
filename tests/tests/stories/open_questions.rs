//! Where the vendors' documents leave something open: deals that come near it. `cargo xtask assumptions` tells these, as all stories, in the other
//! reading too.

use cosell_simulator::{Hidden, Role, SimulatorConfig};
use cosell_tests::{Setup, World, text};
use serde_json::json;

use crate::{HELP, Told};

const STAGES: &str = r#"
[settings]
sales-stage-column = "salesstage"
sales-stage-choices = { "0" = "Qualify|20", "1" = "Develop|40", "2" = "Propose|60", "3" = "Close|80" }
"#;

/// Microsoft's own connector sends words; the site shows percentages, and maps one to the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_sales_stage_crosses_both_ways_and_is_never_turned_back() -> Told {
    let world = World::set_up(Setup {
        simulator: SimulatorConfig::demo(),
        settings: &[("10-opportunity.toml", STAGES)],
        ..Setup::default()
    })
    .await?;
    let (row, referral) = world.linked(&json!({ "salesstage": 1 })).await?;
    let control = world.control();
    let stage = || {
        control
            .referral(&referral)
            .map(|own| text(&own, "salesStage"))
    };
    assert_eq!(stage().as_deref(), Some("Develop"));
    control.seller_updates("opportunity", &row, &json!({ "salesstage": 2 }))?;
    world
        .until("the next stage in Partner Center", |control| {
            (control.referral(&referral)?["salesStage"] == "Propose").then_some(())
        })
        .await?;
    world.quiet().await?;
    let patch = json!([{ "op": "replace", "path": "/salesStage", "value": "Close" }]);
    control.partner_user_patches(&referral, &patch)?;
    world
        .until("the last stage in the CRM", |control| {
            (control.row("opportunity", &row)?["salesstage"] == 3).then_some(())
        })
        .await?;
    world.quiet().await?;
    assert_eq!(stage().as_deref(), Some("Close"));
    world.end().await
}

/// Live data shows the state of some American addresses in `region`.
#[tokio::test(flavor = "multi_thread")]
async fn an_american_address_is_the_same_on_both_sides_wherever_its_state_stands() -> Told {
    let world = World::start().await?;
    let account = world.account("Northwind", "US")?;
    let state = json!({ "address1_stateorprovince": "WA" });
    world
        .control()
        .seller_updates("account", &account, &state)?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    let patch = json!([{ "op": "replace", "path": "/details/notes", "value": "by hand" }]);
    world.control().partner_user_patches(&referral, &patch)?;
    world
        .until("the note in the CRM", |control| {
            (control.row("opportunity", &row)?["description"] == "by hand").then_some(())
        })
        .await?;
    world.quiet().await?;
    let kept = world.control().row("account", &account);
    assert_eq!(
        kept.map(|kept| text(&kept, "address1_stateorprovince")),
        Some("WA".to_owned())
    );
    world.end().await
}

/// `type` cannot be patched, so whether an independent deal becomes a shared one is Partner Center's to say.
#[tokio::test(flavor = "multi_thread")]
async fn a_private_deal_that_asks_for_help_later_invites_microsoft_once() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let own = world.referral_of(&row).await?;
    let referral = text(&own, "id");
    assert_eq!(own["type"], "Independent");
    world.row_of(&referral).await?;
    world.quiet().await?;
    let help = json!({ HELP: 299_600_005 });
    world.control().seller_updates("opportunity", &row, &help)?;
    world
        .until("Microsoft's referral", |control| {
            control.microsoft_referral(&referral)
        })
        .await?;
    world.quiet().await?;
    let microsofts = world.control().referrals().into_iter();
    let invited = microsofts.filter(|one| one["organizationId"] == "msft");
    assert_eq!(invited.count(), 1);
    // Shared or not, the deal goes on.
    let notes = json!({ "description": "after the invitation" });
    world
        .control()
        .seller_updates("opportunity", &row, &notes)?;
    world
        .until("the note in Partner Center", |control| {
            let own = control.referral(&referral)?;
            (own["details"]["notes"] == "after the invitation").then_some(())
        })
        .await?;
    world.end().await
}

/// Whether a lost deal can become a won one is written nowhere. Where it can, the CRM's row is closed: the difference is said, and nothing reopened.
#[tokio::test(flavor = "multi_thread")]
async fn s19_a_deal_whose_end_is_changed_afterwards_is_reopened_nowhere() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let ends = |how: &str| {
        json!([
            { "op": "replace", "path": "/status", "value": "Closed" },
            { "op": "replace", "path": "/substatus", "value": how },
            { "op": "replace", "path": "/statusReason", "value": "as it is" },
        ])
    };
    let control = world.control();
    control.partner_user_patches(&referral, &ends("Lost"))?;
    world
        .until("the loss in the CRM", |control| {
            (control.row("opportunity", &row)?["statecode"] == 2).then_some(())
        })
        .await?;
    world.quiet().await?;
    let _refused_or_changed = control.partner_user_patches(&referral, &ends("Won"));
    world.quiet().await?;
    let seen = control.row("opportunity", &row).unwrap_or_default();
    assert_eq!(seen["statecode"], 2, "a closed row stays as it was closed");
    world.end().await
}

/// Of what one may not see, one deal is one deal's trouble: the host asks for any other before it blames its role.
#[tokio::test(flavor = "multi_thread")]
async fn a_deal_that_is_forbidden_stops_no_other() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let mut deals = Vec::new();
    for name in ["Data platform", "Analytics"] {
        let row = world.opportunity(&account, &json!({ "name": name }))?;
        let referral = text(&world.referral_of(&row).await?, "id");
        world.row_of(&referral).await?;
        deals.push((row, referral));
    }
    world.quiet().await?;
    let control = world.control();
    control.hide_record("referral", &deals[0].1, Hidden::Forbidden)?;
    for (row, _) in &deals {
        control.seller_updates("opportunity", row, &json!({ "description": "go on" }))?;
    }
    world
        .until("the note of the other deal", |control| {
            let other = control.referral(&deals[1].1)?;
            (other["details"]["notes"] == "go on").then_some(())
        })
        .await?;
    world
        .status_where(|now| now.deals.iter().any(|deal| deal.state == "orphaned"))
        .await?;
    assert!(
        world.desk()?.store.throttles("simulated").await?.is_empty(),
        "the credential is good"
    );
    control.show_record("referral", &deals[0].1)?;
    world.retry_all().await?;
    world
        .until("the note of the deal that is seen again", |control| {
            let own = control.referral(&deals[0].1)?;
            (own["details"]["notes"] == "go on").then_some(())
        })
        .await?;
    world.end().await
}

/// The documents of 2020 knew no reader's role. Where it may not write, the deal waits with the advice which role is needed, and goes on with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_user_only_reads_goes_on_when_it_may_write() -> Told {
    let world = World::start().await?;
    let control = world.control();
    let mail = text(&control.about()["organizations"][0], "user_mail");
    let (row, referral) = world.linked(&json!({})).await?;
    // A reader sees the deals whose team names him.
    let seller = json!({ "firstName": "Cora", "lastName": "Sell", "email": mail });
    let joins = json!([{ "op": "add", "path": "/team/-", "value": seller }]);
    control.partner_user_patches(&referral, &joins)?;
    world.quiet().await?;
    control.set_role(&mail, Role::ReferralsUser);
    control.seller_updates("opportunity", &row, &json!({ "description": "read only" }))?;
    // Told, run and over: written where a reader may, and parked with the advice where not.
    let told = world.quiet().await?;
    let parked = told.deals.iter().filter(|deal| deal.state == "parked");
    let reasons: Vec<&str> = parked.filter_map(|deal| deal.reason.as_deref()).collect();
    let own = control.referral(&referral).unwrap_or_default();
    if own["details"]["notes"] == "read only" {
        assert_eq!(reasons, [""; 0]);
    } else {
        assert!(
            reasons.len() == 1 && reasons[0].contains("Referrals admin"),
            "{reasons:?}"
        );
    }
    control.set_role(&mail, Role::ReferralsAdmin);
    world.retry_all().await?;
    world
        .until("the note in Partner Center", |control| {
            let own = control.referral(&referral)?;
            (own["details"]["notes"] == "read only").then_some(())
        })
        .await?;
    world.end().await
}

/// How often an event is sent again was said in 2021, and not since. What came while nobody listened is found in either case.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_took_is_made_up_for_by_the_sweep() -> Told {
    let mut world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.stop_host().await;
    let patch = json!([{ "op": "replace", "path": "/details/notes", "value": "unheard" }]);
    world.control().partner_user_patches(&referral, &patch)?;
    world
        .until("the event to find nobody", |control| {
            (control.assumptions()["events_are_sent_once"].decided > 0).then_some(())
        })
        .await?;
    world.start_host().await?;
    world
        .until("the note in the CRM", |control| {
            (control.row("opportunity", &row)?["description"] == "unheard").then_some(())
        })
        .await?;
    world.end().await
}
