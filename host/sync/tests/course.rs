//! What a run does with its lane before it compares a single unit.
#![allow(missing_docs, reason = "tests are read by their names")]

use cosell_sync::course::{
    Course, Decision, Gate, Patience, Presence, Situation, course, missing_for_referral,
};
use cosell_sync::deal::{Address, Decimal, Help, Money, Person, Solution, Unit, UnitValue, Units};
use cosell_sync::row::{Reason, RecordKind};
use cosell_sync::side::{Side, Sides};

use Presence::{Gone, Here, Never};

fn complete() -> Units {
    let solution = Solution {
        id: "SOL-1".into(),
        name: "App".into(),
        kind: None,
        publisher: None,
        price: None,
        quantity: None,
        close_date: None,
    };
    [
        (Unit::Name, UnitValue::Text(Some("Data platform".into()))),
        (
            Unit::CompanyName,
            UnitValue::Text(Some("Contoso Kft.".into())),
        ),
        (
            Unit::Value,
            UnitValue::Money(Some(Money {
                amount: Decimal::ONE_HUNDRED,
                currency: "EUR".into(),
            })),
        ),
        (
            Unit::CloseDate,
            UnitValue::Date(Some(jiff::civil::date(2026, 12, 15))),
        ),
        (
            Unit::Address,
            UnitValue::Address(Address {
                country: Some("HU".into()),
                ..Address::default()
            }),
        ),
        (Unit::Solutions, UnitValue::Solutions(vec![solution])),
    ]
    .into()
}

struct Case {
    partner_center: Presence,
    crm: Presence,
    linked: bool,
    gate: Gate,
    units: Units,
    closed: bool,
    row_closed: bool,
    kind: RecordKind,
    reopened: bool,
    decided: Option<Decision>,
    now: i64,
}

impl Case {
    fn new(partner_center: Presence, crm: Presence, linked: bool) -> Self {
        Self {
            partner_center,
            crm,
            linked,
            gate: Gate::Sync(RecordKind::Opportunity),
            units: complete(),
            closed: false,
            row_closed: false,
            kind: RecordKind::Opportunity,
            reopened: false,
            decided: None,
            now: 100_000,
        }
    }

    fn course(&self) -> Course {
        course(&Situation {
            presence: Sides {
                partner_center: self.partner_center,
                crm: self.crm,
            },
            linked: self.linked,
            gate: &self.gate,
            units: &self.units,
            closed: self.closed,
            row_closed: self.row_closed,
            kind: self.kind,
            reopened: self.reopened,
            decided: self.decided,
            born: 0,
            rang: 50_000,
            now: self.now,
            patience: Patience {
                quiet_ms: 60_000,
                incomplete_ms: 600_000,
            },
        })
    }
}

fn create(on: Side) -> Course {
    Course::Create {
        on,
        kind: RecordKind::Opportunity,
    }
}

#[test]
fn both_there_is_a_merge_and_one_there_is_a_birth() {
    assert_eq!(Case::new(Here, Here, true).course(), Course::Merge);
    assert_eq!(Case::new(Here, Here, false).course(), Course::Merge);
    assert_eq!(Case::new(Here, Never, false).course(), create(Side::Crm));
    assert_eq!(
        Case {
            now: 110_000,
            ..Case::new(Never, Here, false)
        }
        .course(),
        create(Side::PartnerCenter)
    );
    assert_eq!(Case::new(Never, Never, false).course(), Course::Nothing);
}

#[test]
fn s18_a_missing_record_of_a_link_is_an_orphan_and_never_a_birth() {
    assert_eq!(
        Case::new(Gone, Here, true).course(),
        Course::Orphan(Side::PartnerCenter)
    );
    assert_eq!(
        Case::new(Here, Gone, true).course(),
        Course::Orphan(Side::Crm)
    );
    assert_eq!(
        Case::new(Here, Never, true).course(),
        Course::Orphan(Side::Crm)
    );
}

#[test]
fn s20_a_birth_waits_for_a_quiet_moment() {
    assert_eq!(
        Case::new(Never, Here, false).course(),
        Course::Quiet { until: 110_000 }
    );
}

#[test]
fn s20_an_incomplete_deal_waits_without_a_cross_and_is_refused_when_its_time_is_up() {
    let mut case = Case::new(Never, Here, false);
    case.units.remove(&Unit::Solutions);
    match case.course() {
        Course::Incomplete { until, missing } => {
            assert_eq!(until, 600_000);
            assert_eq!(missing[0].code, "solution-missing");
        }
        other => panic!("{other:?}"),
    }
    case.now = 600_000;
    assert!(matches!(case.course(), Course::Refuse(missing) if missing.len() == 1));
}

#[test]
fn s21_a_gate_that_says_no_pauses_whatever_else_is_true() {
    let reason = Reason {
        code: "sync-off".into(),
        message: "the switch is off".into(),
        about: None,
        hint: None,
    };
    let case = Case {
        gate: Gate::Skip(reason.clone()),
        ..Case::new(Here, Here, true)
    };
    assert_eq!(case.course(), Course::Skip(reason));
}

#[test]
fn a_deal_that_was_closed_before_it_was_linked_is_left_alone() {
    let case = Case {
        closed: true,
        ..Case::new(Here, Never, false)
    };
    assert!(matches!(case.course(), Course::Skip(reason) if reason.code == "closed-before-link"));
}

#[test]
fn help_needs_a_complete_contact_and_a_country_needs_two_letters() {
    let mut units = complete();
    assert_eq!(missing_for_referral(&units), []);
    units.insert(Unit::Help, UnitValue::Help(Some(Help::GeneralOrOther)));
    units.insert(
        Unit::Contacts,
        UnitValue::People(vec![Person {
            last_name: Some("Kovács".into()),
            ..Person::default()
        }]),
    );
    units.insert(
        Unit::Address,
        UnitValue::Address(Address {
            country: Some("Hungary".into()),
            ..Address::default()
        }),
    );
    let codes: Vec<String> = missing_for_referral(&units)
        .into_iter()
        .map(|reason| reason.code)
        .collect();
    assert_eq!(codes, ["country-unknown", "contact-missing"]);
}

#[test]
fn s17_an_accepted_lead_is_qualified() {
    let lead = Case {
        kind: RecordKind::Lead,
        ..Case::new(Here, Here, true)
    };
    assert_eq!(lead.course(), Course::Qualify);
    let given_up = Case {
        row_closed: true,
        ..lead
    };
    assert_eq!(given_up.course(), Course::Merge);
    let still_a_lead = Case {
        gate: Gate::Sync(RecordKind::Lead),
        row_closed: false,
        ..given_up
    };
    assert_eq!(still_a_lead.course(), Course::Merge);
}

#[test]
fn s18_a_person_decides_what_becomes_of_an_orphan() {
    let orphan = |decided| {
        Case {
            decided,
            ..Case::new(Here, Gone, true)
        }
        .course()
    };
    assert_eq!(orphan(None), Course::Orphan(Side::Crm));
    assert_eq!(orphan(Some(Decision::Recreate)), Course::Anew(Side::Crm));
    assert_eq!(orphan(Some(Decision::Unlink)), Course::Apart);
}

#[test]
fn s19_a_reopened_row_is_a_question_and_never_reopens_partner_center() {
    let reopened = |decided| {
        Case {
            closed: true,
            reopened: true,
            decided,
            ..Case::new(Here, Here, true)
        }
        .course()
    };
    assert_eq!(reopened(None), Course::Reopened);
    assert_eq!(reopened(Some(Decision::LeaveApart)), Course::Apart);
    assert_eq!(
        reopened(Some(Decision::StartAnew)),
        Course::Anew(Side::PartnerCenter)
    );
}
