//! `plan`: it writes nothing anywhere, and what then runs is what it showed.

use std::fmt::Write as _;

use cosell_host::pipeline::{PreviewedField, PreviewedWrite};
use cosell_host::verbs::{Plan, Planned, Scope, Would, explain, plan, since};
use cosell_simulator::ledger::Entry;
use cosell_simulator::{Service, SimulatorConfig};
use cosell_store::{LaneFilter, Store};
use cosell_tests::World;
use serde_json::{Value, json};

use crate::{AUDIT, Told, archive, deal_of, desk, linked, replace};

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
    config.store = config.store.with_file_name("never.db");
    let desk = cosell_host::app::desk(&config)?;
    let plan = plan(&desk, None, &Scope::All, &|_, _| {}).await?;
    assert!(!config.store.exists(), "a plan leaves nothing behind");
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

fn is_of_a_deal(entry: &Entry) -> bool {
    let tables = [
        "opportunity",
        "account",
        "contact",
        "msft_partnercentersolution",
    ];
    tables.contains(&entry.kind.as_str())
}

/// Whether the ledger's entry is the planned write: the same call about the same record under the same condition.
fn is_the(world: &World, write: &PreviewedWrite, deal: &Planned, entry: &Entry) -> bool {
    let (service, operation) = match write.kind.as_str() {
        "create-referral" => (Service::Referrals, "create"),
        "patch-referral" => (Service::Referrals, "update"),
        "create-row" => (Service::Dataverse, "create"),
        "update-row" => (Service::Dataverse, "update"),
        other => panic!("this story plans no {other}"),
    };
    let is_same_record = match &write.record {
        Some(record) => entry.record == *record,
        // It had no id yet: it is the one that carries our id.
        None => world
            .control()
            .referral(&entry.record)
            .is_some_and(|referral| {
                referral["externalReferenceId"].as_str() == deal.preview.crm_row.as_deref()
            }),
    };
    let condition = match write.precondition.as_deref() {
        Some("none-match") => Some("If-None-Match: *".to_owned()),
        Some(etag) => Some(format!("If-Match: {etag}")),
        None => None,
    };
    let same_condition = entry.precondition.as_deref().map(str::to_lowercase)
        == condition.as_deref().map(str::to_lowercase);
    entry.service == service
        && entry.operation == operation
        && entry.kind == write.record_kind
        && is_same_record
        && same_condition
}

/// The call named exactly the planned columns or paths, and the record shows the planned values.
fn check_fields(world: &World, write: &PreviewedWrite, entry: &Entry) {
    // A lookup to more than one table is named with the table on the wire.
    let lower = |name: &str| {
        let name = name.split('@').next().unwrap_or(name).to_lowercase();
        name.strip_suffix("_account").unwrap_or(&name).to_owned()
    };
    let mut named: Vec<String> = entry.changed.iter().map(|name| lower(name)).collect();
    let mut planned: Vec<String> = write
        .fields
        .iter()
        .map(|field| lower(&field.field))
        .collect();
    named.sort();
    planned.sort();
    match write.side.as_str() {
        "crm" => {
            // The id of a new row is chosen before, and the row's currency travels with its amounts.
            let own = [
                format!("{}id", entry.kind),
                "transactioncurrencyid".to_owned(),
            ];
            named.retain(|name| !own.contains(name));
            assert_eq!(named, planned, "{write:#?}");
            let row = world.control().row(&entry.kind, &entry.record);
            let row = row.expect("it was written just now");
            // The audit line tells the minute, and later writes put their lines on top.
            for field in write.fields.iter().filter(|field| field.field != AUDIT) {
                assert!(shows(&row, field), "{field:?} is not what {row:#} shows");
            }
        }
        _ if write.kind == "patch-referral" => {
            assert_eq!(named, planned, "{write:#?}");
            let referral = world.control().referral(&entry.record);
            let referral = referral.expect("it was written just now");
            for field in &write.fields {
                let wanted: Value =
                    serde_json::from_str(&field.after).expect("a path is given JSON");
                let held = referral.pointer(&field.field).expect("the path is there");
                let same =
                    held == &wanted || (held.is_number() && held.as_f64() == wanted.as_f64());
                assert!(same, "{field:?}: {held}");
            }
        }
        _ => {
            let referral = world
                .control()
                .referral(&entry.record)
                .expect("it is there");
            let unit = |name: &str| {
                let found = write.units.iter().find(|unit| unit.unit == name);
                found.map(|unit| unit.after.clone()).unwrap_or_default()
            };
            assert_eq!(
                unit("name"),
                format!("\"{}\"", referral["name"].as_str().unwrap_or(""))
            );
            let day = referral["details"]["closingDateTime"]
                .as_str()
                .unwrap_or_default();
            assert!(day.starts_with(&unit("close-date")), "{day}");
            let amount = referral["details"]["dealValue"]
                .as_f64()
                .expect("an amount");
            let planned = unit("value");
            let planned = planned
                .strip_suffix(" EUR")
                .and_then(|text| text.parse::<f64>().ok());
            assert_eq!(planned, Some(amount));
        }
    }
}

/// Whether a row shows what a plan says in words.
fn shows(row: &Value, field: &PreviewedField) -> bool {
    let (after, held) = (field.after.as_str(), &row[&field.field]);
    let pointed = &row[format!("_{}_value", field.field)];
    match after {
        "nothing" => held.is_null() && pointed.is_null(),
        "yes" | "no" => held.as_bool() == Some(after == "yes"),
        text if text.starts_with('"') => held.as_str() == Some(text.trim_matches('"')),
        text if held.is_null() => pointed.as_str().is_some_and(|id| text.contains(id)),
        text if held.is_number() => {
            let number = text.split(' ').next().and_then(|text| text.parse().ok());
            held.as_f64() == number
        }
        text => held.as_str().is_some_and(|held| held.starts_with(text)),
    }
}

/// Unit by unit, what is written down is what was planned.
async fn check_audit(world: &World, planned: &Planned, row: &str) -> Told {
    let why = explain(&archive(world)?, &deal_of(world, row).await?, None).await?;
    let units = planned.preview.writes.iter().flat_map(|write| &write.units);
    let mut seen = 0;
    for unit in units {
        let of = |name: &str| why.units.iter().find(|one| one.unit == name);
        let written = of(&unit.unit).and_then(|one| one.written.clone());
        let written = written.unwrap_or_else(|| panic!("{unit:?} was not written"));
        let words = [written.before, written.after].map(|shown| shown.map(|shown| shown.words));
        assert_eq!(words, [Some(unit.before.clone()), Some(unit.after.clone())]);
        seen += 1;
    }
    assert_eq!(seen, 3, "value, close date, notes");
    Ok(())
}
