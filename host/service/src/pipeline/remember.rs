//! Remember, without a write: both sides show a unit alike, or they are linked for the first time.

use std::collections::BTreeSet;

use cosell_sync::deal::Unit;
use cosell_sync::side::Side;
use serde_json::json;

use super::born::{adopt_referral, adopt_row};
use super::look::Sight;
use super::read::Reading;
use super::run::Run;

/// Links the two records, and moves the bases of units that both sides show alike (S6). Stored with the next transaction of the run.
pub(super) fn link(run: &mut Run<'_>, sight: &Sight, reading: &Reading, alike: &BTreeSet<Unit>) {
    let (Some(own), Some(row)) = (&sight.own, &sight.row) else {
        return;
    };
    if !run.is_linked() {
        let id = &row.seen.row.id;
        run.tell(
            "link",
            format!("links referral {} and {} {id}", own.id, sight.kind.table()),
            &json!({ "referral": own.id, "row": id }),
        );
    }
    adopt_referral(run, own);
    adopt_row(run, sight.kind, &row.seen.row.id);
    run.link
        .etags
        .insert("crm".into(), row.version.etag.clone());
    for unit in alike {
        let shown = [
            (Side::PartnerCenter, reading.partner_center.get(unit)),
            (Side::Crm, reading.crm.units.get(unit)),
        ];
        for (side, value) in shown {
            if let Some(value) = value {
                let raw = run.raw_of(side);
                run.remember(unit, side, value, &raw);
            }
        }
    }
}
