use super::*;
use crate::json;
use crate::partner_center::{CreateOptions, PatchOp, create_body, invite_body, patch_ops};
use cosell_sync::deal::{Deal, Person, Solution};

const OWN: &str = r#"{
  "@odata.context": "x", "id": "AAAAAAAA-0000-4000-8000-000000000001", "engagementId": "eeeeeeee-0000-4000-8000-000000000001",
  "name": "Northwind & pilot", "organizationId": "99999999-0000-4000-8000-000000000001", "externalReferenceId": "crm-1",
  "createdDateTime": "2026-01-01T00:00:00Z", "updatedDateTime": "2026-01-02T10:20:23.8754901Z", "expirationDateTime": null,
  "acceptedDateTime": "2026-01-01T00:00:00Z", "status": "Active", "substatus": "Accepted", "statusReason": null,
  "qualification": "SalesQualified", "type": "Shared", "eTag": "\"84001c9d-0000-0100-0000-6225a63e0000\"", "favorite": false,
  "campaignId": "", "salesStage": "Develop", "direction": "Incoming", "mpnId": 4711, "referralProgram": "P", "tags": [], "someday": {"new": 1},
  "customerProfile": {"name": "Northwind &amp; Sons", "size": "10to50employees", "ids": {}, "isMatchingComplete": true,
    "address": {"addressLine1": "1 Main St", "addressLine2": "", "city": "Redmond", "state": null, "postalCode": "98052", "country": "us", "region": "WA"},
    "team": [{"firstName": "A", "lastName": "B", "phoneNumber": "1", "email": "a@northwind.example", "title": null, "contactPreference": {"locale":"en-us","disableNotifications":null}}]},
  "consent": {"consentToToShareInfoWithOthers": true, "consentToContact": true, "consentToShareReferralWithMicrosoftSellers": true, "consentToMicrosoftToContactSpecificPartners": null},
  "details": {"notes": "n", "dealValue": 922337203685477.5807, "currency": "usd", "closingDateTime": "2027-01-31T23:30:00Z", "customerAction": null,
    "requirements": {"industries": [], "solutions": [{"id": "SOL-1-AAA", "name": "Our app", "type": "Name", "price": 0.1, "quantity": "2", "currency": "USD", "publisherName": null, "solutionType": "3P", "unknown": 7}, {"name": "topic", "type": "Category"}],
      "additionalRequirements": {"iot": {}, "attributes": [{"type": "CustomerMarketplaceIntent", "id": "HaveNotDecided"}, {"type": "Other", "id": "x"}]}}},
  "team": [{"firstName": "C", "lastName": "D", "email": "c@us.example"}],
  "inviteContext": {"notes": null, "assistanceRequestCode": "Unknown", "invitedBy": {"organizationId": "99999999-0000-4000-8000-000000000001"}},
  "trackingInfo": {"microsoftMsxId": null}
}"#;

const MICROSOFTS: &str = r#"{"id":"bbbbbbbb-0000-4000-8000-000000000002","engagementId":"eeeeeeee-0000-4000-8000-000000000001","organizationId":"msft",
  "status":"New","substatus":"Pending","updatedDateTime":"2026-01-03T00:00:00Z","inviteContext":{"assistanceRequestCode":"quotesOrLicensing"},
  "team":[{"firstName":"M","email":"m@microsoft.example"}],"trackingInfo":{"microsoftMsxId":"7-ABC"}}"#;

fn own() -> Referral {
    Referral::parse(OWN).unwrap()
}

fn text(text: &str) -> UnitValue {
    UnitValue::Text(Some(text.to_owned()))
}

fn money(amount: &str, currency: &str) -> UnitValue {
    UnitValue::Money(Some(Money {
        amount: amount.parse().unwrap(),
        currency: currency.to_owned(),
    }))
}

#[test]
fn a_referral_is_read_into_the_shared_language() {
    let view = read(&own(), None, LINK_BASE);
    let person = |first: &str, last: &str, email: &str, phone: Option<&str>| Person {
        first_name: Some(first.to_owned()),
        last_name: Some(last.to_owned()),
        email: Some(email.to_owned()),
        phone: phone.map(str::to_owned),
        title: None,
    };
    let solution = Solution {
        id: "SOL-1-AAA".to_owned(),
        name: "Our app".to_owned(),
        kind: Some("3P".to_owned()),
        publisher: None,
        price: Some(Money {
            amount: "0.1".parse().unwrap(),
            currency: "USD".to_owned(),
        }),
        quantity: Some("2".parse().unwrap()),
        close_date: None,
    };
    let expected = Units::from([
        (Unit::Name, text("Northwind & pilot")),
        (Unit::Value, money("922337203685477.5807", "USD")),
        // Late in the evening in UTC is still that day.
        (
            Unit::CloseDate,
            UnitValue::Date(Some("2027-01-31".parse().unwrap())),
        ),
        (Unit::Notes, text("n")),
        (
            Unit::State,
            UnitValue::State(DealState {
                standing: Standing::Accepted,
                reason: None,
            }),
        ),
        (Unit::SalesStage, text("Develop")),
        (Unit::Campaign, UnitValue::Text(None)),
        (Unit::Visibility, UnitValue::Flag(true)),
        (Unit::Help, UnitValue::Help(None)),
        (Unit::CompanyName, text("Northwind & Sons")),
        (Unit::CompanySize, text("10to50employees")),
        (Unit::CompanyIds, UnitValue::Ids(vec![])),
        (
            Unit::Address,
            UnitValue::Address(Address {
                line1: Some("1 Main St".to_owned()),
                line2: None,
                city: Some("Redmond".to_owned()),
                state: None,
                postal_code: Some("98052".to_owned()),
                region: Some("WA".to_owned()),
                country: Some("US".to_owned()),
            }),
        ),
        (
            Unit::Contacts,
            UnitValue::People(vec![person("A", "B", "a@northwind.example", Some("1"))]),
        ),
        (
            Unit::Team,
            UnitValue::People(vec![person("C", "D", "c@us.example", None)]),
        ),
        (Unit::Solutions, UnitValue::Solutions(vec![solution])),
        (Unit::ExternalReference, text("crm-1")),
        (
            Unit::More("marketplace-intent".to_owned()),
            text("HaveNotDecided"),
        ),
    ]);
    assert_eq!(view.units, expected);
    assert!(view.units.iter().all(|(unit, value)| value.fits(unit)));
    assert_eq!(
        view.facts.link,
        "https://partner.microsoft.com/referrals/v2/inbox?id=aaaaaaaa-0000-4000-8000-000000000001"
    );
    // "Incoming" is what the vendor says of deals that their owner invited to.
    assert_eq!(
        (view.facts.direction, view.facts.category),
        (Direction::Outgoing, Category::CoSell)
    );
    assert_eq!(view.facts.partner_location.as_deref(), Some("4711"));
    assert_eq!((view.frozen, view.shared), (false, true));
    assert_eq!(own().etag, "\"84001c9d-0000-0100-0000-6225a63e0000\"");
}

#[test]
fn help_and_microsofts_decision_come_from_microsofts_referral() {
    let microsoft = Referral::parse(MICROSOFTS).unwrap();
    assert!(microsoft.is_microsofts());
    let view = read(&own(), Some(&microsoft), LINK_BASE);
    assert_eq!(
        view.units[&Unit::Help],
        UnitValue::Help(Some(Help::QuotesOrLicensing))
    );
    assert_eq!(
        view.units[&Unit::State],
        UnitValue::State(DealState {
            standing: Standing::Accepted,
            reason: None
        })
    );
    assert_eq!(view.facts.microsoft_crm_id.as_deref(), Some("7-ABC"));
    let theirs = view.facts.microsoft.unwrap();
    assert_eq!(
        (theirs.state.standing, theirs.team.len()),
        (Standing::Pending, 1)
    );
}

#[test]
fn a_sparse_or_odd_referral_is_read_too() {
    let bare = Referral::parse(r#"{"id":"aaaaaaaa-0000-4000-8000-000000000001","details":null,"customerProfile":null,"status":"Closed","substatus":"Won"}"#).unwrap();
    let view = read(&bare, None, LINK_BASE);
    assert!(view.frozen && !view.shared);
    assert_eq!(view.units[&Unit::Value], UnitValue::Money(None));
    assert_eq!(view.facts.category, Category::Unclear);
    for document in [
        "{",
        "[]",
        "{}",
        r#"{"id":"x"}"#,
        r#"{"id":"aaaaaaaa-0000-4000-8000-000000000001","details":{"dealValue":"much"}}"#,
    ] {
        assert!(Referral::parse(document).is_err(), "{document}");
    }
}

#[test]
fn the_category_follows_type_qualification_and_inviter() {
    for (kind, qualification, inviter, category) in [
        (
            "Independent",
            "Direct",
            "\"msft\"",
            Category::MarketplaceLead,
        ),
        ("Independent", "Direct", "null", Category::MarketplaceLead),
        (
            "Independent",
            "MarketingQualified",
            "\"MSFT\"",
            Category::QualifiedLead,
        ),
        ("Independent", "SalesQualified", "\"own\"", Category::CoSell),
        ("Independent", "None", "null", Category::CoSell),
        ("Shared", "SalesQualified", "\"other\"", Category::CoSell),
        ("Independent", "Direct", "\"other\"", Category::Unclear),
    ] {
        let document = format!(
            r#"{{"id":"aaaaaaaa-0000-4000-8000-000000000001","type":"{kind}","qualification":"{qualification}","inviteContext":{{"invitedBy":{{"organizationId":{inviter}}}}}}}"#
        );
        assert_eq!(
            read(&Referral::parse(&document).unwrap(), None, "")
                .facts
                .category,
            category,
            "{document}"
        );
    }
}

fn deal() -> Deal {
    Deal {
        units: read(&own(), None, LINK_BASE).units,
        referral: None,
    }
}

fn options() -> CreateOptions {
    CreateOptions {
        external_reference: Some("crm-2".to_owned()),
        partner_location: None,
        contacts_may_be_shared: true,
    }
}

#[test]
fn a_private_deal_a_visible_one_and_a_co_sell_deal_are_created_differently() {
    let body = |deal: &Deal| json::object(create_body(deal, &options()).unwrap().as_str()).unwrap();
    let mut private = deal();
    private
        .units
        .insert(Unit::Visibility, UnitValue::Flag(false));
    let mut co_sell = private.clone();
    co_sell
        .units
        .insert(Unit::Help, UnitValue::Help(Some(Help::GeneralOrOther)));
    for (deal, kind, visible, target) in [
        (private, "\"Independent\"", "false", "[]"),
        (deal(), "\"Independent\"", "true", "[]"),
        (
            co_sell,
            "\"Shared\"",
            "true",
            r#"[{"id":"SOL-1-AAA","type":"SolutionProfile"}]"#,
        ),
    ] {
        let body = body(&deal);
        assert_eq!((body["type"].get(), body["target"].get()), (kind, target));
        assert!(
            body["consent"].get().contains(&format!(
                "\"consentToShareReferralWithMicrosoftSellers\":{visible}"
            )),
            "{}",
            body["consent"]
        );
        assert_eq!(body["externalReferenceId"].get(), "\"crm-2\"");
    }
}

#[test]
fn a_created_referral_reads_back_as_the_deal_that_it_was_made_from() {
    let body = create_body(&deal(), &options()).unwrap();
    assert!(
        body.as_str()
            .contains(r#""dealValue":922337203685477.5807,"#),
        "{}",
        body.as_str()
    );
    assert!(body.as_str().contains("consentToToShareInfoWithOthers"));
    let echoed = body.as_str().replacen(
        '{',
        r#"{"id":"aaaaaaaa-0000-4000-8000-000000000009","status":"Active","substatus":"Accepted","#,
        1,
    );
    let mut expected = deal().units;
    expected.insert(Unit::ExternalReference, text("crm-2"));
    assert_eq!(
        read(&Referral::parse(&echoed).unwrap(), None, LINK_BASE).units,
        expected
    );
}

#[test]
fn an_invitation_names_the_engagement_microsoft_and_the_help() {
    let mut deal = deal();
    deal.units
        .insert(Unit::CompanyName, text("Renamed meanwhile"));
    let body = invite_body(&own(), &deal, &Help::QuotesOrLicensing).unwrap();
    let body = json::object(body.as_str()).unwrap();
    assert_eq!(
        body["engagementId"].get(),
        "\"eeeeeeee-0000-4000-8000-000000000001\""
    );
    assert_eq!(
        body["target"].get(),
        r#"[{"id":"msft","type":"BusinessProfileLocation"}]"#
    );
    assert_eq!(
        body["inviteContext"].get(),
        r#"{"assistanceRequestCode":"QuotesOrLicensing","notes":"n"}"#
    );
    assert_eq!(body["type"].get(), "\"Shared\"");
    assert!(
        body["customerProfile"]
            .get()
            .contains("\"Northwind & Sons\""),
        "{}",
        body["customerProfile"]
    );
    // Our reference belongs to our referral; on Microsoft's it would look like a duplicate.
    assert!(!body.contains_key("externalReferenceId"));
}

fn codes<T: std::fmt::Debug>(result: Result<T, Vec<Refusal>>) -> Vec<String> {
    result
        .unwrap_err()
        .into_iter()
        .map(|refusal| refusal.reason.code)
        .collect()
}

#[test]
fn everything_that_a_creation_lacks_is_said_at_once() {
    let mut deal = Deal::default();
    deal.units
        .insert(Unit::Help, UnitValue::Help(Some(Help::GeneralOrOther)));
    deal.units.insert(
        Unit::Address,
        UnitValue::Address(Address {
            country: Some("USA".to_owned()),
            ..Address::default()
        }),
    );
    let all = [
        "name-missing",
        "value-missing",
        "close-date-missing",
        "customer-missing",
        "country-missing",
        "solution-missing",
        "contact-missing",
    ];
    assert_eq!(codes(create_body(&deal, &CreateOptions::default())), all);
    assert_eq!(
        codes(create_body(&self::deal(), &CreateOptions::default())),
        ["consent-missing"]
    );
}

fn ops(unit: Unit, value: UnitValue) -> Vec<(&'static str, String)> {
    let operations: Vec<PatchOp> = patch_ops(&own(), &Units::from([(unit, value)])).unwrap();
    operations
        .iter()
        .map(|operation| (operation.path(), operation.value().to_owned()))
        .collect()
}

fn state(standing: Standing, reason: Option<&str>) -> UnitValue {
    UnitValue::State(DealState {
        standing,
        reason: reason.map(str::to_owned),
    })
}

#[test]
fn a_unit_becomes_its_operations() {
    let expect = |unit, value, expected: &[(&'static str, &str)]| {
        let expected: Vec<_> = expected
            .iter()
            .map(|(path, value)| (*path, (*value).to_owned()))
            .collect();
        assert_eq!(ops(unit, value), expected);
    };
    expect(
        Unit::Value,
        money("100000000000000.0001", "EUR"),
        &[
            ("/details/dealValue", "100000000000000.0001"),
            ("/details/currency", "\"EUR\""),
        ],
    );
    expect(
        Unit::CloseDate,
        UnitValue::Date(Some("2027-02-01".parse().unwrap())),
        &[("/details/closingDateTime", "\"2027-02-01T00:00:00Z\"")],
    );
    expect(
        Unit::Notes,
        UnitValue::Text(None),
        &[("/details/notes", "null")],
    );
    expect(
        Unit::State,
        state(Standing::Won, None),
        &[("/status", "\"Closed\""), ("/substatus", "\"Won\"")],
    );
    expect(
        Unit::State,
        state(Standing::Lost, Some("No budget")),
        &[
            ("/status", "\"Closed\""),
            ("/substatus", "\"Lost\""),
            ("/statusReason", "\"No budget\""),
        ],
    );
    // What is there already needs nothing; the same number in other digits is the same number.
    expect(Unit::Value, money("922337203685477.58070", "USD"), &[]);
    expect(Unit::State, state(Standing::Accepted, None), &[]);
}

#[test]
fn a_close_comes_last() {
    let another = Solution {
        id: "SOL-2-BBB".to_owned(),
        name: "Another app".to_owned(),
        kind: None,
        publisher: None,
        price: None,
        quantity: None,
        close_date: None,
    };
    let changes = Units::from([
        (Unit::State, state(Standing::Won, None)),
        (Unit::Solutions, UnitValue::Solutions(vec![another])),
        (Unit::Notes, text("done")),
    ]);
    let operations = patch_ops(&own(), &changes).unwrap();
    let paths: Vec<_> = operations.iter().map(PatchOp::path).collect();
    assert_eq!(
        paths,
        [
            "/details/notes",
            "/details/requirements/solutions",
            "/status",
            "/substatus"
        ]
    );
}

#[test]
fn replacing_a_list_keeps_what_we_do_not_know_of_its_elements() {
    let contact = |email: &str, title: &str| Person {
        email: Some(email.to_owned()),
        title: Some(title.to_owned()),
        ..Person::default()
    };
    let operations = ops(
        Unit::Contacts,
        UnitValue::People(vec![
            contact("new@northwind.example", "CFO"),
            contact("A@northwind.example", "CEO"),
        ]),
    );
    assert_eq!(
        operations,
        [(
            "/customerProfile/team",
            r#"[{"email":"new@northwind.example","title":"CFO"},{"contactPreference":{"locale":"en-us","disableNotifications":null},"email":"A@northwind.example","firstName":null,"lastName":null,"phoneNumber":null,"title":"CEO"}]"#.to_owned()
        )]
    );
    let solution = Solution {
        id: "sol-1-aaa".to_owned(),
        name: "Renamed".to_owned(),
        kind: None,
        publisher: None,
        price: None,
        quantity: None,
        close_date: None,
    };
    assert_eq!(
        ops(Unit::Solutions, UnitValue::Solutions(vec![solution])),
        [(
            "/details/requirements/solutions",
            r#"[{"currency":"USD","id":"sol-1-aaa","name":"Renamed","price":0.1,"publisherName":null,"quantity":"2","solutionType":"3P","type":"Name","unknown":7},{"name":"topic","type":"Category"}]"#.to_owned()
        )]
    );
}

#[test]
fn what_partner_center_does_not_let_us_write_is_refused_with_why() {
    let code = |unit, value| codes(patch_ops(&own(), &Units::from([(unit, value)])));
    assert_eq!(code(Unit::Name, text("other")), ["fixed-at-creation"]);
    assert_eq!(
        code(Unit::CompanyName, text("other")),
        ["fixed-at-creation"]
    );
    assert_eq!(
        code(Unit::Visibility, UnitValue::Flag(false)),
        ["visible-for-good"]
    );
    assert_eq!(
        code(Unit::Help, UnitValue::Help(None)),
        ["help-is-an-invitation"]
    );
    assert_eq!(
        code(Unit::Value, UnitValue::Money(None)),
        ["cannot-be-emptied"]
    );
    assert_eq!(code(Unit::Value, text("12k")), ["wrong-kind"]);
    assert_eq!(
        code(Unit::State, state(Standing::Pending, None)),
        ["state-backwards"]
    );
    assert_eq!(
        code(Unit::State, state(Standing::Expired, None)),
        ["state-not-ours"]
    );
}

#[test]
fn a_closed_referral_takes_nothing_but_what_it_shows() {
    let closed = Referral::parse(
        &OWN.replace("\"Active\"", "\"Closed\"")
            .replace("\"Accepted\"", "\"Won\""),
    )
    .unwrap();
    let changes = Units::from([
        (Unit::Notes, text("late")),
        (Unit::SalesStage, text("Develop")),
    ]);
    assert_eq!(codes(patch_ops(&closed, &changes)), ["referral-closed"]);
    assert!(
        patch_ops(&closed, &Units::from([(Unit::Notes, text("n"))]))
            .unwrap()
            .is_empty()
    );
}
