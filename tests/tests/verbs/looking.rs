//! `deals`, `deal`, `explain`, and how deals are named.

use cosell_host::verbs::{Asked, DealKey, Deals, VerbError, deal, deals, explain, find};
use cosell_simulator::{Fault, FaultKind, Service, SimulatorConfig};
use cosell_tests::{World, text};
use serde_json::json;

use crate::{GATE, Told, archive, deal_of, desk, linked, replace};

async fn page(world: &World, states: &[&str], after: Option<DealKey>) -> anyhow::Result<Deals> {
    let asked = Asked {
        states: states.iter().map(|state| (*state).to_owned()).collect(),
        after,
        limit: 2,
    };
    Ok(deals(&archive(world)?, &asked).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn deals_are_listed_page_by_page_with_name_state_and_both_records() -> Told {
    let world = World::start().await?;
    let (row, referral) = linked(&world, "First").await?;
    linked(&world, "Second").await?;
    linked(&world, "Third").await?;
    let account = world.account("Fabrikam", "DE")?;
    let off = world.opportunity(&account, &json!({ "name": "Private", GATE: false }))?;
    world.quiet().await?;

    let first = page(&world, &[], None).await?;
    let names = |page: &Deals| -> Vec<Option<String>> {
        page.deals.iter().map(|deal| deal.name.clone()).collect()
    };
    assert_eq!(
        names(&first),
        [Some("Third".to_owned()), Some("Second".to_owned())]
    );
    let second = page(&world, &[], first.more_after).await?;
    assert_eq!(names(&second), [Some("First".to_owned())]);
    assert_eq!(second.more_after, None);
    let oldest = &second.deals[0];
    assert_eq!(oldest.referral.as_deref(), Some(referral.as_str()));
    assert_eq!(oldest.crm_row.as_deref(), Some(row.as_str()));
    assert_eq!((oldest.state.as_str(), oldest.linked), ("settled", true));
    assert!(oldest.ran.is_some());

    // What is left alone is no deal, and listed when it is asked for.
    let paused = page(&world, &["paused"], None).await?;
    let [left] = paused.deals.as_slice() else {
        panic!("one row is left alone: {:?}", paused.deals)
    };
    assert_eq!(left.crm_row.as_deref(), Some(off.as_str()));
    assert_eq!(left.referral, None);
    let reason = left.reason.clone().unwrap_or_default();
    assert!(reason.contains("not switched on"), "{reason}");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_is_named_by_lane_by_either_record_and_by_the_beginning_of_an_id() -> Told {
    let world = World::start().await?;
    let (row, referral) = linked(&world, "First").await?;
    let (other, _) = linked(&world, "Second").await?;
    let archive = archive(&world)?;
    let key = find(&archive, &row).await?;
    for name in [
        key.lane.to_string(),
        key.to_string(),
        referral.to_uppercase(),
        format!(" {}", &row[..13]),
        referral[..8].to_owned(),
    ] {
        assert_eq!(find(&archive, &name).await?, key, "{name}");
    }
    for (name, says) in [
        ("99", "no deal is known as \"99\""),
        ("00000000-0000-4000-8000-000000000000", "cosell deals"),
        ("abc", "at least 4 characters"),
    ] {
        let said = find(&archive, name).await.expect_err(name).to_string();
        assert!(said.contains(says), "{said}");
    }
    let other = find(&archive, &other).await?;
    assert_ne!(other, key);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_shows_both_sides_now_what_they_agreed_on_and_what_happened() -> Told {
    let mut world = World::start().await?;
    let (row, referral) = linked(&world, "Data platform").await?;
    world
        .control()
        .partner_user_patches(&referral, &replace("/details/notes", "from the portal"))?;
    world
        .until("the notes", |control| {
            (control.row("opportunity", &row)?["description"] == "from the portal").then_some(())
        })
        .await?;
    world.quiet().await?;
    world.stop_host().await;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "estimatedvalue": 99_000 }))?;

    let key = deal_of(&world, &row).await?;
    let desk = desk(&world)?;
    let view = deal(&archive(&world)?, &key, Some(&desk)).await?;
    let unit = |name: &str| {
        let found = view.units.iter().find(|unit| unit.unit == name);
        found.cloned().expect("the unit is shown")
    };
    let value = unit("value");
    let words =
        |shown: &Option<cosell_host::verbs::Shown>| shown.as_ref().map(|shown| shown.words.clone());
    let now = value.now.clone().expect("it was read");
    assert!(value.differs);
    assert_eq!(words(&now.crm).as_deref(), Some("99000.0 EUR"));
    assert_eq!(words(&now.partner_center), words(&value.in_step.crm));
    assert!(!unit("notes").differs);
    assert!(
        view.referral_link
            .is_some_and(|link| link.ends_with(&referral))
    );
    assert!(
        view.history
            .iter()
            .any(|line| line.kind == "write" && line.message.starts_with("notes in the CRM")),
        "{:?}",
        view.history
    );
    let kinds: Vec<_> = view.writes.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds[0], "create-referral");
    assert!(view.writes.iter().all(|one| one.outcome == "done"));

    // A side that does not answer is told, and the rest is shown.
    world.control().fault(Fault {
        service: Service::Dataverse,
        method: None,
        path_prefix: String::new(),
        skip: 0,
        count: None,
        kind: FaultKind::Answer {
            status: 503,
            code: None,
            retry_after_s: None,
        },
    });
    let view = deal(&archive(&world)?, &key, Some(&desk)).await?;
    assert!(view.unreadable.is_some());
    assert!(view.units.iter().all(|unit| unit.now.is_none()));
    assert_eq!(view.line.name.as_deref(), Some("Data platform"));
    world.control().clear_faults();
    world.start_host().await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn why_is_this_value_here_is_answered_with_bell_rule_plugin_and_person() -> Told {
    let world = World::with(SimulatorConfig::demo(), &[("hold.won", "\"confirm\"")]).await?;
    let (row, _) = linked(&world, "Data platform").await?;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "estimatedvalue": 99_000 }))?;
    world.quiet().await?;
    world.control().seller_wins(&row, &json!({}))?;
    world.hold("won").await?;

    let archive = archive(&world)?;
    let key = deal_of(&world, &row).await?;
    let why = explain(&archive, &key, Some("value")).await?;
    let [value] = why.units.as_slice() else {
        panic!("one unit was asked for: {:?}", why.units)
    };
    let written = value.written.clone().expect("it was written");
    assert_eq!(written.to.as_deref(), Some("partner-center"));
    assert_eq!(written.rule.as_deref(), Some("S5"));
    assert!(written.rule_means.is_some());
    assert!(
        written.bells.iter().any(|bell| bell.contains(&row)),
        "{:?}",
        written.bells
    );
    let plugin = &written.by[0].speaker;
    assert!(plugin.starts_with("stock-opportunity 0."), "{plugin}");
    let after = written.after.map(|shown| shown.words);
    assert_eq!(after.as_deref(), Some("99000.0 EUR"));

    // A hold is told with the unit that it holds; what nobody touched is as it was at birth.
    let why = explain(&archive, &key, None).await?;
    let of = |name: &str| why.units.iter().find(|unit| unit.unit == name);
    let state = of("state").expect("the state is told");
    assert_eq!(state.holds.len(), 1);
    assert_eq!(of("name").map(|unit| unit.written.is_none()), Some(true));
    let birth = why.birth.clone().expect("it was born");
    assert!(birth.message.contains("creates a referral"), "{birth:?}");

    world.settle("won", true).await?;
    world
        .until("the win in Partner Center", |control| {
            let won = control.referrals();
            won.iter()
                .any(|one| text(one, "substatus") == "Won")
                .then_some(())
        })
        .await?;
    world.quiet().await?;
    let why = explain(&archive, &key, Some("state")).await?;
    let decided = why.units[0].decided.clone().expect("a person decided");
    assert_eq!(decided.person.as_deref(), Some("operator"));

    let unknown = explain(&archive, &key, Some("colour")).await;
    let Err(VerbError::NoUnit { known, .. }) = unknown else {
        panic!("a deal has no colour")
    };
    assert!(known.contains(&"value".to_owned()), "{known:?}");
    world.end().await
}
