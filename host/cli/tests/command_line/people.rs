//! A person is erased, everything leaves, and a deal is recorded for an author, as processes of their own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use cosell_tests::{World, amend, components};
use serde_json::{Value, json};

use crate::verbs::{Told, cosell, json_of, says};

const ANNA: [&str; 6] = [
    "--mail",
    "anna.kovacs@contoso.example",
    "--name",
    "Anna Kovács",
    "--phone",
    "+36 1 555 0100",
];

fn erase<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["person", "erase"], &ANNA[..], more].concat()
}

fn mode(path: &Path) -> std::io::Result<u32> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o777)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_looked_for_then_erased_and_everything_leaves_without_her() -> Told {
    let world = World::start().await?;
    world.linked(&json!({})).await?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("before.jsonl");
    let file = out.display().to_string();
    let exported = json_of(&world, &["store", "export", "--out", &file], 0).await?;
    let lines = std::fs::read_to_string(&out)?;
    assert_eq!(
        lines.lines().count() as u64,
        exported["rows"].as_u64().unwrap() + 1
    );
    assert!(lines.contains("Kov\u{e1}cs") && mode(&out)? == 0o600);
    for line in lines.lines() {
        let _: Value = serde_json::from_str(line)?;
    }
    let again = cosell(&world, &["store", "export", "--out", &file]).await?;
    assert_eq!(again.status.code(), Some(1), "nothing is written over");

    let little = cosell(&world, &["person", "erase", "--name", "Anna"]).await?;
    let complained = String::from_utf8_lossy(&little.stderr).into_owned();
    assert!(
        little.status.code() == Some(1) && complained.contains("says too little"),
        "{complained}"
    );
    let looked = says(&world, &erase(&[]), 0).await?;
    assert!(
        looked.contains("nothing was changed: --yes erases") && looked.contains("Partner Center"),
        "{looked}"
    );
    let erased = json_of(&world, &erase(&["--yes", "--by", "grace"]), 0).await?;
    assert!(
        erased["done"] == true && erased["rows"]["base"].as_u64() > Some(0),
        "{erased}"
    );
    says(&world, &["store", "check"], 0).await?;
    let out = folder.path().join("after.jsonl");
    let file = out.display().to_string();
    says(&world, &["store", "export", "--out", &file], 0).await?;
    let lines = std::fs::read_to_string(&out)?;
    for word in ["Kov\u{e1}cs", "anna.kovacs", "555 0100"] {
        assert!(!lines.contains(word), "{word}");
    }
    assert!(lines.contains("grace has erased a person"));
    world.end().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_is_recorded_for_an_author_and_asked_again() -> Told {
    let mut world = World::start().await?;
    let off = cosell(&world, &["plugin", "replay", "1"]).await?;
    assert_eq!(off.status.code(), Some(1));
    world.stop_host().await;
    let key = world.config.with_file_name("store-key");
    std::fs::write(&key, "5e".repeat(32))?;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
    let sealed = "[recordings]\nenabled = true\n[store]\nkeys = [{ file = \"store-key\" }]\n";
    amend(&world.config, &[("[store]\n", sealed)])?;
    world.start_host().await?;
    let (row, referral) = world.linked(&json!({})).await?;

    let replayed = says(&world, &["plugin", "replay", &row[..8]], 0).await?;
    assert!(
        replayed.contains("opportunity.to-deal  as then")
            && replayed.contains("every answer is the one of then"),
        "{replayed}"
    );
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("deal.json").display().to_string();
    let recorded = ["plugin", "record", &referral, "--out", &file];
    let told = says(&world, &recorded, 0).await?;
    assert!(told.contains("names and ids are stand-ins"), "{told}");
    let text = std::fs::read_to_string(&file)?;
    for word in ["Kov\u{e1}cs", "anna.kovacs", "Contoso", &row, &referral] {
        assert!(!text.contains(word), "{word}");
    }
    let plugin = components("plugins")?.join("10-opportunity.wasm");
    let plugin = plugin.display().to_string();
    let run = ["plugin", "run", &plugin, "--input", &file, "--no-cost"];
    let answers = json_of(&world, &run, 0).await?;
    let answers = answers["answers"].as_array().unwrap();
    assert!(
        answers
            .iter()
            .any(|answer| answer["question"] == "opportunity.to-row"
                && answer["says"].to_string().contains("125000")),
        "{answers:#?}"
    );
    let test = [
        "plugin",
        "test",
        &plugin,
        "--recording",
        &file,
        "--cases",
        "1",
    ];
    let report = json_of(&world, &test, 0).await?;
    let laws = report["checks"].as_array().unwrap();
    assert!(
        laws.iter()
            .any(|check| check["law"] == "recorded" && check["verdict"] == "holds"),
        "{report:#}"
    );
    let diff = ["plugin", "diff", &plugin, "--recording", &file];
    let diff = json_of(&world, &diff, 0).await?;
    assert_eq!((&diff["same"], &diff["deals"]), (&json!(1), &json!([])));
    std::fs::write(&file, "{}")?;
    let wrong = cosell(&world, &["plugin", "replay", &file]).await?;
    let complained = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(complained.contains("it is no recording"), "{complained}");
    world.end().await?;
    Ok(())
}
