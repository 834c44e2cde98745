//! `cosell reconcile`: is every referral linked, or is it known why not? Partner Center's list and the CRM's rows against the store.

mod books;

use std::collections::BTreeSet;

use cosell_remote::partner_center::{ListQuery, Order};
use cosell_store::{LaneId, LaneSummary, LinkedReferral};
use cosell_sync::side::Side;
use serde::Serialize;

use super::deals::name_of;
use super::find::records;
use super::{Archive, VerbError, reason_in_words};
use crate::desk::{Connection, Desk};
use crate::throttle;
use crate::trouble::Trouble;
use books::{Books, Listed, RowOf};

/// A connection's books.
#[derive(Debug, Clone, Serialize)]
pub struct Reconciliation {
    /// The connection.
    pub connection: String,
    /// Our own referrals that Partner Center lists.
    pub referrals: usize,
    /// Of these: linked with a row that is there.
    pub linked: usize,
    /// Exceptions that nobody can explain.
    pub unexplained: usize,
    /// Everything that is not plainly linked, the unexplained first.
    pub exceptions: Vec<Exception>,
}

/// A record that is not plainly linked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// What is the matter.
    pub what: What,
    /// The host knows why, and so does `reason`.
    pub explained: bool,
    /// The deal's name, as far as it is known.
    pub name: Option<String>,
    /// The referral.
    pub referral: Option<String>,
    /// Logical name of the row's table.
    pub crm_table: Option<String>,
    /// The row.
    pub crm_row: Option<String>,
    /// The lane.
    pub lane: Option<i64>,
    /// Where it stands.
    pub state: Option<String>,
    /// For people.
    pub reason: String,
    /// What to do.
    pub remedy: Option<String>,
}

/// What is the matter with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The host has never heard of it.
    NoLane,
    /// It is not linked.
    NotLinked,
    /// Its lane knows one record of the two.
    OneSided,
    /// It is linked, and Partner Center does not list it any more: it was deleted, or we may not see it.
    NotListed,
    /// It is linked, and the row is not there any more.
    RowGone,
    /// A second referral for a row that is linked with another one.
    Twice,
    /// It is linked, and not kept in step just now.
    Linked,
}

impl What {
    /// For people.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::NoLane => "not known to the host",
            Self::NotLinked => "not linked",
            Self::OneSided => "one-sided",
            Self::NotListed => "linked, but no longer listed",
            Self::RowGone => "linked, but the row is gone",
            Self::Twice => "second referral for one row",
            Self::Linked => "linked",
        }
    }
}

/// Compares what both sides have with what the host has written down.
///
/// # Errors
/// [`VerbError::Remote`] when a side could not be listed; [`VerbError::Resting`]; [`VerbError::Store`].
pub async fn reconcile(
    desk: &Desk,
    connection: Option<&str>,
) -> Result<Vec<Reconciliation>, VerbError> {
    let archive = Archive::of(desk, connection)?;
    let mut all = Vec::new();
    for id in &archive.connections {
        if let Some(connection) = desk.connections.get(id) {
            all.push(one(desk, connection).await?);
        }
    }
    Ok(all)
}

async fn one(desk: &Desk, connection: &Connection) -> Result<Reconciliation, VerbError> {
    match throttle::must_be_open(desk, &connection.id).await {
        Ok(()) => {}
        Err(Trouble::Store(error)) => return Err(error.into()),
        Err(trouble) => {
            return Err(VerbError::Resting {
                connection: connection.id.clone(),
                why: trouble.to_string(),
            });
        }
    }
    let query = ListQuery {
        order: Some(Order::Created),
        ..ListQuery::default()
    };
    let books = Books::read(desk, connection, &query).await?;
    let mut exceptions = Vec::new();
    let mut linked = 0;
    for referral in &books.listed {
        match books.links.get(&referral.id) {
            Some(link) => {
                let is_whole = link.crm_row.as_ref().is_some_and(|row| books.has(row));
                linked += usize::from(is_whole);
                exceptions.extend(of_link(desk, connection, &books, referral, link).await?);
            }
            None => exceptions.extend(not_linked(desk, connection, &books, referral).await?),
        }
    }
    let listed: BTreeSet<&str> = books.listed.iter().map(|one| one.id.as_str()).collect();
    for (id, link) in &books.links {
        if !listed.contains(id.as_str()) {
            exceptions.push(not_listed(desk, connection, id, link).await?);
        }
    }
    for row in &books.gated {
        exceptions.extend(row_alone(desk, connection, &books, row).await?);
    }
    exceptions.sort_by_key(|one| (one.explained, one.what, one.name.clone()));
    Ok(Reconciliation {
        connection: connection.id.clone(),
        referrals: books.listed.len(),
        linked,
        unexplained: exceptions.iter().filter(|one| !one.explained).count(),
        exceptions,
    })
}

/// A lane's own word about why it is where it is. None: it says nothing.
fn word(summary: &LaneSummary) -> Option<String> {
    let reason = summary.reason.as_deref().map(reason_in_words);
    match (summary.state.as_str(), reason) {
        ("due" | "running", _) => Some("the host is about to look at it".to_owned()),
        ("settled" | "retired", _) => None,
        (state, Some(reason)) => Some(format!("{state}: {reason}")),
        (state, None) => Some(state.to_owned()),
    }
}

async fn lane(
    desk: &Desk,
    connection: &Connection,
    lane: LaneId,
) -> Result<Option<LaneSummary>, VerbError> {
    Ok(desk.store.lane(&connection.id, lane).await?)
}

/// A referral that is linked and listed: is its row there, and is it kept in step?
async fn of_link(
    desk: &Desk,
    connection: &Connection,
    books: &Books,
    referral: &Listed,
    link: &LinkedReferral,
) -> Result<Option<Exception>, VerbError> {
    let what = match &link.crm_row {
        None => What::OneSided,
        Some(row) if !books.has(row) => What::RowGone,
        Some(_)
            if matches!(
                link.state.as_str(),
                "parked" | "held" | "orphaned" | "paused"
            ) =>
        {
            What::Linked
        }
        Some(_) => return Ok(None),
    };
    let Some(summary) = lane(desk, connection, link.lane).await? else {
        return Ok(None);
    };
    let said = word(&summary);
    // A lane that has not noticed that its row is gone says nothing about it.
    let knows = what != What::RowGone
        || matches!(
            summary.state.as_str(),
            "orphaned" | "paused" | "due" | "running"
        );
    Ok(Some(Exception {
        explained: knows && said.is_some(),
        reason: match (what, said.filter(|_| knows)) {
            (_, Some(said)) => said,
            (What::RowGone, None) => {
                "the row cannot be found in the CRM any more, and no bell has told the host"
                    .to_owned()
            }
            (_, None) => "the lane rests with one record and does not say why".to_owned(),
        },
        remedy: remedy(&summary, what),
        name: referral.name.clone(),
        referral: Some(referral.id.clone()),
        ..about(what, Some(&summary))
    }))
}

/// A listed referral without a link.
async fn not_linked(
    desk: &Desk,
    connection: &Connection,
    books: &Books,
    referral: &Listed,
) -> Result<Option<Exception>, VerbError> {
    let [record, ..] = records(&referral.id);
    let known = desk.store.lane_of(&connection.id, &record).await?;
    let base = |what, summary: Option<&LaneSummary>| Exception {
        name: referral.name.clone(),
        referral: Some(referral.id.clone()),
        ..about(what, summary)
    };
    let twin = referral
        .external_reference
        .as_ref()
        .and_then(|row| books.referral_of(row));
    let Some(known) = known else {
        let reason = "no bell and no sweep has told the host of it yet";
        return Ok(Some(Exception {
            reason: reason.to_owned(),
            remedy: Some(format!(
                "start the host, whose sweep finds it; `cosell plan --deal {}` shows what it will do",
                referral.id
            )),
            ..base(What::NoLane, None)
        }));
    };
    let Some(summary) = lane(desk, connection, known).await? else {
        return Ok(None);
    };
    let its_own = summary.link.as_ref().and_then(|link| link.referral.clone());
    // Microsoft's view, and what else the lane's deal brought along.
    if let (Some(own), true) = (&its_own, referral.ended) {
        return Ok(Some(Exception {
            explained: true,
            reason: format!("ended; its deal goes on as referral {own}"),
            ..base(What::NotLinked, Some(&summary))
        }));
    }
    let said = word(&summary);
    if let Some(other) = its_own
        .as_ref()
        .or(twin)
        .filter(|other| **other != referral.id)
    {
        let explained = its_own.is_none() && said.is_some();
        return Ok(Some(Exception {
            explained,
            reason: said.filter(|_| explained).unwrap_or_else(|| {
                format!("it stands for a row that is linked with referral {other}")
            }),
            remedy: Some(
                "close the referral that should not be there in Partner Center".to_owned(),
            ),
            ..base(What::Twice, Some(&summary))
        }));
    }
    let what = if summary.link.is_some() {
        What::OneSided
    } else {
        What::NotLinked
    };
    Ok(Some(Exception {
        explained: said.is_some(),
        remedy: remedy(&summary, what),
        reason: said
            .unwrap_or_else(|| "the lane rests without a link and does not say why".to_owned()),
        ..base(what, Some(&summary))
    }))
}

/// A link whose referral Partner Center does not list.
async fn not_listed(
    desk: &Desk,
    connection: &Connection,
    referral: &str,
    link: &LinkedReferral,
) -> Result<Exception, VerbError> {
    let summary = lane(desk, connection, link.lane).await?;
    let what = if link.crm_row.is_some() {
        What::NotListed
    } else {
        What::OneSided
    };
    // Only a lane that has noticed has said so.
    let said = summary
        .as_ref()
        .filter(|one| {
            matches!(
                one.state.as_str(),
                "orphaned" | "paused" | "due" | "running"
            )
        })
        .and_then(word);
    Ok(Exception {
        explained: said.is_some(),
        reason: said.unwrap_or_else(|| {
            "it was deleted in Partner Center, or our user may no longer see it, and no bell has told the host".to_owned()
        }),
        remedy: summary.as_ref().and_then(|one| remedy(one, what)),
        name: name_of(&*desk.store, &connection.id, link.lane).await?,
        referral: Some(referral.to_owned()),
        ..about(what, summary.as_ref())
    })
}

/// A row whose sync is on and that has no referral.
async fn row_alone(
    desk: &Desk,
    connection: &Connection,
    books: &Books,
    row: &RowOf,
) -> Result<Option<Exception>, VerbError> {
    if books.referral_of(&row.id).is_some() {
        return Ok(None);
    }
    let record = records(&row.id)
        .into_iter()
        .find(|record| record.side == Side::Crm.as_str() && record.kind == row.kind.table());
    let known = match record {
        Some(record) => desk.store.lane_of(&connection.id, &record).await?,
        None => None,
    };
    let base = |what, summary: Option<&LaneSummary>| Exception {
        name: row.name.clone(),
        crm_table: Some(row.kind.table().to_owned()),
        crm_row: Some(row.id.clone()),
        ..about(what, summary)
    };
    let Some(known) = known else {
        return Ok(Some(Exception {
            reason: "its sync is on, and no bell and no sweep has told the host of it yet"
                .to_owned(),
            remedy: Some(format!(
                "start the host, whose sweep finds it; `cosell plan --deal {}` shows what it will do",
                row.id
            )),
            ..base(What::NoLane, None)
        }));
    };
    let Some(summary) = lane(desk, connection, known).await? else {
        return Ok(None);
    };
    // A lead whose deal went on as an opportunity (S17), or a row whose referral is told of above.
    let link = summary.link.as_ref();
    if link.is_some_and(|link| link.referral.is_some()) {
        return Ok(None);
    }
    let said = word(&summary);
    Ok(Some(Exception {
        explained: said.is_some(),
        remedy: remedy(&summary, What::NotLinked),
        reason: said
            .unwrap_or_else(|| "the lane rests without a link and does not say why".to_owned()),
        ..base(What::NotLinked, Some(&summary))
    }))
}

/// What the lane itself tells.
fn about(what: What, summary: Option<&LaneSummary>) -> Exception {
    let link = summary.and_then(|one| one.link.as_ref());
    Exception {
        what,
        explained: false,
        name: None,
        referral: link.and_then(|link| link.referral.clone()),
        crm_table: link.and_then(|link| link.crm_table.clone()),
        crm_row: link.and_then(|link| link.crm_row.clone()),
        lane: summary.map(|one| one.lane.0),
        state: summary.map(|one| one.state.clone()),
        reason: String::new(),
        remedy: None,
    }
}

fn remedy(summary: &LaneSummary, what: What) -> Option<String> {
    let lane = summary.lane.0;
    match summary.state.as_str() {
        "parked" => Some(format!("mend what it names, then `cosell retry {lane}`")),
        "held" => Some("`cosell cards` and `cosell holds` list what is asked".to_owned()),
        "orphaned" => Some("answer its question: `cosell cards`".to_owned()),
        "settled" | "waiting" if matches!(what, What::NotListed | What::RowGone) => Some(format!(
            "`cosell retry {lane}`: the host looks, and asks what to do (`cosell cards`)"
        )),
        "settled" => Some(format!("`cosell retry {lane}`")),
        _ => None,
    }
}
