//! Too much at once, and a disk that is full: nobody is told 2xx for what is not remembered, nobody ends, and all goes on when there is room.

use anyhow::{Context as _, ensure};
use cosell_simulator::DeliveryRecord;
use cosell_tests::amend;
use cosell_tests::fleet::people::People;
use cosell_tests::fleet::process::HostProcess;
use cosell_tests::fleet::{Fleet, patiently};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::{Told, order};

/// An event of a row that nobody has ever heard of, as Dataverse would post it.
async fn ring(host: &HostProcess, secret: &str, number: usize) -> anyhow::Result<String> {
    let body = format!(
        r#"{{"MessageName":"Update","PrimaryEntityName":"opportunity","PrimaryEntityId":"00000000-0000-4000-8000-{number:012}","OperationId":"00000000-0000-4000-9000-{number:012}"}}"#
    );
    let head = format!(
        "POST /webhooks/dataverse/simulated HTTP/1.1\r\nx-cosell-key: {secret}\r\ncontent-type: application/json"
    );
    Ok(host.ask(&head, &body).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_too_many_bells_those_who_prove_themselves_hear_503_and_the_rest_429() -> Told {
    const WAITING: usize = 100;
    let mut fleet = Fleet::start(order()).await?;
    fleet.hosts[0].stop().await?;
    let waiting = format!("[limits]\nwaiting = {WAITING}\n");
    amend(&fleet.hosts[0].config, &[("[limits]\n", &waiting)])?;
    fleet.hosts[0].start().await?;
    let secret = std::fs::read_to_string(fleet.dir.join("host-0/webhook-secret"))?;
    let wrong = "not-the-secret-of-anybody";
    let refused = ring(&fleet.hosts[0], wrong, 0).await?;
    ensure!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    // Each run takes longer than all of this.
    fleet.control().set_latency_ms(4_000);
    let mut full = None;
    for number in 1..=2 * WAITING {
        let answer = ring(&fleet.hosts[0], secret.trim(), number).await?;
        if answer.starts_with("HTTP/1.1 200") {
            ensure!(number <= WAITING + 60, "so many are taken: {number}");
            continue;
        }
        full = Some((number, answer));
        break;
    }
    let (number, answer) = full.context("it is never full")?;
    ensure!(
        answer.starts_with("HTTP/1.1 503") && answer.to_lowercase().contains("retry-after: 30"),
        "{answer}"
    );
    let rest = ring(&fleet.hosts[0], wrong, number).await?;
    ensure!(
        rest.starts_with("HTTP/1.1 429") && rest.to_lowercase().contains("retry-after: "),
        "{rest}"
    );
    fleet.control().set_latency_ms(0);
    patiently("room for one more", async || {
        let answer = ring(&fleet.hosts[0], secret.trim(), number).await?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    })
    .await?;
    fleet.stop().await
}

/// How large a file this process may write.
fn file_size_of(host: &HostProcess, limit: Option<u64>) -> Told {
    let id = host.id().context("the host runs")?;
    let pid = Pid::from_raw(i32::try_from(id)?);
    let maximum = getrlimit(Resource::Fsize).maximum;
    let current = limit.or(maximum);
    prlimit(pid, Resource::Fsize, Rlimit { current, maximum })?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_survived_and_nothing_acknowledged_is_lost() -> Told {
    let mut fleet = Fleet::start(order()).await?;
    let mut people = People::new(fleet.control(), 1)?;
    people.seller_begins()?;
    fleet.in_step(&people).await?;
    // No file of the host may grow any more: for the store that is a disk without room.
    file_size_of(&fleet.hosts[0], Some(4_096))?;
    assert!(people.seller_edits(0)? && people.portal_edits(0)?);
    people.portal_begins()?;
    fleet
        .until("a webhook that is not acknowledged", |control| {
            let refused = |one: &DeliveryRecord| one.attempts.contains(&Some(503));
            control.deliveries().iter().any(refused).then_some(())
        })
        .await?;
    let ready = fleet.hosts[0].ask("GET /readyz HTTP/1.1", "").await?;
    ensure!(
        ready.starts_with("HTTP/1.1 503") && ready.contains("no room is left"),
        "{ready}"
    );
    ensure!(fleet.hosts[0].ended()?.is_none(), "{}", fleet.logs());
    file_size_of(&fleet.hosts[0], None)?;
    patiently("the host to be ready again", async || {
        Ok(fleet.hosts[0].is_ready().await)
    })
    .await?;
    fleet.judged(&people).await?;
    fleet.stop().await
}
