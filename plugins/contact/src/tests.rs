use cosell_guest_sdk::{prelude::*, test};

use crate::StockContact as Stock;

fn question(person: Person) -> ContactQuestion {
    ContactQuestion {
        person,
        company: test::standard_deal().company,
        account: Some(Reference::new("account", test::ACCOUNT_ID)),
        more: Vec::new(),
    }
}

fn anna() -> Person {
    test::standard_deal().contacts[0].clone()
}

fn nobody() -> Person {
    Person {
        first_name: None,
        last_name: None,
        email: None,
        phone: Some("+36 1 555 0100".to_owned()),
        title: None,
        more: Vec::new(),
    }
}

fn choose(question: &ContactQuestion, candidates: &[Candidate]) -> Option<Resolution> {
    <Stock as Contact>::choose(&test::context::<Stock>(), question, candidates, None).unwrap()
}

fn by_mail(id: &str, account: &str) -> Candidate {
    Candidate {
        row: Row::new("contact", id).with("parentcustomerid", Value::reference("account", account)),
        found_by: vec!["mail".to_owned()],
    }
}

#[test]
fn the_golden_examples_hold() {
    test::check_examples::<Stock>();
}

#[test]
fn one_mail_at_two_accounts_is_the_one_at_ours() {
    let chosen = choose(
        &question(anna()),
        &[by_mail("c1", "elsewhere"), by_mail("c2", test::ACCOUNT_ID)],
    );
    assert!(matches!(chosen, Some(Resolution::UseExisting(one)) if one.id == "c2"));
}

#[test]
fn one_mail_twice_elsewhere_is_a_persons_choice() {
    let chosen = choose(
        &question(anna()),
        &[by_mail("c1", "elsewhere"), by_mail("c2", "elsewhere")],
    );
    assert!(matches!(chosen, Some(Resolution::Review(both)) if both.len() == 2));
}

#[test]
fn somebody_without_name_and_mail_does_not_cross() {
    assert_eq!(choose(&question(nobody()), &[]), None);
}

#[test]
fn without_a_mail_the_name_belongs_to_the_account() {
    let person = Person {
        email: None,
        ..anna()
    };
    assert_eq!(
        choose(&question(person), &[]),
        Some(Resolution::CreateNew(format!(
            "anna kovács|{}",
            test::ACCOUNT_ID
        )))
    );
}

#[test]
fn the_only_name_there_is_becomes_the_last_name() {
    let person = Person {
        last_name: None,
        ..anna()
    };
    let changes =
        <Stock as Contact>::to_row(&test::context::<Stock>(), &question(person), None, &[])
            .unwrap();
    assert!(changes.contains(&Change::set("lastname", "Anna")));
    assert!(changes.contains(&Change::set("firstname", Value::Empty)));
}

fn to_row(existing: Option<&Row>, person: Person) -> Vec<Change> {
    <Stock as Contact>::to_row(&test::context::<Stock>(), &question(person), existing, &[]).unwrap()
}

#[test]
fn a_contact_that_was_made_is_read_as_the_same_person() {
    let row = to_row(None, anna())
        .into_iter()
        .fold(Row::new("contact", "c1"), |row, change| match change {
            Change::Set((column, value)) => row.with(column, value),
            other => panic!("{other:?}"),
        });
    assert_eq!(cosell_guest_sdk::parts::people::person(&row), Some(anna()));
}

#[test]
fn nothing_is_taken_away_from_a_contact_that_is_there() {
    let elsewhere = Row::new("contact", "c1")
        .with("parentcustomerid", Value::reference("account", "elsewhere"));
    let person = Person {
        phone: None,
        title: Some("CEO".to_owned()),
        ..anna()
    };
    let changes = to_row(Some(&elsewhere), person);
    let sets = |column: &str| {
        changes
            .iter()
            .any(|change| matches!(change, Change::Set((set, _)) if set == column))
    };
    assert!(sets("jobtitle"));
    assert!(!sets("telephone1"));
    assert!(!sets("parentcustomerid"));
    let nowhere = Row::new("contact", "c1").with("parentcustomerid", Value::Empty);
    assert!(to_row(Some(&nowhere), anna()).contains(&Change::set(
        "parentcustomerid",
        Reference::new("account", test::ACCOUNT_ID)
    )));
}

#[test]
fn an_active_namesake_goes_before_an_inactive_mail() {
    let asleep = Candidate {
        row: Row::new("contact", "c1").with("statecode", Value::choice(1)),
        found_by: vec!["mail".to_owned()],
    };
    let awake = Candidate {
        row: Row::new("contact", "c2"),
        found_by: vec!["name".to_owned()],
    };
    let chosen = choose(&question(anna()), &[asleep, awake]);
    assert!(matches!(chosen, Some(Resolution::UseExisting(one)) if one.id == "c2"));
}
