//! Changing a referral: JSON Patch with `add` and `replace`, a whitelist of paths, and the state machine.
//! (partner-center 2.5, 3.4)

use jiff::Timestamp;
use serde_json::{Value, json};

use super::book::{Book, Change};
use super::create::{self, STATUSES, SUBSTATUSES};
use super::{MICROSOFT, Refusal, deal_registration, shape};
use crate::assumptions::Readings;
use crate::clock::fraction;

/// Most operations in one patch: a generous multiple of the whitelist.
const OPERATIONS_MAX: usize = 200;
/// What the API lets a partner change.
pub(crate) const WHITELIST: [&str; 18] = [
    "/campaignId",
    "/consent/consentToShareReferralWithMicrosoftSellers",
    "/customerProfile/team",
    "/customerProfile/team/-",
    "/details/closingDateTime",
    "/details/currency",
    "/details/dealValue",
    "/details/notes",
    "/details/requirements/solutions",
    "/details/requirements/solutions/-",
    "/externalReferenceId",
    "/referralProgram",
    "/salesStage",
    "/status",
    "/substatus",
    "/statusReason",
    "/team",
    "/team/-",
];
/// What people can also change on the site, or Microsoft in its own CRM.
const BY_HAND: [&str; 3] = ["/name", "/trackingInfo/microsoftMsxId", "/favorite"];

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operation {
    pub(crate) path: String,
    pub(crate) value: Value,
}

/// Who patches: the API holds a partner to the whitelist, a person on the site has a little more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actor {
    Partner,
    ByHand,
}

/// What came of a patch.
#[derive(Debug)]
pub(crate) struct Applied {
    /// None when nothing changed.
    pub(crate) change: Option<Change>,
    /// What was written.
    pub(crate) paths: Vec<String>,
    /// Why the rest was not: only in a world whose patches are not atomic.
    pub(crate) refusal: Option<Refusal>,
}

impl Applied {
    /// All of it.
    pub(crate) const fn whole(change: Change, paths: Vec<String>) -> Self {
        Self {
            change: Some(change),
            paths,
            refusal: None,
        }
    }
}

/// Reads a JSON Patch body.
pub(crate) fn operations(body: &Value) -> Result<Vec<Operation>, Refusal> {
    let malformed = |message: &str| Refusal::invalid("malformedPatch", message);
    let list = body.as_array().ok_or_else(|| {
        malformed("The body is not a JSON Patch: a list of operations is expected.")
    })?;
    if list.is_empty() || list.len() > OPERATIONS_MAX {
        return Err(malformed(
            "A JSON Patch has between 1 and 200 operations here.",
        ));
    }
    list.iter()
        .map(|item| {
            let op = item["op"]
                .as_str()
                .ok_or_else(|| malformed("An operation has no 'op'."))?;
            if !op.eq_ignore_ascii_case("add") && !op.eq_ignore_ascii_case("replace") {
                return Err(malformed(&format!(
                    "The operation '{op}' is not supported: only 'add' and 'replace' are."
                )));
            }
            let path = item["path"]
                .as_str()
                .ok_or_else(|| malformed("An operation has no 'path'."))?
                .to_owned();
            let value = item
                .get("value")
                .cloned()
                .ok_or_else(|| malformed("An operation has no 'value'."))?;
            Ok(Operation { path, value })
        })
        .collect()
}

/// Applies all operations or none; in a world whose patches are not atomic, those before the first that is refused.
pub(crate) fn apply(
    book: &mut Book,
    id: &str,
    operations: &[Operation],
    actor: Actor,
    assumptions: &Readings,
    now: Timestamp,
    via: Option<String>,
) -> Result<Applied, Refusal> {
    let before = book
        .get(&id.to_lowercase())
        .ok_or_else(|| Refusal::missing(format!("There is no referral '{id}'.")))?;
    let paths = |count: usize| {
        let done = operations.iter().take(count);
        done.map(|operation| operation.path.clone()).collect()
    };
    if deal_registration::is_one(operations) {
        let before = before.clone();
        let change = deal_registration::apply(book, &before, operations, now)?;
        return Ok(Applied::whole(change, paths(operations.len())));
    }
    if before["status"] == "Closed" && !ends_anew(operations, assumptions) {
        return Err(closed());
    }
    let mut after = before.clone();
    let (mut done, mut refusal) = (0, None);
    for operation in operations {
        let contacts_fixed = || contacts_fixed(book, before, assumptions);
        match step(&mut after, operation, actor, contacts_fixed) {
            Ok(()) => done += 1,
            Err(why) if done > 0 && assumptions.patches_are_not_atomic() => {
                refusal = Some(why);
                break;
            }
            Err(why) => return Err(why),
        }
    }
    settle(before, &mut after, assumptions, now)?;
    let changes_something = after != *before || !assumptions.patching_nothing_changes_nothing();
    after["lastModifiedVia"] = json!(via);
    Ok(Applied {
        change: changes_something.then(|| book.put(after, now)),
        paths: paths(done),
        refusal,
    })
}

/// Whether a patch of a closed referral only says how it ended.
fn ends_anew(operations: &[Operation], assumptions: &Readings) -> bool {
    let says_the_end = |operation: &Operation| {
        matches!(
            operation.path.as_str(),
            "/status" | "/substatus" | "/statusReason"
        )
    };
    operations.iter().all(says_the_end) && assumptions.closed_deals_may_change_their_end()
}

/// Applies one operation.
fn step(
    after: &mut Value,
    operation: &Operation,
    actor: Actor,
    contacts_fixed: impl Fn() -> bool,
) -> Result<(), Refusal> {
    let path = operation.path.as_str();
    let listed = WHITELIST.contains(&path) || (actor == Actor::ByHand && BY_HAND.contains(&path));
    if !listed {
        return Err(Refusal::invalid(
            "invalidPath",
            format!("The path '{path}' cannot be patched."),
        ));
    }
    if path.starts_with("/customerProfile/team") && contacts_fixed() {
        return Err(contacts_read_only());
    }
    let value = shape::coerce(path, &operation.value)?;
    let appended = path.strip_suffix("/-");
    let place = after.pointer_mut(appended.unwrap_or(path));
    let place = place.ok_or_else(|| {
        Refusal::invalid("invalidPath", format!("The path '{path}' does not exist."))
    })?;
    match (appended, place) {
        (Some(_), Value::Array(list)) => list.push(value),
        (_, place) => *place = value,
    }
    Ok(())
}

/// The obsolete whole replacement: what is settable is laid over the referral, under the rules of a patch. (partner-center 3.5)
pub(crate) fn replace(
    book: &mut Book,
    id: &str,
    body: &Value,
    assumptions: &Readings,
    now: Timestamp,
    via: Option<String>,
) -> Result<Change, Refusal> {
    let before = book
        .get(&id.to_lowercase())
        .ok_or_else(|| Refusal::missing(format!("There is no referral '{id}'.")))?;
    let malformed = |message: &str| Refusal::invalid("malformedReferral", message);
    let fields = body
        .as_object()
        .ok_or_else(|| malformed("The body is not a referral object."))?;
    let named = body["id"].as_str().unwrap_or_default();
    if !named.eq_ignore_ascii_case(id) {
        return Err(malformed("The body's id is not that of the address."));
    }
    if fields.contains_key("links") {
        return Err(malformed("'links' must be removed from the body."));
    }
    if before["status"] == "Closed" {
        return Err(closed());
    }
    let strict = assumptions.unknown_properties_are_refused();
    let mut after = shape::laid_over(before.clone(), fields, strict)?;
    for fixed in ["engagementId", "type", "target", "inviteContext"] {
        after[fixed] = before[fixed].clone();
    }
    create::valid(&after)?;
    let contacts = "/customerProfile/team";
    if before.pointer(contacts) != after.pointer(contacts)
        && contacts_fixed(book, before, assumptions)
    {
        return Err(contacts_read_only());
    }
    settle(before, &mut after, assumptions, now)?;
    after["lastModifiedVia"] = json!(via);
    Ok(book.put(after, now))
}

fn closed() -> Refusal {
    Refusal::invalid("referralClosed", "A closed referral cannot be changed.")
}

fn contacts_read_only() -> Refusal {
    Refusal::invalid(
        "customerContactsReadOnly",
        "Customer contacts cannot be changed once the deal is shared with Microsoft.",
    )
}

/// What must hold of a change as a whole: consent stays, a shared deal has a solution, the step between the states is one.
fn settle(
    before: &Value,
    after: &mut Value,
    assumptions: &Readings,
    now: Timestamp,
) -> Result<(), Refusal> {
    let consent = "/consent/consentToShareReferralWithMicrosoftSellers";
    if before.pointer(consent) == Some(&json!(true)) && after.pointer(consent) != Some(&json!(true))
    {
        return Err(Refusal::invalid(
            "consentIrrevocable",
            "Sharing with Microsoft sellers cannot be taken back.",
        ));
    }
    if after.pointer(consent) == Some(&json!(true))
        && after["details"]["requirements"]["solutions"]
            .as_array()
            .is_none_or(Vec::is_empty)
    {
        return Err(Refusal::invalid(
            "solutionIdRequired",
            "Solution ID is required to share a deal with Microsoft.",
        ));
    }
    transition(before, after, assumptions, now)?;
    let given_up = matches!(after["substatus"].as_str(), Some("Lost" | "Declined"));
    if given_up
        && assumptions.closing_needs_reason()
        && after["statusReason"].as_str().is_none_or(str::is_empty)
    {
        return Err(Refusal::invalid(
            "statusReasonRequired",
            "A reason is required to close a deal as lost or declined.",
        ));
    }
    Ok(())
}

/// Whether the customer's contacts are read-only: since Microsoft sees the deal, or since it was invited.
fn contacts_fixed(book: &Book, referral: &Value, assumptions: &Readings) -> bool {
    let engagement = referral["engagementId"].as_str().unwrap_or_default();
    let invited = book.in_engagement(engagement, MICROSOFT).is_some();
    let visible = referral["consent"]["consentToShareReferralWithMicrosoftSellers"] == true;
    invited || (visible && assumptions.contacts_fixed_once_visible())
}

/// Checks the step from one state to the next and stamps it. A lone `/status` ends in a pair that does not exist.
fn transition(
    before: &Value,
    after: &mut Value,
    assumptions: &Readings,
    now: Timestamp,
) -> Result<(), Refusal> {
    let pair = |referral: &Value| -> (String, String) {
        let text = |field: &str| referral[field].as_str().unwrap_or_default().to_owned();
        (text("status"), text("substatus"))
    };
    let (old, new) = (pair(before), pair(after));
    if old == new {
        return Ok(());
    }
    if !STATUSES.contains(&new.0.as_str()) || !SUBSTATUSES.contains(&new.1.as_str()) {
        return Err(Refusal::invalid(
            "invalidEnum",
            format!("'{}'/'{}' is not a status and substatus.", new.0, new.1),
        ));
    }
    let goes_together = matches!(
        (new.0.as_str(), new.1.as_str()),
        ("New", "Pending" | "Received")
            | ("Active", "Accepted")
            | ("Closed", "Won" | "Lost" | "Declined" | "Expired")
    );
    if !goes_together {
        let message = format!(
            "The status '{}' does not go with the substatus '{}': change both in one patch.",
            new.0, new.1
        );
        return Err(Refusal::invalid("invalidStatusPair", message));
    }
    let allowed = matches!(
        (
            old.0.as_str(),
            old.1.as_str(),
            new.0.as_str(),
            new.1.as_str()
        ),
        ("New", "Pending", "New", "Received")
            | ("New", _, "Active", "Accepted")
            | ("New", _, "Closed", "Declined")
            | ("Active", _, "Closed", "Won" | "Lost")
    );
    let from_new = matches!(
        (old.0.as_str(), new.0.as_str(), new.1.as_str()),
        ("New", "Closed", "Won" | "Lost")
    );
    let anew = matches!(
        (old.1.as_str(), new.1.as_str()),
        ("Won", "Lost") | ("Lost", "Won")
    );
    let allowed = allowed
        || (from_new && assumptions.new_deals_may_be_won())
        || (anew && assumptions.closed_deals_may_change_their_end());
    if !allowed {
        let message = format!(
            "A referral cannot go from {}/{} to {}/{}.",
            old.0, old.1, new.0, new.1
        );
        return Err(Refusal::invalid("invalidTransition", message));
    }
    match new.0.as_str() {
        "Active" => after["acceptedDateTime"] = json!(fraction(now)),
        "Closed" => after["closedDateTime"] = json!(fraction(now)),
        _ => {}
    }
    Ok(())
}
