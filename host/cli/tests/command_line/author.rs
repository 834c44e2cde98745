//! What an author types, as a process of its own: a new project, a build, a test, a question.
//!
//! The engines of scripts and tables are those of `cargo xtask plugins`, found as the program finds them. What a Rust project comes to, the tutorial
//! shows: its test types every command of it.

use std::path::Path;
use std::process::Output;

use cosell_tests::World;
use serde_json::{Value, json};

use crate::{binary, stderr, stdout};

type Told = Result<(), Box<dyn std::error::Error>>;

/// Runs it in a folder.
fn cosell_in<'a>(dir: &Path, words: impl IntoIterator<Item = &'a str>) -> Output {
    let mut command = binary();
    command
        .args(words)
        .current_dir(dir)
        .env_remove("COSELL_ENGINES");
    command.output().expect("the binary runs")
}

/// What it says on stdout, when it ends with `code`.
fn says(dir: &Path, words: &str, code: i32) -> String {
    let ended = cosell_in(dir, words.split(' '));
    assert_eq!(
        ended.status.code(),
        Some(code),
        "{words}: {}{}",
        stdout(&ended),
        stderr(&ended)
    );
    stdout(&ended)
}

fn json_of(dir: &Path, words: &str, code: i32) -> Value {
    serde_json::from_str(&says(dir, words, code)).expect("one JSON value")
}

#[test]
#[cfg(unix)]
fn what_was_compiled_once_is_kept_where_only_this_user_reads_it() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("cache");
    says(dir.path(), "plugin new acme --language script", 0);
    says(dir.path(), "plugin build acme", 0);
    let check = || {
        let mut command = binary();
        command
            .args(["plugin", "check", "acme/50-acme.js"])
            .current_dir(dir.path())
            .env("XDG_CACHE_HOME", &home);
        let ended = command.output().expect("the binary runs");
        assert!(ended.status.success(), "{}", stdout(&ended));
        stdout(&ended)
    };
    let kept = || {
        let mut files: Vec<_> = std::fs::read_dir(home.join("cosell/checked"))
            .unwrap()
            .map(|file| file.unwrap())
            // What is written anew is another file of the same name; its time is when it was used last.
            .map(|file| (file.path(), file.metadata().unwrap().ino()))
            .collect();
        files.sort();
        files
    };
    let told = check();
    assert!(told.contains(" compiled in "), "{told}");
    let first = kept();
    assert!(first.len() > 1, "the key and what was compiled: {first:?}");
    let told = check();
    assert!(told.contains(" from cache in "), "{told}");
    assert_eq!(kept(), first, "whatever is compiled is kept anew");
    // Code from where others write could be anybody's: then it is compiled each time.
    std::fs::set_permissions(
        home.join("cosell/checked"),
        std::fs::Permissions::from_mode(0o777),
    )
    .unwrap();
    let told = check();
    assert!(told.contains(" compiled in "), "{told}");
    assert_eq!(kept(), first);
}

#[test]
fn a_new_script_and_a_new_table_build_and_keep_every_law_as_they_are() {
    for (language, file) in [("script", "50-acme.js"), ("table", "50-acme.table.toml")] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let told = says(dir, &format!("plugin new acme --language {language}"), 0);
        assert!(told.contains("next: cosell plugin build acme"), "{told}");
        let built = says(dir, "plugin build acme", 0);
        assert!(
            built.contains(&format!("acme/dist/{file}")) && built.contains(".engine.wasm"),
            "dist can be dropped into a plugin folder: {built}"
        );
        let report = json_of(dir, "plugin test acme/dist --json", 0);
        let checks = report["checks"].as_array().unwrap();
        assert_eq!(checks.len(), 4, "{report:#}");
        assert!(checks.iter().all(|check| check["verdict"] == "holds"));

        let run = json_of(dir, &format!("plugin run acme/{file} --json"), 0);
        assert_eq!(run["plugin"], "acme");
        let answer = &run["answers"][1];
        assert_eq!(answer["question"], "opportunity.to-row");
        assert!(
            answer["says"]
                .as_str()
                .unwrap()
                .contains("to set new_campaign to \"FY27-data\""),
            "{answer:#}"
        );
        assert!(answer["cost"].as_u64().unwrap() > 1_000, "{answer:#}");
        assert_eq!(run["limits"]["call_ms"], 50);

        let again = cosell_in(dir, ["plugin", "new", "acme", "--language", language]);
        assert_eq!(again.status.code(), Some(1));
        assert!(
            stderr(&again).contains("is not empty"),
            "{}",
            stderr(&again)
        );
    }
}

#[test]
fn a_broken_script_fails_its_test_and_leaves_the_deal_that_shows_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    says(dir, "plugin new acme --language script --dir .", 0);
    let path = dir.join("50-acme.js");
    let text = std::fs::read_to_string(&path).unwrap();
    let careless = text.replace(
        "const campaign = order.deal.campaign;",
        "const campaign = order.deal.campaign.trim();",
    );
    assert_ne!(text, careless);
    std::fs::write(&path, careless).unwrap();
    let told = says(dir, "plugin test 50-acme.js --failures found", 1);
    for words in [
        "total          FAILS",
        "opportunity.to-row: 50-acme.js:",
        "again: cosell plugin run 50-acme.js --input found/50-acme.opportunity.to-row.failed.json",
        "not every law holds (seed 1, 100 strange deals for each question)",
    ] {
        assert!(told.contains(words), "{words:?} is not in\n{told}");
    }
    let again = says(
        dir,
        "plugin run 50-acme.js --input found/50-acme.opportunity.to-row.failed.json",
        1,
    );
    assert!(
        again.contains("broke     fault: 50-acme.js:") && again.contains("campaign")
            || again.contains("trim"),
        "{again}"
    );
}

#[test]
fn a_question_shows_its_answer_and_its_price_beside_the_limits() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    says(dir, "plugin new acme --language script --dir .", 0);
    std::fs::write(dir.join("50-acme.toml"), "[limits]\ncall_ms = 7\n").unwrap();
    let input = json!({
        "asks": "opportunity.to-row",
        "given": [{ "tag": "fact", "val": { "tag": "campaign", "val": "FY28" } }],
        "expect": [{ "tag": "sets", "val": ["new_campaign", { "tag": "text", "val": "FY27" }] }],
    });
    std::fs::write(dir.join("deal.json"), input.to_string()).unwrap();
    let told = says(dir, "plugin run 50-acme.js --input deal.json", 1);
    for words in [
        "says      to set new_campaign to \"FY28\"",
        "unmet     expected to set new_campaign to \"FY27\"",
        "limits: 7 ms a call",
        "(limit: 64.0 MiB)",
        "steps, the same on every machine",
    ] {
        assert!(told.contains(words), "{words:?} is not in\n{told}");
    }
    let cost = |told: &str| {
        let line = told.lines().find(|line| line.contains("steps"));
        line.map(str::to_owned)
    };
    let again = says(dir, "plugin run 50-acme.js --input deal.json", 1);
    assert_eq!(cost(&told), cost(&again));
    let wrong = cosell_in(dir, ["plugin", "run", "50-acme.js", "--hook", "lead"]);
    assert!(
        stderr(&wrong).contains("there are opportunity.to-deal, opportunity.to-row"),
        "{}",
        stderr(&wrong)
    );
}

#[test]
fn a_file_is_inspected_whether_it_loads_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    says(dir, "plugin new acme --language table --dir .", 0);
    let told = says(dir, "plugin inspect 50-acme.table.toml", 0);
    for words in [
        "acme 0.1.0",
        "sha256    ",
        "contract  this host speaks cosell:mapping 1.0.0",
        "memory    64.0 MiB",
        "engine.wasm, which runs it, has to lie in the plugin folder as well",
    ] {
        assert!(told.contains(words), "{words:?} is not in\n{told}");
    }
    std::fs::write(dir.join("junk.wasm"), "junk").unwrap();
    let told = says(dir, "plugin inspect junk.wasm", 1);
    assert!(
        told.contains("refused (scan): this is not WebAssembly"),
        "{told}"
    );
    let one = json_of(dir, "plugin inspect junk.wasm --json", 1);
    assert_eq!(one["bytes"], 4);
}

#[test]
fn a_toolchain_that_is_missing_is_named_with_the_line_to_type() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (language, line) in [
        ("javascript", "type: npm install --prefix acme-javascript"),
        (
            "python",
            "type: python3 -m venv acme-python/.venv && acme-python/.venv/bin/pip install --requirement acme-python/requirements.txt",
        ),
    ] {
        says(
            dir,
            &format!("plugin new acme-{language} --language {language}"),
            0,
        );
        let mut command = binary();
        let build = command
            .args(["plugin", "build", &format!("acme-{language}")])
            .current_dir(dir)
            .env("PATH", dir);
        let built = build.output().unwrap();
        assert_eq!(built.status.code(), Some(1));
        assert!(stderr(&built).contains(line), "{}", stderr(&built));
    }
    let nothing = cosell_in(dir, ["plugin", "build", "."]);
    assert!(
        stderr(&nothing).contains("holds nothing that can be built"),
        "{}",
        stderr(&nothing)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_deal_is_asked_about_and_nothing_is_written() -> Told {
    let world = World::start().await?;
    let account = world.account("Contoso Kft.", "HU")?;
    let row = world.opportunity(&account, &json!({ "description": "from the CRM" }))?;
    let referral = world.referral_of(&row).await?["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    world.row_of(&referral).await?;
    world.quiet().await?;
    let before = world.control().ledger(0).len();

    let dir = tempfile::tempdir()?;
    let script = "export const plugin = {\n\
          manifest: () => ({ id: 'acme', version: '1.0.0', summary: 'A script.' }),\n\
          describe: () => [{ tag: 'reads', val: { table: 'opportunity', columns: ['description'] } }],\n\
        };\n\
        export const opportunity = {\n\
          toDeal: (ctx, seen) => {\n\
            const told = new Map(seen.row.cells).get('description');\n\
            return told?.tag === 'text' ? [{ tag: 'campaign', val: told.val }] : [];\n\
          },\n\
          toRow: (ctx, order) => { console.log(order.deal.name); return []; },\n\
        };\n\
        export const lead = { toRow: () => [] };\n";
    std::fs::write(dir.path().join("50-acme.js"), script)?;
    // The engine is looked for beside the file, or beside the folder's other plugins.
    let engine = cosell_tests::components("engines")?.join("script.engine.wasm");
    std::fs::copy(engine, dir.path().join("script.engine.wasm"))?;
    let config = world.config.display().to_string();
    let words = format!("plugin run 50-acme.js --config {config} --deal {referral} --json");
    let dir = dir.path().to_owned();
    let run = tokio::task::spawn_blocking(move || json_of(&dir, &words, 0)).await?;
    let answers = run["answers"].as_array().ok_or("a list of answers")?;
    let asked: Vec<_> = answers
        .iter()
        .map(|one| one["question"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        asked,
        ["opportunity.to-deal", "opportunity.to-row"],
        "and not as a lead"
    );
    assert_eq!(answers[0]["says"], "campaign is \"from the CRM\"");
    assert_eq!(answers[1]["log"][0], "info: Data platform");
    assert_eq!(
        world.control().ledger(0).len(),
        before,
        "nothing was written"
    );
    world.end().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn typings_hold_the_columns_of_the_organisation() -> Told {
    let world = World::start().await?;
    let dir = tempfile::tempdir()?;
    let config = world.config.display().to_string();
    let place = dir.path().to_owned();
    let (told, unknown) = tokio::task::spawn_blocking(move || {
        let told = says(&place, &format!("plugin types --config {config}"), 0);
        let unknown = cosell_in(
            &place,
            [
                "plugin",
                "types",
                "--config",
                &config,
                "--table",
                "new_nothing",
            ],
        );
        (told, unknown)
    })
    .await?;
    assert!(
        told.starts_with("cosell.d.ts: ")
            && told.contains("columns of account, contact, lead, opportunity"),
        "{told}"
    );
    let text = std::fs::read_to_string(dir.path().join("cosell.d.ts"))?;
    for words in [
        "    opportunity: ColumnsOfOpportunity;",
        "     * a currency column",
        "    estimatedvalue: Extract<Value, { tag: \"money\" }>;",
        "    parentaccountid: Extract<Value, { tag: \"reference\" }>;",
        "type Cell = [Column, Value];",
    ] {
        assert!(text.contains(words), "{words:?} is not in the typings");
    }
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        stderr(&unknown).contains("the table new_nothing could not be read"),
        "{}",
        stderr(&unknown)
    );
    world.end().await?;
    Ok(())
}
