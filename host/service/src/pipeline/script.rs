//! What shall be done, in order: the writes of one round as data. A preview prints it, the brakes weigh it, and `act` does it.

use std::collections::BTreeMap;

use cosell_remote::Body;
use cosell_remote::dataverse::Version;
use cosell_remote::partner_center::PatchOp;
use cosell_sync::columns::Cells;
use cosell_sync::deal::{Help, Units};
use cosell_sync::hold::{self, Irreversible};
use cosell_sync::merge::Carry;
use cosell_sync::row::{RecordKind, Reference, RowState};
use cosell_sync::side::Side;

use super::intents::Kind;

/// The writes of one round.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) writes: Vec<Write>,
    /// What follows in later rounds, for a preview: sentences, because ids and versions are not known yet.
    pub(super) then: Vec<String>,
}

/// One remote call that changes something, whole: what goes where, under which condition, and what it settles.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) what: What,
    /// Units that are in step once it is done.
    pub(super) settles: Vec<Carry>,
    /// Whose word a column is, for the audit: column → plugin.
    pub(super) speakers: BTreeMap<String, String>,
}

/// What a row is that is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Newborn {
    /// The deal's own.
    Deal(RecordKind),
    /// An account or contact: other deals of the same customer use it too.
    Customer,
    /// A row that hangs from the deal's.
    Child,
}

/// The call.
#[derive(Debug)]
pub(super) enum What {
    CreateReferral {
        body: Body,
        units: Units,
        row: String,
        kind: RecordKind,
    },
    InviteMicrosoft {
        body: Body,
        help: Help,
        own: String,
        engagement: String,
    },
    PatchReferral {
        id: String,
        etag: String,
        operations: Vec<PatchOp>,
        changes: Units,
    },
    CreateRow {
        table: String,
        id: String,
        cells: Cells,
        newborn: Newborn,
        /// The mark before its name.
        mark: Option<String>,
        /// What the other side said, of a deal's own row.
        units: Units,
    },
    UpdateRow {
        kind: RecordKind,
        id: String,
        cells: Cells,
        /// What stands there now, of the same columns.
        held: Cells,
        version: Version,
        mark: Option<String>,
        /// The close that rides behind it (S16).
        closing: Option<RowState>,
        /// Where Microsoft's referral stands, when this write tells it.
        microsoft: Option<String>,
        /// It shows the seller that the deal is not in step.
        failure: bool,
    },
    UpdateChild {
        table: String,
        id: String,
        cells: Cells,
    },
    DeleteChild {
        table: String,
        id: String,
    },
    Associate {
        table: String,
        id: String,
        relationship: String,
        other: Reference,
        /// Or take the link away.
        link: bool,
    },
    Qualify {
        lead: String,
    },
}

impl Write {
    pub(super) const fn of(what: What) -> Self {
        Self {
            what,
            settles: Vec::new(),
            speakers: BTreeMap::new(),
        }
    }

    /// Where it goes.
    pub(super) const fn side(&self) -> Side {
        match self.what {
            What::CreateReferral { .. }
            | What::InviteMicrosoft { .. }
            | What::PatchReferral { .. } => Side::PartnerCenter,
            _ => Side::Crm,
        }
    }

    pub(super) const fn kind(&self) -> Kind {
        match &self.what {
            What::CreateReferral { .. } => Kind::CreateReferral,
            What::InviteMicrosoft { .. } => Kind::InviteMicrosoft,
            What::PatchReferral { .. } => Kind::PatchReferral,
            What::CreateRow { .. } => Kind::CreateRow,
            What::UpdateRow {
                closing: Some(_), ..
            } => Kind::CloseRow,
            What::UpdateRow { .. } | What::UpdateChild { .. } => Kind::UpdateRow,
            What::DeleteChild { .. } => Kind::DeleteRow,
            What::Associate { .. } => Kind::Associate,
            What::Qualify { .. } => Kind::QualifyLead,
        }
    }

    /// The table or `referral`, and the id that is written to; none for a referral that does not exist yet.
    pub(super) fn record(&self) -> (&str, Option<&str>) {
        match &self.what {
            What::CreateReferral { .. } => (crate::records::REFERRAL, None),
            What::InviteMicrosoft { own, .. } => (crate::records::REFERRAL, Some(own)),
            What::PatchReferral { id, .. } => (crate::records::REFERRAL, Some(id)),
            What::CreateRow { table, id, .. }
            | What::UpdateChild { table, id, .. }
            | What::DeleteChild { table, id }
            | What::Associate { table, id, .. } => (table, Some(id)),
            What::UpdateRow { kind, id, .. } => (kind.table(), Some(id)),
            What::Qualify { lead } => (RecordKind::Lead.table(), Some(lead)),
        }
    }

    /// What of it cannot be taken back (S24).
    pub(super) fn irreversible(&self) -> Vec<Irreversible> {
        let of = |units: &Units| {
            units
                .iter()
                .filter_map(|(unit, value)| Irreversible::of(unit, Side::PartnerCenter, value))
                .collect()
        };
        match &self.what {
            What::CreateReferral { units, .. } => of(units),
            What::PatchReferral { changes, .. } => of(changes),
            What::InviteMicrosoft { .. } => vec![Irreversible::Help],
            _ => Vec::new(),
        }
    }

    /// What holds know it by, of what cannot be taken back.
    pub(super) fn permits(&self) -> Vec<String> {
        let carried = self.settles.iter();
        let carried = carried.map(|carry| (&carry.unit, carry.to, &carry.value));
        carried
            .filter(|(unit, to, value)| Irreversible::of(unit, *to, value).is_some())
            .map(|(unit, _, value)| hold::fingerprint(unit, value))
            .collect()
    }

    /// Whether it changes one of the deal's own two records: what a swing and a mass change are counted by.
    pub(super) const fn is_on_the_deal(&self) -> bool {
        !matches!(
            self.what,
            What::CreateRow {
                newborn: Newborn::Customer | Newborn::Child,
                ..
            } | What::UpdateChild { .. }
                | What::DeleteChild { .. }
                | What::Associate { .. }
        )
    }
}
