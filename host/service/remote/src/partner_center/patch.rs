//! Changes of a referral, as JSON Patch. Partner Center knows `replace` and `add` only, on a short list of paths.

use cosell_sync::deal::{DealState, Standing, Unit, UnitValue, Units};
use cosell_sync::row::Refusal;
use serde::Serialize;

use crate::json::{Exact, Raw, raw};
use crate::partner_center::elements::{members, midnight, tags};
use crate::partner_center::mapping::{LINK_BASE, read, refusal};
use crate::partner_center::wire::Referral;

/// One replacement.
#[derive(Debug, Clone, Serialize)]
pub struct PatchOp {
    op: &'static str,
    path: &'static str,
    value: Raw,
}

impl PatchOp {
    /// `/details/dealValue`
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// The new value, as JSON.
    #[must_use]
    pub fn value(&self) -> &str {
        self.value.get()
    }

    fn replace(path: &'static str, value: Raw) -> Self {
        Self {
            op: "replace",
            path,
            value,
        }
    }
}

impl PartialEq for PatchOp {
    fn eq(&self, other: &Self) -> bool {
        (self.op, self.path, self.value.get()) == (other.op, other.path, other.value.get())
    }
}

/// The operations that bring a referral to `changes`; units that it shows already need none. All of them belong into one call: the close
/// goes with the last changes, because a closed referral takes none.
///
/// Lists are replaced whole, as given: merging the elements of both sides is the caller's business. What we do not know about an element
/// stays with it.
///
/// # Errors
/// Every unit that Partner Center does not let us write, each with why.
pub fn patch_ops(current: &Referral, changes: &Units) -> Result<Vec<PatchOp>, Vec<Refusal>> {
    let shown = read(current, None, LINK_BASE);
    let mut operations = Vec::new();
    let mut refusals = Vec::new();
    for (unit, value) in changes {
        if shown.units.get(unit) == Some(value) && *unit != Unit::Help {
            continue;
        }
        if shown.frozen {
            let message =
                "the referral is closed, and Partner Center lets nobody change a closed referral";
            refusals.push(refusal(unit.clone(), "referral-closed", message, ""));
            continue;
        }
        match operations_of(current, &shown.units, unit, value) {
            Ok(more) => operations.extend(more),
            Err(refusal) => refusals.push(refusal),
        }
    }
    // A closing operation ends what can be said, so it is said last.
    operations.sort_by_key(|operation| {
        matches!(operation.path, "/status" | "/substatus" | "/statusReason")
    });
    if refusals.is_empty() {
        Ok(operations)
    } else {
        Err(refusals)
    }
}

fn operations_of(
    current: &Referral,
    shown: &Units,
    unit: &Unit,
    value: &UnitValue,
) -> Result<Vec<PatchOp>, Refusal> {
    let one = |path, value| Ok(vec![PatchOp::replace(path, value)]);
    match (unit, value) {
        (Unit::Value, UnitValue::Money(Some(money))) => Ok(vec![
            PatchOp::replace("/details/dealValue", raw(&Exact(money.amount))),
            PatchOp::replace("/details/currency", raw(&money.currency)),
        ]),
        (Unit::CloseDate, UnitValue::Date(Some(date))) => {
            one("/details/closingDateTime", raw(&midnight(*date)))
        }
        (Unit::Value | Unit::CloseDate, _) if value.fits(unit) => Err(refusal(
            unit.clone(),
            "cannot-be-emptied",
            "a referral always has a value and a close date",
            "fill it in again",
        )),
        (Unit::Notes, UnitValue::Text(text)) => one("/details/notes", raw(text)),
        (Unit::SalesStage, UnitValue::Text(text)) => one("/salesStage", raw(text)),
        (Unit::Campaign, UnitValue::Text(text)) => one("/campaignId", raw(text)),
        (Unit::ExternalReference, UnitValue::Text(text)) => one("/externalReferenceId", raw(text)),
        (Unit::State, UnitValue::State(state)) => close_or_move(shown, state),
        (Unit::Visibility, UnitValue::Flag(true)) => one(
            "/consent/consentToShareReferralWithMicrosoftSellers",
            raw(&true),
        ),
        (Unit::Visibility, UnitValue::Flag(false)) => Err(refusal(
            Unit::Visibility,
            "visible-for-good",
            "a deal that Microsoft's sellers can see cannot be hidden again",
            "",
        )),
        (Unit::Contacts, UnitValue::People(people)) => one(
            "/customerProfile/team",
            raw(&members(people, &current.wire.customer_profile.team)),
        ),
        (Unit::Team, UnitValue::People(people)) => {
            one("/team", raw(&members(people, &current.wire.team)))
        }
        (Unit::Solutions, UnitValue::Solutions(solutions)) if solutions.is_empty() => Err(refusal(
            Unit::Solutions,
            "cannot-be-emptied",
            "a referral always has a solution",
            "add the one that takes its place",
        )),
        (Unit::Solutions, UnitValue::Solutions(solutions)) => one(
            "/details/requirements/solutions",
            raw(&tags(
                solutions,
                &current.wire.details.requirements.solutions,
            )),
        ),
        (Unit::Help, UnitValue::Help(_)) => Err(refusal(
            Unit::Help,
            "help-is-an-invitation",
            "help is asked for by inviting Microsoft, and an invitation cannot be changed",
            "",
        )),
        (
            Unit::Name
            | Unit::CompanyName
            | Unit::CompanySize
            | Unit::CompanyIds
            | Unit::Address
            | Unit::More(_),
            _,
        ) if value.fits(unit) => Err(refusal(
            unit.clone(),
            "fixed-at-creation",
            "Partner Center does not let this be changed after the referral was created",
            "",
        )),
        _ => Err(refusal(
            unit.clone(),
            "wrong-kind",
            "this is not the kind of value that the field holds",
            "",
        )),
    }
}

/// Status and substatus go together; alone, the pair would be illegal for a moment and is refused.
fn close_or_move(shown: &Units, state: &DealState) -> Result<Vec<PatchOp>, Refusal> {
    let status = match &state.standing {
        Standing::Pending | Standing::Received => "New",
        Standing::Accepted => "Active",
        Standing::Won | Standing::Lost | Standing::Declined => "Closed",
        Standing::Expired | Standing::Error | Standing::Unlisted(_) => {
            let message = format!(
                "only Partner Center itself can set a deal to {}",
                state.standing.as_str()
            );
            return Err(refusal(Unit::State, "state-not-ours", &message, ""));
        }
    };
    let accepted = matches!(shown.get(&Unit::State), Some(UnitValue::State(now)) if now.standing == Standing::Accepted);
    if accepted && status == "New" {
        return Err(refusal(
            Unit::State,
            "state-backwards",
            "an accepted deal cannot become new again",
            "win it, lose it, or leave it open",
        ));
    }
    let mut operations = vec![
        PatchOp::replace("/status", raw(status)),
        PatchOp::replace("/substatus", raw(state.standing.as_str())),
    ];
    if let Some(reason) = &state.reason {
        operations.push(PatchOp::replace("/statusReason", raw(reason)));
    }
    Ok(operations)
}
