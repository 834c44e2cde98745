//! How a host ends when it is told to while it comes up or compares, and when a part of it breaks; and how whoever runs it hears how it is.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::ensure;
use cosell_simulator::Service;
use cosell_tests::amend;
use cosell_tests::ask::ask;
use cosell_tests::fleet::people::People;
use cosell_tests::fleet::{Fleet, patiently};
use tokio::net::TcpStream;

use crate::{Told, order};

/// What a host says that had to cut off what it was at.
const CUT_OFF: &str = "the time to drain was over";

/// A host without its worker, or without its sweep, would answer its probes and do nothing: it ends, and says why, and who runs it starts another.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_breaks_ends_the_host_and_the_next_one_goes_on() -> Told {
    let mut fleet = Fleet::start(order()).await?;
    let mut people = People::new(fleet.control(), 1)?;
    people.seller_begins()?;
    fleet.in_step(&people).await?;
    for point in ["claim.before", "sweep.before"] {
        fleet.hosts[0].order(&format!("{point} panic"))?;
        let status = fleet.hosts[0].until_ended().await?;
        ensure!(status.code() == Some(1), "{point}: {status}");
        let log = fleet.hosts[0].log();
        ensure!(
            log.contains("a part of the host has ended by a mistake of its own"),
            "{point}: {log}"
        );
        ensure!(log.contains(point), "{point} is not said: {log}");
        // Nobody is there meanwhile.
        people.portal_begins()?;
        ensure!(people.seller_edits(0)?, "an edit");
        fleet.hosts[0].start().await?;
        fleet.in_step(&people).await?;
    }
    let verdict = fleet.judged(&people).await?;
    ensure!(verdict.deals == 3, "{verdict:?}");
    fleet.stop().await
}

/// Nothing was taken up yet, so there is nothing to wait for; a database that takes a call and never answers it keeps nobody from ending.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_to_end_while_coming_up_ends() -> Told {
    let mut fleet = Fleet::start(order()).await?;
    fleet.stop().await?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let path = format!("path = \"{}\"", fleet.address);
    let url = format!(
        "url = \"postgres://cosell@{}/cosell\"",
        silent.local_addr()?
    );
    let host = &mut fleet.hosts[0];
    amend(&host.config, &[(&path, &url)])?;
    host.spawn()?;
    let _held =
        tokio::task::spawn_blocking(move || silent.accept().map(|call| (call, silent))).await??;
    host.stop().await?;
    let log = host.log();
    ensure!(log.contains("stopped before it was up"), "{log}");
    ensure!(!log.contains(CUT_OFF), "{log}");
    Ok(())
}

/// A compare only reads, and begins again where its cursor stands.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_to_end_while_comparing_ends_at_once() -> Told {
    let mut fleet = Fleet::start(order()).await?;
    fleet.stop().await?;
    // Longer than the time to drain.
    fleet.control().set_latency_ms(4_500);
    let since = Instant::now();
    fleet.hosts[0].start().await?;
    patiently("referrals to be compared", async || {
        let asked = fleet.control().requests(since);
        Ok(asked
            .iter()
            .any(|asked| asked.service == Service::Referrals))
    })
    .await?;
    fleet.hosts[0].stop().await?;
    let log = fleet.hosts[0].log();
    ensure!(!log.contains(CUT_OFF), "{log}");
    fleet.control().set_latency_ms(0);
    Ok(())
}

/// Strangers fill the door: whoever asks from inside how the host is has a door of his own.
#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_at_the_address_of_the_metrics_while_the_door_is_full() -> Told {
    const SOCKETS: usize = 16;
    let mut fleet = Fleet::start(order()).await?;
    fleet.hosts[0].stop().await?;
    let metrics = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let section = format!("[metrics]\nlisten = \"{metrics}\"\n\n[plugins]");
    // Slow ones are not sent away before this is over.
    let limits = format!("[limits]\nsockets = {SOCKETS}\nheader_s = 60\n");
    amend(
        &fleet.hosts[0].config,
        &[("[plugins]", &section), ("[limits]\n", &limits)],
    )?;
    fleet.hosts[0].start().await?;
    let mut strangers = Vec::new();
    for _ in 0..2 * SOCKETS {
        strangers.push(TcpStream::connect(fleet.hosts[0].address).await?);
    }
    for (path, says) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let head = format!("GET {path} HTTP/1.1");
        let asked = tokio::time::timeout(Duration::from_secs(1), fleet.hosts[0].ask(&head, ""));
        let door = asked.await;
        ensure!(
            !matches!(&door, Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 200")),
            "the door is not full: {door:?}"
        );
        let answer = ask(metrics, &head, "").await?;
        ensure!(
            answer.starts_with("HTTP/1.1 200") && answer.contains(says),
            "{path}: {answer}"
        );
    }
    drop(strangers);
    patiently("the door to be free again", async || {
        Ok(fleet.hosts[0].is_ready().await)
    })
    .await?;
    fleet.stop().await
}
