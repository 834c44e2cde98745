//! Creating a referral, and inviting Microsoft to one. (partner-center 2.5, 3.1, 4)

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::book::{Book, Change};
use super::{MICROSOFT, Organization, Refusal, shape};
use crate::assumptions::Readings;
use crate::clock::fraction;

/// Days in which an invited side has to answer.
pub(crate) const ANSWER_DAYS: i64 = 14;
/// The enums of the resource.
pub(crate) const STATUSES: [&str; 4] = ["None", "New", "Active", "Closed"];
pub(crate) const SUBSTATUSES: [&str; 9] = [
    "None", "Pending", "Received", "Accepted", "Won", "Lost", "Declined", "Expired", "Error",
];
const QUALIFICATIONS: [&str; 4] = ["None", "Direct", "MarketingQualified", "SalesQualified"];
const HELP_CODES: [&str; 7] = [
    "Unknown",
    "WorkloadSpecificValueProposition",
    "CustomerTechnicalArchitecture",
    "ProofOfConceptOrDemo",
    "QuotesOrLicensing",
    "PostSalesCustomerSuccess",
    "GeneralOrOther",
];

/// How a create came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By the API, with what the caller says of itself.
    Api(Option<String>),
    /// By a person on the site, which asks for the invitation by itself.
    Site(&'static str),
}

/// A referral that was just made.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) id: String,
    pub(crate) changes: Vec<Change>,
}

/// Creates `input` for `organization`; a target `msft` with a known engagement makes the referral Microsoft's.
pub(crate) fn create(
    book: &mut Book,
    input: &Value,
    organization: &Organization,
    assumptions: &Readings,
    now: Timestamp,
    origin: Origin,
) -> Result<Created, Refusal> {
    let mut referral = checked(input, assumptions.unknown_properties_are_refused())?;
    if let Err(incomplete) = complete(&referral)
        && assumptions.create_requires_what_the_site_does()
    {
        return Err(incomplete);
    }
    let by_api = matches!(origin, Origin::Api(_));
    let via = match origin {
        Origin::Api(caller) => caller,
        Origin::Site(site) => Some(site.to_owned()),
    };
    let engagement = referral["engagementId"].as_str().map(str::to_lowercase);
    if let Some(engagement) = &engagement
        && !book.knows_engagement(engagement)
    {
        return Err(Refusal::missing(format!(
            "There is no engagement '{engagement}'."
        )));
    }
    let to_microsoft = referral["target"].as_array().is_some_and(|targets| {
        targets
            .iter()
            .any(|target| target["id"] == MICROSOFT && target["type"] == "BusinessProfileLocation")
    });
    let shared_with_sellers =
        referral["consent"]["consentToShareReferralWithMicrosoftSellers"] == true;
    let solutions = referral["details"]["requirements"]["solutions"]
        .as_array()
        .map_or(0, Vec::len);
    if (to_microsoft || shared_with_sellers) && solutions == 0 {
        return Err(Refusal::invalid(
            "solutionIdRequired",
            "Solution ID is required to share a deal with Microsoft.",
        ));
    }
    let mut changes = Vec::new();
    let created = fraction(now);
    referral["id"] = json!(book.ids.guid_text());
    referral["createdDateTime"] = json!(created);
    referral["createdVia"] = json!(via);
    referral["lastModifiedVia"] = json!(via);
    if to_microsoft {
        let engagement = engagement.ok_or_else(|| {
            Refusal::invalid(
                "engagementRequired",
                "A referral to 'msft' needs the engagementId of your own referral.",
            )
        })?;
        let inviter = Inviter {
            organization,
            assumptions,
        };
        invite(book, &mut referral, &engagement, inviter, now, &mut changes)?;
    } else {
        if let Err(second) = once(book, &referral, organization)
            && assumptions.external_reference_is_unique()
        {
            return Err(second);
        }
        referral["engagementId"] = json!(engagement.unwrap_or_else(|| book.ids.guid_text()));
        referral["organizationId"] = json!(organization.id);
        referral["organizationName"] = json!(organization.name);
        referral["status"] = json!("Active");
        referral["substatus"] = json!("Accepted");
        referral["acceptedDateTime"] = json!(created);
        referral["direction"] = json!(if assumptions.own_deals_say_incoming() {
            "Incoming"
        } else {
            "Outgoing"
        });
        referral["inviteContext"]["invitedBy"] =
            json!({"organizationId": organization.id, "organizationName": organization.name});
        if referral["mpnId"].is_null() {
            referral["mpnId"] = json!(organization.mpn_id);
        }
    }
    let invites_at_once = by_api
        && !to_microsoft
        && shared_with_sellers
        && referral["type"] == "Shared"
        && assumptions.one_post_invites_microsoft();
    let theirs = invites_at_once.then(|| referral.clone());
    let change = book.put(referral, now);
    let id = change.id.clone();
    changes.push(change);
    if let Some(mut theirs) = theirs {
        theirs["id"] = json!(book.ids.guid_text());
        for own in ["externalReferenceId", "acceptedDateTime", "mpnId"] {
            theirs[own] = Value::Null;
        }
        theirs["target"] = json!([{"type": "BusinessProfileLocation", "id": MICROSOFT}]);
        let engagement = theirs["engagementId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let inviter = Inviter {
            organization,
            assumptions,
        };
        invite(book, &mut theirs, &engagement, inviter, now, &mut changes)?;
        changes.push(book.put(theirs, now));
    }
    Ok(Created { id, changes })
}

/// Our id for a deal may be there once. (partner-center 3.1)
fn once(book: &Book, referral: &Value, organization: &Organization) -> Result<(), Refusal> {
    let Some(reference) = referral["externalReferenceId"].as_str() else {
        return Ok(());
    };
    let is_there = book
        .external(reference)
        .any(|held| held["organizationId"] == organization.id.as_str());
    if !is_there {
        return Ok(());
    }
    Err(Refusal {
        status: 409,
        code: "invalidRequest",
        inner: "externalReferenceTaken",
        message: format!("There is a referral with the externalReferenceId '{reference}' already."),
    })
}

/// What the site does not go on without. (partner-center 2.1, 3.1)
fn complete(referral: &Value) -> Result<(), Refusal> {
    let is_filled = |value: &Value| match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        other => !other.is_null(),
    };
    let fields = [
        "/name",
        "/details/dealValue",
        "/details/currency",
        "/details/closingDateTime",
        "/details/requirements/solutions",
    ];
    let missing = fields
        .into_iter()
        .find(|path| !referral.pointer(path).is_some_and(is_filled));
    let is_complete = |member: &Value| {
        ["firstName", "lastName", "email"]
            .iter()
            .all(|field| is_filled(&member[*field]))
    };
    let has_seller = referral["team"]
        .as_array()
        .is_some_and(|team| team.iter().any(is_complete));
    match missing.or_else(|| (!has_seller).then_some("/team")) {
        None => Ok(()),
        Some(path) => Err(Refusal::invalid(
            "requiredField",
            format!("The field '{}' is required.", &path[1..]),
        )),
    }
}

/// Who invites Microsoft, and under which assumptions.
#[derive(Clone, Copy)]
struct Inviter<'a> {
    organization: &'a Organization,
    assumptions: &'a Readings,
}

/// Makes the referral Microsoft's, and the inviter's own deal a shared one.
fn invite(
    book: &mut Book,
    referral: &mut Value,
    engagement: &str,
    inviter: Inviter<'_>,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> Result<(), Refusal> {
    let Inviter {
        organization,
        assumptions,
    } = inviter;
    let Some(own) = book
        .in_engagement(engagement, &organization.id)
        .and_then(|id| book.get(id))
        .cloned()
    else {
        return Err(Refusal::missing(format!(
            "There is no engagement '{engagement}' that you are part of."
        )));
    };
    if own["status"] == "Closed" {
        return Err(Refusal::invalid(
            "referralClosed",
            "Microsoft cannot be invited to a closed deal.",
        ));
    }
    let help = referral["inviteContext"]["assistanceRequestCode"]
        .as_str()
        .unwrap_or("Unknown")
        .to_owned();
    let contacts = referral["customerProfile"]["team"]
        .as_array()
        .map_or(0, Vec::len);
    if help != "Unknown" && contacts == 0 {
        return Err(Refusal::invalid(
            "customerContactRequired",
            "A customer contact is required when help from Microsoft is requested.",
        ));
    }
    referral["engagementId"] = json!(engagement);
    referral["organizationId"] = json!(MICROSOFT);
    referral["organizationName"] = json!("Microsoft");
    referral["status"] = json!("New");
    referral["substatus"] = json!("Pending");
    referral["type"] = json!("Shared");
    referral["direction"] = json!("Incoming");
    referral["expirationDateTime"] = json!(fraction(deadline(now)));
    referral["inviteContext"]["invitedBy"] =
        json!({"organizationId": organization.id, "organizationName": organization.name});
    let mut after = own.clone();
    // `type` cannot be patched, so the server turns an independent deal into a shared one itself.
    if own["type"] != "Shared" && !assumptions.independent_deals_stay_independent() {
        after["type"] = json!("Shared");
    }
    if help != "Unknown" && assumptions.help_code_is_mirrored() {
        after["inviteContext"]["assistanceRequestCode"] = json!(help);
    }
    if after != own {
        changes.push(book.put(after, now));
    }
    Ok(())
}

/// A referral from Microsoft to `organization`: unanswered, due in 14 days. (partner-center 2.5)
///
/// A shared one has the sender's own, accepted one beside it; an independent one is a lead, and seen by nobody else. Who
/// sends is Microsoft, unless `inviteContext.invitedBy` names another partner or is null.
pub(crate) fn inbound(
    book: &mut Book,
    input: &Value,
    organization: &Organization,
    now: Timestamp,
) -> Result<Created, Refusal> {
    let mut ours = checked(input, false)?;
    let engagement = book.ids.guid_text();
    let created = fraction(now);
    let invited_by = match input["inviteContext"].get("invitedBy") {
        None => json!({"organizationId": MICROSOFT, "organizationName": "Microsoft"}),
        Some(Value::Null) => json!({"organizationId": null, "organizationName": null}),
        Some(partner) if partner.is_object() => partner.clone(),
        Some(_) => {
            return Err(Refusal::invalid(
                "invalidValue",
                "The value of '/inviteContext/invitedBy' is not an object.",
            ));
        }
    };
    ours["id"] = json!(book.ids.guid_text());
    ours["engagementId"] = json!(engagement);
    ours["createdDateTime"] = json!(created);
    ours["organizationId"] = json!(organization.id);
    ours["organizationName"] = json!(organization.name);
    ours["mpnId"] = json!(organization.mpn_id);
    // Only marketplace leads say where they came from, and only the server says it.
    for field in ["referralSource", "callToAction"] {
        ours[field] = input[field].clone();
    }
    ours["inviteContext"]["invitedBy"] = invited_by.clone();
    let mut theirs = ours.clone();
    ours["status"] = json!("New");
    ours["substatus"] = json!("Pending");
    ours["direction"] = json!("Incoming");
    ours["expirationDateTime"] = json!(fraction(deadline(now)));
    let mut related = None;
    if ours["type"] == "Shared" && invited_by["organizationId"].is_string() {
        theirs["id"] = json!(book.ids.guid_text());
        theirs["organizationId"] = invited_by["organizationId"].clone();
        theirs["organizationName"] = invited_by["organizationName"].clone();
        theirs["mpnId"] = Value::Null;
        theirs["status"] = json!("Active");
        theirs["substatus"] = json!("Accepted");
        theirs["acceptedDateTime"] = json!(created);
        theirs["direction"] = json!("Outgoing");
        if theirs["organizationId"] == MICROSOFT {
            let msx_id = format!("7-{:08X}", book.ids.word());
            theirs["trackingInfo"]["microsoftMsxId"] = json!(msx_id);
        }
        related = Some(book.put(theirs, now));
    }
    let own = book.put(ours, now);
    Ok(Created {
        id: own.id.clone(),
        changes: [Some(own), related].into_iter().flatten().collect(),
    })
}

fn deadline(now: Timestamp) -> Timestamp {
    now.saturating_add(SignedDuration::from_hours(24 * ANSWER_DAYS))
        .unwrap_or(Timestamp::MAX)
}

/// Required blocks, enums and the two-letter country.
fn checked(input: &Value, strict: bool) -> Result<Value, Refusal> {
    let Some(fields) = input.as_object() else {
        return Err(Refusal::invalid(
            "malformedReferral",
            "The body is not a referral object.",
        ));
    };
    for block in ["type", "customerProfile", "consent", "details"] {
        let given = fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(block))
            .map(|(_, value)| value);
        let fits = given.is_some_and(|value| {
            if block == "type" {
                value.is_string()
            } else {
                value.is_object()
            }
        });
        if !fits {
            return Err(Refusal::invalid(
                "requiredField",
                format!("The field '{block}' is required."),
            ));
        }
    }
    let referral = shape::fill(fields, strict)?;
    valid(&referral)?;
    Ok(referral)
}

/// Enums and the two-letter country.
pub(super) fn valid(referral: &Value) -> Result<(), Refusal> {
    for (path, known) in [
        ("/type", &["Independent", "Shared"][..]),
        ("/status", &STATUSES),
        ("/substatus", &SUBSTATUSES),
        ("/qualification", &QUALIFICATIONS),
        ("/inviteContext/assistanceRequestCode", &HELP_CODES),
    ] {
        let value = referral
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !known.contains(&value) {
            let message = format!(
                "'{value}' is not a value of '{path}'. Known values: {}.",
                known.join(", ")
            );
            return Err(Refusal::invalid("invalidEnum", message));
        }
    }
    let country = referral["customerProfile"]["address"]["country"]
        .as_str()
        .unwrap_or_default();
    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        let message = format!("'{country}' is not a two-letter country code (ISO 3166-1 alpha-2).");
        return Err(Refusal::invalid("invalidCountry", message));
    }
    Ok(())
}
