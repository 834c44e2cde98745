//! *Referral ⇄ deal*. Partner Center's schema is fixed, so this is host code.

use std::collections::BTreeMap;

use cosell_sync::deal::{
    Address, Category, DealState, Direction, ExternalId, Help, MicrosoftView, Money, ReferralFacts,
    Standing, Timestamp, Unit, UnitValue, Units,
};
use cosell_sync::row::{Reason, Refusal};

use crate::partner_center::elements::{day, people, solutions, unescaped};
use crate::partner_center::wire::{MICROSOFT, Referral, Wire};

/// Version of this mapping. Raised with every change by which the same referral reads differently, so that no deal takes that for an edit
/// (S8).
pub const MAPPING: u32 = 1;

/// A referral's page for people is this, followed by its id.
pub const LINK_BASE: &str = "https://partner.microsoft.com/referrals/v2/inbox?id=";

/// The open tail that travels as attributes: our name, and the attribute's type. Only the first pair is documented; the three others are
/// expected in the same slot.
pub(super) const ATTRIBUTES: [(&str, &str); 4] = [
    ("marketplace-intent", "CustomerMarketplaceIntent"),
    ("partner-role", "PartnerRole"),
    ("solution-area", "SolutionArea"),
    ("solution-play", "SolutionPlay"),
];

/// What Partner Center shows of a deal (S12): our own referral, and Microsoft's once it is invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcView {
    /// To be compared and merged. Of the tail only what is there.
    pub units: Units,
    /// To be shown.
    pub facts: ReferralFacts,
    /// Our referral is closed: nothing of it can be changed.
    pub frozen: bool,
    /// A second party has it: the type is `Shared`, or Microsoft's own referral exists.
    pub shared: bool,
}

/// Reads both records of a deal. `link_base` is [`LINK_BASE`] but for simulators.
///
/// Help and Microsoft's decision come from Microsoft's referral only; a code on our own is not an invitation.
#[must_use]
pub fn read(own: &Referral, microsoft: Option<&Referral>, link_base: &str) -> PcView {
    let wire = &own.wire;
    let profile = &wire.customer_profile;
    let address = &profile.address;
    let mut units: Units = BTreeMap::from([
        (Unit::Name, UnitValue::Text(wire.name.clone())),
        (Unit::Value, UnitValue::Money(value(wire))),
        (
            Unit::CloseDate,
            UnitValue::Date(wire.details.closing_date_time.map(day)),
        ),
        (Unit::Notes, UnitValue::Text(wire.details.notes.clone())),
        (Unit::State, UnitValue::State(state(wire))),
        (Unit::SalesStage, UnitValue::Text(wire.sales_stage.clone())),
        (Unit::Campaign, UnitValue::Text(wire.campaign_id.clone())),
        (
            Unit::Visibility,
            UnitValue::Flag(
                wire.consent
                    .consent_to_share_referral_with_microsoft_sellers,
            ),
        ),
        (
            Unit::Help,
            UnitValue::Help(microsoft.and_then(|microsoft| help(&microsoft.wire))),
        ),
        (
            Unit::CompanyName,
            UnitValue::Text(profile.name.as_deref().map(unescaped)),
        ),
        (Unit::CompanySize, UnitValue::Text(profile.size.clone())),
        (Unit::CompanyIds, UnitValue::Ids(company_ids(wire))),
        (
            Unit::Address,
            UnitValue::Address(Address {
                line1: address.address_line1.clone(),
                line2: address.address_line2.clone(),
                city: address.city.clone(),
                state: address.state.clone(),
                postal_code: address.postal_code.clone(),
                region: address.region.clone(),
                country: address.country.as_deref().map(str::to_ascii_uppercase),
            }),
        ),
        (Unit::Contacts, UnitValue::People(people(&profile.team))),
        (Unit::Team, UnitValue::People(people(&wire.team))),
        (
            Unit::Solutions,
            UnitValue::Solutions(solutions(&wire.details.requirements.solutions)),
        ),
        (
            Unit::ExternalReference,
            UnitValue::Text(wire.external_reference_id.clone()),
        ),
    ]);
    for attribute in &wire.details.requirements.additional_requirements.attributes {
        let name = ATTRIBUTES.iter().find(|(_, kind)| {
            attribute
                .kind
                .as_deref()
                .is_some_and(|own| own.eq_ignore_ascii_case(kind))
        });
        if let (Some((name, _)), Some(id)) = (name, &attribute.id) {
            units.insert(
                Unit::More((*name).to_owned()),
                UnitValue::Text(Some(id.clone())),
            );
        }
    }
    PcView {
        units,
        facts: facts(own, microsoft, link_base),
        frozen: own.is_frozen() || state(wire).standing.is_closed(),
        shared: microsoft.is_some() || is(wire.kind.as_deref(), "Shared"),
    }
}

fn facts(own: &Referral, microsoft: Option<&Referral>, link_base: &str) -> ReferralFacts {
    let wire = &own.wire;
    let microsoft_crm_id = wire
        .tracking_info
        .microsoft_msx_id
        .clone()
        .or_else(|| microsoft?.wire.tracking_info.microsoft_msx_id.clone());
    ReferralFacts {
        id: own.id.clone(),
        engagement_id: own.engagement_id.clone(),
        link: format!("{link_base}{}", own.id),
        category: category(wire),
        direction: direction(wire),
        program: wire.referral_program.clone(),
        microsoft_crm_id,
        partner_location: wire.mpn_id.clone(),
        registration: wire.registration_status.clone(),
        // Both are always there in what the vendor sends; a document without them is as old as can be.
        created_at: wire.created_date_time.unwrap_or(Timestamp::UNIX_EPOCH),
        updated_at: wire
            .updated_date_time
            .or(wire.created_date_time)
            .unwrap_or(Timestamp::UNIX_EPOCH),
        respond_by: wire.expiration_date_time,
        accepted_at: wire.accepted_date_time,
        closed_at: wire.closed_date_time,
        microsoft: microsoft.map(|microsoft| MicrosoftView {
            state: state(&microsoft.wire),
            team: people(&microsoft.wire.team),
            updated_at: microsoft.updated_at,
        }),
    }
}

fn is(text: Option<&str>, word: &str) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case(word))
}

fn value(wire: &Wire) -> Option<Money> {
    let currency = wire
        .details
        .currency
        .as_deref()?
        .trim()
        .to_ascii_uppercase();
    Some(Money {
        amount: wire.details.deal_value?.0,
        currency,
    })
}

/// The substatus decides. Where it says nothing, the status does as far as it can.
fn state(wire: &Wire) -> DealState {
    let standing = match wire.substatus.as_deref() {
        Some(substatus) if !substatus.eq_ignore_ascii_case("None") => Standing::parse(substatus),
        _ => match wire.status.as_deref() {
            Some(status) if status.eq_ignore_ascii_case("New") => Standing::Pending,
            Some(status) if status.eq_ignore_ascii_case("Active") => Standing::Accepted,
            other => Standing::Unlisted(other.unwrap_or("None").to_owned()),
        },
    };
    DealState {
        standing,
        reason: wire.status_reason.clone(),
    }
}

/// `Unknown` is the vendor's word for "no help".
fn help(wire: &Wire) -> Option<Help> {
    let code = wire.invite_context.assistance_request_code.as_deref()?;
    (!code.eq_ignore_ascii_case("Unknown") && !code.eq_ignore_ascii_case("None"))
        .then(|| Help::parse(code))
}

fn company_ids(wire: &Wire) -> Vec<ExternalId> {
    let ids = &wire.customer_profile.ids;
    ids.iter()
        .filter_map(|id| {
            Some(ExternalId {
                scheme: id.profile_type.as_deref()?.to_ascii_lowercase(),
                id: id.id.clone()?,
            })
        })
        .collect()
}

/// By type, qualification and who invited, as Microsoft says; source and call-to-action alone must not decide.
fn category(wire: &Wire) -> Category {
    let kind = |word| is(wire.kind.as_deref(), word);
    let qualification = |word| is(wire.qualification.as_deref(), word);
    let inviter = wire.invite_context.invited_by.organization_id.as_deref();
    let by_microsoft = is(inviter, MICROSOFT);
    let unqualified = wire.qualification.is_none() || qualification("None");
    if kind("Independent") && qualification("Direct") && (by_microsoft || inviter.is_none()) {
        Category::MarketplaceLead
    } else if kind("Independent")
        && (qualification("SalesQualified") || qualification("MarketingQualified"))
        && by_microsoft
    {
        Category::QualifiedLead
    } else if (kind("Shared") || kind("Independent") && !by_microsoft)
        && (qualification("SalesQualified") || unqualified)
    {
        Category::CoSell
    } else {
        Category::Unclear
    }
}

/// `direction` reads `Incoming` on live deals that their owner invited to, so the inviter counts for more.
fn direction(wire: &Wire) -> Direction {
    let inviter = wire.invite_context.invited_by.organization_id.as_deref();
    match (inviter, wire.organization_id.as_deref()) {
        (Some(inviter), Some(owner)) if inviter.eq_ignore_ascii_case(owner) => Direction::Outgoing,
        _ if is(wire.direction.as_deref(), "Outgoing") => Direction::Outgoing,
        _ if is(wire.direction.as_deref(), "Incoming") || inviter.is_some() => Direction::Incoming,
        _ => Direction::Outgoing,
    }
}

pub(super) fn refusal(unit: Unit, code: &str, message: &str, hint: &str) -> Refusal {
    let about = Some(unit.as_text());
    let hint = (!hint.is_empty()).then(|| hint.to_owned());
    Refusal {
        unit,
        reason: Reason {
            code: code.to_owned(),
            message: message.to_owned(),
            about,
            hint,
        },
    }
}

#[cfg(test)]
mod tests;
