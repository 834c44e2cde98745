//! `cosell retry`: a person orders a run. A parked deal is tried again although nothing has changed (S26).

use cosell_store::{LaneFilter, LaneSummary};
use serde::Serialize;

use super::deals::name_of;
use super::pages::Pages;
use super::{Archive, DealKey, VerbError, reason_in_words};

/// A deal that is due now because a person ordered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Woken {
    /// The connection.
    pub connection: String,
    /// The lane.
    pub lane: i64,
    /// The deal's name, as far as it is known.
    pub deal: Option<String>,
    /// Where it stood.
    pub was: String,
    /// Why.
    pub reason: Option<String>,
}

/// Orders a run of each deal; the history says that it was `by`.
///
/// # Errors
/// [`VerbError::Store`]; the deals before it are woken then.
pub async fn retry(
    archive: &Archive,
    deals: &[DealKey],
    by: &str,
) -> Result<Vec<Woken>, VerbError> {
    let mut woken = Vec::with_capacity(deals.len());
    for key in deals {
        let Some(summary) = archive.store.lane(&key.connection, key.id()).await? else {
            return Err(VerbError::NoDeal {
                asked: key.to_string(),
            });
        };
        woken.push(wake(archive, summary, by).await?);
    }
    Ok(woken)
}

/// Orders a run of every parked deal; with `reason`, of those whose reason contains it, in any case.
///
/// # Errors
/// As [`retry`].
pub async fn retry_parked(
    archive: &Archive,
    reason: Option<&str>,
    by: &str,
) -> Result<Vec<Woken>, VerbError> {
    let wanted = reason.map(str::to_lowercase);
    let mut woken = Vec::new();
    for connection in &archive.connections {
        let parked = LaneFilter {
            states: vec!["parked".to_owned()],
            ..LaneFilter::default()
        };
        let mut pages = Pages::of(&*archive.store, connection, parked);
        while let Some(page) = pages.next().await? {
            for summary in page {
                let why = summary.reason.as_deref().map(reason_in_words);
                let why = why.unwrap_or_default().to_lowercase();
                if wanted.as_ref().is_none_or(|text| why.contains(text)) {
                    woken.push(wake(archive, summary, by).await?);
                }
            }
        }
    }
    Ok(woken)
}

async fn wake(archive: &Archive, summary: LaneSummary, by: &str) -> Result<Woken, VerbError> {
    let LaneSummary {
        connection, lane, ..
    } = summary;
    archive.store.order(&connection, lane, by).await?;
    Ok(Woken {
        deal: name_of(&*archive.store, &connection, lane).await?,
        connection,
        lane: lane.0,
        was: summary.state,
        reason: summary.reason.as_deref().map(reason_in_words),
    })
}
