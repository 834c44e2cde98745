//! Which records a deal is made of, by kind.

use cosell_sync::row::{Link, Needs, RecordKind};

/// The kind of a record of Partner Center.
pub const REFERRAL: &str = "referral";

/// What a deal can be in the CRM under this set of plugins: a kind that nobody reads is none.
pub fn kinds(needs: &Needs) -> impl Iterator<Item = RecordKind> {
    [RecordKind::Opportunity, RecordKind::Lead]
        .into_iter()
        .filter(|kind| needs.reads.contains_key(kind.table()))
}

/// A table whose rows hang from a deal's row, and ring for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Below<'a> {
    /// Logical name.
    pub table: &'a str,
    /// The column that points up.
    pub up: &'a str,
    /// What it points to.
    pub above: RecordKind,
    /// What the plugins read of it.
    pub columns: &'a [String],
}

/// The activity of a close: the vendor does not say whether a close is an update of the opportunity too, so it rings as well.
pub const CLOSE: Below<'static> = Below {
    table: "opportunityclose",
    up: "opportunityid",
    above: RecordKind::Opportunity,
    columns: &[],
};

/// Tables below a deal's row that the plugins read. What is missed of them is found by sweeping them.
pub fn children(needs: &Needs) -> impl Iterator<Item = Below<'_>> {
    needs.joins.iter().filter_map(|join| {
        let above = [RecordKind::Opportunity, RecordKind::Lead]
            .into_iter()
            .find(|kind| kind.table() == join.above)?;
        match &join.via {
            Link::Child(up) => Some(Below {
                table: &join.table,
                up,
                above,
                columns: &join.columns,
            }),
            Link::Lookup(_) | Link::Many(_) => None,
        }
    })
}

/// All tables whose rows ring for the deal's row above them.
pub fn below(needs: &Needs) -> impl Iterator<Item = Below<'_>> {
    let closes = needs.reads.contains_key(CLOSE.above.table());
    children(needs).chain(closes.then_some(CLOSE))
}

/// A table whose rows a deal's row points to, and that is read with it: other deals may look at the same row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookedAt<'a> {
    /// Logical name.
    pub table: &'a str,
    /// The column of the deal's row that points to it.
    pub by: &'a str,
    /// Of which kind of deal.
    pub of: RecordKind,
    /// What the plugins read of it.
    pub columns: &'a [String],
}

/// Tables that deals look at directly. What these rows point to in turn (a country in a table of its own) hardly ever changes, and is not followed.
pub fn looked_at(needs: &Needs) -> impl Iterator<Item = LookedAt<'_>> {
    let kinds = [RecordKind::Opportunity, RecordKind::Lead];
    needs.joins.iter().filter_map(move |join| {
        let of = kinds.into_iter().find(|kind| kind.table() == join.above)?;
        // A deal rings for itself.
        let is_a_deal = kinds.iter().any(|kind| kind.table() == join.table);
        match &join.via {
            Link::Lookup(by) if !is_a_deal => Some(LookedAt {
                table: &join.table,
                by,
                of,
                columns: &join.columns,
            }),
            _ => None,
        }
    })
}
