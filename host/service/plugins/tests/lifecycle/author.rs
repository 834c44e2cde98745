//! What an author is told about a plugin: its price, what is wrong with it, and the smallest deal that shows it.

use std::path::{Path, PathBuf};

use cosell_plugins::author::{Check, Exam, ExamReport, Finding, Meter, Recorded, Verdict, inspect};
use cosell_plugins::trial::Trial;
use cosell_plugins::{Engine, EngineSettings};
use cosell_sync::deal::{Address, Deal, Unit, UnitValue};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::guest::{Guest, Val, reads};
use crate::scripts::{a_and_b, shared, stock};

const ENGINE: &str = "script.engine.wasm";

/// A folder with a script and the engine that runs it.
fn bench(script: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(ENGINE), stock(ENGINE)).unwrap();
    let path = dir.path().join("50-acme.js");
    std::fs::write(&path, script).unwrap();
    (dir, path)
}

async fn examined(script: &str) -> ExamReport {
    let (_dir, path) = bench(script);
    exam().file(&shared(), &path).await
}

const fn exam() -> Exam {
    Exam {
        seed: 7,
        cases: 40,
        engines: Vec::new(),
    }
}

fn law<'a>(report: &'a ExamReport, law: &str) -> &'a Check {
    report.checks.iter().find(|check| check.law == law).unwrap()
}

/// What fails, in words.
fn failures(report: &ExamReport) -> Vec<String> {
    let findings = report.checks.iter().flat_map(|check| {
        check
            .findings
            .iter()
            .filter(|finding| !finding.is_note)
            .map(|finding| format!("{}: {}: {}", check.law, finding.about, finding.told))
    });
    findings.collect()
}

#[tokio::test]
async fn a_good_script_keeps_every_law() {
    let report = examined(&a_and_b(
        "acme",
        "export const opportunity = {\n\
           toDeal: (ctx, seen) => [{ tag: 'notes', val: text(seen.row, 'a') }],\n\
           toRow: (ctx, order) => [set('a', order.deal.notes)],\n\
         };",
    ))
    .await;
    assert_eq!(failures(&report), Vec::<String>::new());
    assert!(report.is_passed());
    let laws: Vec<_> = report.checks.iter().map(|check| check.law).collect();
    assert_eq!(laws, ["loads", "standard-deal", "total", "round-trip"]);
}

#[test]
fn a_recorded_deal_is_asked_about_as_far_as_it_concerns_the_plugin() {
    let (_dir, path) = bench(&a_and_b(
        "acme",
        "export const opportunity = { toRow: (ctx, order) => [set('a', order.deal.company.address.postalCode.trim())] };",
    ));
    let engine = shared();
    let about = |deal: &Deal, is_asked: &dyn Fn(&str) -> bool| {
        let from = "deal.json".to_owned();
        let recorded = Recorded {
            from,
            deal,
            seen: None,
            is_asked,
        };
        exam().recorded(&engine, &path, &recorded)
    };
    let address = UnitValue::Address(Address {
        postal_code: Some("1117".into()),
        ..Address::default()
    });
    let placed = Deal {
        units: [(Unit::Address, address)].into(),
        ..Deal::default()
    };
    let holds = about(&placed, &|_| true);
    assert_eq!((holds.law, holds.verdict), ("recorded", Verdict::Holds));
    // A customer without a postal code breaks it.
    let fails = about(&Deal::default(), &|_| true);
    assert_eq!(fails.verdict, Verdict::Fails);
    assert_eq!(fails.findings[0].about, "opportunity.to-row");
    assert!(fails.findings[0].told.ends_with("(deal.json)"), "{fails:?}");
    let other = about(&placed, &|question| question.starts_with("lead"));
    assert_eq!(other.verdict, Verdict::Untried);
    assert!(other.findings[0].is_note, "{other:?}");
    std::fs::write(&path, "export const nothing = 1;").unwrap();
    assert_eq!(about(&placed, &|_| true).verdict, Verdict::Untried);
}

#[tokio::test]
async fn a_plugin_that_remembers_is_refused_at_load_with_both_answers() {
    let report = examined(&a_and_b(
        "acme",
        "let asked = 0;\n\
         export const opportunity = { toRow: () => [set('a', `${asked++}`)] };",
    ))
    .await;
    let told = failures(&report);
    assert_eq!(told.len(), 1, "{told:?}");
    for words in [
        "loads: laws: it answers the same question differently",
        "a new instance answers to set a to \"0\"",
        "keep nothing between calls",
    ] {
        assert!(told[0].contains(words), "{words:?} is not in {told:?}");
    }
    assert_eq!(law(&report, "total").verdict, Verdict::Untried);
}

#[tokio::test]
async fn a_strange_deal_that_breaks_it_is_made_small_and_can_be_asked_again() {
    // Breaks over a customer without a postal code.
    let text = a_and_b(
        "acme",
        "export const opportunity = {\n\
           toRow: (ctx, order) => [set('a', order.deal.company.address.postalCode.trim())],\n\
         };",
    );
    let report = examined(&text).await;
    let broken = &law(&report, "total").findings;
    let [
        Finding {
            about, told, input, ..
        },
    ] = broken.as_slice()
    else {
        panic!("{broken:?}");
    };
    assert_eq!(about, "opportunity.to-row");
    assert!(told.contains("50-acme.js:"), "with its place: {told}");
    let input = input.as_ref().unwrap();
    assert_eq!(
        input["given"].as_array().unwrap().len(),
        1,
        "nothing but the address: {input}"
    );
    assert_eq!(input["given"][0]["val"]["tag"], "address");

    let again = examined(&text).await;
    assert_eq!(
        law(&again, "total").findings[0].input.as_ref(),
        Some(input),
        "the same seed finds the same"
    );

    let (_dir, path) = bench(&text);
    let trial = Trial::load(&shared(), &path).unwrap();
    let cases = trial.cases_of(input, None).unwrap();
    let measured = trial.measure(&cases[0], None).unwrap();
    assert_eq!(measured.fault.unwrap().message, *told);
}

#[tokio::test]
async fn an_undeclared_column_on_a_rare_path_is_found() {
    let report = examined(&a_and_b(
        "acme",
        "export const opportunity = {\n\
           toRow: (ctx, order) => [set(order.deal.contacts.length > 20 ? 'c' : 'a', 'x')],\n\
         };",
    ))
    .await;
    assert_eq!(law(&report, "standard-deal").verdict, Verdict::Holds);
    let told = failures(&report);
    assert!(
        told.len() == 1
            && told[0].contains("total: opportunity.to-row: ")
            && told[0].contains("opportunity.c"),
        "{told:?}"
    );
}

#[tokio::test]
async fn what_is_written_into_one_column_and_read_from_another_is_told() {
    let report = examined(&a_and_b(
        "acme",
        "export const opportunity = {\n\
           toDeal: (ctx, seen) => [{ tag: 'notes', val: text(seen.row, 'b') }],\n\
           toRow: (ctx, order) => [set('a', order.deal.notes)],\n\
         };",
    ))
    .await;
    let told = failures(&report);
    assert!(
        told.len() == 1
            && told[0].starts_with("round-trip: opportunity there and back: notes is written")
            && told[0].contains("read back as empty by \"acme\""),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_unit_that_another_column_feeds_is_no_failure() {
    let report = examined(&a_and_b(
        "acme",
        "export const opportunity = {\n\
           toDeal: (ctx, seen) => [{ tag: 'notes', val: text(seen.row, 'b') }],\n\
           toRow: () => [],\n\
         };",
    ))
    .await;
    assert!(report.is_passed(), "{:?}", failures(&report));
}

#[tokio::test]
async fn a_cut_is_a_note_and_what_grows_at_every_trip_a_failure() {
    let mapping = |to_row: &str| {
        a_and_b(
            "acme",
            &format!(
                "export const opportunity = {{\n\
               toDeal: (ctx, seen) => [{{ tag: 'notes', val: text(seen.row, 'a') }}],\n\
               toRow: (ctx, order) => [set('a', {to_row})],\n\
             }};"
            ),
        )
    };
    let cut = examined(&mapping("(order.deal.notes ?? '').slice(0, 5)")).await;
    assert!(cut.is_passed(), "{:?}", failures(&cut));
    let notes = &law(&cut, "round-trip").findings;
    assert!(
        notes[0].is_note && notes[0].told.contains("and stays so"),
        "{notes:?}"
    );

    let grows = examined(&mapping("`${order.deal.notes ?? ''}!`")).await;
    let told = failures(&grows);
    assert!(told[0].contains("it would be written for ever"), "{told:?}");
}

#[tokio::test]
async fn a_state_and_a_country_come_back_as_they_went() {
    let report = examined(
        "export const plugin = {\n\
           manifest: () => ({ id: 'acme', version: '1.0.0', summary: 'A script.' }),\n\
           describe: () => [\n\
             { tag: 'reads', val: { table: 'opportunity', columns: ['statecode', 'statuscode'] } },\n\
             { tag: 'joins', val: { label: 'account', above: 'opportunity', table: 'account', via: { tag: 'lookup', val: 'x' }, columns: ['land'] } },\n\
             { tag: 'writes', val: { table: 'account', columns: ['land'] } },\n\
           ],\n\
         };\n\
         const code = (row, column) => new Map(row.cells).get(column)?.val?.code;\n\
         export const status = {\n\
           toDeal: (ctx, seen) => ({ standing: { tag: code(seen.row, 'statecode') === 0 ? 'accepted' : 'won' } }),\n\
           toRow: (ctx, order) => ({ accepted: { statecode: 0, statuscode: 1 }, won: { statecode: 1, statuscode: 3 }, lost: { statecode: 2, statuscode: 4 } })[order.deal.state.standing.tag],\n\
         };\n\
         export const country = {\n\
           toDeal: (ctx, seen) => { const land = new Map(seen.related[0].rows[0]?.cells).get('land'); return land?.tag === 'text' && /^[A-Z]{2}$/.test(land.val) ? land.val : undefined; },\n\
           toRow: (ctx, order) => order.table === 'account' ? [{ tag: 'set', val: ['land', { tag: 'text', val: order.code === 'US' ? 'DE' : order.code }] }] : [],\n\
         };\n",
    )
    .await;
    assert_eq!(
        failures(&report),
        [
            "round-trip: status of opportunity there and back: Lost is written as state 2, status 4, and that is read as Won",
            "round-trip: country there and back: US is written, and \"DE\" is read back",
        ]
    );
}

#[tokio::test]
async fn a_folder_is_tried_as_the_chain_that_it_is() {
    let (dir, _) = bench(&a_and_b(
        "acme",
        "export const opportunity = { toRow: (ctx, order) => [set('a', order.deal.notes)] };",
    ));
    let other = a_and_b("acme", 
        "export const opportunity = { toDeal: (ctx, seen) => [{ tag: 'notes', val: text(seen.row, 'b') }] };",
    )
    .replace("'acme'", "'other'");
    std::fs::write(dir.path().join("60-other.js"), other).unwrap();
    let report = exam().folder(&shared(), dir.path()).await.unwrap();
    let told = failures(&report);
    assert!(
        told.len() == 1 && told[0].contains("read back as empty by \"other\""),
        "neither is wrong alone: {told:?}"
    );
    // Switched off, nobody asks it in the folder, and so it is no part of the chain.
    std::fs::write(dir.path().join("60-other.toml"), "enabled = false").unwrap();
    let report = exam().folder(&shared(), dir.path()).await.unwrap();
    assert_eq!(failures(&report), [""; 0]);
    let of_other: Vec<_> = report
        .checks
        .iter()
        .filter(|check| check.file == "60-other.js")
        .flat_map(|check| &check.findings)
        .collect();
    assert!(
        of_other.len() == 1 && of_other[0].told.contains("switched off"),
        "{of_other:?}"
    );
    let empty = tempfile::tempdir().unwrap();
    let refused = exam().folder(&shared(), empty.path()).await.unwrap_err();
    assert!(
        refused.to_string().contains("nothing in it is a plugin"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_refused_file_is_told_as_the_folder_tells_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("50-acme.wasm");
    std::fs::write(&path, b"junk").unwrap();
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let report = exam().file(&engine, &path).await;
    assert!(!report.is_passed());
    let told = failures(&report);
    assert!(
        told[0].starts_with("loads: scan: this is not WebAssembly"),
        "{told:?}"
    );
}

#[test]
fn the_cost_of_a_question_is_the_same_each_time_and_grows_with_the_work() {
    let cost = |body: &str| {
        let (_dir, path) = bench(&a_and_b(
            "acme",
            &format!("export const opportunity = {{ toRow: () => {{ {body} return []; }} }};"),
        ));
        let trial = Trial::load(&shared(), &path).unwrap();
        let meter = Meter::load(&trial, &path, &[]).unwrap();
        let case = trial.standard_case("opportunity.to-row");
        let measured = trial.measure(&case, Some(&meter)).unwrap();
        assert!(
            measured.is_good() && measured.memory_bytes > 0,
            "{measured:?}"
        );
        measured.cost.unwrap()
    };
    let (once, again) = (cost(""), cost(""));
    assert_eq!(once, again, "on two engines");
    assert!(cost("for (let i = 0; i < 1000; i++);") > once + 1_000);
}

#[test]
fn an_input_is_an_example_and_its_expectations_are_judged() {
    let (_dir, path) = bench(&a_and_b(
        "acme",
        "export const opportunity = {\n\
           toRow(ctx, order) { console.log('asked'); return [set('a', order.deal.notes)]; },\n\
         };",
    ));
    let trial = Trial::load(&shared(), &path).unwrap();
    let input = json!({
        "title": "notes are kept",
        "given": [{ "tag": "fact", "val": { "tag": "notes", "val": "ours" } }],
        "expect": [
            { "tag": "sets", "val": ["a", { "tag": "text", "val": "ours" }] },
            { "tag": "sets", "val": ["b", { "tag": "text", "val": "theirs" }] },
        ],
    });
    let cases = trial.cases_of(&input, Some("opportunity.to-row")).unwrap();
    let measured = trial.measure(&cases[0], None).unwrap();
    assert_eq!(measured.title.as_deref(), Some("notes are kept"));
    assert_eq!(measured.says, "to set a to \"ours\"");
    assert_eq!(measured.unmet, ["to set b to \"theirs\""]);
    assert_eq!(measured.log, ["info: asked"]);
    assert_eq!(
        measured.answer,
        Some(json!([{ "tag": "set", "val": ["a", { "tag": "text", "val": "ours" }] }]))
    );
    assert!(!measured.is_good());

    let wrong = |input: Value| trial.cases_of(&input, None).err().unwrap();
    let why = wrong(json!({ "asks": "opportunity.to-row", "given": [{ "tag": "fakt" }] }));
    assert!(
        why.contains("\"fakt\" is unknown here") && why.contains(".given[0]"),
        "{why}"
    );
    let why = wrong(json!({
        "asks": "opportunity.to-row",
        "given": [{ "tag": "setting", "val": ["colour", { "tag": "text", "val": "red" }] }],
    }));
    assert!(why.contains("\"colour\""), "{why}");
}

/// A component with one more custom section.
fn with_section(mut component: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = vec![u8::try_from(name.len()).unwrap()];
    body.extend(name.as_bytes());
    body.extend(data);
    component.push(0);
    let mut length = body.len();
    loop {
        let low = u8::try_from(length & 0x7f).unwrap();
        length >>= 7;
        component.push(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            break;
        }
    }
    component.extend(body);
    component
}

fn silent() -> Vec<u8> {
    Guest::of(&["opportunity"])
        .named("acme")
        .needs([reads("opportunity", &["name"])])
        .says("opportunity#to-deal", Val::ok(Val::list([])))
        .says("opportunity#to-row", Val::ok(Val::list([])))
        .build()
}

fn file(dir: &Path, bytes: &[u8]) -> PathBuf {
    let path = dir.join("50-acme.wasm");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_stamped_manifest_is_read_without_running_and_has_to_be_the_plugins_own() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let path = file(dir.path(), &silent());
    let manifest = cosell_plugins::author::manifest(&engine, &path).unwrap();
    assert_eq!(manifest["id"], "acme");

    let stamped = with_section(silent(), Trial::STAMP, manifest.to_string().as_bytes());
    let stamped = with_section(stamped, "licenses", b"MIT");
    let inspection = inspect(&engine, &file(dir.path(), &stamped), &[]);
    assert!(inspection.report.is_good(), "{}", inspection.report);
    assert_eq!(inspection.stamps.manifest, Some(manifest.clone()));
    assert_eq!(inspection.stamps.metadata["licenses"], "MIT");

    let mut other = manifest;
    other["version"] = "9.9.9".into();
    let forged = with_section(silent(), Trial::STAMP, other.to_string().as_bytes());
    let inspection = inspect(&engine, &file(dir.path(), &forged), &[]);
    let why = inspection.report.verdict.unwrap_err().to_string();
    assert!(
        why.contains("version: \"9.9.9\" is stamped in, and \"1.0.0\" is answered"),
        "{why}"
    );
    assert_eq!(
        inspection.stamps.manifest.unwrap()["version"],
        "9.9.9",
        "what it says is shown all the same"
    );
}

#[test]
fn a_stamp_that_is_no_manifest_stops_nothing_and_steers_no_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let mut odd = with_section(silent(), Trial::STAMP, b"{\xff");
    odd = with_section(odd, "authors", b"\x1b[2Jme\n");
    odd = with_section(odd, "description", &vec![b'x'; 100_000]);
    let inspection = inspect(&engine, &file(dir.path(), &odd), &[]);
    assert!(inspection.report.is_good(), "{}", inspection.report);
    assert_eq!(inspection.stamps.manifest, None);
    assert_eq!(inspection.stamps.metadata["authors"], " [2Jme ");
    assert!(!inspection.stamps.metadata.contains_key("description"));
}
