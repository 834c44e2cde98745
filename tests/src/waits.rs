//! What stories wait for, and what they ask the store and the people's part of the host meanwhile.

use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use cosell_host::config::Config;
use cosell_host::status::{Status, status};
use cosell_simulator::Control;
use cosell_store::{Card, Hold, LaneId, PERSON};
use serde_json::json;

use crate::{LOOK_EVERY, PATIENCE, World};

impl World {
    /// Waits for an open card of this kind.
    ///
    /// # Errors
    /// When none comes.
    pub async fn card(&self, kind: &str) -> anyhow::Result<Card> {
        let began = Instant::now();
        loop {
            let cards = self.desk()?.store.cards(None, true, 100).await?;
            if let Some(card) = cards.into_iter().find(|card| card.kind == kind) {
                return Ok(card);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "waited in vain for a card \"{kind}\"; the store says {}",
                json!(self.status().await?.deals)
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A person answers it.
    ///
    /// # Errors
    /// When none comes, or it cannot be answered.
    pub async fn answer(&self, kind: &str, choice: &str) -> anyhow::Result<Card> {
        let card = self.card(kind).await?;
        let desk = self.desk()?;
        desk.store
            .answer_card(&card.connection, card.card, choice, "operator")
            .await?;
        desk.rope.notify_one();
        Ok(card)
    }

    /// Waits for a live hold of this kind without a verdict.
    ///
    /// # Errors
    /// When none comes.
    pub async fn hold(&self, kind: &str) -> anyhow::Result<Hold> {
        let began = Instant::now();
        loop {
            let holds = self.desk()?.store.holds(None, true, 100).await?;
            if let Some(hold) = holds
                .into_iter()
                .find(|hold| hold.kind == kind && hold.verdict.is_none())
            {
                return Ok(hold);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "waited in vain for a hold \"{kind}\"; the store says {}",
                json!(self.status().await?.deals)
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A person releases it, or cancels it.
    ///
    /// # Errors
    /// When none comes.
    pub async fn settle(&self, kind: &str, released: bool) -> anyhow::Result<()> {
        let hold = self.hold(kind).await?;
        let desk = self.desk()?;
        desk.store
            .settle_hold(&hold.connection, hold.hold, released, "operator")
            .await?;
        desk.rope.notify_one();
        Ok(())
    }

    /// A person orders every deal to be looked at again.
    ///
    /// # Errors
    /// What the store says.
    pub async fn retry_all(&self) -> anyhow::Result<()> {
        let desk = self.desk()?;
        for deal in self.status().await?.deals {
            if deal.state != "retired" {
                desk.store
                    .wake(&deal.connection, LaneId(deal.lane), PERSON)
                    .await?;
            }
        }
        desk.rope.notify_one();
        Ok(())
    }

    /// Waits until `look` sees what it looks for.
    ///
    /// # Errors
    /// When it never does, with what the host says about its deals.
    pub async fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&Control) -> Option<T>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        loop {
            if let Some(seen) = look(self.control()) {
                return Ok(seen);
            }
            if began.elapsed() > PATIENCE {
                let deals = self.status().await?.deals;
                bail!(
                    "waited in vain for {what}; the store says {}; refused writes: {:?}",
                    json!(deals),
                    self.control().refused()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What the store says.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn status(&self) -> anyhow::Result<Status> {
        status(&Config::load(&self.config)?)
            .await
            .context("the store cannot be read")
    }

    /// Waits until nothing rings, runs or is under way.
    ///
    /// # Errors
    /// When it never gets quiet.
    pub async fn quiet(&self) -> anyhow::Result<Status> {
        let began = Instant::now();
        loop {
            // Asked before the store is: what arrives in between rings a bell that the store then shows.
            let on_their_way = self.control().deliveries_waiting() > 0;
            let now = self.status().await?;
            let is_any = |states: &[&str]| {
                let mut deals = now.deals.iter();
                deals.any(|deal| states.contains(&deal.state.as_str()))
            };
            // Bells of deals that wait after a failure ring on until they are looked at.
            let mut deals = now.deals.iter();
            let waits = deals.any(|deal| deal.state == "waiting" && deal.reason.is_some());
            let rings = now.bells_unanswered > 0 && !waits;
            let busy = rings || now.open_writes > 0 || on_their_way;
            let moving = is_any(&["due", "running"]);
            if !busy && !moving {
                return Ok(now);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "it never got quiet: {}",
                json!(now)
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until what the store says fits.
    ///
    /// # Errors
    /// When it never does.
    pub async fn status_where(&self, fits: impl Fn(&Status) -> bool) -> anyhow::Result<Status> {
        let began = Instant::now();
        loop {
            let now = self.status().await?;
            if fits(&now) {
                return Ok(now);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "the store never said what was waited for: {}",
                json!(now)
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the audit of a row's lane fits.
    ///
    /// # Errors
    /// When it never does.
    pub async fn history_where(
        &self,
        row: &str,
        fits: impl Fn(&[String]) -> bool,
    ) -> anyhow::Result<Vec<String>> {
        let began = Instant::now();
        loop {
            let told = self.history(row).await?;
            if fits(&told) {
                return Ok(told);
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "the audit never said what was waited for: {told:?}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the running host has this many plugins in service.
    ///
    /// # Errors
    /// When it never does.
    pub async fn until_plugins(&self, count: usize) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.desk()?.plugins.current().plugins().len() != count {
            ensure!(
                began.elapsed() < PATIENCE,
                "the set never had {count} plugins"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Waits until the running host has another set than this one.
    ///
    /// # Errors
    /// When it never does.
    pub async fn until_settings(&self, before: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.desk()?.plugins.current().hash() == before {
            ensure!(began.elapsed() < PATIENCE, "the set was never swapped");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// The audit of a row's lane, as sentences, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read, or the row has no lane.
    pub async fn history(&self, row: &str) -> anyhow::Result<Vec<String>> {
        let config = Config::load(&self.config)?;
        let deals = self.status().await?.deals;
        let deal = deals
            .iter()
            .find(|deal| deal.crm_row.as_deref() == Some(row))
            .context("the row has no lane")?;
        let store = cosell_store::open(&config.store, None).await?.store;
        let entries = store.audit(&deal.connection, LaneId(deal.lane)).await?;
        Ok(entries
            .into_iter()
            .map(|entry| entry.line.message)
            .collect())
    }
}
