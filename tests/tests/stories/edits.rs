//! What people change, and what crosses.

use cosell_simulator::{FaultKind, Service, SimulatorConfig, WebhookFault, WebhookFaultKind};
use cosell_tests::{World, amount, text};
use serde_json::json;

use crate::{AUDIT, HELP, IDENTIFIER, Told, once};

#[tokio::test(flavor = "multi_thread")]
async fn edits_on_both_sides_survive_each_other_and_nothing_echoes() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let before = world.control().ledger(0).len();

    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "estimatedvalue": 150_000, "estimatedclosedate": "2027-01-31" }),
    )?;
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "from the portal" }]),
    )?;
    world
        .until("both edits on both sides", |control| {
            let (there, here) = (
                control.referral(&referral)?,
                control.row("opportunity", &row)?,
            );
            let crossed = amount(&there["details"]["dealValue"]) == Some(150_000.0)
                && text(&there["details"], "closingDateTime").starts_with("2027-01-31")
                && here["description"] == "from the portal";
            crossed.then_some(())
        })
        .await?;
    world.quiet().await?;
    let writes = world.control().ledger(0).len() - before;
    assert_eq!(
        writes,
        2,
        "one patch and one update: {:?}",
        world.control().ledger(0).split_off(before)
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s10_a_conflict_follows_the_policy_and_the_loser_is_written_down() -> Told {
    let world = World::with(SimulatorConfig::demo(), &[("on_conflict", "\"crm\"")]).await?;
    let (row, referral) = world.linked(&json!({})).await?;

    // No webhook tells of the first edit, so that one look sees both.
    world.control().webhook_fault(WebhookFault {
        service: Service::PartnerCenter,
        kind: WebhookFaultKind::Drop,
        count: Some(1),
    });
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/notes", "value": "portal" }]),
    )?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "crm" }))?;
    world
        .until("the CRM's notes in Partner Center", |control| {
            (control.referral(&referral)?["details"]["notes"] == "crm").then_some(())
        })
        .await?;
    world.quiet().await?;
    let told = world.history(&row).await?;
    assert!(
        told.iter()
            .any(|line| line.contains("\"portal\" → \"crm\"")),
        "the loser is not in the audit: {told:?}"
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn microsoft_accepts_and_its_id_and_status_arrive() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({ HELP: 299_600_005 }))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    let microsoft = world
        .until("Microsoft's referral", |control| {
            control.microsoft_referral(&referral)
        })
        .await?;
    world.row_of(&referral).await?;
    world
        .control()
        .microsoft_accepts(&text(&microsoft, "id"), "7-ABC123XYZ")?;
    let seen = world
        .until("Microsoft's id", |control| {
            control
                .row("opportunity", &row)
                .filter(|row| row["msft_microsoftcrmidentifier"] == "7-ABC123XYZ")
        })
        .await?;
    assert!(
        text(&seen, AUDIT).contains("Accepted"),
        "{}",
        text(&seen, AUDIT)
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleagues_save_in_between_is_never_overwritten() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    // The first update of the row is answered 412, as if someone had just saved it; and someone does.
    world.control().fault(once(
        Service::Dataverse,
        Some("PATCH"),
        FaultKind::Answer {
            status: 412,
            code: Some("0x80060882".into()),
            retry_after_s: None,
        },
    ));
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/dealValue", "value": 77_000 }]),
    )?;
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "description": "my own words" }),
    )?;
    world
        .until("both edits on both sides", |control| {
            let (there, here) = (
                control.referral(&referral)?,
                control.row("opportunity", &row)?,
            );
            (amount(&here["estimatedvalue"]) == Some(77_000.0)
                && there["details"]["notes"] == "my own words"
                && here["description"] == "my own words")
                .then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s21_switching_sync_off_pauses_and_on_resumes() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "msft_microsoftpartnercenterreferralsync": false }),
    )?;
    world.quiet().await?;
    let before = world.control().ledger(0).len();
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "while off" }))?;
    world.control().partner_user_patches(
        &referral,
        &json!([{ "op": "replace", "path": "/details/dealValue", "value": 5 }]),
    )?;
    world.quiet().await?;
    assert_eq!(
        world.control().ledger(0).len(),
        before,
        "no writes either way while it is off"
    );
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "msft_microsoftpartnercenterreferralsync": true }),
    )?;
    world
        .until("both edits", |control| {
            let (there, here) = (
                control.referral(&referral)?,
                control.row("opportunity", &row)?,
            );
            (there["details"]["notes"] == "while off"
                && amount(&here["estimatedvalue"]) == Some(5.0))
            .then_some(())
        })
        .await?;
    assert_eq!(world.control().counts().duplicates, 0);
    assert_eq!(
        world.row_of(&referral).await?[IDENTIFIER],
        referral.as_str()
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_a_solution_that_is_removed_in_the_crm_goes_in_partner_center_too() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({}))?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    let solution = |id: &str| {
        json!({ "msft_name": id, "msft_solutionidentifier": id, "msft_type": "3P",
            "msft_OpportunityId@odata.bind": format!("/opportunities({row})") })
    };
    let second = world
        .control()
        .seller_creates("msft_partnercentersolution", &solution("SOL-2-BBB"))?;
    let ids = |control: &cosell_simulator::Control| -> Option<Vec<String>> {
        let referral = control.referral(&referral)?;
        let list = referral["details"]["requirements"]["solutions"]
            .as_array()?
            .clone();
        Some(list.iter().map(|one| text(one, "id")).collect())
    };
    world
        .until("both solutions", |control| {
            (ids(control)?.len() == 2).then_some(())
        })
        .await?;
    world.quiet().await?;
    world.control().seller_deletes(
        "msft_partnercentersolution",
        &cosell_tests::id(&second.record),
    )?;
    world
        .until("the first alone", |control| {
            (ids(control)? == ["SOL-12345-ABC"]).then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s11_a_solution_that_moves_to_another_deal_leaves_the_one_and_reaches_the_other() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let mut deals = Vec::new();
    for name in ["From", "To"] {
        let row = world.opportunity(&account, &json!({ "name": name }))?;
        let referral = text(&world.referral_of(&row).await?, "id");
        deals.push((row, referral));
    }
    let solution = json!({
        "msft_name": "Moves", "msft_solutionidentifier": "SOL-2-BBB", "msft_type": "3P",
        "msft_OpportunityId@odata.bind": format!("/opportunities({})", deals[0].0),
    });
    let moves = world
        .control()
        .seller_creates("msft_partnercentersolution", &solution)?;
    let has = |control: &cosell_simulator::Control, deal: usize| -> Option<bool> {
        let referral = control.referral(&deals[deal].1)?;
        let solutions = referral["details"]["requirements"]["solutions"].clone();
        Some(
            solutions
                .as_array()?
                .iter()
                .any(|one| one["id"] == "SOL-2-BBB"),
        )
    };
    world
        .until("it with the first", |control| {
            has(control, 0)?.then_some(())
        })
        .await?;
    world.quiet().await?;
    let to = json!({ "msft_OpportunityId@odata.bind": format!("/opportunities({})", deals[1].0) });
    world.control().seller_updates(
        "msft_partnercentersolution",
        &cosell_tests::id(&moves.record),
        &to,
    )?;
    world
        .until("it with the second alone", |control| {
            (!has(control, 0)? && has(control, 1)?).then_some(())
        })
        .await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s24_no_contact_leaves_before_consent_is_on_record() -> Told {
    let world = World::with(
        SimulatorConfig::demo(),
        &[("contacts_may_be_shared", "false")],
    )
    .await?;
    let (row, referral) = world
        .linked(&json!({ "parentcontactid@odata.bind": null }))
        .await?;
    let contact = world
        .control()
        .rows("contact")
        .into_iter()
        .next()
        .expect("the contact is there");
    let bind = format!("/contacts({})", text(&contact, "contactid"));
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ "parentcontactid@odata.bind": bind, "estimatedvalue": 7_000 }),
    )?;
    let after = world
        .until("the value", |control| {
            let referral = control.referral(&referral)?;
            (amount(&referral["details"]["dealValue"]) == Some(7_000.0)).then_some(referral)
        })
        .await?;
    world.quiet().await?;
    assert_eq!(
        after["customerProfile"]["team"],
        json!([]),
        "the value crossed, the person did not"
    );
    let told = world.history(&row).await?;
    assert!(told.iter().any(|line| line.contains("consent")), "{told:?}");
    world.end().await
}

/// What the audit column holds.
const AUDIT_CHARS: usize = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn s7_a_column_that_is_too_short_is_told_once_and_the_hosts_own_never() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    // The audit column is full: with every line from now on the oldest fall off.
    world.control().seller_updates(
        "opportunity",
        &row,
        &json!({ AUDIT: "x".repeat(AUDIT_CHARS) }),
    )?;
    for (letter, length) in [("m", 2_500), ("n", 2_600)] {
        let notes = letter.repeat(length);
        world.control().partner_user_patches(
            &referral,
            &json!([{ "op": "replace", "path": "/details/notes", "value": notes }]),
        )?;
        world
            .until("the beginning of the notes", |control| {
                let row = control.row("opportunity", &row)?;
                row["description"]
                    .as_str()?
                    .starts_with(letter)
                    .then_some(())
            })
            .await?;
        world.quiet().await?;
    }
    let told = world.history(&row).await?;
    let cut: Vec<&String> = told
        .iter()
        .filter(|line| line.contains("what is longer is cut there"))
        .collect();
    assert_eq!(cut.len(), 1, "{told:?}");
    assert!(
        cut[0].starts_with("opportunity.description holds 2000 characters"),
        "{cut:?}"
    );
    let audit = text(
        &world.control().row("opportunity", &row).expect("the row"),
        AUDIT,
    );
    // Full to the last character, but for carriage returns that the CRM may have added.
    let off = audit.chars().count().abs_diff(AUDIT_CHARS);
    assert!(off <= audit.matches("\r\n").count(), "off by {off}");
    assert!(
        audit
            .lines()
            .next()
            .is_some_and(|line| line.contains("notes")),
        "{audit:.80}"
    );
    world.end().await
}
