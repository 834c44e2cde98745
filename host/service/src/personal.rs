//! What of a deal speaks of people and customers. The table here says what is harmless and is kept in what leaves the house, in recordings for plugin
//! authors (`stand_in`); everything else is personal, also what nobody has thought of. Where words stand in sentences there is no table to ask:
//! `person` looks for one of them, to be erased, and `mask` says what of a sentence may stand in a log.

use cosell_sync::deal::Unit;

mod mask;
mod person;
mod phone;
mod stand_in;

pub(crate) use mask::{mask, mask_beside};
pub use person::{ERASED, Person};
pub use stand_in::pseudonymised;

/// Members of a referral that are codes, numbers and moments.
pub(crate) const REFERRAL_CODES: &[&str] = &[
    "createdDateTime",
    "updatedDateTime",
    "expirationDateTime",
    "acceptedDateTime",
    "closedDateTime",
    "closingDateTime",
    "status",
    "substatus",
    "qualification",
    "type",
    "eTag",
    "etag",
    "@odata.etag",
    "salesStage",
    "direction",
    "referralProgram",
    "registrationStatus",
    "size",
    "country",
    "profileType",
    "currency",
    "solutionType",
    "assistanceRequestCode",
    "lastModifiedVia",
];

/// Members of a referral below which stands what is sold, out of a public catalogue.
pub(crate) const REFERRAL_CATALOGUE: &[&str] = &["solutions", "attributes"];

/// Members of a referral that are a code, or somebody's words.
pub(crate) const REFERRAL_REASONS: &[&str] = &["statusReason", "organizationId", "referralSource"];

/// Whether this part of a unit's value, by its path, says nothing about anybody.
pub(crate) fn is_harmless(unit: &Unit, path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or_default();
    match unit {
        Unit::Value
        | Unit::CloseDate
        | Unit::SalesStage
        | Unit::Visibility
        | Unit::Help
        | Unit::CompanySize
        | Unit::Solutions => true,
        Unit::State => last == "standing",
        Unit::Address => last == "country",
        Unit::Name
        | Unit::Notes
        | Unit::Campaign
        | Unit::CompanyName
        | Unit::CompanyIds
        | Unit::Contacts
        | Unit::Team
        | Unit::ExternalReference
        | Unit::More(_) => false,
    }
}

/// A code and no words: `HU`, `EUR`, `Lost`.
pub(crate) fn is_code(text: &str) -> bool {
    text.len() <= 3 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_personal_and_amounts_are_not() {
        for (unit, path) in [
            (Unit::Contacts, "0.email"),
            (Unit::Team, "0.first-name"),
            (Unit::Address, "city"),
            (Unit::Notes, ""),
            (Unit::More("anything".into()), ""),
        ] {
            assert!(!is_harmless(&unit, path), "{unit} {path}");
        }
        for (unit, path) in [
            (Unit::Value, "amount"),
            (Unit::Address, "country"),
            (Unit::State, "standing"),
        ] {
            assert!(is_harmless(&unit, path), "{unit} {path}");
        }
    }
}
