//! Golden examples decide whether a plugin serves.

use crate::guest::{Guest, Val, set, text, writes};
use crate::house::House;

fn guest(expected: Val) -> Guest {
    let case = Val::rec([
        Val::s("A new deal gets its type"),
        Val::s("opportunity.to-row"),
        Val::list([Val::with("fact", Val::with("name", Val::s("Other deal")))]),
        Val::list([expected]),
    ]);
    Guest::of(&["opportunity", "exampled"])
        .named("acme")
        .needs([writes("opportunity", &["new_type"])])
        .says(
            "opportunity#to-row",
            Val::ok(Val::list([set("new_type", text("cosell"))])),
        )
        .says("examples#cases", Val::list([case]))
}

fn sets(value: &str) -> Val {
    Val::with("sets", Val::rec([Val::s("new_type"), text(value)]))
}

#[test]
fn an_example_that_holds_is_counted() {
    let house = House::with(&[("1.wasm", guest(sets("cosell")).build())]);
    let loaded = house.events.try_iter().next().unwrap();
    assert!(
        loaded.message.contains("1 examples passed"),
        "{}",
        loaded.message
    );
}

#[test]
fn an_example_that_fails_keeps_the_plugin_out_with_its_title_and_the_difference() {
    let refusal = House::with(&[("1.wasm", guest(sets("other")).build())]).refusal();
    for words in [
        "[examples/example]",
        "\"A new deal gets its type\" (opportunity.to-row)",
        "expected",
        "other",
        "cosell",
    ] {
        assert!(refusal.contains(words), "{refusal}");
    }
}

#[test]
fn an_example_of_a_hook_that_is_not_served_cannot_be_asked() {
    let case = Val::rec([
        Val::s("Marks"),
        Val::s("decorate.mark"),
        Val::list([]),
        Val::list([]),
    ]);
    let refusal = House::with(&[(
        "1.wasm",
        guest(sets("cosell"))
            .says("examples#cases", Val::list([case]))
            .build(),
    )])
    .refusal();
    assert!(
        refusal.contains("the plugin does not export `decorate`"),
        "{refusal}"
    );
}

#[test]
fn an_example_may_not_answer_what_is_not_declared() {
    let refusal = House::with(&[("1.wasm", guest(sets("cosell")).needs([]).build())]).refusal();
    assert!(
        refusal.contains("sets opportunity.new_type without having declared it"),
        "{refusal}"
    );
}
