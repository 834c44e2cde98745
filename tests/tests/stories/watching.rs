//! What an operator's own programs see: numbers, and alerts that begin and end.

use std::net::TcpListener as StdListener;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::ensure;
use cosell_tests::ask::ask;
use cosell_tests::mailbox::{mailbox, next};
use cosell_tests::{Setup, World};

use crate::Told;

/// The sum of all lines of a metric with these labels.
fn count(page: &str, metric: &str, labels: &str) -> f64 {
    page.lines()
        .filter(|line| line.starts_with(metric) && line.contains(labels))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_read_and_alerts_are_posted_when_they_begin_and_when_they_end() -> Told {
    let (address, mut posts) = mailbox().await?;
    let secrets = tempfile::tempdir()?;
    let secret = secrets.path().join("alerts");
    std::fs::write(&secret, &address)?;
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600))?;
    let metrics = StdListener::bind("127.0.0.1:0")?.local_addr()?;
    let world = World::set_up(Setup {
        sections: &format!(
            "[metrics]\nlisten = \"{metrics}\"\n\n[alerts]\nwebhook = {{ file = {:?} }}\n",
            secret.display().to_string()
        ),
        ..Setup::default()
    })
    .await?;
    let referral = world.referral("Rollout", "Fabrikam", "DE")?;
    world.row_of(&referral).await?;
    world.quiet().await?;
    let page = ask(metrics, "GET /metrics HTTP/1.1", "").await?;
    ensure!(page.starts_with("HTTP/1.1 200"), "{page}");
    for (metric, labels, least) in [
        ("cosell_linked_deals", "", 1.0),
        ("cosell_lanes", "state=\"settled\"", 1.0),
        ("cosell_store_up", "", 1.0),
        ("cosell_plugins", "", 7.0),
        ("cosell_events_total", "side=\"partner-center\"", 1.0),
        ("cosell_runs_total", "ending=\"settled\"", 1.0),
        (
            "cosell_writes_total",
            "kind=\"create-row\",outcome=\"done\"",
            1.0,
        ),
        ("cosell_remote_request_seconds_count", "status=\"200\"", 2.0),
        (
            "cosell_plugin_call_seconds_count",
            "question=\"opportunity.to-row\"",
            1.0,
        ),
    ] {
        ensure!(
            count(&page, metric, labels) >= least,
            "{metric}{{{labels}}}: {page}"
        );
    }
    for name in ["Fabrikam", "Rollout", referral.as_str()] {
        ensure!(
            !page.contains(name),
            "metrics name a customer or a deal: {name}"
        );
    }
    std::fs::write(world.folder.join("60-bad.wasm"), b"no component")?;
    let begins = next(&mut posts, "plugin-refused:60-bad.wasm").await?;
    ensure!(
        begins["state"] == "firing"
            && begins["text"]
                .as_str()
                .is_some_and(|text| text.contains("not WebAssembly")),
        "{begins}"
    );
    std::fs::remove_file(world.folder.join("60-bad.wasm"))?;
    let ends = next(&mut posts, "plugin-refused:60-bad.wasm").await?;
    ensure!(
        ends["state"] == "resolved",
        "told twice, or never over: {ends}"
    );
    world.end().await
}
