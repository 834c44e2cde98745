//! Rounds in which hosts are ended by force at random moments while people act and webhooks are lost.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::judge::Verdict;
use super::people::People;
use super::{Fleet, LOOK_EVERY};

/// What happens in the rounds.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    /// How often a host is ended.
    pub count: u32,
    /// Deals that people begin at most.
    pub deals_max: usize,
    /// What is drawn from.
    pub seed: u64,
}

/// Longest time between a start and the end by force: short enough that starts are hit, too.
const LIFE_MAX: Duration = Duration::from_millis(1_500);

/// Plays the rounds, and judges at the end. Of several hosts any is hit.
///
/// # Errors
/// With what is lost, doubled or unexplained.
pub async fn play(
    fleet: &mut Fleet,
    rounds: Rounds,
    tell: impl Fn(u32, &People),
) -> anyhow::Result<Verdict> {
    let mut people = People::new(fleet.control(), rounds.seed)?;
    let mut dice = StdRng::seed_from_u64(rounds.seed);
    for round in 1..=rounds.count {
        let victim = dice.random_range(0..fleet.hosts.len());
        let life = LIFE_MAX.mul_f64(dice.random_range(0.0..1.0));
        let began = std::time::Instant::now();
        // People act all the time; when the moment has come is drawn, and nobody waits for anything.
        while began.elapsed() < life {
            people.act(rounds.deals_max)?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        fleet.hosts[victim].kill()?;
        people.act(rounds.deals_max)?;
        fleet.hosts[victim].spawn()?;
        tell(round, &people);
    }
    for host in &mut fleet.hosts {
        if host.ended()?.is_some() {
            anyhow::bail!("a host has ended by itself:\n{}", host.last_lines());
        }
    }
    fleet.judged(&people).await
}
