//! What all hosts of a database see is told by one of them.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::ensure;
use cosell_tests::amend;
use cosell_tests::fleet::{Fleet, Order, patiently};
use cosell_tests::mailbox::mailbox;
use serde_json::Value;

use crate::{Told, database, order};

/// What each host says for itself.
const OWN: &str = "plugin-refused:60-bad.wasm";
/// What all of them see: a secret that ends in three weeks.
const SHARED: &str = "credential-ends:simulated:";

fn times(posts: &[Value], alert: &str, state: &str) -> usize {
    let starts = |post: &Value| {
        post["alert"]
            .as_str()
            .is_some_and(|name| name.starts_with(alert))
    };
    let is_it = |post: &&Value| starts(post) && post["state"] == state;
    posts.iter().filter(is_it).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_hosts_tells_and_the_other_takes_over_without_telling_again() -> Told {
    let (_server, url) = database()?;
    let mut fleet = Fleet::start(Order {
        postgres: Some(url),
        hosts: 2,
        ..order()
    })
    .await?;
    let (address, mut inbox) = mailbox().await?;
    let secret = fleet.dir.join("alerts");
    std::fs::write(&secret, &address)?;
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600))?;
    let ends = fleet.control().now() + Duration::from_secs(20 * 86_400);
    let ends = format!("secret_expires = \"{}\"\n", ends.strftime("%Y-%m-%d"));
    for host in &mut fleet.hosts {
        host.stop().await?;
        let alerts = format!(
            "[alerts]\nwebhook = {{ file = \"{}\" }}\n\n[plugins]",
            secret.display()
        );
        let section = "[connection.dataverse]\n";
        let dated = format!("{section}{ends}");
        amend(&host.config, &[("[plugins]", &alerts), (section, &dated)])?;
    }
    // Each tells what is its own before what is everybody's, so that both are seen to have been at it.
    std::fs::write(fleet.dir.join("plugins/60-bad.wasm"), b"no component")?;
    for host in &mut fleet.hosts {
        host.start().await?;
    }
    let mut posts = Vec::new();
    let mut until = async |what: &str, alert: &str, state: &str, count: usize| -> Told {
        patiently(what, async || {
            while let Ok(post) = inbox.try_recv() {
                posts.push(post);
            }
            Ok(times(&posts, alert, state) >= count)
        })
        .await?;
        let shared = times(&posts, SHARED, "firing");
        ensure!(shared <= 1, "{what}: it was told again: {posts:#?}");
        for post in &posts {
            let is_own = post["alert"] == OWN;
            ensure!(post["host"].is_string() == is_own, "{post}");
        }
        Ok(())
    };
    until("both hosts to refuse it", OWN, "firing", 2).await?;
    until("one to tell of the secret", SHARED, "firing", 1).await?;

    // Whoever tells is gone, and both are started anew: nobody says it again.
    for number in 0..2 {
        fleet.hosts[number].kill()?;
        fleet.hosts[number].start().await?;
    }
    until("both hosts to refuse it again", OWN, "firing", 4).await?;

    // Mended while no host ran: whoever speaks then tells that it is over.
    for host in &mut fleet.hosts {
        host.stop().await?;
        amend(&host.config, &[(&ends, "")])?;
    }
    for host in &mut fleet.hosts {
        host.start().await?;
    }
    until("the end to be told", SHARED, "resolved", 1).await?;
    until("both hosts to refuse it once more", OWN, "firing", 6).await?;
    fleet.stop().await
}
