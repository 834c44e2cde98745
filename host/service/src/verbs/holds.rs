//! `cosell holds` and `cosell hold`: writes that wait for time or a person.

use std::collections::BTreeMap;

use cosell_store::{Hold, HoldVerdict, StoreError};
use cosell_sync::side::Side;
use serde::Serialize;
use serde_json::Value;

use super::cards::{ALL, ClosedView};
use super::deals::name_of;
use super::{Archive, Moment, VerbError};
use crate::pipeline::{MASS, mass_note};

/// A write that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldView {
    /// The connection.
    pub connection: String,
    /// By this number it is released or cancelled.
    pub hold: i64,
    /// Whose lane wants to write.
    pub lane: i64,
    /// The deal's name, as far as it is known.
    pub deal: Option<String>,
    /// `visibility`, `help`, `contacts`, `won`, `lost`, `declined`, `mass`.
    pub kind: String,
    /// The unit; of a mass change, the side.
    pub subject: String,
    /// `partner-center` or `crm`.
    pub to: Option<String>,
    /// What stands there now.
    pub before: Option<String>,
    /// What would stand there.
    pub after: Option<String>,
    /// What it would do that nobody can take back: the rest of "this write …".
    pub consequence: String,
    /// Since when it waits.
    pub opened: Moment,
    /// When its grace period ends and it goes by itself; none: never without a person.
    pub until: Option<Moment>,
    /// What a person decided; the next run of the deal carries it out.
    pub verdict: Option<VerdictView>,
    /// How it came to its end.
    pub closed: Option<ClosedView>,
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictView {
    /// True: it may go. False: it shall not be made.
    pub released: bool,
    /// Who.
    pub by: String,
    /// When.
    pub at: Moment,
}

impl From<&HoldVerdict> for VerdictView {
    fn from(verdict: &HoldVerdict) -> Self {
        Self {
            released: verdict.released,
            by: verdict.by.clone(),
            at: Moment(verdict.at),
        }
    }
}

/// Holds that were released or cancelled just now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// Or cancelled.
    pub released: bool,
    /// By whom.
    pub by: String,
    /// Which.
    pub holds: Vec<HoldView>,
}

/// Live holds, the latest first; with `closed`, those that had an end as well.
///
/// # Errors
/// [`VerbError::Store`].
pub async fn holds(
    archive: &Archive,
    closed: bool,
    limit: usize,
) -> Result<Vec<HoldView>, VerbError> {
    let found = archive
        .store
        .holds(archive.only(), !closed, limit.min(ALL))
        .await?;
    views(archive, &found).await
}

async fn views(archive: &Archive, found: &[Hold]) -> Result<Vec<HoldView>, VerbError> {
    let mut names = BTreeMap::new();
    let mut views = Vec::with_capacity(found.len());
    for hold in found {
        let key = (hold.connection.clone(), hold.lane);
        if !names.contains_key(&key) {
            let name = name_of(&*archive.store, &hold.connection, hold.lane).await?;
            names.insert(key.clone(), name);
        }
        views.push(view(hold, names[&key].clone()));
    }
    Ok(views)
}

/// A person releases a hold, or cancels it. The deal's next run carries it out.
///
/// # Errors
/// [`VerbError::ManyNumbers`]; [`VerbError::Store`] when the hold is closed, or there is none.
pub async fn settle(
    archive: &Archive,
    number: i64,
    released: bool,
    by: &str,
) -> Result<Settled, VerbError> {
    let all = archive.store.holds(archive.only(), false, ALL).await?;
    let meant: Vec<&Hold> = all.iter().filter(|hold| hold.hold == number).collect();
    let live: Vec<&Hold> = meant
        .iter()
        .copied()
        .filter(|hold| hold.closed.is_none())
        .collect();
    let hold = match live.as_slice() {
        [only] => *only,
        [] => {
            let closed = meant.iter().find_map(|hold| hold.closed.clone());
            return Err(StoreError::NoHold {
                hold: number,
                closed: closed.map(|closed| closed.why),
            }
            .into());
        }
        several => {
            return Err(VerbError::ManyNumbers {
                what: "hold",
                number,
                connections: several.iter().map(|hold| hold.connection.clone()).collect(),
            });
        }
    };
    archive
        .store
        .settle_hold(&hold.connection, number, released, by)
        .await?;
    settled(archive, vec![hold.clone()], released, by).await
}

/// S25: a person lets a mass change pass: every lane that it held goes on, and counting starts anew from now.
///
/// # Errors
/// [`VerbError::NoMass`] when nothing is held there.
pub async fn release_mass(archive: &Archive, side: Side, by: &str) -> Result<Settled, VerbError> {
    let live = archive.store.holds(archive.only(), true, ALL).await?;
    let meant: Vec<Hold> = live
        .into_iter()
        .filter(|hold| hold.kind == MASS && hold.subject == side.as_str())
        .filter(|hold| hold.verdict.as_ref().is_none_or(|one| !one.released))
        .collect();
    if meant.is_empty() {
        return Err(VerbError::NoMass {
            side: side.to_string(),
        });
    }
    // The count starts anew before the first lane runs: else it would be held again.
    let now = (cosell_store::system_clock())();
    for connection in &archive.connections {
        if meant.iter().any(|hold| hold.connection == *connection) {
            archive
                .store
                .set_note(connection, &mass_note(side), Some(now.to_string()))
                .await?;
        }
    }
    let mut released = Vec::with_capacity(meant.len());
    for hold in meant {
        match archive
            .store
            .settle_hold(&hold.connection, hold.hold, true, by)
            .await
        {
            Ok(_) => released.push(hold),
            // Its lane has closed it meanwhile: nothing is left to release.
            Err(StoreError::NoHold { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    settled(archive, released, true, by).await
}

async fn settled(
    archive: &Archive,
    mut holds: Vec<Hold>,
    released: bool,
    by: &str,
) -> Result<Settled, VerbError> {
    let at = (cosell_store::system_clock())();
    for hold in &mut holds {
        hold.verdict = Some(HoldVerdict {
            released,
            by: by.to_owned(),
            at,
        });
    }
    Ok(Settled {
        released,
        by: by.to_owned(),
        holds: views(archive, &holds).await?,
    })
}

/// A hold as a person reads it.
pub(super) fn view(hold: &Hold, deal: Option<String>) -> HoldView {
    let body: Value = serde_json::from_str(&hold.body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    HoldView {
        connection: hold.connection.clone(),
        hold: hold.hold,
        lane: hold.lane.0,
        deal,
        kind: hold.kind.clone(),
        subject: hold.subject.clone(),
        to: text("to"),
        before: text("before"),
        after: text("after"),
        consequence: text("consequence").unwrap_or_default(),
        opened: Moment(hold.opened),
        until: hold.until.map(Moment),
        verdict: hold.verdict.as_ref().map(VerdictView::from),
        closed: hold.closed.as_ref().map(ClosedView::from),
    }
}
