//! A history's end, for a person who looks for the reason.

use std::fmt::Write as _;

use super::judge::Evidence;

/// Everything that the judge saw.
#[must_use]
pub fn tell(evidence: &Evidence) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "edits, with the writes that the ledger held by then:");
    for edit in &evidence.edits {
        let _ = writeln!(
            out,
            "  [{}] deal {} {:?}: {} = {:?}",
            edit.after_write,
            edit.deal,
            edit.side,
            edit.unit,
            short(&edit.value)
        );
    }
    let _ = writeln!(out, "writes:");
    for write in &evidence.writes {
        let _ = writeln!(
            out,
            "  [{}] {} {} {} {:?}",
            write.sequence, write.operation, write.kind, write.record, write.changed
        );
    }
    for refused in &evidence.refused {
        let _ = writeln!(
            out,
            "  refused {} {}: {}",
            refused.method, refused.url, refused.message
        );
    }
    for lane in &evidence.lanes {
        let _ = writeln!(
            out,
            "lane {}: {} {:?}",
            lane.lane.0, lane.state, lane.reason
        );
    }
    for case in &evidence.cases {
        let _ = writeln!(
            out,
            "deal {}: {:?}, switched {}, lane {:?}",
            case.deal,
            case.known,
            if case.is_on { "on" } else { "off" },
            case.lane.as_ref().map(|lane| lane.lane.0)
        );
        for (side, view) in [("crm", &case.crm), ("pc ", &case.partner_center)] {
            if let Some(view) = view {
                let units: Vec<String> = view
                    .iter()
                    .map(|(unit, value)| format!("{unit}={:?}", short(value)))
                    .collect();
                let _ = writeln!(out, "  {side}: {}", units.join(" "));
            }
        }
        for entry in &case.audit {
            let _ = writeln!(
                out,
                "  {} {}: {}",
                entry.at,
                entry.line.kind,
                short(&entry.line.message)
            );
        }
    }
    out
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}
