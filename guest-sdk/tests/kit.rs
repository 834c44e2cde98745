//! Facts about the kit itself.

use cosell_guest_sdk::{prelude::*, test};

fn query(label: &str) -> Query {
    Query::new(label, "systemuser", ["fullname"]).equals("systemuserid", "1")
}

fn answered(label: &str) -> Context {
    Context {
        found: vec![Found {
            label: label.to_owned(),
            rows: vec![Row::new("systemuser", "1").with("fullname", " Péter Nagy ")],
            cut: false,
        }],
        ..test::standard_context()
    }
}

#[test]
fn rows_are_asked_for_until_they_are_there() {
    let ctx = test::standard_context();
    assert_eq!(
        ctx.rows(query("owner")),
        Err(Stop::Ask(vec![query("owner")]))
    );
    let ctx = answered("owner");
    let rows = ctx.rows(query("owner")).unwrap();
    assert_eq!(rows[0].text("fullname"), Some("Péter Nagy"));
}

#[test]
fn of_several_queries_only_the_missing_ones_are_asked() {
    let ctx = answered("owner");
    assert_eq!(
        ctx.rows_of(vec![query("owner"), query("manager")]),
        Err(Stop::Ask(vec![query("manager")]))
    );
    assert_eq!(ctx.rows_of(vec![query("owner")]).unwrap().len(), 1);
}

#[test]
fn a_blank_setting_is_no_setting() {
    let ctx = test::standard_context().with_setting("column", SettingValue::Text(" ".to_owned()));
    assert_eq!(ctx.setting_text("column"), None);
    let ctx = ctx.with_setting("column", SettingValue::Text("new_value".to_owned()));
    assert_eq!(ctx.setting_text("column"), Some("new_value"));
    assert_eq!(ctx.setting_yes("column"), None);
}

#[test]
fn cells_are_sorted_and_the_last_word_wins() {
    let row = Row::new("account", "1")
        .with("name", "Contoso")
        .with("address1_city", "Budapest")
        .with("name", "Contoso Kft.");
    let columns: Vec<_> = row
        .cells
        .iter()
        .map(|(column, _)| column.as_str())
        .collect();
    assert_eq!(columns, ["address1_city", "name"]);
    assert_eq!(row.text("name"), Some("Contoso Kft."));
}

#[test]
fn nothing_set_is_an_empty_column() {
    assert_eq!(
        Change::set("description", None::<String>),
        Change::Set(("description".to_owned(), Value::Empty))
    );
}

/// Sets what it never declared, and promises another thing than it does.
pub struct Careless;

impl Plugin for Careless {
    fn manifest() -> PluginManifest {
        PluginManifest::new("Careless!", "1.0.0", "Does what it likes.")
    }

    fn describe(_: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>> {
        Ok(Vec::new())
    }
}

impl Opportunity for Careless {
    fn to_row(_: &Context, _: &Order, _: &[Cell]) -> Answer<Vec<Change>> {
        Ok(vec![Change::set("new_x", 1)])
    }
}

impl Examples for Careless {
    fn cases() -> Vec<Example> {
        vec![
            Example::new("x is two", "opportunity.to-row").sets("new_x", 2),
            Example::new("countries are read", "country.to-deal").answers("HU"),
        ]
    }
}

plugin!(Careless: opportunity, examples);

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let failures = test::failures::<Careless>().join("\n");
    for words in [
        "\"Careless!\" is no name",
        "sets new_x without declaring it",
        "x is two (opportunity.to-row): expected",
        "countries are read (country.to-deal): the plugin does not serve this hook",
    ] {
        assert!(failures.contains(words), "{words:?} in:\n{failures}");
    }
}
