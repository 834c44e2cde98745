//! What of a referral is asked for: when it is made, when it is changed, when Microsoft is invited.

use super::fields::{Ask, Field};

const TYPES: Ask = Ask::Choice(&[
    ("Independent", "Independent"),
    ("Shared", "Shared with Microsoft"),
]);
const STAGES: Ask = Ask::Choice(&[
    ("", "none"),
    ("Qualify", "Qualify"),
    ("Develop", "Develop"),
    ("Propose", "Propose"),
    ("Close", "Close"),
]);
const HELP: Ask = Ask::Choice(&[
    ("GeneralOrOther", "General or other"),
    (
        "WorkloadSpecificValueProposition",
        "Workload-specific value proposition",
    ),
    (
        "CustomerTechnicalArchitecture",
        "Customer technical architecture",
    ),
    ("ProofOfConceptOrDemo", "Proof of concept or demo"),
    ("QuotesOrLicensing", "Quotes or licensing"),
    ("PostSalesCustomerSuccess", "Post-sales customer success"),
]);
const VISIBLE: Field = Field::new(
    "/consent/consentToShareReferralWithMicrosoftSellers",
    "Microsoft's sellers may see it (cannot be taken back)",
    Ask::Tick,
);
/// What a new deal is made of.
pub(super) const NEW: [Field; 21] = [
    Field::new("/name", "Name of the deal", Ask::Text),
    Field::new("/type", "Type", TYPES),
    Field::new("/customerProfile/name", "Customer", Ask::Text),
    Field::new("/customerProfile/address/addressLine1", "Street", Ask::Text),
    Field::new("/customerProfile/address/city", "City", Ask::Text),
    Field::new(
        "/customerProfile/address/postalCode",
        "Postal code",
        Ask::Text,
    ),
    Field::new(
        "/customerProfile/address/country",
        "Country (two letters)",
        Ask::Text,
    ),
    Field::new(
        "/customerProfile/team/0/firstName",
        "Contact's first name",
        Ask::Text,
    ),
    Field::new(
        "/customerProfile/team/0/lastName",
        "Contact's last name",
        Ask::Text,
    ),
    Field::new("/customerProfile/team/0/email", "Contact's mail", Ask::Mail),
    Field::new("/details/dealValue", "Value", Ask::Number),
    Field::new("/details/currency", "Currency (three letters)", Ask::Text),
    Field::new("/details/closingDateTime", "Estimated close", Ask::Date),
    Field::new(
        "/details/requirements/solutions/0/id",
        "Solution id",
        Ask::Text,
    ),
    Field::new(
        "/details/requirements/solutions/0/name",
        "Solution name",
        Ask::Text,
    ),
    Field::new("/team/0/firstName", "Seller's first name", Ask::Text),
    Field::new("/team/0/lastName", "Seller's last name", Ask::Text),
    Field::new("/team/0/email", "Seller's mail", Ask::Mail),
    Field::new("/externalReferenceId", "CRM id", Ask::Text),
    VISIBLE,
    Field::new("/details/notes", "Notes", Ask::Long),
];
/// What of a deal can be changed.
pub(super) const EDIT: [Field; 11] = [
    Field::new("/name", "Name of the deal", Ask::Text),
    Field::new("/details/dealValue", "Value", Ask::Number),
    Field::new("/details/currency", "Currency (three letters)", Ask::Text),
    Field::new("/details/closingDateTime", "Estimated close", Ask::Date),
    Field::new("/salesStage", "Sales stage", STAGES),
    Field::new("/externalReferenceId", "CRM id", Ask::Text),
    Field::new("/campaignId", "Campaign", Ask::Text),
    Field::new("/referralProgram", "Program", Ask::Text),
    Field::new("/statusReason", "Reason of the status", Ask::Text),
    VISIBLE,
    Field::new("/details/notes", "Notes", Ask::Long),
];
pub(super) const INVITE: [Field; 2] = [
    Field::new(
        "/inviteContext/assistanceRequestCode",
        "Help wanted from Microsoft",
        HELP,
    ),
    Field::new("/inviteContext/notes", "Notes to Microsoft", Ask::Text),
];
/// What can be added to a list of a deal.
pub(super) struct Addition {
    /// The last segment of the form's address.
    pub(super) verb: &'static str,
    /// Where a JSON Patch adds it.
    pub(super) path: &'static str,
    pub(super) heading: &'static str,
    /// Keys and their labels.
    pub(super) keys: &'static [(&'static str, &'static str)],
}

pub(super) const ADD: [Addition; 3] = [
    Addition {
        verb: "add-seller",
        path: "/team/-",
        heading: "Add a seller",
        keys: &[
            ("firstName", "First name"),
            ("lastName", "Last name"),
            ("email", "Mail"),
        ],
    },
    Addition {
        verb: "add-contact",
        path: "/customerProfile/team/-",
        heading: "Add a customer contact",
        keys: &[
            ("firstName", "First name"),
            ("lastName", "Last name"),
            ("email", "Mail"),
        ],
    },
    Addition {
        verb: "add-solution",
        path: "/details/requirements/solutions/-",
        heading: "Add a solution",
        keys: &[("id", "Solution id"), ("name", "Solution name")],
    },
];
