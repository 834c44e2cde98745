//! What the folder takes, and what it says about the rest.

use crate::guest::{Does, Guest, Val, manifest, reads, reason, text_setting};
use crate::house::House;

fn refusal(bytes: Vec<u8>) -> String {
    House::with(&[("50-acme.wasm", bytes)]).refusal()
}

#[track_caller]
fn says(refusal: &str, words: &[&str]) {
    for word in words {
        assert!(refusal.contains(word), "{word:?} is not in: {refusal}");
    }
}

#[test]
fn a_good_component_is_put_into_service() {
    let house = House::with(&[(
        "50-acme.wasm",
        Guest::of(&["decorate", "opportunity"])
            .named("acme")
            .build(),
    )]);
    let set = house.set();
    assert_eq!(set.generation(), 1);
    let plugin = &set.plugins()[0];
    assert_eq!(
        (
            plugin.id.as_str(),
            plugin.version.as_str(),
            plugin.file.as_str()
        ),
        ("acme", "1.0.0", "50-acme.wasm")
    );
    let hooks: Vec<_> = plugin.hooks.iter().map(|hook| hook.as_str()).collect();
    assert_eq!(hooks, ["opportunity", "decorate"]);
    assert_eq!(house.happened(), ["loaded 50-acme.wasm", "swapped 1"]);
}

#[test]
fn a_core_module_is_refused_with_what_to_do() {
    let module = Guest::of(&["decorate"]).named("acme").build_module();
    says(
        &refusal(module),
        &[
            "[scan/not-a-component]",
            "core module, not a component",
            "wasm-tools component new",
        ],
    );
}

#[test]
fn a_foreign_import_is_refused_by_name() {
    let clock = "package wasi:clocks@0.2.6;\ninterface wall-clock { now: func() -> u32; }";
    let guest = Guest::of_world(
        "import wasi:clocks/wall-clock@0.2.6;\ninclude cosell:mapping/decorate-plugin@1.0.0;",
    )
    .package("clock.wit", clock)
    .named("acme");
    says(
        &refusal(guest.build()),
        &[
            "[imports/import]",
            "wasi:clocks/wall-clock@0.2.6",
            "build without WASI",
        ],
    );
}

#[test]
fn a_component_without_a_hook_hears_which_there_are() {
    says(
        &refusal(Guest::of(&[]).named("acme").build()),
        &[
            "[exports/export]",
            "exports no hook",
            "should-sync",
            "decorate",
        ],
    );
}

/// What is said of a guest that exports nothing but this interface, of this version of the contract.
fn refusal_of_other(interface: &str, version: &str) -> String {
    let contract = format!(
        "package cosell:mapping@{version};\ninterface {interface} {{ answer: func() -> string; }}"
    );
    let world = format!("export cosell:mapping/{interface}@{version};");
    refusal(
        Guest::of_world(&world)
            .package("contract.wit", &contract)
            .build(),
    )
}

#[test]
fn a_hook_of_a_newer_contract_is_named_with_both_versions() {
    says(
        &refusal_of_other("forecast", "1.1.0"),
        &[
            "[exports/export]",
            "cosell:mapping/forecast@1.1.0",
            "speaks cosell:mapping 1.0.0",
            "update the host",
        ],
    );
}

#[test]
fn another_major_version_is_named() {
    says(
        &refusal_of_other("decorate", "2.0.0"),
        &[
            "[exports/export]",
            "cosell:mapping/decorate@2.0.0",
            "speaks cosell:mapping 1.0.0",
        ],
    );
}

#[test]
fn other_types_under_our_names_are_refused_with_the_difference() {
    let contract = "package cosell:mapping@1.0.0;
        interface plugin { record plugin-manifest { id: string, colour: u8 } manifest: func() -> plugin-manifest; describe: func() -> u8; }
        interface decorate { mark: func(name: string) -> string; }";
    let guest = Guest::of_world(
        "export cosell:mapping/plugin@1.0.0;\nexport cosell:mapping/decorate@1.0.0;",
    )
    .package("contract.wit", contract);
    says(
        &refusal(guest.build()),
        &[
            "[link/incompatible]",
            "not those of cosell:mapping 1.0.0",
            "in `cosell:mapping/plugin`",
            "expected record of 4 fields, found 2 fields",
        ],
    );
}

#[test]
fn a_manifest_is_checked_as_a_whole() {
    let spec = text_setting("Bad Name", false);
    let guest =
        Guest::of(&["decorate"]).says("plugin#manifest", manifest("Acme Corp", "1.0", vec![spec]));
    says(
        &refusal(guest.build()),
        &[
            "[manifest/output]",
            "\"Acme Corp\" is not",
            "\"Bad Name\" is not",
            "\"1.0\" is not semver",
        ],
    );
}

#[tokio::test]
async fn settings_are_checked_together_and_a_new_operator_file_is_enough() {
    let specs = vec![text_setting("column", true), text_setting("colour", false)];
    let guest = Guest::of(&["decorate"])
        .named("acme")
        .says("plugin#manifest", manifest("acme", "1.0.0", specs));
    let house = House::with(&[
        ("50-acme.wasm", guest.build()),
        (
            "50-acme.toml",
            b"[settings]\ncolour = 3\nshade = \"x\"\n".to_vec(),
        ),
    ]);
    says(
        &house.refusal(),
        &[
            "[settings/settings]",
            "`column` is missing",
            "`colour` is integer; write a text in quotes",
            "`shade` is unknown: this plugin has column, colour",
            "50-acme.toml under [settings]",
        ],
    );
    house
        .drop_file("50-acme.toml", "[settings]\ncolumn = \"name\"\n")
        .await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    assert!(house.folder.refused().is_empty());
}

#[test]
fn an_operator_file_with_an_unknown_key_is_refused() {
    let house = House::with(&[
        (
            "50-acme.wasm",
            Guest::of(&["decorate"]).named("acme").build(),
        ),
        ("50-acme.toml", b"enable = false".to_vec()),
    ]);
    says(&house.refusal(), &["[operator-file/settings]", "enable"]);
}

#[test]
fn a_plugin_may_not_accept_its_settings() {
    let guest = Guest::of(&["decorate"]).named("acme").says(
        "plugin#describe",
        Val::err(Val::list([reason(
            "contradiction",
            "A and B cannot both be on.",
        )])),
    );
    says(
        &refusal(guest.build()),
        &["[describe/settings]", "A and B cannot both be on."],
    );
}

#[test]
fn needs_with_impossible_names_are_refused() {
    let guest = Guest::of(&["decorate"])
        .named("acme")
        .needs([reads("opportunity", &["_ownerid_value"])]);
    says(
        &refusal(guest.build()),
        &["[describe/output]", "\"_ownerid_value\" is no logical name"],
    );
}

#[test]
fn a_plugin_that_misbehaves_while_it_comes_up_is_refused() {
    for (does, words) in [
        (Does::Loops, "[manifest/timeout]"),
        (Does::Panics, "[manifest/trap]"),
        (Does::EatsMemory, "[manifest/memory]"),
        (Does::Recurses, "[manifest/trap]"),
    ] {
        says(
            &refusal(
                Guest::of(&["decorate"])
                    .named("acme")
                    .with("plugin#manifest", does)
                    .build(),
            ),
            &[words, "cannot say who it is"],
        );
    }
}

#[test]
fn half_a_component_is_refused_as_such() {
    let whole = Guest::of(&["decorate"]).named("acme").build();
    let mut told = 0;
    for part in 1..16 {
        // Between two sections the half is whole by itself, and misses what follows.
        let refusal = refusal(whole[..whole.len() * part / 16].to_vec());
        let is_damaged = refusal.contains("[scan/not-a-component]");
        assert!(
            is_damaged || refusal.contains("[exports/export]"),
            "{refusal}"
        );
        if is_damaged {
            says(&refusal, &["damaged or only half copied"]);
            told += 1;
        }
    }
    assert!(told > 10, "{told} of 15 were told as damaged");
}

#[test]
fn compiled_code_in_the_folder_is_never_taken() {
    let house = House::with(&[("50-acme.cwasm", b"\x7fELF\x02\x01\x01".to_vec())]);
    says(
        &house.refusal(),
        &["compiled machine code", "drop the .wasm component itself"],
    );
}

#[test]
fn a_file_larger_than_the_limit_is_not_even_read() {
    let house = House::with(&[]);
    let file = std::fs::File::create(house.path("50-acme.wasm")).unwrap();
    file.set_len(40 << 20).unwrap();
    drop(file);
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(house.folder.reload());
    says(&house.refusal(), &["[read/too-big]", "larger than 32 MiB"]);
}

#[cfg(unix)]
#[tokio::test]
async fn links_sockets_and_directories_are_not_plugins() {
    let house = House::with(&[]);
    std::fs::write(
        house.path("elsewhere"),
        Guest::of(&["decorate"]).named("acme").build(),
    )
    .unwrap();
    std::os::unix::fs::symlink(house.path("elsewhere"), house.path("1.wasm")).unwrap();
    std::fs::create_dir(house.path("2.wasm")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(house.path("3.wasm")).unwrap();
    house.folder.reload().await;
    let refused: Vec<_> = house
        .folder
        .refused()
        .into_iter()
        .map(|rejection| rejection.message)
        .collect();
    assert_eq!(
        refused,
        [
            "the file is a symbolic link: what it points to could change unseen",
            "the file is a directory",
            "the file is a pipe, socket or device",
        ]
    );
    assert!(house.serving().is_empty());
}

/// Whoever may write into the folder may put plugins there, and no more: not overwrite what the host can write, and not stop it.
#[cfg(unix)]
#[tokio::test]
async fn what_lies_beside_a_plugin_is_not_written_through_and_not_waited_for() {
    let house = House::with(&[]);
    let victim = house.path("store.db");
    std::fs::write(&victim, "what must not be lost").unwrap();
    let pipe = |name: &str| {
        let made = std::process::Command::new("mkfifo")
            .arg(house.path(name))
            .status();
        assert!(made.unwrap().success());
    };
    for link in [".1.wasm.rejected.part", "1.rejected.json"] {
        std::os::unix::fs::symlink(&victim, house.path(link)).unwrap();
    }
    pipe("2.rejected.json");
    std::fs::write(house.path("1.wasm"), "no component").unwrap();
    std::fs::write(
        house.path("2.wasm"),
        Guest::of(&["decorate"]).named("acme").build(),
    )
    .unwrap();
    pipe("3.toml");
    std::fs::write(
        house.path("3.wasm"),
        Guest::of(&["decorate"]).named("other").build(),
    )
    .unwrap();
    house.folder.reload().await;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    let kept = std::fs::read_to_string(&victim).unwrap();
    assert_eq!(kept, "what must not be lost");
    let told = std::fs::read_to_string(house.path("1.rejected.json")).unwrap();
    assert!(told.contains("not WebAssembly"), "{told}");
    let refused: Vec<_> = house
        .folder
        .refused()
        .into_iter()
        .map(|rejection| rejection.message)
        .collect();
    assert_eq!(
        refused[1..],
        ["the operator file beside it is a pipe, socket or device"]
    );
}

#[test]
fn an_unknown_interface_of_ours_stops_nothing() {
    let guest = Guest::of_world(
        "include cosell:mapping/decorate-plugin@1.0.0;\nexport acme:extra/thing@1.0.0;",
    )
    .package(
        "extra.wit",
        "package acme:extra@1.0.0;\ninterface thing { poke: func(); }",
    )
    .named("acme");
    assert_eq!(
        House::with(&[("50-acme.wasm", guest.build())]).serving(),
        ["acme 1.0.0"]
    );
}

#[test]
fn a_guest_of_a_newer_contract_is_told_both_versions_and_what_to_do() {
    for version in ["1.1.0", "1.9.3", "2.0.0"] {
        let newer = Guest::of(&["opportunity"])
            .named("acme")
            .of_contract(version)
            .says("opportunity#to-deal", Val::ok(Val::list([])))
            .says("opportunity#to-row", Val::ok(Val::list([])))
            .build();
        says(
            &refusal(newer),
            &[
                &format!("@{version}"),
                "this host offers cosell:mapping 1.0.0",
                "update the host, or build the plugin with a guest SDK 1.0",
            ],
        );
    }
}
