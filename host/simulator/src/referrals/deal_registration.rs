//! Registering a won deal: the one change that a closed referral takes. (partner-center 2.9)

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::book::{Book, Change};
use super::patch::Operation;
use super::{MICROSOFT, Refusal};
use crate::clock::fraction;

/// Least time between the creation of a deal and its win.
const WON_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// What of a registration may be changed afterwards.
const CHANGEABLE: [&str; 12] = [
    "/contract/startDateTime",
    "/contract/endDateTime",
    "/contract/signDateTime",
    "/contract/term",
    "/contract/value",
    "/solutionDetails/0/value",
    "/solutionDetails/0/currency",
    "/solutionDetails/0/isDeployedOnAzure",
    "/solutionDetails/0/primaryDeploymentOn",
    "/solutionDetails/0/pricingModel",
    "/solutionDetails/0/marketplaceTransactionDetails/isMarketplaceTransacted",
    "/solutionDetails/0/marketplaceTransactionDetails/marketplaceTransactionDateTime",
];
/// What a review can end in; the first is where it begins.
const STATUSES: [&str; 5] = [
    "ReviewPending",
    "ActionRequired",
    "Passed",
    "Failed",
    "Approved",
];

/// Whether a patch is about the registration and nothing else.
pub(super) fn is_one(operations: &[Operation]) -> bool {
    operations
        .iter()
        .all(|operation| operation.path.starts_with("/registrations/"))
}

/// Registers a won deal, or changes what was registered.
pub(super) fn apply(
    book: &mut Book,
    referral: &Value,
    operations: &[Operation],
    now: Timestamp,
) -> Result<Change, Refusal> {
    eligible(book, referral)?;
    let mut after = referral.clone();
    for operation in operations {
        if operation.path == "/registrations/-" {
            let registration = checked(&operation.value)?;
            let id = book.ids.guid_text();
            register(&mut after, registration, &id, now)?;
            continue;
        }
        let known = operation
            .path
            .strip_prefix("/registrations/0")
            .is_some_and(|rest| CHANGEABLE.contains(&rest));
        let place = after.pointer_mut(&operation.path).filter(|_| known);
        let place = place.ok_or_else(|| {
            Refusal::invalid(
                "invalidPath",
                format!("The path '{}' cannot be patched.", operation.path),
            )
        })?;
        *place = operation.value.clone();
    }
    Ok(book.put(after, now))
}

fn register(
    referral: &mut Value,
    mut registration: Value,
    id: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    registration["id"] = json!(id);
    registration["registrationDateTime"] = json!(fraction(now));
    registration["status"] = json!(STATUSES[0]);
    registration["statusReason"] = Value::Null;
    registration["statusHistory"] = json!({"reviewPendingDateTime": fraction(now)});
    let held = referral["registrations"].as_array_mut();
    match held {
        Some(list) if list.is_empty() => list.push(registration),
        _ => {
            return Err(Refusal::invalid(
                "registrationExists",
                "The deal has been registered already.",
            ));
        }
    }
    referral["registrationStatus"] = json!(STATUSES[0]);
    Ok(())
}

/// Won, visible to Microsoft, with a solution, old enough; a shared deal also needs Microsoft's yes.
fn eligible(book: &Book, referral: &Value) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(Refusal::invalid("registrationNotEligible", message));
    let time = |field: &str| referral[field].as_str()?.parse::<Timestamp>().ok();
    if referral["substatus"] != "Won" {
        return refuse("Only a won deal can be registered.");
    }
    if referral["consent"]["consentToShareReferralWithMicrosoftSellers"] != true {
        return refuse("A private deal cannot be registered.");
    }
    let early = match (time("createdDateTime"), time("closedDateTime")) {
        (Some(created), Some(closed)) => closed.duration_since(created) < WON_AFTER,
        _ => true,
    };
    if early {
        return refuse("The deal was won less than 72 hours after it was created.");
    }
    let engagement = referral["engagementId"].as_str().unwrap_or_default();
    let theirs = book
        .in_engagement(engagement, MICROSOFT)
        .and_then(|id| book.get(id));
    match theirs.map(|theirs| theirs["substatus"].as_str().unwrap_or_default()) {
        Some("Accepted" | "Won") => Ok(()),
        Some(_) => refuse("Microsoft has neither accepted nor won its side of the deal."),
        None if referral["type"] == "Shared" => refuse("Microsoft was not invited to the deal."),
        None => Ok(()),
    }
}

fn checked(value: &Value) -> Result<Value, Refusal> {
    let whole = value["type"].is_string()
        && value["contract"].is_object()
        && value["solutionDetails"]
            .as_array()
            .is_some_and(|list| !list.is_empty() && list.iter().all(|item| item["id"].is_string()));
    if whole {
        Ok(value.clone())
    } else {
        Err(Refusal::invalid(
            "invalidValue",
            "A registration has a type, solutionDetails with ids, and a contract.",
        ))
    }
}

/// Microsoft reviews the registration of a deal.
pub(super) fn review(
    book: &mut Book,
    id: &str,
    status: &str,
    now: Timestamp,
) -> Result<Change, Refusal> {
    let referral = book.get(&id.to_lowercase());
    let mut referral = referral
        .cloned()
        .ok_or_else(|| Refusal::missing(format!("There is no referral '{id}'.")))?;
    if !STATUSES.contains(&status) {
        return Err(Refusal::invalid(
            "invalidEnum",
            format!("'{status}' is not a status of a registration."),
        ));
    }
    let Some(registration) = referral.pointer_mut("/registrations/0") else {
        return Err(Refusal::invalid(
            "registrationMissing",
            "The deal has not been registered.",
        ));
    };
    registration["status"] = json!(status);
    let mut stamp = format!("{status}DateTime");
    stamp[..1].make_ascii_lowercase();
    registration["statusHistory"][stamp.as_str()] = json!(fraction(now));
    referral["registrationStatus"] = json!(status);
    Ok(book.put(referral, now))
}
