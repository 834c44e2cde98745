//! `reconcile`: every referral is linked, or it is known why not.

use cosell_host::verbs::{Exception, Reconciliation, What, answer, reconcile, retry};
use cosell_simulator::{Arrival, Hidden, SimulatorConfig};
use cosell_tests::{World, id};
use serde_json::json;

use crate::{GATE, Told, archive, deal_of, desk, linked};

async fn books(world: &World) -> anyhow::Result<Reconciliation> {
    let mut all = reconcile(&desk(world)?, None).await?;
    assert_eq!(all.len(), 1, "one connection");
    Ok(all.remove(0))
}

fn about<'a>(books: &'a Reconciliation, record: &str) -> &'a Exception {
    let is_meant = |one: &&Exception| {
        one.referral.as_deref() == Some(record) || one.crm_row.as_deref() == Some(record)
    };
    let found = books.exceptions.iter().find(is_meant);
    found.unwrap_or_else(|| panic!("nothing is said about {record}: {:?}", books.exceptions))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_referral_is_linked_or_it_is_said_why_not() -> Told {
    let mut world = World::with(SimulatorConfig::demo(), &[("incomplete_minutes", "60")]).await?;
    // Without it, what nobody has accepted yet is left alone.
    std::fs::remove_file(world.folder.join("15-lead.wasm"))?;
    let plugins = std::fs::read_dir(&world.folder)?.count();
    world.until_plugins(plugins).await?;
    linked(&world, "In step").await?;
    world.stop_host().await;
    let account = world.account("Atlantis Ltd", "Atlantis")?;
    let parked = world.opportunity(&account, &json!({ "name": "Underwater cables" }))?;
    let good = world.account("Fabrikam", "DE")?;
    let incomplete = json!({
        "name": "No solution", "estimatedvalue": 1_000, "estimatedclosedate": "2026-12-15",
        "parentaccountid@odata.bind": format!("/accounts({good})"), GATE: true,
    });
    let incomplete = id(&world
        .control()
        .seller_creates("opportunity", &incomplete)?
        .record);
    let ended = world.referral("Over before it began", "Northwind", "FR")?;
    let lost = json!([
        { "op": "replace", "path": "/status", "value": "Closed" },
        { "op": "replace", "path": "/substatus", "value": "Lost" },
        { "op": "replace", "path": "/statusReason", "value": "No budget" },
    ]);
    world.control().partner_user_patches(&ended, &lost)?;
    let arrived = json!({
        "name": "From Microsoft",
        "customerProfile": { "name": "Tailspin", "team": [],
            "address": { "addressLine1": "Main Street 1", "city": "Capital", "postalCode": "1010", "country": "FR" } },
        "consent": { "consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": false },
        "details": { "notes": "", "dealValue": 10_000, "currency": "EUR", "closingDateTime": "2027-03-31T00:00:00Z",
            "requirements": { "solutions": [{ "type": "Name", "id": "SOL-12345-ABC", "name": "Our app" }] } },
        "team": [], "target": [],
    });
    let arrived = world
        .control()
        .referral_arrives_as(Arrival::QualifiedLead, &arrived)?;
    let arrived = id(&arrived.record);
    world.start_host().await?;
    world
        .status_where(|status| {
            let count = |state: &str| status.lanes.get(state).copied().unwrap_or(0);
            (count("parked"), count("waiting"), count("paused")) == (1, 1, 2)
        })
        .await?;
    world.quiet().await?;

    let books = books(&world).await?;
    assert_eq!(
        (books.referrals, books.linked, books.unexplained),
        (3, 1, 0)
    );
    assert_eq!(books.exceptions.len(), 4, "{:?}", books.exceptions);
    for (record, name, why) in [
        (
            &parked,
            "Underwater cables",
            "parked: \"Atlantis\" is no country",
        ),
        (
            &incomplete,
            "No solution",
            "waiting: not complete yet: the deal has no solution",
        ),
        (
            &ended,
            "Over before it began",
            "paused: the deal was closed in Partner Center before",
        ),
        (
            &arrived,
            "From Microsoft",
            "paused: nobody has accepted this deal",
        ),
    ] {
        let one = about(&books, record);
        assert_eq!((one.what, one.explained), (What::NotLinked, true));
        assert_eq!(one.name.as_deref(), Some(name));
        assert!(one.reason.starts_with(why), "{}", one.reason);
    }
    world
        .end_in(&["settled", "parked", "waiting", "paused", "retired"])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_no_host_has_heard_of_is_unexplained() -> Told {
    let mut world = World::start().await?;
    linked(&world, "In step").await?;
    world.stop_host().await;
    let referral = world.referral("While you were away", "Fabrikam", "DE")?;
    let account = world.account("Northwind", "FR")?;
    let row = world.opportunity(&account, &json!({ "name": "Also away" }))?;
    let away = books(&world).await?;
    assert_eq!((away.referrals, away.linked, away.unexplained), (2, 1, 2));
    assert_eq!(about(&away, &referral).what, What::NoLane);
    let unheard = about(&away, &row);
    assert_eq!((unheard.what, unheard.lane), (What::NoLane, None));
    let remedy = unheard.remedy.clone().unwrap_or_default();
    assert!(
        remedy.contains(&format!("cosell plan --deal {row}")),
        "{remedy}"
    );

    world.start_host().await?;
    world.row_of(&referral).await?;
    world.referral_of(&row).await?;
    world.quiet().await?;
    let back = books(&world).await?;
    assert_eq!((back.referrals, back.linked, back.unexplained), (3, 3, 0));
    assert_eq!(back.exceptions, []);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s18_a_referral_that_is_no_longer_listed_is_found_and_a_person_decides() -> Told {
    let world = World::start().await?;
    let (row, referral) = linked(&world, "Lost from sight").await?;
    linked(&world, "In step").await?;
    world
        .control()
        .hide_record("referral", &referral, Hidden::NotFound)?;
    let lost = books(&world).await?;
    assert_eq!((lost.referrals, lost.linked, lost.unexplained), (1, 1, 1));
    let exception = about(&lost, &referral);
    assert_eq!(exception.what, What::NotListed);
    assert_eq!(exception.name.as_deref(), Some("Lost from sight"));
    assert_eq!(exception.crm_row.as_deref(), Some(row.as_str()));

    // The remedy that it names.
    let archive = archive(&world)?;
    retry(&archive, &[deal_of(&world, &row).await?], "ada").await?;
    let card = world.card("gone").await?;
    world.quiet().await?;
    let asked = books(&world).await?;
    assert_eq!(asked.unexplained, 0, "{:?}", asked.exceptions);
    assert!(about(&asked, &referral).reason.starts_with("orphaned: "));
    answer(&archive, card.card, "unlink", "anna").await?;
    world
        .status_where(|status| !status.lanes.contains_key("orphaned"))
        .await?;
    let apart = books(&world).await?;
    assert_eq!(apart.unexplained, 0, "{:?}", apart.exceptions);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_gone_and_a_second_referral_for_one_row_are_told_by_name() -> Told {
    let mut world = World::start().await?;
    let (gone, of_gone) = linked(&world, "Row deleted").await?;
    let (row, first) = linked(&world, "Twice").await?;
    world.stop_host().await;
    world.control().seller_deletes("opportunity", &gone)?;
    let second = world.referral("Twice", "Contoso Kft.", "HU")?;
    let patch = json!([{ "op": "add", "path": "/externalReferenceId", "value": row }]);
    world.control().partner_user_patches(&second, &patch)?;
    let books_away = books(&world).await?;
    let deleted = about(&books_away, &of_gone);
    assert_eq!((deleted.what, deleted.explained), (What::RowGone, false));
    assert_eq!(about(&books_away, &second).what, What::NoLane);

    world.start_host().await?;
    world.card("gone").await?;
    world
        .status_where(|status| status.lanes.contains_key("parked"))
        .await?;
    world.quiet().await?;
    let told = books(&world).await?;
    assert_eq!((told.referrals, told.linked, told.unexplained), (3, 1, 0));
    assert!(about(&told, &of_gone).explained);
    let twin = about(&told, &second);
    assert_eq!(twin.what, What::Twice);
    assert!(twin.reason.contains(&first), "{}", twin.reason);
    world
        .end_with(
            &["settled", "parked", "orphaned", "retired"],
            &["duplicates", "one_sided_links"],
        )
        .await
}
