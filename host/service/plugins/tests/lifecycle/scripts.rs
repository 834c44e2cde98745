//! A `.js` file in the folder is a plugin: loaded, asked, limited, refused and replaced as a component is.
//!
//! The engine is the stock one, as `cargo xtask plugins` builds it.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cosell_plugins::{
    CheckReport, Engine, EngineSettings, FaultKind, Hook, Order, Stop, StopKind, check_file,
};
use cosell_sync::deal::{Money, Unit, UnitValue};
use cosell_sync::row::{Cell, RecordKind, Related, Seen};

use crate::guest::{Guest, Val};
use crate::house::{House, asking, deal, row, seen};

const ENGINE: &str = "script.engine.wasm";
const FILE: &str = "50-acme.js";

/// An engine that `cargo xtask plugins` has built.
pub(crate) fn stock(engine: &str) -> Vec<u8> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = target.parent().unwrap().join("engines").join(engine);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; build the engines first: cargo xtask wasm-c && cargo xtask plugins",
            path.display()
        )
    })
}

/// A script that reads and writes `a` and `b` of the opportunity, with these hooks.
pub(crate) fn a_and_b(id: &str, hooks: &str) -> String {
    format!(
        "export const plugin = {{\n\
           manifest: () => ({{ id: '{id}', version: '1.0.0', summary: 'A script.' }}),\n\
           describe: () => [\n\
             {{ tag: 'reads', val: {{ table: 'opportunity', columns: ['a', 'b'] }} }},\n\
             {{ tag: 'writes', val: {{ table: 'opportunity', columns: ['a', 'b'] }} }},\n\
           ],\n\
         }};\n\
         const text = (row, column) => {{\n\
           const value = new Map(row.cells).get(column);\n\
           return value?.tag === 'text' ? value.val : undefined;\n\
         }};\n\
         const set = (column, text) =>\n\
           ({{ tag: 'set', val: [column, text === undefined ? {{ tag: 'empty' }} : {{ tag: 'text', val: text }}] }});\n\
         {hooks}\n"
    )
}

fn example() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../examples/script");
    std::fs::read(folder.join(FILE)).unwrap()
}

/// One for all tests that run scripts or tables: what they wait for is the compiler, and it has to work only once.
pub(crate) fn shared() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE
        .get_or_init(|| Engine::new(EngineSettings::default()).unwrap())
        .clone()
}

/// A plugin that comes before and states an address, so that a country has where to stand.
pub(crate) fn states_an_address() -> Vec<u8> {
    let address = Val::rec(std::array::from_fn::<_, 7, _>(|_| Val::none()));
    Guest::of(&["opportunity"])
        .named("stock")
        .says(
            "opportunity#to-deal",
            Val::ok(Val::list([Val::with("address", address)])),
        )
        .says("opportunity#to-row", Val::ok(Val::list([])))
        .build()
}

/// A house with the engine and this script.
fn house(script: impl AsRef<[u8]>) -> House {
    let files = [(ENGINE, stock(ENGINE)), (FILE, script.as_ref().to_vec())];
    House::with_engine(&files, shared())
}

/// A script of version 1.0.0 that serves `opportunity.toDeal` with this body.
fn reads(body: &str) -> String {
    script("1.0.0", body)
}

fn script(version: &str, body: &str) -> String {
    format!(
        "export const plugin = {{ manifest: () => ({{ id: 'acme', version: '{version}', summary: 'A script.' }}) }};\n\
         export const opportunity = {{\n  toDeal(ctx, seen, draft) {{\n{body}\n  }}\n}};\n"
    )
}

async fn units(house: &House) -> Result<Vec<(Unit, UnitValue)>, Stop> {
    let set = house.set();
    let reading = set
        .read(&asking(), RecordKind::Opportunity, &seen())
        .await?;
    Ok(reading.units.into_iter().collect())
}

async fn fault(house: &House) -> (FaultKind, String, String) {
    match units(house).await.unwrap_err().kind {
        StopKind::Fault(fault) => (fault.kind, fault.message, fault.trace.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

fn name(text: &str) -> Vec<(Unit, UnitValue)> {
    vec![(Unit::Name, UnitValue::Text(Some(text.to_owned())))]
}

#[tokio::test]
async fn the_example_is_put_into_service_and_maps_both_ways() {
    let files = [
        ("10-stock.wasm", states_an_address()),
        (ENGINE, stock(ENGINE)),
        (FILE, example()),
    ];
    let house = House::with_engine(&files, shared());
    assert_eq!(
        house.serving(),
        ["stock 1.0.0", "acme-script 1.0.0"],
        "{:#?}",
        house.folder.refused()
    );
    let set = house.set();
    assert_eq!(set.plugins()[1].hooks, [Hook::Opportunity, Hook::Country]);

    let mut opportunity = seen();
    opportunity.row.cells.insert(
        "new_dealvalue".to_owned(),
        Cell::Money(Money {
            amount: "12.50".parse().unwrap(),
            currency: "EUR".to_owned(),
        }),
    );
    let mut country = row("new_country");
    country
        .cells
        .insert("new_iso2".to_owned(), Cell::Text("AT".to_owned()));
    let labels: Vec<_> = set
        .needs()
        .joins
        .iter()
        .map(|join| join.label.clone())
        .collect();
    opportunity.related = labels
        .into_iter()
        .filter(|label| label.ends_with("account-country"))
        .map(|label| Related {
            label,
            rows: vec![country.clone()],
        })
        .collect();
    let reading = set
        .read(&asking(), RecordKind::Opportunity, &opportunity)
        .await
        .unwrap();
    assert_eq!(
        reading.units.get(&Unit::Value),
        Some(&UnitValue::Money(Some(Money {
            amount: "12.50".parse().unwrap(),
            currency: "EUR".to_owned(),
        })))
    );
    let address = format!("{:?}", reading.units.get(&Unit::Address));
    assert!(address.contains("AT"), "{reading:?}");
    let order = Order {
        deal: deal(),
        ..Order::default()
    };
    let draft = set
        .write(&asking(), RecordKind::Opportunity, &order)
        .await
        .unwrap();
    let cell = |column: &str| draft.cells.get(column).map(|cell| format!("{cell:?}"));
    assert!(
        cell("new_dealtype").unwrap().contains("co-sell"),
        "{draft:?}"
    );
    assert!(
        cell("new_dealvalue").unwrap().contains("Empty"),
        "{draft:?}"
    );
}

#[tokio::test]
async fn a_script_serves_the_hooks_that_it_exports_and_no_others() {
    let house = house(reads("return [{ tag: 'name', val: 'by a script' }];"));
    assert_eq!(house.set().plugins()[0].hooks, [Hook::Opportunity]);
    assert_eq!(units(&house).await.unwrap(), name("by a script"));
}

#[tokio::test]
async fn a_mistake_in_the_text_is_told_with_file_line_and_column() {
    let house = house("export const plugin = {\n  manifest() { return 1 + ; },\n};\n");
    let refusal = house.refusal();
    assert!(
        refusal.starts_with("[scan/source] it has mistakes: 50-acme.js:2:27: SyntaxError"),
        "{refusal}"
    );
    let beside = std::fs::read_to_string(house.path("50-acme.js.rejected.json")).unwrap();
    assert!(beside.contains("50-acme.js:2:27: SyntaxError"), "{beside}");
}

#[tokio::test]
async fn names_that_nobody_asks_are_mistakes_with_their_place() {
    let text = format!(
        "{}export const oportunity = {{}};\nexport const country = {{ toDael() {{}} }};\n",
        reads("return [];")
    );
    let refusal = house(text).refusal();
    assert!(
        refusal.contains("50-acme.js:7:14: exports `oportunity`, which nobody asks"),
        "{refusal}"
    );
    assert!(
        refusal.contains("50-acme.js:8:14: nobody asks `country.toDael`; there are toDeal, toRow"),
        "{refusal}"
    );
}

#[tokio::test]
async fn an_error_while_a_deal_is_read_is_told_with_file_line_and_column() {
    let house = house(reads(
        "    const address = undefined;\n    return address.city;",
    ));
    let (kind, message, trace) = fault(&house).await;
    assert_eq!(kind, FaultKind::Fault);
    assert!(
        message.starts_with("50-acme.js:5:12: TypeError: "),
        "{message}"
    );
    assert!(trace.contains("toDeal (50-acme.js:5:12)"), "{trace}");
}

#[tokio::test]
async fn an_answer_of_the_wrong_shape_is_told_with_its_place_in_script_and_answer() {
    for (body, words) in [
        (
            "return [{ tag: 'nmae', val: 'x' }];",
            "[0]: \"nmae\" is unknown here; there are name, value, close-date",
        ),
        (
            "return [{ tag: 'value', val: { amount: 12.5, currency: 'EUR' } }];",
            "[0].val.amount: a text is wanted here, and there is the number 12.5",
        ),
        (
            "return [{ tag: 'value', val: { amount: '1', curency: 'EUR' } }];",
            "[0].val: `curency` is unknown here; there are amount, currency",
        ),
        (
            "return 5;",
            "a list is wanted here, and there is the number 5",
        ),
        ("const a = []; a.push(a); return a;", "circular"),
    ] {
        let (kind, message, _) = fault(&house(reads(body))).await;
        assert_eq!(kind, FaultKind::Fault);
        assert!(message.contains(words), "{words:?} is not in {message}");
        assert!(message.starts_with("50-acme.js:"), "{message}");
    }
}

#[tokio::test]
async fn a_thrown_stop_is_one_and_leaves_from_anywhere() {
    let house = house(reads(
        "const stop = () => { throw { tag: 'refuse', val: [{ code: 'no-owner', message: 'Nobody owns it.' }] }; };\nstop();",
    ));
    match units(&house).await.unwrap_err().kind {
        StopKind::Refuse(reasons) => assert_eq!(reasons[0].code, "no-owner"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_script_knows_no_time_but_the_questions_no_chance_and_no_evaluation() {
    let house = house(reads(
        "const tried = (what) => { try { what(); return 'yes'; } catch (error) { return error.name; } };\n\
         const name = [\n\
           new Date().toISOString(), String(Date.now() === Date.parse(ctx.now)), new Date(0).getTime(),\n\
           typeof Math.random, typeof eval, typeof performance,\n\
           tried(() => new Function('return 1')()), tried(() => (() => {}).constructor('return 1')()),\n\
           tried(() => { globalThis.kept = 1; }), typeof require, typeof fetch, typeof setTimeout,\n\
         ].join(' ');\n\
         return [{ tag: 'name', val: name }];",
    ));
    let expected = "2026-09-30T14:05:00.000Z true 0 undefined undefined undefined EvalError EvalError TypeError undefined undefined undefined";
    assert_eq!(units(&house).await.unwrap(), name(expected));
}

#[tokio::test]
async fn at_its_top_level_a_script_has_no_time_and_can_import_nothing() {
    let refusal = house("const loaded = new Date();\n").refusal();
    assert!(refusal.contains("50-acme.js:1:"), "{refusal}");
    assert!(
        refusal.contains("there is no time outside a question"),
        "{refusal}"
    );
    let refusal = house("import fs from 'fs';\nexport const plugin = {};\n").refusal();
    assert!(refusal.contains("50-acme.js"), "{refusal}");
    assert!(refusal.contains("fs"), "{refusal}");
}

#[tokio::test]
async fn a_loop_and_a_hunger_for_memory_are_stopped() {
    let began = Instant::now();
    let looping = house(reads("for (;;) {}"));
    let (kind, message, _) = fault(&looping).await;
    assert_eq!(kind, FaultKind::Timeout, "{message}");
    assert!(message.contains("look for a loop"), "{message}");
    assert!(began.elapsed() < Duration::from_secs(30));

    let hungry = House::with_engine(
        &[
            (ENGINE, stock(ENGINE)),
            (
                FILE,
                reads("const all = []; for (;;) all.push(new Array(100000).fill(1));").into_bytes(),
            ),
            (
                "50-acme.toml",
                b"[limits]\ncall_ms = 1000\nmemory_mb = 24".to_vec(),
            ),
        ],
        shared(),
    );
    let (kind, message, _) = fault(&hungry).await;
    assert_eq!(kind, FaultKind::Memory, "{message}");

    let at_load = house("for (;;) {}").refusal();
    assert!(at_load.starts_with("[scan/timeout]"), "{at_load}");
}

#[tokio::test]
async fn a_recursion_is_an_error_with_its_place_and_the_next_call_is_answered() {
    let house = house(reads(
        "const down = (n) => down(n + 1) + 1;\nif (ctx.language === 'deep') down(0);\nreturn [{ tag: 'name', val: 'up' }];",
    ));
    let deep = cosell_plugins::Asking::new(asking().now, "deep");
    let stop = house
        .set()
        .read(
            &deep,
            RecordKind::Opportunity,
            &Seen {
                row: row("opportunity"),
                related: vec![],
            },
        )
        .await
        .unwrap_err();
    match stop.kind {
        StopKind::Fault(fault) => {
            assert!(fault.message.contains("50-acme.js:4:"), "{}", fault.message)
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(units(&house).await.unwrap(), name("up"));
}

#[tokio::test]
async fn a_bad_edit_keeps_the_old_version_and_a_good_one_replaces_it() {
    let house = house(script("1.0.0", "return [{ tag: 'name', val: 'first' }];"));
    house.drop_file(FILE, "export const plugin = ;").await;
    assert_eq!(units(&house).await.unwrap(), name("first"));
    assert_eq!(house.folder.refused().len(), 1);
    house
        .drop_file(
            FILE,
            script("1.1.0", "return [{ tag: 'name', val: 'second' }];"),
        )
        .await;
    assert_eq!(units(&house).await.unwrap(), name("second"));
    assert_eq!(house.serving(), ["acme 1.1.0"]);
    assert!(!house.path("50-acme.js.rejected.json").exists());
    house.remove(FILE).await;
    assert_eq!(house.serving(), [""; 0]);
    assert_eq!(
        house.happened(),
        [
            "loaded 50-acme.js",
            "swapped 1",
            "refused 50-acme.js",
            "kept 50-acme.js",
            "loaded 50-acme.js",
            "swapped 2",
            "retired 50-acme.js",
            "swapped 3",
        ]
    );
}

#[tokio::test]
async fn a_failing_example_keeps_a_script_out() {
    let text = format!(
        "{}export const examples = {{ cases: () => [{{ title: 'names', asks: 'opportunity.to-deal', given: [], \
         expect: [{{ tag: 'states', val: {{ tag: 'name', val: 'else' }} }}] }}] }};\n",
        reads("return [{ tag: 'name', val: 'x' }];")
    );
    let refusal = house(text).refusal();
    assert!(refusal.starts_with("[examples/example]"), "{refusal}");
}

#[tokio::test]
async fn a_new_version_that_fails_over_deals_is_rolled_back() {
    let house = house(script("1.0.0", "return [{ tag: 'name', val: 'first' }];"));
    let set = house
        .drop_file(FILE, script("2.0.0", "throw new Error('no such table');"))
        .await;
    for about in 0..5 {
        let asking = cosell_plugins::Asking { about, ..asking() };
        let answer = set.read(&asking, RecordKind::Opportunity, &seen()).await;
        assert!(answer.is_err());
    }
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    let refusal = house.refusal();
    assert!(refusal.starts_with("[service/quarantined]"), "{refusal}");
    assert!(refusal.contains("Error: no such table"), "{refusal}");
}

#[tokio::test]
async fn without_its_engine_a_script_waits_and_comes_with_it() {
    let house = House::with_engine(
        &[(
            FILE,
            reads("return [{ tag: 'name', val: 'x' }];").into_bytes(),
        )],
        shared(),
    );
    let refusal = house.refusal();
    assert!(
        refusal.starts_with("[read/no-engine] script.engine.wasm"),
        "{refusal}"
    );
    house.drop_file(ENGINE, stock(ENGINE)).await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert!(house.folder.refused().is_empty());
}

#[tokio::test]
async fn an_engine_is_no_plugin_and_another_component_no_engine() {
    let house = House::with(&[("10-script.wasm", stock(ENGINE))]);
    let refusal = house.refusal();
    assert!(refusal.contains("it is an engine"), "{refusal}");
    let other = Guest::of(&["opportunity"]).named("acme").build();
    let house = House::with(&[(ENGINE, other), (FILE, reads("return [];").into_bytes())]);
    let refusal = house.refusal();
    assert!(
        refusal.contains("script.engine.wasm is no engine"),
        "{refusal}"
    );
}

#[test]
fn a_script_is_checked_as_a_component_is() {
    let dir = tempfile::tempdir().unwrap();
    let check = |text: Vec<u8>| -> CheckReport {
        std::fs::write(dir.path().join(ENGINE), stock(ENGINE)).unwrap();
        std::fs::write(dir.path().join(FILE), text).unwrap();
        check_file(&shared(), &dir.path().join(FILE))
    };
    let report = check(example());
    assert!(report.is_good(), "{report}");
    let text = report.to_string();
    for words in [
        "acme-script 1.0.0",
        "hooks     opportunity, country",
        "setting   deal-type: What every new opportunity gets",
        "examples  2 passed",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    let report = check(reads("return ctx.nothing.at.all;").into_bytes());
    assert!(
        report
            .to_string()
            .contains("opportunity.to-deal: 50-acme.js:4:"),
        "{report}"
    );
}
