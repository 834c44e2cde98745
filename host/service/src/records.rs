//! Which records a deal is made of, by kind.

use cosell_sync::row::{Join, Link, Needs, RecordKind};

/// The kind of a record of Partner Center.
pub const REFERRAL: &str = "referral";

/// What a deal can be in the CRM under this set of plugins: a kind that nobody reads is none.
pub fn kinds(needs: &Needs) -> impl Iterator<Item = RecordKind> {
    [RecordKind::Opportunity, RecordKind::Lead]
        .into_iter()
        .filter(|kind| needs.reads.contains_key(kind.table()))
}

/// Tables whose rows hang from a deal's row, with the column that points up.
pub fn children(needs: &Needs) -> impl Iterator<Item = (&Join, &str, RecordKind)> {
    needs.joins.iter().filter_map(|join| {
        let kind = [RecordKind::Opportunity, RecordKind::Lead]
            .into_iter()
            .find(|kind| kind.table() == join.above)?;
        match &join.via {
            Link::Child(up) => Some((join, up.as_str(), kind)),
            Link::Lookup(_) | Link::Many(_) => None,
        }
    })
}
