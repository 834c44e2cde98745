//! A run: what one pass over a lane carries with it.

mod memory;
mod parked;
mod recorded;
mod telling;
mod turns;
mod writing;

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_plugins::{Asking, PluginSet};
use cosell_store::{
    Bell, Card, Hold, Intent, LaneId, LaneState, Lease, LinkState, Millis, PERSON, RecordKey,
};
use cosell_sync::deal::{Timestamp, Unit};
use cosell_sync::merge::Bases;
use cosell_sync::side::{Side, Sides};

use super::sees::Sees;
use crate::binding;
use crate::desk::{Connection, Desk};
use crate::link::{self, Notes};
use crate::throttle;
use crate::trouble::{Trouble, reasons_of};
use memory::Memory;

pub(crate) use recorded::ending;
pub(super) use telling::reason_of;

/// One pass over a lane, with the set of plugins that it began with (S29).
pub struct Run<'a> {
    pub(super) desk: &'a Desk,
    pub(super) connection: &'a Connection,
    pub(super) set: Arc<PluginSet>,
    pub(super) lease: Lease,
    pub(super) members: Vec<RecordKey>,
    pub(super) bells: &'a [Bell],
    pub(super) link: LinkState,
    pub(super) bases: Bases,
    pub(super) notes: Notes,
    pub(super) intent: Option<Intent>,
    pub(super) born: Millis,
    /// Open questions, with the answers that people have given.
    pub(super) cards: Vec<Card>,
    /// Live holds, with the verdicts that people have given.
    pub(super) holds: Vec<Hold>,
    /// What the lane stood on when it was parked (S26), and with which reasons.
    pub(super) parked_on: Option<String>,
    failure: Option<String>,
    /// The pair was made anew: bases of the one before are dropped with the next transaction.
    forget_bases: bool,
    /// What it stands on now; known after a look.
    pub(crate) stands_on: Option<String>,
    /// Whose word each unit of the CRM's side is: unit → plugin.
    pub(super) speakers: BTreeMap<Unit, String>,
    /// Stops before act, and writes nothing down (S1).
    is_preview: bool,
    /// Whether it was asked where rows are now that hung from the deal.
    pub(super) has_followed: bool,
    /// The mark that the write under way puts before the name; known to stand there once that write is done.
    pub(super) mark: Option<String>,
    /// Through which everything is read before the line acts.
    pub(super) sees: Sees<'a>,
    /// The raw records of the last look.
    seen: Sides<String>,
    /// What the next transaction takes along: bases, raws, members, lines.
    memory: Memory,
}

impl<'a> Run<'a> {
    /// Begins a run on a lane that is leased to us.
    ///
    /// # Errors
    /// [`Trouble::NotYet`] while a credential rests, or when the connection is not ours.
    pub async fn begin(
        desk: &'a Desk,
        lease: &Lease,
        state: &'a LaneState,
    ) -> Result<Self, Trouble> {
        let connection = Self::connection(desk, &lease.connection)?;
        // I11: no request before the throttle opens.
        throttle::must_be_open(desk, &lease.connection).await?;
        connection
            .checked
            .get_or_try_init(|| binding::check(&*desk.store, connection))
            .await?;
        binding::must_be_ours(&*desk.store, &lease.connection, desk.now()).await?;
        let mut run = Self::over(desk, connection, lease, state)?;
        run.sees = Sees::new(connection, desk.recordings.is_some());
        Ok(run)
    }

    /// Begins a preview: it takes no lease, and stops before act.
    ///
    /// # Errors
    /// [`Trouble::NotYet`] when the connection is not ours.
    pub fn preview(
        desk: &'a Desk,
        connection: &str,
        lane: LaneId,
        state: &'a LaneState,
    ) -> Result<Self, Trouble> {
        let lease = Lease {
            connection: connection.to_owned(),
            lane,
            fence: 0,
            until: Millis::MAX,
        };
        let connection = Self::connection(desk, connection)?;
        Ok(Self {
            is_preview: true,
            ..Self::over(desk, connection, &lease, state)?
        })
    }

    /// The same with another set of plugins than this deal's.
    #[must_use]
    pub fn with_set(mut self, set: Arc<PluginSet>) -> Self {
        self.set = set;
        self
    }

    fn connection(desk: &'a Desk, id: &str) -> Result<&'a Connection, Trouble> {
        desk.connections.get(id).ok_or_else(|| Trouble::NotYet {
            until: desk.now() + 60_000,
            reason: format!("connection \"{id}\" is not configured on this host"),
        })
    }

    fn over(
        desk: &'a Desk,
        connection: &'a Connection,
        lease: &Lease,
        state: &'a LaneState,
    ) -> Result<Self, Trouble> {
        let link = state.link.clone().unwrap_or_default();
        Ok(Self {
            desk,
            connection,
            set: desk.set_for(&lease.connection, lease.lane, state),
            lease: lease.clone(),
            cards: state.cards.clone(),
            holds: state.holds.clone(),
            parked_on: state.parked_on.clone().filter(|_| state.failure.is_some()),
            // Stores of before keep a fingerprint here: such a lane looks at everything once more.
            failure: state
                .failure
                .clone()
                .filter(|reasons| !reasons_of(reasons).is_empty()),
            forget_bases: false,
            stands_on: None,
            speakers: BTreeMap::new(),
            is_preview: false,
            has_followed: false,
            members: state.members.clone(),
            bells: &state.bells,
            bases: link::bases(&link),
            notes: Notes::parse(&link.notes),
            intent: state.intent.clone(),
            link,
            born: state.born,
            mark: None,
            sees: Sees::new(connection, false),
            seen: Sides::default(),
            memory: Memory::default(),
        })
    }

    /// Keeps the lane ours for another round.
    pub(super) async fn renew(&mut self) -> Result<(), Trouble> {
        if self.is_preview {
            return Ok(());
        }
        let lease_ms = self.desk.lease_ms;
        self.lease = self.desk.store.renew(&self.lease, lease_ms).await?;
        Ok(())
    }

    /// What people have decided since the run began.
    pub(super) async fn hear_verdicts(&mut self) -> Result<(), Trouble> {
        self.holds = self.desk.store.open(&self.lease).await?.holds;
        Ok(())
    }

    /// The context of every question to a plugin.
    pub(super) fn asking(&self) -> Asking {
        let now = Timestamp::from_millisecond(self.now()).unwrap_or(Timestamp::UNIX_EPOCH);
        Asking {
            about: self.lease.lane.0.unsigned_abs(),
            connection: self.lease.connection.to_string(),
            ..Asking::new(now, self.language())
        }
    }

    pub(super) fn is_linked(&self) -> bool {
        self.link.referral.is_some() && self.link.crm_row.is_some()
    }

    /// The column that people know a row of the table by.
    pub(super) async fn name_column(&self, table: &str) -> Result<String, Trouble> {
        let known = self.sees.table(table, &[]).await?;
        Ok(known.name_column.unwrap_or_default())
    }

    /// A referral's page for people.
    pub(super) fn link_base(&self) -> &'a str {
        &self.connection.link_base
    }

    /// The side on which the deal was first met: the one whose record is the lane's first member.
    pub(super) fn origin(&self, otherwise: Side) -> Side {
        self.members
            .first()
            .and_then(|member| Side::parse(&member.side))
            .unwrap_or(otherwise)
    }

    /// A lane without link and without a write under way may give way to its elder (S13).
    pub(super) fn may_retire(&self) -> bool {
        self.link.referral.is_none() && self.intent.is_none()
    }

    /// Whether this run stops before act.
    pub(super) const fn is_preview(&self) -> bool {
        self.is_preview
    }

    /// Whether a person ordered this run.
    pub(super) fn is_ordered(&self) -> bool {
        self.bells
            .iter()
            .any(|bell| bell.rung > bell.answered && bell.cause == PERSON)
    }

    /// A write was begun and its outcome is not known yet.
    #[must_use]
    pub fn has_open_write(&self) -> bool {
        self.intent.is_some()
    }

    /// The record of a bell or member on this side.
    pub(crate) fn record(side: Side, kind: &str, id: &str) -> RecordKey {
        RecordKey {
            side: side.as_str().to_owned(),
            kind: kind.to_owned(),
            id: id.to_ascii_lowercase(),
        }
    }

    pub(super) fn lane(&self) -> LaneId {
        self.lease.lane
    }
}
