//! A `.table.toml` file in the folder is a plugin: loaded, asked, refused and replaced as a component is.
//!
//! The engine is the stock one, as `cargo xtask plugins` builds it.

use std::path::Path;

use cosell_plugins::{Draft, Hook, Order, check_file};
use cosell_sync::deal::{Money, Unit, UnitValue};
use cosell_sync::row::{Cell, Choice, RecordKind, Related};

use crate::house::{House, asking, deal, row, seen};
use crate::scripts::{shared, states_an_address, stock};

const ENGINE: &str = "table.engine.wasm";
const FILE: &str = "50-acme.table.toml";

fn example() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../examples/table");
    std::fs::read_to_string(folder.join(FILE)).unwrap()
}

fn house(table: impl AsRef<str>) -> House {
    let files = [
        (ENGINE, stock(ENGINE)),
        (FILE, table.as_ref().as_bytes().to_vec()),
    ];
    House::with_engine(&files, shared())
}

/// A table with these lines.
fn table(version: &str, lines: &str) -> String {
    format!("id = \"acme\"\nversion = \"{version}\"\nsummary = \"A table.\"\n{lines}")
}

fn cell(draft: &Draft, column: &str) -> String {
    let cell = draft.cells.get(column);
    cell.map_or_else(|| "-".to_owned(), |cell| format!("{cell:?}"))
}

async fn write(house: &House, order: &Order) -> Draft {
    let set = house.set();
    set.write(&asking(), RecordKind::Opportunity, order)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_example_is_put_into_service_and_maps_both_ways() {
    let files = [
        ("10-stock.wasm", states_an_address()),
        (ENGINE, stock(ENGINE)),
        (FILE, example().into_bytes()),
    ];
    let house = House::with_engine(&files, shared());
    assert_eq!(
        house.serving(),
        ["stock 1.0.0", "acme-table 1.0.0"],
        "{:#?}",
        house.folder.refused()
    );
    let set = house.set();
    assert_eq!(
        set.plugins()[1].hooks,
        [Hook::Opportunity, Hook::Country, Hook::Account]
    );

    let money = Money {
        amount: "12.50".parse().unwrap(),
        currency: "EUR".to_owned(),
    };
    let mut given = Order {
        deal: deal(),
        ..Order::default()
    };
    given
        .deal
        .units
        .insert(Unit::Value, UnitValue::Money(Some(money.clone())));
    given
        .deal
        .units
        .insert(Unit::Campaign, UnitValue::Text(Some("SPRING".to_owned())));
    let draft = write(&house, &given).await;
    assert!(cell(&draft, "new_dealvalue").contains("EUR"), "{draft:?}");
    assert!(cell(&draft, "new_stage").contains("code: 1"), "{draft:?}");
    assert!(
        cell(&draft, "new_dealtype").contains("co-sell"),
        "{draft:?}"
    );
    let campaign = cell(&draft, "new_campaignid");
    assert!(
        campaign.contains("new_campaign") && campaign.contains("SPRING"),
        "{draft:?}"
    );

    let mut opportunity = seen();
    let cells = &mut opportunity.row.cells;
    cells.insert("new_dealvalue".to_owned(), Cell::Money(money.clone()));
    cells.insert(
        "new_stage".to_owned(),
        Cell::Choice(Choice {
            code: 3,
            label: None,
        }),
    );
    opportunity.related = set
        .needs()
        .joins
        .iter()
        .map(|join| {
            let mut joined = row(&join.table);
            for (column, text) in [("new_iso2", "AT"), ("new_code", "AUTUMN")] {
                if join.columns.iter().any(|known| known == column) {
                    joined
                        .cells
                        .insert(column.to_owned(), Cell::Text(text.to_owned()));
                }
            }
            Related {
                label: join.label.clone(),
                rows: vec![joined],
            }
        })
        .collect();
    let reading = set
        .read(&asking(), RecordKind::Opportunity, &opportunity)
        .await
        .unwrap();
    let text = |text: &str| Some(UnitValue::Text(Some(text.to_owned())));
    assert_eq!(
        reading.units.get(&Unit::Value),
        Some(&UnitValue::Money(Some(money)))
    );
    assert_eq!(
        reading.units.get(&Unit::SalesStage).cloned(),
        text("Propose")
    );
    assert_eq!(reading.units.get(&Unit::Campaign).cloned(), text("AUTUMN"));
    let address = format!("{:?}", reading.units.get(&Unit::Address));
    assert!(address.contains("AT"), "{reading:?}");
}

#[tokio::test]
async fn a_word_without_an_option_refuses_its_unit_and_no_other() {
    let house = house(table(
        "1.0.0",
        "[[opportunity]]\nsource = \"sales-stage\"\ncolumn = \"new_stage\"\nkind = \"choice\"\nwords = { \"Qualify\" = 1 }\n\
         [[opportunity]]\nsource = \"name\"\ncolumn = \"name\"\nkind = \"text\"\n\
         [[opportunity]]\nsource = \"notes\"\ncolumn = \"description\"\nkind = \"text\"\nrequired = true\n",
    ));
    let mut order = Order {
        deal: deal(),
        ..Order::default()
    };
    order
        .deal
        .units
        .insert(Unit::SalesStage, UnitValue::Text(Some("Haggle".to_owned())));
    let draft = write(&house, &order).await;
    assert!(cell(&draft, "name").contains("Contoso"), "{draft:?}");
    assert_eq!(cell(&draft, "new_stage"), "-");
    let refused = format!("{:?}", draft.refusals);
    assert!(
        refused.contains("there is no option for \\\"Haggle\\\""),
        "{refused}"
    );
    assert!(
        refused.contains("it is required, and there is nothing"),
        "{refused}"
    );
}

#[tokio::test]
async fn every_mistake_in_a_table_is_told_with_its_line() {
    let refusal = house(table(
        "1.0.0",
        "[[opportunity]]\nsource = \"valu\"\ncolumn = \"new_a\"\nkind = \"money\"\n\
         [[opportunity]]\nsource = \"value\"\ncolumn = \"New A\"\nkind = \"text\"\n\
         [[opportunity]]\nsource = \"notes\"\nconstant = \"x\"\ncolumn = \"new_b\"\nkind = \"choice\"\n\
         [[account]]\nsource = \"address.city\"\ncolumn = \"new_c\"\nkind = \"text\"\ndirection = \"both\"\ndefault = 5\n",
    ))
    .refusal();
    for words in [
        "[scan/source] it has mistakes",
        "50-acme.table.toml:5:10: there is no \"valu\" for opportunity; there are name, value, close-date",
        "50-acme.table.toml:10:10: \"New A\" is no logical name",
        "50-acme.table.toml:11:8: a text column cannot hold value",
        "50-acme.table.toml:16:8: a choice, and nothing else, has words",
        "50-acme.table.toml:15:10: a line has a source or a constant, and not both",
        "50-acme.table.toml:22:11: for a text column this is a text in quotes",
        "50-acme.table.toml:21:13: this only goes into the CRM",
    ] {
        assert!(refusal.contains(words), "{words:?} is not in {refusal}");
    }
}

#[tokio::test]
async fn what_is_no_table_at_all_is_told_with_its_line() {
    for (text, words) in [
        ("id = ", "50-acme.table.toml:1:6: "),
        (
            "id = \"a\"\nversion = \"1.0.0\"\nsummary = \"s\"\nmaps = 1\n",
            "50-acme.table.toml:4:1: unknown field `maps`",
        ),
        (
            "id = \"a\"\nversion = \"1.0.0\"\nsummary = \"s\"\n",
            "50-acme.table.toml:1:1: maps nothing",
        ),
        (
            "id = \"a\"\nversion = \"1.0.0\"\nsummary = \"s\"\n[[lead]]\nsource = \"name\"\ncolumn = \"subject\"\nkind = \"txt\"\n",
            "50-acme.table.toml:7:8: unknown variant `txt`",
        ),
    ] {
        let refusal = house(text).refusal();
        assert!(refusal.contains(words), "{words:?} is not in {refusal}");
    }
    let refusal = house(table("one", "[country]\ncolumn = \"new_c\"\n")).refusal();
    assert!(refusal.starts_with("[manifest/"), "{refusal}");
    assert!(
        refusal.contains("the version \"one\" is not semver"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_bad_edit_keeps_the_old_version_and_a_good_one_replaces_it() {
    let line = |column: &str| {
        format!("[[opportunity]]\nsource = \"name\"\ncolumn = \"{column}\"\nkind = \"text\"\n")
    };
    let house = house(table("1.0.0", &line("name")));
    house
        .drop_file(FILE, table("1.1.0", &line("No Name")))
        .await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert!(house.path("50-acme.table.toml.rejected.json").exists());
    house
        .drop_file(FILE, table("1.2.0", &line("new_name")))
        .await;
    assert_eq!(house.serving(), ["acme 1.2.0"]);
    let order = Order {
        deal: deal(),
        ..Order::default()
    };
    let draft = write(&house, &order).await;
    assert!(cell(&draft, "new_name").contains("Contoso"), "{draft:?}");
    assert_eq!(cell(&draft, "name"), "-");
    house.remove(FILE).await;
    assert_eq!(house.serving(), [""; 0]);
}

#[test]
fn a_table_is_checked_as_a_component_is() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(ENGINE), stock(ENGINE)).unwrap();
    std::fs::write(dir.path().join(FILE), example()).unwrap();
    let report = check_file(&shared(), &dir.path().join(FILE));
    assert!(report.is_good(), "{report}");
    let text = report.to_string();
    for words in [
        "acme-table 1.0.0",
        "writes    account: address1_country, new_countryid, new_duns, new_zip",
        "asks      new_campaign: new_code",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
}
