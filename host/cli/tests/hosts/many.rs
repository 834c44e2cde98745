//! Several hosts on one database.

use std::time::Duration;

use cosell_tests::fleet::gate::Manners;
use cosell_tests::fleet::people::People;
use cosell_tests::fleet::{Fleet, LOOK_EVERY, Order};

use crate::{Told, database, order};

/// Each event one to five times, and out of order.
fn unruly() -> Manners {
    Manners {
        lost: 0.0,
        times: 1..=5,
        late: Duration::from_millis(150),
        seed: 3,
    }
}

/// So much is said between two blows.
const ACTS: usize = 25;

async fn busy(people: &mut People) -> Told {
    for _ in 0..ACTS {
        people.act(10)?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hosts_one_killed_one_frozen_the_database_restarted() -> Told {
    let (mut server, url) = database()?;
    let mut fleet = Fleet::start(Order {
        postgres: Some(url),
        hosts: 3,
        manners: unruly(),
        ..order()
    })
    .await?;
    let mut people = People::new(fleet.control(), 3)?;
    busy(&mut people).await?;
    fleet.hosts[0].kill()?;
    busy(&mut people).await?;
    // Beyond its lease: what it had is another host's when it goes on.
    fleet.hosts[1].freeze()?;
    busy(&mut people).await?;
    fleet.in_step(&people).await?;
    busy(&mut people).await?;
    fleet.hosts[1].thaw()?;
    server.crash()?;
    server.start_again()?;
    busy(&mut people).await?;
    fleet.hosts[0].start().await?;
    busy(&mut people).await?;
    fleet.judged(&people).await?;
    for host in &mut fleet.hosts {
        assert_eq!(host.ended()?, None, "{}", host.last_lines());
    }
    fleet.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_restarted_one_after_the_other() -> Told {
    let (_server, url) = database()?;
    let mut fleet = Fleet::start(Order {
        postgres: Some(url),
        hosts: 3,
        manners: unruly(),
        ..order()
    })
    .await?;
    let mut people = People::new(fleet.control(), 4)?;
    for number in 0..3 {
        busy(&mut people).await?;
        fleet.hosts[number].stop().await?;
        busy(&mut people).await?;
        fleet.hosts[number].start().await?;
    }
    fleet.judged(&people).await?;
    fleet.stop().await
}

/// S14, said plainly: a process that freezes inside the POST for longer than its lease doubles a referral; that is found by our id and told.
#[tokio::test(flavor = "multi_thread")]
async fn s14_a_referral_that_a_frozen_host_doubles_is_detected_and_shown() -> Told {
    let (_server, url) = database()?;
    let fleet = Fleet::start(Order {
        postgres: Some(url),
        hosts: 2,
        ..order()
    })
    .await?;
    let mut people = People::new(fleet.control(), 5)?;
    // Either of them may get the deal.
    for host in &fleet.hosts {
        host.order("intent.after freeze")?;
    }
    people.seller_begins()?;
    let frozen = fleet
        .until("a host to freeze before its POST", |_| {
            fleet.hosts.iter().position(|host| host.has_obeyed())
        })
        .await?;
    assert!(fleet.hosts[1 - frozen].forget_order());
    fleet.in_step(&people).await?;
    fleet.hosts[frozen].thaw()?;
    let own = |control: &cosell_simulator::Control| {
        let referrals = control.referrals().into_iter();
        referrals
            .filter(|one| one["organizationId"] != "msft")
            .count()
    };
    fleet
        .until("the second referral", |control| {
            (own(control) == 2).then_some(())
        })
        .await?;
    let told = async {
        loop {
            let lanes = fleet.lanes().await?;
            let found = lanes.into_iter().find(|lane| {
                lane.state == "parked"
                    && lane
                        .reason
                        .as_deref()
                        .is_some_and(|why| why.contains("referral-twice"))
            });
            if let Some(found) = found {
                return anyhow::Ok(found);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let told = tokio::time::timeout(cosell_tests::fleet::PATIENCE, told).await??;
    assert!(told.reason.unwrap_or_default().contains("carries our id"));
    Ok(())
}
