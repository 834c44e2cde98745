//! Limits of a plugin are no part of what it reads, and yet part of what a deal may be parked for (S26).

use cosell_tests::World;
use serde_json::json;

use crate::{OPPORTUNITY, Told, operator};

#[tokio::test(flavor = "multi_thread")]
async fn s26_raised_limits_let_a_parked_deal_go_on() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.refused(&row).await?;
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
