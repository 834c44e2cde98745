//! Hosts that are ended by force: at each step of the protocol, and at random.

use std::time::Duration;

use cosell_tests::fleet::crash::{self, Rounds};
use cosell_tests::fleet::gate::Manners;
use cosell_tests::fleet::{Fleet, Order};

use crate::{Told, order};

#[tokio::test(flavor = "multi_thread")]
async fn a_few_rounds_of_killing_lose_and_double_nothing() -> Told {
    let manners = Manners {
        lost: 0.05,
        times: 1..=3,
        late: Duration::from_millis(50),
        seed: 6,
    };
    let mut fleet = Fleet::start(Order { manners, ..order() }).await?;
    let rounds = Rounds {
        count: 6,
        deals_max: 8,
        seed: 6,
    };
    let verdict = crash::play(&mut fleet, rounds, |_, _| {}).await?;
    assert!(verdict.deals > 0 && verdict.writes > 0, "{verdict:?}");
    Ok(())
}

/// A release has no failpoints.
#[cfg(debug_assertions)]
mod each_step {
    use cosell_tests::fleet::matrix;
    use cosell_tests::fleet::people::People;
    use cosell_tests::fleet::{Fleet, Order};

    use crate::{Told, database, order};

    async fn a_share_of_the_matrix(order: Order<'_>) -> Told {
        let mut fleet = Fleet::start(order).await?;
        let mut people = People::new(fleet.control(), 1)?;
        for case in matrix::share() {
            matrix::play(&mut fleet, &mut people, case).await?;
        }
        fleet.stop().await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_host_may_end_at_each_step_on_a_file() -> Told {
        a_share_of_the_matrix(order()).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_host_may_end_at_each_step_on_postgres() -> Told {
        let (_server, url) = database()?;
        a_share_of_the_matrix(Order {
            postgres: Some(url),
            ..order()
        })
        .await
    }
}
