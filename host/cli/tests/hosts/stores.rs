//! `cosell store`: looked after beside a running host, copied, moved between a file and a database.

use std::path::Path;
use std::process::Command;

use cosell_tests::fleet::people::People;
use cosell_tests::fleet::{Fleet, Order};
use serde_json::Value;

use crate::{Told, database, order};

/// What `cosell store WORDS` says on stdout, when it ends with `code`.
fn store(fleet: &Fleet, words: &[&str], code: i32) -> anyhow::Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_cosell"))
        .arg("store")
        .args(words)
        .env("COSELL_CONFIG", &fleet.hosts[0].config)
        .output()?;
    let said = String::from_utf8(output.stdout)?;
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(code),
        "cosell store {words:?}: {said}{complained}"
    );
    Ok(said + &complained)
}

fn findings(fleet: &Fleet, code: i32) -> anyhow::Result<Vec<Value>> {
    let told: Value = serde_json::from_str(&store(fleet, &["check", "--json"], code)?)?;
    Ok(told["findings"].as_array().cloned().unwrap_or_default())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of a test is text")
}

/// Looked after while the host runs, backed up, restored after more has happened, and moved to another kind of store and back.
async fn a_life(order: Order<'_>, other: &str) -> Told {
    let mut fleet = Fleet::start(order).await?;
    let mut people = People::new(fleet.control(), 1)?;
    people.seller_begins()?;
    people.portal_begins()?;
    fleet.in_step(&people).await?;
    assert!(store(&fleet, &["migrate"], 0)?.contains("is up to date"));
    assert!(store(&fleet, &["check"], 0)?.contains("all that a look at a store can show holds"));
    assert_eq!(findings(&fleet, 0)?, [] as [Value; 0]);

    // While the host runs; and a backup is never written over.
    let (backup, first) = (fleet.dir.join("backup.db"), fleet.address.clone());
    people.seller_edits(0)?;
    assert!(store(&fleet, &["backup", text(&backup)], 0)?.contains(" rows, "));
    assert!(store(&fleet, &["backup", text(&backup)], 1)?.contains("name a new file"));
    people.portal_edits(1)?;
    fleet.in_step(&people).await?;
    fleet.stop().await?;
    assert_eq!(findings(&fleet, 0)?, [] as [Value; 0]);

    // What happened since the backup is found again: nothing is done twice.
    let restored = fleet.dir.join("restored.db");
    fleet.remember_in(text(&restored))?;
    store(&fleet, &["restore", text(&backup)], 0)?;
    store(&fleet, &["restore", text(&backup)], 1)?;
    assert_eq!(findings(&fleet, 0)?, [] as [Value; 0]);
    people.portal_edits(0)?;
    fleet.hosts[0].start().await?;
    fleet.in_step(&people).await?;
    let counts = fleet.control().counts();
    assert_eq!(
        (counts.referrals, counts.opportunities, counts.duplicates),
        (2, 2, 0)
    );
    fleet.stop().await?;

    // To the other kind, and on from there. A store that holds something is never written over.
    fleet.remember_in(&first)?;
    store(&fleet, &["move", other], 0)?;
    assert!(!store(&fleet, &["move", other], 1)?.is_empty());
    fleet.remember_in(other)?;
    people.seller_edits(1)?;
    fleet.hosts[0].start().await?;
    fleet.in_step(&people).await?;
    fleet.stop().await?;
    assert_eq!(findings(&fleet, 0)?, [] as [Value; 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_looked_after_and_moves_to_postgres() -> Told {
    let (_server, url) = database()?;
    a_life(order(), &url).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_looked_after_and_moves_to_a_file() -> Told {
    let (_server, url) = database()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("moved.db");
    let order = Order {
        postgres: Some(url),
        ..order()
    };
    a_life(order, text(&file)).await
}
