//! Whether two sides and the store say the same about every deal.

use std::collections::BTreeSet;

use cosell_host::status::Deal;
use cosell_simulator::Control;
use serde_json::Value;

/// State of a qualified lead.
const QUALIFIED: i32 = 1;
/// The seller's switch.
const SYNC: &str = "msft_microsoftpartnercenterreferralsync";
const IDENTIFIER: &str = "msft_microsoftpartnercenterreferralidentifier";
const MICROSOFT_ID: &str = "msft_microsoftcrmidentifier";
const HELP: &str = "msft_microsoftpartnercenterhelp";

/// What both sides hold, as they would show it.
#[derive(Debug, Default)]
pub(super) struct Sides {
    /// All referrals, Microsoft's included.
    pub(super) referrals: Vec<Value>,
    pub(super) opportunities: Vec<Value>,
    pub(super) leads: Vec<Value>,
    /// The solutions below opportunities.
    pub(super) solutions: Vec<Value>,
}

impl Sides {
    pub(super) fn of(control: &Control) -> Self {
        Self {
            referrals: control.referrals(),
            opportunities: control.rows("opportunity"),
            leads: control.rows("lead"),
            solutions: control.rows("msft_partnercentersolution"),
        }
    }

    fn own(&self) -> impl Iterator<Item = &Value> {
        let ours = |referral: &&Value| referral["organizationId"] != "msft";
        self.referrals.iter().filter(ours)
    }

    fn microsofts(&self, engagement: &Value) -> Option<&Value> {
        self.referrals.iter().find(|referral| {
            referral["organizationId"] == "msft" && referral["engagementId"] == *engagement
        })
    }

    fn row(&self, deal: &Deal) -> Option<&Value> {
        let id = deal.crm_row.as_deref()?;
        let (rows, key) = match deal.crm_table.as_deref() {
            Some("lead") => (&self.leads, "leadid"),
            _ => (&self.opportunities, "opportunityid"),
        };
        rows.iter().find(|row| row[key] == id)
    }

    fn solutions_of(&self, row: &Value) -> String {
        let below = |solution: &&Value| {
            solution["_msft_opportunityid_value"] == row["opportunityid"]
                && !row["opportunityid"].is_null()
        };
        let ids = self.solutions.iter().filter(below);
        listed(ids.map(|solution| text(&solution["msft_solutionidentifier"])))
    }
}

/// Everything on which they do not agree, as sentences.
pub(super) fn compare(sides: &Sides, deals: &[Deal]) -> Vec<String> {
    let mut found = Vec::new();
    for referral in sides.own() {
        match pair(sides, deals, referral) {
            Ok((row, deal)) => found.extend(differences(sides, referral, row, deal)),
            Err(why) => found.push(why),
        }
    }
    let known: BTreeSet<&str> = sides.own().filter_map(|own| own["id"].as_str()).collect();
    for deal in deals.iter().filter(|deal| deal.state != "retired") {
        if let Some(referral) = &deal.referral
            && !known.contains(referral.as_str())
        {
            found.push(format!(
                "the store knows referral {referral}, Partner Center does not"
            ));
        }
    }
    // Whoever is neither linked nor at rest waits for something: a person, a plugin, a side.
    let at_rest = ["settled", "retired", "paused"];
    for deal in deals {
        if deal.referral.is_none() && !at_rest.contains(&deal.state.as_str()) {
            let reason = deal.reason.as_deref().unwrap_or("no reason was given");
            found.push(format!(
                "a deal that is not linked yet is {}: {reason}",
                deal.state
            ));
        }
    }
    for (rows, key) in [
        (&sides.opportunities, "opportunityid"),
        (&sides.leads, "leadid"),
    ] {
        // A qualified lead is the opportunity that it became (S17).
        let is_qualified = |row: &Value| key == "leadid" && row["statecode"] == QUALIFIED;
        let switched_on = rows
            .iter()
            .filter(|row| row[SYNC] == true && !is_qualified(row));
        for row in switched_on.filter(|row| !is_linked(deals, &row[key])) {
            found.push(format!(
                "row {} is switched on and has no referral",
                text(&row[key])
            ));
        }
    }
    found
}

/// A lead that was qualified is the deal of its opportunity.
fn is_linked(deals: &[Deal], id: &Value) -> bool {
    deals
        .iter()
        .any(|deal| deal.referral.is_some() && deal.crm_row.as_deref() == id.as_str())
}

/// The settled pair of a referral.
fn pair<'a>(
    sides: &'a Sides,
    deals: &'a [Deal],
    referral: &Value,
) -> Result<(&'a Value, &'a Deal), String> {
    let id = text(&referral["id"]);
    let mut of_it = deals
        .iter()
        .filter(|deal| deal.referral.as_ref() == Some(&id));
    let deal = of_it
        .next()
        .ok_or_else(|| format!("referral {id} is unknown to the store"))?;
    if of_it.next().is_some() {
        return Err(format!("referral {id} is in the store twice"));
    }
    if deal.state != "settled" {
        let reason = deal.reason.as_deref().unwrap_or("no reason was given");
        return Err(format!(
            "referral {id} is {} and not settled: {reason}",
            deal.state
        ));
    }
    sides.row(deal).map(|row| (row, deal)).ok_or_else(|| {
        format!("the store links referral {id} with a row that the CRM does not have")
    })
}

fn differences(sides: &Sides, referral: &Value, row: &Value, deal: &Deal) -> Vec<String> {
    let id = text(&referral["id"]);
    let details = &referral["details"];
    let is_lead = deal.crm_table.as_deref() == Some("lead");
    let mut pairs = vec![
        (
            "our id",
            text(&referral["externalReferenceId"]),
            deal.crm_row.clone().unwrap_or_default(),
        ),
        ("referral id", id.clone(), text(&row[IDENTIFIER])),
        ("notes", text(&details["notes"]), text(&row["description"])),
    ];
    if !is_lead {
        pairs.extend([
            (
                "value",
                number(&details["dealValue"]),
                number(&row["estimatedvalue"]),
            ),
            (
                "close date",
                day(&details["closingDateTime"]),
                day(&row["estimatedclosedate"]),
            ),
            (
                "state",
                standing(referral).to_owned(),
                state(row).to_owned(),
            ),
            (
                "solutions",
                listed(
                    details["requirements"]["solutions"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|solution| text(&solution["id"])),
                ),
                sides.solutions_of(row),
            ),
        ]);
    }
    let mut found: Vec<String> = pairs
        .into_iter()
        .filter(|(_, there, here)| there != here)
        .map(|(what, there, here)| {
            format!("{what} of referral {id}: Partner Center has {there:?}, the CRM has {here:?}")
        })
        .collect();
    found.extend(microsoft(sides, referral, row, deal));
    found
}

/// Microsoft is there if it was asked for help, the store knows it, and its id stands in the row.
fn microsoft(sides: &Sides, referral: &Value, row: &Value, deal: &Deal) -> Vec<String> {
    let id = text(&referral["id"]);
    let theirs = sides.microsofts(&referral["engagementId"]);
    let mut found = Vec::new();
    if theirs.is_none() && !row[HELP].is_null() {
        found.push(format!(
            "referral {id} asks for help, and Microsoft was never invited"
        ));
    }
    let known = deal.microsoft_referral.clone().unwrap_or_default();
    let there = theirs.map(|theirs| text(&theirs["id"])).unwrap_or_default();
    if known != there {
        found.push(format!(
            "Microsoft's referral beside {id}: Partner Center has {there:?}, the store knows {known:?}"
        ));
    }
    let microsoft_id = theirs
        .map(|theirs| text(&theirs["trackingInfo"]["microsoftMsxId"]))
        .unwrap_or_default();
    let shown = text(&row[MICROSOFT_ID]);
    if microsoft_id != shown {
        found.push(format!(
            "Microsoft's own id of referral {id}: Partner Center has {microsoft_id:?}, the CRM has {shown:?}"
        ));
    }
    found
}

fn standing(referral: &Value) -> &'static str {
    match (referral["status"].as_str(), referral["substatus"].as_str()) {
        (Some("Closed"), Some("Won")) => "won",
        (Some("Closed"), _) => "lost",
        _ => "open",
    }
}

fn state(row: &Value) -> &'static str {
    match row["statecode"].as_i64() {
        Some(1) => "won",
        Some(2) => "lost",
        _ => "open",
    }
}

/// Without order: lists are compared by element.
fn listed(ids: impl Iterator<Item = String>) -> String {
    let mut ids: Vec<String> = ids.collect();
    ids.sort_unstable();
    ids.join(", ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `125000`, `125000.00` and `"125000"` are one amount.
fn number(value: &Value) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn day(value: &Value) -> String {
    value
        .as_str()
        .and_then(|text| text.get(..10))
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One deal on which everybody agrees, Microsoft included.
    fn agreed() -> (Sides, Vec<Deal>) {
        let sides = Sides {
            referrals: vec![
                json!({
                    "id": "r", "organizationId": "ours", "engagementId": "e", "externalReferenceId": "o", "status": "Active", "substatus": "Accepted",
                    "details": { "dealValue": 1000.0, "closingDateTime": "2026-12-15T00:00:00Z", "notes": "notes",
                        "requirements": { "solutions": [{ "id": "SOL-2" }, { "id": "SOL-1" }] } },
                }),
                json!({ "id": "m", "organizationId": "msft", "engagementId": "e", "trackingInfo": { "microsoftMsxId": "7-ABC" } }),
            ],
            opportunities: vec![
                json!({ "opportunityid": "o", SYNC: true, IDENTIFIER: "r", MICROSOFT_ID: "7-ABC", HELP: 1, "estimatedvalue": "1000",
                    "estimatedclosedate": "2026-12-15", "description": "notes", "statecode": 0 }),
            ],
            leads: Vec::new(),
            solutions: vec![
                json!({ "_msft_opportunityid_value": "o", "msft_solutionidentifier": "SOL-1" }),
                json!({ "_msft_opportunityid_value": "o", "msft_solutionidentifier": "SOL-2" }),
            ],
        };
        let deal = Deal {
            connection: "c".into(),
            lane: 1,
            state: "settled".into(),
            reason: None,
            referral: Some("r".into()),
            microsoft_referral: Some("m".into()),
            crm_table: Some("opportunity".into()),
            crm_row: Some("o".into()),
            next_at: None,
            unanswered: 0,
        };
        (sides, vec![deal])
    }

    #[track_caller]
    fn disagrees(words: &str, change: impl FnOnce(&mut Sides, &mut Vec<Deal>)) {
        let (mut sides, mut deals) = agreed();
        change(&mut sides, &mut deals);
        let found = compare(&sides, &deals);
        assert!(
            found.iter().any(|one| one.contains(words)),
            "{words:?} is not in {found:?}"
        );
    }

    #[test]
    fn a_deal_on_which_all_agree_is_no_disagreement() {
        let (sides, deals) = agreed();
        assert_eq!(compare(&sides, &deals), Vec::<String>::new());
    }

    #[test]
    fn every_part_that_differs_is_named() {
        disagrees("value of referral r", |sides, _| {
            sides.opportunities[0]["estimatedvalue"] = json!(999);
        });
        disagrees("close date of", |sides, _| {
            sides.opportunities[0]["estimatedclosedate"] = json!("2026-12-16");
        });
        disagrees("notes of", |sides, _| {
            sides.referrals[0]["details"]["notes"] = json!("other");
        });
        disagrees("state of", |sides, _| {
            sides.opportunities[0]["statecode"] = json!(1);
        });
        disagrees("solutions of", |sides, _| drop(sides.solutions.pop()));
        disagrees("our id of", |sides, _| {
            sides.referrals[0]["externalReferenceId"] = Value::Null;
        });
        disagrees("referral id of", |sides, _| {
            sides.opportunities[0][IDENTIFIER] = Value::Null;
        });
    }

    #[test]
    fn microsofts_part_is_compared_too() {
        disagrees("Microsoft was never invited", |sides, deals| {
            sides.referrals.pop();
            deals[0].microsoft_referral = None;
        });
        disagrees("Microsoft's referral beside r", |_, deals| {
            deals[0].microsoft_referral = None;
        });
        disagrees("Microsoft's own id", |sides, _| {
            sides.opportunities[0][MICROSOFT_ID] = Value::Null;
        });
    }

    #[test]
    fn nothing_that_one_side_or_the_store_holds_alone_is_overlooked() {
        disagrees("unknown to the store", |_, deals| deals.clear());
        disagrees("in the store twice", |_, deals| {
            deals.extend(agreed().1);
        });
        disagrees("parked and not settled", |_, deals| {
            deals[0].state = "parked".into();
        });
        disagrees("a row that the CRM does not have", |sides, _| {
            sides.opportunities.clear();
        });
        disagrees("not linked yet is held: which account", |_, deals| {
            let unlinked = Deal {
                referral: None,
                crm_row: None,
                state: "held".into(),
                reason: Some("which account".into()),
                ..agreed().1.remove(0)
            };
            deals.push(unlinked);
        });
        disagrees("Partner Center does not", |sides, _| {
            sides.referrals.clear();
        });
        disagrees("switched on and has no referral", |sides, _| {
            let row = json!({ "opportunityid": "p", SYNC: true });
            sides.opportunities.push(row);
        });
    }
}
