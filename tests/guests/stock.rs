//! The stock mapping as a whole: what the set of its components says about a deal, from the door to the row and back.
//!
//! The components are those of `cargo xtask plugins`, which `cargo verify` runs first.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod deal;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cosell_plugins::{
    Arrival, Asking, Candidate, Engine, EngineSettings, FolderSettings, Order, PluginFolder,
    PluginSet, Resolution, StopKind, Verdict, check_file,
};
use cosell_sync::deal::{Deal, Standing, Unit};
use cosell_sync::row::{Cell, Choice, Found, RecordKind, Reference, Related, Row, Seen};
use cosell_sync::side::Side;

use deal::deal;

const ROW: &str = "0c0c0c0c-0000-4000-8000-000000000001";
const ACCOUNT: &str = "0a0a0a0a-0000-4000-8000-000000000001";
const MASTER: &str = "0a0a0a0a-0000-4000-8000-000000000002";
const CONTACT: &str = "0b0b0b0b-0000-4000-8000-000000000001";
const USER: &str = "0f0f0f0f-0000-4000-8000-000000000001";

/// Where `cargo xtask plugins` leaves a kind of component.
fn shelf(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    target.parent().unwrap().join(name)
}

/// Copies the files of `from` with this ending, but for the one that is left out.
fn copy(from: &Path, ending: &str, to: &Path, left_out: &str) {
    let files = std::fs::read_dir(from)
        .unwrap_or_else(|error| panic!("{}: {error}; run cargo xtask plugins", from.display()));
    for file in files {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap();
        if path.extension().is_some_and(|own| own == ending) && name != left_out {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// Compiled once for all of these tests; the cache checks what it hands out.
fn engine() -> Engine {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stock-cache");
    Engine::new(EngineSettings {
        cache_dir: Some(cache),
        ..EngineSettings::default()
    })
    .unwrap()
}

/// A set of stock components, but for the one that is left out.
struct Stock {
    folder: PluginFolder,
    _dir: tempfile::TempDir,
}

impl Stock {
    fn without(left_out: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&shelf("plugins"), "wasm", dir.path(), left_out);
        let settings = FolderSettings {
            settle: Duration::from_millis(5),
            rescan: Duration::from_secs(3600),
            ..FolderSettings::default()
        };
        let folder = PluginFolder::open(engine(), dir.path(), settings, |_| {}).unwrap();
        assert_eq!(folder.refused().len(), 0, "{:#?}", folder.refused());
        Self { folder, _dir: dir }
    }

    fn whole() -> Self {
        Self::without("")
    }

    fn set(&self) -> Arc<PluginSet> {
        self.folder.current()
    }
}

fn asking() -> Asking {
    Asking::new("2026-09-30T14:05:00Z".parse().unwrap(), "en")
}

fn row(table: &str, id: &str, cells: &[(&str, Cell)]) -> Row {
    Row {
        table: table.to_owned(),
        id: id.to_owned(),
        cells: cells
            .iter()
            .map(|(column, cell)| ((*column).to_owned(), cell.clone()))
            .collect(),
    }
}

fn words(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn code(code: i32) -> Cell {
    Cell::Choice(Choice { code, label: None })
}

fn to(table: &str, id: &str) -> Reference {
    Reference {
        table: table.to_owned(),
        id: id.to_owned(),
        name: None,
    }
}

async fn decide(set: &PluginSet, deal: Option<Deal>, seen: Option<Seen>) -> (Verdict, String) {
    let arrival = Arrival {
        origin: Side::PartnerCenter,
        linked: deal.is_some() && seen.is_some(),
        deal,
        seen,
    };
    let spoken = set.decide(&asking(), arrival).await.unwrap().unwrap();
    (spoken.value, spoken.by.plugin)
}

/// The row that a birth leaves behind: cells, child rows, state. Keys lead to the user.
async fn born(set: &PluginSet, kind: RecordKind, deal: &Deal) -> Seen {
    let order = Order {
        deal: deal.clone(),
        account: Some(to("account", ACCOUNT)),
        contacts: vec![Some(to("contact", CONTACT))],
        ..Order::default()
    };
    let draft = set.write(&asking(), kind, &order).await.unwrap();
    assert_eq!(draft.refusals, []);
    let state = set
        .write_state(&asking(), kind, &order)
        .await
        .unwrap()
        .unwrap()
        .value;
    let mut born = row(
        kind.table(),
        ROW,
        &[
            ("msft_microsoftpartnercenterreferralsync", Cell::Bool(true)),
            ("statecode", code(state.statecode)),
            ("statuscode", code(state.statuscode)),
        ],
    );
    for (column, (cell, _)) in draft.cells {
        let cell = match cell {
            Cell::RowWhere(key) => Cell::Reference(to(&key.table, USER)),
            cell => cell,
        };
        born.cells.insert(column, cell);
    }
    let related = draft.children.into_iter().map(|(children, _)| Related {
        label: children.label,
        rows: children
            .rows
            .into_iter()
            .map(|child| Row {
                table: "msft_partnercentersolution".to_owned(),
                id: child.key,
                cells: child.cells,
            })
            .collect(),
    });
    Seen {
        row: born,
        related: related.collect(),
    }
}

/// With the user that every key of a born row leads to.
fn knowing_the_user(plugin: &str) -> Asking {
    let user = row(
        "systemuser",
        USER,
        &[
            ("firstname", words("Péter")),
            ("lastname", words("Nagy")),
            ("internalemailaddress", words("peter.nagy@partner.example")),
        ],
    );
    let mut asking = asking();
    asking.found = vec![Found {
        label: format!("{plugin}/owner"),
        rows: vec![user],
        cut: false,
    }];
    asking
}

#[tokio::test]
async fn a_referral_that_nobody_accepted_is_a_lead_and_without_the_lead_plugin_it_waits() {
    let whole = Stock::whole();
    let without = Stock::without("15-lead.wasm");
    let pending = || Some(deal(Standing::Pending));
    assert_eq!(
        decide(&whole.set(), pending(), None).await,
        (Verdict::Sync(RecordKind::Lead), "stock-lead".to_owned())
    );
    let (verdict, by) = decide(&without.set(), pending(), None).await;
    assert!(
        matches!(verdict, Verdict::Skip(reason) if reason.code == "not-accepted"),
        "{by}"
    );
    for stock in [&whole, &without] {
        assert_eq!(
            decide(&stock.set(), Some(deal(Standing::Accepted)), None).await,
            (
                Verdict::Sync(RecordKind::Opportunity),
                "stock-opportunity".to_owned()
            )
        );
        let (verdict, _) = decide(&stock.set(), Some(deal(Standing::Declined)), None).await;
        assert!(matches!(verdict, Verdict::Skip(reason) if reason.code == "closed-before-link"));
    }
}

#[tokio::test]
async fn a_lead_is_read_back_as_it_was_born_and_becomes_an_opportunity_by_acceptance() {
    let stock = Stock::whole();
    let set = stock.set();
    let pending = deal(Standing::Pending);
    let seen = born(&set, RecordKind::Lead, &pending).await;
    assert_eq!(seen.row.cells["statuscode"], code(1));
    assert_eq!(seen.row.cells["address1_country"], words("HU"));
    let reading = set
        .read(&knowing_the_user("stock-lead"), RecordKind::Lead, &seen)
        .await
        .unwrap();
    assert_eq!(reading.refusals, []);
    for (unit, value) in &pending.units {
        // Leads keep solutions where an operator has made a table for them.
        if *unit != Unit::Solutions {
            assert_eq!(reading.units.get(unit), Some(value), "{unit}");
        }
    }
    assert_eq!(
        decide(&set, Some(pending), Some(seen.clone())).await.0,
        Verdict::Sync(RecordKind::Lead)
    );
    assert_eq!(
        decide(&set, Some(deal(Standing::Accepted)), Some(seen))
            .await
            .0,
        Verdict::Sync(RecordKind::Opportunity)
    );
}

#[tokio::test]
async fn an_opportunity_is_read_back_as_it_was_born() {
    let stock = Stock::whole();
    let set = stock.set();
    let accepted = deal(Standing::Accepted);
    let mut seen = born(&set, RecordKind::Opportunity, &accepted).await;
    let draft = set.account_row(&asking(), &accepted, None).await.unwrap();
    let account = Row {
        table: "account".to_owned(),
        id: ACCOUNT.to_owned(),
        cells: draft
            .cells
            .into_iter()
            .map(|(column, (cell, _))| (column, cell))
            .collect(),
    };
    let contact = row(
        "contact",
        CONTACT,
        &[
            ("firstname", words("Anna")),
            ("lastname", words("Kovács")),
            ("emailaddress1", words("anna.kovacs@contoso.example")),
            ("telephone1", words("+36 1 555 0100")),
            ("jobtitle", words("Head of data")),
        ],
    );
    let joined = |label: &str, row: &Row| Related {
        label: label.to_owned(),
        rows: vec![row.clone()],
    };
    seen.related.extend([
        joined("stock-opportunity/account", &account),
        joined("stock-country/account", &account),
        joined("stock-opportunity/contact", &contact),
    ]);
    let reading = set
        .read(
            &knowing_the_user("stock-opportunity"),
            RecordKind::Opportunity,
            &seen,
        )
        .await
        .unwrap();
    assert_eq!(reading.refusals, []);
    for (unit, value) in &accepted.units {
        assert_eq!(reading.units.get(unit), Some(value), "{unit}");
    }
}

#[tokio::test]
async fn a_merged_account_leads_to_its_master_by_way_of_a_question() {
    let stock = Stock::whole();
    let set = stock.set();
    let deal = deal(Standing::Accepted);
    let merged = row(
        "account",
        ACCOUNT,
        &[
            ("name", words("Contoso Kft.")),
            ("address1_postalcode", words("1051")),
            ("statecode", code(1)),
            ("merged", Cell::Bool(true)),
            ("masterid", Cell::Reference(to("account", MASTER))),
        ],
    );
    let candidates = vec![Candidate {
        row: merged,
        found_by: vec!["name-and-postcode".to_owned()],
    }];
    let stop = set
        .account_choose(&asking(), &deal, candidates.clone())
        .await
        .unwrap_err();
    let StopKind::Ask(queries) = stop.kind else {
        panic!("{:?}", stop.kind)
    };
    let mut asking = asking();
    asking.found = vec![Found {
        label: queries[0].label.clone(),
        rows: vec![row(
            "account",
            MASTER,
            &[("name", words("Contoso Group")), ("statecode", code(0))],
        )],
        cut: false,
    }];
    let chosen = set
        .account_choose(&asking, &deal, candidates)
        .await
        .unwrap()
        .unwrap();
    assert!(
        matches!(&chosen.value, Resolution::UseExisting(one) if one.id == MASTER),
        "{:?}",
        chosen.value
    );
}

#[test]
fn the_operator_files_of_the_examples_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plugins-folder");
    copy(&shelf("plugins"), "wasm", dir.path(), "");
    copy(&shelf("examples"), "wasm", dir.path(), "");
    copy(&examples, "toml", dir.path(), "");
    // A guest that is built for a system, in the place of a partner's.
    let for_a_system = shelf("hostile").join("looks-around.wasm");
    std::fs::copy(for_a_system, dir.path().join("60-wasi.wasm")).unwrap();
    let engine = engine();
    let mut configured = 0;
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "wasm") {
            let report = check_file(&engine, &path);
            assert!(report.is_good(), "{report}");
            configured += usize::from(path.with_extension("toml").is_file());
        }
    }
    assert_eq!(configured, 8, "every component but 25-contact has one");
}
