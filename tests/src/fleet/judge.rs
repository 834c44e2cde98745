//! What came of it: nothing lost, nothing doubled, nothing unexplained. The ledger and the records of the simulator count, and not the hosts' own
//! word; their store is asked whether it says the same.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use cosell_store::{Census, LaneFilter, LaneSummary};

use super::people::{Ended, People};
use super::{Fleet, LOOK_EVERY, PATIENCE};

/// The only connection of a simulated configuration.
const CONNECTION: &str = "simulated";
/// How the host marks its calls to Dataverse; what follows is the operation.
const TAG: &str = "cosell:";
/// Deals of one page.
const PAGE: usize = 500;

/// What the judge has counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verdict {
    /// Deals that people have begun.
    pub deals: usize,
    /// Of them, those to which Microsoft is invited.
    pub invited: usize,
    /// Of them, those that were won, lost or deleted.
    pub ended: usize,
    /// Edits, births and ends of people.
    pub said: i64,
    /// Writes that the two sides accepted.
    pub writes: usize,
}

impl Fleet {
    /// Waits until everybody is at rest and both sides show what people said last, then looks at everything.
    ///
    /// # Errors
    /// With what is lost, doubled or unexplained.
    pub async fn judged(&self, people: &People) -> anyhow::Result<Verdict> {
        let began = Instant::now();
        let mut before = Vec::new();
        let found = loop {
            self.in_step(people).await?;
            let mut found = doubled(self, people);
            found.extend(self.unexplained().await?);
            // A sweep may have rung meanwhile, so only what is found twice is wrong.
            if found.is_empty() || found == before || began.elapsed() > PATIENCE {
                break found;
            }
            before = found;
        };
        ensure!(found.is_empty(), "{}\n{}", found.join("\n"), self.logs());
        Ok(Verdict {
            deals: people.deals.len(),
            invited: people.invited(),
            ended: people
                .deals
                .iter()
                .filter(|deal| deal.ended.is_some())
                .count(),
            said: people.said(),
            writes: self.control().counts().writes,
        })
    }

    /// Waits until nothing is under way and both sides show what people said last.
    ///
    /// # Errors
    /// With what is lost, or what never came to rest.
    pub async fn in_step(&self, people: &People) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            // Asked before the store is: what arrives in between rings a bell that the store then shows.
            let mut open: Vec<String> = Vec::new();
            let coming = self.control().deliveries_waiting() + self.gate.under_way();
            if coming > 0 {
                open.push(format!("{coming} webhooks are on their way"));
            }
            let census = self.store.census().await;
            match census {
                Ok(census) => {
                    open.extend(at_work(&census));
                    let orphaned = census.lanes.get("orphaned").copied().unwrap_or(0);
                    let deleted = people.ended(Ended::Deleted);
                    if usize::try_from(orphaned) != Ok(deleted) {
                        open.push(format!("{deleted} rows were deleted, and {orphaned} deals wait for a person to decide"));
                    }
                }
                Err(error) => open.push(format!("the store does not answer: {error}")),
            }
            if open.is_empty() {
                open = people
                    .deals
                    .iter()
                    .filter_map(|deal| deal.missing(self.control()))
                    .collect();
            }
            if open.is_empty() {
                return Ok(());
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{}\n{}",
                open.join("\n"),
                self.logs()
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Lanes that are not at rest, writes that the store knows nothing of, and what the store finds wrong in itself.
    async fn unexplained(&self) -> anyhow::Result<Vec<String>> {
        let mut found: Vec<String> = Vec::new();
        let mut operations = BTreeSet::new();
        for lane in self.lanes().await? {
            // As many are orphaned as people have deleted rows: that was waited for.
            let at_rest = ["settled", "retired", "paused", "orphaned"];
            let at_rest = at_rest.contains(&lane.state.as_str());
            if !at_rest {
                let reason = lane.reason.clone().unwrap_or_default();
                found.push(format!("lane {} is {}: {reason}", lane.lane.0, lane.state));
            }
            let attempts = self.store.attempts(&lane.connection, lane.lane).await?;
            operations.extend(attempts.into_iter().map(|attempt| attempt.operation));
        }
        for entry in self.control().ledger(0) {
            let operation = entry.tag.as_deref().and_then(|tag| tag.strip_prefix(TAG));
            if let Some(operation) = operation.filter(|one| !operations.contains(*one)) {
                found.push(format!(
                    "{} {} of {} was accepted, and no host remembers operation {operation}",
                    entry.operation, entry.kind, entry.record
                ));
            }
        }
        let broken = self
            .store
            .check()
            .await
            .context("the store is not checked")?;
        found.extend(broken.iter().map(ToString::to_string));
        Ok(found)
    }

    /// Every lane.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn lanes(&self) -> anyhow::Result<Vec<LaneSummary>> {
        let mut lanes: Vec<LaneSummary> = Vec::new();
        loop {
            let filter = LaneFilter {
                limit: PAGE,
                after: lanes.last().map(|lane| lane.lane),
                ..LaneFilter::default()
            };
            let page = self.store.lanes_page(CONNECTION, &filter).await?;
            let is_last = page.len() < PAGE;
            lanes.extend(page);
            if is_last {
                return Ok(lanes);
            }
        }
    }
}

/// What is there once too often, or was written as it must not be.
fn doubled(fleet: &Fleet, people: &People) -> Vec<String> {
    let control = fleet.control();
    let audit = control.audit();
    // The referral of a row that a person has deleted names it on.
    let deleted = people
        .deals
        .iter()
        .filter(|deal| deal.ended == Some(Ended::Deleted));
    let deleted: Vec<&str> = deleted.filter_map(|deal| deal.row.as_deref()).collect();
    let one_sided = audit.one_sided_links.into_iter();
    let one_sided = one_sided.filter(|link| !deleted.iter().any(|row| link.contains(row)));
    let one_sided: Vec<String> = one_sided.collect();
    let lists = [
        ("is there twice", audit.duplicates),
        ("is linked on one side only", one_sided),
        (
            "was written although it is closed",
            audit.closed_deal_writes,
        ),
        ("was overwritten unseen", audit.lost_updates),
        ("was written blindly", audit.blind_writes),
    ];
    let mut found: Vec<String> = lists
        .into_iter()
        .flat_map(|(what, list)| list.into_iter().map(move |one| format!("{what}: {one}")))
        .collect();
    let (counts, deals) = (control.counts(), people.deals.len());
    let rows = deals - people.ended(Ended::Deleted);
    if (counts.referrals, counts.opportunities) != (deals, rows) {
        found.push(format!(
            "{deals} deals were begun and {} rows deleted, and there are {} referrals and {} opportunities",
            deals - rows, counts.referrals, counts.opportunities
        ));
    }
    let invited = people.invited();
    if counts.microsoft_referrals != invited {
        found.push(format!(
            "Microsoft was to be invited to {invited} deals, and has {} referrals",
            counts.microsoft_referrals
        ));
    }
    found
}

/// Who is not at rest.
fn at_work(census: &Census) -> Vec<String> {
    let lanes = |state: &str| census.lanes.get(state).copied().unwrap_or(0);
    let counts = [
        (census.bells_unanswered, "bells are unanswered"),
        (census.intents, "writes are open"),
        (lanes("due"), "lanes are due"),
        (lanes("running"), "lanes are running"),
        (lanes("waiting"), "lanes wait"),
    ];
    let open = counts.into_iter().filter(|(count, _)| *count > 0);
    open.map(|(count, what)| format!("{count} {what}"))
        .collect()
}
