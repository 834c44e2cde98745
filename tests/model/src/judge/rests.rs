//! Where a lane may stand at the end, and what must be so then. A state of a new kind is one line here.

use super::{Case, View};

/// A lane's state, and why it is right.
type Fits = fn(&Case) -> Result<(), String>;

/// States in which a deal's lane may be found when everything is quiet.
pub const RESTS: &[(&str, Fits)] = &[
    ("settled", settled),
    ("paused", paused),
    ("held", held),
    ("parked", parked),
    ("orphaned", orphaned),
];

/// Reasons that park a deal, and what must be so then.
const PARKED: &[(&str, Fits)] = &[
    ("plugin-fault", |case| {
        demand(case.fails, || "no plugin fails".into())
    }),
    ("contact-missing", |case| {
        let has = case
            .crm
            .as_ref()
            .is_some_and(|crm| crm.keys().any(|unit| unit.starts_with("contacts ")));
        demand(!has, || "the row has a contact".into())
    }),
    ("consent-missing", |case| {
        demand(!case.consent_declared, || "consent is declared".into())
    }),
    ("referral-unknown", |case| {
        demand(case.known.hidden, || "the referral can be seen".into())
    }),
    ("value-missing", |case| lacks(case, "value")),
    ("close-date-missing", |case| lacks(case, "close-date")),
    ("name-missing", |case| lacks(case, "name")),
    ("solution-missing", |case| {
        let has = case
            .crm
            .as_ref()
            .is_some_and(|crm| crm.keys().any(|unit| unit.starts_with("solutions ")));
        demand(!has, || "the row has a solution".into())
    }),
];

fn settled(case: &Case) -> Result<(), String> {
    let Some((crm, partner_center)) = case.both() else {
        let is_wanted = case.is_on && case.crm.is_some();
        return demand(!is_wanted, || {
            "the row is switched on, and there is no referral".into()
        });
    };
    demand(case.is_on, || "the row is switched off".into())?;
    let units: std::collections::BTreeSet<&String> =
        crm.keys().chain(partner_center.keys()).collect();
    for unit in units {
        let one = crm.get(unit).cloned().unwrap_or_default();
        let other = partner_center.get(unit).cloned().unwrap_or_default();
        let alike = one == other
            || unit == "state" && one == "lost" && other == "over"
            || unit == "state" && case.known.row.is_none() && is_alike_of_a_lead(&one, &other)
            || one.is_empty() && is_one_of_many(unit, crm, partner_center, case.contact_emptied);
        if !alike && case.keeps(unit) && !case.may_differ(unit) {
            return Err(format!(
                "{unit} is \"{}\" in the CRM and \"{}\" in Partner Center, and nobody says why",
                brief(&one),
                brief(&other)
            ));
        }
    }
    Ok(())
}

/// A lead says less than a referral about where an open deal stands, and nothing about why one is over.
fn is_alike_of_a_lead(lead: &str, referral: &str) -> bool {
    is_open(lead) && is_open(referral) || lead == "over" && referral == "lost"
}

fn is_open(state: &str) -> bool {
    matches!(state, "open" | "unanswered")
}

/// A row has one contact, a referral many: the others are in step as long as that one is among them, or was taken out by a seller.
pub(super) fn is_one_of_many(unit: &str, crm: &View, partner_center: &View, emptied: bool) -> bool {
    let is_contact = |unit: &str| unit.starts_with("contacts ");
    let mut of_row = crm.keys().filter(|unit| is_contact(unit)).peekable();
    is_contact(unit)
        && (of_row.peek().is_some() || emptied)
        && of_row.all(|unit| partner_center.contains_key(unit))
}

fn paused(case: &Case) -> Result<(), String> {
    let never_linked = case.crm.is_none() || case.partner_center.is_none();
    let closed = case.partner_center.as_ref().map(|view| &*view["state"]);
    let not_for_us = never_linked && closed.is_some_and(|state| state != "open");
    // What is over in the CRM before it was ever shared stays there.
    let over = case.crm.as_ref().map(|view| &*view["state"]);
    let not_for_us = not_for_us || never_linked && over.is_some_and(|state| !is_open(state));
    // A person has answered a card so.
    let apart = case.reason().contains("taken the two records apart");
    demand(
        case.crm.is_some() && !case.is_on || not_for_us || apart,
        || format!("paused ({}), and nothing pauses it", case.reason()),
    )
}

fn held(case: &Case) -> Result<(), String> {
    let Some((crm, partner_center)) = case.both() else {
        return Err("a question about a deal that is not on both sides".into());
    };
    demand(crm != partner_center, || {
        format!("a question ({}), and nothing differs", case.reason())
    })
}

fn parked(case: &Case) -> Result<(), String> {
    let reasons: Vec<serde_json::Value> = serde_json::from_str(case.reason()).unwrap_or_default();
    demand(!reasons.is_empty(), || "parked without a reason".into())?;
    for reason in &reasons {
        let code = reason["code"].as_str().unwrap_or_default();
        match PARKED.iter().find(|(known, _)| *known == code) {
            Some((_, fits)) => fits(case).map_err(|how| format!("parked for {code}, but {how}"))?,
            None => return Err(format!("parked: {reason}")),
        }
    }
    Ok(())
}

fn orphaned(case: &Case) -> Result<(), String> {
    demand(case.known.deleted || case.known.hidden, || {
        format!("orphaned ({}), and nothing is gone", case.reason())
    })
}

fn lacks(case: &Case, unit: &str) -> Result<(), String> {
    let held = case
        .crm
        .as_ref()
        .and_then(|crm| crm.get(unit).cloned())
        .unwrap_or_default();
    demand(held.is_empty(), || format!("the row says {held}"))
}

pub(super) fn demand(holds: bool, how: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(how()) }
}

pub(super) fn brief(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
