//! Limits of a plugin are no part of what it reads, and yet part of what a deal may be parked for (S26).

use cosell_simulator::{Fault, FaultKind, Service};
use cosell_tests::{World, text};
use serde_json::json;

use crate::{OPPORTUNITY, Told, operator};

const AUDIT: &str = "msft_microsoftpartnercenterreferralsyncaudit";

#[tokio::test(flavor = "multi_thread")]
async fn s26_raised_limits_let_a_parked_deal_go_on() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    world.control().fault(Fault {
        service: Service::Referrals,
        method: Some("PATCH".into()),
        path_prefix: String::new(),
        skip: 0,
        count: None,
        kind: FaultKind::Answer {
            status: 400,
            code: None,
            retry_after_s: None,
        },
    });
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "refused" }))?;
    world
        .until("the cross", |control| {
            let row = control.row("opportunity", &row)?;
            text(&row, AUDIT).contains("not in step").then_some(())
        })
        .await?;
    world.quiet().await?;
    world.control().clear_faults();
    // Nothing else changes, neither record nor mapping.
    let mapping = world.desk()?.plugins.current().hash().to_owned();
    operator(&world, OPPORTUNITY, "[limits]\ncall_ms = 90\n")?;
    world
        .until("the notes", |control| {
            (control.referral(&referral)?["details"]["notes"] == "refused").then_some(())
        })
        .await?;
    assert_eq!(world.desk()?.plugins.current().hash(), mapping);
    world.end().await
}
