//! Values of the contract in JavaScript's shape and back, and a script asked without a host.
#![allow(
    clippy::unwrap_used,
    reason = "a helper of a test fails as a test does"
)]

use plugin_script::bindings::cosell::mapping::types::{
    Category, Change, Context, Fact, IfMissing, Money, RowKey, Stop, Value,
};
use plugin_script::script::Script;
use plugin_script::{answer, hear, speak};

fn changes() -> Vec<Change> {
    vec![
        Change::Set(("a".to_owned(), Value::Text("\"quoted\"\n\u{1}é".to_owned()))),
        Change::Set(("b".to_owned(), Value::Empty)),
        Change::Set((
            "c".to_owned(),
            Value::RowWhere(RowKey {
                table: "t".to_owned(),
                parts: vec![("k".to_owned(), "v".to_owned())],
                if_missing: IfMissing::LeaveOut,
            }),
        )),
        Change::Withdraw("d".to_owned()),
    ]
}

#[test]
fn records_variants_enums_and_tuples_have_the_shape_of_javascript() {
    assert_eq!(
        speak::json(&changes()).unwrap(),
        "[{\"tag\":\"set\",\"val\":[\"a\",{\"tag\":\"text\",\"val\":\"\\\"quoted\\\"\\n\\u0001é\"}]},\
         {\"tag\":\"set\",\"val\":[\"b\",{\"tag\":\"empty\"}]},\
         {\"tag\":\"set\",\"val\":[\"c\",{\"tag\":\"row-where\",\"val\":{\"table\":\"t\",\"parts\":[[\"k\",\"v\"]],\"ifMissing\":\"leave-out\"}}]},\
         {\"tag\":\"withdraw\",\"val\":\"d\"}]"
    );
    assert_eq!(speak::json(&Category::CoSell).unwrap(), "\"co-sell\"");
    assert_eq!(speak::json(&None::<String>), None);
    let facts = vec![Fact::Value(None), Fact::Notes(Some("n".to_owned()))];
    assert_eq!(
        speak::json(&facts).unwrap(),
        "[{\"tag\":\"value\"},{\"tag\":\"notes\",\"val\":\"n\"}]"
    );
}

#[test]
fn what_is_spoken_is_heard_as_it_was() {
    let json = speak::json(&changes()).unwrap();
    let heard: Vec<Change> = hear::read(Some(&serde_json::from_str(&json).unwrap())).unwrap();
    assert_eq!(heard, changes());
}

#[test]
fn a_mistake_is_told_with_its_place() {
    let mistake = |json: &str| {
        let value = serde_json::from_str(json).unwrap();
        hear::read::<Vec<Change>>(Some(&value))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        mistake("[{\"tag\":\"withdraw\",\"val\":\"a\"},{\"tag\":\"set\",\"val\":[\"a\"]}]"),
        "[1].val: a list of exactly 2 is wanted here, and there is a list"
    );
    assert_eq!(
        mistake("[{\"tag\":\"set\",\"val\":[\"a\",{\"tag\":\"integer\",\"val\":3000000000}]}]"),
        "[0].val[1].val: a number from -2147483648 to 2147483647 is wanted here, and there is the number 3000000000"
    );
    assert_eq!(
        mistake("[{\"tag\":\"set\",\"val\":[\"a\",{\"tag\":\"empty\",\"val\":1}]}]"),
        "[0].val[1]: \"empty\" carries no val"
    );
}

#[test]
fn a_script_is_asked_without_a_host() {
    let text = "export const plugin = { manifest() {} };\n\
                export const opportunity = {\n  async toDeal(ctx) { return [{ tag: 'value', val: { amount: '1', currency: ctx.language } }]; },\n\
                  toRow() { throw { tag: 'later', val: { message: 'soon' } }; },\n};\n";
    let script = Script::load("a.js", text, |_, _| {}).unwrap();
    assert_eq!(script.served(), ["opportunity"]);
    let ctx = Context {
        now: "2026-09-30T14:05:00Z".to_owned(),
        language: "EUR".to_owned(),
        settings: Vec::new(),
        found: Vec::new(),
        more: Vec::new(),
    };
    let given = [speak::json(&ctx)];
    let facts: Vec<Fact> = answer::ask(&script, "opportunity", "to-deal", &ctx, &given).unwrap();
    let money = Money {
        amount: "1".to_owned(),
        currency: "EUR".to_owned(),
    };
    assert_eq!(facts, [Fact::Value(Some(money))]);
    let stop = answer::ask::<Vec<Change>>(&script, "opportunity", "to-row", &ctx, &given);
    assert!(matches!(stop, Err(Stop::Later(later)) if later.message == "soon"));
}
