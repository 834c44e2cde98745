//! Fields, direction by direction. A direction that is not named here does not exist: nobody writes our id into the CRM.

use super::{Part, Row};

/// Who was first, and what happens then.
const IN_CREATE: (&str, &str) = ("in.create", "Partner Center → CRM, when the row is created");
const IN_UPDATE: (&str, &str) = ("in.update", "Partner Center → CRM, when it changes there");
const OUT_CREATE: (&str, &str) = (
    "out.create",
    "CRM → Partner Center, when the referral is created",
);
const OUT_UPDATE: (&str, &str) = ("out.update", "CRM → Partner Center, when it changes there");
/// What was given cannot be taken back.
const OUT_BACK: (&str, &str) = ("out.back", "CRM → Partner Center, when it is taken back");
/// After Microsoft's sellers see the deal.
const OUT_SHARED: (&str, &str) = (
    "out.shared",
    "CRM → Partner Center, once Microsoft's sellers see the deal",
);
const OUT_REQUIRED: (&str, &str) = (
    "out.required",
    "CRM → Partner Center, when it is missing and needed",
);
/// The default of what an organisation has to ask for.
const UNASKED: (&str, &str) = ("unasked", "both ways, without a setting");

type Ways = &'static [(&'static str, &'static str)];

const ALL: Ways = &[IN_CREATE, IN_UPDATE, OUT_CREATE, OUT_UPDATE];

/// Name, Partner Center's field and the CRM's, and the directions.
const OPPORTUNITY: [(&str, &str, Ways); 21] = [
    ("name", "`name` ⇄ topic", ALL),
    (
        "value",
        "`details.dealValue` ⇄ estimated revenue, or the column of the setting `value-column`",
        ALL,
    ),
    (
        "currency",
        "`details.currency` (ISO 4217) ⇄ the row's currency",
        ALL,
    ),
    (
        "close-date",
        "`details.closingDateTime` (UTC) ⇄ estimated close date, without a day's shift",
        ALL,
    ),
    ("notes", "`details.notes` ⇄ description", ALL),
    ("status", "`status` ⇄ status", ALL),
    ("substatus", "`substatus` ⇄ status reason", ALL),
    (
        "visibility",
        "`consent.consentToShareReferralWithMicrosoftSellers` ⇄ visible to Microsoft's sellers",
        &[IN_CREATE, IN_UPDATE, OUT_CREATE, OUT_UPDATE, OUT_BACK],
    ),
    (
        "customer",
        "`customerProfile` (name, address) ⇄ account",
        ALL,
    ),
    (
        "country",
        "`customerProfile.address.country` (two letters) ⇄ the account's country",
        &[IN_CREATE, IN_UPDATE, OUT_CREATE, OUT_REQUIRED, OUT_UPDATE],
    ),
    (
        "contacts",
        "`customerProfile.team[]` ⇄ contacts of the opportunity",
        &[
            IN_CREATE,
            IN_UPDATE,
            OUT_CREATE,
            OUT_REQUIRED,
            OUT_UPDATE,
            OUT_SHARED,
        ],
    ),
    ("team", "`team[]` ⇄ owner and sales team", ALL),
    (
        "solutions",
        "`details.requirements.solutions[]` ⇄ rows of the solution table",
        &[IN_CREATE, IN_UPDATE, OUT_CREATE, OUT_REQUIRED, OUT_UPDATE],
    ),
    (
        "help",
        "`inviteContext.assistanceRequestCode` of Microsoft's referral ⇄ \"How can Microsoft help?\"",
        &[OUT_CREATE, OUT_UPDATE, OUT_BACK],
    ),
    (
        "external-reference",
        "`externalReferenceId` ⇄ the row's id",
        &[IN_CREATE, OUT_CREATE],
    ),
    (
        "identifier",
        "`id` ⇄ referral identifier, and the link beside it",
        &[IN_CREATE, OUT_CREATE],
    ),
    (
        "microsoft-id",
        "`trackingInfo.microsoftMsxId` ⇄ Microsoft CRM identifier",
        &[IN_CREATE, IN_UPDATE],
    ),
    (
        "program",
        "`referralProgram` ⇄ referral program",
        &[IN_CREATE, IN_UPDATE],
    ),
    (
        "campaign",
        "`campaignId` ⇄ the column of the setting `campaign-column`",
        &[IN_CREATE, IN_UPDATE, OUT_CREATE, OUT_UPDATE, UNASKED],
    ),
    (
        "sales-stage",
        "`salesStage` ⇄ the column of the setting `sales-stage-column`",
        &[IN_CREATE, IN_UPDATE, OUT_CREATE, OUT_UPDATE, UNASKED],
    ),
    (
        "newer",
        "partner role, solution area and play, marketplace intent ⇄ columns of their settings",
        &[IN_CREATE, OUT_CREATE, OUT_UPDATE, UNASKED],
    ),
];

/// Why a deal was lost crosses with its close, and what looks different without being so does not cross at all.
const BESIDE: [(&str, &str, (&str, &str)); 5] = [
    (
        "status-reason",
        "`statusReason` ⇄ what stands behind the status reason",
        ("in.update", IN_UPDATE.1),
    ),
    (
        "status-reason",
        "`statusReason` ⇄ what stands behind the status reason",
        ("out.update", OUT_UPDATE.1),
    ),
    (
        "format",
        "`1000` is `1000.0`, and midnight is the day",
        ("same", "both ways, when only the spelling differs"),
    ),
    (
        "swap",
        "a seller who takes another's place leaves the list as long as it was",
        ("out.update", OUT_UPDATE.1),
    ),
    (
        "name",
        "the reason why a name stays as it is",
        (
            "told-once",
            "in the deal's history, however often it is saved",
        ),
    ),
];

pub(super) fn opportunity() -> Vec<Row> {
    let mut rows = list(Part::Fields, "", &OPPORTUNITY);
    rows.extend(BESIDE.map(|(name, subject, (way, claim))| Row {
        id: format!("{name}.{way}"),
        part: Part::Fields,
        subject,
        claim,
    }));
    rows
}

/// The 2019 package is all that is known of the connector's lead mapping, and its updates carried nothing.
const LEAD: [(&str, &str, Ways); 10] = [
    ("subject", "`name` ⇄ topic (it was the referral's id)", ALL),
    (
        "company",
        "`customerProfile.name` ⇄ company",
        &[IN_CREATE, OUT_CREATE],
    ),
    (
        "contact",
        "`customerProfile.team[0]` ⇄ first and last name, mail, phone (it was the last contact, and \"0\" for none)",
        &[IN_CREATE, OUT_CREATE],
    ),
    (
        "value",
        "`details.dealValue` ⇄ estimated amount (it was the budget)",
        ALL,
    ),
    ("notes", "`details.notes` ⇄ description", ALL),
    (
        "address",
        "`customerProfile.address` ⇄ address of the lead",
        &[IN_CREATE, OUT_CREATE],
    ),
    (
        "constants",
        "rating, do-not-contact and follow-up marks",
        &[IN_CREATE],
    ),
    (
        "external-reference",
        "`externalReferenceId` ⇄ the lead's id",
        &[IN_CREATE, OUT_CREATE],
    ),
    (
        "identifier",
        "`id` ⇄ referral identifier",
        &[IN_CREATE, OUT_CREATE],
    ),
    (
        "solutions",
        "`details.requirements.solutions[]` ⇄ the setting `default-solution`",
        &[OUT_CREATE],
    ),
];

pub(super) fn lead() -> Vec<Row> {
    list(Part::Leads, "lead.", &LEAD)
}

fn list(part: Part, before: &str, fields: &[(&'static str, &'static str, Ways)]) -> Vec<Row> {
    let each = |&(name, subject, ways): &(&str, &'static str, Ways)| {
        let before = before.to_owned();
        let name = name.to_owned();
        ways.iter().map(move |(way, claim)| Row {
            id: format!("{before}{name}.{way}"),
            part,
            subject,
            claim,
        })
    };
    fields.iter().flat_map(each).collect()
}
