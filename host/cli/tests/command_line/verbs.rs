//! What people ask and order, as a process of its own beside a host that runs in another one.

use std::process::Output;

use cosell_tests::World;
use serde_json::{Value, json};
use tokio::process::Command;

pub(crate) type Told = Result<(), Box<dyn std::error::Error>>;

/// Runs `cosell` on the world's configuration.
pub(crate) async fn cosell(world: &World, words: &[&str]) -> std::io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_cosell"))
        .args(words)
        .env("COSELL_CONFIG", &world.config)
        .env("USER", "anna")
        .env("XDG_CACHE_HOME", crate::CACHE)
        .output()
        .await
}

/// What it says on stdout, when it ends with `code`.
pub(crate) async fn says(
    world: &World,
    words: &[&str],
    code: i32,
) -> Result<String, Box<dyn std::error::Error>> {
    let output = cosell(world, words).await?;
    let said = String::from_utf8(output.stdout)?;
    let complained = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(code),
        "cosell {words:?}: {said}{complained}"
    );
    Ok(said)
}

/// The same for programs.
pub(crate) async fn json_of(
    world: &World,
    words: &[&str],
    code: i32,
) -> Result<Value, Box<dyn std::error::Error>> {
    let mut all = words.to_vec();
    all.push("--json");
    Ok(serde_json::from_str(&says(world, &all, code).await?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_at_the_command_line() -> Told {
    let mut world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    world.stop_host().await;
    world
        .control()
        .seller_updates("opportunity", &row, &json!({ "description": "crm" }))?;
    let patch = json!([{ "op": "replace", "path": "/details/notes", "value": "portal" }]);
    world.control().partner_user_patches(&referral, &patch)?;

    let plan = says(&world, &["plan", "--all"], 0).await?;
    assert!(
        plan.contains("would create 0, update 0, hold 0, ask 1, skip 0"),
        "{plan}"
    );
    assert!(
        plan.ends_with("nothing was written: this is a preview\n"),
        "{plan}"
    );
    world.start_host().await?;
    world.card("conflict").await?;
    world.quiet().await?;

    let status = says(&world, &["status"], 0).await?;
    assert!(status.contains("cosell cards"), "{status}");
    assert!(status.contains("1 question for a person"), "{status}");
    let cards = json_of(&world, &["cards"], 0).await?;
    let number = cards[0]["card"].to_string();
    let screen = says(&world, &["cards"], 0).await?;
    assert!(
        screen.contains(&format!("cosell card answer {number} crm ")),
        "the screen says what to type: {screen}"
    );
    let wrong = cosell(&world, &["card", "answer", &number, "maybe"]).await?;
    assert_eq!(wrong.status.code(), Some(1));
    let complained = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        complained.contains("its choices are \"partner-center\""),
        "{complained}"
    );
    let answered = json_of(&world, &["card", "answer", &number, "crm"], 0).await?;
    assert_eq!(answered["by"], "anna");
    world
        .until("the CRM's notes in Partner Center", |control| {
            (control.referral(&referral)?["details"]["notes"] == "crm").then_some(())
        })
        .await?;
    world.quiet().await?;

    let deals = json_of(&world, &["deals", "--state", "settled,held"], 0).await?;
    assert_eq!(deals["deals"][0]["referral"], referral.as_str());
    let lane = deals["deals"][0]["lane"].to_string();
    let deal = says(&world, &["deal", &row[..8]], 0).await?;
    for word in [
        "Data platform · lane",
        "when last in step",
        "history",
        "create-referral",
    ] {
        assert!(deal.contains(word), "{word} is not in {deal}");
    }
    let why = says(&world, &["explain", &lane, "notes"], 0).await?;
    for word in [
        "\"crm\" on both sides",
        "S10",
        "stock-opportunity",
        "person    anna",
    ] {
        assert!(why.contains(word), "{word} is not in {why}");
    }
    let books = says(&world, &["reconcile"], 0).await?;
    assert_eq!(books, "1 referral, 1 linked, 0 unexplained\n");
    assert_eq!(says(&world, &["holds"], 0).await?, "nothing is held\n");
    let bound = says(&world, &["rebind", "simulated"], 0).await?;
    assert!(bound.contains("stays as it is"), "{bound}");
    let retried = says(&world, &["retry", &referral], 0).await?;
    assert!(retried.contains("1 deal due now"), "{retried}");
    world.end().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_told_on_stderr_with_what_to_do() -> Told {
    let world = World::start().await?;
    for (words, code, what) in [
        (vec!["deal", "99"], 1, "`cosell deals` lists them"),
        (
            vec!["deals", "--state", "foo"],
            2,
            "possible values: settled",
        ),
        (vec!["plan"], 2, "--deal"),
        (vec!["plan", "--since", "yesterday"], 1, "how long ago"),
        (vec!["hold", "release"], 2, "--mass"),
        (
            vec!["hold", "release", "--mass", "crm"],
            1,
            "no mass change is held in the CRM",
        ),
        (vec!["hold", "cancel", "7"], 1, "there is no hold 7"),
        (vec!["rebind", "fabrikam"], 1, "it has simulated"),
        (vec!["retry"], 2, "--parked"),
    ] {
        let output = cosell(&world, &words).await?;
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {complained}");
        assert!(complained.contains(what), "{words:?}: {complained}");
        assert!(output.stdout.is_empty(), "{words:?}");
    }
    world.end().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_order_at_once_beside_a_working_host_and_nothing_is_lost() -> Told {
    let world = World::start().await?;
    let (row, referral) = world.linked(&json!({})).await?;
    let before = world.control().ledger(0).len();
    let words = ["retry", referral.as_str()];
    let orders = (0..6).map(|_| cosell(&world, &words));
    let mut notes = String::new();
    let (orders, edits) = tokio::join!(futures_util::future::join_all(orders), async {
        for number in 0..6 {
            notes = format!("edit {number}");
            let edit = json!({ "description": notes });
            world.control().seller_updates("opportunity", &row, &edit)?;
            world.quiet().await.map_err(|error| format!("{error:#}"))?;
        }
        Told::Ok(())
    });
    edits?;
    for order in orders {
        let order = order?;
        assert!(
            order.status.success(),
            "{}",
            String::from_utf8_lossy(&order.stderr)
        );
    }
    world.quiet().await?;
    let seen = world.control().referral(&referral).expect("it is there");
    assert_eq!(seen["details"]["notes"], "edit 5");
    let writes = world.control().ledger(0).len() - before;
    assert_eq!(
        writes, 6,
        "each edit crossed once, and no order wrote anything"
    );
    world.end().await?;
    Ok(())
}
