//! What `cosell demo --once --json` promises to programs, key by key.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// What stands at a place of the report.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Flag,
    Number,
    List,
}

const PROMISED: [(&str, Kind); 13] = [
    ("/ok", Kind::Flag),
    ("/scenarios", Kind::List),
    ("/ledger/referrals", Kind::Number),
    ("/ledger/opportunities", Kind::Number),
    ("/ledger/leads", Kind::Number),
    ("/ledger/accounts", Kind::Number),
    ("/ledger/writes", Kind::Number),
    ("/ledger/duplicates", Kind::Number),
    ("/latency_ms/p50", Kind::Number),
    ("/latency_ms/p95", Kind::Number),
    ("/latency_ms/max", Kind::Number),
    ("/host/ready_ms", Kind::Number),
    ("/host/rss_mb", Kind::Number),
];

/// Whether the text is the one object that was promised, and tells of a demo that went well.
///
/// # Errors
/// The first promise that is not kept.
pub(crate) fn check(text: &str) -> Result<()> {
    let report: Value =
        serde_json::from_str(text).context("the demo's report is not one JSON object")?;
    for (place, kind) in PROMISED {
        let found = report
            .pointer(place)
            .with_context(|| format!("the demo's report has no {place}"))?;
        ensure!(fits(found, kind), "{place} of the demo's report is {found}");
    }
    let scenarios = report["scenarios"].as_array().into_iter().flatten();
    let mut played = 0;
    for scenario in scenarios {
        played += 1;
        let is_whole = scenario["name"].is_string()
            && fits(&scenario["ok"], Kind::Flag)
            && fits(&scenario["ms"], Kind::Number);
        ensure!(
            is_whole,
            "a scenario of the demo's report is {scenario}, and not name, ok and ms"
        );
    }
    ensure!(played > 0, "the demo's report tells of no scenario");
    ensure!(
        report["ok"] == true && report["ledger"]["duplicates"] == 0,
        "the demo did not go well: {report}"
    );
    Ok(())
}

fn fits(value: &Value, kind: Kind) -> bool {
    match kind {
        Kind::Flag => value.is_boolean(),
        Kind::Number => value.is_u64(),
        Kind::List => value.is_array(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "ok": true,
            "scenarios": [{ "name": "a", "ok": true, "ms": 1 }],
            "ledger": { "referrals": 1, "opportunities": 1, "leads": 0, "accounts": 1, "writes": 5, "duplicates": 0 },
            "latency_ms": { "p50": 1, "p95": 2, "max": 3 },
            "host": { "ready_ms": 50, "rss_mb": 40 },
        })
    }

    #[test]
    fn a_good_report_keeps_every_promise() {
        check(&good().to_string()).unwrap();
    }

    #[test]
    fn a_report_without_one_of_the_keys_is_told_by_it() {
        for (place, _) in PROMISED {
            let mut report = good();
            let (parent, key) = place.rsplit_once('/').unwrap();
            let parent = report.pointer_mut(parent).unwrap();
            parent.as_object_mut().unwrap().remove(key);
            let told = check(&report.to_string()).unwrap_err().to_string();
            assert!(told.contains(place), "{place}: {told}");
        }
    }

    #[test]
    fn a_demo_that_went_badly_or_said_more_is_no_good_report() {
        let mut bad = good();
        bad["ok"] = json!(false);
        assert!(check(&bad.to_string()).is_err());
        bad = good();
        bad["scenarios"][0].as_object_mut().unwrap().remove("ms");
        assert!(check(&bad.to_string()).is_err());
        assert!(check(&format!("{}\nready", good())).is_err());
    }
}
