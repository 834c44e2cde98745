//! *Deal → referral*: what is sent to create one, and to invite Microsoft.

use cosell_sync::deal::{Deal, Help, Unit, UnitValue};
use cosell_sync::row::Refusal;

use crate::json::{Body, Exact, Object, Raw, raw};
use crate::partner_center::elements::{members, midnight, tags};
use crate::partner_center::mapping::{ATTRIBUTES, LINK_BASE, read, refusal};
use crate::partner_center::wire::{MICROSOFT, Referral};

/// What the CRM side decides about a new referral, beside the deal itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// Our id for the deal: by it a referral is found again after a crash (S14).
    pub external_reference: Option<String>,
    /// The PartnerID location that owns the deal; None leaves it to Partner Center. It cannot be changed later.
    pub partner_location: Option<String>,
    /// Consent to share the customer's contacts is on record (S24). Without it, a deal with contacts is refused.
    pub contacts_may_be_shared: bool,
}

/// Our own referral for a deal: private, visible to Microsoft's sellers, or, where help is asked, shared.
///
/// Microsoft is not invited by this; that is a second call with [`invite_body`].
///
/// # Errors
/// Every unit that the creation cannot do without, each with what to do.
pub fn create_body(deal: &Deal, options: &CreateOptions) -> Result<Body, Vec<Refusal>> {
    let help = help_of(deal);
    let mut refusals = missing(deal, help.is_some());
    if !options.contacts_may_be_shared
        && deal
            .units
            .get(&Unit::Contacts)
            .is_some_and(|contacts| !contacts.is_empty())
    {
        refusals.push(refusal(
            Unit::Contacts,
            "consent-missing",
            "the customer's contacts may not be sent to Microsoft before consent is on record",
            "record the consent, or declare it for all deals in the configuration",
        ));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let visible = help.is_some()
        || matches!(
            deal.units.get(&Unit::Visibility),
            Some(UnitValue::Flag(true))
        );
    let mut body = common(
        deal,
        &customer(deal),
        visible,
        options.contacts_may_be_shared,
    );
    // Co-sell needs two parties; a private or merely visible deal has one.
    put(
        &mut body,
        "type",
        raw(if help.is_some() {
            "Shared"
        } else {
            "Independent"
        }),
    );
    let target = match deal.units.get(&Unit::Solutions) {
        Some(UnitValue::Solutions(solutions)) if help.is_some() => target(
            "SolutionProfile",
            solutions.first().map(|first| first.id.as_str()),
        ),
        _ => raw(&Vec::<Raw>::new()),
    };
    put(&mut body, "target", target);
    if let Some(reference) = &options.external_reference {
        put(&mut body, "externalReferenceId", raw(reference));
    }
    if let Some(location) = &options.partner_location {
        put(&mut body, "mpnId", raw(location));
    }
    Ok(Body::of(&body))
}

/// Microsoft's referral in our engagement: the second call of a co-sell invitation. The customer is the one that our referral was created
/// with, because that can no longer change; everything else is the deal's.
///
/// # Errors
/// Every unit that an invitation cannot do without.
pub fn invite_body(own: &Referral, deal: &Deal, help: &Help) -> Result<Body, Vec<Refusal>> {
    let refusals = missing(deal, true);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let theirs = read(own, None, LINK_BASE).units;
    let mut merged = deal.clone();
    for unit in [
        Unit::CompanyName,
        Unit::CompanySize,
        Unit::CompanyIds,
        Unit::Address,
    ] {
        if let Some(value) = theirs.get(&unit).filter(|value| !value.is_empty()) {
            merged.units.insert(unit, value.clone());
        }
    }
    let mut body = common(
        &merged,
        &customer(&merged),
        true,
        own.wire.consent.consent_to_to_share_info_with_others,
    );
    put(&mut body, "engagementId", raw(&own.engagement_id));
    put(&mut body, "type", raw("Shared"));
    put(
        &mut body,
        "target",
        target("BusinessProfileLocation", Some(MICROSOFT)),
    );
    let mut invitation = Object::new();
    put(
        &mut invitation,
        "notes",
        raw(&text_of(deal, &Unit::Notes).unwrap_or_default()),
    );
    put(&mut invitation, "assistanceRequestCode", raw(help.as_str()));
    put(&mut body, "inviteContext", raw(&invitation));
    Ok(Body::of(&body))
}

fn target(kind: &str, id: Option<&str>) -> Raw {
    raw(&id
        .map(|id| Object::from([("type".to_owned(), raw(kind)), ("id".to_owned(), raw(id))]))
        .into_iter()
        .collect::<Vec<_>>())
}

/// What both referrals of a deal say.
fn common(deal: &Deal, customer: &Object, visible: bool, contacts_may_be_shared: bool) -> Object {
    let mut details = Object::new();
    put(&mut details, "notes", raw(&text_of(deal, &Unit::Notes)));
    if let Some(UnitValue::Money(Some(money))) = deal.units.get(&Unit::Value) {
        put(&mut details, "dealValue", raw(&Exact(money.amount)));
        put(&mut details, "currency", raw(&money.currency));
    }
    if let Some(UnitValue::Date(Some(date))) = deal.units.get(&Unit::CloseDate) {
        put(&mut details, "closingDateTime", raw(&midnight(*date)));
    }
    put(&mut details, "requirements", raw(&requirements(deal)));

    let mut consent = Object::new();
    put(
        &mut consent,
        "consentToToShareInfoWithOthers",
        raw(&contacts_may_be_shared),
    );
    put(
        &mut consent,
        "consentToContact",
        raw(&contacts_may_be_shared),
    );
    put(
        &mut consent,
        "consentToShareReferralWithMicrosoftSellers",
        raw(&visible),
    );

    let mut body = Object::new();
    put(&mut body, "name", raw(&text_of(deal, &Unit::Name)));
    put(&mut body, "qualification", raw("SalesQualified"));
    put(&mut body, "customerProfile", raw(customer));
    put(&mut body, "consent", raw(&consent));
    put(&mut body, "details", raw(&details));
    if let Some(UnitValue::People(team)) = deal.units.get(&Unit::Team) {
        put(&mut body, "team", raw(&members(team, &[])));
    }
    for (unit, name) in [
        (Unit::SalesStage, "salesStage"),
        (Unit::Campaign, "campaignId"),
    ] {
        if let Some(text) = text_of(deal, &unit) {
            put(&mut body, name, raw(&text));
        }
    }
    body
}

fn requirements(deal: &Deal) -> Object {
    let mut requirements = Object::new();
    if let Some(UnitValue::Solutions(solutions)) = deal.units.get(&Unit::Solutions) {
        put(&mut requirements, "solutions", raw(&tags(solutions, &[])));
    }
    let attributes: Vec<Object> = ATTRIBUTES
        .iter()
        .filter_map(|(name, kind)| {
            let id = text_of(deal, &Unit::More((*name).to_owned()))?;
            Some(Object::from([
                ("type".to_owned(), raw(*kind)),
                ("id".to_owned(), raw(&id)),
            ]))
        })
        .collect();
    if !attributes.is_empty() {
        put(
            &mut requirements,
            "additionalRequirements",
            raw(&Object::from([("attributes".to_owned(), raw(&attributes))])),
        );
    }
    requirements
}

fn customer(deal: &Deal) -> Object {
    let mut customer = Object::new();
    put(
        &mut customer,
        "name",
        raw(&text_of(deal, &Unit::CompanyName)),
    );
    if let Some(size) = text_of(deal, &Unit::CompanySize) {
        put(&mut customer, "size", raw(&size));
    }
    if let Some(UnitValue::Address(address)) = deal.units.get(&Unit::Address) {
        let lines = [
            ("addressLine1", &address.line1),
            ("addressLine2", &address.line2),
            ("city", &address.city),
            ("state", &address.state),
            ("postalCode", &address.postal_code),
            ("region", &address.region),
            ("country", &address.country),
        ];
        let lines: Object = lines
            .into_iter()
            .filter_map(|(name, line)| Some((name.to_owned(), raw(line.as_ref()?))))
            .collect();
        put(&mut customer, "address", raw(&lines));
    }
    if let Some(UnitValue::Ids(ids)) = deal.units.get(&Unit::CompanyIds) {
        // Partner Center knows these two schemes; a partner's own number means nothing there.
        let known = ids.iter().filter_map(|id| {
            let kind = match id.scheme.as_str() {
                "duns" => "Duns",
                "external" => "External",
                _ => return None,
            };
            Some(Object::from([
                ("profileType".to_owned(), raw(kind)),
                ("id".to_owned(), raw(&id.id)),
            ]))
        });
        put(&mut customer, "ids", raw(&known.collect::<Vec<_>>()));
    }
    if let Some(UnitValue::People(contacts)) = deal.units.get(&Unit::Contacts) {
        put(&mut customer, "team", raw(&members(contacts, &[])));
    }
    customer
}

/// What Partner Center, or its own users, will not do without. The last three are the usual failures of Microsoft's own connector.
fn missing(deal: &Deal, with_help: bool) -> Vec<Refusal> {
    let filled = |unit: &Unit| deal.units.get(unit).is_some_and(|value| !value.is_empty());
    let country = matches!(deal.units.get(&Unit::Address), Some(UnitValue::Address(address))
        if address.country.as_deref().is_some_and(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())));
    let mut refusals = Vec::new();
    let mut need = |there: bool, unit: Unit, code: &str, message: &str, hint: &str| {
        if !there {
            refusals.push(refusal(unit, code, message, hint));
        }
    };
    need(
        filled(&Unit::Name),
        Unit::Name,
        "name-missing",
        "the deal has no name",
        "give the opportunity a topic",
    );
    need(
        filled(&Unit::Value),
        Unit::Value,
        "value-missing",
        "the deal has no value with a currency",
        "fill in the estimated revenue",
    );
    need(
        filled(&Unit::CloseDate),
        Unit::CloseDate,
        "close-date-missing",
        "the deal has no close date",
        "fill in the estimated close date",
    );
    need(
        filled(&Unit::CompanyName),
        Unit::CompanyName,
        "customer-missing",
        "the deal has no customer",
        "choose the account",
    );
    need(
        country,
        Unit::Address,
        "country-missing",
        "the customer's country is not a two-letter code (ISO 3166-1 alpha-2)",
        "fill in the country of the account's address",
    );
    need(
        filled(&Unit::Solutions),
        Unit::Solutions,
        "solution-missing",
        "the deal has no solution",
        "add at least one co-sell-ready or Microsoft solution",
    );
    need(
        !with_help || filled(&Unit::Contacts),
        Unit::Contacts,
        "contact-missing",
        "Microsoft's help cannot be asked for without a contact at the customer",
        "add a contact with a mail address",
    );
    refusals
}

fn help_of(deal: &Deal) -> Option<&Help> {
    match deal.units.get(&Unit::Help) {
        Some(UnitValue::Help(help)) => help.as_ref(),
        _ => None,
    }
}

fn text_of(deal: &Deal, unit: &Unit) -> Option<String> {
    match deal.units.get(unit) {
        Some(UnitValue::Text(text)) => text.clone().filter(|text| !text.trim().is_empty()),
        _ => None,
    }
}

fn put(object: &mut Object, name: &str, value: Raw) {
    object.insert(name.to_owned(), value);
}
