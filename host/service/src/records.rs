//! Which records a deal is made of, by kind.

use cosell_sync::row::{Join, Link, Needs, RecordKind};

/// The kind of a record of Partner Center.
pub const REFERRAL: &str = "referral";

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
