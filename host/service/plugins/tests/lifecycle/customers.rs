//! Customers and their people: searched, chosen among what was found, and written.

use cosell_plugins::{Candidate, Resolution, Strength};
use cosell_sync::row::Cell;

use crate::guest::{Guest, Val, asks, query, set, text, writes};
use crate::house::{House, ROW, asking, deal, row};
use crate::questions::fault;

#[tokio::test]
async fn accounts_are_searched_and_chosen_among_what_was_found() {
    let search = Val::rec([
        query("by-duns", "account", "name", "new_duns"),
        Val::case("identifies"),
    ]);
    let likeness = |id: &str| {
        Val::rec([
            Val::s(id),
            Val::U8(90),
            Val::list([Val::s("same DUNS number")]),
        ])
    };
    let account = |choice: Val| {
        Guest::of(&["account"])
            .named("account")
            .needs([
                asks("account", &["name", "new_duns"]),
                writes("account", &["name"]),
            ])
            .says(
                "account#searches",
                Val::ok(Val::some(Val::list([search.clone()]))),
            )
            .says("account#choose", Val::ok(Val::some(choice)))
            .says(
                "account#to-row",
                Val::ok(Val::list([set("name", text("Contoso Kft."))])),
            )
    };
    let country = Guest::of(&["country"])
        .named("country")
        .needs([writes("account", &["address1_country"])])
        .says(
            "country#to-row",
            Val::ok(Val::list([set("address1_country", text("Hungary"))])),
        );
    let candidates = vec![Candidate {
        row: row("account"),
        found_by: vec!["by-duns".to_owned()],
    }];
    let house = House::with(&[
        (
            "1.wasm",
            account(Val::with("use-existing", likeness(ROW))).build(),
        ),
        ("2.wasm", country.build()),
    ]);
    let set = house.set();
    let searches = set
        .account_searches(&asking(), &deal())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            searches.value[0].strength,
            searches.value[0].query.label.as_str()
        ),
        (Strength::Identifies, "by-duns")
    );
    let chosen = set
        .account_choose(&asking(), &deal(), candidates.clone())
        .await
        .unwrap()
        .unwrap();
    assert!(
        matches!(chosen.value, Resolution::UseExisting(likeness) if likeness.id == ROW && likeness.score == 90)
    );
    let draft = set.account_row(&asking(), &deal(), None).await.unwrap();
    let columns: Vec<_> = draft
        .cells
        .iter()
        .map(|(column, (_, by))| (column.as_str(), by.plugin.as_str()))
        .collect();
    assert_eq!(
        columns,
        [("address1_country", "country"), ("name", "account")]
    );

    let stranger = account(Val::with(
        "use-existing",
        likeness("0c0c0c0c-0000-4000-8000-00000000dead"),
    ));
    let set = house.drop_file("1.wasm", stranger.build()).await;
    let (_, message) = fault(
        set.account_choose(&asking(), &deal(), candidates.clone())
            .await
            .unwrap_err(),
    );
    assert!(
        message.contains("which is not among the candidates"),
        "{message}"
    );
    // A row that it asked for itself is no stranger any more, if it is an account.
    let asked_for = |table: &str| {
        let mut asking = asking();
        asking.found = vec![cosell_sync::row::Found {
            label: "account/masters".to_owned(),
            rows: vec![cosell_sync::row::Row {
                id: "0c0c0c0c-0000-4000-8000-00000000dead".to_owned(),
                ..row(table)
            }],
            cut: false,
        }];
        asking
    };
    let chosen = set
        .account_choose(&asked_for("account"), &deal(), candidates.clone())
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(chosen.value, Resolution::UseExisting(_)));
    let stop = set
        .account_choose(&asked_for("contact"), &deal(), candidates.clone())
        .await
        .unwrap_err();
    assert!(fault(stop).1.contains("nor a row of account"));
    let set = house
        .drop_file(
            "1.wasm",
            account(Val::with("create-new", Val::s(" "))).build(),
        )
        .await;
    let (_, message) = fault(
        set.account_choose(&asking(), &deal(), candidates)
            .await
            .unwrap_err(),
    );
    assert!(message.contains("empty identity"), "{message}");
}

#[tokio::test]
async fn people_are_searched_chosen_and_written_as_accounts_are() {
    let search = Val::rec([
        query("by-mail", "contact", "emailaddress1", "emailaddress1"),
        Val::case("suggests"),
    ]);
    let contact = Guest::of(&["contact"])
        .named("contact")
        .needs([
            asks("contact", &["emailaddress1"]),
            writes("contact", &["lastname"]),
        ])
        .says("contact#searches", Val::ok(Val::some(Val::list([search]))))
        .says(
            "contact#choose",
            Val::ok(Val::some(Val::with(
                "create-new",
                Val::s("anna.kovacs@contoso.example"),
            ))),
        )
        .says(
            "contact#to-row",
            Val::ok(Val::list([set("lastname", text("Kovács"))])),
        );
    let house = House::with(&[("1.wasm", contact.build())]);
    let question = cosell_plugins::ContactQuestion {
        person: cosell_sync::deal::Person::default(),
        deal: deal(),
        account: None,
    };
    let set = house.set();
    let searches = set
        .contact_searches(&asking(), &question)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(searches.value[0].strength, Strength::Suggests);
    let chosen = set
        .contact_choose(&asking(), &question, vec![])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        chosen.value,
        Resolution::CreateNew("anna.kovacs@contoso.example".to_owned())
    );
    let draft = set.contact_row(&asking(), &question, None).await.unwrap();
    assert_eq!(draft.cells["lastname"].0, Cell::Text("Kovács".into()));
}
