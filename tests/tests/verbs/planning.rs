//! `plan`: it writes nothing anywhere, and what then runs is what it showed.

use std::fmt::Write as _;

use anyhow::Context as _;
use cosell_host::verbs::{Plan, Planned, Scope, Would, plan, since};
use cosell_simulator::{Fault, FaultKind, Service, SimulatorConfig};
use cosell_store::{LaneFilter, Store, StoreUrl};
use cosell_tests::World;
use serde_json::json;

use crate::comparing::{check_audit, check_fields, is_of_a_deal, is_the};
use crate::{Told, archive, desk, linked, replace};

/// Everything that the store holds, as far as anybody can read it.
async fn dump(store: &dyn Store) -> anyhow::Result<String> {
    let mut all = String::new();
    let at = "simulated";
    writeln!(all, "{:#?}", store.census().await?)?;
    writeln!(
        all,
        "{:?} {:?}",
        store.next_due().await?,
        store.throttles(at).await?
    )?;
    writeln!(all, "{:#?}", store.cards(None, false, 1_000).await?)?;
    writeln!(all, "{:#?}", store.holds(None, false, 1_000).await?)?;
    for stream in ["partner-center", "crm/opportunity", "crm/lead"] {
        writeln!(all, "{stream} {:?}", store.cursor(at, stream).await?)?;
    }
    for note in ["crm-organization", "crm-organization-found"] {
        writeln!(all, "{note} {:?}", store.note(at, note).await?)?;
    }
    let filter = LaneFilter {
        limit: 1_000,
        ..LaneFilter::default()
    };
    for lane in store.lanes_page(at, &filter).await? {
        writeln!(all, "{lane:#?}")?;
        writeln!(all, "{:#?}", store.peek(at, lane.lane).await?)?;
        writeln!(all, "{:#?}", store.audit(at, lane.lane).await?)?;
        writeln!(all, "{:#?}", store.attempts(at, lane.lane).await?)?;
    }
    Ok(all)
}

async fn all(world: &World) -> anyhow::Result<Plan> {
    Ok(plan(&desk(world)?, None, &Scope::All, &|_, _| {}).await?)
}

fn of<'a>(plan: &'a Plan, record: &str) -> &'a Planned {
    let is_meant = |one: &&Planned| {
        let preview = &one.preview;
        preview.referral.as_deref() == Some(record) || preview.crm_row.as_deref() == Some(record)
    };
    let found = plan.deals.iter().find(is_meant);
    found.unwrap_or_else(|| panic!("{record} is not in the plan: {:#?}", plan.deals))
}

/// Deals in every situation, and people who worked while no host ran.
struct Busy {
    edited: (String, String),
    conflict: (String, String),
    won: (String, String),
    quiet: (String, String),
    parked: String,
    new_row: String,
    new_referral: String,
}

async fn busy() -> anyhow::Result<(World, Busy)> {
    let mut world = World::with(SimulatorConfig::demo(), &[("hold.won", "\"confirm\"")]).await?;
    let edited = linked(&world, "Edited").await?;
    let conflict = linked(&world, "Conflict").await?;
    let won = linked(&world, "Won").await?;
    let quiet = linked(&world, "Quiet").await?;
    let account = world.account("Atlantis Ltd", "Atlantis")?;
    let parked = world.opportunity(&account, &json!({ "name": "Parked" }))?;
    world
        .status_where(|status| status.lanes.contains_key("parked"))
        .await?;
    world.quiet().await?;
    world.stop_host().await;
    let control = world.control();
    control.seller_updates(
        "opportunity",
        &edited.0,
        &json!({ "estimatedvalue": 99_000.5, "estimatedclosedate": "2027-01-31" }),
    )?;
    control.partner_user_patches(&edited.1, &replace("/details/notes", "from the portal"))?;
    control.seller_updates("opportunity", &conflict.0, &json!({ "description": "crm" }))?;
    control.partner_user_patches(&conflict.1, &replace("/details/notes", "portal"))?;
    control.seller_wins(&won.0, &json!({}))?;
    let account = world.account("Northwind", "FR")?;
    let new_row = world.opportunity(&account, &json!({ "name": "New row" }))?;
    let new_referral = world.referral("New referral", "Fabrikam & Sons", "DE")?;
    let busy = Busy {
        edited,
        conflict,
        won,
        quiet,
        parked,
        new_row,
        new_referral,
    };
    Ok((world, busy))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_writes_nothing_anywhere() -> Told {
    let (mut world, busy) = busy().await?;
    let store = archive(&world)?.store;
    let before = dump(&*store).await?;
    let written = world.control().ledger(0).len();
    let refused = world.control().refused().len();

    let whole = all(&world).await?;
    let desk = desk(&world)?;
    let recent = Scope::Since(since("1h", desk.now())?);
    let recent = plan(&desk, None, &recent, &|_, _| {}).await?;
    assert_eq!(
        recent.summary, whole.summary,
        "all of it is younger than an hour"
    );
    for record in [&busy.edited.0, &busy.new_row, &busy.new_referral] {
        let one = plan(&desk, None, &Scope::Deal(record.clone()), &|_, _| {}).await?;
        assert_eq!(one.deals.len(), 1);
        assert_eq!(
            one.deals[0].preview.writes,
            of(&whole, record).preview.writes
        );
    }

    assert_eq!(dump(&*store).await?, before, "the store is as it was");
    assert_eq!(
        world.control().ledger(0).len(),
        written,
        "no write on either side"
    );
    assert_eq!(world.control().refused().len(), refused, "none was tried");
    world.start_host().await?;
    world
        .end_in(&["settled", "held", "parked", "retired"])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_run_a_plan_shows_what_would_come_and_leaves_no_store_behind() -> Told {
    let (world, busy) = busy().await?;
    let mut config = cosell_host::config::Config::load(&world.config)?;
    let never = config
        .store
        .file()
        .context("a file")?
        .with_file_name("never.db");
    config.store = StoreUrl::Sqlite(never.clone());
    let desk = cosell_host::app::desk(&config)?;
    let plan = plan(&desk, None, &Scope::All, &|_, _| {}).await?;
    assert!(!never.exists(), "a plan leaves nothing behind");
    assert!(plan.deals.iter().all(|deal| deal.lane.is_none()));
    assert_eq!(of(&plan, &busy.new_row).would, Would::Create);
    assert_eq!(of(&plan, &busy.new_referral).would, Would::Create);
    // Pairs that somebody linked before (the identifier stands in the row) are adopted, and never created again.
    assert_eq!(
        of(&plan, &busy.quiet.0).preview.referral.as_deref(),
        Some(busy.quiet.1.as_str())
    );
    assert_eq!(plan.summary.create, 2, "{:#?}", plan.deals);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plan_shows_is_what_is_done() -> Told {
    let (mut world, busy) = busy().await?;
    let shown = all(&world).await?;
    assert_eq!(of(&shown, &busy.edited.0).would, Would::Update);
    assert_eq!(of(&shown, &busy.new_row).would, Would::Create);
    assert_eq!(of(&shown, &busy.new_referral).would, Would::Create);
    assert_eq!(of(&shown, &busy.quiet.0).would, Would::InStep);
    let parked = of(&shown, &busy.parked);
    assert_eq!(parked.would, Would::Refuse);
    assert_eq!(parked.name.as_deref(), Some("Parked"));
    assert!(
        parked
            .preview
            .reason
            .as_ref()
            .is_some_and(|why| why.starts_with("\"Atlantis\""))
    );
    let asked = of(&shown, &busy.conflict.0);
    assert_eq!(asked.would, Would::Ask);
    assert!(
        asked.asks[0]
            .question
            .contains("Partner Center says \"portal\"")
    );
    let held = of(&shown, &busy.won.0);
    assert_eq!(held.would, Would::Hold);
    assert_eq!(held.holds[0].after.as_deref(), Some("Won"));
    assert!(held.preview.writes.is_empty());
    let summary = shown.summary;
    assert_eq!(
        (summary.create, summary.update, summary.hold, summary.ask),
        (2, 1, 1, 1)
    );
    assert_eq!(
        (summary.refuse, summary.in_step, summary.unjudged),
        (1, 1, 0)
    );
    let value = of(&shown, &busy.edited.0).preview.writes[0].units[0].clone();
    assert_eq!(
        (value.before.as_str(), value.after.as_str()),
        ("125000.0 EUR", "99000.5 EUR")
    );

    let mark = world.control().ledger(0).len();
    world.start_host().await?;
    world.card("conflict").await?;
    world.hold("won").await?;
    world.row_of(&busy.new_referral).await?;
    world.referral_of(&busy.new_row).await?;
    world.quiet().await?;

    let mut done = world.control().ledger(0).split_off(mark);
    done.retain(|entry| entry.kind == "referral" || is_of_a_deal(entry));
    for deal in &shown.deals {
        for write in &deal.preview.writes {
            let place = done
                .iter()
                .position(|entry| is_the(&world, write, deal, entry))
                .unwrap_or_else(|| panic!("planned and not done: {write:#?}; done: {done:#?}"));
            let entry = done.remove(place);
            check_fields(&world, write, &entry);
        }
    }
    // What is left are the second rounds of the two births, as they were announced.
    let then: Vec<&String> = [&busy.new_row, &busy.new_referral]
        .into_iter()
        .flat_map(|record| &of(&shown, record).preview.then)
        .collect();
    let made = world.row_of(&busy.new_referral).await?;
    let mut left: Vec<(String, String)> = done
        .iter()
        .map(|entry| (entry.operation.clone(), entry.record.clone()))
        .collect();
    left.sort();
    let mut announced = vec![
        ("update".to_owned(), busy.new_row.clone()),
        ("update".to_owned(), busy.new_referral.clone()),
    ];
    announced.sort();
    assert_eq!(left, announced, "announced: {then:?}; made: {made}");
    assert_eq!(
        then,
        [
            "then writes identifier, link, audit line and mark into the row",
            "then writes our id into the referral"
        ]
    );
    check_audit(&world, of(&shown, &busy.edited.0), &busy.edited.0).await?;

    let after = all(&world).await?;
    let summary = after.summary;
    assert_eq!(
        (summary.create, summary.update),
        (0, 0),
        "{:#?}",
        after.deals
    );
    assert_eq!((summary.hold, summary.ask, summary.refuse), (1, 1, 1));
    world
        .end_in(&["settled", "held", "parked", "retired"])
        .await
}

/// The CRM answers reads of single opportunities like this, so often.
fn trouble(status: u16, count: Option<u32>) -> Fault {
    Fault {
        service: Service::Dataverse,
        method: Some("GET".into()),
        path_prefix: "/api/data/v9.2/opportunities(".into(),
        skip: 0,
        count,
        kind: FaultKind::Answer {
            status,
            code: None,
            retry_after_s: (status == 429).then_some(1),
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_patient_when_it_is_asked_to_be_and_says_what_it_could_not_judge() -> Told {
    let mut world = World::start().await?;
    let (row, _) = linked(&world, "First").await?;
    linked(&world, "Second").await?;
    world.stop_host().await;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "estimatedvalue": 99_000 }))?;
    world.control().fault(trouble(429, Some(2)));
    let patient = all(&world).await?;
    assert_eq!((patient.summary.update, patient.summary.in_step), (1, 1));
    assert_eq!(patient.summary.unjudged, 0, "{:#?}", patient.deals);

    world.control().fault(trouble(503, None));
    let blind = all(&world).await?;
    assert_eq!(blind.summary.unjudged, 2, "{:#?}", blind.deals);
    let one = of(&blind, &row);
    assert_eq!(one.name.as_deref(), Some("First"));
    assert!(
        one.preview
            .reason
            .as_ref()
            .is_some_and(|why| why.contains("503")),
        "{one:#?}"
    );
    world.control().clear_faults();
    world.start_host().await?;
    world.end().await
}
