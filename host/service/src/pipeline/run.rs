//! A run: what one pass over a lane carries with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cosell_plugins::{Asking, PluginSet};
use cosell_remote::dataverse::Cut;
use cosell_store::{
    Attempt, AuditLine, Base, Bell, Change, Intent, LaneId, LaneState, Lease, LinkState, Millis,
    Next, RecordKey,
};
use cosell_sync::deal::{Timestamp, Unit, UnitValue, Units};
use cosell_sync::merge::{Bases, Carry, Plan, Why};
use cosell_sync::row::Refusal;
use cosell_sync::side::{Side, Sides};

use crate::desk::{Connection, Desk, LEASE_MS};
use crate::link::{self, Notes, fingerprint};
use crate::trouble::{Trouble, reason_json, sentences};

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
    /// The mark that the write under way puts before the name; known to stand there once that write is done.
    pub(super) mark: Option<String>,
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
        let connection =
            desk.connections
                .get(&lease.connection)
                .ok_or_else(|| Trouble::NotYet {
                    until: desk.now() + 60_000,
                    reason: format!(
                        "connection \"{}\" is not configured on this host",
                        lease.connection
                    ),
                })?;
        // I11: no request before the throttle opens.
        let now = desk.now();
        if let Some(throttle) = desk
            .store
            .throttles(&lease.connection)
            .await?
            .into_iter()
            .find(|throttle| throttle.until > now)
        {
            return Err(Trouble::NotYet {
                until: throttle.until,
                reason: throttle.reason,
            });
        }
        let link = state.link.clone().unwrap_or_default();
        Ok(Self {
            desk,
            connection,
            set: desk.plugins.current(),
            lease: lease.clone(),
            members: state.members.clone(),
            bells: &state.bells,
            bases: link::bases(&link),
            notes: Notes::parse(&link.notes),
            intent: state.intent.clone(),
            link,
            born: state.born,
            mark: None,
            seen: Sides::default(),
            memory: Memory::default(),
        })
    }

    /// Keeps the lane ours for another round.
    pub(super) async fn renew(&mut self) -> Result<(), Trouble> {
        self.lease = self.desk.store.renew(&self.lease, LEASE_MS).await?;
        Ok(())
    }

    /// The context of every question to a plugin.
    pub(super) fn asking(&self) -> Asking {
        let now = Timestamp::from_millisecond(self.desk.now()).unwrap_or(Timestamp::UNIX_EPOCH);
        Asking::new(now, self.desk.language.clone())
    }

    pub(super) fn is_linked(&self) -> bool {
        self.link.referral.is_some() && self.link.crm_row.is_some()
    }

    /// A line for the lane's audit; written with the next write, or with the end of the run.
    pub(super) fn tell(&mut self, kind: &str, message: String, detail: &serde_json::Value) {
        self.memory.audit.push(AuditLine {
            kind: kind.to_owned(),
            message,
            detail: detail.to_string(),
        });
    }

    /// A line that is written once, however often it is told.
    pub(super) fn tell_once(&mut self, kind: &str, message: &str, detail: &serde_json::Value) {
        if self
            .notes
            .told
            .insert(fingerprint(&format!("{kind}|{message}")))
        {
            self.tell(kind, message.to_owned(), detail);
        }
    }

    /// Differences that stay are told once.
    pub(super) fn tell_explained(&mut self, plan: &Plan) {
        for one in &plan.explained {
            let (stays, wanted) = (one.stays.in_words(), one.wanted.in_words());
            let message = format!(
                "{} stays {stays} in {} although the other side says {wanted}: {}",
                one.unit,
                one.on,
                one.barrier.explanation()
            );
            let detail = serde_json::json!({ "unit": one.unit.as_text(), "on": one.on.as_str(), "barrier": one.barrier.code() });
            self.tell_once("explained", &message, &detail);
        }
    }

    /// Remembers which side was seen to change first, for the policy `newest` (S10).
    pub(super) fn notice(&mut self, plan: &Plan) {
        let open: BTreeMap<String, String> = plan
            .carries
            .iter()
            .filter(|carry| carry.why == Why::Edited)
            .map(|carry| (carry.unit.as_text(), carry.to.other().as_str().to_owned()))
            .collect();
        self.notes.noticed = open;
    }

    /// The side that was looked at shows this now.
    pub(super) fn looked(&mut self, side: Side, raw: &str) {
        self.seen[side] = raw.to_owned();
    }

    /// The name of the raw record of the last look.
    pub(super) fn raw_of(&mut self, side: Side) -> String {
        let raw = self.seen[side].clone();
        self.keep_raw(&raw)
    }

    /// The column that people know a row of the table by.
    pub(super) async fn name_column(&self, table: &str) -> Result<String, Trouble> {
        let table = self.connection.dataverse.metadata(table).await?;
        Ok(table.name_column.clone().unwrap_or_default())
    }

    /// Texts that did not fit; the other side holds them whole (S7).
    pub(super) fn tell_cut(&mut self, cut: &[Cut]) {
        for one in cut {
            let message = format!(
                "{} holds {} characters, so {} were cut to {}",
                one.column, one.kept, one.length, one.kept
            );
            self.tell_once(
                "explained",
                &message,
                &serde_json::json!({ "column": one.column }),
            );
        }
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

    /// Tells what is about to be written, unit by unit, with what stood there before; the loser of a conflict stands here (S10).
    pub(super) fn tell_carries(&mut self, carries: &[&Carry]) {
        for carry in carries {
            let (unit, to) = (&carry.unit, carry.to);
            let (was, value) = (carry.was.in_words(), carry.value.in_words());
            let why = match carry.why {
                Why::Edited => "only the other side had changed it",
                Why::Filled => "it was empty there when the two were linked",
                Why::Linked => "the link policy decided",
                Why::Conflict => "both sides had changed it, and the policy decided",
            };
            let kind = if carry.why == Why::Conflict {
                "conflict"
            } else {
                "write"
            };
            let detail = serde_json::json!({
                "unit": unit.as_text(), "to": to.as_str(), "before": carry.was.to_parts(), "after": carry.value.to_parts(),
            });
            self.tell(
                kind,
                format!("{unit} in {to}: {was} → {value} ({why})"),
                &detail,
            );
        }
    }

    /// Units that cannot be written; the others go on.
    pub(super) fn tell_refusals(&mut self, place: &str, refusals: &[Refusal]) {
        for refusal in refusals {
            let message = format!(
                "{} is not written to {place}: {}",
                refusal.unit,
                sentences(std::slice::from_ref(&refusal.reason))
            );
            self.tell_once("explained", &message, &reason_json(&refusal.reason));
        }
    }

    /// Child rows that the host has made, and so may delete (S11).
    pub(super) fn note_made(&mut self, id: &str) {
        self.notes.made.insert(id.to_owned());
    }

    /// See [`Run::note_made`].
    pub(super) fn made(&self, id: &str) -> bool {
        self.notes.made.contains(id)
    }

    /// Commits the intent of a write, before the write (I5).
    pub(super) async fn intend(&mut self, intent: Intent) -> Result<(), Trouble> {
        self.renew().await?;
        self.desk.store.intend(&self.lease, intent.clone()).await?;
        self.intent = Some(intent);
        Ok(())
    }

    /// Closes the open intent, and remembers what its write showed, in one transaction (S6).
    pub(super) async fn close(&mut self, outcome: &str, detail: &str) -> Result<(), Trouble> {
        let attempt = self.intent.take().map(|intent| Attempt {
            operation: intent.operation,
            outcome: outcome.to_owned(),
            detail: detail.to_owned(),
        });
        if let (Some(mark), "done" | "adopted") = (self.mark.take(), outcome) {
            self.link.mark = Some(mark);
        }
        let change = Change {
            attempt,
            ..self.change(true)
        };
        self.desk.store.complete_write(&self.lease, change).await?;
        Ok(())
    }

    /// Moves a base: in memory now, in the store with the next transaction.
    pub(super) fn remember(&mut self, unit: &Unit, side: Side, value: &UnitValue, raw: &str) {
        self.memory
            .bases
            .push(link::base(unit, side, value, Some(raw)));
        self.bases.entry(unit.clone()).or_default()[side] = Some(value.clone());
    }

    /// Keeps the raw record behind bases, and says under which name.
    pub(super) fn keep_raw(&mut self, raw: &str) -> String {
        let name = fingerprint(raw);
        self.memory.raws.insert(name.clone(), raw.to_owned());
        name
    }

    /// The record belongs to this lane from the next transaction on.
    pub(super) fn belongs(&mut self, record: RecordKey) {
        if !self.members.contains(&record) {
            self.members.push(record.clone());
            self.memory.members.push(record);
        }
    }

    fn change(&mut self, with_link: bool) -> Change {
        let memory = std::mem::take(&mut self.memory);
        let link = LinkState {
            notes: self.notes.to_text(),
            set_hash: Some(self.set.hash().to_owned()),
            bases: Vec::new(),
            raws: BTreeMap::new(),
            ..self.link.clone()
        };
        Change {
            link: with_link.then_some(link),
            bases: memory.bases,
            raws: memory.raws,
            members: memory.members,
            audit: memory.audit,
            ..Change::default()
        }
    }

    /// Lists whose write was cut off: what the CRM shows of them is our own half, so it counts as known there (S11).
    pub(super) fn take_up_half_written(&mut self, shown: &Units) {
        for unit in self
            .notes
            .underway
            .iter()
            .filter_map(|unit| Unit::parse(unit))
        {
            if let Some(value) = shown.get(&unit) {
                self.bases.entry(unit).or_default().crm = Some(value.clone());
            }
        }
    }

    /// What is not carried to the CRM any more is written whole.
    pub(super) fn forget_written(&mut self, plan: &Plan) {
        let carried: Vec<String> = plan
            .carries
            .iter()
            .filter(|carry| carry.to == Side::Crm)
            .map(|carry| carry.unit.as_text())
            .collect();
        self.notes.underway.retain(|unit| carried.contains(unit));
    }

    /// Remembers since when the deal is incomplete, and by which row it is known.
    pub(super) fn wait_for_completion(&mut self) {
        let now = self.desk.now();
        self.notes.incomplete_since.get_or_insert(now);
        let row = self
            .members
            .iter()
            .find(|member| member.side == Side::Crm.as_str());
        if let (None, Some(row)) = (&self.link.crm_row, row) {
            self.link.crm_table = Some(row.kind.clone());
            self.link.crm_row = Some(row.id.clone());
        }
    }

    /// A write was begun and its outcome is not known yet.
    #[must_use]
    pub fn has_open_write(&self) -> bool {
        self.intent.is_some()
    }

    /// What the end of the run takes along. A lane that knows no record on either side keeps no link.
    pub fn into_change(mut self, next: &Next) -> Change {
        let known = self.link.referral.is_some() || self.link.crm_row.is_some();
        self.change(known && !matches!(next, Next::Retired { .. }))
    }

    /// A record is gone: no writes, a person decides (S18).
    pub(super) fn orphaned(&mut self, side: Side) -> Next {
        let (what, id) = match side {
            Side::PartnerCenter => ("referral", self.link.referral.clone()),
            Side::Crm => ("row", self.link.crm_row.clone()),
        };
        let reason = format!(
            "{what} {} cannot be found in {side} any more: it was deleted, or we may no longer see it. Nothing is written until a person decides",
            id.as_deref().unwrap_or("?")
        );
        self.tell_once(
            "orphan",
            &reason,
            &serde_json::json!({ "side": side.as_str() }),
        );
        Next::Orphaned { reason }
    }

    /// Where a lane stands whose differences are carried, explained or asked.
    pub(super) fn after_questions(&mut self, plan: &Plan) -> Next {
        if plan.questions.is_empty() {
            return Next::Settled;
        }
        let list: Vec<String> = plan
            .questions
            .iter()
            .map(|question| {
                let (ours, theirs) = (
                    question.values.partner_center.in_words(),
                    question.values.crm.in_words(),
                );
                let how = if question.at_link {
                    "both held a value before they were linked"
                } else {
                    "both sides changed it"
                };
                format!(
                    "{}: Partner Center says {ours}, the CRM says {theirs} ({how})",
                    question.unit
                )
            })
            .collect();
        let reason = format!(
            "{}. Make both alike, or set a policy for the unit; other units go on",
            list.join("; ")
        );
        self.tell_once("question", &reason, &serde_json::json!({}));
        Next::Held { reason }
    }

    /// The record of a bell or member on this side.
    pub(super) fn record(side: Side, kind: &str, id: &str) -> RecordKey {
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

/// What the next transaction takes along.
#[derive(Debug, Default)]
struct Memory {
    bases: Vec<Base>,
    raws: BTreeMap<String, String>,
    members: Vec<RecordKey>,
    audit: Vec<AuditLine>,
}
