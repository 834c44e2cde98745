//! A run: what one pass over a lane carries with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cosell_plugins::{Asking, PluginSet};
use cosell_remote::dataverse::{Cut, MODIFIED_BY_COLUMN, MODIFIED_ON_COLUMN};
use cosell_store::{
    Attempt, AuditLine, Base, Bell, Card, CardChange, Change, Hold, HoldChange, Intent, LaneId,
    LaneState, Lease, LinkState, Millis, Next, RecordKey,
};
use cosell_sync::deal::{Timestamp, Unit, UnitValue, Units};
use cosell_sync::element;
use cosell_sync::hold;
use cosell_sync::mark;
use cosell_sync::merge::{self, Bases, Plan, View, Why};
use cosell_sync::row::{Cell, RecordKind, Refusal, Role};
use cosell_sync::side::{Side, Sides};

use super::look::Sight;
use super::read::Reading;
use super::script::{Settles, What, Write};
use crate::binding;
use crate::desk::{Connection, Desk};
use crate::link::{self, Notes, fingerprint};
use crate::raw;
use crate::throttle;
use crate::trouble::{Trouble, reason_json, reasons_of, sentences};

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
        let connection = Self::connection(desk, &lease.connection)?;
        // I11: no request before the throttle opens.
        throttle::must_be_open(desk, &lease.connection).await?;
        connection
            .checked
            .get_or_try_init(|| binding::check(&*desk.store, connection))
            .await?;
        binding::must_be_ours(&*desk.store, &lease.connection, desk.now()).await?;
        Ok(Self::over(desk, connection, lease, state))
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
            ..Self::over(desk, connection, &lease, state)
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
    ) -> Self {
        let link = state.link.clone().unwrap_or_default();
        Self {
            desk,
            connection,
            set: desk.plugins.for_deal(lease.lane, state),
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
        }
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

    /// The context of every question to a plugin.
    pub(super) fn asking(&self) -> Asking {
        let now = Timestamp::from_millisecond(self.desk.now()).unwrap_or(Timestamp::UNIX_EPOCH);
        Asking {
            about: self.lease.lane.0.unsigned_abs(),
            connection: self.lease.connection.to_string(),
            ..Asking::new(now, self.desk.language.clone())
        }
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
        let open = merge::noticed(&self.notes.noticed(), plan);
        self.notes.noticed = open
            .into_iter()
            .map(|(unit, side)| (unit.as_text(), side.as_str().to_owned()))
            .collect();
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

    /// Texts that did not fit; the other side holds them whole (S7). Said once of a column, however often its texts are too long. Of the host's
    /// own columns nothing is lost: from a full audit column the oldest lines fall off.
    pub(super) fn tell_cut(&mut self, cut: &[Cut]) {
        let set = Arc::clone(&self.set);
        let is_own = |column: &str| {
            let mut brought = set.needs().brings.iter().filter(|own| own.role.is_some());
            brought.any(|own| format!("{}.{}", own.table, own.column) == column)
        };
        for one in cut.iter().filter(|one| !is_own(&one.column)) {
            let message = format!(
                "{} holds {} characters; what is longer is cut there",
                one.column, one.kept
            );
            self.tell_once(
                "explained",
                &message,
                &serde_json::json!({ "column": one.column, "length": one.length, "kept": one.kept }),
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

    /// Tells what was written, unit by unit, with what stood there before; the loser of a conflict stands here (S10). The detail answers "why
    /// is this value here": the rule, the bell, and whose word it is.
    pub(super) fn tell_carries(
        &mut self,
        settled: &[Settles],
        speakers: &BTreeMap<String, String>,
    ) {
        let bells: Vec<String> = self
            .bells
            .iter()
            .filter(|bell| bell.rung > bell.answered)
            .map(|bell| format!("{} {} ({})", bell.record.kind, bell.record.id, bell.cause))
            .collect();
        for Settles { carry, .. } in settled {
            let (unit, to) = (&carry.unit, carry.to);
            let (was, value) = (carry.was.in_words(), carry.value.in_words());
            let (why, rule) = reason_of(carry.why);
            let kind = if carry.why == Why::Conflict {
                "conflict"
            } else {
                "write"
            };
            // What goes out was read by a plugin, what comes in was written by plugins.
            let by = match to {
                Side::PartnerCenter => serde_json::json!(self.speakers.get(unit)),
                Side::Crm => serde_json::json!(speakers),
            };
            let detail = serde_json::json!({
                "unit": unit.as_text(), "to": to.as_str(), "before": carry.was.to_parts(), "after": carry.value.to_parts(),
                "rule": rule, "bells": bells, "by": by, "set": self.set.hash(),
            });
            self.tell(
                kind,
                format!("{unit} in {to}: {was} → {value} ({why})"),
                &detail,
            );
        }
    }

    /// Units about which the row says something that no plugin can read; the others go on.
    pub(super) fn tell_unread(&mut self, refusals: &[Refusal]) {
        for refusal in refusals {
            let why = sentences(std::slice::from_ref(&refusal.reason));
            let message = format!("{} is not read from the CRM: {why}", refusal.unit);
            self.tell_once("explained", &message, &refusal_json(refusal));
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
            self.tell_once("explained", &message, &refusal_json(refusal));
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
        failpoint!("intent.before");
        self.desk.store.intend(&self.lease, intent.clone()).await?;
        failpoint!("intent.after");
        self.intent = Some(intent);
        Ok(())
    }

    /// Closes the open intent, and remembers what its write showed, in one transaction (S6).
    pub(super) async fn close(&mut self, outcome: &str, detail: &str) -> Result<(), Trouble> {
        let attempt = self.intent.take().map(|intent| {
            metrics::counter!(
                "cosell_writes_total",
                "connection" => self.lease.connection.to_string(), "kind" => intent.kind, "outcome" => outcome.to_owned()
            )
            .increment(1);
            Attempt {
            operation: intent.operation,
            outcome: outcome.to_owned(),
            detail: detail.to_owned(),
        }});
        if let (Some(mark), "done" | "adopted") = (self.mark.take(), outcome) {
            self.link.mark = Some(mark);
        }
        let change = Change {
            attempt,
            ..self.change(true)
        };
        failpoint!("close.before");
        self.desk.store.complete_write(&self.lease, change).await?;
        failpoint!("close.after");
        Ok(())
    }

    /// Moves the bases of what a write has settled: of the receiver to what it shows now, of the source to what it showed (S6).
    pub(super) fn settle(&mut self, settled: &[Settles], shown: &Units, raw: &str) {
        for Settles {
            carry,
            moves_source,
        } in settled
        {
            let now = shown.get(&carry.unit).unwrap_or(&carry.value).clone();
            self.remember(&carry.unit, carry.to, &now, raw);
            if *moves_source {
                let source = self.raw_of(carry.to.other());
                self.remember(&carry.unit, carry.to.other(), &carry.source, &source);
            }
            self.notes.unedited.remove(&carry.unit.as_text());
        }
    }

    /// The deal goes on in another row of the CRM (S17). What the new row does not show is unknown and not emptied.
    pub(super) fn moves_to(&mut self, kind: RecordKind, row: &str) {
        self.link.crm_table = Some(kind.table().to_owned());
        self.link.crm_row = Some(row.to_owned());
        self.link.mark = None;
        self.notes.moved = true;
        self.belongs(Self::record(Side::Crm, kind.table(), row));
    }

    /// Closes the card, if it is open.
    pub(super) fn close_card(&mut self, kind: &str, subject: &str, why: &str) {
        let is_open = |card: &&Card| card.kind == kind && card.subject == subject;
        if self.cards.iter().any(|card| is_open(&card)) {
            self.card(CardChange::Close {
                kind: kind.to_owned(),
                subject: subject.to_owned(),
                why: why.to_owned(),
            });
        }
    }

    /// Notes that a write of the script is made, for the brakes (S27).
    pub(super) fn note_write(&mut self, write: &Write) {
        if !write.is_on_the_deal() {
            return;
        }
        let now = self.desk.now();
        let carried: Vec<String> = write
            .settles
            .iter()
            .map(|settled| hold::fingerprint(&settled.carry.unit, &settled.carry.value))
            .chain(
                // A birth is nobody's swing.
                matches!(
                    write.what,
                    What::CreateReferral { .. } | What::CreateRow { .. } | What::Qualify { .. }
                )
                .then(|| format!("birth {now}")),
            )
            .collect();
        self.notes
            .swing
            .note(write.side(), carried.iter().map(String::as_str), now);
    }

    /// Asks a person, or no longer does. The rounds that follow know it, although the store has not given it a number yet.
    pub(super) fn card(&mut self, change: CardChange) {
        let (CardChange::Open { kind, subject, .. } | CardChange::Close { kind, subject, .. }) =
            &change;
        self.cards
            .retain(|card| card.kind != *kind || card.subject != *subject);
        if let CardChange::Open {
            kind,
            subject,
            body,
        } = &change
        {
            self.cards.push(Card {
                connection: self.lease.connection.clone(),
                lane: self.lease.lane,
                card: 0,
                kind: kind.clone(),
                subject: subject.clone(),
                body: body.clone(),
                opened: self.desk.now(),
                answer: None,
                closed: None,
            });
        }
        self.memory.cards.push(change);
    }

    /// Holds a write, or no longer does. See [`Run::card`]; a hold of the same write keeps its age and its verdict.
    pub(super) fn hold(&mut self, change: HoldChange) {
        match &change {
            HoldChange::Open {
                kind,
                subject,
                body,
                fingerprint,
                until,
            } => {
                let is_same = |hold: &Hold| hold.kind == *kind && hold.subject == *subject;
                if !self
                    .holds
                    .iter()
                    .any(|hold| is_same(hold) && hold.fingerprint == *fingerprint)
                {
                    self.holds.retain(|hold| !is_same(hold));
                    self.holds.push(Hold {
                        connection: self.lease.connection.clone(),
                        lane: self.lease.lane,
                        hold: 0,
                        kind: kind.clone(),
                        subject: subject.clone(),
                        body: body.clone(),
                        fingerprint: fingerprint.clone(),
                        opened: self.desk.now(),
                        until: *until,
                        verdict: None,
                        closed: None,
                    });
                }
            }
            HoldChange::Close { kind, subject, .. } => self
                .holds
                .retain(|hold| hold.kind != *kind || hold.subject != *subject),
        }
        self.memory.holds.push(change);
    }

    /// What this run has to tell, line by line; nothing of a preview is written down.
    pub(super) fn told(&self) -> Vec<String> {
        self.memory
            .audit
            .iter()
            .map(|line| line.message.clone())
            .collect()
    }

    /// Whether this run stops before act.
    pub(super) const fn is_preview(&self) -> bool {
        self.is_preview
    }

    /// S26: a parked lane stays parked while what it stands on is the same. Our own cross and audit line are not what it stands on, and a
    /// person who orders it is heard.
    pub(super) async fn still_parked(&mut self, sight: &Sight) -> Result<Option<Next>, Trouble> {
        let stands_on = self.substance(sight).await?;
        self.stands_on = Some(stands_on.clone());
        if self.parked_on.as_ref() != Some(&stands_on) || self.is_ordered() {
            return Ok(None);
        }
        Ok(self.failure.clone().map(|reasons| Next::Parked {
            reasons,
            state: Some(stands_on),
        }))
    }

    async fn substance(&self, sight: &Sight) -> Result<String, Trouble> {
        let table = sight.kind.table();
        let needs = self.set.needs();
        let mut derived: BTreeSet<&str> = needs
            .brings
            .iter()
            .filter(|own| own.table == table)
            .filter(|own| !matches!(own.role, None | Some(Role::Gate | Role::Consent)))
            .map(|own| own.column.as_str())
            .collect();
        derived.extend([MODIFIED_BY_COLUMN, MODIFIED_ON_COLUMN]);
        let primary = self.name_column(table).await?;
        let name = sight
            .row
            .as_ref()
            .and_then(|row| match row.seen.row.cells.get(&primary) {
                Some(Cell::Text(name)) => Some(mark::strip(name, self.link.mark.as_deref())),
                _ => None,
            });
        let referrals: Vec<&str> = [&sight.own, &sight.microsoft]
            .into_iter()
            .flatten()
            .map(|referral| referral.raw.as_str())
            .collect();
        let substance = raw::substance(
            &referrals,
            sight.row.as_ref().map(|row| &row.seen),
            name.map(|name| (primary.as_str(), name)),
            &derived,
        );
        Ok(fingerprint(&format!(
            "{}|{}|{}|{substance}",
            super::mapping::name(self),
            // Limits that were raised may be what it needs.
            self.set.terms(),
            self.connection.configuration
        )))
    }

    /// The record of this side is made anew: the lane lets go of the one that is gone, or has ended (S18, S19).
    pub(super) fn start_anew(&mut self, side: Side) {
        let left = match side {
            Side::PartnerCenter => {
                self.notes.left.extend(self.link.microsoft_referral.take());
                self.link.engagement = None;
                self.notes.microsoft = None;
                self.link.referral.take()
            }
            Side::Crm => {
                self.link.mark = None;
                self.link.crm_row.take()
            }
        };
        self.link.generation += 1;
        let left = left.unwrap_or_default();
        let message = format!("lets go of {left} in {side}: a person decided that it is made anew");
        self.tell(
            "anew",
            message,
            &serde_json::json!({ "left": left, "side": side.as_str(), "rule": "S18" }),
        );
        self.notes.left.insert(left);
        self.notes.incomplete_since = None;
        // What both agreed on belongs to the pair that is no more.
        self.bases.clear();
        self.forget_bases = true;
    }

    /// A person has taken the two records apart: neither is written any more.
    pub(super) fn taken_apart(&mut self) -> Next {
        let by = self
            .cards
            .iter()
            .find_map(|card| card.answer.as_ref())
            .map_or_else(|| "a person".to_owned(), |answer| answer.by.clone());
        let reason = format!("{by} has taken the two records apart; neither is written any more");
        self.tell(
            "apart",
            reason.clone(),
            &serde_json::json!({ "rule": "S18" }),
        );
        self.notes.apart = Some(reason.clone());
        super::cards::settle(
            self,
            &[super::cards::GONE, super::cards::REOPENED],
            "answered",
        );
        Next::Paused { reason }
    }

    /// S17: the row is another one than the bases were read from. What it does not show is unknown there, and not emptied; what it shows
    /// otherwise is what somebody entered.
    pub(super) fn after_move(&mut self, shown: &Units) {
        if !self.notes.moved {
            return;
        }
        for (unit, sides) in &mut self.bases {
            if shown.get(unit).is_none_or(UnitValue::is_empty) {
                sides.crm = None;
            }
        }
    }

    /// Remembers which units wait for their first time in step.
    pub(super) fn note_unmet(&mut self, views: &Sides<View>) {
        let both = views.partner_center.units.keys();
        let both = both.filter(|unit| views.crm.units.contains_key(*unit));
        let is_met = |unit: &&Unit| {
            let known = self.bases.get(*unit);
            known.is_some_and(|known| known.partner_center.is_some() && known.crm.is_some())
        };
        self.notes.unmet = both
            .filter(|unit| !is_met(unit))
            .map(Unit::as_text)
            .collect();
    }

    /// S21: sync was off and is on again. What differs now was not edited under our eyes, so what cannot be taken back of it is confirmed.
    pub(super) fn after_pause(&mut self, plan: &Plan) {
        if std::mem::take(&mut self.notes.paused) {
            let differing = plan.carries.iter().map(|carry| carry.unit.as_text());
            self.notes.unedited.extend(differing);
        }
        // What no longer differs needs no confirmation later.
        self.notes.unedited.retain(|unit| {
            plan.carries
                .iter()
                .any(|carry| carry.unit.as_text() == *unit)
        });
    }

    /// Whether a person ordered this run.
    pub(super) fn is_ordered(&self) -> bool {
        self.bells
            .iter()
            .any(|bell| bell.rung > bell.answered && bell.cause == PERSON)
    }

    /// Moves a base: in memory now, in the store with the next transaction.
    pub(super) fn remember(&mut self, unit: &Unit, side: Side, value: &UnitValue, raw: &str) {
        self.memory.bases.push(link::base(
            unit,
            side,
            value,
            Some(raw).filter(|raw| !raw.is_empty()),
        ));
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
        let mut memory = std::mem::take(&mut self.memory);
        if std::mem::take(&mut self.forget_bases) {
            let unknown = |base: &Base| Base {
                value: None,
                raw: None,
                ..base.clone()
            };
            let kept = std::mem::take(&mut memory.bases);
            memory.bases = self.link.bases.iter().map(unknown).chain(kept).collect();
        }
        let link = LinkState {
            notes: self.notes.to_text(),
            bases: Vec::new(),
            raws: BTreeMap::new(),
            ..self.link.clone()
        };
        Change {
            link: with_link.then_some(link),
            bases: memory.bases,
            raws: memory.raws,
            members: memory.members,
            attempt: None,
            cards: memory.cards,
            holds: memory.holds,
            audit: memory.audit,
        }
    }

    /// Lists whose write was cut off: what the CRM shows of what was to be is our own half, so it counts as known there; what a colleague has
    /// added or taken off meanwhile does not (S11).
    pub(super) fn take_up_half_written(&mut self, shown: &Units) {
        for (unit, target) in &self.notes.halves {
            let Some(unit) = Unit::parse(unit) else {
                continue;
            };
            let (Some(target), Some(shown)) = (link::decode(&unit, target), shown.get(&unit))
            else {
                continue;
            };
            let bases = self.bases.entry(unit).or_default();
            let known = element::half_written(bases.crm.as_ref(), &target, shown);
            // Cut off at birth: nothing was in step yet, so all of it is still to be carried.
            if bases.partner_center.is_none() {
                bases.partner_center = element::none_of(&target);
            }
            bases.crm = known;
        }
    }

    /// A list is about to be written in several calls.
    pub(super) fn begin_half(&mut self, unit: &Unit, target: &UnitValue) {
        if matches!(target, UnitValue::Solutions(_) | UnitValue::People(_)) {
            self.notes
                .halves
                .insert(unit.as_text(), link::encode(target));
        }
    }

    /// These lists are written whole.
    pub(super) fn forget_halves(&mut self, settled: &[Settles]) {
        for settled in settled {
            self.notes.halves.remove(&settled.carry.unit.as_text());
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
        self.notes.halves.retain(|unit, _| carried.contains(unit));
    }

    /// Remembers by which name people know a deal that has never been in step; from then on the bases say it.
    pub(super) fn note_name(&mut self, reading: &Reading) {
        let name = [&reading.crm.units, &reading.partner_center]
            .into_iter()
            .find_map(|units| match units.get(&Unit::Name) {
                Some(UnitValue::Text(name)) => name.clone(),
                _ => None,
            });
        self.notes.name = name.filter(|_| !self.is_linked());
    }

    /// Remembers since when the deal is incomplete, and by which row it is known.
    pub(super) fn wait_for_completion(&mut self) {
        let now = self.desk.now();
        self.notes.incomplete_since.get_or_insert(now);
        let kind = super::look::kind(self).table();
        // Rows that hang from it may have rung first.
        let row = self
            .members
            .iter()
            .find(|member| member.side == Side::Crm.as_str() && member.kind == kind);
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
    cards: Vec<CardChange>,
    holds: Vec<HoldChange>,
    audit: Vec<AuditLine>,
}

/// For programs: the reason, and of which unit.
fn refusal_json(refusal: &Refusal) -> serde_json::Value {
    let mut detail = reason_json(&refusal.reason);
    detail["unit"] = refusal.unit.as_text().into();
    detail
}

/// The cause of a bell that a person rings.
pub const PERSON: &str = "person";

/// Why a value was carried: for people, and the rule.
pub(super) const fn reason_of(why: Why) -> (&'static str, &'static str) {
    match why {
        Why::Edited => ("only the other side had changed it", "S5"),
        Why::Filled => ("it was empty there when the two were linked", "S9"),
        Why::Linked => ("the link policy decided", "S9"),
        Why::Conflict => ("both sides had changed it, and the policy decided", "S10"),
        Why::Answered => ("a person has answered the card", "S10"),
    }
}
