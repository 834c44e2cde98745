//! What serves, and what people order about it, as a process beside the host.

use cosell_tests::World;

use crate::verbs::{Told, cosell, json_of, says};

#[tokio::test(flavor = "multi_thread")]
async fn the_set_is_listed_changed_and_brought_back() -> Told {
    let world = World::start().await?;
    let list = json_of(&world, &["plugin", "list"], 0).await?;
    assert_eq!(list["generation"]["generation"], 1);
    let country = list["plugins"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["file"] == "30-country.wasm"))
        .expect("it serves");
    assert_eq!(country["mode"], "live");
    assert!(
        country["since"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z')),
        "{country}"
    );

    std::fs::write(
        world.folder.join("10-opportunity.toml"),
        "mode = \"shadow\"\n[settings]\nvalue-column = \"budgetamount\"\n",
    )?;
    loop {
        let list = json_of(&world, &["plugin", "list"], 0).await?;
        if let Some(candidate) = list["candidates"].get(0) {
            assert_eq!(
                (&candidate["mode"], &candidate["plugin"]),
                (&"shadow".into(), &"stock-opportunity".into())
            );
            break;
        }
    }
    let told = says(&world, &["plugin", "list"], 0).await?;
    for words in [
        "generation 2 serves since",
        "shadow: stock-opportunity",
        "cosell plugin promote 10-opportunity.wasm --by WHO",
        "before (`cosell plugin rollback --to GENERATION`)",
    ] {
        assert!(told.contains(words), "{words:?} is not in: {told}");
    }
    let told = says(&world, &["plugin", "promote", "10-opportunity"], 0).await?;
    assert!(
        told.contains("is promoted by anna") && told.contains("generation 3 serves; hosts"),
        "{told}"
    );
    let back = json_of(&world, &["plugin", "rollback", "--by", "ada"], 0).await?;
    assert_eq!(back["generation"], 4);
    let list = json_of(&world, &["plugin", "list"], 0).await?;
    assert_eq!(list["generation"]["by"], "ada");

    for (words, code, complaint) in [
        (
            &["plugin", "promote", "10-opportunity"][..],
            1,
            "no candidate is called",
        ),
        (
            &["plugin", "rollback", "--to", "9"],
            1,
            "there is no older generation 9",
        ),
        (&["plugin", "quarantine", "30-country"], 2, "--why"),
        (
            &["plugin", "quarantine", "60-x", "--why", "bad"],
            1,
            "no plugin of the set is called",
        ),
        (
            &["plugin", "quarantine", "--release", "60-x"],
            1,
            "does not name one quarantined version",
        ),
    ] {
        let ended = cosell(&world, words).await?;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(complaint), "{words:?}: {said}");
    }
    world.end().await?;
    Ok(())
}
