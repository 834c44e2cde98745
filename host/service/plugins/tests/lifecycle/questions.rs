//! The chain: drafts, last words, provenance, stops, and answers that are not accepted.

use cosell_plugins::{FaultKind, Order, Outcome, Report, Stop, StopKind, Verdict};
use cosell_sync::deal::{Standing, Unit, UnitValue};
use cosell_sync::row::{Cell, RecordKind, Seen};
use cosell_sync::side::Side;

use crate::guest::{
    Guest, Val, asks, joins, manifest, money, query, reads, reason, set, text, writes,
};
use crate::house::{House, asking, deal, row, seen};

fn facts(facts: impl IntoIterator<Item = Val>) -> Val {
    Val::ok(Val::list(facts))
}

fn order() -> Order {
    Order {
        deal: deal(),
        ..Order::default()
    }
}

/// One plugin whose `opportunity.to-row` answers this, with these needs.
async fn to_row(needs: Vec<Val>, answer: Val) -> Result<cosell_plugins::Draft, Stop> {
    let guest = Guest::of(&["opportunity"])
        .named("acme")
        .needs(needs)
        .says("opportunity#to-row", answer);
    let house = House::with(&[("50-acme.wasm", guest.build())]);
    house
        .set()
        .write(&asking(), RecordKind::Opportunity, &order())
        .await
}

pub(crate) fn fault(stop: Stop) -> (FaultKind, String) {
    match stop.kind {
        StopKind::Fault(fault) => (fault.kind, fault.message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_last_word_wins_and_is_booked_to_its_speaker() {
    let columns = || writes("opportunity", &["name", "new_type", "estimatedvalue"]);
    let stock = Guest::of(&["opportunity"])
        .named("stock")
        .needs([columns()])
        .says(
            "opportunity#to-row",
            Val::ok(Val::list([
                set("name", text("stock")),
                set("new_type", text("stock")),
                set("estimatedvalue", Val::with("money", money("10.50", "EUR"))),
            ])),
        );
    let acme = Guest::of(&["opportunity"])
        .named("acme")
        .needs([columns()])
        .says(
            "opportunity#to-row",
            Val::ok(Val::list([
                set("new_type", text("acme")),
                Val::with("withdraw", Val::s("estimatedvalue")),
            ])),
        );
    let house = House::with(&[
        ("10-stock.wasm", stock.build()),
        ("50-acme.wasm", acme.build()),
    ]);
    let draft = house
        .set()
        .write(&asking(), RecordKind::Opportunity, &order())
        .await
        .unwrap();
    let told: Vec<_> = draft
        .cells
        .iter()
        .map(|(column, (cell, by))| (column.as_str(), cell.clone(), by.plugin.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("name", Cell::Text("stock".into()), "stock"),
            ("new_type", Cell::Text("acme".into()), "acme"),
        ]
    );
    let by = &draft.cells["name"].1;
    assert_eq!(by.version, "1.0.0");
    assert!(house.set().plugins()[0].sha256.starts_with(&by.hash) && by.hash.len() == 12);
}

#[tokio::test]
async fn an_undeclared_column_is_a_fault_that_names_it() {
    let answer = Val::ok(Val::list([set("new_secret", text("x"))]));
    let stop = to_row(vec![writes("opportunity", &["name"])], answer)
        .await
        .unwrap_err();
    assert_eq!(
        (stop.plugin.plugin.as_str(), stop.hook),
        ("acme", "opportunity.to-row")
    );
    assert_eq!(
        stop.to_string(),
        "plugin \"acme\" 1.0.0 asked opportunity.to-row: sets opportunity.new_secret without having declared it; add `writes` of table \
         \"opportunity\", column \"new_secret\" to what `describe` answers"
    );
    assert_eq!(fault(stop).0, FaultKind::Output);
}

#[tokio::test]
async fn malformed_values_are_faults_that_name_the_column() {
    let reference = |id: &str| {
        Val::with(
            "reference",
            Val::rec([Val::s("account"), Val::s(id), Val::none()]),
        )
    };
    for (value, words) in [
        (
            Val::with("decimal", Val::s("12k")),
            "opportunity.name: \"12k\" is no decimal",
        ),
        (
            Val::with("money", money("1,5", "EUR")),
            "opportunity.name: \"1,5\" is no amount",
        ),
        (
            Val::with("money", money("1.5", "eur")),
            "opportunity.name: \"eur\" is no currency",
        ),
        (
            Val::with("date", Val::s("30.09.2026")),
            "opportunity.name: \"30.09.2026\" is no day",
        ),
        (
            Val::with("timestamp", Val::s("2026-09-30")),
            "opportunity.name: \"2026-09-30\" is no moment",
        ),
        (reference("7"), "opportunity.name: \"7\" is no row id"),
        (
            Val::with(
                "row-where",
                Val::rec([
                    Val::s("new_country"),
                    Val::list([Val::rec([Val::s("new_iso2"), Val::s("HU")])]),
                    Val::case("refuse"),
                ]),
            ),
            "looks by new_country.new_iso2 without having declared it",
        ),
    ] {
        let answer = Val::ok(Val::list([set("name", value)]));
        let (kind, message) = fault(
            to_row(vec![writes("opportunity", &["name"])], answer)
                .await
                .unwrap_err(),
        );
        assert_eq!(kind, FaultKind::Output);
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn a_column_with_a_role_is_the_hosts_own() {
    let own = Val::with(
        "brings",
        Val::rec([
            Val::s("opportunity"),
            Val::s("new_link"),
            Val::with("text", Val::s32(200)),
            Val::s("Link"),
            Val::some(Val::s("link")),
        ]),
    );
    let answer = Val::ok(Val::list([set("new_link", text("x"))]));
    let (_, message) = fault(
        to_row(vec![own, writes("opportunity", &["new_link"])], answer)
            .await
            .unwrap_err(),
    );
    assert!(
        message.contains("role `link`: the host fills such columns itself"),
        "{message}"
    );
}

#[tokio::test]
async fn children_carry_the_full_label_and_must_hang_from_a_join() {
    let join = || {
        joins(
            "solutions",
            "opportunity",
            "new_solution",
            Val::with("child", Val::s("new_dealid")),
            &["new_id"],
        )
    };
    let child = |key: &str| {
        Val::rec([
            Val::s(key),
            Val::none(),
            Val::list([Val::rec([Val::s("new_id"), text("SOL-1")])]),
        ])
    };
    let children = |label: &str, rows: Vec<Val>| {
        let children = Val::rec([Val::s(label), Val::list(rows), Val::case("remove")]);
        Val::ok(Val::list([Val::with("children", children)]))
    };
    let needs = || vec![join(), writes("new_solution", &["new_id"])];
    let draft = to_row(needs(), children("solutions", vec![child("SOL-1")]))
        .await
        .unwrap();
    let (given, by) = &draft.children[0];
    assert_eq!(
        (
            given.label.as_str(),
            given.remove_surplus,
            by.plugin.as_str()
        ),
        ("acme/solutions", true, "acme")
    );
    assert_eq!(given.rows[0].cells["new_id"], Cell::Text("SOL-1".into()));
    let (_, message) = fault(
        to_row(needs(), children("products", vec![]))
            .await
            .unwrap_err(),
    );
    assert!(
        message.contains("\"products\", which is none of its joins"),
        "{message}"
    );
    let (_, message) = fault(
        to_row(needs(), children("solutions", vec![child("a"), child("a")]))
            .await
            .unwrap_err(),
    );
    assert!(
        message.contains("two rows under \"solutions\" have the key \"a\""),
        "{message}"
    );
    let (_, message) = fault(
        to_row(vec![join()], children("solutions", vec![child("a")]))
            .await
            .unwrap_err(),
    );
    assert!(
        message.contains("sets new_solution.new_id without having declared it"),
        "{message}"
    );
}

#[tokio::test]
async fn absent_is_not_empty_and_a_refused_unit_is_not_there() {
    let refusal = Val::rec([
        Val::case("help"),
        reason("help-unknown", "Nobody knows this help."),
    ]);
    let stock = Guest::of(&["opportunity"]).named("stock").says(
        "opportunity#to-deal",
        facts([
            Val::with("name", Val::s("Deal")),
            Val::with("notes", Val::none()),
            Val::with("campaign", Val::some(Val::s("FY27"))),
            Val::with("value", Val::some(money("125000.00", "EUR"))),
        ]),
    );
    let acme = Guest::of(&["opportunity"]).named("acme").says(
        "opportunity#to-deal",
        facts([
            Val::with("withdraw", Val::case("campaign")),
            Val::with("refuse", refusal),
        ]),
    );
    let house = House::with(&[
        ("10-stock.wasm", stock.build()),
        ("50-acme.wasm", acme.build()),
    ]);
    let reading = house
        .set()
        .read(&asking(), RecordKind::Opportunity, &seen())
        .await
        .unwrap();
    let units: Vec<_> = reading.units.keys().map(Unit::as_text).collect();
    assert_eq!(units, ["name", "value", "notes"]);
    assert_eq!(reading.units[&Unit::Notes], UnitValue::Text(None));
    assert_eq!(reading.spoken[&Unit::Value].plugin, "stock");
    assert_eq!(reading.refusals[0].unit, Unit::Help);
    assert_eq!(reading.refusals[0].reason.code, "help-unknown");
}

fn address(country: &str) -> Val {
    let none = Val::none;
    Val::with(
        "address",
        Val::rec([
            none(),
            none(),
            Val::some(Val::s("Budapest")),
            none(),
            none(),
            none(),
            Val::some(Val::s(country)),
        ]),
    )
}

#[tokio::test]
async fn the_country_goes_into_the_address_and_the_state_becomes_a_unit() {
    let stock = Guest::of(&["opportunity"])
        .named("stock")
        .says("opportunity#to-deal", facts([address("Hungary")]));
    let country = Guest::of(&["country"])
        .named("country")
        .says("country#to-deal", Val::ok(Val::some(Val::s("HU"))));
    let state = Val::rec([Val::case("lost"), Val::some(Val::s("Price"))]);
    let status = Guest::of(&["status"])
        .named("status")
        .says("status#to-deal", Val::ok(Val::some(state)));
    let house = House::with(&[
        ("1.wasm", stock.build()),
        ("2.wasm", country.build()),
        ("3.wasm", status.build()),
    ]);
    let reading = house
        .set()
        .read(&asking(), RecordKind::Opportunity, &seen())
        .await
        .unwrap();
    let UnitValue::Address(address) = &reading.units[&Unit::Address] else {
        panic!()
    };
    assert_eq!(
        (address.city.as_deref(), address.country.as_deref()),
        (Some("Budapest"), Some("HU"))
    );
    assert_eq!(reading.spoken[&Unit::Address].plugin, "country");
    let UnitValue::State(state) = &reading.units[&Unit::State] else {
        panic!()
    };
    assert_eq!(
        (&state.standing, state.reason.as_deref()),
        (&Standing::Lost, Some("Price"))
    );
}

#[tokio::test]
async fn a_country_that_nobody_could_read_refuses_the_address_alone() {
    let stock = Guest::of(&["opportunity"]).named("stock").says(
        "opportunity#to-deal",
        facts([address("Hungaria"), Val::with("name", Val::s("Deal"))]),
    );
    let house = House::with(&[("1.wasm", stock.build())]);
    let reading = house
        .set()
        .read(&asking(), RecordKind::Opportunity, &seen())
        .await
        .unwrap();
    assert_eq!(
        reading.units.keys().map(Unit::as_text).collect::<Vec<_>>(),
        ["name"]
    );
    assert_eq!(reading.refusals[0].unit, Unit::Address);
    assert_eq!(reading.refusals[0].reason.code, "country-unknown");
    assert!(reading.refusals[0].reason.message.contains("Hungaria"));
}

#[tokio::test]
async fn a_country_code_is_two_capitals_or_a_fault() {
    let stock = Guest::of(&["opportunity"])
        .named("stock")
        .says("opportunity#to-deal", facts([address("Hungary")]));
    let country = Guest::of(&["country"])
        .named("country")
        .says("country#to-deal", Val::ok(Val::some(Val::s("HUN"))));
    let house = House::with(&[("1.wasm", stock.build()), ("2.wasm", country.build())]);
    let stop = house
        .set()
        .read(&asking(), RecordKind::Opportunity, &seen())
        .await
        .unwrap_err();
    assert_eq!(
        (stop.plugin.plugin.as_str(), stop.hook),
        ("country", "country.to-deal")
    );
    assert!(
        fault(stop)
            .1
            .contains("\"HUN\" is no ISO 3166-1 alpha-2 code")
    );
}

#[tokio::test]
async fn the_gate_says_sync_or_skip_and_silence_decides_nothing() {
    let arrival = || cosell_plugins::Arrival {
        origin: Side::Crm,
        deal: None,
        seen: Some(seen()),
        linked: false,
    };
    let gate =
        |answer: Val| Guest::of(&["should-sync"]).says("should-sync#decide", Val::ok(answer));
    let sync = gate(Val::some(Val::with("sync", Val::case("opportunity")))).named("stock");
    let skip = gate(Val::some(Val::with(
        "skip",
        reason("off", "The switch is off."),
    )))
    .named("acme");
    let silent = gate(Val::none()).named("silent");
    let house = House::with(&[
        ("1.wasm", sync.build()),
        ("2.wasm", skip.build()),
        ("3.wasm", silent.build()),
    ]);
    let decided = house
        .set()
        .decide(&asking(), arrival())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(decided.by.plugin, "acme");
    assert!(
        matches!(decided.value, Verdict::Skip(reason) if reason.message == "The switch is off.")
    );
    house.remove("2.wasm").await;
    let decided = house
        .set()
        .decide(&asking(), arrival())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (decided.value, decided.by.plugin.as_str()),
        (Verdict::Sync(RecordKind::Opportunity), "stock")
    );
    house.remove("1.wasm").await;
    assert_eq!(
        house.set().decide(&asking(), arrival()).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_plugin_asks_for_declared_rows_only_and_under_its_own_name() {
    let ask = |column: &str| {
        Val::err(Val::with(
            "ask",
            Val::list([query("users", "systemuser", column, "internalemailaddress")]),
        ))
    };
    let needs = || {
        vec![asks(
            "systemuser",
            &["systemuserid", "internalemailaddress"],
        )]
    };
    let stop = to_row(needs(), ask("systemuserid")).await.unwrap_err();
    let StopKind::Ask(queries) = stop.kind else {
        panic!("{stop}")
    };
    assert_eq!(
        (
            queries[0].label.as_str(),
            queries[0].table.as_str(),
            queries[0].limit
        ),
        ("acme/users", "systemuser", 10)
    );
    let (kind, message) = fault(to_row(needs(), ask("salary")).await.unwrap_err());
    assert_eq!(kind, FaultKind::Output);
    assert!(
        message.contains("query \"users\" touches systemuser.salary without having declared it"),
        "{message}"
    );
}

#[tokio::test]
async fn the_other_endings_are_told_apart() {
    let refuse = Val::err(Val::with(
        "refuse",
        Val::list([reason("country-unknown", "The country is not known.")]),
    ));
    assert!(
        matches!(to_row(vec![], refuse).await.unwrap_err().kind, StopKind::Refuse(reasons) if reasons[0].code == "country-unknown")
    );
    let later = Val::err(Val::with(
        "later",
        Val::rec([Val::s("Waiting for the ERP."), Val::some(Val::s32(60))]),
    ));
    assert!(matches!(
        to_row(vec![], later).await.unwrap_err().kind,
        StopKind::Later {
            seconds: Some(60),
            ..
        }
    ));
    let broken = Val::err(Val::with(
        "fault",
        Val::rec([Val::s("index 3"), Val::some(Val::s("acme.js:7:12"))]),
    ));
    let StopKind::Fault(fault) = to_row(vec![], broken).await.unwrap_err().kind else {
        panic!()
    };
    assert_eq!(
        (fault.kind, fault.trace.as_deref()),
        (FaultKind::Fault, Some("acme.js:7:12"))
    );
    let mute = Val::err(Val::with("refuse", Val::list([])));
    assert!(
        matches!(to_row(vec![], mute).await.unwrap_err().kind, StopKind::Fault(fault) if fault.message.contains("without a reason"))
    );
}

#[tokio::test]
async fn a_mark_is_a_sign_and_no_essay() {
    let report = || Report {
        kind: RecordKind::Opportunity,
        outcome: Outcome::InStep,
        name: "Deal".to_owned(),
        state: cosell_sync::deal::DealState {
            standing: Standing::Accepted,
            reason: None,
        },
    };
    let mark = |mark: &str| {
        Guest::of(&["decorate"])
            .named("mark")
            .says("decorate#mark", Val::ok(Val::some(Val::s(mark))))
    };
    let house = House::with(&[("1.wasm", mark("✔").build())]);
    assert_eq!(
        house
            .set()
            .mark(&asking(), report())
            .await
            .unwrap()
            .unwrap()
            .value,
        "✔"
    );
    let set = house
        .drop_file("1.wasm", mark("all is well with this deal").build())
        .await;
    assert!(
        fault(set.mark(&asking(), report()).await.unwrap_err())
            .1
            .contains("is no sign before a name")
    );
}

#[test]
fn the_needs_of_a_set_are_the_sum_with_full_labels() {
    let one = Guest::of(&["decorate"]).named("one").needs([
        reads("opportunity", &["name"]),
        joins(
            "customer",
            "opportunity",
            "account",
            Val::with("lookup", Val::s("parentaccountid")),
            &["name"],
        ),
        asks("new_country", &["new_iso2"]),
    ]);
    let two = Guest::of(&["decorate"]).named("two").needs([
        reads("opportunity", &["statecode"]),
        joins(
            "customer",
            "opportunity",
            "account",
            Val::with("lookup", Val::s("parentaccountid")),
            &["address1_city"],
        ),
    ]);
    let house = House::with(&[("1.wasm", one.build()), ("2.wasm", two.build())]);
    let set = house.set();
    let needs = set.needs();
    assert_eq!(
        needs.reads["opportunity"]
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["name", "statecode"]
    );
    assert_eq!(
        needs
            .joins
            .iter()
            .map(|join| join.label.as_str())
            .collect::<Vec<_>>(),
        ["one/customer", "two/customer"]
    );
    assert!(needs.steady.contains("new_country"));
}

#[tokio::test]
async fn leads_are_asked_as_leads() {
    let lead = Guest::of(&["lead"])
        .named("lead")
        .needs([writes("lead", &["subject"])])
        .says(
            "lead#to-row",
            Val::ok(Val::list([set("subject", text("Deal"))])),
        )
        .says("lead#to-deal", facts([Val::with("name", Val::s("Deal"))]));
    let house = House::with(&[("1.wasm", lead.build())]);
    let draft = house
        .set()
        .write(&asking(), RecordKind::Lead, &order())
        .await
        .unwrap();
    assert_eq!(draft.cells["subject"].0, Cell::Text("Deal".into()));
    let shown = Seen {
        row: row("lead"),
        related: vec![],
    };
    let reading = house
        .set()
        .read(&asking(), RecordKind::Lead, &shown)
        .await
        .unwrap();
    assert!(reading.units.contains_key(&Unit::Name));
    // Nobody serves opportunities: nobody speaks, nothing is an error.
    assert!(
        house
            .set()
            .read(&asking(), RecordKind::Opportunity, &seen())
            .await
            .unwrap()
            .units
            .is_empty()
    );
}

#[test]
fn two_versions_are_two_sets() {
    let guest = |version: &str| {
        Guest::of(&["decorate"])
            .named("acme")
            .says("plugin#manifest", manifest("acme", version, vec![]))
            .build()
    };
    let hash = |version: &str| {
        House::with(&[("1.wasm", guest(version))])
            .set()
            .hash()
            .to_owned()
    };
    assert_eq!(hash("1.0.0"), hash("1.0.0"));
    assert_ne!(hash("1.0.0"), hash("1.0.1"));
}
